//! The thread that owns the connection to `counters.db`.

use super::{
    super::sqlite::{self, Durability, StoreError},
    Answer, Entry, Job, Op, Place,
};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::mpsc::Receiver,
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
/// Least time between two log lines about trouble.
const LOG_PAUSE: Duration = Duration::from_secs(60);
/// Largest file. Unit: pages of 4 KiB. Source: our own limit, 1 GiB; past it the counters are in trouble, mail is not.
const PAGES: u32 = 262_144;

pub(super) struct Worker {
    place: Place,
    open: Option<Open>,
    upkept: Instant,
    logged: Option<Instant>,
}

struct Open {
    connection: Connection,
    /// Device and inode, by which a file that was replaced under us is noticed.
    identity: Option<(u64, u64)>,
}

impl Worker {
    pub(super) fn new(place: Place) -> Self {
        Worker { place, open: None, upkept: Instant::now(), logged: None }
    }

    /// Serves until the last handle is dropped.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            if job.reply.is_closed() && job.ops.iter().all(Op::only_reads) {
                continue;
            }
            let result = self.serve(&job).map_err(|error| format!("counters: {error}"));
            if let Err(why) = &result {
                self.log(why);
            }
            let _ = job.reply.send(result);
            if self.upkept.elapsed() >= UPKEEP {
                self.upkept = Instant::now();
                self.upkeep(job.now);
            }
        }
    }

    fn serve(&mut self, job: &Job) -> Result<Vec<Answer>, StoreError> {
        match self.attempt(job) {
            Err(error) if sqlite::is_damage(&error) => {
                self.set_aside(&error);
                self.attempt(job)
            }
            other => other,
        }
    }

    fn attempt(&mut self, job: &Job) -> Result<Vec<Answer>, StoreError> {
        let open = match self.open.take() {
            Some(open) => self.open.insert(open),
            None => self.open.insert(open_place(&self.place)?),
        };
        let behavior = if job.ops.iter().all(Op::only_reads) {
            TransactionBehavior::Deferred
        } else {
            TransactionBehavior::Immediate
        };
        let transaction = open.connection.transaction_with_behavior(behavior)?;
        let answers = job.ops.iter().map(|op| apply(&transaction, op, job.now)).collect::<Result<_, _>>()?;
        transaction.commit()?;
        Ok(answers)
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

fn open_place(place: &Place) -> Result<Open, StoreError> {
    let (connection, identity) = match place {
        Place::Memory => (sqlite::migrate(Connection::open_in_memory()?, MIGRATIONS)?, None),
        Place::File(path) => (sqlite::open(path, Durability::Off, LOCK_WAIT, MIGRATIONS)?, identity(path)),
    };
    connection.pragma_update(None, "max_page_count", PAGES)?;
    Ok(Open { connection, identity })
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

fn apply(connection: &Connection, op: &Op, now: i64) -> rusqlite::Result<Answer> {
    Ok(match op {
        Op::Add { key, amount, window } => {
            let bucket = now - now.rem_euclid(window.bucket.max(1));
            let amount = i64::try_from(*amount).unwrap_or(i64::MAX);
            connection
                .prepare_cached(
                    "INSERT INTO counter VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key, bucket)
                     DO UPDATE SET amount = MIN(amount + excluded.amount, 1000000000000)",
                )?
                .execute(params![key, bucket, amount.min(1_000_000_000_000), now.saturating_add(window.keep)])?;
            Answer::Done
        }
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

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry { key: row.get(0)?, value: row.get(1)?, expires: row.get(2)? })
}

/// A key behind all that begin with `prefix`.
fn after(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}
