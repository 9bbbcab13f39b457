//! Flood protection, as the stages use it: rates, connections at a time, and the load of the machine.

use super::{
    Answer, Session,
    harvest::{HISTORY, TRUSTED_MESSAGES},
    learned,
    pending::Pending,
};
use crate::{
    explain::Stage,
    lookup::Deadline,
    reputation::rates::{self, Books, Counts, Excess, Kind, Mode, Trust},
    session::{ClientNetwork, Full, Ticket},
    verdict::{Finding, Points, Reply},
};
use std::{sync::Arc, time::Duration};

/// What a delivered message must be like to count for trust: as harvest protection has it.
const TRUST: Trust = Trust { messages: TRUSTED_MESSAGES, window: HISTORY };

/// Why a message is deferred that comes while work waits for processors.
const BUSY: &str = "load of the machine";

/// What follows for a MAIL command.
enum Flood {
    /// It goes on, with a finding if something was only observed.
    Pass(Option<Finding>),
    /// It is deferred.
    Defer { finding: Finding, reply: Reply, because: &'static str },
}

/// A message that may come.
pub(super) struct Admitted {
    /// Its place among those in flight.
    pub(super) ticket: Ticket,
    /// What was observed.
    pub(super) finding: Option<Finding>,
    /// With a trial: what those recipients hear for whom verdicts act.
    pub(super) deferral: Option<(Reply, &'static str)>,
}

impl Session {
    /// The network whose rates count and which has a share of the machine: `None` if the client is exempt.
    pub(super) fn counted_network(&self) -> Option<ClientNetwork> {
        self.network().filter(|_| self.is_counted())
    }

    /// A connection begins.
    pub(super) fn enter(&mut self, time: i64) {
        self.presence = None;
        self.mail_seen = false;
        let network = self.counted_network();
        self.presence = Some(self.engine.shared.in_flight.enter(network));
        self.note(Kind::Connections, 1, time);
    }

    fn books(&self) -> Books<'_> {
        let shared = &self.engine.shared;
        Books { settings: &self.engine.rates, meter: &shared.traffic, ledger: &shared.ledger }
    }

    /// Counts something of this client.
    pub(super) fn note(&self, kind: Kind, amount: u64, time: i64) {
        if self.engine.rates.mode == Mode::Off {
            return;
        }
        if let Some(network) = self.counted_network() {
            rates::note(self.books(), network, Counts::only(kind, amount), time);
        }
    }

    /// Judges MAIL by rates and load.
    async fn judge_flood(&mut self, time: i64) -> Flood {
        let engine = Arc::clone(&self.engine);
        let settings = &engine.rates;
        let Some(network) = self.counted_network() else { return Flood::Pass(None) };
        if settings.mode == Mode::Off {
            return Flood::Pass(None);
        }
        let new_connection = !std::mem::replace(&mut self.mail_seen, true);
        let found =
            self.past_limit(network, new_connection, time).await.map(|excess| (excess, excess.finding(settings)));
        match found {
            Some((excess, finding)) if settings.mode == Mode::Enforce => {
                let (reply, because) = (excess.reply(), excess.because());
                return Flood::Defer { finding, reply, because };
            }
            Some((_, finding)) => return Flood::Pass(Some(finding)),
            None => {}
        }
        let live = async {
            let shared = &engine.shared;
            if shared.load.wants_to_know(network) {
                let keys = [format!("delivered/{network}")];
                let delivered = shared.ledger.read(&keys, time, self.reply_deadline()).await;
                let delivered = delivered.done().and_then(|all| all.first());
                // A bucket that is over: what the flood itself delivered is not in it.
                if delivered.is_some_and(|days| days.0.iter().any(|(start, _)| start + HISTORY.bucket <= time)) {
                    shared.load.remember(network);
                }
            }
            shared.load.admit(network)
        };
        if !self.journal.ask("load", live).await {
            let finding = Finding::new("rates.load", Points::ZERO, "[rates] delay");
            let finding = finding.fact("work waits for processors, and this network asks for more than its share");
            return Flood::Defer { finding, reply: busy(), because: BUSY };
        }
        Flood::Pass(None)
    }

