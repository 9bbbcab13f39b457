//! What a session has asked for so far. Plain counting, no waiting: the engine keeps one [`Tally`] a connection.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Recipients that exist and that do not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Do not exist.
    pub unknown: u64,
    /// Exist.
    pub known: u64,
}

impl Counts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.unknown.saturating_add(self.known)
    }

    /// Share of those that do not exist, rounded down; 0 if there are none at all.
    pub fn unknown_percent(&self) -> u64 {
        self.unknown.saturating_mul(100).checked_div(self.total()).unwrap_or(0)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} unknown", self.unknown, self.total())
    }
}

/// Counts of one connection, null senders apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    null_sender: bool,
    mail: Counts,
    null: Counts,
    transaction: Counts,
}

/// An unknown recipient with what is to be counted along with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// Existing recipients of the transaction so far. They count beside this one, but for good only when the message is
    /// delivered: naming a known address again and again would otherwise hide a harvest.
    pub known: u64,
    /// Of the session so far, this one included; null senders and others apart.
    pub session: Counts,
}

/// A transaction at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Whether a message was taken: only then its existing recipients speak for the client.
    pub delivered: bool,
    /// All of its recipients.
    pub transaction: Counts,
}

impl Tally {
    /// A MAIL command begins a transaction. Call [`Tally::end`] for the one before first.
    pub fn begin(&mut self, null_sender: bool) {
        self.null_sender = null_sender;
        self.transaction = Counts::default();
    }

    /// A recipient that exists and was not named before in this transaction.
    pub fn known(&mut self) {
        self.session_mut().known += 1;
        self.transaction.known += 1;
    }

    /// A recipient that does not.
    pub fn unknown(&mut self) -> Unknown {
        self.session_mut().unknown += 1;
        self.transaction.unknown += 1;
        Unknown { known: self.transaction.known, session: *self.session_mut() }
    }

    /// The transaction has ended: end of data, RSET, abort, a new MAIL, or the connection's end. `None` if it had no
    /// recipients, or if this was asked before.
    pub fn end(&mut self, delivered: bool) -> Option<Ended> {
        let transaction = std::mem::take(&mut self.transaction);
        (transaction.total() > 0).then_some(Ended { delivered, transaction })
    }

    fn session_mut(&mut self) -> &mut Counts {
        if self.null_sender { &mut self.null } else { &mut self.mail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn existing_recipients_of_the_transaction_stand_beside_each_unknown_one() {
        let mut tally = Tally::default();
        tally.begin(false);
        tally.known();
        tally.known();
        assert_eq!(tally.unknown().known, 2);
        assert_eq!(tally.unknown(), Unknown { known: 2, session: Counts { unknown: 2, known: 2 } });
        tally.known();
        let transaction = Counts { unknown: 2, known: 3 };
        assert_eq!(tally.end(true), Some(Ended { delivered: true, transaction }));
        assert_eq!(tally.end(true), None);
    }

    #[test]
    fn the_session_remembers_and_keeps_null_senders_apart() {
        let mut tally = Tally::default();
        tally.begin(false);
        tally.unknown();
        tally.begin(true);
        assert_eq!(tally.unknown().session, Counts { unknown: 1, known: 0 });
        tally.begin(false);
        assert_eq!(tally.unknown().session, Counts { unknown: 2, known: 0 });
    }
}
