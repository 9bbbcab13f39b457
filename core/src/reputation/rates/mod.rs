//! Floods: how much a client network, and all of them, may bring; and who waits when the machine is busy.
//!
//! Rates are counted in memory ([`Meter`]) and told to other processes only once a network comes near a limit. How
//! many connections there are at a time is known to each process for itself. What is past a limit is deferred, never
//! refused for good. When work waits for processors, the networks that ask for most are deferred ([`Pressure`]).

mod meter;
mod pressure;
mod settings;

pub use meter::Meter;
pub use pressure::{Measured, Pressure, PressureTurn};
pub use settings::{Counts, Kind, Mode, Settings};

use crate::{
    lookup::{Deadline, Outcome},
    session::ClientNetwork,
    store::{Buckets, Ledger, Window},
    verdict::{Finding, Points, Reply},
};
use serde::{Deserialize, Serialize};

/// Delivered messages that make a network trusted, and how they are counted: the same as for harvests.
#[derive(Debug, Clone, Copy)]
pub struct Trust {
    /// Messages.
    pub messages: u64,
    /// Where they are counted.
    pub window: Window,
}

/// What is known about a network and the site when a limit is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// What the network has brought within the window.
    pub network: Counts,
    /// What all have brought.
    pub site: Counts,
    /// Connections of the network when this one began, itself included; 0 where that is not the question.
    pub network_at_once: u64,
    /// Likewise of the site.
    pub site_at_once: u64,
    /// Whether the network has delivered wanted mail before.
    pub trusted: bool,
}

/// Where is counted, and by which settings.
#[derive(Debug, Clone, Copy)]
pub struct Books<'e> {
    /// The limits.
    pub settings: &'e Settings,
    /// What this process saw.
    pub meter: &'e Meter,
    /// What all processes of the host saw.
    pub ledger: &'e Ledger,
}

/// Counts, without asking. Refused messages and recipients are not counted: the limits are for what is taken.
pub fn note(books: Books<'_>, network: ClientNetwork, more: Counts, now: i64) {
    let Books { settings, meter, ledger } = books;
    let noted = meter.note(network, more, settings, now);
    tell(settings, ledger, network, noted.untold, now);
    for kind in Counts::KINDS {
        if settings.site.of(kind) > 0 && more.of(kind) > 0 {
            ledger.add(&site_key(kind), more.of(kind), window(settings), now);
        }
    }
}

/// Asks what a network has brought. Without shared counters, what this process saw decides.
pub async fn ask(
    books: Books<'_>,
    network: ClientNetwork,
    at_once: (u64, u64),
    trust: Trust,
    now: i64,
    deadline: Deadline,
) -> Answers {
    let Books { settings, meter, ledger } = books;
    let noted = meter.note(network, Counts::default(), settings, now);
    tell(settings, ledger, network, noted.untold, now);
    let mut answers =
        Answers { network: noted.counts, network_at_once: at_once.0, site_at_once: at_once.1, ..Answers::default() };
    let mut asked: Vec<(Kind, bool, String)> = Vec::new();
    for kind in Counts::KINDS {
        if noted.shared && settings.network.of(kind) > 0 {
            asked.push((kind, false, network_key(network, kind)));
        }
        if settings.site.of(kind) > 0 {
            asked.push((kind, true, site_key(kind)));
        }
    }
    if !asked.is_empty() {
        let keys: Vec<String> = asked.iter().map(|(_, _, key)| key.clone()).collect();
        let since = now.saturating_sub(settings.window_seconds());
        if let Outcome::Done(all) = ledger.read(&keys, now, deadline).await {
            for ((kind, of_site, _), buckets) in asked.iter().zip(&all) {
                let place = if *of_site { &mut answers.site } else { &mut answers.network };
                *place.of_mut(*kind) = buckets.since(since);
            }
        }
    }
    if judge(settings, &answers, true).is_some_and(|excess| !excess.of_site) {
        let keys = [format!("delivered/{network}")];
        let delivered = ledger.read(&keys, now, deadline).await;
        let delivered = delivered.done().and_then(|all| all.first()).map_or(0, Buckets::total);
        answers.trusted = delivered >= trust.messages;
    }
    answers
}

