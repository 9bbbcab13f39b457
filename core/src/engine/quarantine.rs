//! Messages that go into the quarantine, and those that come out of it.

use super::{Judged, Report, Session, open::Open, session::temporary_failure};
use crate::{
    explain::Explanation,
    lookup::{Deadline, Outcome},
    message::MessageFacts,
    quarantine::release::{self, Permit},
    session::Address,
    store::{
        hexadecimal,
        quarantine::{Bound, Kept, KeptFor, Parcel, Summary},
    },
    verdict::{Action, Disposition, Edit, Finding, Points, RecipientVerdict, Reply, Verdict},
};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// What a release field is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Passage {
    /// The message passes as it is.
    Passes,
    /// It has passed before: this is a second copy.
    Again,
    /// The field is not ours, or for something else.
    Refused(String),
    /// Whether it has passed before cannot be told.
    Unknown,
}

impl Session {
    /// Keeps the copies of a message that its policies keep, before the MTA hears the answer. What cannot be kept is
    /// deferred.
    pub(super) async fn keep(&self, judged: Judged, open: &Open, raw: &Bytes, message: &MessageFacts) -> Judged {
        let recipients = self.kept_for(&judged);
        if recipients.is_empty() {
            return judged;
        }
        let engine = &self.engine;
        let sender = open.transaction.sender.mailbox().map(|address| address.raw.clone()).unwrap_or_default();
        let live = async {
            let Some(quarantine) = engine.shared.quarantine() else { return Kept::New };
            let explanation = &judged.report.explanation;
            let content = hexadecimal(digest(&SHA256, raw).as_ref());
            let parcel = Parcel {
                reference: judged.report.reference.to_string(),
                digest: engine.shared.site_key().pseudonym(&["kept", &sender, &content]),
                time: judged.report.time,
                sender: sender.clone(),
                client_ip: explanation.client.ip.map(|ip| ip.to_string()).unwrap_or_default(),
                queue_id: judged.report.queue_id.clone().unwrap_or_default(),
                points: explanation.points,
                findings: ids(&explanation.findings),
                recipients,
                summary: Summary {
                    subject: message.subject.clone(),
                    from: message.from.clone(),
                    explanation: explanation.json(),
                },
                raw: raw.clone(),
            };
            let deadline = Deadline::after(engine.deadlines.reply);
            match deadline.bound(quarantine.keep(parcel, engine.quarantine.quota)).await {
                Outcome::Done(Ok(kept)) => kept,
                Outcome::Done(Err(error)) => {
                    tracing::error!(%error, "a message could not be kept in the quarantine; deferring it");
                    Kept::Failed
                }
                _ => {
                    tracing::error!("the quarantine does not answer in time; deferring a message");
                    Kept::Failed
                }
            }
        };
        match self.journal.ask("quarantine", Box::pin(live)).await {
            Kept::New => judged,
            Kept::Joined => {
                tracing::info!(reference = %judged.report.reference, "the quarantine has this message already");
                judged
            }
            Kept::Full(bound) => not_kept(judged, "quarantine.full", Some(word(bound)), full()),
            Kept::Failed => not_kept(judged, "quarantine.failed", None, temporary_failure()),
        }
    }

    fn kept_for(&self, judged: &Judged) -> Vec<KeptFor> {
        let mut kept: Vec<KeptFor> = Vec::new();
        for recipient in &judged.verdict.recipients {
            let Disposition::Quarantine { days } = recipient.disposition else { continue };
            let key = Address::parse_unqualified(recipient.address.as_bytes())
                .map_or_else(|_| recipient.address.to_lowercase(), |address| address.key());
            let expires = judged.report.time + i64::from(days) * DAY;
            match kept.iter_mut().find(|known| known.key == key) {
                Some(known) => known.expires = known.expires.max(expires),
                None => kept.push(KeptFor {
                    address: recipient.address.clone(),
                    key,
                    because: recipient.because.clone(),
                    expires,
                }),
            }
        }
        kept
    }

