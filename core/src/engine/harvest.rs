//! Directory harvest protection, as the stages use it.

use super::{Session, open::Open};
use crate::{
    explain::Stage,
    recipients::dha::{Block, Observation, Standing},
    session::{Address, Direction},
    store::Window,
    verdict::Reply,
};
use std::time::Duration;

/// Messages that a network must have delivered here to be trusted. Unit: messages within [`HISTORY`]. Source: our own
/// limit: a handful of accepted messages is cheap for a harvester to send.
pub(super) const TRUSTED_MESSAGES: u64 = 50;
/// How long delivered messages are remembered, and how finely. Unit: seconds (30 days, 1 day).
pub(super) const HISTORY: Window = Window { bucket: 86_400, keep: 30 * 86_400 };

impl Session {
    /// The answer that a running block gives this client.
    pub(super) async fn harvest_block(&mut self, time: i64, stage: Stage) -> Option<Reply> {
        if !self.is_counted() {
            return None;
        }
        let live = self.engine.dha.blocked(self.network()?, time, self.reply_deadline());
        let block = self.journal.ask("dha.blocked", live).await;
        match stage {
            Stage::Rcpt if self.engine.policy.trial.is_none() => block.reply_in_session(),
            _ => block.reply_at_mail(),
        }
    }

    /// Counts a recipient that exists, once in a transaction.
    pub(super) fn count_known(&mut self, address: &Address) {
        let recipients = self.open.as_ref().map(|open| &open.transaction.recipients[..]).unwrap_or_default();
        let same = |known: &Address| known.domain == address.domain && known.local.eq_ignore_ascii_case(&address.local);
        if !recipients.iter().any(|known| same(&known.address)) {
            self.tally.known();
        }
    }

    /// Counts a recipient that does not exist. The reply, if there is one, closes the session; the delay is the
    /// tarpit's.
    pub(super) async fn count_unknown(&mut self, time: i64, domain: &str) -> (Option<Reply>, Duration) {
        let unknown = self.tally.unknown();
        let Some(about) = self.observation(time, domain).await else { return Default::default() };
        let live = self.engine.dha.unknown_recipient(&about, unknown, self.reply_deadline());
        let answer = self.journal.ask("dha.unknown", live).await;
        self.note_block(answer.block_set.as_ref());
        for finding in answer.findings {
            self.find(finding);
        }
        if let Some(reply) = &answer.reply {
            self.blocked = Some(reply.clone());
        }
        let longest = (self.engine.deadlines.reply / 2).min(self.reply_deadline().remaining());
        (answer.reply, answer.delay.min(longest))
    }

    /// Counts the recipients of a transaction that ended, and a delivered message for the network's history.
    pub(super) async fn count_transaction(&mut self, time: i64, open: &Open, taken: bool) {
        let Some(ended) = self.tally.end(taken) else { return };
        let domain = open.transaction.recipients.first().map(|r| r.address.domain.clone()).unwrap_or_default();
        let null_sender = open.transaction.sender.mailbox().is_none();
        // Without unknown recipients nothing can be judged, so nothing more need be known about the client.
        let about = match ended.transaction.unknown {
            0 => self.plain_observation(time, &domain),
            _ => Box::pin(self.observation(time, &domain)).await,
        };
        if let Some(mut about) = about {
            about.null_sender = null_sender;
            let live = self.engine.dha.transaction_ended(&about, ended, self.reply_deadline());
            let answer = self.journal.ask("dha.ended", live).await;
            self.note_block(answer.block_set.as_ref());
        }
        if taken && open.transaction.direction == Direction::Inbound && self.is_counted() {
            self.remember_delivery(time);
        }
    }

    fn remember_delivery(&self, time: i64) {
        if let Some(network) = self.network() {
            self.engine.shared.load.taken(network);
            self.engine.shared.ledger.add(&format!("delivered/{network}"), 1, HISTORY, time);
        }
    }

    /// Whether the directory seems to have lost its entries; the MTA may ask the same one.
    async fn directory_suspect(&self, time: i64) -> bool {
        let live = self.engine.directory.suspect(time, self.reply_deadline());
        self.journal.ask("directory.suspect", live).await.is_some()
    }

    /// Whom a count is about, with what is known of the client.
    async fn observation(&mut self, time: i64, domain: &str) -> Option<Observation> {
        let plain = self.plain_observation(time, domain)?;
        let (key, counters) = (format!("delivered/{}", plain.network), &self.engine.shared.counters);
        let since = time.saturating_sub(HISTORY.keep);
        let live = counters.sum(&key, since, HISTORY, time, self.reply_deadline());
        let delivered = self.journal.ask("delivered", live).await.done().copied().unwrap_or(0);
        let bad = self.open.as_ref().and_then(|o| o.client.as_ref()).is_some_and(|client| client.reply.is_some());
        let bad = bad || self.has_bad_history().await;
        let standing = match (bad, delivered) {
            (true, _) => Standing::Bad,
            (false, TRUSTED_MESSAGES..) => Standing::Trusted,
            _ => Standing::Neutral,
        };
        Some(Observation { standing, directory_suspect: self.directory_suspect(time).await, ..plain })
    }

    fn plain_observation(&self, time: i64, domain: &str) -> Option<Observation> {
        if !self.is_counted() {
            return None;
        }
        Some(Observation {
            network: self.network()?,
            standing: Standing::Neutral,
            exempt: false,
            null_sender: self.open.as_ref().is_some_and(|o| o.transaction.sender.mailbox().is_none()),
            domain: domain.to_owned(),
            directory_suspect: false,
            now: time,
        })
    }

    fn note_block(&self, block: Option<&Block>) {
        // One who watches has blocked nobody.
        if let Some(Block { network, until, enforced, .. }) = block.filter(|_| !self.engine.shared.observes) {
            self.engine.shared.meter.blocked(*enforced);
            tracing::warn!(network, until, enforced, "directory harvest");
        }
    }
}
