//! Questions about the way of a message.

use super::{Evaluation, Function};
use crate::message::{networks::is_private, received::Relay};
use std::net::Ipv4Addr;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("check_all_trusted", |e, _| {
        let relays = &e.message.relays;
        !relays.trusted.is_empty() && relays.untrusted.is_empty() && relays.unparseable == 0
    }),
    ("check_no_relays", |e, _| {
        let relays = &e.message.relays;
        relays.trusted.is_empty() && relays.untrusted.is_empty() && relays.unparseable == 0
    }),
    ("check_relays_unparseable", |e, _| e.message.relays.unparseable > 0),
    ("check_for_numeric_helo", |e, _| {
        untrusted(e).iter().any(|relay| relay.helo.parse::<Ipv4Addr>().is_ok_and(|helo| !is_private(helo.into())))
    }),
    ("helo_ip_mismatch", |e, _| {
        untrusted(e).iter().any(|relay| {
            let (Ok(helo), Ok(ip)) = (relay.helo.parse::<Ipv4Addr>(), relay.ip.parse::<Ipv4Addr>()) else {
                return false;
            };
            !is_private(helo.into()) && !is_private(ip.into()) && helo.octets()[..3] != ip.octets()[..3]
        })
    }),
    ("check_for_sender_no_reverse", |e, _| {
        untrusted(e)
            .last()
            .is_some_and(|relay| relay.rdns.contains('.') && relay.address().is_none_or(|ip| !is_private(ip)))
    }),
    ("check_for_from_domain_in_received_headers", |e, call| {
        let domain = call.text(0).to_lowercase();
        let is_from = e.message.first("From:addr").to_lowercase().contains(&domain);
        let relays = &e.message.relays;
        let passed = relays
            .trusted
            .iter()
            .chain(&relays.untrusted)
            .any(|relay| relay.rdns.ends_with(&domain) && relay.by.ends_with(&domain));
        is_from && passed == (call.text(1) == "true")
    }),
    ("check_for_no_rdns_dotcom_helo", |e, _| {
        let mut outer = untrusted(e).iter().filter(|relay| relay.address().is_none_or(|ip| !is_private(ip)));
        outer.next_back().is_some_and(|relay| relay.no_reverse_dns && is_great_provider(&relay.helo))
    }),
    ("check_for_forged_received_trail", |e, _| broken_links(untrusted(e)) > 1),
    ("check_for_forged_received_ip_helo", |e, _| {
        untrusted(e).iter().any(|relay| {
            let (Ok(helo), Ok(ip)) = (relay.helo.parse::<Ipv4Addr>(), relay.ip.parse::<Ipv4Addr>()) else {
                return false;
            };
            is_name(&domain(&relay.by))
                && helo != ip
                && helo.octets()[..2] != ip.octets()[..2]
                && !is_private(helo.into())
        })
    }),
    ("check_mailfrom_matches_rcvd", |e, _| {
        let from = e.message.first("EnvelopeFrom:addr").to_lowercase();
        let Some((_, host)) = from.split_once('@') else { return false };
        let domain = e.message.settings.domain_of(host);
        untrusted(e).first().is_some_and(|relay| {
            !relay.rdns.is_empty() && e.message.settings.domain_of(&relay.rdns.to_lowercase()) == domain
        })
    }),
];

fn untrusted<'e>(evaluation: &'e Evaluation<'_>) -> &'e [Relay] {
    &evaluation.message.relays.untrusted
}

fn is_great_provider(host: &str) -> bool {
    let host = host.to_lowercase();
    [
        "lycos.com",
        "lycos.co.uk",
        "hotmail.com",
        "localhost.com",
        "excite.com",
        "caramail.com",
        "cs.com",
        "aol.com",
        "msn.com",
        "yahoo.com",
        "drizzle.com",
    ]
    .iter()
    .any(|name| host.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.')))
}

/// The domain of a host, by a rule of thumb: two labels, or three if the last is short.
fn domain(host: &str) -> String {
    let host = host.to_lowercase();
    if !host.bytes().any(|b| b.is_ascii_alphabetic()) {
        return host;
    }
    let labels: Vec<&str> = host.split('.').collect();
    let last = labels.last().copied().unwrap_or_default();
    let kept = if labels.len() > 1 && (last.len() >= 3 || ["ie", "fr", "de"].contains(&last)) { 2 } else { 3 };
    if labels.len() > kept { labels[labels.len() - kept..].join(".") } else { host.clone() }
}

fn is_name(host: &str) -> bool {
    host.contains('.')
        && host.starts_with(|c: char| c.is_ascii_alphanumeric())
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// How often a host hands over that is not the one which took the message before.
fn broken_links(relays: &[Relay]) -> usize {
    let taken_by: Vec<String> = relays.iter().map(|relay| domain(&relay.by)).collect();
    let given_by: Vec<String> = relays
        .iter()
        .map(|relay| {
            if relay.rdns.starts_with("localhost") && relay.ip == "127.0.0.1" {
                String::new()
            } else {
                domain(&relay.rdns)
            }
        })
        .collect();
    (1..relays.len())
        .filter(|at| {
            let (by, before) = (&taken_by[*at], &given_by[*at - 1]);
            is_name(by) && is_name(before) && by != before && !(by == "msn.com" && before == "hotmail.com")
        })
        .count()
}
