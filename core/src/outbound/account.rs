//! What an account has sent lately.
//!
//! Amounts are counted through the ledger, which other processes of the host see too. What makes a message is counted
//! when it may come, a recipient when it is taken or refused.

use super::alarm;
use crate::{
    lookup::{Deadline, Outcome},
    reputation::learned::AsnDatabase,
    store::{Answer, Buckets, Counters, Ledger, Op, Window},
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Longest login in keys. Unit: characters. Source: our own limit; RFC 4954 has none, mailboxes have 64 at most.
const LOGIN_CHARS: usize = 256;
const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 86_400;
/// Sums of an hour and of a day are exact to ten minutes.
const RECENT: Window = Window { bucket: 600, keep: DAY + HOUR };
/// The habit of a user: 30 days.
pub(super) const HABIT: Window = Window { bucket: DAY, keep: 31 * DAY };

/// A user who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// As the MTA says.
    pub login: String,
    /// In keys: lower case, without the site's own domain and the character that divides them.
    key: String,
}

impl Account {
    /// The account of a login. `domain` is that of logins that have none: with it and without it is one account.
    pub fn new(login: &str, domain: Option<&str>) -> Self {
        let lower = login.to_lowercase();
        let plain = domain.and_then(|domain| lower.strip_suffix(domain)?.strip_suffix('@'));
        let key = plain.unwrap_or(&lower).replace('/', "%2f").chars().take(LOGIN_CHARS).collect();
        Account { login: login.to_owned(), key }
    }

    /// Whether it is the account of one of the logins.
    pub fn is_one_of(&self, logins: &[String], domain: Option<&str>) -> bool {
        logins.iter().any(|login| Account::new(login, domain).key == self.key)
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn places(&self) -> String {
        format!("outbound.place/{}/", self.key)
    }

    pub(super) fn counter(&self, what: What) -> String {
        format!("outbound/{}/{}/", what.word(), self.key)
    }
}

/// What is counted of an account.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Messages,
    Recipients,
    Refused,
    Days,
}

impl What {
    pub(super) const ALL: [What; 4] = [What::Messages, What::Recipients, What::Refused, What::Days];

    fn word(self) -> &'static str {
        match self {
            What::Messages => "messages",
            What::Recipients => "recipients",
            What::Refused => "refused",
            What::Days => "days",
        }
    }
}

/// Where is counted.
#[derive(Debug, Clone, Copy)]
pub struct Books<'e> {
    /// Through memory.
    pub ledger: &'e Ledger,
    /// What the ledger does not keep.
    pub counters: &'e Counters,
}

/// What is known of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Messages of the last hour.
    pub messages_hour: u64,
    /// Messages of the last day.
    pub messages_day: u64,
    /// Recipients taken in the last hour.
    pub recipients_hour: u64,
    /// Recipients taken in the last day.
    pub recipients_day: u64,
    /// Recipients refused in the last hour.
    pub refused_hour: u64,
    /// Recipients of the busiest of the last 30 days, today left out.
    pub busiest_day: u64,
    /// Places of the last hour; 0 where that was not asked.
    pub places: u64,
    /// Until when an alarm stands. Unix seconds.
    pub alarm_until: Option<i64>,
}

/// Counts a message that may come.
pub fn note_message(ledger: &Ledger, account: &Account, now: i64) {
    ledger.add(&account.counter(What::Messages), 1, RECENT, now);
}

/// Counts a recipient that was taken.
pub fn note_recipient(ledger: &Ledger, account: &Account, now: i64) {
    ledger.add(&account.counter(What::Recipients), 1, RECENT, now);
    ledger.add(&account.counter(What::Days), 1, HABIT, now);
}

/// Counts a recipient that was refused.
pub fn note_refused(ledger: &Ledger, account: &Account, now: i64) {
    ledger.add(&account.counter(What::Refused), 1, RECENT, now);
}

/// Asks what is known. `client` is set once for each message, where places count: it is noted and all of the last hour are
/// counted.
///
/// The outcome is without value if the counters do not answer.
pub async fn usage(
    books: Books<'_>,
    account: &Account,
    client: Option<(IpAddr, Option<&AsnDatabase>)>,
    now: i64,
    deadline: Deadline,
) -> Outcome<Usage> {
    let keys = What::ALL.map(|what| account.counter(what));
    let buckets = match books.ledger.read(&keys, now, deadline).await {
        Outcome::Done(buckets) => buckets,
        Outcome::TimedOut => return Outcome::TimedOut,
        Outcome::Unavailable { why } => return Outcome::Unavailable { why },
    };
    let sum = |what: What, since: i64| buckets.get(what as usize).map_or(0, |all| all.since(now.saturating_sub(since)));
    let alarm = match books.ledger.entry(&alarm::key(account), now, deadline).await {
        Outcome::Done(alarm) => alarm,
        Outcome::TimedOut => return Outcome::TimedOut,
        Outcome::Unavailable { why } => return Outcome::Unavailable { why },
    };
    let places = match client {
        Some((ip, systems)) => match count_places(books.counters, account, ip, systems, now, deadline).await {
            Outcome::Done(places) => places,
            trouble => return trouble.map(|_| Usage::default()),
        },
        None => 0,
    };
    Outcome::Done(Usage {
        messages_hour: sum(What::Messages, HOUR),
        messages_day: sum(What::Messages, DAY),
        recipients_hour: sum(What::Recipients, HOUR),
        recipients_day: sum(What::Recipients, DAY),
        refused_hour: sum(What::Refused, HOUR),
        busiest_day: buckets.get(What::Days as usize).map_or(0, |days| busiest(days, now)),
        places,
        alarm_until: alarm.as_deref().and_then(alarm::read).map(|alarm| alarm.until),
    })
}

