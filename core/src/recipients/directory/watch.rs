//! Telling a directory that does not know one address from a directory that suddenly knows nobody.
//!
//! Before "unknown" is believed, the directory must show that it has entries at all (asked at most once a second) and
//! that it still knows addresses which it knew lately (a random sample, asked at most twice a minute, and at once when
//! a known address has turned unknown). If it fails, unknown recipients are deferred, known ones are served from the
//! cache, and an alarm is logged; all processes hear of it through the shared counters.

use super::{CACHE, Cached, Directory, EXISTS, MISSING};
use crate::{
    lookup::{Deadline, Outcome, ldap::Ldap},
    session::Address,
    store::{Answer, Op},
};
use std::sync::{Mutex, PoisonError};
use tokio::task::JoinSet;

/// How long a check for any entry is believed. Unit: seconds.
const ANY_FOR: i64 = 1;
/// How long the check is left out after the server would not answer it. Unit: seconds.
const ANY_PAUSE: i64 = 60;
/// How long a good sample is believed. Unit: seconds.
const SAMPLE_FOR: i64 = 30;
/// How long a suspicion holds before the directory is looked at again. Unit: seconds.
const SUSPECT_FOR: i64 = 30;
/// First sample of known addresses; a second, larger one confirms a suspicion. Unit: addresses.
const SAMPLE: u32 = 5;
const LARGER_SAMPLE: u32 = 25;
/// Fewer lost addresses than this are people who have left. Unit: addresses.
const LOST: u64 = 2;

const SUSPECT_KEY: &str = "directory.suspect";
const SAMPLED_KEY: &str = "directory.sampled";

/// What this process has seen.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: Mutex<Seen>,
    /// Held while one lookup checks, so that the others wait for its result.
    checking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, Default)]
struct Seen {
    any_until: i64,
    suspect: Option<(i64, String)>,
}

