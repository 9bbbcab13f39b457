//! Counters and entries that expire, shared by all processes of a host. They may be lost at any time.

mod memory;
mod worker;

use crate::lookup::{Deadline, Meter, Outcome, meter::Service};
pub(super) use memory::Held;
use memory::Memory;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};
use tokio::sync::oneshot;

/// Name of the file in the state directory.
pub const FILE: &str = "counters.db";
/// Longest wait for an answer, whatever the deadline. Unit: time. Source: our own limit; an answer takes well under a
/// millisecond unless disk or lock are in trouble.
const STUCK: Duration = Duration::from_secs(1);
/// Most calls that wait for the thread. Unit: calls. Source: our own limit, about a second's work.
const QUEUE: usize = 4096;
/// Longest wait for the last additions when the last handle goes. Unit: time. Source: our own limit.
const FAREWELL: Duration = Duration::from_millis(500);

/// Handle of the shared counters; clones share one thread.
#[derive(Debug, Clone)]
pub struct Counters(Arc<Inner>, Meter, Access);

/// What a handle may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Write,
    /// What would change something is answered as done, and not done.
    Read,
}

#[derive(Debug)]
struct Inner {
    place: Place,
    memory: Arc<Mutex<Memory>>,
    thread: OnceLock<Option<Thread>>,
}

#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    Memory,
}

#[derive(Debug)]
struct Thread {
    orders: SyncSender<Order>,
    process: u32,
}

/// What the thread is told.
enum Order {
    Job(Job),
    /// Additions wait in memory.
    Waiting,
    /// Write what waits now, and say so.
    Flush(SyncSender<()>),
}

/// One call: operations that are applied together or not at all.
struct Job {
    now: i64,
    ops: Vec<Op>,
    reply: oneshot::Sender<Result<Vec<Answer>, String>>,
}

/// A sliding window, cut into buckets. Both in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Length of a bucket; sums are exact to this.
    pub bucket: i64,
    /// How long a bucket is kept.
    pub keep: i64,
}

impl Window {
    /// Where the bucket of `now` begins.
    fn start(&self, now: i64) -> i64 {
        now - now.rem_euclid(self.bucket.max(1))
    }
}

/// One operation. Keys are text with `/` between their parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Adds to the counter's bucket of now.
    Add {
        /// The counter.
        key: String,
        /// How much.
        amount: u64,
        /// Its buckets.
        window: Window,
    },
    /// Adds to a certain bucket of the counter.
    AddTo {
        /// The counter.
        key: String,
        /// Where the bucket begins. Unix seconds.
        bucket: i64,
        /// How much.
        amount: u64,
        /// Its buckets.
        window: Window,
    },
    /// All buckets of the counter. Answer: [`Answer::Buckets`].
    Buckets {
        /// The counter.
        key: String,
    },
    /// Sum of the buckets that reach past `since`. Answer: [`Answer::Number`].
    Sum {
        /// The counter.
        key: String,
        /// Unix seconds.
        since: i64,
        /// As given to [`Op::Add`].
        window: Window,
    },
    /// Forgets all counters whose key begins so.
    Clear {
        /// Beginning of the keys.
        prefix: String,
    },
    /// The entry, unless it has expired. Answer: [`Answer::Entry`].
    Get {
        /// The entry.
        key: String,
    },
    /// Writes an entry.
    Put {
        /// The entry.
        key: String,
        /// Its value.
        value: String,
        /// Unix seconds.
        expires: i64,
    },
    /// Deletes an entry.
    Delete {
        /// The entry.
        key: String,
    },
    /// The entries whose key begins so, by key. Answer: [`Answer::Entries`].
    List {
        /// Beginning of the keys.
        prefix: String,
        /// Most entries given.
        limit: u32,
    },
    /// A random sample of the entries whose key begins so. Answer: [`Answer::Entries`].
    Sample {
        /// Beginning of the keys.
        prefix: String,
        /// Only values that begin so.
        value_prefix: String,
        /// Most entries given.
        limit: u32,
    },
    /// How many entries' keys begin so; it stops counting at 1,000. Answer: [`Answer::Number`].
    Count {
        /// Beginning of the keys.
        prefix: String,
    },
}

