//! SMTP replies that cannot be malformed.

use super::Reference;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A 4xx or 5xx SMTP reply of one line. The peer gets this bland text; the cause goes to the log.
///
/// Invariants (RFC 5321 §4.2, RFC 3463 §2): the code is 400–599, the enhanced code has the same class, the text
/// is printable ASCII and short enough for a reply line with a reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawReply", into = "RawReply")]
pub struct Reply {
    code: u16,
    enhanced: (u8, u16, u16),
    text: String,
}

/// Longest reply text. Unit: bytes. Source: RFC 5321 §4.5.3.1.5 allows 512 for the whole line; codes, reference and
/// line end take the rest.
const TEXT_BYTES: usize = 440;

/// Why a reply cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The code is not 400–599.
    #[error("{0} is not a 4xx or 5xx reply code")]
    Code(u16),
    /// The enhanced code has another class than the code, or a part over 999.
    #[error("enhanced code {}.{}.{} does not fit reply code {code}", .enhanced.0, .enhanced.1, .enhanced.2)]
    Enhanced {
        /// The reply code.
        code: u16,
        /// The enhanced code.
        enhanced: (u8, u16, u16),
    },
    /// The text is empty, too long, or has a character outside printable ASCII.
    #[error("reply text must be 1 to {TEXT_BYTES} printable ASCII characters: {0:?}")]
    Text(String),
}

impl Reply {
    /// Builds a reply.
    ///
    /// # Errors
    ///
    /// If an invariant of the type would break.
    pub fn new(code: u16, enhanced: (u8, u16, u16), text: impl Into<String>) -> Result<Self, ReplyError> {
        let text = text.into();
        if !(400..=599).contains(&code) {
            return Err(ReplyError::Code(code));
        }
        if u16::from(enhanced.0) != code / 100 || enhanced.1 > 999 || enhanced.2 > 999 {
            return Err(ReplyError::Enhanced { code, enhanced });
        }
        if text.is_empty() || text.len() > TEXT_BYTES || !text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return Err(ReplyError::Text(text));
        }
        Ok(Reply { code, enhanced, text })
    }

    /// A reply whose parts are written in our own source; a slip there becomes a plain temporary failure.
    pub(crate) fn fixed(code: u16, enhanced: (u8, u16, u16), text: &str) -> Self {
        Self::new(code, enhanced, text).unwrap_or_else(|_| Reply {
            code: 451,
            enhanced: (4, 3, 0),
            text: "Temporary failure, please try again later".to_owned(),
        })
    }

    /// The reply code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// Whether the client may try again.
    pub fn is_temporary(&self) -> bool {
        self.code < 500
    }

    /// The enhanced status code, as in `5.7.1`.
    pub fn enhanced(&self) -> String {
        format!("{}.{}.{}", self.enhanced.0, self.enhanced.1, self.enhanced.2)
    }

    /// The text without codes and reference.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text as the client sees it, with the reference that `mailward explain` resolves.
    pub fn text_with(&self, reference: Reference) -> String {
        format!("{} [ref {reference}]", self.text)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.enhanced(), self.text)
    }
}

#[derive(Serialize, Deserialize)]
struct RawReply {
    code: u16,
    enhanced: (u8, u16, u16),
    text: String,
}

impl TryFrom<RawReply> for Reply {
    type Error = ReplyError;

    fn try_from(raw: RawReply) -> Result<Self, ReplyError> {
        Reply::new(raw.code, raw.enhanced, raw.text)
    }
}

impl From<Reply> for RawReply {
    fn from(reply: Reply) -> Self {
        RawReply { code: reply.code, enhanced: reply.enhanced, text: reply.text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_reply_cannot_be_built() {
        assert!(Reply::new(250, (2, 0, 0), "ok").is_err());
        assert!(Reply::new(550, (4, 7, 1), "class differs").is_err());
        assert!(Reply::new(550, (5, 7, 1), "two\r\nlines").is_err());
        assert!(Reply::new(550, (5, 7, 1), "").is_err());
        assert!(Reply::new(550, (5, 7, 1), "x".repeat(600)).is_err());
        assert_eq!(Reply::new(550, (5, 7, 1), "no").map(|r| r.to_string()), Ok("550 5.7.1 no".to_owned()));
    }
}
