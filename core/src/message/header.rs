//! Header fields in their order.

use mail_parser::{HeaderForm, HeaderValue};
use std::borrow::Cow;

/// One header field as it came.
#[derive(Debug, Clone)]
pub struct Header<'a> {
    /// Field name as written, without the colon.
    pub name: Cow<'a, str>,
    /// What follows the colon, leading blank and folds included, without the final line end.
    pub value: &'a [u8],
}

impl Header<'_> {
    /// The value unfolded, with encoded words (RFC 2047) decoded.
    pub fn decoded(&self) -> String {
        match HeaderForm::Text.parse(self.value).value() {
            HeaderValue::Text(text) => text.to_owned(),
            _ => String::new(),
        }
    }

    /// The mailboxes of an address field; group names are dropped.
    pub fn mailboxes(&self) -> Vec<Mailbox> {
        let parsed = HeaderForm::Addresses.parse(self.value);
        let HeaderValue::Address(list) = parsed.value() else { return Vec::new() };
        list.mailboxes()
            .take(MAILBOXES)
            .map(|mailbox| Mailbox {
                name: mailbox.name().unwrap_or_default().trim().to_owned(),
                address: mailbox.address().unwrap_or_default().trim().to_owned(),
            })
            .collect()
    }

    /// The value as a date, in Unix seconds.
    pub fn timestamp(&self) -> Option<i64> {
        match HeaderForm::Date.parse(self.value).value() {
            HeaderValue::DateTime(date) if date.is_valid() => Some(date.to_timestamp()),
            _ => None,
        }
    }
}

/// Most mailboxes read from one field. Unit: mailboxes. Source: our own limit, the recipients of one transaction.
const MAILBOXES: usize = 1_000;

/// A mailbox of an address field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// Display name, decoded; may be empty.
    pub name: String,
    /// Address as written; may be empty or no address at all.
    pub address: String,
}

impl Mailbox {
    /// The domain of the address in lower case; empty if there is none.
    pub fn domain(&self) -> String {
        self.address.rsplit_once('@').map(|(_, domain)| domain.trim_end_matches('.').to_lowercase()).unwrap_or_default()
    }
}

/// All header fields of a message, from the top.
#[derive(Debug, Clone, Default)]
pub struct Headers<'a>(pub(super) Vec<Header<'a>>);

impl<'a> Headers<'a> {
    /// All fields from the top.
    pub fn iter(&self) -> std::slice::Iter<'_, Header<'a>> {
        self.0.iter()
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields of this name with their occurrence, counted from 1 from the top, as header edits name them.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = (u32, &'s Header<'a>)> {
        (1..).zip(self.0.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)))
    }

    /// The topmost field of this name.
    pub fn first(&self, name: &str) -> Option<&Header<'a>> {
        self.0.iter().find(|header| header.name.eq_ignore_ascii_case(name))
    }

    /// Whether a field of this name is there.
    pub fn has(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    /// The decoded value of the topmost field of this name.
    pub fn decoded(&self, name: &str) -> Option<String> {
        self.first(name).map(Header::decoded)
    }

    /// The mailboxes of all fields of this name.
    pub fn mailboxes(&self, name: &str) -> Vec<Mailbox> {
        self.all(name).flat_map(|(_, header)| header.mailboxes()).take(MAILBOXES).collect()
    }
}