impl Watch {
    fn with<T>(&self, f: impl FnOnce(&mut Seen) -> T) -> T {
        f(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Drops all suspicion.
    pub(super) fn reset(&self) {
        self.with(|seen| *seen = Seen::default());
    }
}

impl Directory {
    /// Why the directory is suspected, if it is. `flipped`: an address that was known has just turned unknown.
    pub(super) async fn check(&self, ldap: &Ldap, flipped: bool, now: i64, deadline: Deadline) -> Option<String> {
        let _one_at_a_time = match deadline.bound(self.watch.checking.lock()).await {
            Outcome::Done(guard) => guard,
            _ => return Some("the directory could not be checked in time".to_owned()),
        };
        if let Some(why) = self.suspected(now, deadline).await {
            return Some(why);
        }
        let any_until = self.watch.with(|seen| seen.any_until);
        if now >= any_until || any_until > now.saturating_add(ANY_PAUSE) {
            match ldap.has_any(deadline).await {
                Outcome::Done(true) => self.watch.with(|seen| seen.any_until = now.saturating_add(ANY_FOR)),
                Outcome::Done(false) => {
                    return Some(self.alarm("the directory has no entry with an address", now, deadline).await);
                }
                _ => self.watch.with(|seen| seen.any_until = now.saturating_add(ANY_PAUSE)),
            }
        }
        let sampled = self.counters.get(SAMPLED_KEY, now, deadline).await;
        if !flipped && matches!(sampled, Outcome::Done(Some(_))) {
            return None;
        }
        self.sample(ldap, now, deadline).await
    }

    async fn suspected(&self, now: i64, deadline: Deadline) -> Option<String> {
        let own = self.watch.with(|seen| seen.suspect.clone());
        if let Some((until, why)) = own
            && now < until
            && until <= now.saturating_add(SUSPECT_FOR)
        {
            return Some(why);
        }
        self.counters.get(SUSPECT_KEY, now, deadline).await.done().cloned().flatten()
    }

    async fn alarm(&self, why: &str, now: i64, deadline: Deadline) -> String {
        tracing::error!("directory: {why}: unknown recipients are deferred, harvest protection does not count");
        let until = now.saturating_add(SUSPECT_FOR);
        self.watch.with(|seen| seen.suspect = Some((until, why.to_owned())));
        self.counters.put(SUSPECT_KEY, why, until, now, deadline).await;
        why.to_owned()
    }

    /// Asks again for addresses that were known lately.
    async fn sample(&self, ldap: &Ldap, now: i64, deadline: Deadline) -> Option<String> {
        let mut lost = Vec::new();
        for limit in [SAMPLE, LARGER_SAMPLE] {
            let known = self.known_addresses(limit, now, deadline).await;
            let (asked, gone, trouble) = ask_again(ldap, known, deadline).await;
            if asked == 0
                && let Some(trouble) = trouble
            {
                return Some(format!("known addresses could not be asked for: {trouble}"));
            }
            let share_is_high = gone.len() as u64 * 100 > asked * self.settings.shrink_percent;
            lost = gone;
            if !share_is_high || (lost.len() as u64) < LOST {
                break;
            }
            if limit == LARGER_SAMPLE {
                let why = format!("{} of {asked} addresses that were known are gone", lost.len());
                return Some(self.alarm(&why, now, deadline).await);
            }
        }
        let lost: Vec<&Address> = lost.iter().collect();
        self.forget(&lost, now, deadline).await;
        self.counters.put(SAMPLED_KEY, "", now.saturating_add(SAMPLE_FOR), now, deadline).await;
        None
    }

    async fn known_addresses(&self, limit: u32, now: i64, deadline: Deadline) -> Vec<Address> {
        let op = Op::Sample { prefix: CACHE.to_owned(), value_prefix: EXISTS.to_owned(), limit };
        let answers = self.counters.apply(now, vec![op], deadline).await.done().cloned().unwrap_or_default();
        let entries = answers.into_iter().flat_map(Answer::into_entries);
        entries.filter_map(|e| Address::parse(e.key.strip_prefix(CACHE)?.as_bytes()).ok()).collect()
    }

    /// Believes the directory as it is now: forgets what was known and all suspicion. For the person who has cleared
    /// a directory on purpose.
    pub async fn trust_again(&self, now: i64, deadline: Deadline) -> Outcome<()> {
        self.watch.reset();
        let op = Op::Sample { prefix: CACHE.to_owned(), value_prefix: EXISTS.to_owned(), limit: u32::MAX };
        let known = match self.counters.apply(now, vec![op], deadline).await {
            Outcome::Done(answers) => answers.into_iter().flat_map(Answer::into_entries),
            other => return other.map(|_| ()),
        };
        let mut ops = vec![Op::Delete { key: SUSPECT_KEY.to_owned() }];
        ops.extend(known.map(|entry| Op::Delete { key: entry.key }));
        self.counters.apply(now, ops, deadline).await.map(|_| ())
    }
}

/// How many gave an answer, which of them are gone, and what went wrong with others.
async fn ask_again(ldap: &Ldap, known: Vec<Address>, deadline: Deadline) -> (u64, Vec<Address>, Option<String>) {
    let mut tasks = JoinSet::new();
    for address in known {
        let ldap = ldap.clone();
        tasks.spawn(async move { (ldap.find(&address, deadline).await, address) });
    }
    let (mut asked, mut gone, mut trouble) = (0, Vec::new(), None);
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok((Outcome::Done(found), address)) => {
                asked += 1;
                if found.is_none() {
                    gone.push(address);
                }
            }
            Ok((other, _)) => trouble = other.trouble(),
            Err(error) => trouble = Some(error.to_string()),
        }
    }
    (asked, gone, trouble)
}

/// A cached value for people.
pub(super) fn describe(value: &str) -> String {
    match (Cached::read(value), value.starts_with(MISSING)) {
        (Some(cached), true) => format!("cached: does not exist, asked at {}", cached.asked),
        (Some(Cached { asked, entry: Some(found) }), _) => {
            format!("cached: {} [{}], asked at {asked}", found.canonical, found.groups.join(", "))
        }
        _ => "cached: not understood".to_owned(),
    }
}
