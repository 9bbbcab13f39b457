//! From which total on a message is marked or refused.

use crate::verdict::Points;
use serde::{Deserialize, Serialize};

/// Totals at which something happens; a total that equals a threshold reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// From here on the message is marked. Source: our own default, as SpamAssassin's `required_score`.
    pub tag: Points,
    /// From here on it is refused. Source: our own default, three times the threshold of marks.
    pub reject: Points,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { tag: Points::hundredths(500), reject: Points::hundredths(1500) }
    }
}

/// Where a message stands for one recipient.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Sum of all findings that count for the recipient.
    pub total: Points,
    /// The same without what was learned from mail (`reputation.learned.*`, `spam.classifier`).
    pub without_learned: Points,
}

/// What the thresholds say about a standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Below both.
    Clean,
    /// Marked.
    Tag,
    /// Refused.
    Reject,
}

impl Thresholds {
    /// What happens to a message of this standing.
    ///
    /// Learned points alone never refuse: what a model learned can be wrong in ways that nobody sees, and a refusal
    /// cannot be taken back. So a total past `reject` refuses only if the other findings reach `tag` by themselves;
    /// else the message is marked.
    pub fn level(&self, standing: Standing) -> Level {
        if standing.total >= self.reject && standing.without_learned >= self.tag.min(self.reject) {
            Level::Reject
        } else if standing.total >= self.tag || standing.total >= self.reject {
            Level::Tag
        } else {
            Level::Clean
        }
    }

    /// Whether only the rule on learned points keeps a message of this standing from a refusal.
    pub fn spared_as_learned(&self, standing: Standing) -> bool {
        standing.total >= self.reject && self.level(standing) != Level::Reject
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(total: i32, without_learned: i32) -> Level {
        let standing =
            Standing { total: Points::hundredths(total), without_learned: Points::hundredths(without_learned) };
        Thresholds::default().level(standing)
    }

    #[test]
    fn a_total_that_equals_a_threshold_reaches_it() {
        assert_eq!(
            [level(499, 499), level(500, 500), level(1499, 1499), level(1500, 1500)],
            [Level::Clean, Level::Tag, Level::Tag, Level::Reject]
        );
    }

    #[test]
    fn learned_points_alone_never_refuse() {
        assert_eq!(level(5000, 0), Level::Tag);
        assert_eq!(level(5000, 499), Level::Tag);
        assert_eq!(level(5000, 500), Level::Reject);
    }
}
