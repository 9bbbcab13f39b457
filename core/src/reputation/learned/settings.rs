//! What the site says about learned reputation.

use crate::verdict::Points;
use std::{path::PathBuf, time::Duration};

/// Settings, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether anything is learned and judged by.
    pub enabled: bool,
    /// After this time a count weighs half. Source: our own default: an address changes hands, or is cleaned, within
    /// weeks.
    pub half_life: Duration,
    /// After this time a count is forgotten.
    pub remember: Duration,
    /// How many messages must have been seen of an address or domain until what was seen counts half. Unit: messages.
    /// Source: our own default.
    pub confidence: u64,
    /// Most points for a bad history, of all identities together. Source: our own default, under the threshold of marks.
    pub max_points: Points,
    /// Least points for a good history, of all identities together. Source: our own default; smaller than that for a bad
    /// one, since good histories are worth stealing.
    pub min_points: Points,
    /// A file in MaxMind's format with `autonomous_system_number`.
    pub asn_database: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Settings {
            enabled: true,
            half_life: Duration::from_secs(14 * DAY),
            remember: Duration::from_secs(30 * DAY),
            confidence: 10,
            max_points: Points::hundredths(300),
            min_points: Points::hundredths(-200),
            asn_database: None,
        }
    }
}
