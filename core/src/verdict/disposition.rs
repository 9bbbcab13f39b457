//! What becomes of the message for one recipient.

use super::Reply;
use serde::{Deserialize, Serialize};

/// What becomes of the message for one recipient, mildest first: the order of the variants is the order in which
/// dispositions merge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// Delivered as it came (plus Authentication-Results).
    Deliver,
    /// Delivered with marks.
    Tag(Tag),
    /// This recipient gets no copy; other addresses do in his place.
    Redirect {
        /// The addresses, without angle brackets.
        to: Vec<String>,
    },
    /// Kept in the MTA's own quarantine (Postfix: the hold queue). It keeps the message for all its recipients.
    Hold,
    /// Taken from the client and kept in Mailward's own quarantine, for this recipient.
    Quarantine {
        /// How long it is kept. Unit: days, 1 to 30.
        days: u32,
    },
    /// Taken from the client and dropped for this recipient.
    Discard,
    /// Refused for good (5xx).
    Reject,
    /// Refused for now (4xx): the client tries again.
    Defer,
}

impl Disposition {
    /// The word that logs, explanations and `--json` use.
    pub fn word(&self) -> &'static str {
        match self {
            Disposition::Deliver => "deliver",
            Disposition::Tag(_) => "tag",
            Disposition::Redirect { .. } => "redirect",
            Disposition::Hold => "hold",
            Disposition::Quarantine { .. } => "quarantine",
            Disposition::Discard => "discard",
            Disposition::Reject => "reject",
            Disposition::Defer => "defer",
        }
    }

    /// Whether the recipient is taken off a message that others get.
    pub fn takes_off(&self) -> bool {
        matches!(self, Disposition::Discard | Disposition::Quarantine { .. } | Disposition::Redirect { .. })
    }
}

/// The marks of a tagged message.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag {
    /// Headers to add: name and value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Headers that get this value, whatever they had: name and value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<(String, String)>,
    /// Names of headers that are removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Text put before the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Text put before what the message says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub banner: Option<String>,
    /// Text put after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disclaimer: Option<String>,
    /// Number of files that are taken off.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stripped: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The disposition of one recipient and what decided it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientVerdict {
    /// The recipient as the client wrote it, without angle brackets.
    pub address: String,
    /// What this recipient's policies ask for, before recipients that differ are reconciled.
    pub wanted: Disposition,
    /// What happens.
    pub disposition: Disposition,
    /// What decided: the name of a policy, or of a default such as `threshold reject`.
    pub because: String,
    /// The reply for this recipient, where it is refused and the host answers for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
}
