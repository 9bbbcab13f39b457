//! The thread that owns the connection to `counters.db`.

use super::{
    super::sqlite::{self, Durability, StoreError},
    Answer, Entry, Job, Op, Order, Place,
    memory::Memory,
};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

/// Each text leads to the next schema version.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE counter (key TEXT, bucket INTEGER, amount INTEGER, expires INTEGER, PRIMARY KEY (key, bucket))
        WITHOUT ROWID;
    CREATE INDEX counter_expires ON counter (expires);
    CREATE TABLE entry (key TEXT PRIMARY KEY, value TEXT, expires INTEGER) WITHOUT ROWID;
    CREATE INDEX entry_expires ON entry (expires);
"];
/// Longest wait for another process that writes. Unit: time. Source: our own limit, under the callers' patience.
const LOCK_WAIT: Duration = Duration::from_millis(500);
/// Time between two looks for expired rows, and whether the file is still the one in the directory.
const UPKEEP: Duration = Duration::from_secs(10);
/// Time between two writings of additions that wait in memory. Unit: time. Source: our own limit.
const WRITE_EVERY: Duration = Duration::from_millis(100);
/// Least time between two looks whether others have written. Unit: time. Source: our own limit, a part of the age at which
/// memory is out of date.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Most calls in one transaction. Unit: calls. Source: our own limit, about a millisecond's work.
const TOGETHER: usize = 64;
/// Least time between two log lines about trouble.
const LOG_PAUSE: Duration = Duration::from_secs(60);
/// Most statements that are kept parsed: all of this file. Unit: statements.
const STATEMENTS: usize = 32;
/// Largest file. Unit: pages of 4 KiB. Source: our own limit, 1 GiB; past it the counters are in trouble, mail is not.
const PAGES: u32 = 262_144;

pub(super) struct Worker {
    place: Place,
    memory: Arc<Mutex<Memory>>,
    open: Option<Open>,
    upkept: Instant,
    logged: Option<Instant>,
}

struct Open {
    connection: Connection,
    /// Device and inode, by which a file that was replaced under us is noticed.
    identity: Option<(u64, u64)>,
    /// What the file's version was at the last look, and when that was.
    seen: Option<(i64, Instant)>,
}

impl Worker {
    pub(super) fn new(place: Place, memory: Arc<Mutex<Memory>>) -> Self {
        Worker { place, memory, open: None, upkept: Instant::now(), logged: None }
    }

