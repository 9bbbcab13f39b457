//! Counters as the mail path sees them: through memory that others' changes reach within a second.

use super::{
    Window,
    counters::{Answer, Counters, Held, Op},
};
use crate::lookup::{Deadline, Outcome};
use serde::{Deserialize, Serialize};

/// Shared counters with a memory in front. Its own additions are seen at once; those of other processes within a
/// second. Where that is too late, ask [`Counters`].
#[derive(Debug, Clone)]
pub struct Ledger(Counters);

/// What a counter holds: amounts by the beginning of their bucket in Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets(pub Vec<(i64, u64)>);

impl Buckets {
    /// Sum of the buckets that begin at `time` (Unix seconds) or later.
    pub fn since(&self, time: i64) -> u64 {
        self.0.iter().filter(|(start, _)| *start >= time).fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// Sum of all buckets that are still kept.
    pub fn total(&self) -> u64 {
        self.since(i64::MIN)
    }
}

impl Ledger {
    /// Over the shared counters. All ledgers over one handle and its clones share their memory.
    pub fn new(counters: Counters) -> Self {
        Ledger(counters)
    }

    /// Adds to a counter: in memory at once, in the shared file within 100 ms. Never waits.
    pub fn add(&self, key: &str, amount: u64, window: Window, now: i64) {
        self.0.add_later(key, amount, window, now);
    }