    /// Whether a message comes out of the quarantine: then its end is here, as an error. Else the number of release fields
    /// that it has all the same. `whole`: whether all of the message is here.
    pub(super) async fn released(&self, time: i64, open: &mut Open, raw: &Bytes, whole: bool) -> Result<u32, Judged> {
        let Some(found) = release::find(raw) else { return Ok(0) };
        let live = async {
            let Some(permit) = Permit::parse(found.value) else {
                return Passage::Refused("it is not one of ours".to_owned());
            };
            let [recipient] = &open.transaction.recipients[..] else {
                return Passage::Refused("it is for one recipient".to_owned());
            };
            let sender = open.transaction.sender.mailbox().map(|address| address.raw.as_str()).unwrap_or_default();
            let shared = &self.engine.shared;
            if !whole || !permit.is_for(shared.site_key(), sender, &recipient.address.raw, found.rest) {
                return Passage::Refused("it is not for this message and envelope".to_owned());
            }
            if permit.expires < time {
                return Passage::Refused("it has expired".to_owned());
            }
            let Some(quarantine) = shared.quarantine() else { return Passage::Passes };
            let deadline = Deadline::after(self.engine.deadlines.reply);
            match deadline.bound(quarantine.pass(&permit.id, permit.expires)).await {
                Outcome::Done(Ok(true)) => Passage::Passes,
                Outcome::Done(Ok(false)) => Passage::Again,
                other => {
                    tracing::error!(?other, "whether a release has passed before cannot be told; deferring it");
                    Passage::Unknown
                }
            }
        };
        match self.journal.ask("release", Box::pin(live)).await {
            Passage::Passes => Err(self.pass(time, open, false, found.occurrences)),
            Passage::Again => Err(self.pass(time, open, true, found.occurrences)),
            Passage::Unknown => Err(self.deferred(time, open, "quarantine.failed")),
            Passage::Refused(why) => {
                open.findings.push(Finding::new("quarantine.release", Points::ZERO, "[quarantine]").fact(why));
                Ok(found.occurrences)
            }
        }
    }

    /// The end of a message that comes out of the quarantine: it passes unjudged, once.
    fn pass(&self, time: i64, open: &Open, again: bool, occurrences: u32) -> Judged {
        let (action, disposition, because) = match again {
            false => (Action::Accept, Disposition::Deliver, "released from the quarantine"),
            true => (Action::Discard, Disposition::Discard, "released before"),
        };
        let edits = if again { Vec::new() } else { self.without_release(occurrences) };
        let transaction = &open.transaction;
        let explanation =
            Explanation::of_release(&self.connection, transaction, disposition.clone(), because, edits.clone());
        let recipients = transaction.recipients.iter().map(|recipient| RecipientVerdict {
            address: recipient.address.raw.clone(),
            wanted: disposition.clone(),
            disposition: disposition.clone(),
            because: because.to_owned(),
            reply: None,
        });
        let verdict = Verdict { action, recipients: recipients.collect(), edits };
        let report = Report { reference: open.reference, time, queue_id: transaction.queue_id.clone(), explanation };
        Judged { verdict, report }
    }

    /// Takes the release fields off.
    pub(super) fn without_release(&self, occurrences: u32) -> Vec<Edit> {
        let of = |occurrence| Edit::RemoveHeader { name: release::HEADER.to_owned(), occurrence };
        (1..=occurrences).rev().map(of).filter(|_| self.options.host.edit_header).collect()
    }
}

fn ids(findings: &[Finding]) -> Vec<String> {
    let mut ids: Vec<String> = findings.iter().map(|finding| finding.id.to_string()).collect();
    ids.dedup();
    ids
}

fn word(bound: Bound) -> &'static str {
    match bound {
        Bound::Messages => "max_messages",
        Bound::Bytes => "max_bytes",
        Bound::Recipient => "max_recipient_messages",
    }
}

fn full() -> Reply {
    Reply::fixed(452, (4, 3, 1), "Insufficient storage, please try again later")
}

/// Nothing is lost: the client keeps the message and comes again.
fn not_kept(judged: Judged, finding: &'static str, fact: Option<&str>, reply: Reply) -> Judged {
    let Judged { mut verdict, mut report } = judged;
    let mut finding = Finding::new(finding, Points::ZERO, "[quarantine]");
    if let Some(fact) = fact {
        tracing::error!(bound = fact, "the quarantine is full; deferring a message");
        finding = finding.fact(fact);
    }
    let explanation = &mut report.explanation;
    explanation.add_findings(vec![finding]);
    explanation.verdict = "defer".to_owned();
    explanation.reply = Some(reply.to_string());
    explanation.edits.clear();
    explanation.notices.clear();
    explanation.recipients.iter_mut().filter(|r| r.note.is_some()).for_each(|r| r.disposition = Disposition::Defer);
    for recipient in &mut verdict.recipients {
        (recipient.disposition, recipient.reply) = (Disposition::Defer, None);
    }
    let verdict = Verdict { action: Action::Reply(reply), edits: Vec::new(), ..verdict };
    Judged { verdict, report }
}
