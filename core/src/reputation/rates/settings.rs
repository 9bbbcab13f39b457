//! The numbers of flood protection, all configurable.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Whether flood protection acts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing is counted.
    Off,
    /// Counted and reported; nobody is deferred.
    Observe,
    /// What is past a limit is deferred.
    #[default]
    Enforce,
}

/// Most that is taken within [`Settings::window`]. 0 means no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Connections.
    pub connections: u64,
    /// Messages.
    pub messages: u64,
    /// Recipients.
    pub recipients: u64,
    /// Bytes of messages.
    pub bytes: u64,
}

/// Settings of flood protection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether it acts.
    pub mode: Mode,
    /// The time in which rates are counted. Source: Postfix `anvil_rate_time_unit`, 60 s.
    pub window: Duration,
    /// For each client network within the window. Postfix sets no such limit by default; FortiMail counts within 30
    /// minutes and its documentation shows 100 connections, Cisco lets unknown senders bring what they like and
    /// suspicious ones 20 recipients an hour. These are far above what one address brings to a site in good faith:
    /// 5 connections and 10 messages a second.
    pub network: Counts,
    /// Most connections of a network at a time; 0: no limit. Source: Postfix `smtpd_client_connection_count_limit`, 50.
    pub network_at_once: u64,
    /// For all clients together within the window: none by default, as the load decides (`delay`).
    pub site: Counts,
    /// Most connections of all clients at a time; 0: no limit.
    pub site_at_once: u64,
    /// Limits of networks that have delivered wanted mail are multiplied by this.
    pub trusted_factor: u64,
    /// How long work may wait for a processor. When it waits longer, networks that ask for more than their share are
    /// deferred, so many that it does not. Zero: never. Source: our own limit, a few times what judging a message takes.
    pub delay: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            mode: Mode::Enforce,
            window: Duration::from_secs(60),
            network: Counts { connections: 300, messages: 600, recipients: 3_000, bytes: 1 << 30 },
            network_at_once: 50,
            site: Counts::default(),
            site_at_once: 0,
            trusted_factor: 10,
            delay: Duration::from_millis(10),
        }
    }
}

impl Settings {
    /// The window in seconds, at least one.
    pub fn window_seconds(&self) -> i64 {
        i64::try_from(self.window.as_secs()).unwrap_or(i64::MAX / 4).max(1)
    }
}

impl Counts {
    /// All four, in the order of their keys.
    pub const KINDS: [Kind; 4] = [Kind::Connections, Kind::Messages, Kind::Recipients, Kind::Bytes];

    /// One of them.
    pub fn of(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Connections => self.connections,
            Kind::Messages => self.messages,
            Kind::Recipients => self.recipients,
            Kind::Bytes => self.bytes,
        }
    }

    /// One of them, to change it.
    pub fn of_mut(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Connections => &mut self.connections,
            Kind::Messages => &mut self.messages,
            Kind::Recipients => &mut self.recipients,
            Kind::Bytes => &mut self.bytes,
        }
    }

    /// Nothing but an amount of one kind.
    pub fn only(kind: Kind, amount: u64) -> Self {
        let mut counts = Counts::default();
        *counts.of_mut(kind) = amount;
        counts
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Connections.
    Connections,
    /// Messages.
    Messages,
    /// Recipients.
    Recipients,
    /// Bytes.
    Bytes,
}

impl Kind {
    /// The key of the configuration, and the last part of the counters' key.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Connections => "connections",
            Kind::Messages => "messages",
            Kind::Recipients => "recipients",
            Kind::Bytes => "bytes",
        }
    }
}
