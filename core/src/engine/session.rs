//! The small steps of a session: what the stages in `engine.rs` are made of.

use super::{
    Answer, Judged, Report, Session, flood,
    open::Open,
    pending::{Panicked, Pending},
};
use crate::{
    authentication::{self, Results, SpfResults},
    explain::{Explanation, Refusal, Stage},
    lookup::Deadline,
    policy::PolicyClass,
    recipients::{bounces, directory::Membership},
    reputation::{Answers, ReverseDns, Standing},
    session::{Address, AddressError, ClientNetwork, Direction, Event, Overflow, Recipient, ReversePath},
    verdict::{Action, Edit, Finding, Judgement, Points, Reference, Reply, Verdict},
};
use futures_util::{FutureExt, future::BoxFuture};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

/// Largest message whose hashes are computed on an async thread. Unit: bytes. Source: SHA-256 takes about 0.2 ms for it,
/// little more than moving the work to another thread.
const HASHED_IN_PLACE: usize = 64 << 10;

/// What the client hears when something of ours failed.
pub(super) fn temporary_failure() -> Reply {
    Reply::fixed(451, (4, 3, 0), "Temporary failure, please try again later")
}

impl Answer {
    pub(super) fn reply(reply: Reply, reference: Reference) -> Self {
        Answer { reply: Some((reply, reference)), delay: Duration::ZERO }
    }

    pub(super) fn after(self, delay: Duration) -> Self {
        Answer { delay, ..self }
    }
}

impl Session {
    pub(super) fn record(&mut self, event: impl FnOnce() -> Event) {
        if self.options.record {
            self.events.push(event());
        }
    }

    /// Records a command, and keeps it for another engine.
    pub(super) fn record_command(&mut self, event: impl FnOnce() -> Event) {
        if !self.options.record && self.witness.is_none() {
            return;
        }
        let event = event();
        if let Some(witness) = &mut self.witness {
            witness.command(event.clone());
        }
        self.record(|| event);
    }

    pub(super) fn record_explanation(&mut self, report: &Report) {
        if self.options.record {
            self.explanations.push(report.explanation.json());
        }
    }

