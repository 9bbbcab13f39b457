//! `mailward eval`: how well the filter tells labelled ham from spam, beside other filters.

mod cost;
mod facts;
mod html;
mod judging;
mod mail;
mod measures;
mod online;
mod peers;
mod plan;
mod report;
mod rows;
mod rules;
mod text;
mod workers;

use super::{envelope::wire_form, exit, fail, load};
use facts::Facts;
use judging::Judge;
use mail::{Found, Labelled};
use mailward_core::{
    config::Config,
    lookup::dns::Zone,
    spam::classifier::{Class, LiveModel, Model},
};
use peers::{Folder, Peer, Said};
use plan::{Protocol, Round, Split, Unit};
use report::Report;
use rows::Row;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::ExitCode,
    thread,
    time::Instant,
};
use workers::bar;
use xxhash_rust::xxh3::xxh3_64_with_seed;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  mailward eval --ham Maildir/.Archive --spam Maildir/.Junk              learn one half, judge the other\n  \
    mailward eval --set mine=corpus --folds 5 --html report.html           every message is judged once\n  \
    mailward eval --set a=old --set b=new --train a --judge b              learn the one, judge the other\n  \
    mailward eval --index index.tsv --train none --json | jq .groups       out of the box\n  \
    mailward eval --set mine=corpus --online                               in the order of time, learning after judging\n\n\
    Nothing is asked of the network, and neither the model nor other state of this site is read or written. \
    docs/evaluation.md tells how not to be fooled by the figures."
)]
pub(super) struct Arguments {
    /// Ham: messages, mbox files, maildirs, or directories of them.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    ham: Vec<PathBuf>,
    /// Spam: the same.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    spam: Vec<PathBuf>,
    /// A set of its own in the report: the messages of DIR/ham and DIR/spam.
    #[arg(long, value_name = "NAME=DIR")]
    set: Vec<String>,
    /// Table of messages, separated by commas or, as .tsv, by tabs: class and path, and perhaps set, group, campaign, time, client_ip, helo, mail_from.
    #[arg(long, value_name = "FILE")]
    index: Vec<PathBuf>,
    /// Where the paths of the index begin. Without it: in its folder.
    #[arg(long, value_name = "DIR", requires = "index")]
    root: Option<PathBuf>,
    /// Column of the index by whose values results are told apart. Without it: group, else set.
    #[arg(long, value_name = "COLUMN", requires = "index")]
    group: Option<String>,
    /// Sets and groups that are learned, `none` for out of the box. Without it: all.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    train: Vec<String>,
    /// Sets and groups that are judged. Without it: all.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    judge: Vec<String>,
    /// How mail that is learned and judged is divided: `hash` (SHA-256 begins with 0 to 7: learned), or `time=SHARE`, of which the older SHARE is learned. Without it: hash.
    #[arg(long, value_name = "HOW", value_parser = split)]
    split: Option<Split>,
    /// Judge every message once, in so many rounds that learn the others.
    #[arg(long, value_name = "NUMBER", conflicts_with = "split", value_parser = clap::value_parser!(u16).range(2..=1000))]
    folds: Option<u16>,
    /// What hash and folds do not tear apart: `message`, or `campaign`, which are near duplicates. Without it: message by hash, campaign in folds.
    #[arg(long, value_name = "UNIT", hide_possible_values = true)]
    by: Option<Unit>,
    /// Judge each set by what all other sets teach.
    #[arg(long, conflicts_with_all = ["split", "folds", "by"])]
    leave_one_set_out: bool,
    /// Judge in the order of time, each group from nothing, and learn each message after it was judged.
    #[arg(long, conflicts_with_all = ["split", "folds", "by", "leave_one_set_out", "train"])]
    online: bool,
    /// Take at most so many messages of each class of each group.
    #[arg(long, value_name = "NUMBER")]
    sample: Option<usize>,
    /// Draws samples, folds and intervals: the same number, the same report.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Another filter on the same mail, may be repeated; `none` for no other. Without it: bogofilter, if it is installed.
    #[arg(long, value_name = "NAME")]
    peer: Vec<PeerName>,
    /// Answer DNS from this file of `name TYPE value` lines; other names do not exist. Without it nobody answers.
    #[arg(long, value_name = "FILE")]
    dns: Option<PathBuf>,
    /// Messages judged at a time. Without it: the number of processors.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: Option<u8>,
    /// Time the stages too, on some hundred of the messages.
    #[arg(long)]
    cost: bool,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
    /// Write a line for each judged message to this file, as comma separated values.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the report with plots to this file: one page that needs no other.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PeerName {
    Bogofilter,
    #[value(name = "spamassassin")]
    SpamAssassin,
    None,
}

