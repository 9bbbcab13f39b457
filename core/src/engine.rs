//! The way of a message: connect, helo, mail, rcpt, message. The only room that names all others.
//!
//! Each stage does the same: ask what needs waiting (through the journal, so that a recording can be replayed), judge
//! with plain functions, answer. Decisions fall as early as the facts allow.

mod build;
mod conclude;
mod content;
mod facts;
mod flood;
mod greylist;
mod harvest;
mod judges;
mod learned;
mod learning;
mod load;
mod notices;
mod open;
mod outbound;
mod pending;
mod quarantine;
mod rcpt;
mod replay;
mod report;
mod session;
mod shadow;
mod signing;
mod tagging;

pub use build::{Engine, Shared};
pub use facts::{Answer, ConnectFacts, Judged, MailFacts, SessionOptions};
pub use learning::{Learner, LearningError, Learnt, Lessons, features, replace_model};
pub use replay::{Ended, Replayed};
pub use report::{Refusal, Report};
pub use shadow::{Again, Seen};

use crate::{
    authentication::{self, Results, SpfResults},
    explain::{Explanation, Stage},
    lookup::{
        Deadline, Journal, Outcome,
        meter::{Service, Work},
    },
    malware, notices as notice,
    policy::{self, AuthenticationResults, Facts},
    recipients::dha::Tally,
    reputation::{self, Standing, rates},
    score,
    session::{
        Bytes, Connection, Direction, Event, Presence, RawMessage, Recording, RefuseAt, RefusedByMta, Tls, Transaction,
    },
    spam,
    verdict::{Action, Edit, Judgement, Reply},
};
use content::{Content, Unjudged};
use flood::Admitted;
use futures_util::FutureExt;
use open::Open;
use pending::{Panicked, Pending};
use session::{overflow_finding, overflow_reply, site_limit};
use std::{panic::AssertUnwindSafe, sync::Arc};

/// One SMTP session, driven by a door.
pub struct Session {
    engine: Arc<Engine>,
    options: SessionOptions,
    journal: Arc<Journal>,
    events: Vec<Event>,
    /// What was said, for a recording.
    explanations: Vec<String>,
    connection: Connection,
    local_submission: bool,
    command: Deadline,
    standing: Standing,
    /// Of the client, if a policy asks for it.
    country: Option<String>,
    reputation: Pending<reputation::Answers>,
    tally: Tally,
    /// Set when this network was blocked while the session was under way: the next command closes it.
    blocked: Option<Reply>,
    open: Option<Open>,
    /// A refusal of the whole connection, for the log.
    refused: Option<Refusal>,
    /// The place among the connections counted.
    presence: Option<Presence>,
    /// Whether this connection has brought a MAIL command.
    mail_seen: bool,
    /// Messages of this connection that have taught something about its client.
    experiences: u64,
    /// Kept for [`Session::seen`].
    witness: Option<shadow::Witness>,
}

impl Engine {
    /// Begins a session. It keeps this engine, and with it the configuration, until it ends.
    pub fn session(self: &Arc<Self>, options: SessionOptions) -> Session {
        let journal = match (&options.replay, options.record) {
            (Some(answers), _) => Journal::replaying(answers.clone()),
            (None, true) => Journal::recording(),
            (None, false) => Journal::default(),
        };
        Session {
            engine: Arc::clone(self),
            witness: options.witness.then(shadow::Witness::default),
            options,
            journal: Arc::new(journal),
            events: Vec::new(),
            explanations: Vec::new(),
            connection: Connection::default(),
            local_submission: false,
            command: Deadline::after(self.deadlines.reply),
            standing: Standing::Unlisted,
            country: None,
            reputation: Pending::Never,
            tally: Tally::default(),
            blocked: None,
            open: None,
            refused: None,
            presence: None,
            mail_seen: false,
            experiences: 0,
        }
    }
}

