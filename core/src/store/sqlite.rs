//! Opening SQLite files that several processes, and several users of one group, share.

use super::give_to_owner_of;
use rusqlite::{Connection, ErrorCode, TransactionBehavior, config::DbConfig};
use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Why the store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be created or opened.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// SQLite refuses.
    #[error("database: {0}")]
    Database(#[from] rusqlite::Error),
    /// A newer version of Mailward wrote the file.
    #[error("the file has schema version {found}, this program knows {known}; run the newer program")]
    Newer {
        /// Version in the file.
        found: u32,
        /// Version of this program.
        known: u32,
    },
    /// The thread that owns the file is gone or has too much to do.
    #[error("the store is not taking orders: {0}")]
    Busy(&'static str),
    /// A row cannot be written as JSON, or read back.
    #[error("row: {0}")]
    Row(#[from] serde_json::Error),
    /// A message of the quarantine cannot be sealed or opened.
    #[error("{0}")]
    Seal(#[from] super::quarantine::SealError),
    /// A change of the directory that loses too many addresses.
    #[error("{0}")]
    Shrink(#[from] super::Shrink),
}

/// How long a file that is read-only may become writable. Source: our own limit, far above the moment that it takes.
const MODE_WAIT: Duration = Duration::from_millis(500);

/// How much a commit waits for the disk.
#[derive(Debug, Clone, Copy)]
pub(super) enum Durability {
    /// Survives a crash of the program, not one of the machine.
    Off,
    /// Survives both.
    Full,
}

/// Opens the file, creates it if need be (mode 0660, group of the directory), and brings its schema up to date.
///
/// SQLite gives its `-wal` and `-shm` files their mode a moment after it has made them: another user who comes in between
/// may not write, and has to come again.
pub(super) fn open(
    path: &Path,
    durability: Durability,
    busy: Duration,
    migrations: &[&str],
) -> Result<Connection, StoreError> {
    let started = Instant::now();
    loop {
        match open_once(path, durability, busy, migrations) {
            Err(StoreError::Database(error))
                if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) && started.elapsed() < MODE_WAIT =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

fn open_once(
    path: &Path,
    durability: Durability,
    busy: Duration,
    migrations: &[&str],
) -> Result<Connection, StoreError> {
    create(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(busy)?;
    write_ahead(&connection, busy)?;
    let synchronous = match durability {
        Durability::Off => "OFF",
        Durability::Full => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    migrate(connection, migrations)
}

/// Switches a new file to a write-ahead log. Where two do that at once, SQLite tells one of them "locked" without waiting
/// (sqlite.org/c3ref/busy_handler.html, on deadlocks), so waiting is done here.
fn write_ahead(connection: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && started.elapsed() < patience =>
            {
                thread::sleep(Duration::from_millis(2));
            }
            other => return other,
        }
    }
}

/// Brings the schema of an open connection up to date: each text of `migrations` leads to the next version.
pub(super) fn migrate(mut connection: Connection, migrations: &[&str]) -> Result<Connection, StoreError> {
    // Else a kept statement is parsed and planned anew for each value that it compares with: SQLite hopes to learn
    // something from the value (sqlite.org/queryplanner-ng.html, section 4, "query planner stability guarantee").
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let known = migrations.len() as u32;
    // A file of this version is opened without waiting for whoever writes.
    if connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))? == known {
        return Ok(connection);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for text in migrations.iter().skip(found as usize) {
        transaction.execute_batch(text)?;
    }
    if found < known {
        transaction.pragma_update(None, "user_version", known)?;
    }
    transaction.commit()?;
    Ok(connection)
}

/// Whether the file itself is broken, so that trying again is of no use.
pub(super) fn is_damage(error: &StoreError) -> bool {
    let StoreError::Database(error) = error else { return false };
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Creates the file for the group: SQLite gives its `-wal` and `-shm` files the same mode, so that the MTA's user and
/// ours can both write. The umask does not narrow it; who may enter is the directory's business. It gets its name when it
/// has its mode, so that nobody finds a file that he may not open.
fn create(path: &Path) -> io::Result<()> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    if path.exists() {
        return Ok(());
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let new = path.with_extension(format!("new-{}-{number}", std::process::id()));
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o660).open(&new)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let named = give_to_owner_of(folder, &new)
        .and_then(|()| fs::set_permissions(&new, Permissions::from_mode(0o660)))
        .and_then(|()| fs::hard_link(&new, path));
    fs::remove_file(&new)?;
    match named {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;

    #[test]
    fn a_kept_statement_is_not_parsed_again_for_another_value() {
        let migrations = ["CREATE TABLE counter (key TEXT PRIMARY KEY, amount INTEGER) WITHOUT ROWID"];
        let opened = Connection::open_in_memory().map_err(StoreError::from);
        let connection = opened.and_then(|connection| migrate(connection, &migrations)).expect("a database");
        let mut kept = connection.prepare("SELECT amount FROM counter WHERE key = ?1").expect("SQL");
        for key in ["one", "another", "a third"] {
            assert!(!kept.exists([key]).expect("an answer"));
        }
        assert_eq!(kept.get_status(StatementStatus::RePrepare), 0);
    }

    #[test]
    fn a_file_that_many_open_for_the_first_time_at_once_is_opened_by_all() {
        for round in 0..20 {
            let dir = super::super::counters::scratch(&format!("first-{round}"));
            let open = || open(&dir.join("x.db"), Durability::Off, Duration::from_secs(5), &["CREATE TABLE x (y)"]);
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
                for thread in threads {
                    assert!(thread.join().expect("no panic").is_ok());
                }
            });
            let files = fs::read_dir(&dir)
                .expect("a directory")
                .flatten()
                .filter(|file| file.file_name().to_string_lossy().contains("new-"));
            assert_eq!(files.count(), 0);
            let _ = fs::remove_dir_all(dir);
        }
    }
}
