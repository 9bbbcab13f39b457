//! What is kept of a decision: a log line and a history row. Facts only, no words of the message.

use crate::{
    explain::Explanation,
    store::HistoryRow,
    verdict::{Card, Reference, Reply},
};

/// A decision with its name.
#[derive(Debug, Clone)]
pub struct Report {
    /// By this `mailward explain` finds the decision.
    pub reference: Reference,
    /// Unix seconds.
    pub time: i64,
    /// The MTA's queue id, if it is known.
    pub queue_id: Option<String>,
    /// Why. It may hold words of the message; log and history leave them out.
    pub explanation: Explanation,
}

/// Why nothing came of a transaction.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What the client heard first.
    pub reply: Reply,
    /// Why.
    pub report: Report,
}

impl Report {
    /// Whether the message is anything but delivered unmarked.
    pub fn is_marked(&self) -> bool {
        self.explanation.verdict != "deliver"
    }

    /// The row for the history table.
    pub(super) fn row(&self) -> HistoryRow {
        let explanation = self.explanation.clone().without_text();
        HistoryRow {
            reference: self.reference.to_string(),
            time: self.time,
            stage: explanation.stage.word().to_owned(),
            verdict: explanation.verdict.clone(),
            points: explanation.points,
            client_ip: explanation.client.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            helo: explanation.client.helo.clone().unwrap_or_default(),
            sender: explanation.sender.clone().unwrap_or_default(),
            recipients: explanation.recipients.iter().map(|r| r.address.clone()).collect(),
            queue_id: self.queue_id.clone().unwrap_or_default(),
            explanation: explanation.json(),
            card: Card { findings: explanation.findings, total: explanation.points },
        }
    }
}
