//! The tables of the quarantine.

use super::{super::StoreError, Bound, Kept, KeptFor, Quota, Sealed};
use crate::verdict::Points;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params, types::Value};
use serde::{Deserialize, Serialize};

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
    CREATE INDEX recipient_expires ON recipient (expires);
    CREATE TABLE passed (release TEXT PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;
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
            State::Released => "released",
            State::Deleted => "deleted",
            State::Expired => "expired",
        }
    }

    fn of(word: &str) -> Self {
        match word {
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
            add(transaction, number, recipient, parcel.time)?;
        }
        return Ok(Kept::Joined);
    }
    let stored = (sealed.summary.len() + sealed.content.len()) as u64;
    let (messages, bytes) = total(transaction)?;
    if quota.messages > 0 && messages >= quota.messages {
        return Ok(Kept::Full(Bound::Messages));
    }
    if quota.bytes > 0 && bytes.saturating_add(stored) > quota.bytes {
        return Ok(Kept::Full(Bound::Bytes));
    }
    if quota.of_recipient > 0 {
        for recipient in &parcel.recipients {
            let held: i64 = transaction
                .prepare_cached("SELECT COUNT(*) FROM recipient WHERE key = ?1 AND state = 'held'")?
                .query_row([&recipient.key], |row| row.get(0))?;
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
            parcel.raw.len() as i64,
            stored as i64,
            sealed.key,
            sealed.summary,
            sealed.content,
        ])?;
    let number = transaction.last_insert_rowid();
    for recipient in &parcel.recipients {
        add(transaction, number, recipient, parcel.time)?;
    }
    Ok(Kept::New)
}

fn add(transaction: &Transaction<'_>, message: i64, recipient: &KeptFor, now: i64) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT INTO recipient (message, key, address, because, state, changed, expires) \
             VALUES (?1, ?2, ?3, ?4, 'held', ?5, ?6) ON CONFLICT DO UPDATE SET expires = max(expires, excluded.expires), \
             changed = iif(state IN ('deleted', 'expired'), excluded.changed, changed), \
             state = iif(state IN ('deleted', 'expired'), 'held', state)",
        )?
        .execute(params![message, recipient.key, recipient.address, recipient.because, now, recipient.expires])?;
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
pub(super) fn set_state(
    connection: &mut Connection,
    reference: &str,
    key: &str,
    state: State,
    now: i64,
) -> Result<bool, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let changed = transaction
        .prepare_cached(
            "UPDATE recipient SET state = ?3, changed = ?4 \
             WHERE key = ?2 AND message = (SELECT number FROM message WHERE reference = ?1)",
        )?
        .execute(params![reference, key, state.word(), now])?;
    transaction
        .prepare_cached(
            "DELETE FROM message WHERE reference = ?1 AND NOT EXISTS (SELECT 1 FROM recipient \
             WHERE message = number AND state IN ('held', 'released'))",
        )?
        .execute([reference])?;
    transaction.commit()?;
    Ok(changed > 0)
}

pub(super) fn expire(connection: &mut Connection, now: i64) -> Result<u64, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("DELETE FROM passed WHERE expires < ?1", [now])?;
    transaction.execute(
        "UPDATE recipient SET state = 'expired', changed = ?1 WHERE expires < ?1 AND state IN ('held', 'released')",
        [now],
    )?;
    let gone = transaction.execute(
        "DELETE FROM message WHERE number NOT IN (SELECT message FROM recipient WHERE state IN ('held', 'released'))",
        [],
    )?;
    transaction.commit()?;
    Ok(gone as u64)
}

pub(super) fn pass(connection: &mut Connection, release: &str, expires: i64) -> Result<bool, StoreError> {
    let added = connection
        .prepare_cached("INSERT OR IGNORE INTO passed (release, expires) VALUES (?1, ?2)")?
        .execute(params![release, expires])?;
    Ok(added > 0)
}

pub(super) fn total(connection: &Connection) -> Result<(u64, u64), StoreError> {
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()));
    Ok(connection.prepare_cached("SELECT messages, bytes FROM total")?.query_row([], read)?)
}
