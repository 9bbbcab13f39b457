//! Directory harvest protection: who asks for many recipients that do not exist is blocked for a while, and what the
//! block answers tells nothing about who exists.
//!
//! Clients are counted by network (IPv4 by address, IPv6 by /64), from our own refusals and from those the MTA
//! reports. Unknown recipients count at once; existing ones are kept in the session's [`Tally`], stand beside the unknown
//! ones of their transaction, and count for good when its message is taken: harvests in one session and in many look
//! the same, and repeating a known address hides none.
//! Sources of the numbers: the settings that Trend Micro (messages rule), Cisco (25 an hour), and Postfix (session)
//! document.

mod judge;
mod settings;
mod tally;

pub use judge::{Allowance, History, Reason, SessionAnswer, judge_network, judge_session};
pub use settings::{Mode, Settings};
pub use tally::{Counts, Ended, Tally, Unknown};

use crate::{
    lookup::{Deadline, Outcome},
    session::ClientNetwork,
    store::{Answer, Counters, Ledger, Op, Window},
    verdict::{Finding, Points, Reply},
};
use serde::{Deserialize, Serialize};
use std::{sync::OnceLock, time::Duration};

/// How long a block that was seen is believed without asking the counters again. A release takes so long at most.
const REMEMBER: Duration = Duration::from_secs(10);
/// Most blocks kept in memory. Unit: networks.
const REMEMBERED: u64 = 100_000;
/// How long the first start is remembered. Unit: seconds; ten years.
const FOREVER: i64 = 10 * 365 * 86_400;
/// Most blocks listed. Unit: networks.
const LISTED: u32 = 10_000;
/// Bucket of the counters. Unit: seconds.
const BUCKET: i64 = 10;

/// What is known about the network beside its recipients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It has delivered wanted mail here before.
    Trusted,
    /// Nothing is known.
    #[default]
    Neutral,
    /// Its reputation is bad.
    Bad,
}

/// Whom an observation is about.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The client.
    pub network: ClientNetwork,
    /// What is known about it.
    pub standing: Standing,
    /// Internal networks, relays and allowed networks: never counted, never blocked.
    pub exempt: bool,
    /// Whether the sender is `<>`.
    pub null_sender: bool,
    /// Domain of the recipient.
    pub domain: String,
    /// The directory is suspected to have lost its entries: nothing counts then, and nobody is blocked.
    pub directory_suspect: bool,
    /// Unix seconds.
    pub now: i64,
}

/// A running block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The network, as `ClientNetwork` prints it.
    pub network: String,
    /// Since when, in Unix seconds.
    pub since: i64,
    /// Until when, in Unix seconds.
    pub until: i64,
    /// How often the network was blocked lately, this time included.
    pub strikes: u32,
    /// Why.
    pub reason: Reason,
    /// False if it was set while only observing: it refuses nothing.
    pub enforced: bool,
}

/// Whether a network is blocked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockState {
    /// The block that refuses its mail.
    pub block: Option<Block>,
    /// The counters could not be asked; mail goes on.
    pub trouble: Option<String>,
}

impl BlockState {
    /// Until when the network is blocked, in Unix seconds.
    pub fn blocked_until(&self) -> Option<i64> {
        self.block.as_ref().map(|block| block.until)
    }

    /// The answer to MAIL.
    pub fn reply_at_mail(&self) -> Option<Reply> {
        self.block.as_ref().map(|_| Reply::fixed(450, (4, 7, 1), "Please try again later"))
    }

    /// The answer to the next command of a session that was under way.
    pub fn reply_in_session(&self) -> Option<Reply> {
        self.block.as_ref().map(|_| closing())
    }
}

/// What follows from one unknown recipient, or from the end of a transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhaAnswer {
    /// How long the reply to this recipient waits.
    pub delay: Duration,
    /// Set if the session is to end: 421.
    pub reply: Option<Reply>,
    /// The block that was set just now.
    pub block_set: Option<Block>,
    /// For log and history; no points.
    pub findings: Vec<Finding>,
}

