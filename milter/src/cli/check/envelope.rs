//! The wire form of a file, and an envelope guessed from the header where the caller names none.

use mailward_core::{
    message::{Bounds, parse},
    session::push_with_crlf,
};

/// What the header says about the envelope.
pub(super) struct Envelope {
    /// Return-Path, else From.
    pub(super) sender: Option<String>,
    /// Delivered-To, else the first of To.
    pub(super) recipient: Option<String>,
}

pub(super) fn envelope(raw: &[u8]) -> Envelope {
    let message = parse(raw, &Bounds::default());
    let first = |name: &str| message.headers.mailboxes(name).into_iter().next().map(|mailbox| mailbox.address);
    let return_path = message.headers.decoded("Return-Path").map(|value| value.trim().to_owned());
    Envelope {
        sender: return_path.filter(|path| !path.is_empty()).or_else(|| first("From")),
        recipient: first("Delivered-To").or_else(|| first("To")),
    }
}

/// CRLF line ends, as DKIM hashes and the wire need them; lines that have them keep them.
pub(in crate::cli) fn wire_form(bytes: &[u8]) -> Vec<u8> {
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
    }
}
