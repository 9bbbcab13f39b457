//! Notices: committed before the answer, sent after it.

use super::{Engine, Judged, Session};
use crate::{
    lookup::{
        Deadline, Outcome,
        submission::{Unsent, submit},
    },
    message::MessageFacts,
    notices::{About, Notice, compose},
    store::{Letter, Store, Waiting, outbox::LIFETIME},
    verdict::{Action, Card},
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How often notices that wait are looked for. Unit: time. Source: our own limit; nobody reads his mail faster.
const LOOK: Duration = Duration::from_secs(2);
/// How often the quarantine is looked through for what is past its time.
const EXPIRE: Duration = Duration::from_secs(3_600);

impl Session {
    /// Puts the notices of a message that is settled on the disk. A notice is not worth a message: if that fails, it goes
    /// without.
    pub(super) async fn post(&self, judged: &Judged, notices: &[Notice], card: &Card, message: &MessageFacts) {
        let (engine, shared) = (&self.engine, &self.engine.shared);
        let is_settled = !matches!(&judged.verdict.action, Action::Reply(reply) if reply.is_temporary());
        let Some(store) = shared.acting_store().filter(|_| !notices.is_empty() && is_settled) else { return };
        let explanation = &judged.report.explanation;
        let client = explanation.client.ip.map_or("local".to_owned(), |ip| ip.to_string());
        let about = About {
            reference: judged.report.reference,
            time: judged.report.time,
            subject: &message.subject,
            sender: explanation.sender.as_deref().unwrap_or_default(),
            client: &client,
            card,
        };
        let letter = |notice: &Notice| Letter {
            recipient: notice.to.clone(),
            text: compose(&engine.notices, &engine.policy, notice, &about),
        };
        let letters = notices.iter().map(letter).collect();
        let posting = store.post(letters, judged.report.time, shared.site_key());
        let trouble = match Deadline::after(engine.deadlines.reply).bound(posting).await {
            Outcome::Done(Ok(())) => return,
            Outcome::Done(Err(error)) => error.to_string(),
            other => other.trouble().unwrap_or_default(),
        };
        tracing::error!(reference = %judged.report.reference, trouble, "notices could not be kept; they are not sent");
    }
}

impl Engine {
    /// Sends notices that wait and empties the quarantine of what is past its time, until the engine is dropped.
    pub fn watch_stores(self: &Arc<Self>) {
        if let Some(quarantine) = self.shared.quarantine().filter(|_| self.policy.quarantines()).map(Arc::clone) {
            tokio::task::spawn_blocking(move || quarantine.warm_up());
        }
        let engine = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut expired: Option<std::time::Instant> = None;
            while let Some(engine) = engine.upgrade() {
                engine.send_notices().await;
                if expired.is_none_or(|at| at.elapsed() >= EXPIRE) {
                    expired = Some(std::time::Instant::now());
                    engine.expire_quarantine().await;
                }
                drop(engine);
                tokio::time::sleep(LOOK).await;
            }
        });
    }

    /// Has notices tried at once that wait since before a start.
    pub async fn wake_notices(&self) {
        let Some(store) = self.shared.acting_store() else { return };
        if let Err(error) = store.wake_letters(now()).await {
            tracing::error!(%error, "notices that wait cannot be read");
        }
    }

    async fn expire_quarantine(&self) {
        let Some(quarantine) = self.shared.quarantine().filter(|quarantine| quarantine.exists()) else { return };
        match quarantine.expire(now()).await {
            Ok(0) => {}
            Ok(messages) => tracing::info!(messages, "quarantine: erased what was past its time"),
            Err(error) => tracing::error!(%error, "quarantine: what is past its time could not be erased"),
        }
    }

    /// Sends the notices that are due.
    async fn send_notices(&self) {
        let Some(store) = self.shared.acting_store() else { return };
        let trouble = loop {
            match store.letters_waiting().await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => break error,
            }
            let mut due = match store.due_letters(now(), 1, self.shared.site_key()).await {
                Ok(due) => due,
                Err(error) => break error,
            };
            let Some(waiting) = due.pop() else { return };
            if let Err(error) = self.send_notice(store, waiting).await {
                break error;
            }
        };
        tracing::error!(error = %trouble, "notices cannot be read or settled");
    }

    async fn send_notice(&self, store: &Store, mut waiting: Waiting) -> Result<(), crate::store::StoreError> {
        let number = waiting.number;
        let Some(letter) = waiting.letter.take() else {
            tracing::error!(number, "a notice cannot be read any more; it is given up");
            return store.settle_letter(number, None, now()).await;
        };
        let to = &letter.recipient;
        if waiting.sent_lately >= self.notices.per_hour {
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
