//! The marks that a tagged message carries.

use crate::verdict::{Points, Tag};

/// Marks as configuration describes them. `{points}` in a header value stands for the total of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// Headers to add: name and value.
    pub headers: Vec<(String, String)>,
    /// Text before the subject.
    pub subject: Option<String>,
    /// Text before what the message says.
    pub banner: Option<String>,
}

impl Default for Marks {
    /// The default marks: two headers that mail readers can sort by, and the subject untouched, because a changed
    /// subject breaks the sender's DKIM signature (RFC 6376 §5.4).
    fn default() -> Self {
        Marks {
            headers: vec![
                ("X-Mailward-Flag".to_owned(), "yes".to_owned()),
                ("X-Mailward-Points".to_owned(), "{points}".to_owned()),
            ],
            ..Marks::none()
        }
    }
}

/// Why a text cannot be a mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// RFC 5322 §2.2: printable ASCII without colon.
    #[error("is no header name; write letters, digits and hyphens, as in \"X-Spam-Flag\"")]
    Name,
    /// A header that the message has a right to.
    #[error("belongs to the message itself; choose a name of your own, as in \"X-Spam-Flag\"")]
    Owned,
    /// The value would break the header.
    #[error("must be 1 to {VALUE_BYTES} printable ASCII characters")]
    Value,
    /// The subject mark would break the header or fill it.
    #[error("must be 1 to {SUBJECT_BYTES} printable ASCII characters")]
    Subject,
    /// The banner would say nothing, or more than a banner.
    #[error("must be 1 to {BANNER_BYTES} bytes of text without control characters but line feeds")]
    Banner,
}

/// Longest value of a mark. Unit: bytes. Source: RFC 5322 §2.1.1 grants 998 to a line; ours is far below, so that the
/// field needs no fold.
const VALUE_BYTES: usize = 200;

/// Longest header name. Unit: bytes. Source: RFC 5322 §2.1.1 recommends lines of 78 characters.
const NAME_BYTES: usize = 76;

/// Longest subject mark. Unit: bytes. Source: our own limit; more would push the subject out of sight.
const SUBJECT_BYTES: usize = 40;

/// Longest banner. Unit: bytes. Source: our own limit, some ten lines.
const BANNER_BYTES: usize = 1_000;

/// Headers that no mark may add: a second one would change what the message says or break its trace.
const OWNED: &[&str] = &[
    "arc-authentication-results",
    "arc-message-signature",
    "arc-seal",
    "authentication-results",
    "bcc",
    "cc",
    "content-disposition",
    "content-transfer-encoding",
    "content-type",
    "date",
    "dkim-signature",
    "from",
    "message-id",
    "mime-version",
    "received",
    "received-spf",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
];

impl Marks {
    /// No marks.
    pub fn none() -> Self {
        Marks { headers: Vec::new(), subject: None, banner: None }
    }

    /// Adds what another set of marks has; the earlier subject and banner stand.
    pub fn merge(&mut self, other: &Marks) {
        for header in &other.headers {
            if !self.headers.contains(header) {
                self.headers.push(header.clone());
            }
        }
        if self.subject.is_none() {
            self.subject.clone_from(&other.subject);
        }
        if self.banner.is_none() {
            self.banner.clone_from(&other.banner);
        }
    }

    /// The marks for a message of this total.
    pub(super) fn fill(&self, total: Points) -> Tag {
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.replace("{points}", &total.to_string())))
            .collect();
        headers.sort();
        headers.dedup();
        Tag { headers, subject: self.subject.clone(), banner: self.banner.clone() }
    }

    /// Checks a header for configuration.
    ///
    /// # Errors
    ///
    /// If name or value would make a malformed or misleading header.
    pub fn check_header(name: &str, value: &str) -> Result<(), MarkError> {
        if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
            return Err(MarkError::Name);
        }
        if OWNED.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(MarkError::Owned);
        }
        if printable(value, VALUE_BYTES) { Ok(()) } else { Err(MarkError::Value) }
    }

    /// Checks a subject mark for configuration.
    ///
    /// # Errors
    ///
    /// If it would break the header.
    pub fn check_subject(text: &str) -> Result<(), MarkError> {
        if printable(text, SUBJECT_BYTES) { Ok(()) } else { Err(MarkError::Subject) }
    }

    /// Checks a banner for configuration.
    ///
    /// # Errors
    ///
    /// If it is empty, too long, or holds control characters.
    pub fn check_banner(text: &str) -> Result<(), MarkError> {
        let text = text.trim();
        let good = !text.is_empty() && text.len() <= BANNER_BYTES && text.chars().all(|c| !c.is_control() || c == '\n');
        if good { Ok(()) } else { Err(MarkError::Banner) }
    }
}

fn printable(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.len() <= most && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_cannot_inject_or_forge_a_header() {
        assert_eq!(Marks::check_header("X-Flag", "yes\r\nBcc: x@y.test"), Err(MarkError::Value));
        assert_eq!(Marks::check_header("X-Flag:", "yes"), Err(MarkError::Name));
        assert_eq!(Marks::check_header("X Flag", "yes"), Err(MarkError::Name));
        assert_eq!(Marks::check_header("FROM", "boss@x.test"), Err(MarkError::Owned));
        assert_eq!(Marks::check_header("X-Flag", "yes"), Ok(()));
        assert_eq!(Marks::check_subject("[SPAM]\n"), Err(MarkError::Subject));
        assert_eq!(Marks::check_banner("two\nlines, ünïcode"), Ok(()));
        assert_eq!(Marks::check_banner("bell\u{7}"), Err(MarkError::Banner));
    }

    #[test]
    fn the_default_marks_are_valid_and_name_the_points() {
        let marks = Marks::default();
        for (name, value) in &marks.headers {
            assert_eq!(Marks::check_header(name, value), Ok(()));
        }
        let tag = marks.fill(Points::hundredths(720));
        assert!(tag.headers.contains(&("X-Mailward-Points".into(), "7.20".into())));
    }
}