    /// Runs a judgement; a panic in it becomes a deferral (the log has the place).
    pub(super) async fn guarded<'s>(
        &'s mut self,
        judge: impl FnOnce(&'s mut Session) -> BoxFuture<'s, Answer>,
    ) -> Answer {
        let reference = self.engine.reference();
        match AssertUnwindSafe(judge(self)).catch_unwind().await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::error!(%reference, "a check panicked; deferring");
                Answer::reply(temporary_failure(), reference)
            }
        }
    }

    /// When the reply to the command under way is due: one deadline for all that it waits for.
    pub(super) fn reply_deadline(&self) -> Deadline {
        self.command
    }

    /// A command begins.
    pub(super) fn begin_command(&mut self) {
        self.command = Deadline::after(self.engine.deadlines.reply);
    }

    pub(super) fn network(&self) -> Option<ClientNetwork> {
        self.connection.client_ip.map(ClientNetwork::of)
    }

    pub(super) fn direction(&self) -> Option<Direction> {
        self.open.as_ref().map(|open| open.transaction.direction)
    }

    /// Clients whose address is not judged: our own networks, and relays that stand between us and the client.
    pub(super) fn is_trusted(&self) -> bool {
        self.local_submission || matches!(self.standing, Standing::Internal | Standing::Relay | Standing::Allowed)
    }

    /// Relays hand over the mail of other clients: SPF and DMARC would judge the relay.
    pub(super) fn is_relay(&self) -> bool {
        matches!(self.standing, Standing::Relay)
    }

    /// Whether this client's recipients count for directory harvest protection.
    pub(super) fn is_counted(&self) -> bool {
        !self.is_trusted() && self.connection.login.is_none() && self.connection.client_ip.is_some()
    }

    /// The recipient of RCPT. Own machines may leave the domain out; the MTA adds it behind us.
    pub(super) fn forward_path(&self, path: &[u8]) -> Result<Address, AddressError> {
        match self.may_be_unqualified() {
            true => Address::parse_unqualified(path),
            false => Address::parse(path),
        }
    }

    /// The sender of MAIL, likewise.
    pub(super) fn reverse_path(&self, path: &[u8]) -> Result<ReversePath, AddressError> {
        match ReversePath::parse(path) {
            Err(_) if self.may_be_unqualified() => Address::parse_unqualified(path).map(ReversePath::Mailbox),
            other => other,
        }
    }

    fn may_be_unqualified(&self) -> bool {
        self.connection.login.is_some() || self.local_submission || matches!(self.standing, Standing::Internal)
    }

    /// Notes a refusal and gives it to the client.
    pub(super) fn refuse(
        &mut self,
        stage: Stage,
        recipient: Option<&Address>,
        reply: Reply,
        because: &'static str,
    ) -> Answer {
        let Some(open) = &mut self.open else { return Answer::reply(reply, self.engine.reference()) };
        open.refuse(stage, recipient.map(|a| a.raw.as_str()), &reply, because);
        Answer::reply(reply, open.reference)
    }

    /// A refusal before there is a transaction. The report waits for the next [`Session::abort`].
    pub(super) fn refuse_early(
        &mut self,
        time: i64,
        stage: Stage,
        findings: &[Finding],
        reply: Reply,
        because: &'static str,
    ) -> Answer {
        let reference = self.engine.reference();
        let explanation = Explanation::of_refusal(&Refusal {
            stage,
            connection: &self.connection,
            direction: None,
            sender: None,
            recipient: None,
            findings,
            reply: &reply,
            because,
        });
        let report = Report { reference, time, queue_id: None, explanation };
        self.engine.shared.record(report.row());
        self.refused = Some(super::Refusal { reply: reply.clone(), report });
        Answer::reply(reply, reference)
    }

    pub(super) fn find(&mut self, finding: Finding) {
        if let Some(open) = &mut self.open {
            open.findings.push(finding);
        }
    }

    /// What the client's address and its HELO name say. Waits for the lookups begun at connect.
    pub(super) async fn judge_client(&mut self) -> Judgement {
        if self.connection.login.is_some() {
            return Judgement::default();
        }
        let names: Vec<String> = self.connection.mta_name.iter().cloned().collect();
        let mut judgement = match self.reputation.answer().await {
            Ok(Some(answers)) => self.engine.reputation.judge(&self.standing, answers),
            Ok(None) => self.engine.reputation.judge(&self.standing, &Answers::default()),
            Err(Panicked) => Judgement { findings: Vec::new(), reply: Some(temporary_failure()) },
        };
        judgement.findings.extend(self.engine.reputation.judge_helo(&self.connection, &self.standing, &names));
        judgement
    }

    pub(super) fn start_spf(&self, sender: &ReversePath) -> Pending<SpfResults> {
        let Some(ip) = self.connection.client_ip else { return Pending::Never };
        let (engine, journal, sender) = (Arc::clone(&self.engine), Arc::clone(&self.journal), sender.clone());
        let helo = self.connection.helo.clone().unwrap_or_default();
        let mta = self.connection.mta_name.clone().unwrap_or_else(|| "localhost".to_owned());
        let deadline = Deadline::after(engine.deadlines.reply);
        Pending::start(async move {
            let live = Box::pin(engine.authenticator.spf(ip, &helo, &mta, &sender, deadline));
            journal.ask("spf", live).await
        })
    }

    /// DKIM, ARC and DMARC of an inbound message.
    pub(super) async fn verify(
        &self,
        raw: &bytes::Bytes,
        direction: Direction,
        spf: &SpfResults,
        deadline: Deadline,
    ) -> Option<Results> {
        if direction == Direction::Outbound {
            return None;
        }
        let live = self.authenticate(raw, spf, deadline);
        Some(self.journal.ask("authentication", Box::pin(live)).await)
    }

    /// Asks the authenticator; large messages are hashed off the async threads.
    pub(super) async fn authenticate(&self, raw: &bytes::Bytes, spf: &SpfResults, deadline: Deadline) -> Results {
        if raw.len() <= HASHED_IN_PLACE {
            return self.engine.authenticator.verify(raw, spf, deadline).await;
        }
        let (engine, raw, spf) = (Arc::clone(&self.engine), raw.clone(), spf.clone());
        let runtime = tokio::runtime::Handle::current();
        let work = move || runtime.block_on(engine.authenticator.verify(&raw, &spf, deadline));
        match tokio::task::spawn_blocking(work).await {
            Ok(results) => results,
            // A panic goes on here, where it becomes a deferral.
            Err(error) => std::panic::resume_unwind(Box::new(error.to_string())),
        }
    }

    /// The Authentication-Results field for an inbound message.
    pub(super) async fn results_header(&mut self, spf: Option<&SpfResults>, results: &Results) -> Edit {
        let not_asked = ReverseDns::NotAsked;
        let reverse = self.reputation.answer().await.ok().flatten().map_or(&not_asked, |answers| &answers.reverse);
        let authenticator = &self.engine.authenticator;
        let value = authenticator.header_value(&authentication::Facts {
            authserv_id: &authenticator.authserv_id(self.connection.mta_name.as_deref()),
            client_ip: self.connection.client_ip,
            reverse,
            spf,
            results: Some(results),
        });
        Edit::AddHeader { name: "Authentication-Results".to_owned(), value }
    }

    pub(super) async fn membership(&self, time: i64, address: &Address) -> Membership {
        let live = self.engine.directory.lookup(address, time, self.reply_deadline());
        self.journal.ask(&format!("directory {}", address.key()), live).await
    }

    /// The client's country, if a policy asks for it.
    pub(super) async fn find_country(&self) -> Option<String> {
        let ip = self.connection.client_ip.filter(|_| self.engine.asks.country)?;
        self.journal.ask("country", async { self.engine.reputation.country(ip) }).await
    }

    pub(super) fn policy_class(&self, recipient: &Recipient) -> Option<PolicyClass> {
        let transaction = &self.open.as_ref()?.transaction;
        self.engine.policy.policy_class(
            self.engine.score.thresholds,
            transaction.direction,
            &transaction.sender,
            &self.connection,
            self.country.as_deref(),
            recipient,
        )
    }

    /// Bounces: one recipient each, at a rate.
    pub(super) async fn judge_bounce(&mut self, time: i64, address: &Address) -> Option<Reply> {
        let transaction = &self.open.as_ref()?.transaction;
        if transaction.sender.mailbox().is_some() || transaction.direction == Direction::Outbound || self.is_trusted() {
            return None;
        }
        let earlier = transaction.recipients.len();
        let (settings, counters) = (&self.engine.bounces, &self.engine.shared.counters);
        let key = address.key();
        let live = bounces::ask(settings, counters, &key, time, self.reply_deadline());
        let answers = self.journal.ask("bounces", live).await;
        let judgement = bounces::judge(settings, earlier, &answers);
        for finding in judgement.findings {
            self.find(finding);
        }
        judgement.reply
    }

    /// A deferral because of something of ours.
    pub(super) fn deferred(&self, time: i64, open: &Open, finding: &'static str) -> Judged {
        self.judged_without_check(time, open.transaction.queue_id.clone(), Some(open), finding)
    }

    pub(super) fn judged_without_check(
        &self,
        time: i64,
        queue_id: Option<String>,
        open: Option<&Open>,
        finding: &'static str,
    ) -> Judged {
        let reply = if finding == "rates.load" { flood::busy() } else { temporary_failure() };
        let reference = open.map_or_else(|| self.engine.reference(), |open| open.reference);
        let transaction = open.map(|open| &open.transaction);
        let mut explanation = Explanation::of_refusal(&Refusal {
            stage: Stage::Message,
            connection: &self.connection,
            direction: transaction.map(|t| t.direction),
            sender: transaction.map(|t| &t.sender),
            recipient: None,
            findings: &[Finding::new(finding, Points::ZERO, "the engine itself")],
            reply: &reply,
            because: finding,
        });
        explanation.recipients.extend(open.into_iter().flat_map(Open::refused_recipients));
        let verdict = Verdict { action: Action::Reply(reply), recipients: Vec::new(), edits: Vec::new() };
        Judged { verdict, report: Report { reference, time, queue_id, explanation } }
    }
}