    /// What each counter holds, in the order of the keys. One call for all that memory does not hold fresh.
    pub async fn read(&self, keys: &[String], now: i64, deadline: Deadline) -> Outcome<Vec<Buckets>> {
        let mut held: Vec<Option<Buckets>> = keys.iter().map(|key| self.remembered(key)).collect();
        let missing: Vec<usize> = (0..keys.len()).filter(|&index| held[index].is_none()).collect();
        if !missing.is_empty() {
            let ops = missing.iter().map(|&index| Op::Buckets { key: keys[index].clone() }).collect();
            match self.0.apply(now, ops, deadline).await {
                Outcome::Done(answers) => {
                    for (index, answer) in missing.into_iter().zip(answers) {
                        // Memory knows the additions that wait for the file, too.
                        let Answer::Buckets(stored) = answer else { continue };
                        held[index] = Some(self.remembered(&keys[index]).unwrap_or(Buckets(stored)));
                    }
                }
                Outcome::TimedOut => return Outcome::TimedOut,
                Outcome::Unavailable { why } => return Outcome::Unavailable { why },
            }
        }
        Outcome::Done(held.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// The value of an entry, unless it has expired.
    pub async fn entry(&self, key: &str, now: i64, deadline: Deadline) -> Outcome<Option<String>> {
        match self.0.remembered(key) {
            Some(Held::Entry(entry)) => Outcome::Done(entry.filter(|e| e.expires > now).map(|e| e.value)),
            _ => self.0.get(key, now, deadline).await,
        }
    }

    fn remembered(&self, key: &str) -> Option<Buckets> {
        match self.0.remembered(key)? {
            Held::Buckets(buckets) => Some(Buckets(buckets)),
            Held::Entry(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::counters::scratch, *};
    use std::time::Duration;

    const MINUTES: Window = Window { bucket: 60, keep: 7200 };

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(5))
    }

    fn keys(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    async fn read(ledger: &Ledger, key: &str) -> Vec<(i64, u64)> {
        ledger.read(&keys(&[key]), 0, soon()).await.done().expect("an answer")[0].0.clone()
    }

    #[tokio::test]
    async fn additions_are_seen_at_once_and_never_twice() {
        let ledger = Ledger::new(Counters::in_memory());
        ledger.add("k", 2, MINUTES, 0);
        assert_eq!(read(&ledger, "k").await, [(0, 2)], "before it is written");
        ledger.add("k", 3, MINUTES, 61);
        assert_eq!(read(&ledger, "k").await, [(0, 2), (60, 3)], "from memory");
        assert_eq!(ledger.0.sum("k", 0, MINUTES, 61, soon()).await, Outcome::Done(0), "nothing is written yet");
        let buckets = Buckets(read(&ledger, "k").await);
        assert_eq!((buckets.since(60), buckets.total()), (3, 5));
    }

    #[tokio::test]
    async fn the_file_learns_of_additions_soon_and_when_the_last_handle_goes() {
        let dir = scratch("ledger-flush");
        let ledger = Ledger::new(Counters::open(&dir));
        ledger.add("k", 1, MINUTES, 0);
        drop(ledger);
        let other = Counters::open(&dir);
        assert_eq!(other.sum("k", 0, MINUTES, 0, soon()).await, Outcome::Done(1));
        let ledger = Ledger::new(Counters::open(&dir));
        ledger.add("k", 1, MINUTES, 0);
        let seen = async { while other.sum("k", 0, MINUTES, 0, soon()).await != Outcome::Done(2) {} };
        assert_eq!(soon().bound(seen).await, Outcome::Done(()), "written without being asked");
        let _ = std::fs::remove_dir_all(dir);
    }

    #[tokio::test]
    async fn memory_stays_good_until_another_process_writes() {
        let dir = scratch("ledger-quiet");
        let ledger = Ledger::new(Counters::open(&dir));
        assert_eq!(read(&ledger, "k").await, []);
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert_eq!(ledger.remembered("k"), None, "nobody has looked for a second");
        read(&ledger, "another").await;
        assert_eq!(ledger.remembered("k"), Some(Buckets::default()), "the file is as it was");
        Counters::open(&dir).add("k", 3, MINUTES, 0, soon()).await;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        read(&ledger, "a third").await;
        assert_eq!(ledger.remembered("k"), None, "the file is another");
        assert_eq!(read(&ledger, "k").await, [(0, 3)]);
        let _ = std::fs::remove_dir_all(dir);
    }

    #[tokio::test]
    async fn additions_outlast_a_locked_file() {
        let dir = scratch("ledger-locked");
        let ledger = Ledger::new(Counters::open(&dir));
        assert_eq!(read(&ledger, "k").await, []);
        let lock = rusqlite::Connection::open(dir.join(super::super::counters::FILE)).expect("opened");
        lock.execute_batch("BEGIN EXCLUSIVE").expect("locked");
        ledger.add("k", 7, MINUTES, 0);
        tokio::time::sleep(Duration::from_millis(800)).await;
        lock.execute_batch("COMMIT").expect("released");
        let other = Counters::open(&dir);
        let seen = async { while other.sum("k", 0, MINUTES, 0, soon()).await != Outcome::Done(7) {} };
        assert_eq!(soon().bound(seen).await, Outcome::Done(()));
        let _ = std::fs::remove_dir_all(dir);
    }

    #[tokio::test]
    async fn an_entry_written_or_deleted_through_the_same_handle_is_seen_at_once() {
        let counters = Counters::in_memory();
        let ledger = Ledger::new(counters.clone());
        assert_eq!(ledger.entry("e", 0, soon()).await, Outcome::Done(None));
        counters.put("e", "x", 10, 0, soon()).await;
        assert_eq!(ledger.entry("e", 9, soon()).await, Outcome::Done(Some("x".to_owned())));
        assert_eq!(ledger.entry("e", 10, soon()).await, Outcome::Done(None), "expired");
        counters.delete("e", 0, soon()).await;
        assert_eq!(ledger.entry("e", 0, soon()).await, Outcome::Done(None));
    }

    #[tokio::test]
    async fn clearing_forgets_what_waits_as_well() {
        let counters = Counters::in_memory();
        let ledger = Ledger::new(counters.clone());
        ledger.add("k/1", 1, MINUTES, 0);
        counters.apply(0, vec![Op::Clear { prefix: "k/".to_owned() }], soon()).await;
        assert_eq!(read(&ledger, "k/1").await, []);
    }
}
