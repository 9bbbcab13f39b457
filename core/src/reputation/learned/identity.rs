//! By what a sender is known again.

use super::Experience;
use crate::session::ClientNetwork;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of thing an identity is, the most specific first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The registered domain of the author, authenticated.
    Domain,
    /// The client: an IPv4 address, or an IPv6 /64.
    Address,
    /// The registered domain of the name in HELO, confirmed by reverse DNS: who runs the host.
    Helo,
    /// The network around the client: IPv4 /24, IPv6 /48.
    Network,
    /// The autonomous system of the client.
    Asn,
}

/// One thing by which a sender is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What it is.
    pub kind: Kind,
    /// Its name: `203.0.113.7/32`, `203.0.113.0/24`, `AS64496`, `example.com`.
    pub name: String,
}

impl Kind {
    /// Id of the finding.
    pub fn finding(self) -> &'static str {
        match self {
            Kind::Domain => "reputation.learned.domain",
            Kind::Address | Kind::Network => "reputation.learned.network",
            Kind::Helo => "reputation.learned.helo",
            Kind::Asn => "reputation.learned.asn",
        }
    }

    /// The word in keys.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Domain => "domain",
            Kind::Address => "address",
            Kind::Helo => "helo",
            Kind::Network => "network",
            Kind::Asn => "asn",
        }
    }

    /// The part of what is left that a fully confident identity takes. `lean` is from -1 (good) to 1 (bad).
    ///
    /// A client may be worse than its neighbours, so what it belongs to never takes all. A good domain takes less than a
    /// bad one: signed mail can be replayed from elsewhere, and with 0.6 the praise of a very good domain (0.6 × -2) just
    /// makes up for a very bad network (0.4 × 3) by the default bounds.
    pub(super) fn share(self, lean: f64) -> f64 {
        match self {
            Kind::Domain => 0.8 + 0.2 * lean,
            Kind::Address => 1.0,
            Kind::Helo => 0.75,
            Kind::Network => 0.6,
            Kind::Asn => 0.4,
        }
    }

    /// How many times as many messages it takes to be as sure of it as of an address.
    pub(super) fn caution(self) -> f64 {
        match self {
            Kind::Domain | Kind::Address => 1.0,
            Kind::Helo | Kind::Network => 2.0,
            Kind::Asn => 10.0,
        }
    }

    /// Whether many hosts share it, so that one of them must not speak for all.
    pub(super) fn is_shared(self) -> bool {
        matches!(self, Kind::Helo | Kind::Network | Kind::Asn)
    }
}

impl Identity {
    /// A client.
    pub fn address(ip: IpAddr) -> Self {
        Identity { kind: Kind::Address, name: ClientNetwork::of(ip).to_string() }
    }

    /// The network around a client.
    pub fn network(ip: IpAddr) -> Self {
        let name = match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                format!("{}/24", Ipv4Addr::new(a, b, c, 0))
            }
            IpAddr::V6(ip) => {
                let [a, b, c, ..] = ip.segments();
                format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
            }
        };
        Identity { kind: Kind::Network, name }
    }

    /// An autonomous system.
    pub fn asn(number: u32) -> Self {
        Identity { kind: Kind::Asn, name: format!("AS{number}") }
    }

    /// The domain of an author. Whoever calls this has seen it authenticated.
    pub fn domain(domain: &str) -> Option<Self> {
        Some(Identity { kind: Kind::Domain, name: registered(domain)? })
    }

    /// The name in HELO, if one of the names that DNS confirms for the client belongs to the same registered domain.
    pub fn helo<'n>(helo: &str, confirmed: impl IntoIterator<Item = &'n str>) -> Option<Self> {
        let name = registered(helo)?;
        let fits = confirmed.into_iter().any(|other| registered(other).as_ref() == Some(&name));
        fits.then_some(Identity { kind: Kind::Helo, name })
    }

    /// What a person means by an address, a network, `AS64496`, or a name; a name may be both a domain and one in HELO.
    /// None if the text is nothing of these.
    pub fn named(text: &str) -> Vec<Self> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return vec![Identity::address(ip), Identity::network(ip)];
        }
        if let Ok(network) = text.parse::<IpNet>() {
            let both = [Identity::address(network.addr()), Identity::network(network.addr())];
            return both.into_iter().filter(|identity| identity.name == network.trunc().to_string()).collect();
        }
        let system = text.get(..2).filter(|start| start.eq_ignore_ascii_case("as")).and_then(|_| text.get(2..));
        if let Some(Ok(number)) = system.map(str::parse) {
            return vec![Identity::asn(number)];
        }
        let name = registered(text);
        let both = [Kind::Domain, Kind::Helo];
        name.iter().flat_map(|name| both.map(|kind| Identity { kind, name: name.clone() })).collect()
    }

    /// The counter of one kind of experience.
    pub fn key(&self, experience: Experience) -> String {
        format!("{}{}", self.prefix(), experience.word())
    }

    /// What the keys of its counters begin with.
    pub fn prefix(&self) -> String {
        format!("learned/{}/{}/", self.kind.word(), self.name)
    }
}

