//! Header and body as they arrive, within bounds.

use super::{ClientNetwork, Full, InFlight, Limits, Ticket};
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// The message in wire form (CRLF line ends), rebuilt from the pieces that a door hands over.
#[derive(Debug, Default)]
pub struct RawMessage(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    bytes: Vec<u8>,
    header_bytes: usize,
    header_count: usize,
    in_body: bool,
    overflow: Option<Overflow>,
    place: Place,
    /// When [`Watch::sweep`] first saw the state that it is in now. Unix seconds.
    seen: Option<i64>,
}

/// The place among the messages in flight.
#[derive(Debug, Default)]
enum Place {
    /// Nothing is accounted for: tests, or a message that was handed over.
    #[default]
    None,
    Held(Ticket),
    /// Given back while no message came; to be asked for again when one does.
    Parked(InFlight, Option<ClientNetwork>),
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
    /// All messages together, or those of its network, need more memory than there is: this one must be deferred.
    SiteBytes,
    /// There is no place any more for a message that came late: it must be deferred.
    SiteMessages,
    /// It took longer than [`super::Limits::message_time`]: its bytes are gone, it must be deferred.
    Time,
}

impl RawMessage {
    /// A message that accounts its memory to `ticket`.
    pub fn new(ticket: Option<Ticket>) -> Self {
        let place = ticket.map_or(Place::None, Place::Held);
        RawMessage(Arc::new(Mutex::new(Inner { place, ..Inner::default() })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a header field. `value` is what follows the colon, its leading blank included; bare LF and CRLF folds
    /// become CRLF.
    pub fn header(&mut self, name: &[u8], value: &[u8], limits: &Limits) {
        let inner = &mut *self.inner();
        if !inner.begin(limits) {
            return;
        }
        let size = name.len() + 1 + value.len() + 2;
        if inner.header_count >= limits.header_count {
            inner.overflow = Some(Overflow::HeaderCount);
        } else if inner.header_bytes + size > limits.header_bytes {
            inner.overflow = Some(Overflow::HeaderBytes);
        } else if inner.reserve(size + value.len() / 16, limits) {
            inner.header_count += 1;
            let before = inner.bytes.len();
            inner.bytes.extend_from_slice(name);
            inner.bytes.push(b':');
            push_with_crlf(&mut inner.bytes, value);
            inner.bytes.extend_from_slice(b"\r\n");
            inner.header_bytes += inner.bytes.len() - before;
        }
    }

    /// Marks the end of the header: the empty line is added.
    pub fn end_of_header(&mut self) {
        self.inner().end_of_header();
    }

    /// Adds a piece of the body, cut anywhere. Returns whether more is wanted: after `false` a door may tell the MTA
    /// to skip the rest.
    pub fn body(&mut self, piece: &[u8], limits: &Limits) -> bool {
        let inner = &mut *self.inner();
        if !inner.begin(limits) {
            return false;
        }
        inner.end_of_header();
        if inner.bytes.len() + piece.len() > limits.message_bytes {
            inner.overflow = Some(Overflow::MessageBytes);
            let room = limits.message_bytes.saturating_sub(inner.bytes.len()).min(piece.len());
            if inner.reserve(room, limits) {
                inner.bytes.extend_from_slice(&piece[..room]);
            }
            return false;
        }
        if inner.reserve(piece.len(), limits) {
            inner.bytes.extend_from_slice(piece);
        }
        inner.overflow.is_none()
    }

    /// Takes header and body at once, in wire form. The header's bounds hold here too.
    pub fn whole(&mut self, raw: &[u8], limits: &Limits) {
        let inner = &mut *self.inner();
        if !inner.begin(limits) {
            return;
        }
        let (mut at, mut fields) = (0, 0);
        for line in raw.split_inclusive(|&b| b == b'\n') {
            if line == b"\r\n" || line == b"\n" {
                break;
            }
            at += line.len();
            fields += usize::from(!line.starts_with(b" ") && !line.starts_with(b"\t"));
            if fields > limits.header_count {
                inner.overflow = Some(Overflow::HeaderCount);
            } else if at > limits.header_bytes {
                inner.overflow = Some(Overflow::HeaderBytes);
            }
        }
        inner.in_body = true;
        let keep = if inner.overflow.is_some() { limits.header_bytes } else { limits.message_bytes };
        if raw.len() > limits.message_bytes {
            inner.overflow.get_or_insert(Overflow::MessageBytes);
        }
        let raw = &raw[..raw.len().min(keep)];
        if inner.reserve(raw.len(), limits) {
            inner.bytes.extend_from_slice(raw);
        }
    }

    /// The bound that was crossed, if any.
    pub fn overflow(&self) -> Option<Overflow> {
        self.inner().overflow
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.inner().bytes.len()
    }

    /// Whether nothing has come yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands the bytes over, with the ticket that accounts for them, and leaves an empty message.
    pub fn take(&mut self) -> (Vec<u8>, Option<Ticket>) {
        let inner = &mut *self.inner();
        if inner.overflow != Some(Overflow::Time) {
            inner.end_of_header();
        }
        let ticket = match mem::take(&mut inner.place) {
            Place::Held(ticket) => Some(ticket),
            Place::None | Place::Parked(..) => None,
        };
        (mem::take(&mut inner.bytes), ticket)
    }
}

impl Inner {
    /// Before each piece: whether it is wanted.
    fn begin(&mut self, limits: &Limits) -> bool {
        if self.overflow.is_some() {
            return false;
        }
        if self.bytes.is_empty() {
            self.seen = None;
            if let Place::Parked(in_flight, network) = &self.place {
                match in_flight.admit(limits, *network) {
                    Ok(ticket) => self.place = Place::Held(ticket),
                    Err(Full::Site | Full::Share) => {
                        self.overflow = Some(Overflow::SiteMessages);
                        return false;
                    }
                }
            }
        }
        true
    }

    fn end_of_header(&mut self) {
        if !self.in_body {
            self.in_body = true;
            self.bytes.extend_from_slice(b"\r\n");
        }
    }

    fn reserve(&mut self, more: usize, limits: &Limits) -> bool {
        let fits = match &mut self.place {
            Place::Held(ticket) => ticket.grow(more, limits),
            Place::None | Place::Parked(..) => true,
        };
        if !fits {
            self.overflow = Some(Overflow::SiteBytes);
        }
        fits
    }

    /// One look of the watch; whether the message is given up. `now`: Unix seconds.
    fn look(&mut self, now: i64, limits: &Limits) -> bool {
        let age = now.saturating_sub(*self.seen.get_or_insert(now)).unsigned_abs();
        match &self.place {
            Place::Held(ticket) if self.bytes.is_empty() && age >= limits.idle_time.as_secs() => {
                let (in_flight, network) = ticket.account();
                self.place = Place::Parked(in_flight, network);
            }
            Place::Held(_) if !self.bytes.is_empty() && age >= limits.message_time.as_secs() => {
                self.overflow = Some(Overflow::Time);
                self.bytes = Vec::new();
                self.place = Place::None;
                return true;
            }
            _ => {}
        }
        false
    }
}

/// The messages under way, so that those that hang can be found.
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<Mutex<Vec<Weak<Mutex<Inner>>>>>);

impl Watch {
    /// Keeps an eye on a message until it is dropped.
    pub fn follow(&self, message: &RawMessage) {
        let mut messages = self.messages();
        if messages.len() == messages.capacity() {
            // Where nobody sweeps, those that are gone go now.
            messages.retain(|message| message.strong_count() > 0);
        }
        messages.push(Arc::downgrade(&message.0));
    }

    /// Takes places back from transactions that have sent no message for [`Limits::idle_time`], and gives up messages
    /// that took longer than [`Limits::message_time`]; gives their number. To be called every second or so. `now`: Unix
    /// seconds.
    pub fn sweep(&self, now: i64, limits: &Limits) -> usize {
        let mut alive = Vec::new();
        self.messages().retain(|message| match message.upgrade() {
            Some(message) => {
                alive.push(message);
                true
            }
            None => false,
        });
        let given_up =
            |message: &Arc<Mutex<Inner>>| message.lock().unwrap_or_else(PoisonError::into_inner).look(now, limits);
        alive.iter().filter(|message| given_up(message)).count()
    }

    fn messages(&self) -> MutexGuard<'_, Vec<Weak<Mutex<Inner>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Copies text, each bare LF made CRLF: MTAs hand folds over as LF (milter8.c, `smfi_addheader` manual), files have LF.
pub fn push_with_crlf(out: &mut Vec<u8>, text: &[u8]) {
    let mut written = 0;
    for line_end in memchr::memchr_iter(b'\n', text) {
        if line_end == 0 || text[line_end - 1] != b'\r' {
            out.extend_from_slice(&text[written..line_end]);
            out.extend_from_slice(b"\r\n");
            written = line_end + 1;
        }
    }
    out.extend_from_slice(&text[written..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn bytes(message: &mut RawMessage) -> Vec<u8> {
        message.take().0
    }

    #[test]
    fn the_wire_form_is_rebuilt_with_leading_blanks_and_folds() {
        let limits = Limits::default();
        let mut message = RawMessage::default();
        message.header(b"Subject", b" one\n\ttwo", &limits);
        message.header(b"X-Tight", b"value", &limits);
        message.end_of_header();
        assert!(message.body(b"hel", &limits));
        assert!(message.body(b"lo\r\n", &limits));
        assert_eq!(bytes(&mut message), b"Subject: one\r\n\ttwo\r\nX-Tight:value\r\n\r\nhello\r\n");
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
        assert_eq!(message.len(), 20);
        assert_eq!(message.overflow(), Some(Overflow::MessageBytes));
    }

    #[test]
    fn memory_is_accounted_for_and_given_back() {
        let limits = Limits { bytes_in_flight: 50, ..Limits::default() };
        let in_flight = InFlight::default();
        let mut message = RawMessage::new(in_flight.admit(&limits, None).ok());
        assert!(message.body(&[b'x'; 40], &limits));
        assert!(!message.body(&[b'x'; 40], &limits));
        assert_eq!(message.overflow(), Some(Overflow::SiteBytes));
        drop(message);
        assert_eq!((in_flight.messages(), in_flight.bytes()), (0, 0));
    }

    /// A message of its own network, under watch, where one is the limit.
    fn watched(in_flight: &InFlight, watch: &Watch, limits: &Limits) -> RawMessage {
        let message = RawMessage::new(Some(in_flight.admit(limits, None).expect("room")));
        watch.follow(&message);
        message
    }

    #[test]
    fn a_message_that_hangs_is_given_up_and_its_memory_is_free() {
        let limits = Limits { message_time: Duration::from_secs(60), ..Limits::default() };
        let (in_flight, watch) = (InFlight::default(), Watch::default());
        let mut message = watched(&in_flight, &watch, &limits);
        assert!(message.body(&[b'x'; 100_000], &limits));
        for now in [1_000, 1_059] {
            watch.sweep(now, &limits);
            assert!(message.overflow().is_none() && in_flight.bytes() > 0);
        }
        watch.sweep(1_060, &limits);
        assert_eq!((in_flight.site().messages, in_flight.bytes()), (0, 0));
        assert!(!message.body(b"more", &limits));
        assert_eq!((message.overflow(), bytes(&mut message)), (Some(Overflow::Time), Vec::new()));
    }

    #[test]
    fn a_slow_client_gives_its_place_to_others_and_asks_again_with_its_message() {
        let limits = Limits { messages_in_flight: 1, idle_time: Duration::from_secs(30), ..Limits::default() };
        let (in_flight, watch) = (InFlight::default(), Watch::default());
        let (mut lucky, mut late) = {
            let first = watched(&in_flight, &watch, &limits);
            watch.sweep(0, &limits);
            assert!(in_flight.admit(&limits, None).is_err());
            watch.sweep(30, &limits);
            let second = watched(&in_flight, &watch, &limits);
            watch.sweep(31, &limits);
            watch.sweep(61, &limits);
            (first, second)
        };
        lucky.header(b"A", b" 1", &limits);
        late.header(b"A", b" 1", &limits);
        assert_eq!((lucky.overflow(), late.overflow()), (None, Some(Overflow::SiteMessages)));
        assert_eq!(in_flight.messages(), 1);
        drop((lucky, late));
        watch.sweep(62, &limits);
        assert_eq!((in_flight.messages(), watch.messages().len()), (0, 0));
    }
}
