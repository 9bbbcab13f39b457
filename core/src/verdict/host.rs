//! What the mail server behind a door can do.

use serde::{Deserialize, Serialize};

/// What a host can do with a message that it takes. A verdict asks for nothing else, and says what it would have asked
/// for. The default is what a milter can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Host {
    /// Add, change and remove header fields.
    pub edit_header: bool,
    /// Replace the body.
    pub replace_body: bool,
    /// Change the sender of the envelope.
    pub change_sender: bool,
    /// Take a recipient off a message that others get.
    pub remove_recipient: bool,
    /// Add a recipient.
    pub add_recipient: bool,
    /// Keep a message in a quarantine of its own.
    pub hold: bool,
    /// Answer for each recipient at the end of the message (LMTP, RFC 2033 §4.2; PRDR).
    pub reply_by_recipient: bool,
}

impl Default for Host {
    fn default() -> Self {
        Host {
            edit_header: true,
            replace_body: true,
            change_sender: true,
            remove_recipient: true,
            add_recipient: true,
            hold: true,
            reply_by_recipient: false,
        }
    }
}

impl Host {
    /// Whether it is what a milter can do.
    pub fn is_default(&self) -> bool {
        *self == Host::default()
    }
}
