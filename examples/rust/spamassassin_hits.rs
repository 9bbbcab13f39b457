//! Which SpamAssassin rules hit which messages, held against what SpamAssassin itself says: `make spamassassin`.
//!
//! `spamassassin_hits THEIRS RULES…`: THEIRS is what `tests/spamassassin/hits.pl` printed.

use mailward_spamassassin::{Facts, RuleSet};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::PathBuf,
    time::Instant,
};

/// Differences named in the report. Unit: rules. Source: our own limit.
const NAMED: usize = 40;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(theirs) = arguments.next() else {
        eprintln!("usage: spamassassin_hits THEIRS RULES...");
        std::process::exit(2);
    };
    let paths: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    let started = Instant::now();
    let (rules, faults) = RuleSet::load(&paths, "en");
    println!("loaded in {} ms", started.elapsed().as_millis());
    faults.iter().for_each(|fault| println!("fault: {fault}"));
    let text = fs::read_to_string(theirs)?;
    let mut lines = text.lines();
    let their_rules: BTreeSet<&str> = lines.next().unwrap_or_default().split(' ').skip(1).collect();
    let our_rules: BTreeSet<&str> = rules.rules().map(|rule| rule.name).collect();
    let known = their_rules.intersection(&our_rules).count();
    println!(
        "rules: theirs {}, ours {}, of theirs {known} ({:.2} %); {} ask the network or what was learned",
        their_rules.len(),
        our_rules.len(),
        known as f64 * 100.0 / their_rules.len() as f64,
        rules.elsewhere()
    );
    let missing: Vec<&&str> = their_rules.difference(&our_rules).collect();
    println!("not loaded: {missing:?}");
    let mut compared = Compared::default();
    for line in lines {
        let Some((file, names)) = line.split_once('\t') else { continue };
        let Ok(message) = fs::read(file) else { continue };
        let theirs: BTreeSet<&str> = names.split(' ').filter(|name| !name.is_empty()).collect();
        let hits = rules.judge(&message, &Facts::default());
        let ours = hits.iter().map(|hit| hit.name).collect();
        compared.add(file, &theirs, &ours);
    }
    compared.report(their_rules.len());
    Ok(())
}

/// Agreement over all messages.
#[derive(Default)]
struct Compared {
    messages: usize,
    both: usize,
    /// By rule: only theirs, only ours, and a message for each.
    differences: BTreeMap<String, (usize, usize, String, String)>,
}

impl Compared {
    fn add(&mut self, file: &str, theirs: &BTreeSet<&str>, ours: &BTreeSet<&str>) {
        self.messages += 1;
        self.both += theirs.intersection(ours).count();
        for name in theirs.difference(ours) {
            let entry = self.differences.entry((*name).to_owned()).or_default();
            entry.0 += 1;
            entry.2 = file.to_owned();
        }
        for name in ours.difference(theirs) {
            let entry = self.differences.entry((*name).to_owned()).or_default();
            entry.1 += 1;
            entry.3 = file.to_owned();
        }
    }

    fn report(&self, rules: usize) {
        let theirs: usize = self.differences.values().map(|difference| difference.0).sum();
        let ours: usize = self.differences.values().map(|difference| difference.1).sum();
        let pairs = (self.messages * rules).max(1);
        println!(
            "{} messages: agreement on {:.4} % of {pairs} pairs; {} hits of both, {theirs} only theirs, {ours} only ours, Jaccard {:.4}",
            self.messages,
            100.0 - (theirs + ours) as f64 * 100.0 / pairs as f64,
            self.both,
            self.both as f64 / (self.both + theirs + ours).max(1) as f64
        );
        let mut named: Vec<_> = self.differences.iter().collect();
        named.sort_by_key(|(_, difference)| std::cmp::Reverse(difference.0 + difference.1));
        for (name, (theirs, ours, their_file, our_file)) in named.into_iter().take(NAMED) {
            println!("{name:40} only theirs {theirs:5} {their_file}  only ours {ours:5} {our_file}");
        }
    }
}