impl Op {
    /// Whether the operation changes nothing.
    fn only_reads(&self) -> bool {
        matches!(
            self,
            Op::Buckets { .. }
                | Op::Sum { .. }
                | Op::Get { .. }
                | Op::List { .. }
                | Op::Sample { .. }
                | Op::Count { .. }
        )
    }
}

/// Answer to one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done; there is nothing to tell.
    Done,
    /// A sum or count.
    Number(u64),
    /// Amounts by the beginning of their bucket in Unix seconds.
    Buckets(Vec<(i64, u64)>),
    /// An entry, if there is one.
    Entry(Option<Entry>),
    /// Entries.
    Entries(Vec<Entry>),
}

/// A value that expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Unix seconds.
    pub expires: i64,
}

impl Answer {
    /// The number; 0 if the answer is no number.
    pub fn number(&self) -> u64 {
        if let Answer::Number(number) = self { *number } else { 0 }
    }

    /// The value of the entry.
    pub fn value(&self) -> Option<&str> {
        if let Answer::Entry(Some(entry)) = self { Some(&entry.value) } else { None }
    }

    /// The entries; none if the answer is no list.
    pub fn into_entries(self) -> Vec<Entry> {
        if let Answer::Entries(entries) = self { entries } else { Vec::new() }
    }
}

impl Counters {
    /// The counters of a state directory. The file is opened, or made, at first use.
    pub fn open(dir: &Path) -> Self {
        Self::at(Place::File(dir.join(FILE)))
    }

    /// Counters that nobody shares, for tests and replays.
    pub fn in_memory() -> Self {
        Self::at(Place::Memory)
    }

    fn at(place: Place) -> Self {
        Counters(
            Arc::new(Inner { place, memory: Arc::default(), thread: OnceLock::new() }),
            Meter::default(),
            Access::Write,
        )
    }

    /// The same counters for one who watches: what would change them is answered as done and left undone.
    #[must_use]
    pub fn read_only(&self) -> Self {
        Counters(Arc::clone(&self.0), self.1.clone(), Access::Read)
    }

    /// Counts its calls there.
    #[must_use]
    pub fn metered(self, meter: &Meter) -> Self {
        Counters(self.0, meter.clone(), self.2)
    }

    /// Applies the operations in one transaction. The answers stand in the order of the operations, one for each.
    pub async fn apply(&self, now: i64, ops: Vec<Op>, deadline: Deadline) -> Outcome<Vec<Answer>> {
        match self.2 {
            Access::Write => self.1.ask(Service::Counters, self.call(now, ops, deadline)).await,
            Access::Read => {
                let reads: Vec<bool> = ops.iter().map(Op::only_reads).collect();
                let asked = ops.into_iter().filter(Op::only_reads).collect();
                let answers = self.1.ask(Service::Counters, self.call(now, asked, deadline)).await;
                answers.map(|answers| {
                    let mut answers = answers.into_iter();
                    let answer = |read| if read { answers.next().unwrap_or(Answer::Done) } else { Answer::Done };
                    reads.into_iter().map(answer).collect()
                })
            }
        }
    }

    async fn call(&self, now: i64, ops: Vec<Op>, deadline: Deadline) -> Outcome<Vec<Answer>> {
        let expected = ops.len();
        let (reply, answer) = oneshot::channel();
        if let Err(why) = self.send(Order::Job(Job { now, ops, reply })) {
            return Outcome::Unavailable { why: why.to_owned() };
        }
        match deadline.or_after(STUCK).bound(answer).await {
            Outcome::Done(Ok(Ok(answers))) if answers.len() == expected => Outcome::Done(answers),
            Outcome::Done(Ok(Ok(_))) => Outcome::Unavailable { why: "counters: answers are missing".to_owned() },
            Outcome::Done(Ok(Err(why))) => Outcome::Unavailable { why },
            Outcome::Done(Err(_)) => Outcome::Unavailable { why: "counters: the thread has ended".to_owned() },
            Outcome::TimedOut => Outcome::TimedOut,
            Outcome::Unavailable { why } => Outcome::Unavailable { why },
        }
    }

