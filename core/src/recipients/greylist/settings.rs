//! Whether and how senders nobody knows are asked to try again.

use crate::verdict::Points;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Whether greylisting acts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing is asked or noted.
    #[default]
    Off,
    /// First attempts are noted and found; nobody is deferred.
    Observe,
    /// First attempts are deferred.
    Enforce,
}

/// Settings of greylisting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether it acts.
    pub mode: Mode,
    /// How long after its first attempt a message is taken. Source: Postgrey, 5 minutes; most MTAs try
    /// again after 5 to 15.
    pub delay: Duration,
    /// How long a first attempt is remembered: a retry within it counts. Source: Postgrey, 2 days.
    pub retry_window: Duration,
    /// How long sender and recipient stay known after the last message. Source: Postgrey 35, spamd 36 days, so
    /// that monthly mail is not delayed each time.
    pub lifetime: Duration,
    /// After so many different messages that came back, a network or domain is asked no more; 0: always asked.
    /// Unit: pairs of sender and recipient. Source: Postgrey, 5.
    pub passes: u64,
    /// Only clients of at least so many points (reputation, reverse DNS, HELO) are asked.
    pub from_points: Points,
    /// Client networks that are never asked.
    pub exempt_networks: Vec<IpNet>,
    /// Domains that are never asked, with those below them: by SPF or by confirmed reverse DNS. Lower case ASCII.
    pub exempt_domains: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        Settings {
            mode: Mode::Off,
            delay: Duration::from_secs(300),
            retry_window: days(2),
            lifetime: days(36),
            passes: 5,
            from_points: Points::ZERO,
            exempt_networks: Vec::new(),
            exempt_domains: Vec::new(),
        }
    }
}
