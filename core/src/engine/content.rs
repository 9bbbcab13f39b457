//! What the message itself says: parsing, scanning and rules, off the async threads.

use super::{Engine, Session, load::Overloaded, pending::Panicked};
use crate::{
    authentication::forged,
    lookup::{Deadline, Outcome, meter::Work, scan::ScanService},
    malware::{self, ScanReport, WarmScanner},
    message::{self, MessageFacts, Rewritten},
    policy::Decision,
    session::{ClientNetwork, Connection, Direction, Transaction},
    spam::{self, AtEnd, classifier},
    verdict::{Edit, Finding},
};
use bytes::Bytes;
use std::{sync::Arc, time::Instant};
use tokio::sync::oneshot;

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

/// Who applies the rules for malware.
pub(super) enum Rules {
    Here,
    /// The service, which is asked when the message's turn has come: a flood waits before it too.
    Service {
        its_turn: oneshot::Sender<()>,
    },
}

/// Divides the work: what [`judge`] is to do of it, and what the service does, if it was reached.
pub(super) fn divide(
    service: Option<Result<ScanService, String>>,
    raw: &Bytes,
    deadline: Deadline,
) -> (Rules, impl Future<Output = Option<Outcome<ScanReport>>>) {
    let (rules, turn) = match &service {
        None => (Rules::Here, None),
        Some(_) => {
            let (its_turn, turn) = oneshot::channel();
            (Rules::Service { its_turn }, Some(turn))
        }
    };
    let scan = async move {
        turn?.await.ok()?;
        malware::ask_service(service, raw, deadline).await
    };
    (rules, scan)
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

/// Gives the message that is taken the banner that its policies ask for, or says why it does not get it.
pub(super) async fn add_banner(engine: &Arc<Engine>, raw: &Bytes, banner: String, decision: &mut Decision) {
    let (bounds, raw) = (engine.bounds.clone(), raw.clone());
    let work = move |_: &mut WarmScanner<'_>| message::with_banner(&raw, &bounds, &banner);
    let rewritten = engine.judges.run(false, work).await.unwrap_or(Err("an error inside Mailward"));
    let Rewritten { body, fields } = match rewritten {
        Ok(rewritten) => rewritten,
        Err(why) => {
            decision.not_applied.push(format!("banner: {why}"));
            return;
        }
    };
    // Changes stand before additions, which would shift what they count.
    let fields = fields.into_iter().map(|field| {
        let (name, value) = (field.name.to_owned(), field.value);
        match field.is_there {
            true => Edit::ChangeHeader { name, occurrence: 1, value },
            false => Edit::AddHeader { name, value },
        }
    });
    let body = Edit::ReplaceBody { with: "banner".to_owned(), body: body.into() };
    let (changes, additions): (Vec<_>, Vec<_>) =
        fields.chain([body]).partition(|edit| !matches!(edit, Edit::AddHeader { .. }));
    let edits = &mut decision.verdict.edits;
    edits.splice(0..0, changes);
    let of_envelope = |edit: &Edit| matches!(edit, Edit::RemoveRecipient { .. } | Edit::Hold { .. });
    let place = edits.iter().position(of_envelope).unwrap_or(edits.len());
    edits.splice(place..place, additions);
}

/// Parses once and looks at everything. `network`: in whose turn; `None` if the client is exempt. `rules`: who
/// applies those for malware.
pub(super) async fn judge(
    engine: &Arc<Engine>,
    network: Option<ClientNetwork>,
    connection: &Connection,
    transaction: &Transaction,
    raw: Bytes,
    rules: Rules,
    now: i64,
) -> Result<Content, Unjudged> {
    // The turn goes with the work: a deadline that passes ends the wait, not the work.
    let asked = Instant::now();
    let turn = engine.shared.load.turn(network).await.map_err(|Overloaded| Unjudged::Overloaded)?;
    let here = match rules {
        Rules::Here => true,
        Rules::Service { its_turn } => its_turn.send(()).is_err(),
    };
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
        let scan = if here { scanner.scan(&message) } else { scanner.look(&message) };
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
            facts: message::facts(&message, engine.asks.message),
            scan,
        };
        engine.shared.meter.worked(Work::Content, started);
        content
    };
    Ok(judges.run(of_flood, work).await?)
}
