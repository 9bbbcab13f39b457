//! Mailboxes of the envelope (RFC 5321 §4.1.2, RFC 6531).

use serde::{Deserialize, Serialize};
use std::fmt;

/// An envelope address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// As the client wrote it, without angle brackets: what a recipient edit must name.
    pub raw: String,
    /// Local part without quoting; its case is kept (RFC 5321 §2.4).
    pub local: String,
    /// Domain in lower case and ASCII (IDNA, RFC 5891), or an address literal such as `[192.0.2.1]`. Empty for
    /// `<postmaster>` (RFC 5321 §4.1.1.3) and for addresses that own machines leave unqualified.
    pub domain: String,
}

/// The sender of the envelope.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReversePath {
    /// `<>`: a bounce or another notification (RFC 5321 §4.5.5).
    Null,
    /// A mailbox.
    Mailbox(Address),
}

/// Why bytes are not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not UTF-8 (RFC 6531 §3.3), or with control characters.
    #[error("address holds bytes that are neither ASCII nor UTF-8 text")]
    NotText,
    /// Longer than a path may be.
    #[error("address is longer than {ADDRESS_BYTES} bytes")]
    TooLong,
    /// No local part, an unbalanced quote or bracket, or characters after the end.
    #[error("address is malformed")]
    Syntax,
    /// The domain is not a domain name or address literal.
    #[error("domain is not a valid domain name")]
    Domain,
}

/// Longest address accepted, source route included. Unit: bytes. Source: RFC 5321 §4.5.3.1.3 grants 256 to a path;
/// routes and UTF-8 domains may be longer before they are reduced.
const ADDRESS_BYTES: usize = 1024;

impl Address {
    /// Reads the address of a RCPT command, with or without angle brackets; a source route is dropped
    /// (RFC 5321 appendix C), quoting of the local part undone.
    ///
    /// # Errors
    ///
    /// If the bytes are not an address.
    pub fn parse(bytes: &[u8]) -> Result<Self, AddressError> {
        let address = Self::parse_unqualified(bytes)?;
        let qualified = !address.domain.is_empty() || address.local.eq_ignore_ascii_case("postmaster");
        if qualified { Ok(address) } else { Err(AddressError::Syntax) }
    }

    /// The same, but the domain may be left out, as programs and devices of a site do (RFC 6409 §8.1 lets the MTA add it).
    ///
    /// # Errors
    ///
    /// If the bytes are not an address.
    pub fn parse_unqualified(bytes: &[u8]) -> Result<Self, AddressError> {
        if bytes.len() > ADDRESS_BYTES {
            return Err(AddressError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| AddressError::NotText)?.trim();
        if text.chars().any(char::is_control) {
            return Err(AddressError::NotText);
        }
        let raw = match text.strip_prefix('<') {
            Some(rest) => rest.strip_suffix('>').ok_or(AddressError::Syntax)?,
            None => text,
        };
        let mailbox = match raw.strip_prefix('@') {
            // A route is "@one,@two:mailbox"; a quoted local part cannot come before its colon.
            Some(route) => route.split_once(':').ok_or(AddressError::Syntax)?.1,
            None => raw,
        };
        let (local, domain) = split_mailbox(mailbox)?;
        Ok(Address { raw: raw.to_owned(), local, domain: normal_domain(domain)? })
    }

    /// The form by which directories, lists and counters know the address: lower case, ASCII domain.
    pub fn key(&self) -> String {
        if self.domain.is_empty() {
            return self.local.to_lowercase();
        }
        format!("{}@{}", self.local.to_lowercase(), self.domain)
    }

    /// The address without its detail (`bob+news@x` is `bob@x`; RFC 5233 §1), or `None` if it has none.
    pub fn without_detail(&self, delimiter: char) -> Option<Self> {
        let at = self.local.find(delimiter).filter(|&at| at > 0)?;
        let local = self.local.get(..at)?.to_owned();
        Some(Address { raw: format!("{local}@{}", self.domain), local, domain: self.domain.clone() })
    }

    /// Whether the mailbox is one that a site must always reach: postmaster (RFC 5321 §4.5.1) or abuse (RFC 2142 §4).
    pub fn is_postmaster_or_abuse(&self) -> bool {
        self.local.eq_ignore_ascii_case("postmaster") || self.local.eq_ignore_ascii_case("abuse")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

impl ReversePath {
    /// Reads the address of a MAIL command.
    ///
    /// # Errors
    ///
    /// If the bytes are neither `<>` nor an address.
    pub fn parse(bytes: &[u8]) -> Result<Self, AddressError> {
        match bytes.trim_ascii() {
            b"<>" | b"" => Ok(ReversePath::Null),
            other => Address::parse(other).map(ReversePath::Mailbox),
        }
    }

    /// The mailbox, unless it is the null sender.
    pub fn mailbox(&self) -> Option<&Address> {
        match self {
            ReversePath::Null => None,
            ReversePath::Mailbox(address) => Some(address),
        }
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReversePath::Null => f.write_str("<>"),
            ReversePath::Mailbox(address) => address.fmt(f),
        }
    }
}

/// Splits at the `@` behind the local part and undoes quoting (RFC 5321 §4.1.2 Quoted-string).
fn split_mailbox(mailbox: &str) -> Result<(String, &str), AddressError> {
    if let Some(quoted) = mailbox.strip_prefix('"') {
        let mut local = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => local.push(chars.next().ok_or(AddressError::Syntax)?.1),
                '"' => {
                    let rest = &quoted[at + 1..];
                    let domain =
                        if rest.is_empty() { "" } else { rest.strip_prefix('@').ok_or(AddressError::Syntax)? };
                    return if local.is_empty() { Err(AddressError::Syntax) } else { Ok((local, domain)) };
                }
                c => local.push(c),
            }
        }
        return Err(AddressError::Syntax);
    }
    let (local, domain) = mailbox.rsplit_once('@').unwrap_or((mailbox, ""));
    let bad = |c: char| c.is_whitespace() || "<>()[]:;@\\,\"".contains(c);
    if local.is_empty() || local.contains(bad) || (mailbox.ends_with('@')) {
        return Err(AddressError::Syntax);
    }
    Ok((local.to_owned(), domain))
}