/// The harvest protection of a site.
#[derive(Debug)]
pub struct Dha {
    settings: Settings,
    counters: Counters,
    ledger: Ledger,
    seen: moka::sync::Cache<ClientNetwork, Block>,
    first_start: OnceLock<i64>,
}

impl Dha {
    /// Over the shared counters.
    pub fn new(settings: Settings, counters: Counters) -> Self {
        let seen = moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBER).build();
        Dha { settings, ledger: Ledger::new(counters.clone()), counters, seen, first_start: OnceLock::new() }
    }

    /// When the site first used harvest protection, in Unix seconds; noted now if it never did.
    pub async fn first_start(&self, now: i64, deadline: Deadline) -> Outcome<i64> {
        if let Some(&first) = self.first_start.get() {
            return Outcome::Done(first);
        }
        let key = "dha.first-start";
        let known = match self.counters.get(key, now, deadline).await {
            Outcome::Done(value) => value.and_then(|v| v.parse().ok()),
            Outcome::TimedOut => return Outcome::TimedOut,
            Outcome::Unavailable { why } => return Outcome::Unavailable { why },
        };
        let first: i64 = match known {
            Some(first) => first,
            None => {
                let put = self.counters.put(key, &now.to_string(), now.saturating_add(FOREVER), now, deadline).await;
                if let Some(why) = put.trouble() {
                    return Outcome::Unavailable { why };
                }
                now
            }
        };
        Outcome::Done(*self.first_start.get_or_init(|| first))
    }

    /// Whether blocks act now. Without counters they do not.
    pub async fn enforces(&self, now: i64, deadline: Deadline) -> bool {
        match self.settings.mode {
            Mode::Off | Mode::Observe => false,
            Mode::Enforce => true,
            Mode::Auto => match self.first_start(now, deadline).await {
                Outcome::Done(first) => now.saturating_sub(first) >= seconds(self.settings.observe_for),
                _ => false,
            },
        }
    }

    /// Whether the network is blocked; to be asked at MAIL, and at RCPT if the session began before.
    pub async fn blocked(&self, network: ClientNetwork, now: i64, deadline: Deadline) -> BlockState {
        if !self.enforces(now, deadline).await {
            return BlockState::default();
        }
        if let Some(block) = self.seen.get(&network).filter(|block| block.until > now) {
            return BlockState { block: Some(block), trouble: None };
        }
        match self.ledger.entry(&block_key(network), now, deadline).await {
            Outcome::Done(value) => {
                let block = value.and_then(|v| read_block(&v)).filter(|b| b.enforced && b.until > now);
                if let Some(block) = &block {
                    self.seen.insert(network, block.clone());
                }
                BlockState { block, trouble: None }
            }
            trouble => BlockState { block: None, trouble: trouble.trouble() },
        }
    }

    /// Counts an unknown recipient, refused by us or by the MTA, and tells what follows.
    pub async fn unknown_recipient(&self, about: &Observation, unknown: Unknown, deadline: Deadline) -> DhaAnswer {
        if self.passes_over(about) {
            return DhaAnswer::default();
        }
        let adds = vec![self.add(about, "u", 1)];
        let (answer, history) = self.count(about, adds, unknown.known, deadline).await;
        let Some((history, allowance)) = history else { return answer };
        if history.hour.unknown >= self.settings.distributed_unknown && history.hour.unknown_percent() >= 50 {
            let expires = about.now.saturating_add(seconds(self.settings.window));
            let key = format!("{}{}", probe_prefix(&about.domain), about.network);
            self.counters.put(&key, "", expires, about.now, deadline).await;
        }
        let enforces = self.enforces(about.now, deadline).await;
        let session = judge_session(&unknown.session, &self.settings, allowance);
        let mut answer = self.block_if(about, answer, &history, allowance, enforces, deadline).await;
        if enforces {
            answer.delay = session.delay;
            if session.disconnect {
                answer.reply = Some(closing());
            }
        }
        if session.disconnect {
            let id = if enforces { "dha.session" } else { "dha.would-disconnect" };
            let finding = Finding::new(id, Points::ZERO, "dha.session_disconnect_unknown");
            answer.findings.push(finding.fact(unknown.session.to_string()));
        }
        answer
    }

    /// Counts a transaction that ended, whatever its end, and its existing recipients if its message was taken.
    pub async fn transaction_ended(&self, about: &Observation, ended: Ended, deadline: Deadline) -> DhaAnswer {
        if self.passes_over(about) {
            return DhaAnswer::default();
        }
        let counts = ended.transaction;
        let bad = counts.total() > self.settings.message_recipients && counts.unknown > self.settings.message_unknown;
        let known = if ended.delivered { counts.known } else { 0 };
        if !bad {
            for (what, amount) in [("k", known), ("m", 1)] {
                self.ledger.add(&counter_key(about, what), amount, self.window(), about.now);
            }
            return DhaAnswer::default();
        }
        let adds = vec![self.add(about, "k", known), self.add(about, "m", 1), self.add(about, "b", 1)];
        let (answer, history) = self.count(about, adds, 0, deadline).await;
        let Some((history, allowance)) = history else { return answer };
        let enforces = self.enforces(about.now, deadline).await;
        self.block_if(about, answer, &history, allowance, enforces, deadline).await
    }

    /// The blocks that run now, those only observed included.
    pub async fn list(&self, now: i64, deadline: Deadline) -> Outcome<Vec<Block>> {
        let entries = self.counters.list(BLOCKS, LISTED, now, deadline).await;
        entries.map(|entries| entries.iter().filter_map(|e| read_block(&e.value)).filter(|b| b.until > now).collect())
    }

    /// Ends the block of a network and forgets what was counted. Tells whether there was one. Other processes notice
    /// within ten seconds.
    pub async fn release(&self, network: ClientNetwork, now: i64, deadline: Deadline) -> Outcome<bool> {
        self.seen.invalidate(&network);
        let ops = vec![
            Op::Get { key: block_key(network) },
            Op::Delete { key: block_key(network) },
            Op::Delete { key: strikes_key(network) },
            Op::Clear { prefix: format!("dha/mail/{network}/") },
            Op::Clear { prefix: format!("dha/null/{network}/") },
        ];
        let answers = self.counters.apply(now, ops, deadline).await;
        answers.map(|answers| answers.first().is_some_and(|a| a.value().is_some()))
    }

    fn passes_over(&self, about: &Observation) -> bool {
        about.exempt || about.directory_suspect || self.settings.mode == Mode::Off
    }

    fn window(&self) -> Window {
        Window { bucket: BUCKET, keep: seconds(self.settings.window).saturating_add(BUCKET) }
    }

    fn add(&self, about: &Observation, what: &str, amount: u64) -> Op {
        Op::Add { key: counter_key(about, what), amount, window: self.window() }
    }

    /// Applies the additions and reads what there is about the network; `known_now` are existing recipients that are not
    /// counted yet. Without counters: an answer that says so.
    async fn count(
        &self,
        about: &Observation,
        mut ops: Vec<Op>,
        known_now: u64,
        deadline: Deadline,
    ) -> (DhaAnswer, Option<(History, Allowance)>) {
        let adds = ops.len();
        let hour = about.now.saturating_sub(seconds(self.settings.window));
        let burst = about.now.saturating_sub(seconds(self.settings.burst_window));
        for (what, since) in [("u", hour), ("k", hour), ("u", burst), ("k", burst), ("m", hour), ("b", hour)] {
            ops.push(Op::Sum { key: counter_key(about, what), since, window: self.window() });
        }
        ops.push(Op::Count { prefix: probe_prefix(&about.domain) });
        let answers = match self.counters.apply(about.now, ops, deadline).await {
            Outcome::Done(answers) => answers,
            trouble => {
                let answer = DhaAnswer { findings: not_counted(&trouble), ..DhaAnswer::default() };
                return (answer, None);
            }
        };
        let number = |index: usize| answers.get(adds + index).map_or(0, Answer::number);
        let history = History {
            hour: Counts { unknown: number(0), known: number(1).saturating_add(known_now) },
            burst: Counts { unknown: number(2), known: number(3).saturating_add(known_now) },
            messages: number(4),
            bad_messages: number(5),
        };
        let distributed = number(6) >= self.settings.distributed_networks;
        let allowance = Allowance::of(about.standing, about.null_sender, distributed, &self.settings);
        (DhaAnswer::default(), Some((history, allowance)))
    }

    /// Sets a block if the history asks for one and none runs.
    async fn block_if(
        &self,
        about: &Observation,
        mut answer: DhaAnswer,
        history: &History,
        allowance: Allowance,
        enforced: bool,
        deadline: Deadline,
    ) -> DhaAnswer {
        let Some(reason) = judge_network(history, &self.settings, allowance) else { return answer };
        let (now, network) = (about.now, about.network);
        let ops = vec![Op::Get { key: block_key(network) }, Op::Get { key: strikes_key(network) }];
        let before = match self.counters.apply(now, ops, deadline).await {
            Outcome::Done(answers) => answers,
            trouble => {
                answer.findings.extend(not_counted(&trouble));
                return answer;
            }
        };
        let running = before.first().and_then(Answer::value).and_then(read_block).filter(|b| b.until > now);
        if let Some(running) = running
            && running.enforced >= enforced
        {
            if running.enforced && enforced {
                answer.reply = Some(closing());
            }
            return answer;
        }
        // What was only observed is no repetition: the first block that acts is a short one.
        let earlier: u32 = before.get(1).and_then(Answer::value).and_then(|v| v.parse().ok()).unwrap_or(0);
        let strikes = if enforced { earlier.saturating_add(1) } else { 1 };
        let until = now.saturating_add(self.settings.block_seconds(strikes));
        let block = Block { network: network.to_string(), since: now, until, strikes, reason, enforced };
        let Ok(value) = serde_json::to_string(&block) else { return answer };
        let mut ops = vec![Op::Put { key: block_key(network), value, expires: until }];
        if enforced {
            let expires = until.saturating_add(seconds(self.settings.block_memory));
            ops.push(Op::Put { key: strikes_key(network), value: strikes.to_string(), expires });
        }
        let written = self.counters.apply(now, ops, deadline).await;
        answer.findings.extend(not_counted(&written));
        let id = if enforced { "dha.block" } else { "dha.would-block" };
        let finding = Finding::new(id, Points::ZERO, reason.key());
        answer.findings.push(finding.fact(block.network.clone()).fact(history.to_string()));
        if enforced {
            self.seen.insert(network, block.clone());
            answer.reply = Some(closing());
        }
        answer.block_set = Some(block);
        answer
    }
}

/// The network that a person means: an address, or a network as `dha list` prints it.
pub fn network_named(text: &str) -> Option<ClientNetwork> {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    address.trim().parse().ok().map(ClientNetwork::of)
}

const BLOCKS: &str = "dha.block/";

fn block_key(network: ClientNetwork) -> String {
    format!("{BLOCKS}{network}")
}

fn strikes_key(network: ClientNetwork) -> String {
    format!("dha.strikes/{network}")
}

fn probe_prefix(domain: &str) -> String {
    format!("dha.probe/{domain}/")
}

fn counter_key(about: &Observation, what: &str) -> String {
    format!("dha/{}/{}/{what}", if about.null_sender { "null" } else { "mail" }, about.network)
}

fn read_block(value: &str) -> Option<Block> {
    serde_json::from_str(value).ok()
}

fn closing() -> Reply {
    Reply::fixed(421, (4, 7, 0), "Closing connection, please try again later")
}

fn not_counted<T>(outcome: &Outcome<T>) -> Vec<Finding> {
    let why = outcome.trouble();
    why.map(|why| Finding::new("dha.not-counted", Points::ZERO, "counters").fact(why)).into_iter().collect()
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
