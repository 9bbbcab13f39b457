//! A decision as the text and JSON that logs, command line, console and golden files share.
//!
//! The same facts give the same bytes. What differs from run to run (reference, time, door, file, queue id) is not
//! here; it belongs into the `run` object that the caller puts beside it.

mod line;
mod text;

pub use text::{clean, edit_text};

use crate::{
    policy::{Decision, Facts, RecipientNote},
    score::Thresholds,
    session::{Connection, Direction, ReversePath, Transaction},
    verdict::{Action, Disposition, Edit, Finding, Points, RecipientVerdict, Reply, Verdict},
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Version of the JSON form.
pub const SCHEMA: u32 = 1;

/// Where in the session the decision fell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// At the connection.
    Connect,
    /// At HELO or EHLO.
    Helo,
    /// At MAIL.
    Mail,
    /// At RCPT.
    Rcpt,
    /// At the end of the message.
    Message,
}

impl Stage {
    /// The word that logs and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Connect => "connect",
            Stage::Helo => "helo",
            Stage::Mail => "mail",
            Stage::Rcpt => "rcpt",
            Stage::Message => "message",
        }
    }
}

/// A decision, explained. Its JSON form is stable within one [`SCHEMA`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Where the decision fell.
    pub stage: Stage,
    /// One word for the whole: `deliver`, `tag`, `redirect`, `hold`, `quarantine`, `discard`, `reject`, `defer`. Of a message that is
    /// taken: the strictest disposition among the recipients whose copy is delivered, to them or elsewhere.
    pub verdict: String,
    /// The SMTP reply without reference, if it is a refusal or deferral.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// What decided, for decisions before the message; those about a message say it for each recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Inbound or outbound, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The client.
    pub client: Client,
    /// Envelope sender without brackets; empty for the null sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Total of the findings.
    pub points: Points,
    /// Each recipient.
    pub recipients: Vec<RecipientExplained>,
    /// Sorted by id, then by evidence.
    pub findings: Vec<Finding>,
    /// What the MTA changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// The signatures that are put on the message, as `d=example.com s=2026a a=rsa-sha256`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed: Vec<String>,
    /// What would be done as well if the host could do it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_applied: Vec<String>,
    /// Who is told of what policies did, and who is not and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// Who was connected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Host name that the MTA found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The word of HELO or EHLO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,
    /// Login name, if the client has authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Version of TLS, if the connection is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
}

/// What becomes of the message for one recipient, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecipientExplained {
    /// As the client wrote it, without brackets.
    pub address: String,
    /// What happens.
    pub disposition: Disposition,
    /// What the recipient's policies ask for.
    pub wanted: Disposition,
    /// What decided.
    pub because: String,
    /// Points, thresholds, and what would have changed it. Absent for a recipient that was refused at RCPT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<RecipientNote>,
}

/// The JSON form of an explanation with what belongs to this run at its end.
pub fn with_run(explanation: &str, run: &serde_json::Value) -> String {
    match explanation.strip_suffix('}') {
        Some(explanation) => format!("{explanation},\"run\":{run}}}"),
        None => format!("{{\"run\":{run}}}"),
    }
}

/// A decision before the message: a connection, sender or recipient that is refused or deferred.
#[derive(Debug, Clone)]
pub struct Refusal<'a> {
    /// Where it fell.
    pub stage: Stage,
    /// The client.
    pub connection: &'a Connection,
    /// Known from MAIL on.
    pub direction: Option<Direction>,
    /// Known from MAIL on.
    pub sender: Option<&'a ReversePath>,
    /// The recipient, as the client wrote it without brackets, if one is refused.
    pub recipient: Option<&'a str>,
    /// What was found so far.
    pub findings: &'a [Finding],
    /// The answer.
    pub reply: &'a Reply,
    /// What decided.
    pub because: &'a str,
}

impl Explanation {
    /// Explains a decision about a message.
    pub fn of_message(facts: &Facts<'_>, decision: &Decision) -> Self {
        let verdict = &decision.verdict;
        let (word, reply) = match &verdict.action {
            Action::Reply(reply) => (reply_word(reply), Some(reply.to_string())),
            Action::Discard => (dropped_word(verdict), None),
            Action::Accept => {
                let kept = verdict.recipients.iter().filter(|r| r.reply.is_none()).map(|r| &r.disposition);
                (kept.filter(|d| !is_without_copy(d)).max().map_or("deliver", Disposition::word), None)
            }
        };
        let recipients = verdict.recipients.iter().zip(&decision.notes).map(|(r, note)| RecipientExplained {
            address: r.address.clone(),
            disposition: r.disposition.clone(),
            wanted: r.wanted.clone(),
            because: r.because.clone(),
            note: Some(note.clone()),
        });
        Explanation {
            schema: SCHEMA,
            stage: Stage::Message,
            verdict: word.to_owned(),
            reply,
            because: None,
            direction: Some(facts.direction),
            client: Client::of(facts.connection),
            sender: Some(sender_text(facts.sender)),
            points: facts.card.total,
            recipients: recipients.collect(),
            findings: facts.card.findings.clone(),
            edits: verdict.edits.clone(),
            signed: Vec::new(),
            not_applied: decision.not_applied.clone(),
            notices: Vec::new(),
        }
    }

