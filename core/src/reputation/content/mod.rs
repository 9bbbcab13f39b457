//! Lists in DNS about what stands in a message: domains of its links and senders, and hashes of addresses.
//!
//! What is asked is found while the message is looked over ([`questions`]), asked at once ([`ask`]), and judged ([`judge`]).

mod ask;
mod judge;
mod questions;
mod settings;

pub use ask::{Answer, ask};
pub use judge::judge;
pub use questions::{Question, Seen, questions};
pub use settings::{ContentList, HashKind, Key, Place};

#[cfg(test)]
mod tests;
