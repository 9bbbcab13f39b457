//! Bounds of one session and of all messages together.

use serde::Serialize;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Bounds that hold while bytes arrive. Past one, a finding says so or the message is deferred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Largest message that is judged whole; the rest is not looked at. Unit: bytes. Source: our own limit, five times
    /// Postfix's default `message_size_limit` of 10,240,000.
    pub message_bytes: usize,
    /// Largest header. Unit: bytes. Source: our own limit; Postfix cuts one field at 102,400 (`header_size_limit`).
    pub header_bytes: usize,
    /// Most header fields. Unit: fields. Source: our own limit.
    pub header_count: usize,
    /// Most recipients of a message; more get 452. Unit: recipients. Source: Postfix `smtpd_recipient_limit`.
    pub recipients: usize,
    /// Most messages judged at a time, over all connections; more are deferred. Unit: messages.
    pub messages_in_flight: usize,
    /// Most memory for messages, over all connections; past it new messages are deferred. Unit: bytes.
    pub bytes_in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message_bytes: 50 << 20,
            header_bytes: 1 << 20,
            header_count: 2_000,
            recipients: 1_000,
            messages_in_flight: 500,
            bytes_in_flight: 256 << 20,
        }
    }
}

/// Messages and bytes that are being judged now; shared by all sessions and kept across reloads.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

impl InFlight {
    /// Admits one more message, or `None` if the site is at its limit.
    pub fn admit(&self, limits: &Limits) -> Option<Ticket> {
        add_within(&self.0.messages, 1, limits.messages_in_flight).then(|| Ticket { counts: self.0.clone(), bytes: 0 })
    }

    /// Messages admitted now.
    pub fn messages(&self) -> usize {
        self.0.messages.load(Ordering::Relaxed)
    }

    /// Bytes accounted for now.
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }
}

/// The place of one message among those in flight; given back when dropped.
#[derive(Debug)]
pub struct Ticket {
    counts: Arc<Counts>,
    bytes: usize,
}

impl Ticket {
    /// Accounts for more bytes; `false` if that would cross the limit.
    pub fn grow(&mut self, more: usize, limit: usize) -> bool {
        let fits = add_within(&self.counts.bytes, more, limit);
        if fits {
            self.bytes += more;
        }
        fits
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.counts.messages.fetch_sub(1, Ordering::Relaxed);
        self.counts.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn add_within(counter: &AtomicUsize, more: usize, limit: usize) -> bool {
    counter
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| now.checked_add(more).filter(|&sum| sum <= limit))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_site_admits_nobody_until_a_message_ends() {
        let limits = Limits { messages_in_flight: 1, ..Limits::default() };
        let in_flight = InFlight::default();
        let first = in_flight.admit(&limits);
        assert!(first.is_some());
        assert!(in_flight.admit(&limits).is_none());
        drop(first);
        assert!(in_flight.admit(&limits).is_some());
    }
}
