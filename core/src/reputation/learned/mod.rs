//! What this site has seen of a sender before: good and bad messages by network, autonomous system, domain and HELO name.
//!
//! Every message that was judged here leaves one count with each [`Identity`] of its sender, good or bad, in a bucket of
//! its day. [`Learned::judge`] turns the counts into points:
//!
//! - **Decay.** A count halves with each `half_life`, and is forgotten after `remember`.
//! - **Lean.** A bad message weighs as much as three good ones: `(3 bad - good) / (3 bad + good)`, from -1 to 1. Ordinary
//!   networks send some spam; one that sends a quarter of spam is neither good nor bad.
//! - **Confidence.** `n² / (n² + k²)` for `n` messages: one message says nothing, `confidence` messages (`k`) count half.
//! - **Combination.** The most specific identity speaks first and takes of the whole as much as it is confident; what it
//!   leaves goes to the next: domain, address, HELO name, network, autonomous system. The shares add up to one at most, so
//!   that the points stay within `min_points` and `max_points` whatever was counted.
//!
//! The points never feed back: who feeds the counts leaves them out of the total by which a message is good or bad.

mod asn;
mod identity;
mod record;
mod settings;
mod weigh;

pub use asn::AsnDatabase;
pub use identity::{Identity, Kind, registered};
pub use record::Experience;
pub use settings::Settings;
pub use weigh::Weighed;

use crate::{
    lookup::{Deadline, Outcome},
    store::{Buckets, Ledger, Window},
    verdict::{Finding, Points},
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Length of a bucket. Unit: seconds.
const DAY: i64 = 86_400;

/// Least points that make a finding. Unit: hundredths of a point. Source: our own limit; less is noise on every card.
const SHOWN: i32 = 10;

/// Learned reputation with its settings and, if the site has one, its database of autonomous systems.
#[derive(Debug)]
pub struct Learned {
    settings: Settings,
    asn: Option<AsnDatabase>,
}

/// What the counters hold about some identities.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// When they were asked. Unix seconds.
    pub asked: i64,
    /// One for each identity.
    pub known: Vec<Known>,
    /// Why the counters did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What is counted of one identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// Whose counts these are.
    pub identity: Identity,
    /// Bad messages by day.
    pub bad: Buckets,
    /// Good messages by day.
    pub good: Buckets,
}

impl Learned {
    /// Loads the database of the settings.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is of another kind.
    pub fn load(settings: Settings) -> Result<Self, String> {
        let asn = settings.asn_database.as_deref().filter(|_| settings.enabled).map(AsnDatabase::open).transpose()?;
        Ok(Learned { settings, asn })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The database of autonomous systems, if the site has one.
    pub fn systems(&self) -> Option<&AsnDatabase> {
        self.asn.as_ref()
    }

    /// By what a client's address is known: itself, its network, and its autonomous system. None if nothing is learned.
    pub fn client(&self, ip: IpAddr) -> Vec<Identity> {
        if !self.settings.enabled {
            return Vec::new();
        }
        let ip = ip.to_canonical();
        let system = self.asn.as_ref().and_then(|asn| asn.number(ip)).map(Identity::asn);
        [Identity::address(ip), Identity::network(ip)].into_iter().chain(system).collect()
    }

    /// Asks the counters about a client.
    pub async fn ask(&self, identities: Vec<Identity>, ledger: &Ledger, now: i64, deadline: Deadline) -> History {
        if identities.is_empty() {
            return History { asked: now, ..History::default() };
        }
        let keys: Vec<String> = keys(&identities).collect();
        match ledger.read(&keys, now, deadline).await {
            Outcome::Done(buckets) => history(identities, buckets, now),
            trouble => History { asked: now, trouble: trouble.trouble(), ..History::default() },
        }
    }

    /// The points of each identity when all are seen together, the most specific first.
    pub fn weigh<'h>(&self, histories: &[&'h History]) -> Vec<Weighed<'h>> {
        weigh::weigh(&self.settings, histories)
    }

    /// What the histories of one sender say. Points only, never a reply.
    pub fn judge(&self, histories: &[&History]) -> Vec<Finding> {
        let mut weighed = self.weigh(histories);
        // An address and its network share a finding, though a name in HELO is more specific than the network.
        weighed.sort_by_key(|one| one.known.identity.kind.finding());
        let days = self.settings.remember.as_secs() / DAY.unsigned_abs();
        let mut findings: Vec<Finding> = Vec::new();
        for family in weighed.chunk_by(|a, b| a.known.identity.kind.finding() == b.known.identity.kind.finding()) {
            findings.extend(finding(family, days));
        }
        let trouble = histories.iter().find_map(|history| history.trouble.as_ref());
        findings.extend(trouble.map(|why| {
            Finding::new("reputation.learned.trouble", Points::ZERO, "the counters did not answer").fact(why)
        }));
        findings
    }

    /// The same as a sum, for decisions before there is a card.
    pub fn points(&self, histories: &[&History]) -> Points {
        self.weigh(histories).iter().map(|one| one.points).sum()
    }

    fn window(&self) -> Window {
        Window { bucket: DAY, keep: i64::try_from(self.settings.remember.as_secs()).unwrap_or(i64::MAX) }
    }
}

/// The counters of identities: bad, then good, for each.
pub(super) fn keys(identities: &[Identity]) -> impl Iterator<Item = String> + '_ {
    identities.iter().flat_map(|identity| Experience::BOTH.map(|experience| identity.key(experience)))
}

/// What was read under [`keys`].
pub(super) fn history(identities: Vec<Identity>, buckets: Vec<Buckets>, asked: i64) -> History {
    let mut buckets = buckets.into_iter();
    let mut next = || buckets.next().unwrap_or_default();
    let known = identities.into_iter().map(|identity| Known { identity, bad: next(), good: next() }).collect();
    History { asked, known, trouble: None }
}

/// One finding for identities that share its id, if they are worth one.
fn finding(family: &[Weighed<'_>], days: u64) -> Option<Finding> {
    let points: Points = family.iter().map(|one| one.points).sum();
    if points.as_hundredths().abs() < SHOWN {
        return None;
    }
    let kind = family.first()?.known.identity.kind;
    let finding = Finding::new(kind.finding(), points, "what this site has seen before");
    Some(family.iter().filter(|one| one.bad + one.good > 0).fold(finding, |finding, one| {
        finding.fact(format!("{}: {} bad, {} good in {days} days", one.known.identity.name, one.bad, one.good))
    }))
}

#[cfg(test)]
mod tests;
