//! What dies with the message.

use super::{Address, RawMessage, ReversePath};
use serde::{Deserialize, Serialize};

/// One mail transaction: from MAIL to the end of data, RSET, ABORT or the next MAIL.
#[derive(Debug)]
pub struct Transaction {
    /// Envelope sender.
    pub sender: ReversePath,
    /// Inbound or outbound.
    pub direction: Direction,
    /// Accepted recipients in the order of their RCPT commands; refused ones are not among them.
    pub recipients: Vec<Recipient>,
    /// The MTA's queue id, as soon as it is known (Postfix: from DATA on; Sendmail: from MAIL on).
    pub queue_id: Option<String>,
    /// Header and body as they arrive.
    pub message: RawMessage,
}

/// Whether mail comes in or goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From elsewhere to the site.
    Inbound,
    /// From an authenticated client or an internal network.
    Outbound,
}

/// An accepted recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// As given in RCPT.
    pub address: Address,
    /// Groups of the directory that hold this recipient, lower case, sorted.
    pub groups: Vec<String>,
}

/// A recipient that the MTA itself has refused (milter option RCPT_REJ). It is counted, never judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedByMta {
    /// Enhanced status code that the MTA gave, as `5.1.1` (Postfix: macro `{rcpt_host}`).
    pub status: Option<String>,
    /// The MTA's text (Postfix: macro `{rcpt_addr}`).
    pub text: Option<String>,
}

impl RefusedByMta {
    /// Whether the refusal stands (RFC 3463 §2: class 5), and the client need not try again.
    pub fn is_permanent(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status.starts_with("5."))
    }

    /// Whether the refusal says that the recipient does not exist (RFC 3463 §3.2: X.1.1, X.1.6), and not, for
    /// instance, that relaying is denied.
    pub fn is_unknown_recipient(&self) -> bool {
        self.status.as_deref().is_some_and(|s| matches!(s.get(1..), Some(".1.1" | ".1.6" | ".1.10")))
    }
}
