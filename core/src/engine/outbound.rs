//! What users send, as the stages see it: rights and rates at MAIL and RCPT, the author at the end.

use super::{
    Session,
    session::{overflow_finding, overflow_reply},
};
use crate::{
    lookup::{Deadline, Outcome},
    outbound::{self, Account, AlarmMode, Books, Mode, Named, Settings, Usage},
    session::{Address, Overflow},
    verdict::{Finding, Judgement, Points, Reply},
};
use std::sync::Arc;

/// Most authors of a message whose sender must have rights. Unit: addresses. Source: our own limit; From has one as a rule.
const AUTHORS: usize = 10;

impl Session {
    /// The account if its mail is counted.
    fn counted_account(&self) -> Option<Account> {
        let Settings { bulk_users, rights, rates, alarm } = &self.engine.outbound;
        if rates.mode == Mode::Off && alarm.mode == AlarmMode::Off {
            return None;
        }
        let domain = rights.login_domain.as_deref();
        let account = self.connection.login.as_ref().map(|login| Account::new(&login.name, domain));
        account.filter(|account| !account.is_one_of(bulk_users, domain))
    }

    /// Judges MAIL of a user. With a trial the answer waits for a recipient for whom verdicts act.
    pub(super) async fn judge_user(&mut self, time: i64) -> Option<(Reply, &'static str)> {
        let refusal = match self.judge_sender_right(time).await {
            Some(refusal) => Some(refusal),
            None => self.judge_account(time, true).await,
        };
        if refusal.is_some() && self.engine.policy.trial.is_some() {
            self.open.as_mut()?.refuse_recipients = refusal;
            return None;
        }
        if refusal.is_none()
            && let Some(account) = self.counted_account()
        {
            outbound::note_message(&self.engine.shared.ledger, &account, time);
        }
        refusal
    }

    /// Whether the user may send from the address in MAIL. The null sender is everybody's: notifications have it.
    async fn judge_sender_right(&mut self, time: i64) -> Option<(Reply, &'static str)> {
        if self.connection.login.is_none() || self.engine.rights.settings().mode == Mode::Off {
            return None;
        }
        let sender = self.open.as_ref()?.transaction.sender.mailbox()?.clone();
        // Another server of this site may have tagged it already.
        let (sender, _) = self.engine.batv.untag(sender, time);
        let (finding, reply) = self.judge_right(Named::Sender, &sender, self.reply_deadline()).await?;
        self.find(finding);
        reply.map(|reply| (reply, "right to the sender address"))
    }

    async fn judge_right(
        &self,
        what: Named,
        address: &Address,
        deadline: Deadline,
    ) -> Option<(Finding, Option<Reply>)> {
        let rights = &self.engine.rights;
        let login = &self.connection.login.as_ref()?.name;
        let live = rights.ask(&self.engine.directory, login, address, deadline);
        let allowed = self.journal.ask(&format!("outbound.rights {}", address.key()), live).await;
        rights.judge(what, login, &address.key(), &allowed)
    }

    /// Judges rates and signs of abuse before a message (`of_message`) or a recipient is taken.
    pub(super) async fn judge_account(&mut self, time: i64, of_message: bool) -> Option<(Reply, &'static str)> {
        let account = self.counted_account()?;
        let engine = Arc::clone(&self.engine);
        let Settings { rates, alarm, .. } = &engine.outbound;
        let watched = of_message && alarm.mode != AlarmMode::Off;
        let systems = engine.reputation.learned().systems();
        let client = self.connection.client_ip.filter(|_| watched).map(|ip| (ip, systems));
        let books = Books { ledger: &engine.shared.ledger, counters: &engine.shared.counters };
        let live = outbound::usage(books, &account, client, time, self.reply_deadline());
        let usage = match self.journal.ask("outbound.usage", live).await.done() {
            Some(usage) => usage.clone(),
            // Users' mail goes on while the counters cannot be asked.
            None => {
                self.find_once(Finding::new("outbound.not-counted", Points::ZERO, "the counters did not answer"));
                return None;
            }
        };
        if let Some(reply) = self.judge_alarm(time, &account, &usage).await {
            return Some((reply, "alarm of the account"));
        }
        let excess = outbound::excess(rates, &usage, of_message)?;
        self.find_once(excess.finding(&account.login));
        (rates.mode == Mode::Enforce).then(|| (excess.reply(), "rate of the account"))
    }

