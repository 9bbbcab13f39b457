//! The beginning of a milter connection, up to the client's address, as indymilter can read it.
//!
//! Sendmail writes `IPv6:` before the address of a client with IPv6. indymilter takes that for a malformed packet and
//! ends the connection, and Sendmail would then defer all mail from such clients.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, ReadBuf};

/// Longest packet that is looked into; the packets before the client's address hold a few macros. In bytes.
const PACKET_MAX: usize = 65_536;
/// What is read at a time, in bytes.
const READ: usize = 2_048;
/// Length and letter of a packet, in bytes.
const HEAD: usize = 5;

/// Passes the bytes of a connection on. Nothing is left to do after the client's address.
#[derive(Default)]
pub(super) struct Opening {
    /// Bytes of a packet that is not complete.
    held: Vec<u8>,
    /// Bytes that may be read.
    ready: VecDeque<u8>,
    over: bool,
}

impl Opening {
    /// Whether all that was held has been read, so that the connection can be read directly.
    pub(super) fn is_over(&self) -> bool {
        self.over && self.ready.is_empty()
    }

    /// Reads through this from `stream`.
    pub(super) fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        while self.ready.is_empty() {
            let mut bytes = [0; READ];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.take(read.filled());
        }
        let (front, _) = self.ready.as_slices();
        let count = front.len().min(buf.remaining());
        buf.put_slice(&front[..count]);
        self.ready.drain(..count);
        Poll::Ready(Ok(()))
    }

    fn take(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        while let (false, Some((length, letter))) = (self.over, head(&self.held)) {
            match letter {
                // Negotiation and macros.
                b'O' | b'D' if length <= PACKET_MAX => {
                    if self.held.len() < length {
                        return;
                    }
                    self.ready.extend(self.held.drain(..length));
                }
                b'C' if length <= PACKET_MAX => {
                    if self.held.len() < length {
                        return;
                    }
                    let packet: Vec<u8> = self.held.drain(..length).collect();
                    self.ready.extend(without_prefix(packet));
                    self.over = true;
                }
                _ => self.over = true,
            }
        }
        if self.over {
            self.ready.extend(self.held.drain(..));
        }
    }
}

/// Finds the packet QUIT_NC, by which an MTA keeps the connection for its next client. indymilter ignores it, and the next
/// client too, whose mail would then be judged as that of the first. No MTA is known to send it.
#[derive(Default)]
pub(super) struct Quits {
    /// The beginning of a head that is not complete.
    head: Vec<u8>,
    /// Bytes of the packet under way that are still to come.
    rest: usize,
}

impl Quits {
    /// Where QUIT_NC begins, as far as it lies in these bytes, which follow those of the last call.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if self.rest > 0 {
                let passed = self.rest.min(bytes.len() - at);
                self.rest -= passed;
                at += passed;
                continue;
            }
            let wanted = (HEAD - self.head.len()).min(bytes.len() - at);
            self.head.extend_from_slice(&bytes[at..at + wanted]);
            let (length, letter) = head(&self.head)?;
            if letter == b'K' {
                return Some(at);
            }
            at += wanted;
            self.rest = length.saturating_sub(HEAD);
            self.head.clear();
        }
        None
    }
}

/// Length of the first packet, with its head, and its letter.
fn head(bytes: &[u8]) -> Option<(usize, u8)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    Some((length.saturating_add(HEAD - 1), *rest.first()?))
}

