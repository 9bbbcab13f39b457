//! The numbers of harvest protection, all configurable.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Whether harvest protection acts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Observe at first ([`Settings::observe_for`]), then enforce.
    #[default]
    Auto,
    /// Nothing is counted.
    Off,
    /// Counted and logged; nobody is delayed or blocked.
    Observe,
    /// Delays and blocks act.
    Enforce,
}

/// Settings of harvest protection. Numbers without another word count unknown recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether it acts.
    pub mode: Mode,
    /// How long [`Mode::Auto`] observes after the first start.
    pub observe_for: Duration,
    /// From so many in a session each refusal waits.
    pub session_delay_from: u64,
    /// How long it waits. Sendmail gives a milter 10 s.
    pub session_delay: Duration,
    /// At so many in a session, and ...
    pub session_disconnect_unknown: u64,
    /// ... at least this share of its recipients, it ends with 421. Unit: percent.
    pub session_disconnect_percent: u64,
    /// The long window.
    pub window: Duration,
    /// At so many in the long window, and ...
    pub window_unknown: u64,
    /// ... at least this share of the network's recipients, it is blocked. Unit: percent.
    pub window_percent: u64,
    /// The short window.
    pub burst_window: Duration,
    /// At so many in the short window, and ...
    pub burst_unknown: u64,
    /// ... at least this share of the network's recipients in it, it is blocked. Unit: percent.
    pub burst_percent: u64,
    /// From so many messages in the long window the messages rule holds. Unit: messages.
    pub messages: u64,
    /// More than this share of bad messages, and the network is blocked. Unit: percent.
    pub messages_percent: u64,
    /// A message is bad if it has more recipients than this, and ...
    pub message_recipients: u64,
    /// ... more unknown ones among them than this.
    pub message_unknown: u64,
    /// Length of the first block; each repetition doubles it.
    pub block: Duration,
    /// Longest block.
    pub block_max: Duration,
    /// How long after its end a block counts as repeated.
    pub block_memory: Duration,
    /// Allowances of networks that have delivered wanted mail are multiplied by this.
    pub trusted_factor: u64,
    /// Allowances of networks of bad reputation. Unit: percent.
    pub bad_percent: u64,
    /// Allowances of null senders are multiplied by this.
    pub null_sender_factor: u64,
    /// From so many networks that probe one domain in the long window, the harvest is distributed. Unit: networks.
    pub distributed_networks: u64,
    /// A network probes a domain from so many in the long window, at least half of its recipients.
    pub distributed_unknown: u64,
    /// Allowances for that domain then. Unit: percent.
    pub distributed_percent: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let hours = |h: u64| Duration::from_secs(h * 3600);
        Settings {
            mode: Mode::Auto,
            observe_for: hours(7 * 24),
            session_delay_from: 5,
            session_delay: Duration::from_secs(1),
            session_disconnect_unknown: 20,
            session_disconnect_percent: 50,
            window: hours(1),
            window_unknown: 25,
            window_percent: 30,
            burst_window: Duration::from_secs(60),
            burst_unknown: 10,
            burst_percent: 50,
            messages: 100,
            messages_percent: 20,
            message_recipients: 10,
            message_unknown: 5,
            block: hours(3),
            block_max: hours(24),
            block_memory: hours(7 * 24),
            trusted_factor: 10,
            bad_percent: 50,
            null_sender_factor: 4,
            distributed_networks: 20,
            distributed_unknown: 3,
            distributed_percent: 40,
        }
    }
}

impl Settings {
    /// Length of the block that comes as the `strikes`th. Unit: seconds.
    pub fn block_seconds(&self, strikes: u32) -> i64 {
        let doublings = strikes.saturating_sub(1).min(20);
        let length = self.block.saturating_mul(1 << doublings).min(self.block_max);
        super::seconds(length)
    }
}
