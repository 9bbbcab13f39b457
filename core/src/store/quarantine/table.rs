//! The tables of the quarantine.

use super::{super::StoreError, Bound, Kept, KeptFor, Parcel, Quota, Sealed};
use crate::verdict::Points;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params, types::Value};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most copies that are looked through at once for what is past its time, so that nobody waits long for the file. Unit: copies.
/// Source: our own limit; some milliseconds.
pub(super) const EXPIRED: usize = 100;
/// The same when a message is written. Unit: copies. Source: our own limit; each message makes room for some.
const PRUNED: usize = 10;
/// How long a copy is left to who releases it. Source: the longest `[submission] timeout`, and a minute.
const LEASE: Duration = Duration::from_secs(660);

/// As the first schema version has them. `content` stands last: a list reads no page of it. What was counted in `total`
/// is kept by triggers, so that a quota costs one look.
pub(super) const TABLES: &str = "
    CREATE TABLE key (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, public BLOB NOT NULL, made INTEGER NOT NULL);
    CREATE TABLE message (
        number INTEGER PRIMARY KEY, reference TEXT NOT NULL UNIQUE, digest TEXT NOT NULL UNIQUE, time INTEGER NOT NULL,
        sender TEXT NOT NULL, client_ip TEXT NOT NULL, queue_id TEXT NOT NULL, points INTEGER NOT NULL,
        findings TEXT NOT NULL, size INTEGER NOT NULL, stored INTEGER NOT NULL, key TEXT NOT NULL, summary BLOB NOT NULL,
        content BLOB NOT NULL);
    CREATE INDEX message_time ON message (time);
    CREATE TABLE recipient (
        message INTEGER NOT NULL REFERENCES message ON DELETE CASCADE, key TEXT NOT NULL, address TEXT NOT NULL,
        because TEXT NOT NULL, state TEXT NOT NULL, changed INTEGER NOT NULL, expires INTEGER NOT NULL,
        PRIMARY KEY (message, key)) WITHOUT ROWID;
    CREATE INDEX recipient_key ON recipient (key, state);
    CREATE INDEX recipient_expires ON recipient (expires) WHERE state IN ('held', 'releasing', 'released');
    CREATE TABLE passed (
        release TEXT PRIMARY KEY, times INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX passed_expires ON passed (expires);
    CREATE TABLE total (messages INTEGER NOT NULL, bytes INTEGER NOT NULL);
    INSERT INTO total VALUES (0, 0);
    CREATE TRIGGER message_in AFTER INSERT ON message BEGIN
        UPDATE total SET messages = messages + 1, bytes = bytes + new.stored; END;
    CREATE TRIGGER message_out AFTER DELETE ON message BEGIN
        UPDATE total SET messages = messages - 1, bytes = bytes - old.stored; END;
";

/// What became of a recipient's copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits.
    Held,
    /// Somebody is releasing it.
    Releasing,
    /// It was delivered after all.
    Released,
    /// Somebody has deleted it.
    Deleted,
    /// Its time was over.
    Expired,
}

impl State {
    /// The word of lists and the table.
    pub fn word(self) -> &'static str {
        match self {
            State::Held => "held",
            State::Releasing => "releasing",
            State::Released => "released",
            State::Deleted => "deleted",
            State::Expired => "expired",
        }
    }

    fn of(word: &str) -> Self {
        match word {
            "releasing" => State::Releasing,
            "released" => State::Released,
            "deleted" => State::Deleted,
            "expired" => State::Expired,
            _ => State::Held,
        }
    }
}

/// A message in the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptMessage {
    /// By this people name it.
    pub reference: String,
    /// When it came. Unix seconds.
    pub time: i64,
    /// Envelope sender; empty for the null sender.
    pub sender: String,
    /// Address of the client.
    pub client_ip: String,
    /// The MTA's queue id.
    pub queue_id: String,
    /// Total of the card.
    pub points: Points,
    /// Ids of the findings.
    pub findings: Vec<String>,
    /// Of the message. Unit: bytes.
    pub size: u64,
    /// The key that it is sealed to.
    pub key: String,
    /// The sealed [`Summary`](super::Summary).
    pub summary: Vec<u8>,
    /// For whom, in the order of their addresses.
    pub recipients: Vec<KeptRecipient>,
}

