//! Hosts and the domains that somebody registered, by the lists of the rule files.

use crate::rules::settings::Settings;

/// Whether this can be the name of a host on the internet: labels of letters, digits and `-`, `_` only in front.
pub(crate) fn is_host(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let labels: Vec<&str> = host.split('.').collect();
    let count = labels.len();
    host.len() <= 253
        && count > 1
        && labels.iter().enumerate().all(|(at, label)| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            let bytes = label.as_bytes();
            (1..=63).contains(&bytes.len())
                && fits(bytes[0])
                && fits(bytes[bytes.len() - 1])
                && bytes.iter().all(|b| fits(*b) || *b == b'-')
                && (at + 2 < count || !label.contains('_'))
        })
}

impl Settings {
    /// Whether the name ends in a top level domain that exists.
    pub(crate) fn is_domain(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let last = host.rsplit_once('.').map_or("", |(_, last)| last);
        !last.is_empty() && !host.contains(char::is_whitespace) && self.suffixes[0].contains(last)
    }

    /// The registered domain of a host: `www.example.co.uk` is `example.co.uk`.
    pub(crate) fn domain_of(&self, host: &str) -> String {
        let host = host.to_ascii_lowercase();
        let labels: Vec<&str> = host.split('.').filter(|label| !label.is_empty()).collect();
        let mut kept = labels.len();
        while kept > 1 {
            let tail = labels[labels.len() - kept..].join(".");
            let known = (2..=3).contains(&kept) && self.suffixes[kept - 1].contains(&tail);
            if known {
                break;
            }
            kept -= 1;
        }
        labels[labels.len() - (kept + 1).min(labels.len())..].join(".")
    }

    /// Registered domain and host of a link, if it leads to one.
    pub(crate) fn domain_and_host(&self, uri: &str) -> Option<(String, String)> {
        let uri = uri.to_lowercase();
        if ["javascript:", "cid:", "file:"].iter().any(|scheme| uri.starts_with(scheme)) {
            return None;
        }
        let host = match uri.strip_prefix("mailto:") {
            Some(address) => {
                let address = address.split('?').next().unwrap_or_default();
                let (_, host) = address.split_once('@')?;
                if host.contains('@') {
                    return None;
                }
                host.to_owned()
            }
            None => {
                let letters = uri.bytes().take_while(u8::is_ascii_lowercase).count();
                let rest = match uri[letters..].strip_prefix(':') {
                    Some(rest) if letters > 0 => rest.trim_start_matches('/'),
                    _ => uri.as_str(),
                };
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
                let host = match host.rsplit_once(':') {
                    Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
                    _ => host,
                };
                host.to_owned()
            }
        };
        if host.parse::<std::net::Ipv4Addr>().is_ok() {
            return Some((host.clone(), host));
        }
        if !is_host(&host) || !self.is_domain(&host) {
            return None;
        }
        Some((self.domain_of(&host), host))
    }
}