fn split(text: &str) -> Result<Split, String> {
    if text == "hash" {
        return Ok(Split::Hash);
    }
    let share = text.strip_prefix("time=").and_then(|share| share.parse().ok());
    let share = share.filter(|share| *share > 0.0 && *share < 1.0).map(Split::Time);
    share.ok_or_else(|| "say hash, or time=SHARE with a share between 0 and 1, as time=0.5".to_owned())
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    match load(path.as_deref()).and_then(|config| evaluate(&arguments, config)) {
        Ok(code) | Err(code) => code,
    }
}

/// What stays the same throughout.
struct Site<'a> {
    arguments: &'a Arguments,
    config: Config,
    zone: Option<Zone>,
    jobs: usize,
    /// The clock where a message has none. Unit: Unix seconds.
    now: i64,
}

fn evaluate(arguments: &Arguments, config: Config) -> Result<ExitCode, ExitCode> {
    let usage = |why: String| fail(exit::USAGE, why);
    let trouble = |why: String| fail(exit::TROUBLE, why);
    let started = Instant::now();
    let mut report = Report::default();
    let peers = arguments.peers(&mut report).map_err(trouble)?;
    let site = Site {
        arguments,
        config: judging::offline(config),
        zone: arguments.dns.as_deref().map(super::check::read_zone).transpose().map_err(usage)?,
        jobs: arguments.jobs.map_or_else(|| thread::available_parallelism().map_or(1, |n| n.get()), usize::from),
        now: crate::daemon::now(),
    };
    arguments.outputs().map_err(usage)?;
    let mut found = arguments.find().map_err(usage)?;
    let protocol = arguments.protocol(&found).map_err(usage)?;
    found.messages.retain(|message| protocol.judges(message) || protocol.trains(message) && !arguments.online);
    let (mail, facts, unreadable) = site.facts(found, &mut report);
    if mail.is_empty() {
        return Err(usage("there is no message to judge: name some by --ham, --spam, --set or --index".to_owned()));
    }
    let campaigns = numbered(&facts);
    let folder = if peers.is_empty() { None } else { Some(Folder::new().map_err(trouble)?) };
    let model = LiveModel::in_memory(Model::empty(0, 0));
    let mut judges = (0..site.jobs)
        .map(|_| Judge::new(&site.config, &model, site.zone.as_ref()))
        .collect::<Result<Vec<Judge>, String>>()
        .map_err(usage)?;
    if arguments.online {
        let bogofilter = folder.as_ref().filter(|_| peers.contains(&Peer::Bogofilter));
        let random = (arguments.seed, site.now);
        let streams = online::play(&judges[0], &model, &mail, &facts, &campaigns, bogofilter, random);
        report.online = streams.map_err(trouble)?;
    } else {
        let rounds = protocol.rounds(&mail, &facts);
        if rounds.is_empty() {
            return Err(usage("nothing is left to judge: see --train, --judge and --split".to_owned()));
        }
        let features = judging::features(&mail, &rounds, site.jobs);
        let mut rows = Vec::new();
        for round in &rounds {
            let learned = judging::learned(&mail, &round.train, &features);
            model.change(|model| *model = learned);
            let verdicts = judging::verdicts(&mut judges, &mail, &facts, round, site.now);
            let played = folder.as_ref().map(|folder| play(&peers, folder, &mail, round, site.jobs)).transpose();
            let played = played.map_err(trouble)?.unwrap_or_default();
            rows.extend(round.judge.iter().zip(verdicts).enumerate().map(|(place, (&number, verdict))| Row {
                number,
                round: &round.name,
                verdict,
                said: played.iter().map(|said| said[place]).collect(),
            }));
            report.add_round(round, &mail);
        }
        report.measure(&rows, &mail, &facts, &campaigns, &peers, arguments.seed);
        report.silent = rules::silent(&report.rules, &site.config.spam.disabled);
        if let Some(path) = &arguments.csv {
            rows::write(path, &rows, &mail, &facts, &peers).map_err(usage)?;
        }
    }
    if arguments.cost
        && let Some(model) = model.current()
    {
        report.cost = cost::measure(&judges[0], &site.config, &model, &mail, &facts, arguments.seed, site.now);
    }
    report.seconds = started.elapsed().as_secs_f64();
    arguments.print(&report).map_err(usage)?;
    Ok(ExitCode::from(if unreadable > 0 { exit::USAGE } else { exit::OK }))
}