/// A recipient's copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRecipient {
    /// As the client wrote it, without brackets.
    pub address: String,
    /// The form by which addresses are compared.
    #[serde(skip)]
    pub key: String,
    /// What decided.
    pub because: String,
    /// What became of it.
    pub state: State,
    /// Since when. Unix seconds.
    pub changed: i64,
    /// When it expires. Unix seconds.
    pub expires: i64,
}

/// Which messages are wanted. `*` stands for any characters; case does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The message of this reference.
    pub reference: Option<String>,
    /// For such a recipient.
    pub to: Option<String>,
    /// From such an envelope sender.
    pub from: Option<String>,
    /// That came at this time or later. Unix seconds.
    pub since: Option<i64>,
    /// With such a finding.
    pub finding: Option<String>,
    /// Of which a copy is in this state.
    pub state: Option<State>,
    /// Most messages that are given; zero for all.
    pub limit: u32,
}

/// Writes a message, unless it is there or a bound is reached.
pub(super) fn insert(transaction: &Transaction<'_>, sealed: &Sealed, quota: Quota) -> Result<Kept, StoreError> {
    let parcel = &sealed.parcel;
    let known: Option<i64> = transaction
        .prepare_cached("SELECT number FROM message WHERE digest = ?1")?
        .query_row([&parcel.digest], |row| row.get(0))
        .optional()?;
    if let Some(number) = known {
        // Who has it already, or had it, keeps what he did with it; a copy that is gone waits again.
        for recipient in &parcel.recipients {
            add(transaction, number, recipient, parcel)?;
        }
        return Ok(Kept::Joined);
    }
    let stored = (sealed.summary.len() + sealed.content.len()) as u64;
    // Where no daemon runs, nobody else erases.
    let mut more = expire(transaction, parcel.time, PRUNED)?.more;
    while let Some(bound) = reached(transaction, stored, quota)? {
        if !more {
            return Ok(Kept::Full(bound));
        }
        more = expire(transaction, parcel.time, EXPIRED)?.more;
    }
    if quota.of_recipient > 0 {
        for recipient in &parcel.recipients {
            let held: i64 = transaction
                .prepare_cached("SELECT COUNT(*) FROM recipient WHERE key = ?1 AND state = 'held' AND expires >= ?2")?
                .query_row(params![recipient.key, parcel.time], |row| row.get(0))?;
            if held.unsigned_abs() >= quota.of_recipient {
                return Ok(Kept::Full(Bound::Recipient));
            }
        }
    }
    transaction
        .prepare_cached(
            "INSERT INTO message (reference, digest, time, sender, client_ip, queue_id, points, findings, size, stored, key, \
             summary, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            parcel.reference,
            parcel.digest,
            parcel.time,
            parcel.sender,
            parcel.client_ip,
            parcel.queue_id,
            parcel.points.as_hundredths(),
            format!(" {} ", parcel.findings.join(" ")),
            sealed.size as i64,
            stored as i64,
            sealed.key,
            sealed.summary,
            sealed.content,
        ])?;
    let number = transaction.last_insert_rowid();
    for recipient in &parcel.recipients {
        add(transaction, number, recipient, parcel)?;
    }
    Ok(Kept::New)
}

/// The bound of the whole that another message of this size would cross.
fn reached(transaction: &Transaction<'_>, stored: u64, quota: Quota) -> Result<Option<Bound>, StoreError> {
    let (messages, bytes) = total(transaction)?;
    Ok(match () {
        () if quota.messages > 0 && messages >= quota.messages => Some(Bound::Messages),
        () if quota.bytes > 0 && bytes.saturating_add(stored) > quota.bytes => Some(Bound::Bytes),
        () => None,
    })
}

