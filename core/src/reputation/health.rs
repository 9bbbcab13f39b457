//! Whether block lists still do what a list does (RFC 5782 §5).

use super::{
    Reputation,
    ask::{is_listing, listing_name},
};
use crate::lookup::{Deadline, Outcome, all, dns::Dns};
use serde::{Deserialize, Serialize};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

/// What the test entries of a list say about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Not probed yet: its answers are believed.
    #[default]
    Unprobed,
    /// Lists what it must and nothing that it must not.
    Sound,
    /// Does not list the test entry: perhaps abandoned. What it lists is believed.
    ListsNothing,
    /// Lists an address that it must not: nothing it says is believed.
    ListsEverything,
    /// Says that it does not answer us.
    Refuses,
}

impl Health {
    const ALL: [Health; 5] =
        [Health::Unprobed, Health::Sound, Health::ListsNothing, Health::ListsEverything, Health::Refuses];

    /// Whether answers count.
    pub fn is_believed(self) -> bool {
        !matches!(self, Health::ListsEverything | Health::Refuses)
    }

    fn word(self) -> &'static str {
        match self {
            Health::Unprobed => "not probed",
            Health::Sound => "sound",
            Health::ListsNothing => "does not list its test entry 127.0.0.2; it may be abandoned",
            Health::ListsEverything => "lists 127.0.0.1, which no list may: disabled until it recovers",
            Health::Refuses => "refuses our questions: disabled until it answers again",
        }
    }
}

/// The health of one list, shared between the prober and the sessions.
#[derive(Debug, Default)]
pub(super) struct HealthCell(AtomicU8);

impl HealthCell {
    pub(super) fn state(&self) -> Health {
        Health::ALL.get(usize::from(self.0.load(Ordering::Relaxed))).copied().unwrap_or_default()
    }

    pub(super) fn set(&self, health: Health, list: &str) {
        let index = Health::ALL.iter().position(|&h| h == health).unwrap_or_default() as u8;
        if self.0.swap(index, Ordering::Relaxed) == index {
            return;
        }
        match health {
            Health::Sound | Health::Unprobed => tracing::info!(list, "block list is sound"),
            _ => tracing::warn!(list, "block list {}", health.word()),
        }
    }
}

/// Test entry that every list must hold (RFC 5782 §5).
const MUST_BE_LISTED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Address that no list may hold (RFC 5782 §5).
pub(super) const MUST_NOT_BE_LISTED: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Longest wait for a probe. Source: our own limit; nobody waits for it.
const PROBE_TIME: Duration = Duration::from_secs(10);

impl Reputation {
    /// How often [`Reputation::probe`] should run. Source: our own choice; RFC 5782 §5 says "periodically".
    pub const PROBE_EVERY: Duration = Duration::from_secs(3_600);

    /// Asks each block list for its test entries and remembers what that says about it; run at start and every
    /// [`Reputation::PROBE_EVERY`]. A list that cannot be asked keeps its state.
    pub async fn probe(&self, dns: &Dns) {
        for (cell, (list, health)) in self.health.iter().zip(self.examine(dns, Deadline::after(PROBE_TIME)).await) {
            if let Outcome::Done(health) = health {
                cell.set(health, list);
            }
        }
    }

    /// What the test entries of each block list say now, by its name.
    pub async fn examine(&self, dns: &Dns, deadline: Deadline) -> Vec<(&str, Outcome<Health>)> {
        all(self.settings.dnsbl.iter().map(|list| async move {
            let (named, named_not) =
                (listing_name(MUST_BE_LISTED, &list.zone), listing_name(MUST_NOT_BE_LISTED, &list.zone));
            let (must, must_not) = tokio::join!(dns.a(&named, deadline), dns.a(&named_not, deadline));
            let health = match (must, must_not) {
                (Outcome::Done(must), Outcome::Done(must_not)) => {
                    Outcome::Done(health_of(&must, &must_not, &list.errors))
                }
                (Outcome::Done(_), trouble) | (trouble, _) => trouble.map(|_| Health::Unprobed),
            };
            (list.name.as_str(), health)
        }))
        .await
    }

    /// The health of each block list, by name.
    pub fn health(&self) -> impl Iterator<Item = (&str, Health)> {
        self.settings.dnsbl.iter().zip(&self.health).map(|(list, cell)| (list.name.as_str(), cell.state()))
    }
}

fn health_of(must: &[Ipv4Addr], must_not: &[Ipv4Addr], errors: &[super::AnswerPattern]) -> Health {
    let refuses = |answers: &[Ipv4Addr]| answers.iter().any(|&a| a.is_loopback() && !is_listing(a, errors));
    if refuses(must) || refuses(must_not) {
        Health::Refuses
    } else if !must_not.is_empty() {
        Health::ListsEverything
    } else if must.iter().any(|&answer| is_listing(answer, errors)) {
        Health::Sound
    } else {
        Health::ListsNothing
    }
}
