//! What the message itself says: parsing, scanning and rules, off the async threads.

use super::{Engine, Session, load::Overloaded, pending::Panicked};
use crate::{
    authentication::forged,
    lookup::{Deadline, Outcome, meter::Work, scan::ScanService},
    malware::{self, ScanReport, WarmScanner},
    message::{self, MessageFacts, Rewritten},
    policy::Decision,
    reputation::{
        self,
        content::{Answer, Question, Seen},
    },
    session::{ClientNetwork, Connection, Direction, Transaction},
    spam::{self, AtEnd, classifier},
    verdict::{Edit, Finding, Reference},
};
use bytes::Bytes;
use std::{fmt::Write as _, sync::Arc, time::Instant};
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
    /// For the lists about what stands in messages.
    pub(super) questions: Vec<Question>,
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
    /// Nobody: what they find is known.
    Nobody,
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
    /// What the lists say about what stands in the message, once it was looked over.
    pub(super) async fn ask_content_lists(
        &self,
        looked_over: &Outcome<Result<Content, Unjudged>>,
        deadline: Deadline,
    ) -> Vec<Answer> {
        let questions = match looked_over {
            Outcome::Done(Ok(content)) if !content.questions.is_empty() => &content.questions,
            _ => return Vec::new(),
        };
        let lists = &self.engine.reputation.settings().content;
        let asked = reputation::content::ask(lists, questions, &self.engine.dns, deadline);
        self.journal.ask("reputation.content", asked).await
    }

    /// The scanning service, if it is to scan. A replay has its answer, if it gave one.
    pub(super) async fn reach_scan_service(&self, deadline: Deadline) -> Option<Result<ScanService, String>> {
        let scanner = self.engine.judges.scanner();
        if self.journal.is_replay() && !scanner.leaves_it_to_the_service() {
            return None;
        }
        scanner.reach_service(deadline).await
    }
}

/// Gives the message that is taken the body that its policies ask for, or says what it does not get. `whole`: whether all of
/// it is here, or only its beginning.
///
/// # Errors
///
/// Why files stay that were to be taken off: then it must be decided anew.
pub(super) async fn rewrite(
    engine: &Arc<Engine>,
    raw: &Bytes,
    whole: bool,
    reference: Reference,
    decision: &mut Decision,
) -> Result<(), &'static str> {
    let mut changes = std::mem::take(&mut decision.changes);
    if changes.is_empty() {
        return Ok(());
    }
    for notice in changes.notices.values_mut() {
        let _ = writeln!(notice, "\nReference: {reference}");
    }
    let (texts, strips) = (changes.texts().collect::<Vec<_>>(), !changes.notices.is_empty());
    let left_out = |why| texts.iter().map(move |text| format!("{text}: {why}"));
    let rewritten = match whole {
        true => {
            let (bounds, raw) = (engine.bounds.clone(), raw.clone());
            let work = move |_: &mut WarmScanner<'_>| message::rewrite(&raw, &bounds, &changes);
            engine.judges.run(false, work).await.unwrap_or(Err("an error inside Mailward"))
        }
        // Another body in place of one of which only the beginning is here would lose the rest.
        false => Err("the message is too large"),
    };
    let Rewritten { body, fields, with, without_texts } = match rewritten {
        Ok(rewritten) => rewritten,
        Err(why) if strips => return Err(why),
        Err(why) => {
            decision.not_applied.extend(left_out(why));
            return Ok(());
        }
    };
    decision.not_applied.extend(without_texts.into_iter().flat_map(left_out));
    // Changes stand before additions, which would shift what they count.
    let fields = fields.into_iter().map(|field| {
        let (name, value) = (field.name.to_owned(), field.value);
        match field.is_there {
            true => Edit::ChangeHeader { name, occurrence: 1, value },
            false => Edit::AddHeader { name, value },
        }
    });
    let body = Edit::ReplaceBody { with: with.join(", "), body: body.into() };
    let (changes, additions): (Vec<_>, Vec<_>) =
        fields.chain([body]).partition(|edit| !matches!(edit, Edit::AddHeader { .. }));
    let edits = &mut decision.verdict.edits;
    edits.splice(0..0, changes);
    let place = edits.iter().position(Edit::is_of_envelope).unwrap_or(edits.len());
    edits.splice(place..place, additions);
    Ok(())
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
        Rules::Nobody => false,
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
        let findings = spam::judge(&engine.spam, &at_end);
        let learned = match (direction, engine.classifier_in_force()) {
            (Direction::Inbound, Some(model)) => {
                let bounds = &engine.spam.classifier.bounds;
                let judges = model.is_ready(bounds) || bounds.base;
                judges.then(|| model.judge(&classifier::Features::of(&message, &findings), bounds)).flatten()
            }
            _ => None,
        };
        let seen = Seen { connection: &connection, sender: &sender, message: &message };
        let questions = match direction {
            Direction::Inbound => reputation::content::questions(&engine.reputation.settings().content, &seen),
            Direction::Outbound => Vec::new(),
        };
        let content = Content {
            learned,
            questions,
            findings,
            forged: forged(&our_id, message.headers.iter().map(|h| (h.name.as_bytes(), h.value))),
            facts: message::facts(&message, engine.asks.message),
            scan,
        };
        engine.shared.meter.worked(Work::Content, started);
        content
    };
    Ok(judges.run(of_flood, work).await?)
}
