//! What became of each message and refused session: facts for `mailward explain`, never subject or body.

use super::StoreError;
use crate::verdict::{Card, Finding, Points};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

/// One decision.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// By which `mailward explain` finds it.
    pub reference: String,
    /// Unix seconds.
    pub time: i64,
    /// Where the decision fell: connect, helo, mail, rcpt, message.
    pub stage: String,
    /// The verdict in a word: accept, discard, reject, defer.
    pub verdict: String,
    /// Total of the card.
    pub points: Points,
    /// Address of the client.
    pub client_ip: String,
    /// Its word in HELO.
    pub helo: String,
    /// Envelope sender; empty for the null sender.
    pub sender: String,
    /// Envelope recipients.
    pub recipients: Vec<String>,
    /// The MTA's queue id.
    pub queue_id: String,
    /// The card. Words of the message are dropped before it is written.
    pub card: Card,
    /// The explanation as JSON.
    pub explanation: String,
}

impl HistoryRow {
    /// The row without words of the message in its card.
    #[must_use]
    pub fn without_text(mut self) -> Self {
        self.card.findings = self.card.findings.into_iter().map(Finding::without_text).collect();
        self
    }
}

/// The table, as the first schema version has it.
pub(super) const TABLE: &str = "
    CREATE TABLE history (
        reference TEXT PRIMARY KEY, time INTEGER NOT NULL, stage TEXT NOT NULL, verdict TEXT NOT NULL,
        points INTEGER NOT NULL, client_ip TEXT NOT NULL, helo TEXT NOT NULL, sender TEXT NOT NULL,
        recipients TEXT NOT NULL, queue_id TEXT NOT NULL, card TEXT NOT NULL, explanation TEXT NOT NULL);
    CREATE INDEX history_time ON history (time);
";

const COLUMNS: &str = "reference, time, stage, verdict, points, client_ip, helo, sender, recipients, queue_id, card, \
                       explanation";

pub(super) fn insert(connection: &Connection, row: &HistoryRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO history ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        ))?
        .execute(params![
            row.reference,
            row.time,
            row.stage,
            row.verdict,
            row.points.as_hundredths(),
            row.client_ip,
            row.helo,
            row.sender,
            serde_json::to_string(&row.recipients)?,
            row.queue_id,
            serde_json::to_string(&row.card)?,
            row.explanation,
        ])?;
    Ok(())
}

pub(super) fn find(connection: &Connection, reference: &str) -> Result<Option<HistoryRow>, StoreError> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM history WHERE reference = ?1"))?
        .query_row([reference], |row| Ok(read(row)))
        .optional()?
        .transpose()
}

pub(super) fn recent(connection: &Connection, count: u32) -> Result<Vec<HistoryRow>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM history ORDER BY time DESC, rowid DESC LIMIT ?1"))?;
    let rows = statement.query_map([count], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

/// Deletes rows older than `before` (Unix seconds); tells how many.
pub(super) fn prune(connection: &Connection, before: i64) -> Result<usize, StoreError> {
    Ok(connection.execute("DELETE FROM history WHERE time < ?1", [before])?)
}

fn read(row: &Row<'_>) -> Result<HistoryRow, StoreError> {
    Ok(HistoryRow {
        reference: row.get(0)?,
        time: row.get(1)?,
        stage: row.get(2)?,
        verdict: row.get(3)?,
        points: Points::hundredths(row.get(4)?),
        client_ip: row.get(5)?,
        helo: row.get(6)?,
        sender: row.get(7)?,
        recipients: serde_json::from_str(&row.get::<_, String>(8)?)?,
        queue_id: row.get(9)?,
        card: serde_json::from_str(&row.get::<_, String>(10)?)?,
        explanation: row.get(11)?,
    })
}
