//! The marks that a tagged message carries.

use crate::{
    session::Address,
    verdict::{Points, Tag},
};

/// Marks as configuration describes them. `{points}` in a header value stands for the total of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// Headers to add: name and value.
    pub headers: Vec<(String, String)>,
    /// Headers that get this value, whatever they had: name and value.
    pub set: Vec<(String, String)>,
    /// Names of headers to remove.
    pub removed: Vec<String>,
    /// Text before the subject.
    pub subject: Option<String>,
    /// Text before what the message says.
    pub banner: Option<String>,
    /// Text after it.
    pub disclaimer: Option<String>,
    /// Who gets a blind copy. It shows in no header.
    pub copies: Vec<Address>,
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
    /// A header that makes the message what it is, or its trace.
    #[error("cannot be removed: the message needs it, or it tells where the message has been")]
    Kept,
    /// A header whose value is the sender's to choose.
    #[error("cannot be set: it says who wrote what to whom, or where the message has been")]
    NotSet,
    /// The subject is marked, not replaced.
    #[error("cannot be set; write subject = \"[MARK]\" to put a text before it")]
    SubjectNotSet,
    /// The value would break the header.
    #[error("must be 1 to {VALUE_BYTES} printable ASCII characters")]
    Value,
    /// The subject mark would break the header or fill it.
    #[error("must be 1 to {SUBJECT_BYTES} printable ASCII characters")]
    Subject,
    /// The text would say nothing, or more than a message bears.
    #[error("must be 1 to {TEXT_BYTES} bytes of text without control characters but line feeds")]
    Text,
}

/// Longest value of a mark. Unit: bytes. Source: RFC 5322 §2.1.1 grants 998 to a line; ours is far below, so that the
/// field needs no fold.
const VALUE_BYTES: usize = 200;

/// Longest header name. Unit: bytes. Source: RFC 5322 §2.1.1 recommends lines of 78 characters.
const NAME_BYTES: usize = 76;

/// Longest subject mark. Unit: bytes. Source: our own limit; more would push the subject out of sight.
const SUBJECT_BYTES: usize = 40;

/// Longest banner, disclaimer or note. Unit: bytes. Source: our own limit, some twenty lines.
const TEXT_BYTES: usize = 2_000;

/// Headers that no mark may add, besides those that stay: a second one would change what the message says.
const OWNED: &[&str] = &["bcc", "cc", "message-id", "reply-to", "sender", "subject", "to"];

/// Headers that stay as they came: without them the message is none (RFC 5322 §3.6), cannot be read (RFC 2045 §3), or has lost
/// its trace (RFC 5321 §4.4, RFC 4870, RFC 6376, RFC 8601 §4.1).
const KEPT: &[&str] = &[
    "authentication-results",
    "date",
    "dkim-signature",
    "domainkey-signature",
    "from",
    "mime-version",
    "received",
    "received-spf",
    "return-path",
];

/// How the names of others begin that stay (RFC 8617, RFC 2045 §9, RFC 5322 §3.6.6).
const KEPT_FAMILIES: &[&str] = &["arc-", "content-", "resent-"];

/// Headers that may be removed but not be given another value (RFC 5322 §3.6.3, §3.6.4).
const NOT_SET: &[&str] = &["bcc", "cc", "message-id", "to"];

impl Marks {
    /// No marks.
    pub fn none() -> Self {
        Marks {
            headers: Vec::new(),
            set: Vec::new(),
            removed: Vec::new(),
            subject: None,
            banner: None,
            disclaimer: None,
            copies: Vec::new(),
        }
    }

    /// Adds what another set of marks has. What the earlier one does with subject, banner, disclaimer and a header of this
    /// name stands.
    pub fn merge(&mut self, other: &Marks) {
        for header in &other.headers {
            if !self.headers.contains(header) {
                self.headers.push(header.clone());
            }
        }
        for (name, value) in &other.set {
            if !self.changes(name) {
                self.set.push((name.clone(), value.clone()));
            }
        }
        for name in &other.removed {
            if !self.changes(name) {
                self.removed.push(name.clone());
            }
        }
        for (own, other) in [
            (&mut self.subject, &other.subject),
            (&mut self.banner, &other.banner),
            (&mut self.disclaimer, &other.disclaimer),
        ] {
            if own.is_none() {
                own.clone_from(other);
            }
        }
        for copy in &other.copies {
            if !self.copies.contains(copy) {
                self.copies.push(copy.clone());
            }
        }
    }

    /// Whether a header of this name is removed or set.
    fn changes(&self, name: &str) -> bool {
        let mut changed = self.set.iter().map(|(name, _)| name).chain(&self.removed);
        changed.any(|changed| changed.eq_ignore_ascii_case(name))
    }

