//! `mailward.db`: records that must survive, written by one thread.

use super::{
    HistoryRow, Learned, Member, StoreError, history, learned, outbox, roster,
    sqlite::{self, Durability},
};
use rusqlite::{Connection, TransactionBehavior};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Name of the file in the state directory.
pub const FILE: &str = "mailward.db";
/// Each text leads to the next schema version.
const MIGRATIONS: &[&str] = &[history::TABLE, roster::TABLE, learned::TABLE, outbox::TABLE];
/// Longest wait for another process that writes. Unit: time. Source: SQLite's customary 5 s.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How often the last rows are tried, each time for [`LOCK_WAIT`], before a process ends without them: one that serves a
/// single connection meets many others that write.
const LAST_TRIES: u32 = 3;
/// History is written at least this often.
const FLUSH_EVERY: Duration = Duration::from_millis(200);
/// History is written when so many rows wait. Unit: rows.
const FLUSH_ROWS: usize = 100;
/// Most history rows, and most other orders, that wait for the thread; further rows are dropped and counted. Unit: rows.
const QUEUE: usize = 10_000;
/// Least time between two log lines about dropped rows or trouble.
const LOG_PAUSE: Duration = Duration::from_secs(60);
/// Time between two searches for rows that are too old.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// Handle of the durable store. Dropping it, or [`Store::close`], writes what waits.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    history_days: u32,
    thread: OnceLock<Option<Thread>>,
    dropped: AtomicU64,
    drop_logged: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Thread {
    rows: Rows,
    orders: SyncSender<Order>,
    handle: JoinHandle<()>,
    process: u32,
}

/// History rows that wait to be written. They are collected here, so that the thread is woken once for many.
type Rows = Arc<Mutex<Waiting>>;

#[derive(Debug, Default)]
struct Waiting {
    rows: Vec<HistoryRow>,
    /// Rows that the thread is writing; if it fails they come back.
    in_hand: usize,
}

enum Order {
    /// The first row waits, or so many that they should be written.
    Rows,
    Run(Box<dyn FnOnce(&mut Connection) + Send>),
}