    /// Adds to a counter.
    pub async fn add(&self, key: &str, amount: u64, window: Window, now: i64, deadline: Deadline) -> Outcome<()> {
        self.one(now, Op::Add { key: key.to_owned(), amount, window }, deadline).await.map(|_| ())
    }

    /// Sum of a counter since a time.
    pub async fn sum(&self, key: &str, since: i64, window: Window, now: i64, deadline: Deadline) -> Outcome<u64> {
        self.one(now, Op::Sum { key: key.to_owned(), since, window }, deadline).await.map(|a| a.number())
    }

    /// The value of an entry.
    pub async fn get(&self, key: &str, now: i64, deadline: Deadline) -> Outcome<Option<String>> {
        self.one(now, Op::Get { key: key.to_owned() }, deadline).await.map(|a| a.value().map(str::to_owned))
    }

    /// Writes an entry.
    pub async fn put(&self, key: &str, value: &str, expires: i64, now: i64, deadline: Deadline) -> Outcome<()> {
        let op = Op::Put { key: key.to_owned(), value: value.to_owned(), expires };
        self.one(now, op, deadline).await.map(|_| ())
    }

    /// Deletes an entry.
    pub async fn delete(&self, key: &str, now: i64, deadline: Deadline) -> Outcome<()> {
        self.one(now, Op::Delete { key: key.to_owned() }, deadline).await.map(|_| ())
    }

    /// The entries whose key begins so.
    pub async fn list(&self, prefix: &str, limit: u32, now: i64, deadline: Deadline) -> Outcome<Vec<Entry>> {
        let op = Op::List { prefix: prefix.to_owned(), limit };
        self.one(now, op, deadline).await.map(Answer::into_entries)
    }

    async fn one(&self, now: i64, op: Op, deadline: Deadline) -> Outcome<Answer> {
        self.apply(now, vec![op], deadline).await.map(|answers| answers.into_iter().next().unwrap_or(Answer::Done))
    }

    /// Counts in memory at once, and in the file a moment later; never waits. Additions may be lost, as all counters.
    pub(in crate::store) fn add_later(&self, key: &str, amount: u64, window: Window, now: i64) {
        if amount > 0 && self.2 == Access::Write && self.memory().add(key, amount, window, now) {
            // A full queue needs no sign: the thread looks for waiting additions after each round.
            let _ = self.send(Order::Waiting);
        }
    }

    /// What memory holds under the key, unless it is too old.
    pub(in crate::store) fn remembered(&self, key: &str) -> Option<Held> {
        self.memory().fresh(key).cloned()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, order: Order) -> Result<(), &'static str> {
        let thread = self.0.thread.get_or_init(|| {
            let (orders, receiver) = sync_channel(QUEUE);
            let (place, memory) = (self.0.place.clone(), Arc::clone(&self.0.memory));
            let started = std::thread::Builder::new()
                .name("counters".to_owned())
                .spawn(move || worker::Worker::new(place, memory).run(&receiver));
            match started {
                Ok(_) => Some(Thread { orders, process: std::process::id() }),
                Err(error) => {
                    tracing::error!(%error, "counters: no thread");
                    None
                }
            }
        });
        let thread = thread.as_ref().ok_or("counters: the thread could not be started")?;
        if thread.process != std::process::id() {
            return Err("counters: this handle was used before the process forked; open it in the child");
        }
        thread.orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => "counters: too many calls are waiting",
            TrySendError::Disconnected(_) => "counters: the thread has ended",
        })
    }
}

impl Drop for Inner {
    /// A process that judges one message and exits takes its additions to the file first.
    fn drop(&mut self) {
        let waiting = self.memory.lock().unwrap_or_else(PoisonError::into_inner).is_waiting();
        let Some(Some(thread)) = self.thread.get() else { return };
        if !waiting || thread.process != std::process::id() {
            return;
        }
        let (done, written) = sync_channel(1);
        if thread.orders.try_send(Order::Flush(done)).is_ok() {
            let _ = written.recv_timeout(FAREWELL);
        }
    }
}

#[cfg(test)]
pub(crate) use tests::scratch;
#[cfg(test)]
mod tests;