impl Session {
    /// A client has connected. Its address is looked up while it sends its next commands.
    pub async fn connect(&mut self, facts: ConnectFacts) -> Answer {
        self.begin_command();
        let (refuse_at, host) = (self.options.refuse_at, self.options.host);
        self.record_command(|| Event::Connect {
            time: facts.time,
            client_ip: facts.client_ip,
            client_name: facts.client_name.clone(),
            mta_name: facts.mta_name.clone(),
            local_submission: facts.local_submission,
            refuse_at,
            host,
        });
        self.standing = match facts.client_ip {
            None if !facts.local_submission => Standing::Unlisted,
            ip => self.engine.reputation.standing(ip),
        };
        self.local_submission = facts.local_submission;
        self.tally = Tally::default();
        self.blocked = None;
        self.experiences = 0;
        self.open = None;
        self.connection = Connection {
            client_ip: facts.client_ip,
            client_name: facts.client_name,
            mta_name: facts.mta_name,
            ..Connection::default()
        };
        self.enter(facts.time);
        self.country = self.find_country().await;
        self.reputation = Pending::Never;
        // Under a flood, lookups for those who flood wait until one of their messages is admitted.
        let later = self.counted_network().is_some_and(|network| self.engine.shared.load.begins(network));
        if !later || self.options.refuse_at == RefuseAt::Connect {
            self.start_reputation(facts.time);
        }
        if self.options.refuse_at == RefuseAt::Connect {
            let judgement = self.judge_client().await;
            if let Some(reply) = judgement.reply.clone() {
                let because = "reputation of the client";
                return self.refuse_early(facts.time, Stage::Connect, &judgement.findings, reply, because);
            }
        }
        Answer::default()
    }

    /// HELO or EHLO. A second one, after STARTTLS, replaces the first.
    pub fn helo(&mut self, name: &[u8], tls: Option<Tls>) {
        self.record_command(|| Event::Helo { name: Bytes::from(name), tls: tls.clone() });
        self.connection.helo = Some(String::from_utf8_lossy(name).into_owned());
        if tls.is_some() {
            self.connection.tls = tls;
        }
    }

    /// MAIL: a new transaction. What is known of the client may be answered here.
    pub async fn mail(&mut self, facts: MailFacts<'_>) -> Answer {
        self.record_command(|| Event::Mail {
            time: facts.time,
            sender: Bytes::from(facts.sender),
            parameters: facts.parameters.iter().map(|p| Bytes::from(*p)).collect(),
            login: facts.login.clone(),
            tls: facts.tls.clone(),
        });
        self.begin_command();
        self.guarded(|session| session.judge_mail(facts).boxed()).await
    }

    /// RCPT. `refused_by_mta` is set if the MTA has refused this recipient itself: then it is only counted.
    pub async fn rcpt(&mut self, time: i64, recipient: &[u8], refused_by_mta: Option<RefusedByMta>) -> Answer {
        self.record_command(|| Event::Rcpt {
            time,
            recipient: Bytes::from(recipient),
            refused_by_mta: refused_by_mta.clone(),
        });
        self.begin_command();
        self.guarded(|session| session.judge_rcpt(time, recipient, refused_by_mta).boxed()).await
    }

    /// A header field; `value` keeps its leading blank.
    pub fn header(&mut self, name: &[u8], value: &[u8]) {
        self.record(|| Event::Header { name: Bytes::from(name), value: Bytes::from(value) });
        if let Some(open) = &mut self.open {
            open.transaction.message.header(name, value, &self.engine.limits);
        }
    }

    /// The empty line after the header.
    pub fn end_of_header(&mut self) {
        self.record(|| Event::EndOfHeader);
        if let Some(open) = &mut self.open {
            open.transaction.message.end_of_header();
        }
    }

    /// A piece of the body, cut anywhere. Returns whether more is wanted.
    pub fn body(&mut self, piece: &[u8]) -> bool {
        self.record(|| Event::Body(Bytes::from(piece)));
        self.open.as_mut().is_some_and(|open| open.transaction.message.body(piece, &self.engine.limits))
    }

    /// Header and body at once, in wire form.
    pub fn whole_message(&mut self, raw: &[u8]) {
        self.record(|| Event::Whole(Bytes::from(raw)));
        if let Some(open) = &mut self.open {
            open.transaction.message.whole(raw, &self.engine.limits);
        }
    }

