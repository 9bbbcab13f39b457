//! Under which name an attempt is remembered.

use super::Client;
use crate::session::{Address, ReversePath};
use aws_lc_rs::digest;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Write},
    net::IpAddr,
};

/// Who sends. Large senders try again from another machine, so what all their machines share comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// Registered domain that SPF says the client sends for, or that its confirmed name is in.
    Domain(String),
    /// The client's network: IPv4 /24, IPv6 /64.
    Network(IpNet),
}

impl Who {
    /// Whom a client is taken for.
    pub fn of(client: &Client<'_>) -> Self {
        let named = client.confirmed_name.filter(|name| !holds_address(name, client.ip));
        match client.spf_domain.or(named) {
            Some(name) => Who::Domain(registered(name)),
            None => Who::Network(network(client.ip)),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Domain(domain) => f.write_str(domain),
            Who::Network(network) => network.fmt(f),
        }
    }
}

/// An attempt: who sends, from which address, to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Who sends.
    pub who: Who,
    /// Key of the entry. A hash, so that nothing about senders and recipients is stored.
    pub(super) key: String,
    /// Key of the counter of who has come back.
    pub(super) passes: String,
}

impl Subject {
    pub(super) fn of(client: &Client<'_>, sender: &ReversePath, recipient: &Address) -> Self {
        let who = Who::of(client);
        let text = format!("{who}\n{}\n{}", steady_sender(sender), recipient.key());
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        let mut key = String::with_capacity(37);
        key.push_str("grey/");
        for byte in hash.as_ref().iter().take(16) {
            let _ = write!(key, "{byte:02x}");
        }
        Subject { key, passes: format!("grey.pass/{who}"), who }
    }
}

fn registered(name: &str) -> String {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    crate::session::registered(&name).to_owned()
}

fn network(ip: IpAddr) -> IpNet {
    let ip = ip.to_canonical();
    let prefix = if ip.is_ipv4() { 24 } else { 64 };
    IpNet::new(ip, prefix).map_or_else(|_| IpNet::from(ip), |network| network.trunc())
}

/// Whether a name is made of the address, as providers name the lines of their customers (`host-192-0-2-7.example`):
/// then its domain says nothing about who sends.
fn holds_address(name: &str, ip: IpAddr) -> bool {
    let name = name.to_ascii_lowercase();
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            let numbers: Vec<&str> = name.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty()).collect();
            let octets = [a, b, c, d];
            let shown = octets.iter().filter(|octet| {
                let octet = octet.to_string();
                numbers.iter().any(|number| number.trim_start_matches('0') == octet.trim_start_matches('0'))
            });
            let padded = format!("{a:03}{b:03}{c:03}{d:03}");
            shown.count() >= 3 || name.contains(&format!("{a:02x}{b:02x}{c:02x}{d:02x}")) || name.contains(&padded)
        }
        IpAddr::V6(ip) => {
            let [.., y, z] = ip.segments();
            let plain: String = name.chars().filter(|c| *c != '-' && *c != '.').collect();
            let nibbles = format!("{y:04x}{z:04x}");
            let backwards: String = nibbles.chars().rev().collect();
            name.contains(&format!("{y:x}-{z:x}")) || plain.contains(&nibbles) || plain.contains(&backwards)
        }
    }
}

/// The sender without what changes from message to message: BATV tags, the hash of SRS, the recipient and the numbers of
/// VERP.
fn steady_sender(sender: &ReversePath) -> String {
    let ReversePath::Mailbox(address) = sender else { return "<>".to_owned() };
    let local = address.local.to_lowercase();
    let local = untagged(&local);
    let local = match local.get(..4) {
        Some("srs0" | "srs1") => "srs",
        _ => local,
    };
    // "bounces-bob=example.com" names the recipient; "news+1234" has a detail.
    let local = match (local.find('+'), local.find('=')) {
        (Some(at), _) if at > 0 => local.get(..at).unwrap_or(local),
        (_, Some(equals)) => {
            let head = local.get(..equals).unwrap_or(local);
            head.rfind('-').and_then(|dash| head.get(..dash)).unwrap_or(head)
        }
        _ => local,
    };
    let mut steady = String::with_capacity(local.len() + 1 + address.domain.len());
    for piece in local.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
        match word.contains(|c: char| c.is_ascii_digit()) {
            true => steady.push('#'),
            false => steady.push_str(word),
        }
        steady.push_str(piece.get(word.len()..).unwrap_or_default());
    }
    steady.push('@');
    steady.push_str(&address.domain);
    steady
}

