//! What the engine concludes, as plain data: findings, points, dispositions, replies and edits.

mod card;
mod disposition;
mod edit;
mod finding;
mod host;
mod judgement;
mod points;
mod reference;
mod reply;

pub use card::Card;
pub use disposition::{Disposition, RecipientVerdict, Tag};
pub use edit::Edit;
pub use finding::{Evidence, Finding};
pub use host::Host;
pub use judgement::Judgement;
pub use points::Points;
pub use reference::Reference;
pub use reply::{Reply, ReplyError};

use serde::{Deserialize, Serialize};

/// What becomes of a whole message: one SMTP answer, a disposition for each recipient, and the edits that the MTA makes.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The answer to the end of data.
    pub action: Action,
    /// One entry for each accepted recipient, in the order of the RCPT commands.
    pub recipients: Vec<RecipientVerdict>,
    /// Changes to the message; empty unless `action` is [`Action::Accept`].
    pub edits: Vec<Edit>,
}

/// The answer of the door to the MTA at the end of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The message is taken, with the verdict's edits.
    Accept,
    /// The message is taken and dropped; the history row, or the copy in the quarantine, is committed first.
    Discard,
    /// The message is refused (5xx) or deferred (4xx) with this reply.
    Reply(Reply),
}
