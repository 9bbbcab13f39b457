//! Who waits when the machine is busy: plain arithmetic; the engine measures and asks.
//!
//! Each network has a demand: what it asked for lately, fading with a half-life of a few seconds. While work has to
//! wait for processors longer than wanted, networks whose demand is at least half the average share a rate of
//! admissions that falls with the wait and rises without it (additive increase, multiplicative decrease, as TCP does).
//! All others are admitted as if nothing had happened: a flood, be it from one address or from hundreds, is what
//! makes the average. Until demand tells them apart, in the first moments of a flood, networks that had delivered mail
//! before it go first, and of all others no more is admitted than can be worked off soon.

use crate::session::ClientNetwork;
use std::collections::HashMap;

/// Half-life of demand. Unit: seconds. Source: our own limit: long enough to span pauses between commands, short
/// enough to tell a flood from those who were busy before it within a fraction of a second.
const HALF_LIFE: f64 = 2.0;
/// Demand below which a network counts no longer. Unit: messages.
const QUIET: f64 = 0.05;
/// Demand below which a network is never deferred for the load, unless deferring the others did not help. Unit:
/// messages. Source: our own limit: what a client brings that has a few messages waiting, or sends two a second.
const MODEST: f64 = 6.0;
/// How long the least rate must have failed until networks of less demand are deferred too. Unit: seconds.
const FAILED: f64 = 2.0;
/// Share of the processors that the messages asked for must need, for their load to be the cause of waiting. Below it
/// the machine is busy with something else, and deferring mail would not help.
const OWN_SHARE: f64 = 0.25;
/// Least rate of admissions. Unit: messages a second: whoever waits is never shut out for good.
const LEAST: f64 = 2.0;
/// How long the rate must have been enough for all until the pressure is over. Unit: seconds.
const RELIEF: f64 = 5.0;
/// Networks remembered for the mail they delivered. Unit: networks. Source: our own limit, some 10 MB.
const KNOWN: usize = 100_000;
/// Whom nobody knows stands in the queue like one who asked for so much more. Unit: messages.
const UNKNOWN: f64 = 10.0;
/// Factor of the rate when work waits too long.
const DECREASE: f64 = 0.7;
/// Growth of the rate otherwise: this share of it and one message a second, each time.
const INCREASE: f64 = 0.02;

/// Demand of networks, and the rate at which those that ask for most are admitted.
#[derive(Debug)]
pub struct Pressure {
    demand: HashMap<ClientNetwork, Demand>,
    /// Average demand of the networks that have any, as of the last [`Pressure::tick`].
    average: f64,
    /// Set while there is pressure. Unit: messages a second.
    rate: Option<f64>,
    tokens: f64,
    filled: f64,
    /// When the rate was last not enough.
    short: f64,
    /// Demand from which a network may be deferred.
    modest: f64,
    /// Since when the rate is the least there is.
    least_since: f64,
    /// Messages asked for since the last tick.
    asked: f64,
    /// Networks that have delivered mail.
    known: HashMap<ClientNetwork, Known>,
    /// Since when there is pressure, or far too much work waiting.
    trouble: Option<f64>,
    /// When far too much work was last waiting.
    overfull: f64,
}

/// When a network had mail taken.
#[derive(Debug, Clone, Copy)]
struct Known {
    first: f64,
    last: f64,
}

/// What was measured since the last tick.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    /// How long work waited on average that came after the last cut of the rate; `None` if there was none. What came
    /// before tells nothing about the rate. Unit: seconds.
    pub waited: Option<f64>,
    /// Messages finished. Unit: messages a second.
    pub finished: f64,
    /// What a message takes of a processor, as a share of a second of all processors.
    pub cost: f64,
    /// Time since the last tick. Unit: seconds.
    pub seconds: f64,
}

