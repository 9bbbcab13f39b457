//! The quarantine: how much it may hold, and what lets a message out of it pass again.

mod deliver;
pub mod release;

pub use deliver::{ReleaseError, release};

use crate::store::quarantine::Quota;
use std::path::PathBuf;

/// Settings of the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// At a bound messages are deferred.
    pub quota: Quota,
    /// The folder of the private keys; `None`: in the state directory.
    pub private_keys: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        let quota = Quota { messages: 100_000, bytes: 20 << 30, of_recipient: 10_000 };
        Settings { quota, private_keys: None }
    }
}
