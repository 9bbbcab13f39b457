//! `[dns]`.

use super::{diagnostic::Faults, reader::Table};
use crate::lookup::dns::DnsSettings;
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Longest wait for one try that makes sense before a client gives up. Source: Sendmail gives a milter 10 s a command.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads `[dns]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> DnsSettings {
    let defaults = DnsSettings::default();
    let mut table = root.section("dns", faults);
    let expected = "an address such as \"127.0.0.1\" or \"127.0.0.1:53\"";
    let servers = table.parsed_list("servers", expected, server, faults).unwrap_or_default();
    let timeout = table.duration("timeout", defaults.timeout, faults);
    if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
        faults.at(table.span.clone(), "dns.timeout must be from \"1ms\" to \"10s\"");
    }
    let settings = DnsSettings {
        servers,
        timeout: timeout.clamp(Duration::from_millis(1), LONGEST_TIMEOUT),
        attempts: table.integer("attempts", 1..=10, defaults.attempts as u64, faults) as usize,
        cache_entries: table.integer("cache_entries", 0..=10_000_000, defaults.cache_entries, faults),
    };
    table.finish(faults);
    settings
}

fn server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53)))
}

#[cfg(test)]
mod tests {
    use super::{super::testing::read_text, *};

    #[test]
    fn a_good_file_is_read_and_every_fault_of_a_bad_one_named() {
        let (settings, faults) =
            read_text("[dns]\nservers = [\"127.0.0.1:5353\", \"::1\"]\ntimeout = \"500ms\"\nattempts = 1\n", read);
        assert_eq!(faults, [""; 0]);
        assert_eq!(settings.servers, ["127.0.0.1:5353".parse().expect("x"), "[::1]:53".parse().expect("x")]);
        assert_eq!((settings.timeout, settings.attempts), (Duration::from_millis(500), 1));
        let (settings, faults) =
            read_text("[dns]\nservers = \"ns.test\"\nattempts = 0\ntimeout = \"1h\"\ncache = 5\n", read);
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert_eq!((settings.attempts, settings.timeout), (2, LONGEST_TIMEOUT));
        assert_eq!(read_text("", read).0, DnsSettings::default());
    }
}
