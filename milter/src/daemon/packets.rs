//! What an MTA sends, made ready for indymilter: mended where it could not read it, bundled where it would be slow.
//!
//! - Sendmail writes `IPv6:` before the address of a client with IPv6. indymilter takes that for a malformed packet and
//!   ends the connection, and Sendmail would then defer all mail from such clients.
//! - QUIT_NC, by which an MTA keeps the connection for its next client, is ignored by indymilter, and so is the next
//!   client, whose mail would then be judged as that of the first. No MTA is known to send it.
//! - Each packet costs indymilter a dozen allocations and four changes of task, and most packets of a message are header
//!   fields, which nobody answers. They become one packet ([`fields`] takes it apart again). Macros without values are
//!   dropped.

use std::{
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, ReadBuf};

/// Longest packet that is held until it is complete: the longest that indymilter reads. In bytes.
const PACKET_MAX: usize = 1 << 20;
/// Size from which a bundle is passed on, in bytes.
const BUNDLE_MAX: usize = 65_536;
/// What is read at a time, in bytes.
const READ: usize = 8_192;
/// Length and letter of a packet, in bytes.
const HEAD: usize = 5;
/// The name of the header field that is a bundle. No field has it: a line break ends the line.
const BUNDLE: &[u8] = b"\n";
/// `SMFIP_NR_HDR`: no answer is wanted for a header field. Asked for wherever it is offered.
const NO_REPLY_HEADER: u32 = 0x80;

/// The bytes of a connection on their way to indymilter.
#[derive(Default)]
pub(super) struct Incoming {
    /// Bytes of a packet that is not complete.
    held: Vec<u8>,
    /// Bytes that may be read, from `read` on.
    ready: Vec<u8>,
    read: usize,
    /// Bytes of the packet under way that pass as they come.
    rest: usize,
    /// Whether the MTA waits for no answer to a header field.
    bundles: bool,
    /// Where the packet of header fields begins that is not complete; it may not be read yet.
    bundle: Option<usize>,
    /// Whether the MTA has ended the connection by QUIT_NC; it makes a new one for its next client.
    ended: bool,
}

impl Incoming {
    /// Reads through this from `stream`.
    pub(super) fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        while self.read == self.readable() && !self.ended {
            if self.rest > 0 {
                let length = self.rest.min(buf.remaining());
                let mut direct = ReadBuf::new(buf.initialize_unfilled_to(length));
                ready!(Pin::new(stream).poll_read(cx, &mut direct))?;
                let count = direct.filled().len();
                buf.advance(count);
                self.rest -= count;
                return Poll::Ready(Ok(()));
            }
            let mut bytes = [MaybeUninit::uninit(); READ];
            let mut read = ReadBuf::uninit(&mut bytes);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.take(read.filled());
        }
        let ready = &self.ready[self.read..self.readable()];
        let count = ready.len().min(buf.remaining());
        buf.put_slice(&ready[..count]);
        self.read += count;
        if self.read == self.ready.len() {
            self.ready.clear();
            self.ready.shrink_to(BUNDLE_MAX);
            self.read = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Up to where the ready bytes may be read.
    fn readable(&self) -> usize {
        self.bundle.unwrap_or(self.ready.len())
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            let passed = self.rest.min(held.len() - at);
            self.ready.extend_from_slice(&held[at..at + passed]);
            self.rest -= passed;
            at += passed;
            let Some((length, letter)) = head(&held[at..]) else { break };
            if letter == b'K' {
                self.ended = true;
                return;
            }
            if length > PACKET_MAX || !matches!(letter, b'O' | b'D' | b'C' | b'L') {
                self.end_bundle();
                self.rest = length;
                continue;
            }
            let Some(packet) = held.get(at..at + length) else { break };
            self.pass(letter, packet);
            at += length;
        }
        held.drain(..at);
        self.held = held;
    }

    fn pass(&mut self, letter: u8, packet: &[u8]) {
        let payload = &packet[HEAD.min(packet.len())..];
        match letter {
            b'L' if self.bundles && self.bundle(payload).is_some() => return,
            // Only the letter of its command.
            b'D' if payload.len() <= 1 => return,
            // Version, edits, options.
            b'O' => {
                let options = payload.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
                self.bundles = options.is_some_and(|options| options & NO_REPLY_HEADER != 0);
            }
            _ => {}
        }
        self.end_bundle();
        match prefix(packet).filter(|_| letter == b'C') {
            None => self.ready.extend_from_slice(packet),
            Some(prefix) => {
                let start = self.ready.len();
                self.ready.extend_from_slice(&packet[..prefix.start]);
                self.ready.extend_from_slice(&packet[prefix.end..]);
                set_length(&mut self.ready[start..]);
            }
        }
    }

