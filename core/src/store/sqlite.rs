//! Opening SQLite files that several processes, and several users of one group, share.

use rusqlite::{Connection, ErrorCode, TransactionBehavior, config::DbConfig};
use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
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
    /// A change of the directory that loses too many addresses.
    #[error("{0}")]
    Shrink(#[from] super::Shrink),
}

/// How much a commit waits for the disk.
#[derive(Debug, Clone, Copy)]
pub(super) enum Durability {
    /// Survives a crash of the program, not one of the machine.
    Off,
    /// Survives both.
    Full,
}

/// Opens the file, creates it if need be (mode 0660, group of the directory), and brings its schema up to date.
pub(super) fn open(
    path: &Path,
    durability: Durability,
    busy: Duration,
    migrations: &[&str],
) -> Result<Connection, StoreError> {
    create(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(busy)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match durability {
        Durability::Off => "OFF",
        Durability::Full => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    migrate(connection, migrations)
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
/// ours can both write. The umask does not narrow it; who may enter is the directory's business.
fn create(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o660).open(path) {
        Ok(_) => fs::set_permissions(path, Permissions::from_mode(0o660)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
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
}
