//! One DNS record.

use std::fmt;
use std::net::IpAddr;

use super::reversed;

/// Longest string inside a TXT record (RFC 1035, section 3.3). Unit: bytes.
const TXT_STRING: usize = 255;

/// A record that unbound serves as its own data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    name: String,
    seconds: u32,
    kind: &'static str,
    data: String,
}

impl Record {
    /// TXT.
    pub fn txt(name: &str, value: &str) -> Record {
        assert!(value.is_ascii() && !value.contains(['"', '\'', '\\']), "the rig cannot quote {value:?}");
        let strings: Vec<_> = value.as_bytes().chunks(TXT_STRING).map(String::from_utf8_lossy).collect();
        Record::new(name, "TXT", format!("\"{}\"", strings.join("\" \"")))
    }

    /// A or AAAA.
    pub fn address(name: &str, address: &str) -> Record {
        let kind = if parse(address).is_ipv4() { "A" } else { "AAAA" };
        Record::new(name, kind, address.to_owned())
    }

    /// MX, preference 10.
    pub fn mx(name: &str, host: &str) -> Record {
        Record::new(name, "MX", format!("10 {}", absolute(host)))
    }

    /// PTR of an address.
    pub fn ptr(address: &str, name: &str) -> Record {
        let address = parse(address);
        let suffix = if address.is_ipv4() { "in-addr.arpa" } else { "ip6.arpa" };
        Record::new(&reversed(address, suffix), "PTR", absolute(name))
    }

    /// CNAME.
    pub fn cname(name: &str, target: &str) -> Record {
        Record::new(name, "CNAME", absolute(target))
    }

    /// How long it may be cached; 60 seconds unless told.
    pub fn valid_for(mut self, seconds: u32) -> Record {
        self.seconds = seconds;
        self
    }

    fn new(name: &str, kind: &'static str, data: String) -> Record {
        Record { name: absolute(name), seconds: 60, kind, data }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { name, seconds, kind, data } = self;
        write!(f, "{name} {seconds} IN {kind} {data}")
    }
}

fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

fn parse(address: &str) -> IpAddr {
    address.parse().unwrap_or_else(|_| panic!("not an address: {address}"))
}

#[cfg(test)]
mod tests {
    use super::Record;

    #[test]
    fn pointers_are_reversed_and_long_texts_split() {
        assert_eq!(Record::ptr("192.0.2.7", "a.test").to_string(), "7.2.0.192.in-addr.arpa. 60 IN PTR a.test.");
        assert!(Record::ptr("2001:db8::25", "a.test").to_string().starts_with("5.2.0.0.0."));
        assert_eq!(
            Record::txt("a", &"x".repeat(256)).to_string(),
            format!("a. 60 IN TXT \"{}\" \"x\"", "x".repeat(255))
        );
    }
}