fn busiest(days: &Buckets, now: i64) -> u64 {
    days.0.iter().filter(|(start, _)| start.saturating_add(DAY) <= now).map(|(_, amount)| *amount).max().unwrap_or(0)
}

async fn count_places(
    counters: &Counters,
    account: &Account,
    ip: IpAddr,
    systems: Option<&AsnDatabase>,
    now: i64,
    deadline: Deadline,
) -> Outcome<u64> {
    let prefix = account.places();
    let place = place_of(ip, systems);
    let ops = vec![
        Op::Put { key: format!("{prefix}{place}"), value: String::new(), expires: now.saturating_add(HOUR) },
        Op::Count { prefix },
    ];
    let answers = counters.apply(now, ops, deadline).await;
    answers.map(|answers| answers.get(1).map_or(0, Answer::number))
}

/// Where a client is: its autonomous system, else its network.
fn place_of(ip: IpAddr, systems: Option<&AsnDatabase>) -> String {
    if let Some(number) = systems.and_then(|systems| systems.number(ip)) {
        return format!("as{number}");
    }
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            format!("{a}.{b}")
        }
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            format!("{a:x}:{b:x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::counters::scratch;
    use std::time::Duration;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(5))
    }

    #[tokio::test]
    async fn hours_days_and_habit_are_told_apart_and_users_too() {
        let counters = Counters::in_memory();
        let ledger = Ledger::new(counters.clone());
        let books = Books { ledger: &ledger, counters: &counters };
        let alice = Account::new("Alice/x", None);
        let now = 40 * DAY;
        for (ago, recipients) in [(3 * DAY, 7), (2 * DAY, 4), (5 * HOUR, 2), (60, 1)] {
            note_message(&ledger, &alice, now - ago);
            (0..recipients).for_each(|_| note_recipient(&ledger, &alice, now - ago));
        }
        note_refused(&ledger, &alice, now);
        let usage_of = async |login: &str| {
            usage(books, &Account::new(login, Some("x.test")), None, now, soon()).await.done().cloned()
        };
        let expected = Usage {
            messages_hour: 1,
            messages_day: 2,
            recipients_hour: 1,
            recipients_day: 3,
            refused_hour: 1,
            busiest_day: 7,
            places: 0,
            alarm_until: None,
        };
        assert_eq!(usage_of("aLICE/X").await, Some(expected.clone()));
        assert_eq!(usage_of("alice/x@X.test").await, Some(expected));
        assert_eq!(usage_of("alice/x@y.test").await, Some(Usage::default()));
        assert_eq!(usage_of("alice").await, Some(Usage::default()));
    }

    #[test]
    fn an_account_is_one_with_the_site_s_domain_and_without() {
        let bulk = ["newsletter".to_owned(), "tickets@x.test".to_owned()];
        let is_bulk = |login: &str| Account::new(login, Some("x.test")).is_one_of(&bulk, Some("x.test"));
        for login in ["Newsletter", "newsletter@x.test", "tickets", "tickets@X.TEST"] {
            assert!(is_bulk(login), "{login}");
        }
        assert!(!is_bulk("newsletter@y.test") && !is_bulk("newsletterx.test"));
    }

    #[tokio::test]
    async fn half_an_answer_of_the_counters_is_none() {
        let dir = scratch("account-half");
        let counters = Counters::open(&dir);
        let ledger = Ledger::new(counters.clone());
        let books = Books { ledger: &ledger, counters: &counters };
        let alice = Account::new("alice", None);
        let client = Some(("192.0.2.1".parse().expect("an address"), None));
        assert!(usage(books, &alice, client, 0, soon()).await.done().is_some());
        let lock = rusqlite::Connection::open(dir.join(crate::store::counters::FILE)).expect("opened");
        lock.execute_batch("BEGIN EXCLUSIVE").expect("locked");
        // Amounts and alarm stand in memory; places must be written.
        let deadline = Deadline::after(Duration::from_millis(200));
        assert_eq!(usage(books, &alice, client, 0, deadline).await.done(), None);
        let _ = std::fs::remove_dir_all(dir);
    }

    #[tokio::test]
    async fn places_of_the_last_hour_count_once_each() {
        let counters = Counters::in_memory();
        let ledger = Ledger::new(counters.clone());
        let books = Books { ledger: &ledger, counters: &counters };
        let alice = Account::new("alice", None);
        let mut seen = Vec::new();
        for (at, ip) in [
            (0, "192.0.2.1"),
            (10, "192.0.77.9"),
            (20, "2001:db8:1::1"),
            (30, "2001:db8:2::1"),
            (40, "198.51.100.1"),
            (HOUR + 35, "192.0.2.1"),
        ] {
            let client = Some((ip.parse().expect("an address"), None));
            let usage = usage(books, &alice, client, at, soon()).await.done().cloned().expect("an answer");
            seen.push(usage.places);
        }
        assert_eq!(seen, [1, 1, 2, 2, 3, 2]);
    }
}
