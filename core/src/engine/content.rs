//! What the message itself says: parsing, scanning and rules, off the async threads.

use super::{Engine, pending::Panicked};
use crate::{
    authentication::forged,
    lookup::meter::Work,
    malware::{ScanReport, WarmScanner},
    message::{self, MessageFacts},
    session::{Connection, Direction, Transaction},
    spam::{self, AtEnd, classifier},
    verdict::Finding,
};
use bytes::Bytes;
use std::{sync::Arc, time::Instant};

/// The outcome of one look at the message.
pub(super) struct Content {
    /// For policies.
    pub(super) facts: MessageFacts,
    /// For the malware room.
    pub(super) scan: ScanReport,
    /// Of the rules.
    pub(super) findings: Vec<Finding>,
    /// Of the classifier, by the model of this moment.
    pub(super) learned: Option<classifier::Outcome>,
    /// Occurrences of Authentication-Results that claim to be ours.
    pub(super) forged: Vec<u32>,
}

/// Parses once and looks at everything. A panic becomes an error, and with it a deferral.
pub(super) async fn judge(
    engine: &Arc<Engine>,
    connection: &Connection,
    transaction: &Transaction,
    raw: Bytes,
    now: i64,
) -> Result<Content, Panicked> {
    // The permit goes with the work: a deadline that passes ends the wait, not the work.
    let asked = Instant::now();
    let turn = Arc::clone(&engine.processors).acquire_owned().await;
    engine.shared.meter.worked(Work::Queue, asked);
    let (judges, engine) = (&engine.judges, Arc::clone(engine));
    let connection = connection.clone();
    let (sender, recipients) = (transaction.sender.clone(), transaction.recipients.clone());
    let direction = transaction.direction;
    let work = move |scanner: &mut WarmScanner<'_>| {
        let _turn = turn;
        let started = Instant::now();
        let message = message::parse(&raw, &engine.bounds);
        let scan = scanner.scan(&message);
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
            (Direction::Inbound, Some(model)) => {
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
    judges.run(work).await
}
