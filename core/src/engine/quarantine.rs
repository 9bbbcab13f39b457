//! Messages that go into the quarantine, and those that come out of it.

use super::{Judged, Report, Session, open::Open, session::temporary_failure};
use crate::{
    authentication::forged,
    explain::Explanation,
    lookup::{Deadline, Outcome},
    malware::WarmScanner,
    message::{self, MessageFacts},
    policy::{Decision, without_forged_marks},
    quarantine::release::{self, PASSAGES, Permit},
    session::{Address, Direction, Ticket},
    store::{
        hexadecimal,
        quarantine::{Bound, Kept, KeptFor, Parcel, Summary},
    },
    verdict::{Action, Disposition, Edit, Finding, Points, RecipientVerdict, Reply, Verdict},
};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Largest message that is hashed on the thread that serves connections. Unit: bytes. Source: our own limit; some 100 µs.
const HASHED_HERE: usize = 128 << 10;
/// Name of the field (RFC 8601).
const RESULTS: &str = "Authentication-Results";

/// What a release field is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Passage {
    /// The message passes.
    Passes { outbound: bool },
    /// The field is not ours, or for something else.
    Refused(String),
    /// Whether it has passed before cannot be told.
    Unknown,
}

impl Session {
    /// Keeps the copies of a message that its policies keep, before the MTA hears the answer. What cannot be kept is
    /// deferred.
    pub(super) async fn keep(
        &self,
        judged: Judged,
        open: &Open,
        raw: &Bytes,
        place: &Option<Arc<Ticket>>,
        message: &MessageFacts,
    ) -> Judged {
        let recipients = self.kept_for(&judged);
        if recipients.is_empty() {
            return judged;
        }
        let engine = &self.engine;
        let sender = open.transaction.sender.mailbox().map(|address| address.raw.clone()).unwrap_or_default();
        let live = async {
            let Some(quarantine) = engine.shared.quarantine() else { return Kept::New };
            let explanation = &judged.report.explanation;
            let came_back = release::find(raw).is_some();
            let (count, whole) = (raw.len(), raw.clone());
            // A release that did not pass is the same message again.
            let content = hashing(count, move || match came_back {
                true => digest(&SHA256, &release::without(&whole)),
                false => digest(&SHA256, &whole),
            });
            let content = hexadecimal(content.await.as_ref());
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
                    outbound: open.transaction.direction == Direction::Outbound,
                },
                raw: raw.clone(),
                came_back,
                place: place.clone(),
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
    pub(super) async fn released(
        &mut self,
        time: i64,
        open: &mut Open,
        raw: &Bytes,
        whole: bool,
        deadline: Deadline,
    ) -> Result<u32, Judged> {
        let Some(found) = release::find(raw) else { return Ok(0) };
        let live = async {
            let Some(permit) = Permit::parse(found.value) else {
                return Passage::Refused("it is not one of ours".to_owned());
            };
            if permit.expires < time {
                return Passage::Refused("it has expired".to_owned());
            }
            let [recipient] = &open.transaction.recipients[..] else {
                return Passage::Refused("it is for one recipient".to_owned());
            };
            let sender = open.transaction.sender.mailbox().map(|address| address.raw.clone()).unwrap_or_default();
            let (shared, recipient) = (&self.engine.shared, recipient.address.raw.clone());
            let (key, of_this, rest) = (shared.site_key().clone(), permit.clone(), raw.slice_ref(found.rest));
            let is_for = move || of_this.is_for(&key, &sender, &recipient, &rest);
            if !whole || !hashing(raw.len(), is_for).await {
                return Passage::Refused("it is not for this message and envelope".to_owned());
            }
            let passes = Passage::Passes { outbound: permit.outbound };
            let Some(quarantine) = shared.quarantine() else { return passes };
            let deadline = Deadline::after(self.engine.deadlines.reply);
            match deadline.bound(quarantine.pass(&permit.id, permit.expires)).await {
                Outcome::Done(Ok(times)) if times <= PASSAGES => passes,
                Outcome::Done(Ok(_)) => Passage::Refused("it has passed too often".to_owned()),
                other => {
                    tracing::error!(?other, "whether a release has passed before cannot be told; deferring it");
                    Passage::Unknown
                }
            }
        };
        match self.journal.ask("release", Box::pin(live)).await {
            Passage::Passes { outbound } => {
                open.transaction.direction = if outbound { Direction::Outbound } else { Direction::Inbound };
                Err(self.pass(time, open, raw, found.occurrences, deadline).await)
            }
            Passage::Unknown => Err(self.deferred(time, open, "quarantine.failed")),
            Passage::Refused(why) => {
                open.findings.push(Finding::new("quarantine.release", Points::ZERO, "[quarantine]").fact(why));
                Ok(found.occurrences)
            }
        }
    }

    /// The end of a message that comes out of the quarantine: it passes unjudged, without what is forged. What leaves the
    /// site leaves as all its mail does: signed or sealed, its sender with a tag.
    async fn pass(&mut self, time: i64, open: &Open, raw: &Bytes, fields: u32, deadline: Deadline) -> Judged {
        let because = "released from the quarantine";
        let (engine, whole) = (Arc::clone(&self.engine), raw.clone());
        let our_id = engine.authenticator.authserv_id(self.connection.mta_name.as_deref());
        let with = Arc::clone(&engine);
        let look = move |_: &mut WarmScanner<'_>| {
            let message = message::parse(&whole, &with.bounds);
            let forged = forged(&our_id, message.headers.iter().map(|h| (h.name.as_bytes(), h.value)));
            (message::facts(&message, with.asks.message), forged)
        };
        let Ok((message, forged)) = engine.judges.run(false, look).await else {
            return self.deferred(time, open, "internal.panic");
        };
        let mut edits = match open.transaction.direction {
            Direction::Inbound => without_forged_marks(&engine.policy, &message),
            Direction::Outbound => Vec::new(),
        };
        edits.extend(
            forged.into_iter().rev().map(|occurrence| Edit::RemoveHeader { name: RESULTS.to_owned(), occurrence }),
        );
        edits.extend(self.without_release(fields));
        edits.retain(|_| self.options.host.edit_header);
        let recipients = open.transaction.recipients.iter().map(|recipient| RecipientVerdict {
            address: recipient.address.raw.clone(),
            wanted: Disposition::Deliver,
            disposition: Disposition::Deliver,
            because: because.to_owned(),
            reply: None,
        });
        let verdict = Verdict { action: Action::Accept, recipients: recipients.collect(), edits };
        let mut decision = Decision::of(verdict);
        let mut signatures = self.sign(time, open, raw, true, &mut decision).await;
        if let Some(results) = self.results_to_seal(time, open, raw, &message, (None, None), deadline).await {
            signatures = self.seal(raw, results, &mut decision, deadline).await;
        }
        self.tag_sender(time, open, &mut decision);
        let mut explanation = Explanation::of_release(&self.connection, &open.transaction, because, &decision);
        explanation.signed.clone_from(&signatures.labels);
        signatures.add_to(&mut decision.verdict.edits);
        let queue_id = open.transaction.queue_id.clone();
        let report = Report { reference: open.reference, time, queue_id, explanation };
        Judged { verdict: decision.verdict, report }
    }

    /// Takes the release fields off.
    pub(super) fn without_release(&self, occurrences: u32) -> Vec<Edit> {
        let of = |occurrence| Edit::RemoveHeader { name: release::HEADER.to_owned(), occurrence };
        (1..=occurrences).rev().map(of).filter(|_| self.options.host.edit_header).collect()
    }
}

/// Hashes what is large on a thread where that holds nobody up.
async fn hashing<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    if bytes <= HASHED_HERE {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // A panic goes on here, where it becomes a deferral.
        Err(error) => std::panic::resume_unwind(Box::new(error.to_string())),
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
