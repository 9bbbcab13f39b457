//! What became of every message.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use super::letter::{Fate, Kind, Letter, Recipient};
use super::site::Site;
use crate::clock::wait_until;

/// How long the deliveries behind Postfix may take after the last reply.
const DELIVERY: Duration = Duration::from_secs(120);

/// The account of a run.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Messages sent.
    pub messages: u64,
    /// Transactions that this took.
    pub attempts: u64,
    /// Messages that were tried more than once.
    pub retried: u64,
    /// Times that the reply to a message's content was lost.
    pub lost_replies: u64,
    /// Recipients who got a message twice after a lost reply, as SMTP allows.
    pub duplicates: u64,
    /// How often each fault happened.
    pub faults: BTreeMap<&'static str, usize>,
    /// The longest time from the end of each fault until mail of every kind was settled again.
    pub recoveries: BTreeMap<&'static str, Duration>,
    /// Transactions in which something was deferred or cut off, by what failed when they began.
    pub deferred: BTreeMap<&'static str, u64>,
    /// Recipients by kind of message and final reply.
    pub outcomes: BTreeMap<String, u64>,
    /// The whole run.
    pub took: Duration,
    /// Every message of which the promise was broken, and how.
    pub broken: Vec<String>,
}

impl Account {
    pub(super) fn of(letters: &[Letter], site: &Site, discarded: &HashSet<String>) -> Account {
        let mut account = Account { messages: letters.len() as u64, ..Account::default() };
        wait_for_arrivals(letters, site);
        let (arrived, unseen) = arrivals(site);
        account.broken.extend(unseen);
        for letter in letters {
            account.attempts += u64::from(letter.attempts);
            account.retried += u64::from(letter.attempts > 1);
            for recipient in &letter.recipients {
                let times = arrived.get(&(letter.number, recipient.address.clone())).copied().unwrap_or(0);
                account.enter(letter, recipient, times, discarded);
            }
        }
        let sent: HashSet<(u64, &str)> =
            letters.iter().flat_map(|l| l.recipients.iter().map(|r| (l.number, r.address.as_str()))).collect();
        let strangers = arrived.keys().filter(|(number, to)| !sent.contains(&(*number, to.as_str())));
        account.broken.extend(strangers.map(|(number, to)| format!("message {number} arrived at {to}, unasked")));
        account
    }

    fn enter(&mut self, letter: &Letter, recipient: &Recipient, times: u32, discarded: &HashSet<String>) {
        let code = recipient.settled.unwrap_or(0);
        let fate = match recipient.fate {
            Fate::Arrives => "has to arrive",
            Fate::IsRefused => "has to be refused",
            Fate::IsDiscarded => "has to be discarded",
        };
        *self.outcomes.entry(format!("{:?}, {fate}: {code}", letter.kind)).or_default() += 1;
        self.lost_replies += u64::from(recipient.lost);
        self.duplicates += u64::from(times.saturating_sub(1));
        let wrong = match recipient.fate {
            Fate::Arrives if code != 250 => Some("was refused for good"),
            Fate::Arrives if times < recipient.taken => Some("was lost"),
            Fate::Arrives if times > recipient.taken + recipient.lost => Some("arrived too often"),
            Fate::IsRefused if recipient.taken > 0 => Some("was taken"),
            Fate::IsRefused | Fate::IsDiscarded if times > 0 => Some("arrived"),
            Fate::IsDiscarded if code != 250 => Some("was refused for good"),
            Fate::IsDiscarded if !discarded.contains(&letter.sender()) => Some("was discarded without a record"),
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.broken.push(format!("{wrong}: {times} arrivals, {letter:?}"));
        }
    }

    /// # Panics
    /// If a promise was broken.
    pub fn assert_kept(&self) {
        assert!(self.broken.is_empty(), "{self}");
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} messages in {:.0} s, {} transactions", self.messages, self.took.as_secs_f64(), self.attempts)?;
        writeln!(f, "{:>7} messages were sent again", self.retried)?;
        writeln!(f, "{:>7} replies to a message were lost", self.lost_replies)?;
        writeln!(f, "{:>7} recipients got a message twice after that, as SMTP allows", self.duplicates)?;
        writeln!(f, "faults, and the longest time after one until mail of every kind was settled again:")?;
        for (fault, count) in &self.faults {
            let recovery = self.recoveries.get(fault).copied().unwrap_or_default();
            writeln!(f, "{count:>7} {fault}, {:.1} s", recovery.as_secs_f64())?;
        }
        writeln!(f, "transactions with a deferral or without a reply, by what failed when they began:")?;
        self.deferred.iter().try_for_each(|(fault, count)| writeln!(f, "{count:>7} {fault}"))?;
        writeln!(f, "recipients by kind of message and final reply:")?;
        self.outcomes.iter().try_for_each(|(outcome, count)| writeln!(f, "{count:>7} {outcome}"))?;
        writeln!(f, "{} promises broken", self.broken.len())?;
        self.broken.iter().take(20).try_for_each(|broken| writeln!(f, "  {broken}"))
    }
}

/// Waits until all that was taken has arrived; what does not is counted later.
fn wait_for_arrivals(letters: &[Letter], site: &Site) {
    let is_to_arrive = |letter: &&Letter| matches!(letter.kind, Kind::Clean | Kind::HalfKnown);
    let expected = letters.iter().filter(is_to_arrive).count();
    let empty = || site.postfix.queue().is_empty();
    wait_until(DELIVERY, "Postfix delivers all it has taken", || site.sink.count() >= expected || empty());
    wait_until(DELIVERY, "Postfix's queue is empty", empty);
}

/// How often each message arrived at each recipient, and what arrived unseen by the filter.
fn arrivals(site: &Site) -> (HashMap<(u64, String), u32>, Vec<String>) {
    let mut arrived = HashMap::new();
    let mut unseen = Vec::new();
    for message in site.sink.messages() {
        let Some(number) = message.header("X-Number").and_then(|number| number.parse().ok()) else {
            unseen.push(format!("a message that nobody sent arrived: {:?}", message.headers()));
            continue;
        };
        if message.header("Authentication-Results").is_none() {
            unseen.push(format!("message {number} passed unseen"));
        }
        for to in message.to {
            *arrived.entry((number, to)).or_default() += 1;
        }
    }
    (arrived, unseen)
}
