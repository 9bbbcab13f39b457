//! Bounds of one session and of all messages together.

use serde::Serialize;
use std::time::Duration;

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
    /// Most messages at a time, over all connections; more are deferred. From half of it on, a network that holds more
    /// than its share is deferred first. Unit: messages.
    pub messages_in_flight: usize,
    /// Most memory for messages, over all connections; past it new messages are deferred. From half of it on, a network
    /// that holds more than its share is deferred first. Unit: bytes.
    pub bytes_in_flight: usize,
    /// How long a message may take from its first header field to its end. Past it its bytes are freed and its end is
    /// deferred. MTAs collect a message before they hand it over, so only one that hangs takes so long. Source: Postfix
    /// `milter_content_timeout`, 300 s, is the MTA's own patience with us.
    pub message_time: Duration,
    /// How long a transaction without a message keeps its place among the messages in flight. It goes on without one
    /// afterwards, and asks again when its message comes: a client may be slow, but slow clients may not shut others
    /// out. Source: our own limit.
    pub idle_time: Duration,
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
            message_time: Duration::from_secs(300),
            idle_time: Duration::from_secs(30),
        }
    }
}
