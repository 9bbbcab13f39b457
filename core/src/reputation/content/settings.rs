//! What the site says about lists of domains and addresses.

use super::super::AnswerPattern;
use crate::{lookup::OnTrouble, verdict::Points};
use serde::{Deserialize, Serialize};

/// A list in DNS about domains or addresses in messages.
#[derive(Debug, Clone, PartialEq)]
pub struct ContentList {
    /// Short name for findings: `dbl` makes `uribl.dbl` of a list of domains, and `hashbl.dbl` of one of addresses.
    pub name: String,
    /// Zone that is asked. Its long labels (access keys) are never shown.
    pub zone: String,
    /// By what the list is asked.
    pub key: Key,
    /// Which places of a message are looked at.
    pub of: Vec<Place>,
    /// Names that are never asked, nor those below them.
    pub except: Vec<String>,
    /// Weights by answer; the first pattern that matches an answer counts, and of several answers the heaviest.
    pub points: Vec<(AnswerPattern, Points)>,
    /// Answers by which the list says that it does not answer us.
    pub errors: Vec<AnswerPattern>,
    /// What it means that the list cannot be asked.
    pub on_trouble: OnTrouble,
}

/// By what a list is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// By domain.
    Domain {
        /// Also by the whole name of a host, beside the part that somebody registered.
        whole: bool,
        /// Also by hosts that are IPv4 addresses, their octets in reverse.
        addresses: bool,
    },
    /// By the hash of an address.
    Address(HashKind),
}

/// How an address is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashKind {
    /// SHA-1, which public lists use; nothing here rests on its strength.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// A place of a message where names stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Links of the body; for lists of addresses those of `mailto:`.
    Link,
    /// From.
    From,
    /// Reply-To.
    ReplyTo,
    /// The envelope sender.
    Envelope,
    /// The name in HELO; for lists of domains.
    Helo,
    /// The client's name, as the MTA found it; for lists of domains.
    Client,
}

impl Place {
    /// All places by their words.
    pub const ALL: [(&'static str, Place); 6] = [
        ("link", Place::Link),
        ("from", Place::From),
        ("reply-to", Place::ReplyTo),
        ("envelope", Place::Envelope),
        ("helo", Place::Helo),
        ("client", Place::Client),
    ];
}