/// `prvs=0123abcdef=bob`, `btv1==hash==bob` and their like are bob's.
fn untagged(local: &str) -> &str {
    let tagged = ["prvs=", "msprvs1=", "btv1=="].iter().any(|tag| local.starts_with(tag));
    match local.rsplit_once('=') {
        Some((_, rest)) if tagged && !rest.is_empty() => rest,
        _ => local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Points;

    fn client<'a>(ip: &str, name: Option<&'a str>, spf: Option<&'a str>) -> Client<'a> {
        let ip = ip.parse().expect("an address");
        Client { ip, confirmed_name: name, spf_domain: spf, points: Points::ZERO, on_allow_list: false }
    }

    fn who(ip: &str, name: Option<&str>, spf: Option<&str>) -> String {
        Who::of(&client(ip, name, spf)).to_string()
    }

    #[test]
    fn a_provider_may_come_back_from_another_machine() {
        assert_eq!(who("192.0.2.7", None, Some("News.Example.co.uk")), "example.co.uk");
        assert_eq!(who("192.0.2.7", Some("mail-77.google.com"), None), "google.com");
        assert_eq!(who("192.0.2.7", Some("mail-77.google.com"), Some("firm.example")), "firm.example");
    }

    #[test]
    fn unknown_machines_are_remembered_by_network() {
        assert_eq!(who("192.0.2.7", None, None), "192.0.2.0/24");
        assert_eq!(who("::ffff:192.0.2.7", None, None), "192.0.2.0/24");
        assert_eq!(who("2001:db8:1:2:3::4", None, None), "2001:db8:1:2::/64");
    }

    #[test]
    fn the_line_of_a_customer_does_not_stand_for_its_provider() {
        for name in [
            "host-192-0-2-177.isp.example",
            "177.2.0.192.dyn.isp.example",
            "192000002177.isp.example",
            "c00002b1.isp.example",
        ] {
            assert_eq!(who("192.0.2.177", Some(name), None), "192.0.2.0/24", "{name}");
        }
        for name in ["2001-db8--aa-bb01.isp.example", "x-00aabb01.isp.example", "1.0.b.b.a.a.0.0.ip6.isp.example"] {
            assert_eq!(who("2001:db8::aa:bb01", Some(name), None), "2001:db8::/64", "{name}");
        }
        assert_eq!(who("192.0.2.177", Some("mail2.isp.example"), None), "isp.example");
    }

    #[test]
    fn senders_that_change_from_message_to_message_are_one() {
        let steady = |text: &str| steady_sender(&ReversePath::parse(text.as_bytes()).expect("a sender"));
        for (sender, expected) in [
            ("", "<>"),
            ("Bob@Example.net", "bob@example.net"),
            ("prvs=0123abcdef=bob@example.net", "bob@example.net"),
            ("btv1==12345==bob@example.net", "bob@example.net"),
            ("msprvs1=18abc=bob@example.net", "bob@example.net"),
            ("bounces+12345-ab=x.test@em.example", "bounces@em.example"),
            ("list-bounces-alice=rig.test@example.net", "list-bounces@example.net"),
            ("SRS0=ab12=CD=example.org=bob@example.net", "srs@example.net"),
            ("0100018c-77ab-000000@amazonses.example", "#-#-#@amazonses.example"),
            ("news-2024-17@example.net", "news-#-#@example.net"),
            ("+bob@example.net", "+bob@example.net"),
        ] {
            assert_eq!(steady(sender), expected, "{sender}");
        }
    }

    #[test]
    fn each_part_of_the_triplet_counts_and_nothing_of_it_is_stored() {
        let key = |ip: &str, from: &str, to: &str| {
            let sender = ReversePath::parse(from.as_bytes()).expect("a sender");
            let to = Address::parse(to.as_bytes()).expect("a recipient");
            Subject::of(&client(ip, None, None), &sender, &to).key
        };
        let one = key("192.0.2.7", "a@x.test", "b@y.test");
        assert_eq!(one, key("192.0.2.200", "A@x.test", "B@Y.test"));
        for other in [
            key("192.0.3.7", "a@x.test", "b@y.test"),
            key("192.0.2.7", "", "b@y.test"),
            key("192.0.2.7", "a@x.test", "c@y.test"),
        ] {
            assert_ne!(one, other);
        }
        assert!(one.starts_with("grey/") && one.len() == 37 && !one.contains("test"), "{one}");
    }
}