    async fn judge_alarm(&mut self, time: i64, account: &Account, usage: &Usage) -> Option<Reply> {
        let engine = Arc::clone(&self.engine);
        let settings = &engine.outbound.alarm;
        if settings.mode == AlarmMode::Off {
            return None;
        }
        let stands = usage.alarm_until.is_some_and(|until| until > time);
        let reasons = if stands { vec!["an alarm stands".to_owned()] } else { settings.reasons(usage) };
        if reasons.is_empty() {
            return None;
        }
        if !stands {
            let counters = &engine.shared.counters;
            let live = outbound::sound(counters, settings, account, &reasons, time, self.reply_deadline());
            let trouble = self.journal.ask("outbound.alarm", live).await;
            if !self.journal.is_replay() {
                let (user, reasons, trouble) = (&account.login, reasons.join("; "), trouble.unwrap_or_default());
                tracing::warn!(user, reasons, trouble, "an account seems to be used by somebody else");
                engine.shared.meter.alarmed(settings.mode == AlarmMode::Defer);
            }
        }
        self.find_once(settings.finding(&account.login, &reasons));
        settings.reply()
    }

    /// Notes what may be found at each of many recipients.
    fn find_once(&mut self, finding: Finding) {
        if !self.open.as_ref().is_some_and(|open| open.findings.iter().any(|known| known.id == finding.id)) {
            self.find(finding);
        }
    }

    /// Counts a recipient of a user that was taken.
    pub(super) fn note_user_recipient(&self, time: i64) {
        if let Some(account) = self.counted_account() {
            outbound::note_recipient(&self.engine.shared.ledger, &account, time);
        }
    }

    /// Counts one that was refused, by us or by the MTA.
    pub(super) fn note_user_refusal(&self, time: i64) {
        if let Some(account) = self.counted_account() {
            outbound::note_refused(&self.engine.shared.ledger, &account, time);
        }
    }

    /// Whether the user may write as the authors in From. Whom nobody can tell he may not write as.
    pub(super) async fn judge_authors(&self, raw: &[u8], overflow: Option<Overflow>, deadline: Deadline) -> Judgement {
        let rights = &self.engine.rights;
        let Some(login) = self.connection.login.as_ref().filter(|_| rights.settings().mode != Mode::Off) else {
            return Judgement::default();
        };
        if let Some((overflow, reply)) = overflow.and_then(|overflow| Some((overflow, overflow_reply(overflow)?))) {
            let (finding, reply) = rights.judge_unseen(overflow_finding(overflow).id.as_ref(), reply);
            return Judgement { findings: vec![finding], reply };
        }
        let authors = outbound::authors(raw);
        let unclear = match authors.addresses.len() {
            _ if authors.unreadable => Some("an author that cannot be read"),
            0 => Some("nobody: there is no author"),
            number if number > AUTHORS => Some("one of too many authors"),
            _ => None,
        };
        let no = Outcome::Done(false);
        let mut judged: Vec<_> =
            unclear.and_then(|unclear| rights.judge(Named::Author, &login.name, unclear, &no)).into_iter().collect();
        for author in authors.addresses.iter().take(AUTHORS) {
            judged.extend(self.judge_right(Named::Author, author, deadline).await);
        }
        let mut judgement = Judgement::default();
        for (finding, reply) in judged {
            judgement.merge(Judgement { findings: vec![finding], reply });
        }
        judgement
    }
}

#[cfg(test)]
mod tests;