impl Arguments {
    /// The peers that are measured. One that was asked for must be there.
    fn peers(&self, report: &mut Report) -> Result<Vec<Peer>, String> {
        if self.peer.is_empty() {
            return match Peer::Bogofilter.is_installed() {
                Ok(()) => Ok(vec![Peer::Bogofilter]),
                Err(_) => {
                    report.notes.push("bogofilter is not installed, so nothing stands beside".to_owned());
                    Ok(Vec::new())
                }
            };
        }
        let peers = self.peer.iter().filter_map(|name| match name {
            PeerName::Bogofilter => Some(Peer::Bogofilter),
            PeerName::SpamAssassin => Some(Peer::SpamAssassin),
            PeerName::None => None,
        });
        let peers: BTreeSet<Peer> = peers.collect();
        if self.online && peers.contains(&Peer::SpamAssassin) {
            return Err("--online plays beside bogofilter alone: leave out --peer spamassassin".to_owned());
        }
        peers.iter().try_for_each(|peer| peer.is_installed())?;
        Ok(peers.into_iter().collect())
    }

    /// Makes the files for the output, so that a wrong name shows before the work.
    fn outputs(&self) -> Result<(), String> {
        for path in self.csv.iter().chain(&self.html) {
            std::fs::File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
        Ok(())
    }

    fn find(&self) -> Result<Found, String> {
        let mut found = Found::default();
        for (paths, class) in [(&self.ham, Class::Ham), (&self.spam, Class::Spam)] {
            paths.iter().for_each(|path| found.add_path(path, class, "mail"));
        }
        self.set.iter().try_for_each(|set| found.add_set(set))?;
        for index in &self.index {
            found.add_index(index, self.root.as_deref(), self.group.as_deref())?;
        }
        Ok(found)
    }

    fn protocol(&self, found: &Found) -> Result<Protocol, String> {
        let known = found.names();
        let names = |option: &str, names: &[String]| -> Result<Option<BTreeSet<String>>, String> {
            if let Some(name) = names.iter().find(|name| !known.contains(name.as_str())) {
                let known: Vec<&str> = known.iter().copied().collect();
                let known = known.join(", ");
                return Err(format!("--{option} {name}: there is no such set or group; there are {known}"));
            }
            Ok((!names.is_empty()).then(|| names.iter().cloned().collect()))
        };
        let train = match self.train.as_slice() {
            [none] if none == "none" => Some(BTreeSet::new()),
            train => names("train", train)?,
        };
        let split = self.folds.map(|folds| Split::Folds(folds.into())).or(self.split).unwrap_or(Split::Hash);
        let by = match split {
            Split::Folds(_) => Unit::Campaign,
            _ => Unit::Message,
        };
        Ok(Protocol {
            train,
            judge: names("judge", &self.judge)?,
            split,
            by: self.by.unwrap_or(by),
            leave_one_set_out: self.leave_one_set_out,
            seed: self.seed,
        })
    }

    fn print(&self, report: &Report) -> Result<(), String> {
        if let Some(path) = &self.html {
            let cannot = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
            std::fs::write(path, html::page(report)).map_err(cannot)?;
        }
        let text = match self.json {
            true => serde_json::to_string(report).map_err(|error| error.to_string())?,
            false => text::report(report),
        };
        use std::io::Write;
        writeln!(std::io::stdout().lock(), "{}", text.trim_end())
            .map_err(|error| format!("the output is closed: {error}"))
    }
}

impl Site<'_> {
    /// Looks at every message once; those that cannot be read are told, left out and counted, and the sample is drawn.
    fn facts(&self, found: Found, report: &mut Report) -> (Vec<Labelled>, Vec<Facts>, usize) {
        let mut unreadable = found.unreadable;
        for (class, count) in &found.left_out {
            report
                .notes
                .push(format!("{count} messages of class \"{class}\" are left out: they are neither ham nor spam"));
        }
        if found.no_addresses > 0 {
            let count = found.no_addresses;
            report.notes.push(format!("{count} fields client_ip and mail_from are no addresses, and count as unknown"));
        }
        let bar = bar("reading", found.messages.len());
        let of = |_: &mut (), labelled: &Labelled| {
            let given = labelled.place.read().map_err(|error| format!("cannot read {}: {error}", labelled.name))?;
            Ok(Facts::of(labelled, &given, &wire_form(&given)))
        };
        let facts: Vec<Result<Facts, String>> = workers::each(&mut vec![(); self.jobs], &found.messages, &bar, of);
        bar.finish_and_clear();
        let mut known = Vec::new();
        for (labelled, facts) in found.messages.into_iter().zip(facts) {
            match facts {
                Ok(facts) => known.push((labelled, facts)),
                Err(why) => unreadable.push(why),
            }
        }
        unreadable.iter().for_each(|why| eprintln!("mailward: {why}"));
        if !unreadable.is_empty() {
            report.notes.push(format!("{} could not be read", unreadable.len()));
        }
        if let Some(sample) = self.arguments.sample {
            draw(&mut known, sample, self.arguments.seed);
        }
        let (mail, mut facts): (Vec<Labelled>, Vec<Facts>) = known.into_iter().unzip();
        facts::find_campaigns(&mut facts);
        (mail, facts, unreadable.len())
    }
}

