//! Header and body as they arrive, within bounds.

use super::Ticket;

/// The message in wire form (CRLF line ends), rebuilt from the pieces that a door hands over.
#[derive(Debug, Default)]
pub struct RawMessage {
    bytes: Vec<u8>,
    header_bytes: usize,
    header_count: usize,
    in_body: bool,
    overflow: Option<Overflow>,
    ticket: Option<Ticket>,
}

/// A bound that the message has crossed. What came after it is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// More header fields than [`super::Limits::header_count`].
    HeaderCount,
    /// Larger header than [`super::Limits::header_bytes`].
    HeaderBytes,
    /// Larger message than [`super::Limits::message_bytes`].
    MessageBytes,
    /// All messages together need more memory than [`super::Limits::bytes_in_flight`]: this one must be deferred.
    SiteBytes,
}

impl RawMessage {
    /// A message that accounts its memory to `ticket`.
    pub fn new(ticket: Option<Ticket>) -> Self {
        RawMessage { ticket, ..RawMessage::default() }
    }

    /// Adds a header field. `value` is what follows the colon, its leading blank included; bare LF and CRLF folds
    /// become CRLF.
    pub fn header(&mut self, name: &[u8], value: &[u8], limits: &super::Limits) {
        if self.overflow.is_some() {
            return;
        }
        let size = name.len() + 1 + value.len() + 2;
        if self.header_count >= limits.header_count {
            self.overflow = Some(Overflow::HeaderCount);
        } else if self.header_bytes + size > limits.header_bytes {
            self.overflow = Some(Overflow::HeaderBytes);
        } else if self.reserve(size + value.len() / 16, limits) {
            self.header_count += 1;
            let before = self.bytes.len();
            self.bytes.extend_from_slice(name);
            self.bytes.push(b':');
            push_with_crlf(&mut self.bytes, value);
            self.bytes.extend_from_slice(b"\r\n");
            self.header_bytes += self.bytes.len() - before;
        }
    }

    /// Marks the end of the header: the empty line is added.
    pub fn end_of_header(&mut self) {
        if !self.in_body {
            self.in_body = true;
            self.bytes.extend_from_slice(b"\r\n");
        }
    }

    /// Adds a piece of the body, cut anywhere. Returns whether more is wanted: after `false` a door may tell the MTA
    /// to skip the rest.
    pub fn body(&mut self, piece: &[u8], limits: &super::Limits) -> bool {
        self.end_of_header();
        if self.overflow.is_some() {
            return false;
        }
        if self.bytes.len() + piece.len() > limits.message_bytes {
            self.overflow = Some(Overflow::MessageBytes);
            let room = limits.message_bytes.saturating_sub(self.bytes.len()).min(piece.len());
            if self.reserve(room, limits) {
                self.bytes.extend_from_slice(&piece[..room]);
            }
            return false;
        }
        if self.reserve(piece.len(), limits) {
            self.bytes.extend_from_slice(piece);
        }
        self.overflow.is_none()
    }

    /// Takes header and body at once, in wire form. The header's bounds hold here too.
    pub fn whole(&mut self, raw: &[u8], limits: &super::Limits) {
        let (mut at, mut fields) = (0, 0);
        for line in raw.split_inclusive(|&b| b == b'\n') {
            if line == b"\r\n" || line == b"\n" {
                break;
            }
            at += line.len();
            fields += usize::from(!line.starts_with(b" ") && !line.starts_with(b"\t"));
            if fields > limits.header_count {
                self.overflow = Some(Overflow::HeaderCount);
            } else if at > limits.header_bytes {
                self.overflow = Some(Overflow::HeaderBytes);
            }
        }
        self.in_body = true;
        let keep = if self.overflow.is_some() { limits.header_bytes } else { limits.message_bytes };
        if raw.len() > limits.message_bytes {
            self.overflow.get_or_insert(Overflow::MessageBytes);
        }
        let raw = &raw[..raw.len().min(keep)];
        if self.reserve(raw.len(), limits) {
            self.bytes.extend_from_slice(raw);
        }
    }

    /// The bound that was crossed, if any.
    pub fn overflow(&self) -> Option<Overflow> {
        self.overflow
    }

    /// The message so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Hands the bytes over, with the ticket that accounts for them, and leaves an empty message.
    pub fn take(&mut self) -> (Vec<u8>, Option<Ticket>) {
        self.end_of_header();
        (std::mem::take(&mut self.bytes), self.ticket.take())
    }

    fn reserve(&mut self, more: usize, limits: &super::Limits) -> bool {
        if self.ticket.as_mut().is_none_or(|t| t.grow(more, limits.bytes_in_flight)) {
            return true;
        }
        self.overflow = Some(Overflow::SiteBytes);
        false
    }
}

/// Copies text, each bare LF made CRLF: MTAs hand folds over as LF (milter8.c, `smfi_addheader` manual), files have LF.
pub fn push_with_crlf(out: &mut Vec<u8>, text: &[u8]) {
    let mut previous = 0;
    for &byte in text {
        if byte == b'\n' && previous != b'\r' {
            out.push(b'\r');
        }
        out.push(byte);
        previous = byte;
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{InFlight, Limits},
        *,
    };

    #[test]
    fn the_wire_form_is_rebuilt_with_leading_blanks_and_folds() {
        let limits = Limits::default();
        let mut message = RawMessage::default();
        message.header(b"Subject", b" one\n\ttwo", &limits);
        message.header(b"X-Tight", b"value", &limits);
        message.end_of_header();
        assert!(message.body(b"hel", &limits));
        assert!(message.body(b"lo\r\n", &limits));
        assert_eq!(message.as_bytes(), b"Subject: one\r\n\ttwo\r\nX-Tight:value\r\n\r\nhello\r\n");
    }

    #[test]
    fn past_a_bound_nothing_more_is_kept_and_the_bound_is_named() {
        let limits = Limits { message_bytes: 20, header_count: 1, ..Limits::default() };
        let mut message = RawMessage::default();
        message.header(b"A", b"1", &limits);
        message.header(b"B", b"2", &limits);
        assert_eq!(message.overflow(), Some(Overflow::HeaderCount));
        let mut message = RawMessage::default();
        assert!(!message.body(&[b'x'; 100], &limits));
        assert_eq!(message.as_bytes().len(), 20);
        assert_eq!(message.overflow(), Some(Overflow::MessageBytes));
    }

    #[test]
    fn memory_is_accounted_for_and_given_back() {
        let limits = Limits { bytes_in_flight: 50, ..Limits::default() };
        let in_flight = InFlight::default();
        let mut message = RawMessage::new(in_flight.admit(&limits));
        assert!(message.body(&[b'x'; 40], &limits));
        assert!(!message.body(&[b'x'; 40], &limits));
        assert_eq!(message.overflow(), Some(Overflow::SiteBytes));
        drop(message);
        assert_eq!((in_flight.messages(), in_flight.bytes()), (0, 0));
    }
}