    /// Adds a header field (name, NUL, value, NUL) to the bundle. `None` if it is written otherwise, or too long.
    fn bundle(&mut self, payload: &[u8]) -> Option<()> {
        let nul = payload.iter().position(|&byte| byte == 0)?;
        let (name, value) = (&payload[..nul], payload[nul + 1..].strip_suffix(b"\0")?);
        if value.contains(&0) || payload.len() >= BUNDLE_MAX {
            return None;
        }
        let start = *self.bundle.get_or_insert(self.ready.len());
        if start == self.ready.len() {
            self.ready.extend_from_slice(&[0, 0, 0, 0, b'L']);
            self.ready.extend_from_slice(BUNDLE);
            self.ready.push(0);
        }
        for part in [name, value] {
            // Three digits of seven bits are enough; none is a NUL.
            self.ready.extend([14, 7, 0].map(|shift| 0x80 | (part.len() >> shift & 0x7f) as u8));
        }
        self.ready.extend_from_slice(name);
        self.ready.extend_from_slice(value);
        if self.ready.len() - start >= BUNDLE_MAX {
            self.end_bundle();
        }
        Some(())
    }

    fn end_bundle(&mut self) {
        if let Some(start) = self.bundle.take() {
            self.ready.push(0);
            set_length(&mut self.ready[start..]);
        }
    }
}

/// The header fields, name and value, of one that came from indymilter: itself, or those that were bundled.
pub(super) fn fields<'a>(name: &'a [u8], value: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let is_bundle = name == BUNDLE;
    let mut rest = if is_bundle { value } else { b"" };
    let bundled = std::iter::from_fn(move || {
        let name = length(&mut rest)?;
        let value = length(&mut rest)?;
        let (name, after) = rest.split_at_checked(name)?;
        let (value, after) = after.split_at_checked(value)?;
        rest = after;
        Some((name, value))
    });
    (!is_bundle).then_some((name, value)).into_iter().chain(bundled)
}

/// A length: three digits of seven bits.
fn length(bytes: &mut &[u8]) -> Option<usize> {
    let (digits, rest) = bytes.split_first_chunk::<3>()?;
    *bytes = rest;
    Some(digits.iter().fold(0, |length, digit| length << 7 | usize::from(digit & 0x7f)))
}

/// Length of the first packet, with its head, and its letter. A packet that says it is empty has a letter nevertheless.
fn head(bytes: &[u8]) -> Option<(usize, u8)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    Some((length.saturating_add(HEAD - 1).max(HEAD), *rest.first()?))
}

fn set_length(packet: &mut [u8]) {
    let length = u32::try_from(packet.len() - 4).unwrap_or(u32::MAX);
    packet[..4].copy_from_slice(&length.to_be_bytes());
}

