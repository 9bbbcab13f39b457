//! Hosts that matter here, beside those of the content rules.

use crate::spam::rows;
use std::{collections::HashSet, sync::LazyLock};

/// The table.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    pictures: HashSet<&'static str>,
    tenants: HashSet<&'static str>,
    trackers: HashSet<&'static str>,
}

pub(super) static HOSTS: LazyLock<Hosts> = LazyLock::new(|| {
    let mut hosts = Hosts::default();
    for (section, host) in rows(include_str!("hosts.txt")) {
        match section {
            "pictures" => hosts.pictures.insert(host),
            "tracker" => hosts.trackers.insert(host),
            _ => hosts.tenants.insert(host),
        };
    }
    hosts
});

/// Most labels of a host that are looked up. Source: our own limit; names of hostile depth stay cheap.
const LABELS: usize = 8;

/// The host and the domains above it.
fn upwards(host: &str) -> impl Iterator<Item = &str> {
    std::iter::once(host).chain(host.match_indices('.').map(|(at, _)| &host[at + 1..]).take(LABELS))
}

impl Hosts {
    /// Whether anybody may put pictures there.
    pub(super) fn shows_anybodys_pictures(&self, host: &str) -> bool {
        upwards(host).any(|name| self.pictures.contains(name))
    }

    /// Whether the host counts clicks for many senders.
    pub(super) fn counts_clicks(&self, host: &str) -> bool {
        upwards(host).any(|name| self.trackers.contains(name))
    }

    /// Whether the domain was given by a provider to one of its customers.
    pub(super) fn is_tenant(&self, domain: &str) -> bool {
        upwards(domain).skip(1).any(|name| self.tenants.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_belong_to_the_entry_above_them() {
        assert!(HOSTS.shows_anybodys_pictures("i.imgur.com") && !HOSTS.shows_anybodys_pictures("notimgur.com"));
        assert!(HOSTS.is_tenant("a1.firebaseapp.com") && !HOSTS.is_tenant("firebaseapp.com"));
        for (section, host) in rows(include_str!("hosts.txt")) {
            assert!(
                ["pictures", "tenant", "tracker"].contains(&section) && host == host.to_lowercase(),
                "{section} {host}"
            );
        }
    }
}
