//! What SpamAssassin's rules cost: `make spamassassin`.
//!
//! `spamassassin_cost FILES RULES…`: FILES has a path at the beginning of each line, up to a tab if there is one; lines without a
//! message are left out. Prints the time of loading and the processor's time for a message; before it, with `HITS=1` in the
//! environment, each path with its hits.

use cpu_time::{ProcessTime, ThreadTime};
use mailward_spamassassin::{Facts, RuleSet};
use std::{fs, io, path::PathBuf, time::Instant};

/// Rounds over the messages. The first compiles what they need. Unit: rounds.
const ROUNDS: usize = 3;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(files) = arguments.next() else {
        eprintln!("usage: spamassassin_cost FILES RULES...");
        std::process::exit(2);
    };
    let paths: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    let (started, work) = (Instant::now(), ProcessTime::now());
    let (rules, _) = RuleSet::load(&paths, "en");
    let (loaded, loading) = (started.elapsed().as_millis(), work.elapsed().as_millis());
    let memory = status("VmRSS:");
    let prints = std::env::var_os("HITS").is_some();
    let mut first = Vec::new();
    let mut times = Vec::new();
    let list = fs::read_to_string(files)?;
    let messages: Vec<(&str, Vec<u8>)> = list
        .lines()
        .filter_map(|line| line.split('\t').next())
        .filter_map(|file| Some((file, fs::read(file).ok()?)))
        .collect();
    let size = messages.iter().map(|(_, message)| message.len() as u64).sum::<u64>() / 1_024;
    for round in 0..ROUNDS {
        let mut round_times = Vec::with_capacity(messages.len());
        for (file, message) in &messages {
            let started = ThreadTime::now();
            let hits = rules.judge(message, &Facts::default());
            round_times.push(started.elapsed().as_micros());
            if prints && round == 0 {
                let names: Vec<&str> = hits.iter().map(|hit| hit.name).collect();
                println!("{file}\t{}", names.join(" "));
            }
        }
        if round == 0 {
            first = round_times;
        } else if times.is_empty() {
            times = round_times;
        } else {
            // The quicker of the rounds: what disturbs one is no cost of ours.
            times.iter_mut().zip(round_times).for_each(|(best, time)| *best = time.min(*best));
        }
    }
    println!("loaded in {loaded} ms, {loading} ms of CPU, {} MB", memory / 1_024);
    report("first round", first);
    report("later rounds", times);
    println!("{} messages of {size} KiB; most memory {} MB", messages.len(), status("VmHWM:") / 1_024);
    Ok(())
}

fn report(what: &str, mut times: Vec<u128>) {
    times.sort_unstable();
    let at = |share: f64| times.get((times.len().saturating_sub(1) as f64 * share) as usize).copied().unwrap_or(0);
    println!(
        "{what}: microseconds of CPU a message: median {}, p90 {}, p99 {}, most {}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
}

/// A line of what the system tells of this process. Unit: KiB.
fn status(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|found| found.strip_prefix(line)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
