//! What one room concludes from its facts and answers.

use super::{Finding, Reply};
use serde::{Deserialize, Serialize};

/// Findings, and a reply if the room wants the client answered at once instead of leaving it to points and policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// In no particular order; the card sorts them.
    pub findings: Vec<Finding>,
    /// A refusal (5xx) or deferral (4xx).
    pub reply: Option<Reply>,
}

impl Judgement {
    /// Without the findings of a family and the reply that follows from them.
    #[must_use]
    pub fn without(mut self, family: &str) -> Self {
        let before = self.findings.len();
        self.findings.retain(|finding| !finding.id.starts_with(family));
        self.reply = self.reply.filter(|_| self.findings.len() == before);
        self
    }

    /// Adds what another room concludes. A deferral outweighs a refusal; among equals the earlier stands.
    pub fn merge(&mut self, other: Judgement) {
        self.findings.extend(other.findings);
        self.reply = match (self.reply.take(), other.reply) {
            (Some(own), Some(new)) if new.is_temporary() && !own.is_temporary() => Some(new),
            (Some(own), _) => Some(own),
            (None, new) => new,
        };
    }
}