/// The part of a host name that somebody registered, in lower case: `example.co.uk` of `www.example.co.uk`. None of what
/// is no host name: HELO and reverse DNS may hold anything.
pub fn registered(host: &str) -> Option<String> {
    let host = host.trim_end_matches('.');
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if host.len() > 253 || !host.bytes().all(plain) || host.rsplit('.').next()?.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    psl::domain_str(&host.to_ascii_lowercase()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_client_is_known_by_itself_and_by_its_network() {
        assert_eq!(Identity::address(ip("::ffff:203.0.113.7")).prefix(), "learned/address/203.0.113.7/32/");
        assert_eq!(Identity::network(ip("203.0.113.7")).name, "203.0.113.0/24");
        assert_eq!(Identity::address(ip("2001:db8:1:2:3::4")).name, "2001:db8:1:2::/64");
        assert_eq!(Identity::network(ip("2001:db8:1:2:3::4")).name, "2001:db8:1::/48");
        assert_eq!(Identity::asn(64496).key(Experience::Bad), "learned/asn/AS64496/bad");
    }

    #[test]
    fn a_name_in_helo_counts_only_if_dns_confirms_its_domain() {
        let name = |helo: &str, confirmed: &[&str]| Identity::helo(helo, confirmed.iter().copied()).map(|i| i.name);
        assert_eq!(name("MX1.Example.co.uk.", &["out7.example.co.uk"]).as_deref(), Some("example.co.uk"));
        for (helo, confirmed) in [
            ("mx.bank.example", &["host7.spam.example"][..]),
            ("mx.bank.example", &[]),
            ("[203.0.113.7]", &["host.example.com"]),
            ("203.0.113.7", &["203.0.113.7"]),
            ("a/../b.example.com", &["a/../b.example.com"]),
            ("localhost", &["localhost"]),
            ("co.uk", &["co.uk"]),
            ("", &[""]),
        ] {
            assert_eq!(name(helo, confirmed), None, "{helo}");
        }
    }

    #[test]
    fn names_that_people_write_lead_to_identities() {
        let named = |text: &str| Identity::named(text).iter().map(Identity::prefix).collect::<Vec<_>>().join(" ");
        assert_eq!(named("203.0.113.7"), "learned/address/203.0.113.7/32/ learned/network/203.0.113.0/24/");
        assert_eq!(named("203.0.113.0/24"), "learned/network/203.0.113.0/24/");
        assert_eq!(named("203.0.113.7/32"), "learned/address/203.0.113.7/32/");
        assert_eq!(named("2001:db8:1::/48"), "learned/network/2001:db8:1::/48/");
        assert_eq!(named("as64496"), "learned/asn/AS64496/");
        assert_eq!(named("www.example.com"), "learned/domain/example.com/ learned/helo/example.com/");
        for nothing in ["203.0.0.0/16", "", "é", "com", "10"] {
            assert_eq!(named(nothing), "", "{nothing}");
        }
    }
}
