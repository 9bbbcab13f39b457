//! `mailward reputation show|forget`.

use super::{exit, fail, prepare};
use mailward_core::{
    lookup::{Deadline, Outcome},
    reputation::learned::{Experience, History, Identity, Learned},
    store::{Answer, Counters, Ledger, Op},
};
use serde_json::json;
use std::{net::IpAddr, path::PathBuf, process::ExitCode, time::Duration};

const WAIT: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show what this site has seen of a sender, and the points that it is worth.
    Show {
        /// An address, a network (IPv4 /24, IPv6 /64 or /48), an autonomous system such as AS64496, or the name of a domain
        /// or of a host in HELO. Several are judged as one sender.
        #[arg(required = true)]
        what: Vec<String>,
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Forget what was seen. An address is forgotten alone, its network and autonomous system are not.
    Forget {
        /// As for `show`.
        #[arg(required = true)]
        what: Vec<String>,
    },
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let (config, runtime) = match prepare(path.as_deref()) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let learned = match Learned::load(config.reputation.learned) {
        Ok(learned) => learned,
        Err(fault) => return fail(exit::USAGE, fault),
    };
    let counters = Counters::open(&config.state.dir);
    match arguments.command {
        Command::Show { what, json } => runtime.block_on(show(&learned, counters, &what, json)),
        Command::Forget { what } => runtime.block_on(forget(&counters, &what)),
    }
}

/// The identities that a word means; with exit code 2 if it means none.
fn identities(word: &str) -> Result<Vec<Identity>, ExitCode> {
    match Identity::named(word) {
        none if none.is_empty() => Err(fail(
            exit::USAGE,
            format!(
                "\"{word}\" is no address, network, autonomous system or name, such as 192.0.2.7, 192.0.2.0/24, \
                 2001:db8:1::/48, AS64496 or example.com"
            ),
        )),
        some => Ok(some),
    }
}

async fn show(learned: &Learned, counters: Counters, what: &[String], as_json: bool) -> ExitCode {
    if !learned.settings().enabled {
        eprintln!("mailward: [reputation.learned] is not enabled; this was learned before");
    }
    let mut asked = Vec::new();
    for word in what {
        let mut found = match identities(word) {
            Ok(found) => found,
            Err(code) => return code,
        };
        if let Ok(ip) = word.parse::<IpAddr>() {
            found.extend(learned.client(ip).into_iter().filter(|system| !found.contains(system)).collect::<Vec<_>>());
        }
        asked.extend(found.into_iter().filter(|identity| !asked.contains(identity)).collect::<Vec<_>>());
    }
    let now = crate::daemon::now();
    let history = learned.ask(asked, &Ledger::new(counters), now, Deadline::after(WAIT)).await;
    if let Some(why) = &history.trouble {
        return fail(exit::TROUBLE, why);
    }
    match as_json {
        true => print_json(learned, &history),
        false => print_table(learned, &history),
    }
    let seen = history.known.iter().any(|known| known.bad.total() + known.good.total() > 0);
    ExitCode::from(if seen { exit::OK } else { exit::NEGATIVE })
}

fn print_json(learned: &Learned, history: &History) {
    for one in learned.weigh(&[history]) {
        let identity = &one.known.identity;
        println!(
            "{}",
            json!({
                "kind": identity.kind,
                "name": identity.name,
                "bad": one.bad,
                "good": one.good,
                "confidence": (one.confidence * 1000.0).round() / 1000.0,
                "points": one.points,
            })
        );
    }
}

fn print_table(learned: &Learned, history: &History) {
    println!("{:<8} {:<36} {:>8} {:>8} {:>11} {:>7}", "", "", "bad", "good", "confidence", "points");
    for one in learned.weigh(&[history]) {
        let identity = &one.known.identity;
        println!(
            "{:<8} {:<36} {:>8} {:>8} {:>9.0} % {:>7}",
            identity.kind.word(),
            identity.name,
            one.bad,
            one.good,
            one.confidence * 100.0,
            one.points.to_string()
        );
    }
    let total = learned.points(&[history]);
    let days = learned.settings().remember.as_secs() / 86_400;
    println!("counted in {days} days; a sender of all these would get {total} points");
}

async fn forget(counters: &Counters, what: &[String]) -> ExitCode {
    let mut missing = false;
    for word in what {
        let mut found = match identities(word) {
            Ok(found) => found,
            Err(code) => return code,
        };
        if word.parse::<IpAddr>().is_ok() {
            found.truncate(1);
        }
        for identity in found {
            match clear(counters, &identity).await {
                Outcome::Done(true) => {
                    println!(
                        "{} {} forgotten; running daemons notice within a second",
                        identity.kind.word(),
                        identity.name
                    );
                }
                Outcome::Done(false) => {
                    missing = true;
                    println!("{} {}: nothing was known", identity.kind.word(), identity.name);
                }
                trouble => return fail(exit::TROUBLE, trouble.trouble().unwrap_or_default()),
            }
        }
    }
    ExitCode::from(if missing { exit::NEGATIVE } else { exit::OK })
}

/// Whether there was anything.
async fn clear(counters: &Counters, identity: &Identity) -> Outcome<bool> {
    let keys = [Experience::Bad, Experience::Good].map(|experience| Op::Buckets { key: identity.key(experience) });
    let ops = keys.into_iter().chain([Op::Clear { prefix: identity.prefix() }]).collect();
    let answers = counters.apply(crate::daemon::now(), ops, Deadline::after(WAIT)).await;
    let has_counts = |answer: &Answer| matches!(answer, Answer::Buckets(buckets) if !buckets.is_empty());
    answers.map(|answers| answers.iter().any(has_counts))
}
