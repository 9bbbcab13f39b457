//! The wire form of a file, and what its header says about how it was sent, where the caller does not know.

use mailward_core::{
    message::{Bounds, Header, Headers, parse},
    session::{Address, ReversePath, push_with_crlf},
};
use std::net::IpAddr;

/// What the header says about the envelope and the client.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    /// Return-Path, else From.
    pub(super) sender: Option<String>,
    /// Delivered-To, X-Original-To, else the first of To.
    pub(super) recipient: Option<String>,
    /// Of the topmost Received field with a public address: the client as this site's server wrote it.
    pub(super) client: Option<Client>,
    /// Unix seconds: of the topmost Received field, else Date.
    pub(super) time: Option<i64>,
    /// With its brackets.
    pub(super) message_id: Option<String>,
}

/// A client in a Received field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) ip: IpAddr,
    pub(super) name: Option<String>,
    pub(super) helo: Option<String>,
}

pub(super) fn envelope(raw: &[u8]) -> Envelope {
    let message = parse(raw, &Bounds::default());
    let headers = &message.headers;
    let first = |name: &str| headers.mailboxes(name).into_iter().next().map(|mailbox| mailbox.address);
    let return_path = headers.decoded("Return-Path").map(|value| value.trim().to_owned());
    let sender = return_path.filter(|path| !path.is_empty()).or_else(|| first("From"));
    let recipient = first("Delivered-To").or_else(|| first("X-Original-To")).or_else(|| first("To"));
    let received: Vec<String> = headers.all("Received").map(|(_, field)| field.decoded()).collect();
    Envelope {
        sender: sender.filter(|path| ReversePath::parse(path.as_bytes()).is_ok()),
        recipient: recipient.filter(|address| Address::parse(address.as_bytes()).is_ok()),
        client: received.iter().find_map(|field| client(field)),
        time: received_time(headers).or(message.date),
        message_id: headers.decoded("Message-ID").map(|id| id.trim().to_owned()),
    }
}

/// The date behind the last semicolon of the topmost Received field (RFC 5321 §4.4).
fn received_time(headers: &Headers<'_>) -> Option<i64> {
    let field = headers.first("Received")?;
    let at = field.value.iter().rposition(|&byte| byte == b';')?;
    Header { name: "Date".into(), value: &field.value[at + 1..] }.timestamp()
}

/// `from HELO (NAME [ADDRESS])`, as Postfix, Sendmail, Exim and Exchange write it. Addresses of private networks are
/// hops within a site.
fn client(field: &str) -> Option<Client> {
    let rest = field.trim_start().strip_prefix("from ")?;
    let helo = rest.split_whitespace().next()?;
    let by = rest.find(" by ").unwrap_or(rest.len());
    let from = &rest[..by];
    let (before, inside) = from.split_once('[')?;
    let text = inside.split(']').next()?.trim_start_matches("IPv6:");
    let ip: IpAddr = text.parse().ok().filter(is_public)?;
    let name = before.rsplit(['(', ' ']).find(|word| !word.is_empty());
    let name = name.filter(|name| name.contains('.') && *name != helo || from.contains(&format!("({name} [")));
    let name = name.map(|name| name.trim_end_matches('.').to_owned()).filter(|name| name != "unknown");
    let helo = helo.trim_matches(['(', ')', '[', ']']);
    Some(Client { ip, name, helo: (!helo.is_empty()).then(|| helo.to_owned()) })
}

fn is_public(ip: &IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()),
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified())
        }
    }
}

/// CRLF line ends, as DKIM hashes and the wire need them; lines that have them keep them.
pub(super) fn wire_form(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    push_with_crlf(&mut out, bytes);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_line_feeds_become_crlf_and_the_header_names_an_envelope() {
        let raw = wire_form(b"Return-Path: <a@x.test>\r\nTo: Bob <b@y.test>\n\nhello\n");
        assert_eq!(raw, b"Return-Path: <a@x.test>\r\nTo: Bob <b@y.test>\r\n\r\nhello\r\n");
        let envelope = envelope(&raw);
        assert_eq!(envelope.sender.as_deref(), Some("<a@x.test>"));
        assert_eq!(envelope.recipient.as_deref(), Some("b@y.test"));
        assert_eq!((envelope.client, envelope.time), (None, None));
    }

    #[test]
    fn the_client_is_that_of_the_topmost_hop_from_outside() {
        let raw = b"Received: from inner.example.com (inner.example.com [10.0.0.2])\r\n\tby store.example.com; Mon, 5 Jan 2026 12:00:02 +0000\r\n\
            Received: from helo.test (mail.sender.test [192.0.2.7])\r\n\tby mx.example.com (Postfix) with ESMTPS id X\r\n\tfor <bob@example.com>; Mon, 5 Jan 2026 12:00:01 +0000\r\n\
            Received: from [198.51.100.1] by helo.test\r\nDate: Mon, 5 Jan 2026 11:00:00 +0000\r\n\r\nx\r\n";
        let envelope = envelope(raw);
        let (name, helo) = (Some("mail.sender.test".to_owned()), Some("helo.test".to_owned()));
        assert_eq!(envelope.client, Some(Client { ip: [192, 0, 2, 7].into(), name, helo }));
        assert_eq!(envelope.time, Some(1_767_614_402));
    }

    #[test]
    fn fields_of_other_servers_are_read_too() {
        let of = |field: &str| client(field).map(|client| (client.ip.to_string(), client.name, client.helo));
        let some = |text: &str| Some(text.to_owned());
        for (field, ip, name, helo) in [
            ("from a.test (unknown [192.0.2.1]) by b.test", "192.0.2.1", None, some("a.test")),
            ("from a.test ([IPv6:2001:db8::1]) by b.test", "2001:db8::1", None, some("a.test")),
            ("from n.test ([192.0.2.1] helo=a.test) by b.test", "192.0.2.1", None, some("n.test")),
            ("from [192.0.2.1] (port=1 helo=x) by b.test", "192.0.2.1", None, some("192.0.2.1")),
        ] {
            assert_eq!(of(field), Some((ip.to_owned(), name, helo)), "{field}");
        }
        for field in ["by x.test from y", "from a.test by b.test", "from a ([10.1.1.1]) by b", "from", ""] {
            assert_eq!(of(field), None, "{field}");
        }
    }
}