fn normal_domain(domain: &str) -> Result<String, AddressError> {
    if domain.is_empty() {
        return Ok(String::new());
    }
    if domain.starts_with('[') {
        let inner = domain.strip_prefix('[').and_then(|d| d.strip_suffix(']')).ok_or(AddressError::Domain)?;
        let ip = inner.strip_prefix("IPv6:").unwrap_or(inner);
        ip.parse::<std::net::IpAddr>().map_err(|_| AddressError::Domain)?;
        return Ok(domain.to_lowercase());
    }
    let ascii = idna::domain_to_ascii(domain.trim_end_matches('.')).map_err(|_| AddressError::Domain)?;
    let fits = ascii.len() <= 253
        && ascii.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        });
    if fits { Ok(ascii) } else { Err(AddressError::Domain) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<String, AddressError> {
        Address::parse(text.as_bytes()).map(|a| a.key())
    }

    #[test]
    fn case_brackets_routes_and_quotes_do_not_hide_an_address() {
        for text in [
            "<Bob@Example.COM>",
            "bob@example.com",
            "<@relay.example,@b.example:bob@example.com>",
            "<\"bob\"@example.com>",
            "<b\u{6f}b@example.com.>",
        ] {
            assert_eq!(key(text).as_deref(), Ok("bob@example.com"), "{text}");
        }
        assert_eq!(key("<\"a b\\\"c\"@x.test>").as_deref(), Ok("a b\"c@x.test"));
    }

    #[test]
    fn international_domains_are_compared_in_ascii() {
        assert_eq!(key("<bob@bücher.example>").as_deref(), Ok("bob@xn--bcher-kva.example"));
        assert_eq!(key("<bob@BÜCHER.example>").as_deref(), Ok("bob@xn--bcher-kva.example"));
    }

    #[test]
    fn postmaster_needs_no_domain_and_others_do() {
        assert_eq!(key("<Postmaster>").as_deref(), Ok("postmaster"));
        assert_eq!(key("<bob>"), Err(AddressError::Syntax));
        assert_eq!(Address::parse_unqualified(b"<bob>").map(|a| a.key()).as_deref(), Ok("bob"));
    }

    #[test]
    fn malformed_addresses_are_refused_without_panic() {
        for text in [
            "<bob@x.test",
            "<@x.test>",
            "<bob@>",
            "<\"bob@x.test>",
            "<\"\"@x.test>",
            "<a@b@c.test>",
            "<bob@-..->",
            "<bob@[300.1.1.1]>",
            "<\"",
            "<bob@x y>",
        ] {
            assert!(key(text).is_err(), "{text}");
        }
        assert_eq!(Address::parse(b"<b\xff@x.test>"), Err(AddressError::NotText));
        assert_eq!(Address::parse(&[b'a'; 5000]), Err(AddressError::TooLong));
    }

    #[test]
    fn the_detail_is_cut_at_the_first_delimiter() {
        let address = Address::parse(b"bob+news+x@x.test").expect("an address");
        assert_eq!(address.without_detail('+').map(|a| a.key()).as_deref(), Some("bob@x.test"));
        assert_eq!(Address::parse(b"+bob@x.test").expect("an address").without_detail('+'), None);
    }

    #[test]
    fn the_null_sender_is_no_mailbox() {
        assert_eq!(ReversePath::parse(b"<>"), Ok(ReversePath::Null));
        assert!(ReversePath::parse(b"<x@y.test>").is_ok_and(|p| p.mailbox().is_some()));
    }
}
