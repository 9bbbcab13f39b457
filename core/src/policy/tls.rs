//! What is asked of a connection's encryption.

use crate::session::Tls;

/// What is asked of a connection's encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsCondition {
    /// There is one, or there is none.
    Encrypted(bool),
    /// It is of this version or a later one.
    AtLeast(TlsVersion),
}

/// A version of SSL or TLS; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TlsVersion {
    is_tls: bool,
    minor: u8,
}

impl TlsVersion {
    /// Reads `TLSv1`, `TLSv1.2`, `TLS1.3` or `SSLv3`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if let Some(version) = text.strip_prefix("tls") {
            let minor = match version.strip_prefix('v').unwrap_or(version).strip_prefix('1')? {
                "" => 0,
                rest => rest.strip_prefix('.')?.parse().ok()?,
            };
            return Some(TlsVersion { is_tls: true, minor });
        }
        let minor = text.strip_prefix("sslv")?.parse().ok()?;
        Some(TlsVersion { is_tls: false, minor })
    }
}

impl TlsCondition {
    pub(super) fn holds(self, tls: Option<&Tls>) -> bool {
        match self {
            TlsCondition::Encrypted(wanted) => wanted == tls.is_some(),
            TlsCondition::AtLeast(least) => {
                tls.and_then(|tls| TlsVersion::parse(&tls.version)).is_some_and(|version| version >= least)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_however_hosts_write_them() {
        let order = ["SSLv2", "SSLv3", "TLSv1", "TLS1.1", "TLSv1.2", "tlsv1.3"];
        let read: Vec<TlsVersion> = order.iter().map(|text| TlsVersion::parse(text).expect(text)).collect();
        assert!(read.is_sorted_by(|a, b| a < b));
        assert_eq!(TlsVersion::parse("TLSv1.0"), TlsVersion::parse("TLSv1"));
        for text in ["", "TLS", "TLSv2", "TLSv1.x", "1.2", "TLSv1."] {
            assert_eq!(TlsVersion::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_version_that_is_not_understood_is_not_late_enough() {
        let least = TlsCondition::AtLeast(TlsVersion::parse("TLSv1.2").expect("a version"));
        let tls = |version: &str| Tls { version: version.to_owned(), cipher: String::new() };
        assert!(least.holds(Some(&tls("TLSv1.3"))) && !least.holds(Some(&tls("TLSv1.1"))));
        assert!(!least.holds(Some(&tls("?"))) && !least.holds(None));
    }
}