    /// Judges one more recipient by its rate.
    pub(super) async fn judge_recipient_rate(&mut self, time: i64) -> Option<(Reply, &'static str)> {
        let engine = Arc::clone(&self.engine);
        let network = self.counted_network()?;
        if engine.rates.mode == Mode::Off {
            return None;
        }
        let excess = self.past_limit(network, false, time).await?;
        if !matches!(excess.what, rates::What::Rate(Kind::Recipients)) {
            return None;
        }
        self.find(excess.finding(&engine.rates));
        (engine.rates.mode == Mode::Enforce).then(|| (excess.reply(), excess.because()))
    }

    async fn past_limit(&self, network: ClientNetwork, new_connection: bool, time: i64) -> Option<Excess> {
        let at_once = match &self.presence {
            Some(presence) if new_connection => (presence.of_network() as u64, presence.of_site() as u64),
            _ => (0, 0),
        };
        let deadline = self.reply_deadline();
        let live = rates::ask(self.books(), network, at_once, TRUST, time, deadline);
        let answers = self.journal.ask("rates", live).await;
        rates::judge(&self.engine.rates, &answers, new_connection)
    }

    /// A place for the message that MAIL announces, unless rates, load or limits defer it.
    pub(super) async fn admit_mail(&mut self, time: i64) -> Result<Admitted, Answer> {
        let (finding, deferral) = match self.judge_flood(time).await {
            Flood::Pass(finding) => (finding, None),
            // With a trial nobody is deferred before the recipient is known.
            Flood::Defer { finding, reply, because } if self.engine.policy.trial.is_some() => {
                (Some(finding), Some((reply, because)))
            }
            Flood::Defer { finding, reply, because } => return Err(self.defer_flood(time, finding, reply, because)),
        };
        let place = self.engine.shared.in_flight.admit(&self.engine.limits, self.counted_network());
        let ticket = place.map_err(|full| {
            let (finding, reply, because) = no_place(full);
            self.defer_flood(time, finding, reply, because)
        })?;
        self.note(Kind::Messages, 1, time);
        self.start_reputation(time);
        Ok(Admitted { ticket, finding, deferral })
    }

    /// Defers a MAIL command. The first time in a while it is reported; then the network hears the same again, so that
    /// a flood does not fill log and history.
    fn defer_flood(&mut self, time: i64, finding: Finding, reply: Reply, because: &'static str) -> Answer {
        let meter = self.engine.shared.traffic.clone();
        let network = self.counted_network();
        let pause = if because == BUSY { self.engine.shared.load.refuse() } else { Duration::ZERO };
        if let Some((reply, reference)) = network.and_then(|network| meter.repeated(network, because, time)) {
            return Answer::reply(reply, reference).after(pause);
        }
        let answer = self.refuse_early(time, Stage::Mail, &[finding], reply.clone(), because);
        if let (Some(network), Some((_, reference))) = (network, &answer.reply) {
            let repeats = meter.refused(network, because, &reply, *reference, time);
            if repeats > 0 {
                tracing::warn!(%network, repeats, "deferred repeatedly since the last report");
            }
        }
        answer.after(pause)
    }

    /// Looks the client up, unless that has begun.
    pub(super) fn start_reputation(&mut self, time: i64) {
        if let (Pending::Never, Some(ip), false) = (&self.reputation, self.connection.client_ip, self.is_trusted()) {
            // Half of a reply's time: the directory, which is asked later, keeps the rest.
            let deadline = Deadline::after(self.engine.deadlines.reply / 2);
            let (engine, journal) = (Arc::clone(&self.engine), Arc::clone(&self.journal));
            self.reputation = Pending::start(async move {
                let room = engine.reputation.learned();
                let history = room.ask(room.client(ip), &engine.shared.ledger, time, deadline);
                let answers = engine.reputation.look_up(ip, &engine.dns, deadline);
                journal.ask("reputation", learned::with_history(answers, history)).await
            });
        }
    }
}

/// What follows if there is no place among the messages in flight.
fn no_place(full: Full) -> (Finding, Reply, &'static str) {
    let finding = Finding::new("limit.messages-in-flight", Points::ZERO, "[limits]");
    let reply = Reply::fixed(452, (4, 3, 1), "Too many messages at the moment, try again later");
    match full {
        Full::Site => (finding, reply, "limit of messages in flight"),
        Full::Share => (finding.fact("the share of its network"), reply, "share of messages in flight"),
    }
}

/// What the client hears when the machine is busy.
pub(super) fn busy() -> Reply {
    Reply::fixed(451, (4, 3, 2), "This system is busy, please try again later")
}
