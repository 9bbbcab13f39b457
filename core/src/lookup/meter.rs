//! How often services are asked, how they answer, and how long that and our own work take: plain counts that a door may
//! show. Nothing reads them to judge mail.

use super::Outcome;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Upper bounds of the buckets of a [`Timing`]. Unit: microseconds. What takes longer counts in the total only.
pub const BOUNDS: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
    20_000_000,
];

/// A service that is asked over the network or in another process or thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// DNS lists, reverse DNS; those of SPF, DKIM and DMARC are not in it.
    Dns,
    /// The directory server.
    Ldap,
    /// The virus scanner.
    Clamd,
    /// `counters.db`.
    Counters,
    /// The scanning service.
    Scan,
}

/// A part of our own work on a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Waiting for a processor to be free.
    Queue,
    /// Parsing, scanning and rules.
    Content,
    /// SPF, DKIM, ARC and DMARC, their DNS included.
    Authentication,
}

/// How a question ended, as [`Outcome`] says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Answered.
    Done,
    /// No answer within the deadline.
    TimedOut,
    /// The service could not be reached, or what it said is no answer.
    Unavailable,
}

impl Service {
    /// All of them, in the order of their counts.
    pub const ALL: [Service; 5] = [Service::Dns, Service::Ldap, Service::Clamd, Service::Counters, Service::Scan];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Service::Dns => "dns",
            Service::Ldap => "ldap",
            Service::Clamd => "clamd",
            Service::Counters => "counters",
            Service::Scan => "scan",
        }
    }
}

impl Work {
    /// All of it, in the order of the timings.
    pub const ALL: [Work; 3] = [Work::Queue, Work::Content, Work::Authentication];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Work::Queue => "queue",
            Work::Content => "content",
            Work::Authentication => "authentication",
        }
    }
}

impl Ending {
    /// All of them, in the order of their counts.
    pub const ALL: [Ending; 3] = [Ending::Done, Ending::TimedOut, Ending::Unavailable];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Ending::Done => "done",
            Ending::TimedOut => "timed-out",
            Ending::Unavailable => "unavailable",
        }
    }
}

/// A histogram of durations. Counting takes two additions of an atomic and no lock.
#[derive(Debug, Default)]
pub struct Timing {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Timing {
    /// Counts one duration.
    pub fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|&bound| bound < micros);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.micros.fetch_add(micros, Relaxed);
    }

    /// How many durations fell into each bucket of [`BOUNDS`]; the last number is of those that took longer.
    pub fn counts(&self) -> [u64; BOUNDS.len() + 1] {
        std::array::from_fn(|i| self.buckets[i].load(Relaxed))
    }

    /// All durations together.
    pub fn total(&self) -> Duration {
        Duration::from_micros(self.micros.load(Relaxed))
    }
}

/// Handle of the counts; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    services: [[AtomicU64; Ending::ALL.len()]; Service::ALL.len()],
    service_times: [Timing; Service::ALL.len()],
    work: [Timing; Work::ALL.len()],
    /// Blocks of directory harvest protection: only observed, and enforced.
    blocks: [AtomicU64; 2],
    /// Alarms of accounts: only observed, and deferring.
    alarms: [AtomicU64; 2],
}

impl Meter {
    /// Asks, and counts how that ended and how long it took.
    pub async fn ask<T>(&self, service: Service, question: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let started = Instant::now();
        let outcome = question.await;
        self.count(service, &outcome, started);
        outcome
    }

    /// The same for a service that may not be configured.
    pub async fn ask_if_any<T>(
        &self,
        service: Service,
        question: impl Future<Output = Option<Outcome<T>>>,
    ) -> Option<Outcome<T>> {
        let started = Instant::now();
        let outcome = question.await;
        if let Some(outcome) = &outcome {
            self.count(service, outcome, started);
        }
        outcome
    }

    fn count<T>(&self, service: Service, outcome: &Outcome<T>, started: Instant) {
        let ending = match outcome {
            Outcome::Done(_) => Ending::Done,
            Outcome::TimedOut => Ending::TimedOut,
            Outcome::Unavailable { .. } => Ending::Unavailable,
        };
        self.0.services[service as usize][ending as usize].fetch_add(1, Relaxed);
        self.0.service_times[service as usize].add(started.elapsed());
    }

    /// Counts a piece of our own work.
    pub fn worked(&self, work: Work, since: Instant) {
        self.0.work[work as usize].add(since.elapsed());
    }

    /// Counts a block of directory harvest protection that was set.
    pub fn blocked(&self, enforced: bool) {
        self.0.blocks[usize::from(enforced)].fetch_add(1, Relaxed);
    }

    /// Counts an alarm of an account.
    pub fn alarmed(&self, defers: bool) {
        self.0.alarms[usize::from(defers)].fetch_add(1, Relaxed);
    }

    /// How often a service was asked with this ending.
    pub fn asked(&self, service: Service, ending: Ending) -> u64 {
        self.0.services[service as usize][ending as usize].load(Relaxed)
    }

    /// How long a service took.
    pub fn service_time(&self, service: Service) -> &Timing {
        &self.0.service_times[service as usize]
    }

    /// How long our own work took.
    pub fn work_time(&self, work: Work) -> &Timing {
        &self.0.work[work as usize]
    }

    /// Blocks set so far, enforced or only observed.
    pub fn blocks(&self, enforced: bool) -> u64 {
        self.0.blocks[usize::from(enforced)].load(Relaxed)
    }

    /// Alarms of accounts so far, deferring or only observed.
    pub fn alarms(&self, defers: bool) -> u64 {
        self.0.alarms[usize::from(defers)].load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_that_holds_it() {
        let timing = Timing::default();
        for micros in [0, 50, 51, 20_000_000, 20_000_001] {
            timing.add(Duration::from_micros(micros));
        }
        let counts = timing.counts();
        assert_eq!((counts[0], counts[1], counts[15], counts[16]), (2, 1, 1, 1));
        assert_eq!(counts.iter().sum::<u64>(), 5);
        assert_eq!(timing.total(), Duration::from_micros(40_000_102));
    }

    #[tokio::test]
    async fn each_ending_counts_apart_and_what_is_not_configured_not_at_all() {
        let meter = Meter::default();
        meter.ask(Service::Dns, async { Outcome::Done(1) }).await;
        meter.ask(Service::Dns, async { Outcome::<()>::TimedOut }).await;
        meter.ask(Service::Ldap, async { Outcome::<()>::Unavailable { why: String::new() } }).await;
        meter.ask_if_any(Service::Clamd, async { None::<Outcome<()>> }).await;
        let asked = |service| Ending::ALL.map(|ending| meter.asked(service, ending));
        assert_eq!(Service::ALL.map(asked), [[1, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]);
        assert_eq!(meter.service_time(Service::Dns).counts().iter().sum::<u64>(), 2);
    }

    #[test]
    fn the_lists_stand_in_the_order_of_the_counts() {
        assert!(Service::ALL.iter().enumerate().all(|(i, s)| *s as usize == i));
        assert!(Work::ALL.iter().enumerate().all(|(i, w)| *w as usize == i));
        assert!(Ending::ALL.iter().enumerate().all(|(i, e)| *e as usize == i));
    }
}
