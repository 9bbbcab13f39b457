//! What the message itself says: parsing, scanning and rules, off the async threads.

use super::{Engine, pending::Panicked};
use crate::{
    authentication::forged,
    malware::ScanReport,
    message::{self, MessageFacts},
    session::{Connection, Direction, Transaction},
    spam::{self, AtEnd, classifier},
    verdict::Finding,
};
use bytes::Bytes;
use std::sync::Arc;

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
    let turn = Arc::clone(&engine.processors).acquire_owned().await;
    let engine = Arc::clone(engine);
    let connection = connection.clone();
    let (sender, recipients) = (transaction.sender.clone(), transaction.recipients.clone());
    let direction = transaction.direction;
    let work = move || {
        let _turn = turn;
        let message = message::parse(&raw, &engine.bounds);
        let scan = engine.scanner.scan(&message);
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
        Content {
            learned,
            findings: spam::judge(&engine.spam, &at_end),
            forged: forged(&our_id, message.headers.iter().map(|h| (h.name.as_bytes(), h.value))),
            facts: message::facts(&message),
            scan,
        }
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a check of the content panicked");
        Panicked
    })
}