/// The finding that says which bound a message has crossed.
pub(super) fn overflow_finding(overflow: Overflow) -> Finding {
    let id = match overflow {
        Overflow::HeaderCount => "limit.header-count",
        Overflow::HeaderBytes => "limit.header-bytes",
        Overflow::MessageBytes => "limit.message-bytes",
        Overflow::SiteBytes => "limit.bytes-in-flight",
        Overflow::SiteMessages => "limit.messages-in-flight",
        Overflow::Time => "limit.message-time",
    };
    Finding::new(id, Points::ZERO, "[limits]")
}

/// The refusal of a message whose header is too large to be judged: what is behind it would not be looked at.
pub(super) fn overflow_reply(overflow: Overflow) -> Option<Reply> {
    match overflow {
        Overflow::HeaderCount | Overflow::HeaderBytes => {
            Some(Reply::fixed(552, (5, 3, 4), "Message header is too large"))
        }
        Overflow::MessageBytes | Overflow::SiteBytes | Overflow::SiteMessages | Overflow::Time => None,
    }
}

/// The finding of a bound that has nothing to do with the message itself: it is deferred for that.
pub(super) fn site_limit(overflow: Overflow) -> Option<&'static str> {
    match overflow {
        Overflow::SiteBytes => Some("limit.bytes-in-flight"),
        Overflow::SiteMessages => Some("limit.messages-in-flight"),
        Overflow::Time => Some("limit.message-time"),
        Overflow::HeaderCount | Overflow::HeaderBytes | Overflow::MessageBytes => None,
    }
}
