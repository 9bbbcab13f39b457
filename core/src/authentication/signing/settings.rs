//! With which keys outbound mail is signed.

use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// Header fields that are signed where a message has them. Source: RFC 6376 §5.4.1, and the fields of lists and MIME by
/// which mail programs act.
pub const SIGNED: &[&str] = &[
    "From",
    "Sender",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "To",
    "Cc",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-ID",
    "Content-Description",
    "In-Reply-To",
    "References",
    "Resent-Date",
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Resent-Cc",
    "Resent-Message-ID",
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
    "Autocrypt",
];

/// Of these nobody may add one later without breaking the signature (RFC 6376 §8.15). Date and Message-ID are not among
/// them: Sendmail adds them behind its milters.
pub const SEALED: &[&str] = &["From", "Reply-To", "Subject", "To", "Cc"];

/// One entry of `[[outbound.dkim]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// Where the entry names its key, for faults: file, line and column.
    pub place: String,
    /// Who signs (`d=`). Lower case ASCII.
    pub domain: String,
    /// Under which name the key is published (`s=`).
    pub selector: String,
    /// File with the private key.
    pub key: PathBuf,
    /// Other domains of authors for which this key signs. Lower case ASCII.
    pub domains: Vec<String>,
    /// Names of the fields that are signed where a message has them, beside [`SEALED`].
    pub headers: Vec<String>,
    /// How header and body are made alike before they are hashed (`c=`).
    pub canonicalization: (Canonicalization, Canonicalization),
    /// How long a signature is good (`x=`); `None`: for ever.
    pub expire: Option<Duration>,
    /// The key signs from this time on. Unix seconds.
    pub from: Option<i64>,
    /// And until this time. Unix seconds.
    pub until: Option<i64>,
}

/// How a message is made alike before it is hashed (RFC 6376 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Canonicalization {
    /// As it stands.
    Simple,
    /// Case of names and white space do not count.
    Relaxed,
}

impl KeySettings {
    /// Whether the key signs at this time. Unix seconds.
    pub fn in_force(&self, now: i64) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }

    /// The name of the TXT record with the public half.
    pub fn record_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// How near the entry is to an author's domain: the length of the name that fits, its own, one of `domains`, or the
    /// entry's domain above the author's. `None`: it does not sign for it.
    pub(super) fn nearness(&self, author: &str) -> Option<usize> {
        let below =
            author.strip_suffix(self.domain.as_str()).is_some_and(|head| head.is_empty() || head.ends_with('.'));
        match self.domains.iter().any(|domain| domain == author) {
            true => Some(author.len()),
            false => below.then_some(self.domain.len()),
        }
    }
}