    /// The end of a message: everything about it is judged.
    pub async fn end_of_message(&mut self, time: i64, queue_id: Option<String>) -> Judged {
        self.record(|| Event::EndOfMessage { time, queue_id: queue_id.clone() });
        let judged = match self.open.take() {
            Some(open) => self.judge_open(time, queue_id, open).await,
            None => self.judged_without_check(time, queue_id, None, "internal.no-transaction"),
        };
        self.record_explanation(&judged.report);
        judged
    }

    /// RSET, a new HELO, or the end of the connection: the transaction is dropped whole. The report tells of commands
    /// that were refused in it.
    pub async fn abort(&mut self, time: i64) -> Option<Refusal> {
        self.begin_command();
        if self.open.is_some() || self.refused.is_some() {
            self.record(|| Event::Abort);
        }
        let refusal = match self.open.take() {
            Some(open) => self.drop_open(time, open).await,
            None => self.refused.take(),
        }?;
        self.record_explanation(&refusal.report);
        Some(refusal)
    }

    /// The MTA's name of the message under way, where it has one before the end. It decides nothing.
    pub fn set_queue_id(&mut self, queue_id: Option<String>) {
        if let Some(open) = &mut self.open {
            open.transaction.queue_id = queue_id;
        }
    }

    /// What was seen so far, with the answers of all lookups; `None` unless the session is recorded.
    pub fn recording(&self) -> Option<Recording> {
        self.options.record.then(|| Recording {
            events: self.events.clone(),
            answers: self.journal.answers(),
            explanations: self.explanations.clone(),
        })
    }

    /// Plays one event of a recording, other than the end of a message and an abort.
    pub async fn replay(&mut self, event: Event) -> Answer {
        match event {
            Event::Connect { time, client_ip, client_name, mta_name, local_submission, refuse_at, host } => {
                (self.options.refuse_at, self.options.host) = (refuse_at, host);
                self.connect(ConnectFacts { time, client_ip, client_name, mta_name, local_submission }).await
            }
            Event::Helo { name, tls } => {
                self.helo(&name.0, tls);
                Answer::default()
            }
            Event::Mail { time, sender, parameters, login, tls } => {
                let parameters = parameters.iter().map(|p| &p.0[..]).collect();
                self.mail(MailFacts { time, sender: &sender.0, parameters, login, tls }).await
            }
            Event::Rcpt { time, recipient, refused_by_mta } => self.rcpt(time, &recipient.0, refused_by_mta).await,
            Event::Header { name, value } => {
                self.header(&name.0, &value.0);
                Answer::default()
            }
            Event::EndOfHeader => {
                self.end_of_header();
                Answer::default()
            }
            Event::Body(piece) => {
                self.body(&piece.0);
                Answer::default()
            }
            Event::Whole(raw) => {
                self.whole_message(&raw.0);
                Answer::default()
            }
            Event::EndOfMessage { .. } | Event::Abort => Answer::default(),
        }
    }
}

// The judgements behind the commands, in the order of the mail.
impl Session {
    async fn judge_mail(&mut self, facts: MailFacts<'_>) -> Answer {
        let engine = Arc::clone(&self.engine);
        self.connection.login = facts.login;
        if facts.tls.is_some() {
            self.connection.tls = facts.tls;
        }
        let sender = match self.reverse_path(facts.sender) {
            Ok(sender) => sender,
            Err(error) => {
                tracing::debug!(%error, "malformed sender");
                let reply = Reply::fixed(501, (5, 1, 7), "Bad sender address syntax");
                return self.refuse_early(facts.time, Stage::Mail, &[], reply, "malformed address");
            }
        };
        let Admitted { ticket, finding, deferral } = match self.admit_mail(facts.time).await {
            Ok(admitted) => admitted,
            Err(answer) => return answer,
        };
        let outbound = self.connection.login.is_some() || matches!(self.standing, Standing::Internal);
        let direction = if outbound { Direction::Outbound } else { Direction::Inbound };
        let transaction = Transaction {
            sender,
            direction,
            recipients: Vec::new(),
            queue_id: None,
            message: RawMessage::new(Some(ticket)),
        };
        self.tally.begin(transaction.sender.mailbox().is_none());
        engine.shared.load.watch().follow(&transaction.message);
        let mut open = Open::new(transaction, engine.reference());
        open.findings.extend(finding);
        open.refuse_recipients = deferral;
        if direction == Direction::Inbound && !self.is_relay() {
            open.spf = self.start_spf(&open.transaction.sender);
        }
        self.open = Some(open);
        let refusal = match self.judge_user(facts.time).await {
            Some(refusal) => Some(refusal),
            None => self.early_refusal(facts.time, Stage::Mail, RefuseAt::Mail).await,
        };
        match refusal {
            Some((reply, because)) => {
                // No message will follow: its place among those in flight is free.
                if let Some(open) = &mut self.open {
                    drop(open.transaction.message.take());
                }
                self.refuse(Stage::Mail, None, reply, because)
            }
            None => Answer::default(),
        }
    }