/// Keeps so many messages of each class of each group; their order stays.
fn draw(known: &mut Vec<(Labelled, Facts)>, sample: usize, seed: u64) {
    let mut lots: BTreeMap<(String, &str), BTreeSet<(u64, usize)>> = BTreeMap::new();
    for (n, (labelled, facts)) in known.iter().enumerate() {
        let lot = xxh3_64_with_seed(facts.hash.as_bytes(), seed);
        lots.entry((labelled.group.clone(), labelled.class.word())).or_default().insert((lot, n));
    }
    let kept: BTreeSet<usize> =
        lots.into_values().flat_map(|lots| lots.into_iter().take(sample)).map(|(_, n)| n).collect();
    let mut n = 0;
    known.retain(|_| {
        n += 1;
        kept.contains(&(n - 1))
    });
}

/// Campaigns by number, in the order of their names: so the order of the files means nothing.
fn numbered(facts: &[Facts]) -> Vec<usize> {
    let names: BTreeSet<&str> = facts.iter().map(|facts| facts.campaign.as_str()).collect();
    let numbers: BTreeMap<&str, usize> = names.into_iter().enumerate().map(|(n, name)| (name, n)).collect();
    facts.iter().map(|facts| numbers[facts.campaign.as_str()]).collect()
}

/// What each peer says about the messages of a round.
fn play(
    peers: &[Peer],
    folder: &Folder,
    mail: &[Labelled],
    round: &Round,
    jobs: usize,
) -> Result<Vec<Vec<Option<Said>>>, String> {
    let needed = round.train.iter().chain(&round.judge).copied().collect();
    folder.fill(mail, &needed)?;
    let bar = bar("other filters", peers.len());
    let played = peers.iter().map(|peer| {
        bar.inc(1);
        peer.play(folder, mail, round, jobs)
    });
    let played = played.collect();
    bar.finish_and_clear();
    played
}
