//! Links and the forms in which hosts are written to hide them.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr},
};

/// A link of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it leads, normalised as browsers do: scheme and host lower case, host in ASCII, no user part.
    pub url: String,
    /// Scheme, lower case.
    pub scheme: String,
    /// Host in ASCII; a number in any notation is written as an address. Empty for schemes without host.
    pub host: String,
    /// What the reader sees; equal to the URL as written for links in plain text.
    pub text: String,
    /// Where the link stands.
    pub kind: LinkKind,
    /// Whether a user part stands before the host (`https://bank.example@evil.example/`).
    pub has_user: bool,
    /// Whether the host is written in a way that readers do not read as a host: an address as one number, octal or
    /// hexadecimal, or ASCII letters as percent codes.
    pub obscured: bool,
}

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// `<a href>` or `<area href>`.
    Anchor,
    /// `<form action>`.
    Form,
    /// `<img src>`: fetched, not followed.
    Image,
    /// In text.
    Plain,
}

impl Link {
    /// Whether the host is an address instead of a name.
    pub fn host_is_address(&self) -> bool {
        self.host.starts_with('[') || self.host.parse::<Ipv4Addr>().is_ok()
    }

    /// Reads a link as written; `None` if it leads nowhere outside the message (`#top`, `cid:`, a relative path).
    pub(super) fn read(written: &str, text: &str, kind: LinkKind, max_bytes: usize) -> Option<Link> {
        let written = cut(written.trim_matches(|c: char| c <= ' '), max_bytes);
        let cleaned = match written.contains(is_left_out) {
            true => Cow::Owned(written.replace(is_left_out, "")),
            false => Cow::Borrowed(written),
        };
        let (scheme, rest) = split_scheme(&cleaned)?;
        if !matches!(scheme.as_str(), "http" | "https" | "ftp") {
            let url = format!("{scheme}:{}", cut(rest, OPAQUE_BYTES));
            let known =
                matches!(scheme.as_str(), "mailto" | "tel" | "javascript" | "vbscript" | "data" | "file" | "tg");
            let link = Link {
                url,
                scheme,
                host: String::new(),
                text: text.to_owned(),
                kind,
                has_user: false,
                obscured: false,
            };
            return known.then_some(link);
        }
        let rest = rest.trim_start_matches(['/', '\\']);
        let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host_port) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (host, port) = split_port(host_port);
        let written_host = host;
        let host = normal_host(host)?;
        let as_number = host.parse::<Ipv4Addr>().is_ok() && written_host.trim_end_matches('.') != host;
        let obscured = as_number || written_host.contains('%');
        let port = port.map(|port| [":", port]).unwrap_or_default();
        let path = if path.contains('\\') { Cow::Owned(path.replacen('\\', "/", 1)) } else { Cow::Borrowed(path) };
        let slash = if path.starts_with('/') { "" } else { "/" };
        let url = [&scheme, "://", &host, port[0], port[1], slash, &path].concat();
        Some(Link { url, scheme, host, text: text.to_owned(), kind, has_user: user.is_some(), obscured })
    }
}

/// Browsers leave these out wherever they stand (WHATWG URL §4.4).
fn is_left_out(c: char) -> bool {
    matches!(c, '\t' | '\r' | '\n')
}

/// How much of a link without host is kept. Unit: bytes. Source: our own limit; `data:` may hold a whole page.
const OPAQUE_BYTES: usize = 200;

/// The start of `text` within so many bytes, on a character boundary.
pub(super) fn cut(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

fn split_scheme(link: &str) -> Option<(String, &str)> {
    if link.starts_with("//") || link.starts_with("\\\\") {
        return Some(("https".to_owned(), link));
    }
    if link.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www.")) {
        return Some(("http".to_owned(), link));
    }
    let (scheme, rest) = link.split_once(':')?;
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    valid.then(|| (scheme.to_ascii_lowercase(), rest))
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (name, Some(port).filter(|p| !p.is_empty())),
        _ => (host, None),
    }
}

/// The host as a browser understands it (WHATWG URL §3.5); `None` if it is empty.
fn normal_host(host: &str) -> Option<String> {
    let host = host.trim_end_matches('.');
    if host.is_empty() {
        return None;
    }
    if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return Some(inner.parse::<Ipv6Addr>().map_or_else(|_| host.to_lowercase(), |ip| format!("[{ip}]")));
    }
    let plain = host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    let name = if plain && !host.contains("xn--") {
        host.to_owned()
    } else {
        let decoded = percent_decoded(host);
        idna::domain_to_ascii(&decoded).unwrap_or_else(|_| decoded.to_lowercase())
    };
    let name = name.trim_end_matches('.');
    match ipv4(name) {
        Some(ip) => Some(ip.to_string()),
        None => Some(name.to_owned()).filter(|n| !n.is_empty()),
    }
}

fn percent_decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(value) if byte == b'%' => {
                out.push(value);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An IPv4 address in any notation that browsers accept: `0x7f.1`, `017700000001`, `2130706433` (WHATWG URL §3.5).
fn ipv4(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = host.split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    let numbers = parts.iter().map(|part| number(part)).collect::<Option<Vec<u64>>>()?;
    let (last, leading) = numbers.split_last()?;
    if leading.iter().any(|&n| n > 255) || *last >= 256_u64.pow(5 - numbers.len() as u32) {
        return None;
    }
    let high = leading.iter().zip([24, 16, 8]).map(|(n, shift)| n << shift).sum::<u64>();
    u32::try_from(high + last).ok().map(Ipv4Addr::from)
}

fn number(part: &str) -> Option<u64> {
    let lower = part.to_ascii_lowercase();
    match lower.strip_prefix("0x") {
        Some("") => Some(0),
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None if lower.len() > 1 && lower.starts_with('0') => u64::from_str_radix(&lower[1..], 8).ok(),
        None => lower.parse().ok().filter(|_| lower.bytes().all(|b| b.is_ascii_digit())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(written: &str) -> String {
        Link::read(written, "", LinkKind::Plain, 2048).map(|l| l.host).unwrap_or_default()
    }

    #[test]
    fn hosts_are_read_as_browsers_read_them() {
        for (written, expected) in [
            ("HTTP://Example.COM:80/a", "example.com"),
            ("https:\\\\evil.example\\path", "evil.example"),
            ("https://bank.example@evil.example/", "evil.example"),
            ("http://0x7f.1/", "127.0.0.1"),
            ("http://2130706433", "127.0.0.1"),
            ("http://0177.0.0.1", "127.0.0.1"),
            ("http://%65xample.com./x", "example.com"),
            ("http://b\u{fc}cher.example/", "xn--bcher-kva.example"),
            ("ht\ntps://exa\tmple.com", "example.com"),
            ("//cdn.example/x.js", "cdn.example"),
            ("http://[::1]:8080/", "[::1]"),
            ("http://192.0.2.300/", "192.0.2.300"),
        ] {
            assert_eq!(host(written), expected, "{written}");
        }
    }

    #[test]
    fn what_leads_nowhere_is_no_link() {
        for written in ["#top", "cid:part1", "images/logo.png", "http://", "", ":", "12:30"] {
            assert_eq!(Link::read(written, "", LinkKind::Anchor, 2048), None, "{written}");
        }
    }

    #[test]
    fn a_huge_data_link_is_cut() {
        let written = format!("data:text/html,{}", "\u{e9}".repeat(100_000));
        let link = Link::read(&written, "", LinkKind::Anchor, 2048).expect("a link");
        assert!(link.url.len() <= OPAQUE_BYTES + 5);
    }
}