    /// What the client's network has earned: a running block of directory harvest protection, or a bad reputation.
    /// `at` says which of the two MAIL and RCPT this is.
    async fn early_refusal(&mut self, time: i64, stage: Stage, at: RefuseAt) -> Option<(Reply, &'static str)> {
        let trial = self.engine.policy.trial.is_some();
        if let Some(reply) = self.blocked.as_ref().filter(|_| stage == Stage::Rcpt || !trial) {
            return Some((reply.clone(), "directory harvest"));
        }
        // A transaction that was open when another session brought the block on must not go on asking either.
        if (stage == Stage::Rcpt || !trial)
            && let Some(reply) = self.harvest_block(time, stage).await
        {
            return Some((reply, "directory harvest"));
        }
        // With a trial nobody is refused before the recipient is known.
        let refuse_at = if trial { RefuseAt::Rcpt } else { self.options.refuse_at };
        if refuse_at == at && self.direction() == Some(Direction::Inbound) {
            if self.open.as_ref().is_some_and(|open| open.client.is_none()) {
                let judgement = self.judge_client().await;
                self.open.as_mut()?.client = Some(judgement);
            }
            let reply = self.open.as_ref()?.client.as_ref()?.reply.clone()?;
            return Some((reply, "reputation of the client"));
        }
        None
    }

    async fn judge_open(&mut self, time: i64, queue_id: Option<String>, mut open: Open) -> Judged {
        open.transaction.queue_id.clone_from(&queue_id);
        let judged = match AssertUnwindSafe(self.judge_message(time, &mut open)).catch_unwind().await {
            Ok(judged) => judged,
            Err(_) => self.judged_without_check(time, queue_id, Some(&open), "internal.panic"),
        };
        let judged = self.commit(judged).await;
        self.post(&judged, open.letters).await;
        judged
    }

    /// The end of a transaction without a message.
    async fn drop_open(&mut self, time: i64, open: Open) -> Option<Refusal> {
        if self.counted_network().is_some() {
            self.engine.shared.load.given_up();
        }
        self.count_transaction(time, &open, false).await;
        let (reply, explanation) = open.explain_refusals(&self.connection)?;
        let report =
            Report { reference: open.reference, time, queue_id: open.transaction.queue_id.clone(), explanation };
        self.engine.shared.record(report.row());
        Some(Refusal { reply, report })
    }