    /// Serves until the last handle is dropped. Calls that wait together share a transaction.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        let mut write_at: Option<Instant> = None;
        loop {
            let order = match write_at {
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => orders.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            let (mut jobs, mut flushed) = (Vec::new(), Vec::new());
            let mut next = match order {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            while let Some(order) = next.take() {
                match order {
                    Order::Job(job) if job.reply.is_closed() && job.ops.iter().all(Op::only_reads) => {}
                    Order::Job(job) => jobs.push(job),
                    Order::Waiting => {}
                    Order::Flush(done) => flushed.push(done),
                }
                if jobs.len() < TOGETHER {
                    next = orders.try_recv().ok();
                }
            }
            let now = jobs.last().map(|job| job.now);
            if !jobs.is_empty() {
                self.serve(jobs);
            }
            if !flushed.is_empty() || write_at.is_some_and(|at| at <= Instant::now()) {
                self.write_waiting();
                write_at = None;
                flushed.into_iter().for_each(|done| {
                    let _ = done.send(());
                });
            }
            if write_at.is_none() && self.memory().is_waiting() {
                write_at = Some(Instant::now() + WRITE_EVERY);
            }
            if let Some(now) = now
                && self.upkept.elapsed() >= UPKEEP
            {
                self.upkept = Instant::now();
                self.upkeep(now);
            }
        }
        self.write_waiting();
    }

    /// Answers calls in one transaction: all of them, or none. A damaged file is replaced first.
    fn serve(&mut self, jobs: Vec<Job>) {
        let result = match self.attempt(&jobs) {
            Err(error) if sqlite::is_damage(&error) => {
                self.set_aside(&error);
                self.attempt(&jobs)
            }
            other => other,
        };
        match result {
            Ok(answers) => {
                let mut memory = self.memory();
                for (job, answers) in jobs.iter().zip(&answers) {
                    job.ops.iter().zip(answers).for_each(|(op, answer)| memory.learn(job.now, op, answer));
                }
                drop(memory);
                for (job, answers) in jobs.into_iter().zip(answers) {
                    let _ = job.reply.send(Ok(answers));
                }
            }
            Err(error) => {
                let why = format!("counters: {error}");
                self.log(&why);
                for job in jobs {
                    let _ = job.reply.send(Err(why.clone()));
                }
            }
        }
    }

    fn attempt(&mut self, jobs: &[Job]) -> Result<Vec<Vec<Answer>>, StoreError> {
        let only_reads = jobs.iter().flat_map(|job| &job.ops).all(Op::only_reads);
        if !only_reads {
            // Who writes wants exact sums, too.
            self.write_waiting();
        }
        let answer =
            |connection: &Connection, job: &Job| job.ops.iter().map(|op| apply(connection, op, job.now)).collect();
        self.at_once(only_reads, |connection| jobs.iter().map(|job| answer(connection, job)).collect())
    }

    /// Runs the work in one transaction.
    fn at_once<T>(
        &mut self,
        only_reads: bool,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let open = match self.open.take() {
            Some(open) => self.open.insert(open),
            None => self.open.insert(open_place(&self.place)?),
        };
        if let Some(others_wrote) = open.look()? {
            self.memory.lock().unwrap_or_else(PoisonError::into_inner).looked(others_wrote);
        }
        let connection = &open.connection;
        // rusqlite's transactions parse these words anew each time, which takes as long as a read.
        let say = |word| connection.prepare_cached(word)?.execute([]);
        say(if only_reads { "BEGIN" } else { "BEGIN IMMEDIATE" })?;
        let done = work(connection).and_then(|answer| say("COMMIT").map(|_| answer));
        if done.is_err() && !connection.is_autocommit() {
            let _ = say("ROLLBACK");
        }
        Ok(done?)
    }

    /// Writes the additions that wait in memory. What cannot be written waits on.
    fn write_waiting(&mut self) {
        let ops = self.memory().take_waiting();
        if ops.is_empty() {
            return;
        }
        let write = |connection: &Connection| ops.iter().try_for_each(|op| apply(connection, op, 0).map(|_| ()));
        let written = self.at_once(false, write);
        if let Err(error) = written {
            if sqlite::is_damage(&error) {
                self.set_aside(&error);
            }
            self.log(&format!("counters: {error}"));
            self.memory().restore(ops);
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn upkeep(&mut self, now: i64) {
        let Some(open) = &mut self.open else { return };
        if let Place::File(path) = &self.place
            && open.identity != identity(path)
        {
            tracing::warn!(file = %path.display(), "counters: the file was replaced; opening the new one");
            self.open = None;
            return;
        }
        let prune = || -> rusqlite::Result<()> {
            let transaction = open.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute("DELETE FROM counter WHERE expires <= ?1", [now])?;
            transaction.execute("DELETE FROM entry WHERE expires <= ?1", [now])?;
            transaction.commit()
        };
        if let Err(error) = { prune }() {
            self.log(&format!("counters: pruning: {error}"));
        }
    }

    /// Moves a broken file out of the way, unless another process has done so already.
    fn set_aside(&mut self, error: &StoreError) {
        let held = self.open.take().and_then(|open| open.identity);
        let Place::File(path) = &self.place else { return };
        if held.is_some() && held != identity(path) {
            return;
        }
        let aside = path.with_extension("db.damaged");
        let moved = fs::rename(path, &aside);
        for suffix in ["-wal", "-shm"] {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            let _ = fs::remove_file(name);
        }
        tracing::warn!(file = %path.display(), %error, ?moved, aside = %aside.display(),
            "counters: the file is damaged; it was moved aside and counting starts afresh");
    }

    fn log(&mut self, why: &str) {
        if self.logged.is_none_or(|at| at.elapsed() >= LOG_PAUSE) {
            self.logged = Some(Instant::now());
            tracing::warn!("{why}; mail goes on without them");
        }
    }
}

impl Open {
    /// Whether another connection has written since the last look; `None` if the last look was just now. A file that was
    /// just opened is new in all.
    fn look(&mut self) -> rusqlite::Result<Option<bool>> {
        if self.seen.is_some_and(|(_, at)| at.elapsed() < LOOK_EVERY) {
            return Ok(None);
        }
        // Own writes leave it as it is (sqlite.org/pragma.html#pragma_data_version).
        let version = self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        let before = self.seen.replace((version, Instant::now()));
        Ok(Some(before.is_none_or(|(seen, _)| seen != version)))
    }
}

fn open_place(place: &Place) -> Result<Open, StoreError> {
    let (connection, identity) = match place {
        Place::Memory => (sqlite::migrate(Connection::open_in_memory()?, MIGRATIONS)?, None),
        Place::File(path) => (sqlite::open(path, Durability::Off, LOCK_WAIT, MIGRATIONS)?, identity(path)),
    };
    connection.pragma_update(None, "max_page_count", PAGES)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(Open { connection, identity, seen: None })
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

fn apply(connection: &Connection, op: &Op, now: i64) -> rusqlite::Result<Answer> {
    Ok(match op {
        Op::Add { key, amount, window } => add(connection, key, *amount, window.start(now), window.keep)?,
        Op::AddTo { key, bucket, amount, window } => add(connection, key, *amount, *bucket, window.keep)?,
        Op::Buckets { key } => Answer::Buckets(
            connection
                .prepare_cached("SELECT bucket, amount FROM counter WHERE key = ?1 ORDER BY bucket")?
                .query_map([key], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.max(0).unsigned_abs())))?
                .collect::<Result<_, _>>()?,
        ),
        Op::Sum { key, since, window } => {
            let sum: Option<i64> = connection
                .prepare_cached("SELECT SUM(amount) FROM counter WHERE key = ?1 AND bucket > ?2")?
                .query_row(params![key, since.saturating_sub(window.bucket)], |row| row.get(0))?;
            Answer::Number(sum.unwrap_or(0).max(0).unsigned_abs())
        }
        Op::Clear { prefix } => {
            connection
                .prepare_cached("DELETE FROM counter WHERE key >= ?1 AND key < ?2")?
                .execute(params![prefix, after(prefix)])?;
            Answer::Done
        }
        Op::Get { key } => Answer::Entry(
            connection
                .prepare_cached("SELECT key, value, expires FROM entry WHERE key = ?1 AND expires > ?2")?
                .query_row(params![key, now], entry)
                .optional()?,
        ),
        Op::Put { key, value, expires } => {
            connection
                .prepare_cached("INSERT OR REPLACE INTO entry VALUES (?1, ?2, ?3)")?
                .execute(params![key, value, expires])?;
            Answer::Done
        }
        Op::Delete { key } => {
            connection.prepare_cached("DELETE FROM entry WHERE key = ?1")?.execute([key])?;
            Answer::Done
        }
        Op::List { prefix, limit } => Answer::Entries(
            connection
                .prepare_cached(
                    "SELECT key, value, expires FROM entry WHERE key >= ?1 AND key < ?2 AND expires > ?3
                     ORDER BY key LIMIT ?4",
                )?
                .query_map(params![prefix, after(prefix), now, limit], entry)?
                .collect::<Result<_, _>>()?,
        ),
        Op::Sample { prefix, value_prefix, limit } => Answer::Entries(
            connection
                .prepare_cached(
                    "SELECT key, value, expires FROM (
                         SELECT * FROM entry WHERE key >= ?1 AND key < ?2 AND expires > ?3
                             AND substr(value, 1, ?6) = ?5 LIMIT 10000)
                     ORDER BY random() LIMIT ?4",
                )?
                .query_map(
                    params![prefix, after(prefix), now, limit, value_prefix, value_prefix.chars().count() as i64],
                    entry,
                )?
                .collect::<Result<_, _>>()?,
        ),
        Op::Count { prefix } => {
            let count: i64 = connection
                .prepare_cached(
                    "SELECT COUNT(*) FROM
                     (SELECT 1 FROM entry WHERE key >= ?1 AND key < ?2 AND expires > ?3 LIMIT 1000)",
                )?
                .query_row(params![prefix, after(prefix), now], |row| row.get(0))?;
            Answer::Number(count.max(0).unsigned_abs())
        }
    })
}

fn add(connection: &Connection, key: &str, amount: u64, bucket: i64, keep: i64) -> rusqlite::Result<Answer> {
    let amount = i64::try_from(amount).unwrap_or(i64::MAX).min(1_000_000_000_000);
    connection
        .prepare_cached(
            "INSERT INTO counter VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key, bucket)
             DO UPDATE SET amount = MIN(amount + excluded.amount, 1000000000000)",
        )?
        .execute(params![key, bucket, amount, bucket.saturating_add(keep)])?;
    Ok(Answer::Done)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry { key: row.get(0)?, value: row.get(1)?, expires: row.get(2)? })
}

/// A key behind all that begin with `prefix`.
fn after(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}