impl Default for Pressure {
    fn default() -> Self {
        Pressure {
            demand: HashMap::new(),
            average: 0.0,
            rate: None,
            tokens: 0.0,
            filled: 0.0,
            short: 0.0,
            modest: MODEST,
            least_since: 0.0,
            asked: 0.0,
            known: HashMap::new(),
            trouble: None,
            overfull: 0.0,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Demand {
    amount: f64,
    at: f64,
}

impl Demand {
    fn faded(self, now: f64) -> f64 {
        self.amount * (-(now - self.at).max(0.0) * std::f64::consts::LN_2 / HALF_LIFE).exp()
    }
}

/// A change of state, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PressureTurn {
    /// Pressure has begun.
    Begins,
    /// It is over.
    Ends,
}

impl Pressure {
    /// A network asks for something that costs as much as `messages` ordinary messages. `now`: seconds on any clock
    /// that only goes forward.
    pub fn ask(&mut self, network: ClientNetwork, messages: f64, now: f64) {
        let demand = self.demand.entry(network).or_insert(Demand { amount: 0.0, at: now });
        *demand = Demand { amount: demand.faded(now) + messages.max(0.0), at: now };
    }

    /// What a network asked for lately. Unit: messages.
    pub fn demand(&self, network: ClientNetwork, now: f64) -> f64 {
        self.demand.get(&network).map_or(0.0, |demand| demand.faded(now))
    }

    /// Whether a network asks for so much that others would wait for it.
    pub fn is_heavy(&self, network: ClientNetwork, now: f64) -> bool {
        self.is_above(self.modest, network, now)
    }

    fn is_above(&self, modest: f64, network: ClientNetwork, now: f64) -> bool {
        let demand = self.demand(network, now);
        demand > modest && demand * 2.0 >= self.average
    }

    /// A message of this network was taken.
    pub fn taken(&mut self, network: ClientNetwork, now: f64) {
        self.known.entry(network).or_insert(Known { first: now, last: now }).last = now;
        if self.known.len() > KNOWN {
            let mut last: Vec<f64> = self.known.values().map(|known| known.last).collect();
            last.sort_by(f64::total_cmp);
            let median = last[last.len() / 2];
            self.known.retain(|_, known| known.last > median);
        }
    }

    /// A network turns out to have delivered mail long ago.
    pub fn remember(&mut self, network: ClientNetwork, now: f64) {
        self.known.insert(network, Known { first: f64::MIN, last: now });
    }

    /// Whether a network had delivered mail before the trouble began, or at all if there is none.
    pub fn is_known(&self, network: ClientNetwork) -> bool {
        self.known.get(&network).is_some_and(|known| self.trouble.is_none_or(|since| known.first < since))
    }

    /// Whether it matters who is known.
    pub fn is_troubled(&self) -> bool {
        self.trouble.is_some()
    }

    /// Place of a network in the queue: the lowest goes first. Unit: messages.
    pub fn rank(&self, network: ClientNetwork, now: f64) -> f64 {
        self.demand(network, now) + if self.is_known(network) { 0.0 } else { UNKNOWN }
    }

    /// Whether a message of this network is admitted. `overfull`: work waits already, whatever the last tick said.
    pub fn admit(&mut self, network: ClientNetwork, overfull: bool, now: f64) -> bool {
        self.ask(network, 1.0, now);
        self.asked += 1.0;
        if overfull {
            self.overfull = now;
            self.trouble.get_or_insert(now);
        }
        // In trouble, whom nobody knows is measured against the others from his first message on.
        let modest = if self.trouble.is_some() && !self.is_known(network) { 0.0 } else { self.modest };
        if self.rate.is_none() && !overfull || !self.is_above(modest, network, now) {
            return true;
        }
        if let Some(rate) = self.rate {
            self.tokens = (self.tokens + rate * (now - self.filled).max(0.0)).min((rate / 10.0).max(1.0));
            self.filled = now;
            if self.tokens >= 1.0 && !overfull {
                self.tokens -= 1.0;
                return true;
            }
        }
        self.short = now;
        false
    }

    /// Whether there is pressure.
    pub fn is_on(&self) -> bool {
        self.rate.is_some()
    }

    /// The rate at which heavy networks are admitted. Unit: messages a second.
    pub fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Networks that may be deferred have more demand than this. Unit: messages.
    pub fn modest(&self) -> f64 {
        self.modest
    }

    /// Networks that have any demand.
    pub fn networks(&self) -> usize {
        self.demand.len()
    }

    /// To be called about ten times a second. `may_wait`: how long work may wait, in seconds; 0: there is never pressure.
    pub fn tick(&mut self, measured: &Measured, may_wait: f64, now: f64) -> Option<PressureTurn> {
        self.demand.retain(|_, demand| demand.faded(now) >= QUIET);
        let total: f64 = self.demand.values().map(|demand| demand.faded(now)).sum();
        self.average = total / self.demand.len().max(1) as f64;
        let asked = std::mem::take(&mut self.asked) / measured.seconds.max(0.001);
        let waits = may_wait > 0.0
            && measured.waited.is_some_and(|waited| waited > may_wait)
            && asked * measured.cost > OWN_SHARE;
        match self.rate {
            None if waits => {
                self.rate = Some((measured.finished / 2.0).max(LEAST));
                (self.tokens, self.filled, self.short, self.least_since) = (0.0, now, now, now);
                self.trouble.get_or_insert(now);
                Some(PressureTurn::Begins)
            }
            None => {
                if now - self.overfull > RELIEF {
                    self.trouble = None;
                }
                None
            }
            Some(_) if may_wait <= 0.0 || now - self.short > RELIEF && !waits => {
                self.rate = None;
                self.modest = MODEST;
                self.trouble = None;
                Some(PressureTurn::Ends)
            }
            Some(rate) if waits => {
                if rate > LEAST {
                    self.least_since = now;
                } else if now - self.least_since > FAILED {
                    // So many that each asks for little.
                    self.modest = (self.modest / 2.0).max(1.0);
                    self.least_since = now;
                }
                self.rate = Some((rate * DECREASE).max(LEAST));
                None
            }
            Some(_) if measured.waited.is_none() => None,
            Some(rate) => {
                // A rate that nobody needs does not grow: the next wave would find it open.
                if now - self.short < 1.0 {
                    self.rate = Some(rate * (1.0 + INCREASE) + 1.0);
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> ClientNetwork {
        ClientNetwork::of([198, 51, 100, last].into())
    }

    /// Fifty networks that ask 20 times a second, beside one that asks once a second, for so many seconds; work waits
    /// whenever more than `capacity` messages a second are admitted. Gives what was admitted of both in the last second.
    fn flooded(seconds: usize, capacity: u32) -> (Pressure, u32, u32) {
        let mut pressure = Pressure::default();
        let (mut of_flood, mut of_ordinary) = (0, 0);
        for tick in 0..seconds * 10 {
            let now = tick as f64 / 10.0;
            if tick % 10 == 0 {
                (of_flood, of_ordinary) = (0, 0);
                of_ordinary += u32::from(pressure.admit(network(200), false, now));
            }
            let before = of_flood;
            for step in 0..2 {
                for last in 0..50 {
                    of_flood += u32::from(pressure.admit(network(last), false, now + f64::from(step) / 20.0));
                }
            }
            let admitted = f64::from(of_flood - before) * 10.0;
            let waited = Some(if admitted > f64::from(capacity) { 0.1 } else { 0.001 });
            let cost = 1.0 / f64::from(capacity);
            pressure.tick(&Measured { waited, finished: admitted, cost, seconds: 0.1 }, 0.01, now + 0.1);
        }
        (pressure, of_flood, of_ordinary)
    }

    #[test]
    fn a_flood_is_cut_to_what_the_machine_can_do_and_others_do_not_notice() {
        let (pressure, of_flood, of_ordinary) = flooded(30, 200);
        assert!(pressure.is_on());
        assert!((60..=260).contains(&of_flood), "{of_flood} of 1000 admitted where 200 can be done");
        assert_eq!(of_ordinary, 1);
    }

    #[test]
    fn without_waiting_nobody_is_asked_to_come_later() {
        let (pressure, of_flood, _) = flooded(10, 2_000);
        assert!(!pressure.is_on());
        assert_eq!(of_flood, 1_000);
    }

    #[test]
    fn pressure_ends_when_the_flood_does() {
        let (mut pressure, ..) = flooded(10, 200);
        let idle = Measured { seconds: 0.1, ..Measured::default() };
        let ends = (0..100)
            .find(|tick| pressure.tick(&idle, 0.01, 10.0 + f64::from(*tick) / 10.0) == Some(PressureTurn::Ends));
        assert!((40..60).contains(&ends.expect("an end")), "{ends:?}");
        assert!(pressure.admit(network(1), false, 21.0));
        pressure.tick(&idle, 0.01, 200.0);
        assert_eq!(pressure.networks(), 0, "nothing is kept of networks that are gone");
    }

    #[test]
    fn a_machine_that_is_busy_with_something_else_defers_nobody() {
        let mut pressure = Pressure::default();
        for tick in 0..100 {
            let now = f64::from(tick) / 10.0;
            assert!((0..2).all(|_| pressure.admit(network(1), false, now)), "tick {tick}");
            pressure.tick(&Measured { waited: Some(0.5), finished: 20.0, cost: 0.001, seconds: 0.1 }, 0.01, now);
        }
        assert!(!pressure.is_on());
    }

    #[test]
    fn a_flood_from_so_many_that_each_asks_for_little_is_cut_too() {
        let mut pressure = Pressure::default();
        let mut admitted = 0;
        for tick in 0..300 {
            let now = f64::from(tick) / 10.0;
            admitted = 0;
            for n in 0..200_u32 {
                // 2000 networks, each once a second.
                let n = n + tick % 10 * 200;
                let network = ClientNetwork::of(std::net::Ipv4Addr::from(n << 8).into());
                admitted += u32::from(pressure.admit(network, false, now));
            }
            let waited = Some(if admitted > 20 { 0.1 } else { 0.001 });
            let finished = f64::from(admitted) * 10.0;
            pressure.tick(&Measured { waited, finished, cost: 0.005, seconds: 0.1 }, 0.01, now + 0.1);
        }
        assert!(admitted < 40, "{admitted} of 200 where 20 can be done");
    }

    #[test]
    fn a_queue_that_is_too_long_counts_before_the_next_tick() {
        let mut pressure = Pressure::default();
        pressure.taken(network(1), 0.0);
        pressure.taken(network(2), 0.0);
        for n in 1..=6 {
            assert!(pressure.admit(network(1), true, 1.0), "{n} messages are not a flood");
        }
        assert!(!pressure.admit(network(1), true, 1.0));
        assert!(pressure.admit(network(1), false, 1.0));
        assert!(pressure.admit(network(2), true, 1.0));
    }

    #[test]
    fn in_trouble_networks_that_have_delivered_before_go_first() {
        let mut pressure = Pressure::default();
        pressure.taken(network(1), 0.0);
        assert!(pressure.is_known(network(1)) && !pressure.is_known(network(2)));
        assert!(pressure.admit(network(1), true, 1.0));
        assert!(!pressure.admit(network(2), true, 1.0), "nobody knows it, and too much work waits");
        pressure.taken(network(3), 2.0);
        assert!(!pressure.is_known(network(3)), "a flood does not become known by what was taken of it");
        assert!(pressure.rank(network(1), 2.0) < pressure.rank(network(3), 2.0));
        pressure.remember(network(2), 2.0);
        assert!(pressure.is_known(network(2)), "the shared counters know it");
        pressure.tick(&Measured::default(), 0.01, 10.0);
        assert!(!pressure.is_troubled() && pressure.is_known(network(3)));
    }
}