    async fn judge_message(&mut self, time: i64, open: &mut Open) -> Judged {
        let engine = &Arc::clone(&self.engine);
        let deadline = Deadline::after(engine.deadlines.message);
        let overflow = open.transaction.message.overflow();
        let (raw, place) = open.transaction.message.take();
        let place = place.map(Arc::new);
        let raw = bytes::Bytes::from(raw);
        if let Some(witness) = &mut self.witness {
            witness.raw = Some(raw.clone());
        }
        if let Some(limit) = overflow.and_then(site_limit) {
            tracing::warn!(limit, "a limit is reached; deferring");
            return self.deferred(time, open, limit);
        }
        self.note(rates::Kind::Bytes, raw.len() as u64, time);

        if open.transaction.recipients.is_empty() {
            return self.deferred(time, open, "internal.no-recipient");
        }

        let whole = overflow.is_none();
        let release_fields = match self.released(time, open, &raw, whole, deadline).await {
            Ok(fields) => fields,
            Err(judged) => return judged,
        };

        let spf = match open.spf.answer().await {
            Ok(spf) => spf.cloned(),
            Err(Panicked) => return self.deferred(time, open, "internal.panic"),
        };
        let direction = open.transaction.direction;
        let service = self.reach_scan_service(deadline).await;
        let served = service.is_some() || self.journal.is_replay();
        let (rules, scan) = content::divide(service, &raw, deadline);
        let rules = if self.journal.has_answer("scan") { content::Rules::Nobody } else { rules };
        let network = self.counted_network();
        let content = content::judge(engine, network, &self.connection, &open.transaction, raw.clone(), rules, time);
        let content = async {
            let content = deadline.bound(content).await;
            let listed = self.ask_content_lists(&content, deadline).await;
            (content, listed)
        };
        let scan = engine.shared.meter.ask_if_any(Service::Scan, scan);
        // Where this process scans there is nothing to record: a replay scans anew.
        let scan = async { if served { self.journal.ask("scan", scan).await } else { None } };
        let clamd = malware::ask(&engine.malware, engine.shared.script(), &raw, deadline);
        let clamd = self.journal.ask("clamd", engine.shared.meter.ask_if_any(Service::Clamd, clamd));
        let unasked = SpfResults::default();
        let authentication = async {
            // Without the end of the body nothing can be said about its signatures, nor by DMARC.
            match whole {
                true => {
                    let started = std::time::Instant::now();
                    let results = self.verify(&raw, direction, spf.as_ref().unwrap_or(&unasked), deadline).await;
                    engine.shared.meter.worked(Work::Authentication, started);
                    results
                }
                false => None,
            }
        };
        let ((content, listed), scan, clamd, authentication) = tokio::join!(content, scan, clamd, authentication);
        if let Some(witness) = &mut self.witness {
            witness.clamd = clamd.as_ref().and_then(|answer| serde_json::to_value(answer).ok());
        }
        let Content { facts, scan: seen, mut findings, learned, forged, questions: _ } = match content {
            Outcome::Done(Ok(content)) => content,
            Outcome::Done(Err(Unjudged::Panicked)) => return self.deferred(time, open, "internal.panic"),
            Outcome::Done(Err(Unjudged::Overloaded)) => return self.deferred(time, open, "rates.load"),
            _ => return self.deferred(time, open, "deadline.message"),
        };

        // The model learns on: a recording keeps what it said.
        let learned = self.journal.ask("classifier", async { learned }).await;
        findings.extend(learned.as_ref().and_then(spam::classifier::finding));

        let mut judgement = Judgement { findings, reply: overflow.and_then(overflow_reply) };
        judgement.findings.append(&mut open.findings);
        judgement.findings.extend(engine.shared.script().iter().flat_map(|script| script.findings.clone()));
        judgement.merge(Judgement { findings: Vec::new(), reply: open.refuse_message.take() });
        judgement.findings.extend(overflow.map(overflow_finding));
        let mut client = match open.client.take() {
            Some(client) => client,
            None => self.judge_client().await,
        };
        // A refusal for the client's reputation was given at its command or withheld for postmaster and abuse.
        client.reply = client.reply.filter(Reply::is_temporary);
        judgement.merge(client);
        if let Some(spf) = &spf {
            judgement.merge(engine.authenticator.judge_spf(spf));
        }
        if let Some(results) = &authentication {
            judgement.merge(match self.is_relay() {
                true => engine.authenticator.judge(results).without("dmarc.").without("from."),
                false => engine.authenticator.judge(results),
            });
        }
        if direction == Direction::Inbound
            && let (false, Some(results)) = (self.is_relay() || self.local_submission, &authentication)
            && results.dmarc.result != authentication::DmarcResult::Temperror
        {
            let proven = learned::authenticated_domain(results, spf.as_ref()).is_some();
            let is_list = facts.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("List-Id"));
            judgement.findings.extend(engine.phishing.judge_author(&results.from.domains, proven, is_list));
        }
        let seen = seen.completed_by(scan);
        if let Some(witness) = &mut self.witness {
            witness.scan = serde_json::to_value(Outcome::Done(&seen)).ok();
        }
        judgement.merge(malware::judge(&engine.malware, &seen, clamd.as_ref()));
        judgement.merge(reputation::content::judge(&engine.reputation.settings().content, &listed));
        let authenticated = (spf.as_ref(), authentication.as_ref());
        let (sender, findings) = self.judge_sender(time, open, &facts, authenticated, deadline).await;
        judgement.findings.extend(findings);
        let Judgement { findings, reply: rights } = self.judge_authors(&raw, overflow, deadline).await;
        judgement.findings.extend(findings);

