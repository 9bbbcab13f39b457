//! What users send, as the stages see it: rights and rates at MAIL and RCPT, the author and signatures at the end.

use super::{Engine, Session, open::Open};
use crate::{
    authentication::{
        Dmarc, Results, SpfResults,
        signing::{FIELD, Sealed, is_signed},
    },
    lookup::Deadline,
    message::{self, MessageFacts},
    outbound::{self, Account, AlarmMode, Books, Mode, Named, Settings, Usage},
    policy::Decision,
    session::{Address, Direction},
    verdict::{Action, Edit, Finding, Judgement, Points, Reply},
};
use bytes::Bytes;
use std::sync::Arc;

/// Most authors whose rights are asked for. Unit: addresses. Source: our own limit; From has one as a rule.
const AUTHORS: usize = 10;

impl Session {
    /// The account if its mail is counted.
    fn counted_account(&self) -> Option<Account> {
        let Settings { bulk_users, rates, alarm, .. } = &self.engine.outbound;
        if rates.mode == Mode::Off && alarm.mode == AlarmMode::Off {
            return None;
        }
        let account = self.connection.login.as_ref().map(|login| Account::new(&login.name));
        account.filter(|account| !account.is_one_of(bulk_users))
    }

    /// Judges MAIL of a user. With a trial the answer waits for a recipient for whom verdicts act.
    pub(super) async fn judge_user(&mut self, time: i64) -> Option<(Reply, &'static str)> {
        let refusal = match self.judge_sender_right().await {
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
    async fn judge_sender_right(&mut self) -> Option<(Reply, &'static str)> {
        if self.connection.login.is_none() || self.engine.rights.settings().mode == Mode::Off {
            return None;
        }
        let sender = self.open.as_ref()?.transaction.sender.mailbox()?.clone();
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

    /// Whether the user may write as the authors in From.
    pub(super) async fn judge_authors(&mut self, message: &MessageFacts, deadline: Deadline) -> Judgement {
        let mut judgement = Judgement::default();
        if self.connection.login.is_none() || self.engine.rights.settings().mode == Mode::Off {
            return judgement;
        }
        let authors = message.from.iter().take(AUTHORS).filter_map(|author| Address::parse(author.as_bytes()).ok());
        for author in authors {
            if let Some((finding, reply)) = self.judge_right(Named::Author, &author, deadline).await {
                judgement.merge(Judgement { findings: vec![finding], reply });
            }
        }
        judgement
    }

    /// Signs a message that leaves the site, as it will be with the decision's edits. Gives the names of the signatures,
    /// whose fields are the last edits of the header.
    pub(super) async fn sign(
        &self,
        time: i64,
        open: &Open,
        raw: &Bytes,
        message: &MessageFacts,
        whole: bool,
        decision: &mut Decision,
    ) -> Signatures {
        let engine = &self.engine;
        let outbound = open.transaction.direction == Direction::Outbound;
        if !outbound || engine.signers.is_empty() || decision.verdict.action != Action::Accept {
            return Signatures::default();
        }
        let signers = match author_domain(message) {
            Ok(domain) => engine.signers.of_author(&domain, time).len(),
            Err(why) => {
                decision.not_applied.push(format!("DKIM signature: {why}"));
                return Signatures::default();
            }
        };
        let obstacle = match () {
            () if signers == 0 => return Signatures::default(),
            () if !self.options.host.edit_header => Some("the host cannot add a header"),
            // Hashing the beginning would make a signature that fails everywhere.
            () if !whole => Some("the message is too large"),
            () => None,
        };
        if let Some(why) = obstacle {
            decision.not_applied.push(format!("DKIM signature: {why}"));
            return Signatures::default();
        }
        let (signed, failed) = run(engine, raw, message, decision.verdict.edits.clone(), time).await;
        decision.not_applied.extend(failed);
        signed
    }
}

// Mail of others that the site passes on.
impl Session {
    /// What a seal is to say of a message that is passed on, if it is to get one: mail of others that leaves the site, and
    /// inbound mail if the site wants that.
    pub(super) async fn results_to_seal(
        &mut self,
        time: i64,
        open: &Open,
        raw: &Bytes,
        message: &MessageFacts,
        found: (Option<&SpfResults>, Option<&Results>),
        deadline: Deadline,
    ) -> Option<String> {
        let engine = Arc::clone(&self.engine);
        let sealer = engine.sealer.as_ref()?;
        let passed_on = match open.transaction.direction {
            Direction::Inbound => sealer.settings().inbound,
            // What users write is not passed on, nor is what we sign ourselves.
            Direction::Outbound => {
                let ours = |domain: String| !engine.signers.of_author(&domain, time).is_empty();
                self.connection.login.is_none() && !author_domain(message).is_ok_and(ours)
            }
        };
        let mut names = message.headers.iter().map(|(name, _)| name.as_str());
        if !passed_on || !self.options.host.edit_header || !is_signed(&mut names) {
            return None;
        }
        let verified;
        let results = match found.1 {
            Some(results) => results,
            None => {
                // Of outbound mail only its signatures can be judged: whoever brought it here is unknown.
                let unasked = SpfResults::default();
                let live = engine.authenticator.verify(raw, &unasked, deadline);
                let results = self.journal.ask("outbound.verified", Box::pin(live)).await;
                verified = Results { dmarc: Dmarc::default(), ..results };
                &verified
            }
        };
        match self.results_header(found.0, results).await {
            Edit::AddHeader { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Seals a message that is taken, as it will be with the decision's edits. `results` are those of
    /// [`Session::results_to_seal`].
    pub(super) async fn seal(
        &self,
        raw: &Bytes,
        results: String,
        decision: &mut Decision,
        deadline: Deadline,
    ) -> Signatures {
        if decision.verdict.action != Action::Accept {
            return Signatures::default();
        }
        let (engine, raw, edits) = (Arc::clone(&self.engine), raw.clone(), decision.verdict.edits.clone());
        let runtime = tokio::runtime::Handle::current();
        let work = move || {
            let leaving = message::edited(&raw, &edits);
            let sealer = engine.sealer.as_ref().ok_or("no key")?;
            runtime.block_on(engine.authenticator.seal(sealer, &raw, &leaving, &results, deadline))
        };
        let live = async {
            match tokio::task::spawn_blocking(work).await {
                Ok(sealed) => sealed,
                // A panic goes on here, where it becomes a deferral.
                Err(error) => std::panic::resume_unwind(Box::new(error.to_string())),
            }
        };
        match self.journal.ask("outbound.seal", live).await {
            Ok(Sealed { label, fields }) => Signatures { labels: vec![label], fields },
            Err(why) => {
                decision.not_applied.push(format!("ARC seal: {why}"));
                Signatures::default()
            }
        }
    }
}

/// Signatures of one message, or a seal.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    /// What signed, as explanations name it.
    pub(super) labels: Vec<String>,
    /// Names and bodies.
    fields: Vec<(String, String)>,
}

impl Signatures {
    /// Adds the fields behind all other edits of the header, so that they stand above them.
    pub(super) fn add_to(self, edits: &mut Vec<Edit>) {
        let of_envelope = |edit: &Edit| edit.header().is_none() && !matches!(edit, Edit::ReplaceBody { .. });
        let place = edits.iter().position(of_envelope).unwrap_or(edits.len());
        let fields = self.fields.into_iter().map(|(name, value)| Edit::AddHeader { name, value });
        edits.splice(place..place, fields);
    }
}

/// Signs on a judging thread: hashing and RSA take too long for one that serves connections.
async fn run(
    engine: &Arc<Engine>,
    raw: &Bytes,
    facts: &MessageFacts,
    edits: Vec<Edit>,
    time: i64,
) -> (Signatures, Vec<String>) {
    let (with_keys, raw) = (Arc::clone(engine), raw.clone());
    let domain = author_domain(facts).unwrap_or_default();
    let work = move |_: &mut crate::malware::WarmScanner<'_>| {
        let leaving = message::edited(&raw, &edits);
        let signers = with_keys.signers.of_author(&domain, time);
        signers.into_iter().map(|signer| (signer.label(), signer.sign(&leaving))).collect::<Vec<_>>()
    };
    let mut signed = Signatures::default();
    let mut failed = Vec::new();
    match engine.judges.run(false, work).await {
        Ok(results) => {
            for (label, result) in results {
                match result {
                    Ok(field) => {
                        signed.labels.push(label);
                        signed.fields.push((FIELD.to_owned(), field));
                    }
                    Err(why) => failed.push(format!("DKIM signature {label}: {why}")),
                }
            }
        }
        Err(_) => failed.push("DKIM signature: an error inside Mailward".to_owned()),
    }
    failed.iter().for_each(|why| tracing::warn!(why, "a message leaves without a signature"));
    (signed, failed)
}

/// The domain of the author, in ASCII.
fn author_domain(message: &MessageFacts) -> Result<String, &'static str> {
    let fields = message.headers.iter().filter(|(name, _)| name.trim_end().eq_ignore_ascii_case("From")).count();
    if fields > 1 {
        // A signature would vouch for whichever one a reader sees.
        return Err("the message has several From fields");
    }
    let author = message.from.first().and_then(|author| Address::parse(author.as_bytes()).ok());
    author.map(|author| author.domain).filter(|domain| !domain.is_empty()).ok_or("From names no address")
}

#[cfg(test)]
mod tests;
