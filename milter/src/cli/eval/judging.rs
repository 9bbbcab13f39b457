//! A message judged by the whole engine, without network, by a model that only memory has.

use super::{
    facts::Facts,
    mail::Labelled,
    measures::Scored,
    plan::Round,
    workers::{self, bar},
};
use crate::{
    cli::{
        envelope::{envelope, wire_form},
        one_message::{self, Sent},
    },
    compared::Judged,
};
use mailward_core::{
    config::Config,
    engine::{self, Engine, Lessons, SessionOptions, Shared},
    lookup::{Deadline, dns::Zone},
    malware, recipients,
    spam::classifier::{Class, Features, LiveModel, Model},
    verdict::Points,
};
use std::{collections::HashMap, net::IpAddr, panic::catch_unwind, sync::Arc, time::Duration};

/// How long forgetting the counts of a message may take. Source: our own limit.
const FORGET: Duration = Duration::from_secs(1);
/// DNS while nothing is asked of the network: no answer, rather than the answer that nothing exists.
const SILENCE: &str = "* SERVFAIL\n";
/// The name in HELO where none is known: no finding follows from it. Source: RFC 5737 §3, an address for documentation.
const UNKNOWN_HELO: &str = "[192.0.2.1]";

/// What the engine said.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) points: Points,
    /// As in explanations: `deliver`, `tag`, `reject` …
    pub(super) word: String,
    pub(super) findings: Vec<(String, Points)>,
}

impl Verdict {
    /// The message was put off: that is no judgement.
    pub(super) fn is_deferred(&self) -> bool {
        self.word == "defer"
    }

    fn is_refused(&self) -> bool {
        matches!(self.word.as_str(), "reject" | "discard" | "hold" | "quarantine")
    }

    pub(super) fn scored(&self, class: Class, campaign: usize) -> Scored {
        Scored {
            class,
            score: self.points.as_decimal(),
            caught: self.word == "tag" || self.is_refused(),
            refused: self.is_refused(),
            campaign,
        }
    }
}

/// The configuration as far as it judges messages one by one, without asking anybody.
pub(super) fn offline(mut config: Config) -> Config {
    config.directory = recipients::directory::Settings::default();
    config.greylist = recipients::greylist::Settings::default();
    config.malware.clamd.clear();
    config.malware.scanning = malware::Scanning::InProcess;
    config
}

/// An engine for one thread. Counts are its own, the model is shared.
pub(super) struct Judge {
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) engine: Arc<Engine>,
}

impl Judge {
    /// `zone`: answers DNS; without it nobody answers.
    ///
    /// # Errors
    ///
    /// If threads cannot be started, or the configuration names files that cannot be loaded.
    pub(super) fn new(config: &Config, model: &LiveModel, zone: Option<&Zone>) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start threads: {error}"))?;
        let zone = zone.cloned().map_or_else(|| Zone::parse(SILENCE), Ok).map_err(|faults| faults.join(", "))?;
        let shared = Shared::in_memory(Some(zone)).with_model(model.clone());
        let engine = runtime.block_on(Engine::build(config.clone(), shared));
        Ok(Judge { runtime, engine: engine.map_err(|problems| problems.join("\nmailward: "))? })
    }

    pub(super) fn judge(&self, sent: &Sent, wire: &[u8]) -> Verdict {
        let report = self.runtime.block_on(async {
            let judged = one_message::judge(&self.engine, SessionOptions::default(), sent, wire).await;
            self.engine.shared().forget_counts(sent.time, Deadline::after(FORGET)).await;
            judged
        });
        let judged = report.map_or_else(Judged::goes_on, |(report, _)| Judged::of(&report.explanation));
        Verdict { points: judged.points, word: judged.verdict, findings: judged.findings }
    }
}

/// How the message was sent: as the index says, else as its header does; `now` where no clock is known.
pub(super) fn sent(labelled: &Labelled, time: Option<i64>, wire: &[u8], now: i64) -> Sent {
    let envelope = envelope(wire);
    let client = envelope.client;
    let client_ip = labelled.client_ip.or(client.as_ref().map(|client| client.ip));
    // Without a name the client would be taken for one that gave none.
    let unnamed = match client_ip {
        None => UNKNOWN_HELO.to_owned(),
        Some(IpAddr::V4(ip)) => format!("[{ip}]"),
        Some(IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
    };
    Sent {
        time: time.unwrap_or(now),
        client_ip,
        client_name: client.as_ref().and_then(|client| client.name.clone()).filter(|_| labelled.client_ip.is_none()),
        helo: Some(labelled.helo.clone().or(client.and_then(|client| client.helo)).unwrap_or(unnamed)),
        login: None,
        from: labelled.mail_from.clone().or(envelope.sender).unwrap_or_default(),
        to: envelope.recipient.into_iter().collect(),
    }
}

/// The features of all messages that a round learns, as `mailward learn` makes them. A message whose parsing panics, or whose file is
/// gone, has none.
pub(super) fn features(mail: &[Labelled], rounds: &[Round], jobs: usize) -> HashMap<usize, Features> {
    let mut learned: Vec<usize> = rounds.iter().flat_map(|round| round.train.iter().copied()).collect();
    learned.sort_unstable();
    learned.dedup();
    let bar = bar("taking apart", learned.len());
    let of = |_: &mut (), number: &usize| {
        let raw = mail[*number].place.read().unwrap_or_default();
        catch_unwind(|| engine::features(&raw)).unwrap_or_default()
    };
    let features = workers::each(&mut vec![(); jobs], &learned, &bar, of);
    bar.finish_and_clear();
    learned.into_iter().zip(features).collect()
}

/// A model that has learned these messages, as `mailward learn` learns them.
pub(super) fn learned(mail: &[Labelled], train: &[usize], features: &HashMap<usize, Features>) -> Model {
    let (mut model, mut lessons) = (Model::empty(0, 0), Lessons::default());
    for number in train {
        if let Some(features) = features.get(number) {
            lessons.learn(&mut model, features, mail[*number].class);
        }
    }
    lessons.teach(&mut model);
    model
}

/// The verdicts of a round, in its order; `None` for a file that is gone.
pub(super) fn verdicts(
    judges: &mut [Judge],
    mail: &[Labelled],
    facts: &[Facts],
    round: &Round,
    now: i64,
) -> Vec<Option<Verdict>> {
    let bar = bar("judging", round.judge.len());
    let verdict = |judge: &mut Judge, number: &usize| {
        let (labelled, facts) = (&mail[*number], &facts[*number]);
        let wire = wire_form(&labelled.place.read().ok()?);
        Some(judge.judge(&sent(labelled, facts.time, &wire, now), &wire))
    };
    let verdicts = workers::each(judges, &round.judge, &bar, verdict);
    bar.finish_and_clear();
    verdicts
}