/// A copy that is gone waits again; so does one that comes back from its release.
fn add(transaction: &Transaction<'_>, message: i64, recipient: &KeptFor, parcel: &Parcel) -> Result<(), StoreError> {
    let gone = "state IN ('deleted', 'expired') OR (state = 'released' AND ?7)";
    transaction
        .prepare_cached(&format!(
            "INSERT INTO recipient (message, key, address, because, state, changed, expires) \
             VALUES (?1, ?2, ?3, ?4, 'held', ?5, ?6) ON CONFLICT DO UPDATE SET expires = max(expires, excluded.expires), \
             changed = iif({gone}, excluded.changed, changed), state = iif({gone}, 'held', state)",
        ))?
        .execute(params![
            message,
            recipient.key,
            recipient.address,
            recipient.because,
            parcel.time,
            recipient.expires,
            parcel.came_back
        ])?;
    Ok(())
}

pub(super) fn list(connection: &Connection, filter: &Filter) -> Result<Vec<KeptMessage>, StoreError> {
    let (mut conditions, mut values) = (Vec::new(), Vec::<Value>::new());
    let mut want = |condition: &str, value: Value| {
        values.push(value);
        conditions.push(condition.replace('?', &format!("?{}", values.len())));
    };
    let pattern = |text: &str| Value::Text(text.to_lowercase().replace('[', "[[]").replace('?', "[?]"));
    if let Some(reference) = &filter.reference {
        want("reference = ?", Value::Text(reference.clone()));
    }
    if let Some(to) = &filter.to {
        // An index finds one address, and no pattern.
        match to.contains('*') {
            true => want("number IN (SELECT message FROM recipient WHERE key GLOB ?)", pattern(to)),
            false => want("number IN (SELECT message FROM recipient WHERE key = ?)", Value::Text(to.to_lowercase())),
        }
    }
    if let Some(from) = &filter.from {
        want("lower(sender) GLOB ?", pattern(from));
    }
    if let Some(since) = filter.since {
        want("time >= ?", Value::Integer(since));
    }
    if let Some(finding) = &filter.finding {
        want("findings GLOB ?", pattern(&format!("* {finding} *")));
    }
    if let Some(state) = filter.state {
        let condition = "number IN (SELECT message FROM recipient WHERE state = ?)";
        want(condition, Value::Text(state.word().to_owned()));
    }
    let condition = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
    let limit = if filter.limit == 0 { -1 } else { i64::from(filter.limit) };
    let mut statement = connection.prepare(&format!(
        "SELECT number, reference, time, sender, client_ip, queue_id, points, findings, size, key, summary FROM message \
         WHERE {condition} ORDER BY time DESC, number DESC LIMIT {limit}"
    ))?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| Ok((row.get(0)?, message(row)?)))?;
    let mut found: Vec<(i64, KeptMessage)> = rows.collect::<Result<_, _>>()?;
    let mut recipients = connection.prepare_cached(
        "SELECT address, key, because, state, changed, expires FROM recipient WHERE message = ?1 ORDER BY key",
    )?;
    for (number, message) in &mut found {
        message.recipients = recipients.query_map([*number], recipient)?.collect::<Result<_, _>>()?;
    }
    Ok(found.into_iter().map(|(_, message)| message).collect())
}

fn message(row: &Row<'_>) -> rusqlite::Result<KeptMessage> {
    Ok(KeptMessage {
        reference: row.get(1)?,
        time: row.get(2)?,
        sender: row.get(3)?,
        client_ip: row.get(4)?,
        queue_id: row.get(5)?,
        points: Points::hundredths(row.get(6)?),
        findings: row.get::<_, String>(7)?.split_whitespace().map(str::to_owned).collect(),
        size: row.get::<_, i64>(8)?.unsigned_abs(),
        key: row.get(9)?,
        summary: row.get(10)?,
        recipients: Vec::new(),
    })
}