        let to_seal = match whole {
            true => self.results_to_seal(time, open, &raw, &facts, authenticated, deadline).await,
            false => None,
        };
        let card = score::add_up(judgement.findings, &engine.score.overrides);
        let message = &facts;
        let facts = Facts {
            direction: open.transaction.direction,
            sender: &open.transaction.sender,
            connection: &self.connection,
            country: self.country.as_deref(),
            time,
            recipients: &open.transaction.recipients,
            card: &card,
            message,
            authentication: &words(spf.as_ref(), authentication.as_ref()),
            early: rights.as_ref().or(judgement.reply.as_ref()),
            early_of_outbound: rights.is_some(),
            complete: whole,
            host: self.options.host,
        };
        let mut decision = policy::decide(&engine.policy, engine.score.thresholds, &facts);
        if let Err(why) = content::rewrite(engine, &raw, whole, open.reference, &mut decision).await {
            decision = policy::decide_unstripped(&engine.policy, engine.score.thresholds, &facts, why);
            content::rewrite(engine, &raw, whole, open.reference, &mut decision).await.unwrap_or_default();
        }
        if self.options.tell_not_matched {
            policy::add_not_matched(&engine.policy, engine.score.thresholds, &facts, &mut decision);
        }
        let broken = authentication
            .as_ref()
            .map(|results| authentication::broken_by(&decision.verdict.edits, message, results))
            .unwrap_or_default();
        let mut signatures = self.sign(time, open, &raw, whole, &mut decision).await;
        if let Some(results) = to_seal {
            signatures = self.seal(&raw, results, &mut decision, deadline).await;
        }
        self.tag_sender(time, open, &mut decision);
        let mut explanation = Explanation::of_message(&facts, &decision);
        explanation.add_findings(broken);
        explanation.signed.clone_from(&signatures.labels);
        let sender_is_proved = self.is_own_sender(open)
            || authentication::proves_sender(
                &open.transaction.sender,
                &message.from,
                spf.as_ref(),
                authentication.as_ref(),
            );
        // A notice is not worth a notice.
        let told = if notice::is_ours(engine.shared.site_key(), &raw) { Vec::new() } else { decision.told.clone() };
        let (notices, explained) = notice::plan(&engine.notices, &engine.policy, &told, &facts, sender_is_proved);
        explanation.notices = explained;
        self.learn(time, open, message, &card, &decision, &sender).await;
        if decision.verdict.action == Action::Accept && self.options.host.edit_header {
            decision.verdict.edits.extend(
                forged
                    .into_iter()
                    .map(|occurrence| Edit::RemoveHeader { name: "Authentication-Results".to_owned(), occurrence }),
            );
            decision.verdict.edits.extend(self.without_release(release_fields));
            if let Some(results) = &authentication {
                decision.verdict.edits.push(self.results_header(spf.as_ref(), results).await);
            }
        }
        signatures.add_to(&mut decision.verdict.edits);
        let judged = self.finish(time, open, explanation, decision).await;
        let judged = self.keep(judged, open, &raw, &place, message).await;
        open.letters = self.letters(&judged, &notices, &card, message);
        judged
    }
}

/// The results in the words that policies use.
fn words(spf: Option<&SpfResults>, results: Option<&Results>) -> AuthenticationResults {
    let spf = spf.and_then(|spf| spf.mail.as_ref().or(spf.helo.as_ref())).map(|identity| identity.result.word());
    let Some(results) = results else { return AuthenticationResults::default() };
    AuthenticationResults {
        spf: spf.unwrap_or_default().to_owned(),
        dkim: results.signatures.iter().map(|signature| signature.result.word().to_owned()).collect(),
        arc: results.arc.result.word().to_owned(),
        dmarc: results.dmarc.result.word().to_owned(),
    }
}
