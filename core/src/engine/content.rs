//! What the message itself says: parsing, scanning and rules, off the async threads.

use super::{Engine, Session, load::Overloaded, pending::Panicked};
use crate::{
    authentication::forged,
    lookup::{Deadline, meter::Work, scan::ScanService},
    malware::{ScanReport, WarmScanner},
    message::{self, MessageFacts},
    session::{ClientNetwork, Connection, Direction, Transaction},
    spam::{self, AtEnd, classifier},
    verdict::Finding,
};
use bytes::Bytes;
use std::{sync::Arc, time::Instant};

/// The outcome of one look at the message.
pub(super) struct Content {
    /// For policies.
    pub(super) facts: MessageFacts,
    /// For the malware room; without the rules if the scanning service applies them.
    pub(super) scan: ScanReport,
    /// Of the rules.
    pub(super) findings: Vec<Finding>,
    /// Of the classifier, by the model of this moment.
    pub(super) learned: Option<classifier::Outcome>,
    /// Occurrences of Authentication-Results that claim to be ours.
    pub(super) forged: Vec<u32>,
}

/// Why there is no look at the message. Either becomes a deferral.
#[derive(Debug)]
pub(super) enum Unjudged {
    Panicked,
    Overloaded,
}

impl From<Panicked> for Unjudged {
    fn from(_: Panicked) -> Self {
        Unjudged::Panicked
    }
}

impl Session {
    /// The scanning service, if it is to scan. A replay has its answer, if it gave one.
    pub(super) async fn reach_scan_service(&self, deadline: Deadline) -> Option<Result<ScanService, String>> {
        let scanner = self.engine.judges.scanner();
        if self.journal.is_replay() && !scanner.leaves_it_to_the_service() {
            return None;
        }
        scanner.reach_service(deadline).await
    }
}

/// Parses once and looks at everything. `network`: in whose turn; `None` if the client is exempt. `scan`: whether the rules
/// for malware are for this process to apply.
pub(super) async fn judge(
    engine: &Arc<Engine>,
    network: Option<ClientNetwork>,
    connection: &Connection,
    transaction: &Transaction,
    raw: Bytes,
    scan: bool,
    now: i64,
) -> Result<Content, Unjudged> {
    // The turn goes with the work: a deadline that passes ends the wait, not the work.
    let asked = Instant::now();
    let turn = engine.shared.load.turn(network).await.map_err(|Overloaded| Unjudged::Overloaded)?;
    engine.shared.meter.worked(Work::Queue, asked);
    let (judges, engine) = (&engine.judges, Arc::clone(engine));
    let connection = connection.clone();
    let (sender, recipients) = (transaction.sender.clone(), transaction.recipients.clone());
    let direction = transaction.direction;
    let of_flood = turn.gives_way();
    let work = move |scanner: &mut WarmScanner<'_>| {
        let _turn = turn;
        let started = Instant::now();
        let message = message::parse(&raw, &engine.bounds);
        let scan = if scan { scanner.scan(&message) } else { scanner.look(&message) };
        let at_end = AtEnd {
            connection: &connection,
            sender: &sender,
            recipients: &recipients,
            direction,
            message: &message,
            now,
        };
        let our_id = engine.authenticator.authserv_id(connection.mta_name.as_deref());
        let learned = match (direction, engine.classifier_in_force()) {
            (Direction::Inbound, Some(model)) if model.is_ready(&engine.spam.classifier.bounds) => {
                model.judge(&classifier::Features::of(&message), &engine.spam.classifier.bounds)
            }
            _ => None,
        };
        let content = Content {
            learned,
            findings: spam::judge(&engine.spam, &at_end),
            forged: forged(&our_id, message.headers.iter().map(|h| (h.name.as_bytes(), h.value))),
            facts: message::facts(&message),
            scan,
        };
        engine.shared.meter.worked(Work::Content, started);
        content
    };
    Ok(judges.run(of_flood, work).await?)
}