    /// The marks for a message of this total.
    pub(super) fn fill(&self, total: Points) -> Tag {
        let filled = |pairs: &[(String, String)]| {
            let value = |value: &String| value.replace("{points}", &total.to_string());
            let mut filled: Vec<_> = pairs.iter().map(|(name, text)| (name.clone(), value(text))).collect();
            filled.sort();
            filled.dedup();
            filled
        };
        let mut removed: Vec<String> = self.removed.iter().map(|name| name.to_ascii_lowercase()).collect();
        removed.sort();
        Tag {
            headers: filled(&self.headers),
            set: filled(&self.set),
            removed,
            subject: self.subject.clone(),
            banner: self.banner.clone(),
            disclaimer: self.disclaimer.clone(),
            stripped: 0,
        }
    }

    /// Checks a header for configuration.
    ///
    /// # Errors
    ///
    /// If name or value would make a malformed or misleading header.
    pub fn check_header(name: &str, value: &str) -> Result<(), MarkError> {
        let lower = checked_name(name)?;
        if is_kept(&lower) || OWNED.contains(&lower.as_str()) {
            return Err(MarkError::Owned);
        }
        if printable(value, VALUE_BYTES) { Ok(()) } else { Err(MarkError::Value) }
    }

    /// Checks a header that is to be removed.
    ///
    /// # Errors
    ///
    /// If the message needs it.
    pub fn check_removed(name: &str) -> Result<(), MarkError> {
        let lower = checked_name(name)?;
        if is_kept(&lower) { Err(MarkError::Kept) } else { Ok(()) }
    }

    /// Checks a header that is to get a value.
    ///
    /// # Errors
    ///
    /// If it is the sender's or the trace, or the value would make a malformed header.
    pub fn check_set(name: &str, value: &str) -> Result<(), MarkError> {
        let lower = checked_name(name)?;
        if lower == "subject" {
            return Err(MarkError::SubjectNotSet);
        }
        if is_kept(&lower) || NOT_SET.contains(&lower.as_str()) {
            return Err(MarkError::NotSet);
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

    /// Checks a banner, disclaimer or note for configuration.
    ///
    /// # Errors
    ///
    /// If it is empty, too long, or holds control characters.
    pub fn check_text(text: &str) -> Result<(), MarkError> {
        let text = text.trim();
        let good = !text.is_empty() && text.len() <= TEXT_BYTES && text.chars().all(|c| !c.is_control() || c == '\n');
        if good { Ok(()) } else { Err(MarkError::Text) }
    }
}

/// The name in lower case, if it is one.
fn checked_name(name: &str) -> Result<String, MarkError> {
    let good = !name.is_empty() && name.len() <= NAME_BYTES && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    if good { Ok(name.to_ascii_lowercase()) } else { Err(MarkError::Name) }
}

fn is_kept(lower: &str) -> bool {
    KEPT.contains(&lower) || KEPT_FAMILIES.iter().any(|family| lower.starts_with(family))
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
        assert_eq!(Marks::check_text("two\nlines, ünïcode"), Ok(()));
        assert_eq!(Marks::check_text("bell\u{7}"), Err(MarkError::Text));
    }

    #[test]
    fn what_a_message_is_and_where_it_has_been_is_neither_removed_nor_set() {
        let whole =
            ["From", "DATE", "Received", "DKIM-Signature", "DomainKey-Signature", "Return-Path", "MIME-Version"];
        let families = ["Content-Type", "Content-ID", "content-x", "Resent-To", "ARC-Seal", "ARC-New"];
        for name in whole.into_iter().chain(families) {
            assert_eq!(Marks::check_removed(name), Err(MarkError::Kept), "{name}");
            assert_eq!(Marks::check_set(name, "x"), Err(MarkError::NotSet), "{name}");
        }
        for name in ["To", "Message-ID"] {
            assert_eq!((Marks::check_removed(name), Marks::check_set(name, "x")), (Ok(()), Err(MarkError::NotSet)));
        }
        assert_eq!(Marks::check_set("subject", "x"), Err(MarkError::SubjectNotSet));
        assert_eq!(Marks::check_set("Reply-To", "list@example.com"), Ok(()));
        assert_eq!(Marks::check_set("Reply-To", "a\nBcc: b"), Err(MarkError::Value));
    }

    #[test]
    fn what_the_earlier_marks_do_with_a_header_stands() {
        let set = |value: &str| Marks { set: vec![("Reply-To".into(), value.into())], ..Marks::none() };
        let mut marks = set("a@example.com");
        marks.merge(&set("b@example.com"));
        marks.merge(&Marks { removed: vec!["REPLY-TO".into(), "X-Ip".into()], ..Marks::none() });
        assert_eq!(
            (marks.set.len(), marks.set[0].1.as_str(), marks.removed),
            (1, "a@example.com", vec!["X-Ip".into()])
        );
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