impl Store {
    /// Opens the store of a state directory: makes the file if need be and brings its schema up to date. No thread
    /// runs and no file stays open until first use.
    ///
    /// # Errors
    ///
    /// If the file cannot be made, is damaged, or was written by a newer version.
    pub fn open(dir: &Path, history_days: u32) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        drop(sqlite::open(&path, Durability::Full, LOCK_WAIT, MIGRATIONS)?);
        Ok(Store {
            path,
            history_days,
            thread: OnceLock::new(),
            dropped: AtomicU64::new(0),
            drop_logged: Mutex::default(),
        })
    }

    /// Has a history row written soon. Never waits: past the bound of the queue rows are dropped and counted.
    pub fn record(&self, row: HistoryRow) {
        if let Err(why) = self.collect(row.without_text()) {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            let mut logged = self.drop_logged.lock().unwrap_or_else(PoisonError::into_inner);
            if logged.is_none_or(|at| at.elapsed() >= LOG_PAUSE) {
                *logged = Some(Instant::now());
                tracing::error!(dropped, %why, "history rows were dropped");
            }
        }
    }

    fn collect(&self, row: HistoryRow) -> Result<(), &'static str> {
        let thread = self.thread()?;
        if thread.handle.is_finished() {
            return Err("its thread has ended");
        }
        let count = {
            let mut waiting = thread.rows.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.rows.len() + waiting.in_hand >= QUEUE {
                return Err("the file cannot be written, or not fast enough");
            }
            waiting.rows.push(row);
            waiting.rows.len()
        };
        if count == 1 || count.is_multiple_of(FLUSH_ROWS) {
            // Orders that fill the queue have the rows written too.
            let _ = send(thread, Order::Rows);
        }
        Ok(())
    }

    /// History rows that could not be taken since the store was opened.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes a history row and waits until it is safe on disk.
    ///
    /// # Errors
    ///
    /// If it could not be written; nothing is known about it then.
    pub async fn commit(&self, row: HistoryRow) -> Result<(), StoreError> {
        let row = row.without_text();
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            history::insert(&transaction, &row)?;
            Ok(transaction.commit()?)
        })
        .await
    }

    /// The history row of a reference.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn find(&self, reference: &str) -> Result<Option<HistoryRow>, StoreError> {
        let reference = reference.to_owned();
        self.run(move |connection| history::find(connection, &reference)).await
    }

    /// The latest history rows, latest first.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn recent(&self, count: u32) -> Result<Vec<HistoryRow>, StoreError> {
        self.run(move |connection| history::recent(connection, count)).await
    }

    /// Puts `members` in the place of the recipients that were imported before; gives their number before.
    /// `percent`: the largest share that may go at once, or `None` to allow anything.
    ///
    /// # Errors
    ///
    /// [`StoreError::Shrink`] if more would go; or if the file cannot be written. Nothing has changed then.
    pub async fn replace_roster(&self, members: Vec<Member>, percent: Option<u64>) -> Result<u64, StoreError> {
        self.run(move |connection| roster::replace(connection, &members, percent)).await
    }

    /// How many imported recipients there are.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn roster_size(&self) -> Result<u64, StoreError> {
        self.run(|connection| roster::count(connection)).await
    }

    /// The first of `addresses` that was imported.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn find_member(&self, addresses: Vec<String>) -> Result<Option<Member>, StoreError> {
        self.run(move |connection| roster::find(connection, &addresses)).await
    }

    /// As what each of these messages was learned: spam, ham, or not at all.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn learned(&self, digests: Vec<[u8; 16]>) -> Result<Vec<Option<bool>>, StoreError> {
        self.run(move |connection| learned::find(connection, &digests)).await
    }

    /// Notes what the model of this generation has learned.
    ///
    /// # Errors
    ///
    /// If the file cannot be written; nothing is noted then.
    pub async fn note_learned(&self, rows: Vec<Learned>, generation: u64) -> Result<(), StoreError> {
        self.run(move |connection| learned::note(connection, &rows, generation)).await
    }

    /// Forgets the notes of generations after this one; gives their number. 0 forgets all.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub async fn forget_learned_after(&self, generation: u64) -> Result<u64, StoreError> {
        self.run(move |connection| learned::forget_after(connection, generation)).await
    }

    /// Writes what waits and ends the thread. Blocks until that is done.
    pub fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(Some(thread)) = self.thread.take()
            && thread.process == std::process::id()
        {
            drop(thread.orders);
            let _ = thread.handle.join();
        }
    }

    /// Runs `f` on the thread that owns the connection, behind all rows recorded before.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let order = Order::Run(Box::new(move |connection| {
            let _ = reply.send(f(connection));
        }));
        self.thread().and_then(|thread| send(thread, order)).map_err(StoreError::Busy)?;
        answer.await.unwrap_or(Err(StoreError::Busy("the file cannot be opened")))
    }

    fn thread(&self) -> Result<&Thread, &'static str> {
        let thread = self.thread.get_or_init(|| {
            let (orders, receiver) = sync_channel(QUEUE);
            let rows = Rows::default();
            let writer = Writer::new(self.path.clone(), self.history_days, Arc::clone(&rows));
            match std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run(&receiver)) {
                Ok(handle) => Some(Thread { rows, orders, handle, process: std::process::id() }),
                Err(error) => {
                    tracing::error!(%error, "store: no thread");
                    None
                }
            }
        });
        let thread = thread.as_ref().ok_or("its thread could not be started")?;
        if thread.process != std::process::id() {
            return Err("it was used before the process forked; open it in the child");
        }
        Ok(thread)
    }
}

fn send(thread: &Thread, order: Order) -> Result<(), &'static str> {
    thread.orders.try_send(order).map_err(|error| match error {
        TrySendError::Full(_) => "too many orders are waiting",
        TrySendError::Disconnected(_) => "its thread has ended",
    })
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end();
    }
}

