//! Notices: committed before the answer, sent after it.

use super::{Engine, Judged, Session, open::Open};
use crate::{
    lookup::{
        Deadline, Outcome,
        submission::{SubmissionSettings, Unsent, submit},
    },
    message::MessageFacts,
    notices::{About, Notice, compose},
    session::Direction,
    store::{Letter, Quarantine, SiteKey, Store, StoreError, Waiting, outbox::LIFETIME},
    verdict::{Action, Card},
};
use std::{
    sync::{Arc, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How often notices that wait are looked for. Unit: time. Source: our own limit; nobody reads his mail faster.
const LOOK: Duration = Duration::from_secs(2);
/// How often the quarantine is looked through for what is past its time.
const EXPIRE: Duration = Duration::from_secs(3_600);
/// How much longer than its submission a notice is left to its sender.
const MARGIN: Duration = Duration::from_secs(60);

impl Session {
    /// Writes the notices of a message.
    pub(super) fn letters(
        &self,
        judged: &Judged,
        notices: &[Notice],
        card: &Card,
        message: &MessageFacts,
    ) -> Vec<Letter> {
        let (engine, explanation) = (&self.engine, &judged.report.explanation);
        let client = explanation.client.ip.map_or("local".to_owned(), |ip| ip.to_string());
        let about = About {
            reference: judged.report.reference,
            time: judged.report.time,
            subject: &message.subject,
            sender: explanation.sender.as_deref().unwrap_or_default(),
            client: &client,
            card,
        };
        let key = engine.shared.site_key();
        let letter = |notice: &Notice| Letter {
            recipient: notice.to.clone(),
            text: compose(&engine.notices, &engine.policy, key, notice, &about),
        };
        notices.iter().map(letter).collect()
    }

    /// Puts the notices of a message that is settled on the disk. A notice is not worth a message: if that fails, it goes
    /// without.
    pub(super) async fn post(&self, judged: &Judged, letters: Vec<Letter>) {
        let (engine, shared) = (&self.engine, &self.engine.shared);
        let is_settled = !matches!(&judged.verdict.action, Action::Reply(reply) if reply.is_temporary());
        let Some(store) = shared.acting_store().filter(|_| !letters.is_empty() && is_settled) else { return };
        let posting = store.post(letters, judged.report.time, shared.site_key());
        let trouble = match Deadline::after(engine.deadlines.reply).bound(posting).await {
            Outcome::Done(Ok(())) => return,
            Outcome::Done(Err(error)) => error.to_string(),
            other => other.trouble().unwrap_or_default(),
        };
        tracing::error!(reference = %judged.report.reference, trouble, "notices could not be kept; they are not sent");
    }

    /// Whether the envelope sender is one of the site's, by his login or by the client and the domain.
    pub(super) fn is_own_sender(&self, open: &Open) -> bool {
        let transaction = &open.transaction;
        let is_ours = || {
            let domain = transaction.sender.mailbox().map(|sender| &sender.domain);
            domain.is_some_and(|domain| self.engine.directory_settings.domains.contains(domain))
        };
        transaction.direction == Direction::Outbound && (self.connection.login.is_some() || is_ours())
    }
}

impl Engine {
    /// Sends notices that wait and empties the quarantine of what is past its time, until another engine does or this one is
    /// dropped.
    pub fn watch_stores(self: &Arc<Self>) {
        let watch = self.shared.next_watch();
        if let Some(quarantine) = self.shared.quarantine().map(Arc::clone) {
            if self.policy.quarantines() {
                let quarantine = Arc::clone(&quarantine);
                tokio::task::spawn_blocking(move || quarantine.warm_up());
            }
            let engine = Arc::downgrade(self);
            tokio::spawn(async move {
                while is_in_force(&engine, watch) {
                    expire(&quarantine).await;
                    tokio::time::sleep(EXPIRE).await;
                }
            });
        }
        if let Some(store) = self.shared.acting_store().map(Arc::clone) {
            let sender = NoticeSender {
                store,
                key: self.shared.site_key().clone(),
                submission: self.submission.clone(),
                per_hour: self.notices.per_hour,
            };
            let engine = Arc::downgrade(self);
            tokio::spawn(async move {
                while is_in_force(&engine, watch) {
                    match sender.send_next().await {
                        Ok(true) => continue,
                        Ok(false) => {}
                        Err(error) => tracing::error!(%error, "notices cannot be read or settled"),
                    }
                    tokio::time::sleep(LOOK).await;
                }
            });
        }
    }

    /// Has notices tried at once that wait since before a start.
    pub async fn wake_notices(&self) {
        let Some(store) = self.shared.acting_store() else { return };
        if let Err(error) = store.wake_letters(now()).await {
            tracing::error!(%error, "notices that wait cannot be read");
        }
    }
}

fn is_in_force(engine: &Weak<Engine>, watch: u64) -> bool {
    engine.upgrade().is_some_and(|engine| engine.shared.is_last_watch(watch))
}

async fn expire(quarantine: &Quarantine) {
    if !quarantine.exists() {
        return;
    }
    match quarantine.expire(now()).await {
        Ok(0) => {}
        Ok(messages) => tracing::info!(messages, "quarantine: erased what was past its time"),
        Err(error) => tracing::error!(%error, "quarantine: what is past its time could not be erased"),
    }
}

/// What sends notices. It keeps no engine: one that was replaced goes while a mail server is slow.
struct NoticeSender {
    store: Arc<Store>,
    key: SiteKey,
    submission: SubmissionSettings,
    per_hour: u64,
}

impl NoticeSender {
    /// Sends the notice that is due first; `false` if none is.
    async fn send_next(&self) -> Result<bool, StoreError> {
        if self.store.letters_waiting().await? == 0 {
            return Ok(false);
        }
        let lease = self.submission.timeout + MARGIN;
        match self.store.due_letter(now(), lease, &self.key).await? {
            Some(waiting) => self.send(waiting).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn send(&self, mut waiting: Waiting) -> Result<(), StoreError> {
        let (store, number) = (&self.store, waiting.number);
        let Some(letter) = waiting.letter.take() else {
            tracing::error!(number, "a notice cannot be read any more; it is given up");
            return store.settle_letter(number, None, now()).await;
        };
        let to = &letter.recipient;
        if waiting.sent_lately >= self.per_hour {
            tracing::warn!(to, "a notice is dropped: its recipient got [notices] per_hour already");
            return store.settle_letter(number, None, now()).await;
        }
        match submit(&self.submission, "", to, &letter.text).await {
            Ok(()) => {
                tracing::info!(to, "notice sent");
                store.settle_letter(number, Some(to.clone()), now()).await
            }
            Err(error @ Unsent::Refused(_)) => {
                tracing::error!(to, %error, "a notice is given up");
                store.settle_letter(number, None, now()).await
            }
            Err(error) if now() - waiting.made > LIFETIME.as_secs() as i64 => {
                tracing::error!(to, %error, "a notice is given up after a day");
                store.settle_letter(number, None, now()).await
            }
            Err(error) => {
                tracing::warn!(to, %error, "a notice could not be sent; it is tried again");
                store.put_letter_off(&waiting, now()).await
            }
        }
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}
