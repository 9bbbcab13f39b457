//! A transaction that another engine judges again, and that nothing comes of.

use super::{Ended, Engine, Session, SessionOptions};
use crate::{explain::Explanation, session::Event};
use std::{collections::BTreeMap, sync::Arc};

/// A transaction as one engine saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The commands of connection and transaction.
    commands: Vec<Event>,
    /// Header and body in wire form; `None` if it did not come so far.
    raw: Option<bytes::Bytes>,
    /// What clamd said.
    clamd: Option<serde_json::Value>,
    /// What the rules for malware found.
    scan: Option<serde_json::Value>,
}

/// What another engine says.
#[derive(Debug)]
pub enum Again {
    /// A decision.
    Decided(Box<Explanation>),
    /// It has nothing against the commands after which the first engine ended the transaction.
    GoesOn,
}

/// Most commands that are kept of a transaction; RCPT commands past it are refused by every engine. Unit: commands.
/// Source: our own limit, twice the recipients that a transaction may have by default.
const COMMANDS: usize = 2_000;
/// What a command takes beside its text, roughly. Unit: bytes.
const COMMAND_BYTES: usize = 256;

/// What a session keeps for a [`Seen`].
#[derive(Debug, Default)]
pub(super) struct Witness {
    pub(super) commands: Vec<Event>,
    pub(super) raw: Option<bytes::Bytes>,
    pub(super) clamd: Option<serde_json::Value>,
    pub(super) scan: Option<serde_json::Value>,
}

impl Witness {
    /// Notes a command. A new client ends what was, a new MAIL the transaction before it.
    pub(super) fn command(&mut self, event: Event) {
        match event {
            Event::Connect { .. } => *self = Witness::default(),
            Event::Mail { .. } => self.end_transaction(),
            // STARTTLS shows in the last one that has it.
            Event::Helo { ref tls, .. } => self.commands.retain(|earlier| match earlier {
                Event::Helo { tls: earlier, .. } => earlier.is_some() && tls.is_none(),
                _ => true,
            }),
            _ => {}
        }
        if self.commands.len() < COMMANDS {
            self.commands.push(event);
        }
    }

    fn end_transaction(&mut self) {
        self.commands.retain(|event| matches!(event, Event::Connect { .. } | Event::Helo { .. }));
        (self.raw, self.clamd, self.scan) = (None, None, None);
    }
}

impl Session {
    /// The transaction that has just ended, by [`Session::end_of_message`] or [`Session::abort`], for another engine;
    /// `None` unless the session was asked to keep it.
    pub fn seen(&mut self) -> Option<Seen> {
        let witness = self.witness.as_mut()?;
        let has_transaction = witness.commands.iter().any(|event| matches!(event, Event::Mail { .. }));
        let seen = Seen {
            commands: witness.commands.clone(),
            raw: witness.raw.take(),
            clamd: witness.clamd.take(),
            scan: witness.scan.take(),
        };
        witness.end_transaction();
        has_transaction.then_some(seen)
    }
}

impl Seen {
    /// The memory that it takes, roughly. Unit: bytes.
    pub fn bytes(&self) -> usize {
        self.raw.as_ref().map_or(0, bytes::Bytes::len) + self.commands.len() * COMMAND_BYTES
    }
}

impl Engine {
    /// Whether both scan by the same settings, so that what was found for one holds for the other.
    pub fn scans_like(&self, other: &Engine) -> bool {
        self.malware == other.malware
    }

    /// Judges what another engine has seen. Nothing comes of it if this engine's state is that of
    /// [`watching`](super::Shared::watching).
    /// `scans_alike`: both have the same `[malware]`, so nobody scans twice.
    pub async fn judge_again(self: &Arc<Self>, seen: Seen, scans_alike: bool) -> Again {
        let known = [("clamd", seen.clamd), ("scan", seen.scan)].into_iter().filter(|_| scans_alike);
        let known = known.filter_map(|(question, answer)| Some((question.to_owned(), vec![answer?])));
        let replay = Some(BTreeMap::from_iter(known));
        let mut session = self.session(SessionOptions { replay, ..SessionOptions::default() });
        let (mut now, mut taken) = (0, false);
        for command in seen.commands {
            now = command.time().unwrap_or(now);
            let asks = matches!(&command, Event::Rcpt { refused_by_mta: None, .. });
            let is_mail = matches!(command, Event::Mail { .. });
            let refused = session.replay(command).await.reply.is_some();
            if is_mail && refused {
                break;
            }
            taken |= asks && !refused;
        }
        let ended = match seen.raw.filter(|_| taken) {
            Some(raw) => {
                session.whole_message(&raw);
                Some(Ended::Message(session.end_of_message(now, None).await))
            }
            None if taken => None,
            None => session.abort(now).await.map(Ended::Refused),
        };
        match ended {
            Some(Ended::Message(judged)) => Again::Decided(Box::new(judged.report.explanation)),
            Some(Ended::Refused(refusal)) => Again::Decided(Box::new(refusal.report.explanation)),
            None => Again::GoesOn,
        }
    }
}
