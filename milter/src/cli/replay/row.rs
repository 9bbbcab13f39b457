//! A message, judged.

use crate::compared::Judged;
use serde::Serialize;

/// What one configuration says about a message, or two.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<Label>,
    /// Domain of the first recipient.
    pub(super) domain: String,
    pub(super) a: Judged,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) b: Option<Judged>,
    /// What the two do otherwise, and what did it; empty if they do the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) changed_by: Vec<String>,
}

/// What a message really is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Label {
    Ham,
    Spam,
}

impl Row {
    /// Whether the two configurations do something else with the message.
    pub(super) fn is_changed(&self) -> bool {
        self.b.as_ref().is_some_and(|b| self.a.differs(b))
    }
}