    /// Explains why a message that comes out of the quarantine is not judged.
    pub fn of_release(connection: &Connection, transaction: &Transaction, because: &str, decision: &Decision) -> Self {
        let recipients = transaction.recipients.iter().map(|recipient| RecipientExplained {
            address: recipient.address.raw.clone(),
            disposition: Disposition::Deliver,
            wanted: Disposition::Deliver,
            because: because.to_owned(),
            note: None,
        });
        Explanation {
            schema: SCHEMA,
            stage: Stage::Message,
            verdict: Disposition::Deliver.word().to_owned(),
            reply: None,
            because: Some(because.to_owned()),
            direction: Some(transaction.direction),
            client: Client::of(connection),
            sender: Some(sender_text(&transaction.sender)),
            points: Points::ZERO,
            recipients: recipients.collect(),
            findings: Vec::new(),
            edits: decision.verdict.edits.clone(),
            signed: Vec::new(),
            not_applied: decision.not_applied.clone(),
            notices: Vec::new(),
        }
    }

    /// Adds findings without points about what was decided.
    pub fn add_findings(&mut self, findings: Vec<Finding>) {
        self.findings.extend(findings);
        self.findings.sort_by(|a, b| (&a.id, &a.evidence).cmp(&(&b.id, &b.evidence)));
    }

    /// Explains a refusal or deferral before the message.
    pub fn of_refusal(refusal: &Refusal<'_>) -> Self {
        let word = reply_word(refusal.reply);
        let disposition = if refusal.reply.is_temporary() { Disposition::Defer } else { Disposition::Reject };
        let recipient = refusal.recipient.map(|address| RecipientExplained {
            address: address.to_owned(),
            disposition: disposition.clone(),
            wanted: disposition.clone(),
            because: refusal.because.to_owned(),
            note: None,
        });
        let mut findings = refusal.findings.to_vec();
        findings.sort_by(|a, b| (&a.id, &a.evidence).cmp(&(&b.id, &b.evidence)).then(b.points.cmp(&a.points)));
        Explanation {
            schema: SCHEMA,
            stage: refusal.stage,
            verdict: word.to_owned(),
            reply: Some(refusal.reply.to_string()),
            because: Some(refusal.because.to_owned()),
            direction: refusal.direction,
            client: Client::of(refusal.connection),
            sender: refusal.sender.map(sender_text),
            points: findings.iter().map(|f| f.points).sum(),
            recipients: recipient.into_iter().collect(),
            findings,
            edits: Vec::new(),
            signed: Vec::new(),
            not_applied: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// The JSON form on one line, the same bytes at every door.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Without words of the message, for logs and history: facts stay, texts and the new subject go.
    #[must_use]
    pub fn without_text(mut self) -> Self {
        self.findings = self.findings.into_iter().map(Finding::without_text).collect();
        for edit in &mut self.edits {
            if let Edit::ChangeHeader { value, .. } = edit {
                value.clear();
            }
        }
        self
    }

    /// As it is recorded: without the policies that did not match.
    #[must_use]
    pub fn without_not_matched(mut self) -> Self {
        self.recipients.iter_mut().filter_map(|r| r.note.as_mut()).for_each(|note| note.not_matched.clear());
        self
    }

    /// The thresholds that the recipients have in common, if they do.
    fn common_thresholds(&self) -> Option<Thresholds> {
        let mut all = self.recipients.iter().map(|r| r.note.as_ref().map(|n| n.thresholds));
        let first = all.next()??;
        all.all(|t| t == Some(first)).then_some(first)
    }
}

impl Client {
    fn of(connection: &Connection) -> Self {
        Client {
            ip: connection.client_ip,
            name: connection.client_name.clone(),
            helo: connection.helo.clone(),
            login: connection.login.as_ref().map(|login| login.name.clone()),
            tls: connection.tls.as_ref().map(|tls| tls.version.clone()),
        }
    }
}

fn is_without_copy(disposition: &Disposition) -> bool {
    matches!(disposition, Disposition::Quarantine { .. } | Disposition::Discard)
}

/// The word for a message of which nobody gets a copy.
fn dropped_word(verdict: &Verdict) -> &'static str {
    let is_kept = |r: &RecipientVerdict| matches!(r.disposition, Disposition::Quarantine { .. });
    if verdict.recipients.iter().any(is_kept) { "quarantine" } else { "discard" }
}

fn reply_word(reply: &Reply) -> &'static str {
    if reply.is_temporary() { "defer" } else { "reject" }
}

fn sender_text(sender: &ReversePath) -> String {
    sender.mailbox().map(|address| address.raw.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
