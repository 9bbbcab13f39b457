//! What lives as long as the connection.

use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// One SMTP connection as the MTA described it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Address of the client; `None` if the MTA gave none (a local socket). IPv4-mapped IPv6 is given as IPv4.
    pub client_ip: Option<IpAddr>,
    /// Host name that the MTA found for the client, if it looked.
    pub client_name: Option<String>,
    /// The client's word in HELO or EHLO; the last one counts (after STARTTLS there is a second).
    pub helo: Option<String>,
    /// Set when the client has authenticated; the MTA says so with MAIL.
    pub login: Option<Login>,
    /// Set when the connection is encrypted.
    pub tls: Option<Tls>,
    /// Name of the receiving MTA (macro `j`), used in Authentication-Results and to know lying HELO names.
    pub mta_name: Option<String>,
}

/// At which command a client of bad reputation is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefuseAt {
    /// When it connects. Authenticated clients on a bad address are refused too, postmaster@ cannot be reached.
    Connect,
    /// At MAIL, when authentication is known. postmaster@ cannot be reached.
    Mail,
    /// At each RCPT but those to postmaster@ and abuse@ (RFC 5321 §4.5.1, RFC 2142 §4).
    #[default]
    Rcpt,
}

/// An authenticated client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Who, as `{auth_authen}` says.
    pub name: String,
    /// How, as `{auth_type}` says.
    pub mechanism: String,
}

/// An encrypted connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// As in `TLSv1.3`.
    pub version: String,
    /// Cipher suite.
    pub cipher: String,
}

/// The unit by which clients are counted: IPv4 by address, IPv6 by /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientNetwork(IpAddr);

impl ClientNetwork {
    /// The network of a client.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                ClientNetwork(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
            v4 => ClientNetwork(v4),
        }
    }
}

impl fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, if self.0.is_ipv4() { 32 } else { 64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_counted_by_address_or_by_slash_64() {
        let network = |ip: &str| ClientNetwork::of(ip.parse().expect("an address")).to_string();
        assert_eq!(network("192.0.2.7"), "192.0.2.7/32");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7/32");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    }
}