fn recipient(row: &Row<'_>) -> rusqlite::Result<KeptRecipient> {
    Ok(KeptRecipient {
        address: row.get(0)?,
        key: row.get(1)?,
        because: row.get(2)?,
        state: State::of(&row.get::<_, String>(3)?),
        changed: row.get(4)?,
        expires: row.get(5)?,
    })
}

/// The key, the sealed content, and the size of the message.
pub(super) fn content(
    connection: &Connection,
    reference: &str,
) -> Result<Option<(String, Vec<u8>, usize)>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT key, content, size FROM message WHERE reference = ?1")?
        .query_row([reference], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs() as usize)))
        .optional()?)
}

/// Puts a copy into another state. A message of which no copy is left is erased.
/// Puts a copy from one state into another; `false` if it is in none of `from`. A release that was begun and never ended counts
/// as one that waits.
pub(super) fn set_state(
    connection: &mut Connection,
    reference: &str,
    key: &str,
    [from, to]: [State; 2],
    now: i64,
) -> Result<bool, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let changed = transaction
        .prepare_cached(
            "UPDATE recipient SET state = ?4, changed = ?5 \
             WHERE key = ?2 AND message = (SELECT number FROM message WHERE reference = ?1) \
             AND (state = ?3 OR (?3 = 'held' AND state = 'releasing' AND changed < ?5 - ?6))",
        )?
        .execute(params![reference, key, from.word(), to.word(), now, LEASE.as_secs() as i64])?;
    transaction
        .prepare_cached(
            "DELETE FROM message WHERE reference = ?1 AND NOT EXISTS (SELECT 1 FROM recipient \
             WHERE message = number AND state IN ('held', 'releasing', 'released'))",
        )?
        .execute([reference])?;
    transaction.commit()?;
    Ok(changed > 0)
}

/// What [`expire`] did.
pub(super) struct Expired {
    /// Messages that are gone.
    pub(super) messages: u64,
    /// Whether there may be more.
    pub(super) more: bool,
}

/// Takes some copies off that are past their time, and the messages of which that was the last.
pub(super) fn expire(transaction: &Transaction<'_>, now: i64, most: usize) -> Result<Expired, StoreError> {
    transaction
        .prepare_cached("DELETE FROM passed WHERE release IN (SELECT release FROM passed WHERE expires < ?1 LIMIT ?2)")?
        .execute(params![now, most as i64])?;
    let copies: Vec<(i64, String)> = transaction
        .prepare_cached(
            "SELECT message, key FROM recipient \
             WHERE expires < ?1 AND state IN ('held', 'releasing', 'released') ORDER BY expires LIMIT ?2",
        )?
        .query_map(params![now, most as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut messages = 0;
    for (message, key) in &copies {
        transaction
            .prepare_cached("UPDATE recipient SET state = 'expired', changed = ?3 WHERE message = ?1 AND key = ?2")?
            .execute(params![message, key, now])?;
        messages += transaction
            .prepare_cached(
                "DELETE FROM message WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM recipient \
                 WHERE message = number AND state IN ('held', 'releasing', 'released'))",
            )?
            .execute([message])?;
    }
    Ok(Expired { messages: messages as u64, more: copies.len() == most })
}

/// Notes a passage; gives how many there were of this release.
pub(super) fn pass(connection: &mut Connection, release: &str, expires: i64) -> Result<u32, StoreError> {
    let noted = connection
        .prepare_cached(
            "INSERT INTO passed (release, times, expires) VALUES (?1, 1, ?2) \
             ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times",
        )?
        .query_row(params![release, expires], |row| row.get(0))?;
    Ok(noted)
}

pub(super) fn has_passed(connection: &Connection, release: &str) -> Result<bool, StoreError> {
    Ok(connection.prepare_cached("SELECT 1 FROM passed WHERE release = ?1")?.exists([release])?)
}

pub(super) fn total(connection: &Connection) -> Result<(u64, u64), StoreError> {
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()));
    Ok(connection.prepare_cached("SELECT messages, bytes FROM total")?.query_row([], read)?)
}
