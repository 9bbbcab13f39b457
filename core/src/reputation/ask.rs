//! The questions about a client, all at once.

use super::{Dnsbl, Health, Reputation, health, learned::History};
use crate::lookup::{Deadline, Outcome, all, dns::Dns};
use serde::{Deserialize, Serialize};
use std::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr},
    time::Instant,
};

/// What is known about a client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// One for each list that was asked.
    pub lists: Vec<ListAnswer>,
    /// Reverse DNS.
    pub reverse: ReverseDns,
    /// What this site has seen of its network before.
    #[serde(default)]
    pub learned: History,
}

/// The answer of one list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListAnswer {
    /// `dnsbl.<name>` or `dnswl.<name>`.
    pub list: String,
    /// The addresses it answered; none if the client is not listed.
    pub outcome: Outcome<Vec<Ipv4Addr>>,
    /// What was known about the list's own health when it was asked.
    pub health: Health,
}

/// The names of a client's address (RFC 8601 §2.7.3 calls this `iprev`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReverseDns {
    /// Not asked.
    #[default]
    NotAsked,
    /// The address has no name.
    Missing,
    /// No name leads back to the address.
    Unconfirmed {
        /// The first names.
        names: Vec<String>,
    },
    /// This name leads back to the address.
    Confirmed {
        /// The name.
        name: String,
    },
    /// DNS did not answer.
    Trouble {
        /// For the log.
        why: String,
    },
}

impl ReverseDns {
    /// The result in the words of RFC 8601 §2.7.3, if it was asked.
    pub fn iprev(&self) -> Option<&'static str> {
        match self {
            ReverseDns::NotAsked => None,
            ReverseDns::Missing => Some("permerror"),
            ReverseDns::Unconfirmed { .. } => Some("fail"),
            ReverseDns::Confirmed { .. } => Some("pass"),
            ReverseDns::Trouble { .. } => Some("temperror"),
        }
    }
}

/// Most names of an address that are followed back. Unit: names. Source: RFC 7208 §4.6.4 sets 10 for SPF; honest hosts
/// have one or two.
const NAMES: usize = 5;

impl Reputation {
    /// What all lists and reverse DNS say about a client, or said within the last ten seconds. `dns` is the same each time.
    pub async fn look_up(&self, ip: IpAddr, dns: &Dns, deadline: Deadline) -> Answers {
        let ip = ip.to_canonical();
        if let Some(mut answers) = self.recent.get(ip, Instant::now()) {
            for (list, health) in answers.lists.iter_mut().zip(&self.health) {
                list.health = health.state();
            }
            return answers;
        }
        let answers = Box::pin(self.ask(ip, dns, deadline)).await;
        self.recent.keep(ip, &answers, Instant::now());
        answers
    }

    /// Asks all lists and reverse DNS about a client, at once.
    pub async fn ask(&self, ip: IpAddr, dns: &Dns, deadline: Deadline) -> Answers {
        let ip = ip.to_canonical();
        let block = all(self.settings.dnsbl.iter().zip(&self.health).map(|(list, health)| async move {
            let outcome = dns.a(&listing_name(ip, &list.zone), deadline).await;
            let mut state = health.state();
            // A hit is worth a second look: whoever lists 127.0.0.1 lists everything. The answer is mostly cached.
            if lists_client(list, &outcome) && state != Health::ListsEverything {
                let control = dns.a(&listing_name(health::MUST_NOT_BE_LISTED, &list.zone), deadline).await;
                if control.done().is_some_and(|answers| !answers.is_empty()) {
                    state = Health::ListsEverything;
                    health.set(state, &list.name);
                }
            }
            ListAnswer { list: format!("dnsbl.{}", list.name), outcome, health: state }
        }));
        let allow = all(self.settings.dnswl.iter().map(|list| async move {
            let outcome = dns.a(&listing_name(ip, &list.zone), deadline).await;
            ListAnswer { list: format!("dnswl.{}", list.name), outcome, health: Health::Unprobed }
        }));
        let (mut lists, more, reverse) = tokio::join!(block, allow, reverse(ip, dns, deadline));
        lists.extend(more);
        Answers { lists, reverse, learned: History::default() }
    }
}

/// The name under which a list knows an address: octets or nibbles in reverse (RFC 5782 §2.1, §2.4).
pub(super) fn listing_name(ip: IpAddr, zone: &str) -> String {
    let mut name = String::with_capacity(64 + zone.len());
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            let _ = write!(name, "{d}.{c}.{b}.{a}.");
        }
        IpAddr::V6(ip) => {
            for octet in ip.octets().iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", octet & 15, octet >> 4);
            }
        }
    }
    name.push_str(zone);
    name
}

fn lists_client(list: &Dnsbl, outcome: &Outcome<Vec<Ipv4Addr>>) -> bool {
    outcome.done().is_some_and(|answers| answers.iter().any(|&answer| is_listing(answer, &list.errors)))
}

/// Whether an answer says "listed": in 127.0.0.0/8 (RFC 5782 §2.1) and no error of the list.
pub(super) fn is_listing(answer: Ipv4Addr, errors: &[super::AnswerPattern]) -> bool {
    answer.is_loopback()
        && !super::settings::REFUSED_ANSWERS.matches(answer)
        && !errors.iter().any(|error| error.matches(answer))
}

async fn reverse(ip: IpAddr, dns: &Dns, deadline: Deadline) -> ReverseDns {
    let mut names = match dns.ptr(ip, deadline).await {
        Outcome::Done(names) if names.is_empty() => return ReverseDns::Missing,
        Outcome::Done(names) => names,
        trouble => return ReverseDns::Trouble { why: trouble.trouble().unwrap_or_default() },
    };
    names.truncate(NAMES);
    let forward = all(names.iter().map(|name| leads_back(name, ip, dns, deadline))).await;
    let confirmed = names.iter().zip(&forward).find(|(_, outcome)| outcome.done() == Some(&true));
    if let Some((name, _)) = confirmed {
        return ReverseDns::Confirmed { name: name.clone() };
    }
    match forward.iter().find_map(Outcome::trouble) {
        Some(why) => ReverseDns::Trouble { why },
        None => ReverseDns::Unconfirmed { names },
    }
}

async fn leads_back(name: &str, ip: IpAddr, dns: &Dns, deadline: Deadline) -> Outcome<bool> {
    match ip {
        IpAddr::V4(ip) => dns.a(name, deadline).await.map(|found| found.contains(&ip)),
        IpAddr::V6(ip) => dns.aaaa(name, deadline).await.map(|found| found.contains(&ip)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_looked_up_in_reverse_by_octets_or_nibbles() {
        assert_eq!(listing_name([192, 0, 2, 7].into(), "bl.test"), "7.2.0.192.bl.test");
        assert_eq!(
            listing_name("2001:db8::5".parse().expect("an address"), "bl.test"),
            "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test"
        );
    }
}
