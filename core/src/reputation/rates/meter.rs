//! What each client network has brought lately, as this process saw it.

use super::settings::{Counts, Settings};
use crate::{
    session::ClientNetwork,
    verdict::{Reference, Reply},
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// A network below this part of each limit is no business of other processes: a limit can be passed by so many
/// processes times this part at most before they know of each other.
const SHARE_UNTOLD: u64 = 8;
/// Networks kept before those that have gone quiet are dropped. Unit: networks. Source: our own limit, some 20 MB.
const NETWORKS: usize = 100_000;
/// How long a network hears the same reference for the same cause. Unit: seconds. Source: our own limit: one line in
/// log and history a minute tells as much as thousands.
const REPEAT: i64 = 60;

/// Counts by network, in memory: ordinary mail costs no look into shared counters.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    entries: Mutex<HashMap<ClientNetwork, Entry>>,
    /// Set in a process that serves many connections. One that serves a single one tells others of everything.
    long_lived: AtomicBool,
}

/// Two windows, of which the older fades while the younger fills.
#[derive(Debug, Default)]
struct Entry {
    /// Number of the window that is filling.
    window: i64,
    filling: Counts,
    before: Counts,
    /// Whether the shared counters know of this network.
    told: bool,
    refusal: Option<Refusal>,
}

#[derive(Debug)]
struct Refusal {
    because: &'static str,
    reply: Reply,
    reference: Reference,
    until: i64,
    repeats: u64,
}

/// What memory knows of a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Noted {
    /// Within the window, as this process saw it.
    pub(super) counts: Counts,
    /// What the shared counters are to be told now.
    pub(super) untold: Counts,
    /// Whether the shared counters know more.
    pub(super) shared: bool,
}

impl Meter {
    fn entries(&self) -> MutexGuard<'_, HashMap<ClientNetwork, Entry>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on other processes are told only of networks that come near a limit: for a process that lives long
    /// enough to see that.
    pub fn lives_long(&self) {
        self.0.long_lived.store(true, Ordering::Relaxed);
    }

    /// Adds to a network's counts; nothing is added with the default of [`Counts`].
    pub(super) fn note(&self, network: ClientNetwork, more: Counts, settings: &Settings, now: i64) -> Noted {
        let seconds = settings.window_seconds();
        let window = now.div_euclid(seconds);
        let mut entries = self.entries();
        if entries.len() >= NETWORKS && !entries.contains_key(&network) {
            entries.retain(|_, entry| entry.window >= window - 1);
            if entries.len() >= NETWORKS {
                // More networks than memory in two windows: the shared counters see none of it, the load does.
                entries.clear();
            }
        }
        let entry = entries.entry(network).or_default();
        entry.turn_to(window);
        let passed = now.rem_euclid(seconds).unsigned_abs();
        let left = seconds.unsigned_abs() - passed;
        let (mut counts, mut untold) = (Counts::default(), Counts::default());
        let mut near = !self.0.long_lived.load(Ordering::Relaxed);
        for kind in Counts::KINDS {
            let filling = entry.filling.of_mut(kind);
            *filling = filling.saturating_add(more.of(kind));
            let faded = entry.before.of(kind).saturating_mul(left) / seconds.unsigned_abs();
            *counts.of_mut(kind) = filling.saturating_add(faded);
            let limit = settings.network.of(kind);
            near |= limit > 0 && counts.of(kind) >= limit / SHARE_UNTOLD;
        }
        if entry.told {
            untold = more;
        } else if near {
            entry.told = true;
            untold = counts;
        }
        Noted { counts, untold, shared: entry.told }
    }

    /// The answer that this network got lately for the same cause, to be given again without another report.
    pub fn repeated(&self, network: ClientNetwork, because: &str, now: i64) -> Option<(Reply, Reference)> {
        let mut entries = self.entries();
        let refusal = entries.get_mut(&network)?.refusal.as_mut()?;
        if refusal.because != because || now >= refusal.until {
            return None;
        }
        refusal.repeats += 1;
        Some((refusal.reply.clone(), refusal.reference))
    }

    /// Keeps an answer for [`Meter::repeated`]. Gives how often the one before was repeated.
    pub fn refused(
        &self,
        network: ClientNetwork,
        because: &'static str,
        reply: &Reply,
        reference: Reference,
        now: i64,
    ) -> u64 {
        let refusal =
            Refusal { because, reply: reply.clone(), reference, until: now.saturating_add(REPEAT), repeats: 0 };
        let mut entries = self.entries();
        entries.entry(network).or_default().refusal.replace(refusal).map_or(0, |old| old.repeats)
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.entries().clear();
    }
}

impl Entry {
    fn turn_to(&mut self, window: i64) {
        if window == self.window {
            return;
        }
        self.before = if window == self.window + 1 { self.filling } else { Counts::default() };
        self.told &= window == self.window + 1;
        self.filling = Counts::default();
        self.window = window;
    }
}

#[cfg(test)]
mod tests {
    use super::{super::settings::Kind, *};

    fn network() -> ClientNetwork {
        ClientNetwork::of([198, 51, 100, 7].into())
    }

    fn settings(messages: u64) -> Settings {
        Settings { network: Counts::only(Kind::Messages, messages), ..Settings::default() }
    }

    #[test]
    fn what_was_before_fades_while_the_next_window_fills() {
        let (meter, settings) = (Meter::default(), settings(1_000));
        let count =
            |more, now| meter.note(network(), Counts::only(Kind::Messages, more), &settings, now).counts.messages;
        assert_eq!(count(60, 0), 60);
        assert_eq!(count(0, 59), 60);
        assert_eq!(count(0, 60), 60);
        assert_eq!(count(0, 90), 30);
        assert_eq!(count(5, 119), 6);
        assert_eq!(count(0, 300), 0);
    }

    #[test]
    fn others_are_told_once_a_network_comes_near_a_limit_and_then_of_each_step() {
        let (meter, settings) = (Meter::default(), settings(80));
        meter.lives_long();
        let note = |more, now| {
            let noted = meter.note(network(), Counts::only(Kind::Messages, more), &settings, now);
            (noted.untold.messages, noted.shared)
        };
        assert_eq!(note(9, 0), (0, false));
        assert_eq!(note(1, 0), (10, true), "an eighth, with all that was kept back");
        assert_eq!(note(1, 70), (1, true));
        assert_eq!(note(1, 500), (0, false), "quiet for long");
        let once = Meter::default().note(network(), Counts::only(Kind::Messages, 1), &settings, 0);
        assert_eq!((once.untold.messages, once.shared), (1, true), "a process of one connection keeps nothing back");
    }

    #[test]
    fn the_same_refusal_is_given_again_for_a_minute_and_counted() {
        let meter = Meter::default();
        let reply = Reply::fixed(450, (4, 7, 1), "Later");
        let reference = Reference::from_random(1);
        assert_eq!(meter.refused(network(), "rate of messages", &reply, reference, 0), 0);
        assert_eq!(meter.repeated(network(), "rate of messages", 59), Some((reply.clone(), reference)));
        assert_eq!(meter.repeated(network(), "load", 59), None);
        assert_eq!(meter.repeated(network(), "rate of messages", 60), None);
        assert_eq!(meter.refused(network(), "load", &reply, reference, 60), 1);
    }
}
