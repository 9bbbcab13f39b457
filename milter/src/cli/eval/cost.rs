//! What judging a message costs, stage by stage.

use super::{
    facts::Facts,
    judging::{self, Judge},
    mail::Labelled,
    workers::bar,
};
use crate::cli::envelope::wire_form;
use cpu_time::{ProcessTime, ThreadTime};
use mailward_core::{
    config::Config,
    message::{self, Bounds},
    session::{Address, Connection, Direction, Recipient, ReversePath},
    spam::{
        self, AtEnd,
        classifier::{Features, Model},
    },
};
use serde::Serialize;
use std::{hint::black_box, time::Duration};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Most messages that are timed. Unit: messages. Source: our own limit, seconds of work; the 99th of a hundred is known by five.
const SAMPLE: usize = 500;
/// Times that each is timed; the shortest counts, which is the one that nothing disturbed. Unit: rounds.
const ROUNDS: usize = 3;

/// CPU time of a stage over messages. Unit: microseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Stage {
    pub(super) stage: &'static str,
    pub(super) median: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
}

/// Times the stages on a sample of the messages, one at a time on an otherwise idle process.
pub(super) fn measure(
    judge: &Judge,
    config: &Config,
    model: &Model,
    mail: &[Labelled],
    facts: &[Facts],
    seed: u64,
    now: i64,
) -> Vec<Stage> {
    let mut drawn: Vec<usize> = (0..mail.len()).collect();
    drawn.sort_by_key(|&n| xxh3_64_with_seed(facts[n].hash.as_bytes(), seed));
    drawn.truncate(SAMPLE);
    let bar = bar("timing", drawn.len());
    let mut times: [Vec<f64>; 5] = Default::default();
    for number in drawn {
        bar.inc(1);
        let Ok(raw) = mail[number].place.read() else { continue };
        let wire = wire_form(&raw);
        let sent = judging::sent(&mail[number], facts[number].time, &wire, now);
        let connection = Connection { client_ip: sent.client_ip, helo: sent.helo.clone(), ..Connection::default() };
        let sender = ReversePath::parse(sent.from.as_bytes()).unwrap_or(ReversePath::Null);
        let recipients: Vec<Recipient> = sent
            .to
            .iter()
            .filter_map(|to| Address::parse(to.as_bytes()).ok())
            .map(|address| Recipient { address, groups: Vec::new() })
            .collect();
        let bounds = Bounds::default();
        let message = message::parse(&wire, &bounds);
        let at_end = AtEnd {
            connection: &connection,
            sender: &sender,
            recipients: &recipients,
            direction: Direction::Inbound,
            message: &message,
            now: sent.time,
        };
        let findings = spam::judge(&config.spam, &at_end);
        let features = Features::of(&message, &findings);
        times[0].push(shortest(|| drop(black_box(message::parse(&wire, &bounds)))));
        times[1].push(shortest(|| drop(black_box(spam::judge(&config.spam, &at_end)))));
        times[2].push(shortest(|| drop(black_box(Features::of(&message, &findings)))));
        times[3].push(shortest(|| drop(black_box(model.judge(&features, &config.spam.classifier.bounds)))));
        // The engine works on threads of its own.
        times[4].push(least(|| {
            let started = ProcessTime::now();
            black_box(judge.judge(&sent, &wire));
            started.elapsed()
        }));
    }
    bar.finish_and_clear();
    let stages = ["parse", "content rules", "features", "classifier", "whole engine"];
    stages
        .into_iter()
        .zip(times)
        .filter(|(_, times)| !times.is_empty())
        .map(|(stage, times)| Stage::of(stage, times))
        .collect()
}

fn shortest(work: impl Fn()) -> f64 {
    least(|| {
        let started = ThreadTime::now();
        work();
        started.elapsed()
    })
}

/// Unit: microseconds.
fn least(time: impl Fn() -> Duration) -> f64 {
    (0..ROUNDS).map(|_| time()).min().unwrap_or_default().as_secs_f64() * 1e6
}

impl Stage {
    fn of(stage: &'static str, mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
        Stage { stage, median: at(0.5), p90: at(0.9), p99: at(0.99) }
    }
}
