//! What the policies ask for, so that nobody finds out what nobody asks.

use super::{Conditions, Settings};
use crate::message::Wanted;

/// What the policies ask for that is not told of every message. Found once, at load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asks {
    /// The client's country.
    pub country: bool,
    /// Of the message.
    pub message: Wanted,
}

impl Settings {
    /// What these policies ask for.
    pub fn asks(&self) -> Asks {
        let mut asks = Asks::default();
        let mut note = |when: &Conditions| {
            asks.country |= !when.country.is_empty();
            asks.message.texts |= !when.text.is_empty();
            asks.message.link_hosts |= !when.link.is_empty();
            asks.message.charsets |= !when.charset.is_empty();
            asks.message.script |= !when.script.is_empty();
            asks.message.language |= !when.language.is_empty();
        };
        self.policies.iter().for_each(|policy| policy.when.each(&mut note));
        asks
    }
}
