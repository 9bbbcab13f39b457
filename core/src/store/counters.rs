//! Counters and entries that expire, shared by all processes of a host. They may be lost at any time.

mod worker;

use crate::lookup::{Deadline, Meter, Outcome, meter::Service};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
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

/// Handle of the shared counters; clones share one thread.
#[derive(Debug, Clone)]
pub struct Counters(Arc<Inner>, Meter);

#[derive(Debug)]
struct Inner {
    place: Place,
    thread: OnceLock<Option<Thread>>,
}

#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    Memory,
}

#[derive(Debug)]
struct Thread {
    jobs: SyncSender<Job>,
    process: u32,
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
        matches!(self, Op::Sum { .. } | Op::Get { .. } | Op::List { .. } | Op::Sample { .. } | Op::Count { .. })
    }
}

/// Answer to one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done; there is nothing to tell.
    Done,
    /// A sum or count.
    Number(u64),
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
        Counters(Arc::new(Inner { place: Place::File(dir.join(FILE)), thread: OnceLock::new() }), Meter::default())
    }

    /// Counters that nobody shares, for tests and replays.
    pub fn in_memory() -> Self {
        Counters(Arc::new(Inner { place: Place::Memory, thread: OnceLock::new() }), Meter::default())
    }

    /// Counts its calls there.
    #[must_use]
    pub fn metered(self, meter: &Meter) -> Self {
        Counters(self.0, meter.clone())
    }

    /// Applies the operations in one transaction. The answers stand in the order of the operations, one for each.
    pub async fn apply(&self, now: i64, ops: Vec<Op>, deadline: Deadline) -> Outcome<Vec<Answer>> {
        self.1.ask(Service::Counters, self.call(now, ops, deadline)).await
    }

    async fn call(&self, now: i64, ops: Vec<Op>, deadline: Deadline) -> Outcome<Vec<Answer>> {
        let expected = ops.len();
        let (reply, answer) = oneshot::channel();
        if let Err(why) = self.send(Job { now, ops, reply }) {
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

    fn send(&self, job: Job) -> Result<(), &'static str> {
        let thread = self.0.thread.get_or_init(|| {
            let (jobs, receiver) = sync_channel(QUEUE);
            let place = self.0.place.clone();
            let started = std::thread::Builder::new()
                .name("counters".to_owned())
                .spawn(move || worker::Worker::new(place).run(&receiver));
            match started {
                Ok(_) => Some(Thread { jobs, process: std::process::id() }),
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
        thread.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => "counters: too many calls are waiting",
            TrySendError::Disconnected(_) => "counters: the thread has ended",
        })
    }
}

#[cfg(test)]
pub(crate) use tests::scratch;
#[cfg(test)]
mod tests;
