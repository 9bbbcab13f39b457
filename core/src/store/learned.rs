//! Which messages the classifier has learned, by their digest: learning twice is no learning.

use super::StoreError;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

/// A learned message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learned {
    /// Digest of the message's features.
    pub digest: [u8; 16],
    /// As spam, else as ham; `None`: it is forgotten.
    pub spam: Option<bool>,
    /// When. Unit: Unix seconds.
    pub time: i64,
}

pub(super) const TABLE: &str = "
    CREATE TABLE learned (
        digest BLOB PRIMARY KEY, spam INTEGER NOT NULL, generation INTEGER NOT NULL, time INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX learned_time ON learned (time);
";

/// Most learned messages that are remembered; the oldest go. Unit: messages. Source: our own limit, some 15 MB.
const ROWS: i64 = 200_000;

/// What is known of each digest.
pub(super) fn find(connection: &Connection, digests: &[[u8; 16]]) -> Result<Vec<Option<bool>>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT spam FROM learned WHERE digest = ?1")?;
    let one = |digest: &[u8; 16]| Ok(statement.query_row([digest.as_slice()], |row| row.get(0)).optional()?);
    digests.iter().map(one).collect()
}

/// Notes what the model of this generation has learned.
pub(super) fn note(connection: &mut Connection, rows: &[Learned], generation: u64) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for row in rows {
        let digest = row.digest.as_slice();
        match row.spam {
            Some(spam) => transaction
                .prepare_cached("INSERT OR REPLACE INTO learned VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![digest, spam, generation as i64, row.time])?,
            None => transaction.prepare_cached("DELETE FROM learned WHERE digest = ?1")?.execute([digest])?,
        };
    }
    let count: i64 = transaction.query_row("SELECT COUNT(*) FROM learned", [], |row| row.get(0))?;
    if count > ROWS {
        transaction.execute(
            "DELETE FROM learned WHERE digest IN (SELECT digest FROM learned ORDER BY time LIMIT ?1)",
            [count - ROWS],
        )?;
    }
    Ok(transaction.commit()?)
}

/// Forgets what no model of up to this generation has learned: notes of a learner that died before its model was saved.
pub(super) fn forget_after(connection: &Connection, generation: u64) -> Result<u64, StoreError> {
    Ok(connection.execute("DELETE FROM learned WHERE generation > ?1", [generation as i64])? as u64)
}
