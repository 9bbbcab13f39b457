//! A transaction with what has been found out about it so far.

use super::pending::Pending;
use crate::{
    authentication::SpfResults,
    explain::{Explanation, RecipientExplained, Refusal, Stage},
    session::{Connection, Transaction},
    store::Letter,
    verdict::{Disposition, Finding, Judgement, Reference, Reply},
};

/// Most refused recipients that are kept for the report. Unit: recipients. Source: our own limit.
const REFUSALS: usize = 50;

/// The open transaction of a session.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) transaction: Transaction,
    pub(super) reference: Reference,
    pub(super) spf: Pending<SpfResults>,
    /// What the client's address and HELO name say; settled at MAIL or the first RCPT.
    pub(super) client: Option<Judgement>,
    /// Findings of MAIL and RCPT that are no part of `client`.
    pub(super) findings: Vec<Finding>,
    /// A refusal that waits for the end of the message.
    pub(super) refuse_message: Option<Reply>,
    /// What a flood or a user earned at MAIL where, with a trial, only a recipient can be refused.
    pub(super) refuse_recipients: Option<(Reply, &'static str)>,
    /// Notices about the message, once it is judged.
    pub(super) letters: Vec<Letter>,
    refusals: Vec<Refused>,
}

/// A command that was answered with a refusal or deferral.
#[derive(Debug)]
struct Refused {
    stage: Stage,
    recipient: Option<String>,
    reply: Reply,
    because: &'static str,
}

impl Open {
    pub(super) fn new(transaction: Transaction, reference: Reference) -> Self {
        Open {
            transaction,
            reference,
            spf: Pending::Never,
            client: None,
            findings: Vec::new(),
            refuse_message: None,
            refuse_recipients: None,
            letters: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// Notes a refusal for the report.
    pub(super) fn refuse(&mut self, stage: Stage, recipient: Option<&str>, reply: &Reply, because: &'static str) {
        if self.refusals.len() < REFUSALS {
            let recipient = recipient.map(str::to_owned);
            self.refusals.push(Refused { stage, recipient, reply: reply.clone(), because });
        }
    }

    /// The explanation of a transaction that ended without a message: `None` if nothing in it was refused.
    pub(super) fn explain_refusals(&self, connection: &Connection) -> Option<(Reply, Explanation)> {
        let first = self.refusals.first()?;
        let mut findings = self.findings.clone();
        findings.extend(self.client.iter().flat_map(|j| j.findings.iter().cloned()));
        let refusal = Refusal {
            stage: first.stage,
            connection,
            direction: Some(self.transaction.direction),
            sender: Some(&self.transaction.sender),
            recipient: first.recipient.as_deref(),
            findings: &findings,
            reply: &first.reply,
            because: first.because,
        };
        let mut explanation = Explanation::of_refusal(&refusal);
        explanation.recipients.extend(self.refusals[1..].iter().filter_map(Refused::explained));
        Some((first.reply.clone(), explanation))
    }

    /// The recipients that were refused before the message, for its explanation.
    pub(super) fn refused_recipients(&self) -> impl Iterator<Item = RecipientExplained> + '_ {
        self.refusals.iter().filter_map(Refused::explained)
    }
}

impl Refused {
    fn explained(&self) -> Option<RecipientExplained> {
        let disposition = if self.reply.is_temporary() { Disposition::Defer } else { Disposition::Reject };
        Some(RecipientExplained {
            address: self.recipient.clone()?,
            wanted: disposition.clone(),
            disposition,
            because: self.because.to_owned(),
            note: None,
        })
    }
}