/// The thread that owns the connection.
struct Writer {
    path: PathBuf,
    history_days: u32,
    connection: Option<Connection>,
    rows: Rows,
    oldest: Option<Instant>,
    newest_time: i64,
    pruned: Option<Instant>,
    logged: Option<Instant>,
}

impl Writer {
    fn new(path: PathBuf, history_days: u32, rows: Rows) -> Self {
        Writer { path, history_days, connection: None, rows, oldest: None, newest_time: 0, pruned: None, logged: None }
    }

    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let order = match self.oldest {
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(oldest) => orders.recv_timeout(FLUSH_EVERY.saturating_sub(oldest.elapsed())),
            };
            match order {
                Ok(Order::Rows) => {
                    self.oldest.get_or_insert_with(Instant::now);
                    if self.waiting() >= FLUSH_ROWS || self.is_due() {
                        self.flush();
                    }
                }
                Ok(Order::Run(f)) => {
                    self.flush();
                    if let Some(connection) = self.connected() {
                        f(connection);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.flush(),
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
        }
    }

    fn is_due(&self) -> bool {
        self.oldest.is_some_and(|oldest| oldest.elapsed() >= FLUSH_EVERY)
    }

    fn waiting(&self) -> usize {
        self.lock().rows.len()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<HistoryRow> {
        let mut waiting = self.lock();
        waiting.in_hand = waiting.rows.len();
        std::mem::take(&mut waiting.rows)
    }

    /// Puts rows that could not be written before those that came meanwhile.
    fn put_back(&self, mut rows: Vec<HistoryRow>) {
        let mut waiting = self.lock();
        rows.append(&mut waiting.rows);
        *waiting = Waiting { rows, in_hand: 0 };
    }

    /// Writes the rows that wait. If that fails they go on waiting.
    fn flush(&mut self) {
        self.oldest = None;
        let rows = self.take();
        let Some(newest) = rows.iter().map(|row| row.time).max() else { return };
        self.newest_time = self.newest_time.max(newest);
        let before = self
            .pruned
            .is_none_or(|at| at.elapsed() >= PRUNE_EVERY)
            .then(|| self.newest_time - i64::from(self.history_days) * 86_400);
        let written = match self.connected() {
            None => Err(StoreError::Busy("the file cannot be opened")),
            Some(connection) => write(connection, &rows, before),
        };
        match written {
            Ok(()) => {
                self.lock().in_hand = 0;
                if before.is_some() {
                    self.pruned = Some(Instant::now());
                }
            }
            Err(error) => {
                self.put_back(rows);
                self.oldest = Some(Instant::now());
                self.log(&error.to_string());
            }
        }
    }

    fn end(&mut self) {
        for _ in 0..LAST_TRIES {
            self.flush();
            if self.waiting() == 0 {
                return;
            }
        }
        let (file, lost) = (self.path.display(), self.waiting());
        tracing::error!(%file, lost, "store: the last history rows could not be written");
    }

    fn connected(&mut self) -> Option<&mut Connection> {
        if self.connection.is_none() {
            match sqlite::open(&self.path, Durability::Full, LOCK_WAIT, MIGRATIONS) {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => self.log(&error.to_string()),
            }
        }
        self.connection.as_mut()
    }

    fn log(&mut self, why: &str) {
        if self.logged.is_none_or(|at| at.elapsed() >= LOG_PAUSE) {
            self.logged = Some(Instant::now());
            tracing::error!(file = %self.path.display(), waiting = self.waiting(), "store: {why}");
        }
    }
}

fn write(connection: &mut Connection, rows: &[HistoryRow], prune_before: Option<i64>) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for row in rows {
        history::insert(&transaction, row)?;
    }
    if let Some(before) = prune_before {
        history::prune(&transaction, before)?;
    }
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests;