/// Where `IPv6:` stands before the address in a packet of CONNECT (host name, NUL, family, port, address, NUL).
fn prefix(packet: &[u8]) -> Option<std::ops::Range<usize>> {
    const PREFIX: &[u8] = b"IPv6:";
    let family = HEAD + packet.get(HEAD..)?.iter().position(|&byte| byte == 0)? + 1;
    let address = family + 3..family + 3 + PREFIX.len();
    let is_there = packet.get(family) == Some(&b'6') && packet.get(address.clone())?.eq_ignore_ascii_case(PREFIX);
    is_there.then_some(address)
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

    fn negotiation(options: u32) -> Vec<u8> {
        packet(b'O', &[6_u32.to_be_bytes(), 0x1ff_u32.to_be_bytes(), options.to_be_bytes()].concat())
    }

    /// What comes out if the bytes arrive in pieces of this size, and are read in pieces of that.
    async fn through(bytes: &[u8], size: usize, room: usize) -> Vec<u8> {
        let mut incoming = Incoming::default();
        let mut stream = in_pieces(bytes, size);
        let mut out = Vec::new();
        loop {
            let mut piece = vec![0; room];
            let mut buf = ReadBuf::new(&mut piece);
            std::future::poll_fn(|cx| incoming.poll_read(&mut stream, cx, &mut buf)).await.expect("nothing fails");
            if buf.filled().is_empty() {
                return out;
            }
            out.extend_from_slice(buf.filled());
        }
    }

    /// The bytes in pieces.
    fn in_pieces(bytes: &[u8], size: usize) -> impl AsyncRead + Unpin {
        struct Pieces(Vec<u8>, usize);
        impl AsyncRead for Pieces {
            fn poll_read(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<std::io::Result<()>> {
                let pieces = self.get_mut();
                let count = pieces.1.min(pieces.0.len()).min(buf.remaining());
                buf.put_slice(&pieces.0[..count]);
                pieces.0.drain(..count);
                Poll::Ready(Ok(()))
            }
        }
        Pieces(bytes.to_vec(), size)
    }

    const CUTS: [(usize, usize); 5] = [(1, 100), (3, 1), (7, 2), (1_000, 5), (100_000, 100_000)];

    #[tokio::test]
    async fn prefix_of_sendmail_is_taken_off_and_all_else_passes_however_it_is_cut() {
        let before = [negotiation(0), packet(b'D', b"Cj\0mx.example.com\0")].concat();
        let after = [packet(b'H', b"IPv6:client\0"), packet(b'B', &[b'x'; 20_000])].concat();
        let connect = |address: &str| {
            packet(b'C', &[b"mail.example.net\x006\x19\x02".as_slice(), address.as_bytes(), b"\0"].concat())
        };
        let plain = [before.clone(), connect("2001:db8:0:0:0:0:0:1"), after.clone()].concat();
        let prefixed = [before.clone(), connect("IPv6:2001:db8:0:0:0:0:0:1"), after.clone()].concat();
        let v4 = [before.clone(), packet(b'C', b"IPv6:\x004\x19\x02192.0.2.1\0"), after.clone()].concat();
        let unknown = [before, packet(b'C', b"localhost\0U"), after].concat();
        for (size, room) in CUTS {
            assert!(through(&prefixed, size, room).await == plain, "in pieces of {size}");
            for other in [&plain, &v4, &unknown] {
                assert!(through(other, size, room).await == *other, "in pieces of {size}");
            }
        }
    }

    #[tokio::test]
    async fn header_fields_become_one_packet_and_come_apart_again() {
        let long = [b"Long\0".as_slice(), &[b'a'; 70_000], b"\0"].concat();
        let header = [
            packet(b'L', b"Subject\0 a: 3:b\r\n\tc\0"),
            packet(b'D', b"L"),
            packet(b'L', b"\0 no name\0"),
            packet(b'L', b"Empty\0\0"),
            packet(b'L', &long),
            packet(b'L', b"Last\0 \xff\0").repeat(10_000),
        ];
        let bytes = [negotiation(NO_REPLY_HEADER), header.concat(), packet(b'N', b"")].concat();
        for (size, room) in CUTS {
            let out = through(&bytes, size, room).await;
            let mut rest = out.as_slice();
            let mut found = Vec::new();
            let mut letters = String::new();
            while let Some((length, letter)) = head(rest) {
                let (packet, after) = rest.split_at(length);
                rest = after;
                letters.push(char::from(letter));
                if letter == b'L' {
                    let (name, value) = packet[HEAD..].split_at(packet[HEAD..].iter().position(|&b| b == 0).unwrap());
                    let value = &value[1..value.len() - 1];
                    assert!(!value.contains(&0), "indymilter reads up to the first NUL");
                    found.extend(fields(name, value).map(|(name, value)| (name.to_vec(), value.to_vec())));
                }
            }
            assert_eq!(letters, "OLLLLN", "in pieces of {size}");
            let names: Vec<_> = found.iter().map(|(name, value)| (name.as_slice(), value.len())).collect();
            let expected: [(&[u8], usize); 5] =
                [(b"Subject", 11), (b"", 8), (b"Empty", 0), (b"Long", 70_000), (b"Last", 2)];
            assert_eq!(names[..5], expected);
            assert!(names.len() == 10_004 && names[4..].iter().all(|field| *field == expected[4]));
            assert_eq!(found[0].1, b" a: 3:b\r\n\tc");
        }
        let answered = [negotiation(0), packet(b'L', b"A\0 b\0"), packet(b'L', b"C\0 d\0")].concat();
        assert_eq!(through(&answered, 1_000, 1_000).await, answered, "each of them is answered, so none is bundled");
        let malformed = [negotiation(NO_REPLY_HEADER), packet(b'L', b"no end"), packet(b'L', b"a\0b\0c\0")].concat();
        assert_eq!(through(&malformed, 1_000, 1_000).await, malformed, "indymilter says what is wrong");
    }

    #[tokio::test]
    async fn bytes_end_at_the_quit_for_the_next_client_however_they_are_cut() {
        let before = [negotiation(0), packet(b'B', b"\0\0\0\x01K"), packet(b'E', b"")].concat();
        let bytes = [before.clone(), packet(b'K', b""), packet(b'C', b"localhost\0U")].concat();
        for (size, room) in CUTS {
            assert_eq!(through(&bytes, size, room).await, before, "in pieces of {size}");
        }
        assert_eq!(
            through(&[0, 0, 0, 0, b'A', 0, 0, 0, 1, b'K'], 9, 9).await,
            [0, 0, 0, 0, b'A'],
            "an empty packet has a letter"
        );
    }

    #[tokio::test]
    async fn what_is_no_milter_packet_passes() {
        for bytes in [b"GET / HTTP/1.0\r\n\r\n".to_vec(), packet(b'M', b"<a@b>\0"), vec![0xff; 64], vec![0; 65]] {
            assert_eq!(through(&bytes, 2, 7).await, bytes, "{bytes:?}");
        }
        let cut = packet(b'C', b"6");
        assert_eq!(through(&cut, 1, 7).await, cut);
        assert_eq!(through(&[0, 0, 0, 9, b'C', 1], 1, 7).await, b"", "an incomplete packet waits for its rest");
    }
}
