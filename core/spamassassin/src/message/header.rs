//! The head of a message: fields as written, and as rules ask for them.

use super::{encoding, mime};

/// A field.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// Name as written.
    pub(crate) name: String,
    /// What follows the colon, folds and final line end included.
    pub(crate) raw: Vec<u8>,
}

/// Fields from the top.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(pub(crate) Vec<Field>);

/// The head of a message.
pub(super) struct Head {
    pub(super) fields: Fields,
    /// Length, with the blank line behind it. Unit: bytes.
    pub(super) length: usize,
    /// Whether there is that blank line.
    pub(super) separated: bool,
    /// Whether a field was too long.
    pub(super) truncated: bool,
}

/// Longest field name. Unit: bytes. Source: SpamAssassin.
const NAME: usize = 256;
/// Longest value of a field. Unit: bytes. Source: SpamAssassin.
const VALUE: usize = 8_192;
/// Longest head that `ALL` shows. Unit: bytes. Source: SpamAssassin.
const ALL: usize = 65_536;
/// Most lines that are no field before the head counts as ended. Unit: lines. Source: SpamAssassin.
const BAD_LINES: usize = 3;

/// Fields whose encoded words are not decoded.
const NEVER_ENCODED: &[&str] = &[
    "received",
    "message-id",
    "date",
    "resent-message-id",
    "resent-date",
    "mime-version",
    "references",
    "in-reply-to",
];

impl Field {
    /// The value unfolded and decoded, without blanks around it.
    pub(crate) fn decoded(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(self.raw.len());
        let mut rest = self.raw.as_slice();
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let blanks = rest[at + 1..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            value.extend_from_slice(&rest[..at]);
            if blanks > 0 {
                value.push(b' ');
            }
            rest = &rest[at + 1 + blanks..];
        }
        value.extend_from_slice(rest);
        decode(value.trim_ascii(), &self.name)
    }
}

/// A value with 8-bit text and encoded words as UTF-8.
pub(super) fn decode(value: &[u8], name: &str) -> Vec<u8> {
    let utf8 = encoding::to_utf8(value, "utf-8", false);
    let value = if value.is_ascii() { value } else { utf8.as_bytes() };
    let lower = name.to_ascii_lowercase();
    if NEVER_ENCODED.contains(&lower.as_str())
        || lower.starts_with("list-")
        || memchr::memmem::find(value, b"=?").is_none()
    {
        return value.to_vec();
    }
    encoding::words(value)
}

impl Fields {
    /// The fields of this name, from the top.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f Field> {
        self.0.iter().filter(move |field| field.name.eq_ignore_ascii_case(name))
    }

    /// The decoded value of the lowest field of this name.
    pub(crate) fn last(&self, name: &str) -> Option<Vec<u8>> {
        self.all(name).last().map(Field::decoded)
    }

    /// The whole head, decoded: `Name: value` lines.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for field in &self.0 {
            if text.len() > ALL {
                break;
            }
            text.extend_from_slice(field.name.as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(&field.decoded());
            text.push(b'\n');
        }
        text
    }
}

/// Reads the head at the beginning of a message whose lines end in line feeds.
pub(super) fn head(message: &[u8]) -> Head {
    let mut head = Head { fields: Fields::default(), length: 0, separated: false, truncated: false };
    let mut field: Option<Vec<u8>> = None;
    let mut bad_lines = 0;
    // The line that mailbox files put before a message.
    if message.starts_with(b"From ") {
        head.length = memchr::memchr(b'\n', message).map_or(message.len(), |end| end + 1);
    }
    loop {
        let rest = &message[head.length..];
        let line = &rest[..memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)];
        if line.is_empty() {
            break;
        }
        if let (b' ' | b'\t', Some(field)) = (line[0], field.as_mut()) {
            field.extend_from_slice(line);
            head.length += line.len();
            continue;
        }
        head.take(field.take());
        if line == b"\n" {
            head.separated = true;
            head.length += 1;
            return head;
        }
        if line.starts_with(b"--") {
            return head;
        }
        if !mime::begins_field(line, true) {
            bad_lines += 1;
            if bad_lines > BAD_LINES {
                return head;
            }
        }
        field = Some(line.to_vec());
        head.length += line.len();
    }
    head.take(field);
    head
}

impl Head {
    fn take(&mut self, field: Option<Vec<u8>>) {
        let Some(field) = field else { return };
        let Some(colon) = memchr::memchr(b':', &field) else { return };
        let mut name = String::from_utf8_lossy(&field[..colon]).trim_end().to_owned();
        if name.len() > NAME {
            name = name.chars().take(NAME).collect();
            self.truncated = true;
        }
        let mut raw = field[colon + 1..].to_vec();
        self.truncated |= raw.len() > VALUE;
        raw.truncate(VALUE);
        self.fields.0.push(Field { name, raw });
    }
}
