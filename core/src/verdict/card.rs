//! The sum of all findings.

use super::{Finding, Points};
use serde::{Deserialize, Serialize};

/// All findings of a message with their total; findings stand sorted by id, so that two doors print the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Sorted by id, then by evidence.
    pub findings: Vec<Finding>,
    /// Sum of the findings' points.
    pub total: Points,
}
