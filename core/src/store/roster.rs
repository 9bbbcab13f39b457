//! The recipients that `mailward directory import` and `sync` have brought in, kept durably.

use super::StoreError;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

/// A recipient of the site.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Member {
    /// Address in the form of `Address::key`, or `@domain` for all addresses of a domain.
    pub address: String,
    /// The main address of the same mailbox.
    pub canonical: String,
    /// Lower case, sorted.
    pub groups: Vec<String>,
}

/// A change of the directory that would lose too many addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the directory would shrink from {before} to {after} addresses, more than {percent} %; nothing was changed")]
pub struct Shrink {
    /// Addresses before.
    pub before: u64,
    /// Addresses after.
    pub after: u64,
    /// The largest share that may go at once.
    pub percent: u64,
}

pub(super) const TABLE: &str = "
    CREATE TABLE roster (address TEXT PRIMARY KEY, canonical TEXT NOT NULL, groups TEXT NOT NULL) WITHOUT ROWID;
";

/// Puts `members` in the place of all that were there. `percent`: the largest share that may go at once, unless
/// `None`. Gives the number of addresses before.
pub(super) fn replace(
    connection: &mut Connection,
    members: &[Member],
    percent: Option<u64>,
) -> Result<u64, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before = count(&transaction)?;
    transaction.execute("DELETE FROM roster", [])?;
    for member in members {
        transaction.prepare_cached("INSERT OR REPLACE INTO roster VALUES (?1, ?2, ?3)")?.execute(params![
            member.address,
            member.canonical,
            serde_json::to_string(&member.groups)?
        ])?;
    }
    let after = count(&transaction)?;
    if let Some(percent) = percent
        && before.saturating_sub(after) * 100 > before * percent
    {
        return Err(Shrink { before, after, percent }.into());
    }
    transaction.commit()?;
    Ok(before)
}

pub(super) fn count(connection: &Connection) -> Result<u64, StoreError> {
    let count: i64 = connection.prepare_cached("SELECT COUNT(*) FROM roster")?.query_row([], |row| row.get(0))?;
    Ok(count.max(0).unsigned_abs())
}

/// The first of `addresses` that is there.
pub(super) fn find(connection: &Connection, addresses: &[String]) -> Result<Option<Member>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT address, canonical, groups FROM roster WHERE address = ?1")?;
    for address in addresses {
        let found: Option<(String, String, String)> =
            statement.query_row([address], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        if let Some((address, canonical, groups)) = found {
            return Ok(Some(Member { address, canonical, groups: serde_json::from_str(&groups)? }));
        }
    }
    Ok(None)
}
