//! `[metrics]`: where the daemon shows its counts.

use super::{diagnostic::Faults, reader::Table};
use std::{net::SocketAddr, path::PathBuf};

/// Where metrics are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricsAddress {
    /// A loopback address and port, `127.0.0.1:9091` or `[::1]:9091`.
    Inet(SocketAddr),
    /// A socket file, `unix:/run/mailward/metrics.sock`; its directory decides who may connect.
    Unix(PathBuf),
}

/// `[metrics]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricsSettings {
    /// `None`: nothing is served.
    pub listen: Option<MetricsAddress>,
}

const FORM: &str = "a loopback address and port such as \"127.0.0.1:9091\", or \"unix:/PATH\" \
                    (there is no password: let a proxy on this host guard it for others)";

impl MetricsAddress {
    /// Reads an address. One that other hosts can reach is none.
    fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| MetricsAddress::Unix(path.into()));
        }
        let address: SocketAddr = text.strip_prefix("inet:").unwrap_or(text).parse().ok()?;
        (address.ip().is_loopback() && address.port() > 0).then_some(MetricsAddress::Inet(address))
    }
}

impl std::fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MetricsAddress::Inet(address) => write!(f, "http://{address}/metrics"),
            MetricsAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Reads `[metrics]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> MetricsSettings {
    let mut table = root.section("metrics", faults);
    let settings = MetricsSettings { listen: table.parsed("listen", FORM, MetricsAddress::parse, faults) };
    table.finish(faults);
    settings
}

#[cfg(test)]
mod tests {
    use super::{super::testing::read_text, *};

    fn listen(value: &str) -> (Option<MetricsAddress>, Vec<String>) {
        let (settings, faults) = read_text(&format!("[metrics]\nlisten = \"{value}\""), read);
        (settings.listen, faults)
    }

    #[test]
    fn loopback_addresses_and_socket_files_are_taken() {
        assert_eq!(read_text("", read), (MetricsSettings::default(), Vec::new()));
        let inet = |port: &str| Some(MetricsAddress::Inet(port.parse().expect("an address")));
        assert_eq!(listen("127.0.0.1:9091"), (inet("127.0.0.1:9091"), Vec::new()));
        assert_eq!(listen("inet:[::1]:9091"), (inet("[::1]:9091"), Vec::new()));
        assert_eq!(listen("unix:/run/m.sock").0, Some(MetricsAddress::Unix("/run/m.sock".into())));
    }

    #[test]
    fn an_address_that_others_can_reach_is_a_fault_that_says_why() {
        for address in ["0.0.0.0:9091", "192.0.2.1:9091", "[::]:9091", "localhost:9091", "127.0.0.1", "unix:relative"] {
            let (settings, faults) = listen(address);
            assert_eq!((settings, faults.len()), (None, 1), "{address}");
            assert!(faults[0].starts_with("test.toml:2:10: ") && faults[0].contains("loopback"), "{}", faults[0]);
        }
    }
}