/// What is past its limit. `new_connection`: whether this is the first question of a connection; those that are under
/// way are not closed because others came after them.
pub fn judge(settings: &Settings, answers: &Answers, new_connection: bool) -> Option<Excess> {
    let factor = if answers.trusted { settings.trusted_factor.max(1) } else { 1 };
    let excess = |what, of_site, count: u64, limit: u64| {
        let limit = if of_site { limit } else { limit.saturating_mul(factor) };
        (limit > 0 && count > limit).then_some(Excess { what, of_site, count, limit })
    };
    if new_connection {
        let at_once = [
            (false, answers.network_at_once, settings.network_at_once),
            (true, answers.site_at_once, settings.site_at_once),
        ];
        for (of_site, count, limit) in at_once {
            if let Some(excess) = excess(What::AtOnce, of_site, count, limit) {
                return Some(excess);
            }
        }
    }
    for kind in Counts::KINDS {
        if kind == Kind::Connections && !new_connection {
            continue;
        }
        // Of connections this one is counted already; of all else the next one would be past the limit.
        let next = u64::from(kind != Kind::Connections);
        for (of_site, counts, limits) in
            [(false, &answers.network, &settings.network), (true, &answers.site, &settings.site)]
        {
            let count = counts.of(kind).saturating_add(next);
            if let Some(excess) = excess(What::Rate(kind), of_site, count, limits.of(kind)) {
                return Some(excess);
            }
        }
    }
    None
}

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Connections at a time.
    AtOnce,
    /// Something within the window.
    Rate(Kind),
}

/// A limit that was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess {
    /// Of what.
    pub what: What,
    /// Of the whole site, not of the network.
    pub of_site: bool,
    /// How much there is.
    pub count: u64,
    /// How much may be.
    pub limit: u64,
}

impl Excess {
    /// For log and history.
    pub fn because(&self) -> &'static str {
        match (self.what, self.of_site) {
            (What::AtOnce, false) => "connections of the network at a time",
            (What::AtOnce, true) => "connections of the site at a time",
            (What::Rate(Kind::Connections), false) => "rate of connections",
            (What::Rate(Kind::Messages), false) => "rate of messages",
            (What::Rate(Kind::Recipients), false) => "rate of recipients",
            (What::Rate(Kind::Bytes), false) => "rate of bytes",
            (What::Rate(Kind::Connections), true) => "rate of connections of the site",
            (What::Rate(Kind::Messages), true) => "rate of messages of the site",
            (What::Rate(Kind::Recipients), true) => "rate of recipients of the site",
            (What::Rate(Kind::Bytes), true) => "rate of bytes of the site",
        }
    }

    /// What the client hears. Connections too many are closed.
    pub fn reply(&self) -> Reply {
        match (self.of_site, self.what) {
            (false, What::AtOnce | What::Rate(Kind::Connections)) => {
                Reply::fixed(421, (4, 7, 0), "Too many connections, please try again later")
            }
            (true, What::AtOnce | What::Rate(Kind::Connections)) => {
                Reply::fixed(421, (4, 3, 2), "This system is busy, please try again later")
            }
            (false, What::Rate(Kind::Messages)) => {
                Reply::fixed(450, (4, 7, 1), "Too many messages, please try again later")
            }
            (false, What::Rate(Kind::Recipients)) => {
                Reply::fixed(450, (4, 7, 1), "Too many recipients, please try again later")
            }
            (false, What::Rate(Kind::Bytes)) => Reply::fixed(450, (4, 7, 1), "Too much data, please try again later"),
            (true, What::Rate(_)) => Reply::fixed(451, (4, 3, 2), "This system is busy, please try again later"),
        }
    }

    /// The finding, with the figures.
    pub fn finding(&self, settings: &Settings) -> Finding {
        let (id, key) = match self.what {
            What::AtOnce => ("rates.at-once", "at_once"),
            What::Rate(Kind::Connections) => ("rates.connections", "connections"),
            What::Rate(Kind::Messages) => ("rates.messages", "messages"),
            What::Rate(Kind::Recipients) => ("rates.recipients", "recipients"),
            What::Rate(Kind::Bytes) => ("rates.bytes", "bytes"),
        };
        let source = if self.of_site { format!("[rates.site] {key}") } else { format!("[rates] {key}") };
        let fact = match self.what {
            What::AtOnce => format!("{} at a time, limit {}", self.count, self.limit),
            What::Rate(_) => format!("{} within {} s, limit {}", self.count, settings.window_seconds(), self.limit),
        };
        Finding::new(id, Points::ZERO, source).fact(fact)
    }
}

fn tell(settings: &Settings, ledger: &Ledger, network: ClientNetwork, untold: Counts, now: i64) {
    for kind in Counts::KINDS {
        if untold.of(kind) > 0 && settings.network.of(kind) > 0 {
            ledger.add(&network_key(network, kind), untold.of(kind), window(settings), now);
        }
    }
}

/// Six buckets to a window, so that what is past falls out in small steps.
fn window(settings: &Settings) -> Window {
    let seconds = settings.window_seconds();
    Window { bucket: (seconds / 6).max(1), keep: seconds.saturating_mul(2) }
}

fn network_key(network: ClientNetwork, kind: Kind) -> String {
    format!("rate/{network}/{}", kind.word())
}

fn site_key(kind: Kind) -> String {
    format!("rate/site/{}", kind.word())
}

#[cfg(test)]
mod tests;