/// The packet of CONNECT (host name, NUL, family, port, address, NUL) without `IPv6:` before the address.
fn without_prefix(packet: Vec<u8>) -> Vec<u8> {
    const PREFIX: &[u8] = b"IPv6:";
    let family = packet.iter().skip(HEAD).position(|&byte| byte == 0).map(|nul| HEAD + nul + 1);
    let Some(address) = family.filter(|&at| packet.get(at) == Some(&b'6')).map(|at| at + 3) else { return packet };
    let has_prefix = packet.get(address..address + PREFIX.len()).is_some_and(|p| p.eq_ignore_ascii_case(PREFIX));
    if !has_prefix {
        return packet;
    }
    let mut short = packet;
    short.drain(address..address + PREFIX.len());
    let length = u32::try_from(short.len() - 4).unwrap_or(u32::MAX);
    short[..4].copy_from_slice(&length.to_be_bytes());
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(letter: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = (payload.len() as u32 + 1).to_be_bytes().to_vec();
        packet.push(letter);
        packet.extend_from_slice(payload);
        packet
    }

    /// What comes out if the bytes arrive in pieces of this size.
    fn through(bytes: &[u8], size: usize) -> (Vec<u8>, bool) {
        let mut opening = Opening::default();
        bytes.chunks(size).for_each(|piece| opening.take(piece));
        (opening.ready.into_iter().collect(), opening.over)
    }

    #[test]
    fn prefix_of_sendmail_is_taken_off_and_all_else_passes_however_it_is_cut() {
        let before = [packet(b'O', &[0; 12]), packet(b'D', b"Cj\0mx.example.com\0")].concat();
        let after = packet(b'H', b"IPv6:client\0");
        let connect = |address: &str| {
            packet(b'C', &[b"mail.example.net\x006\x19\x02".as_slice(), address.as_bytes(), b"\0"].concat())
        };
        let plain = [before.clone(), connect("2001:db8:0:0:0:0:0:1"), after.clone()].concat();
        let prefixed = [before.clone(), connect("IPv6:2001:db8:0:0:0:0:0:1"), after.clone()].concat();
        let v4 = [before.clone(), packet(b'C', b"IPv6:\x004\x19\x02192.0.2.1\0"), after.clone()].concat();
        let unknown = [before, packet(b'C', b"localhost\0U"), after].concat();
        for size in [1, 3, 7, 1_000] {
            assert_eq!(through(&prefixed, size), (plain.clone(), true), "in pieces of {size}");
            for other in [&plain, &v4, &unknown] {
                assert_eq!(through(other, size), (other.clone(), true), "in pieces of {size}");
            }
        }
    }

    #[test]
    fn quit_for_the_next_client_is_found_however_it_is_cut() {
        let before = [packet(b'O', &[0; 12]), packet(b'B', b"\0\0\0\x01K"), packet(b'E', b"")].concat();
        let bytes = [before.clone(), packet(b'K', b""), packet(b'C', b"localhost\0U")].concat();
        for size in [1, 2, 3, 7, 1_000] {
            let mut quits = Quits::default();
            let mut at = 0;
            let found = bytes.chunks(size).find_map(|piece| {
                at += piece.len();
                quits.find(piece).map(|found| at - piece.len() + found)
            });
            let found = found.expect("it is there");
            assert!((before.len()..before.len() + HEAD).contains(&found), "in pieces of {size}: {found}");
            assert!(size < 1_000 || found == before.len());
        }
        assert_eq!(Quits::default().find(&before), None, "a letter inside a packet is none");
        assert_eq!(
            Quits::default().find(&[0, 0, 0, 0, b'A', 0, 0, 0, 1, b'K']),
            Some(5),
            "an empty packet has a letter"
        );
    }

    #[test]
    fn connection_that_begins_otherwise_is_left_alone() {
        for bytes in [b"GET / HTTP/1.0\r\n\r\n".to_vec(), packet(b'M', b"<a@b>\0"), vec![0xff; 64], vec![0; 64]] {
            assert_eq!(through(&bytes, 2), (bytes.clone(), true), "{bytes:?}");
        }
        let cut = packet(b'C', b"6");
        assert_eq!(through(&cut, 1), (cut, true));
        assert_eq!(through(&[0, 0, 0, 9, b'C', 1], 1), (Vec::new(), false), "an incomplete packet waits for its rest");
    }
}
