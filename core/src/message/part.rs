//! The leaves of the MIME tree.

use super::FileKind;
use std::borrow::Cow;

/// A MIME part that holds content (containers have their children instead).
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// Place in the tree as IMAP counts it: `1.2` is the second part of the first.
    pub path: String,
    /// Declared type, lower case: `text/plain` if none is declared (RFC 2045 §5.2).
    pub content_type: String,
    /// Declared character set, lower case.
    pub charset: Option<String>,
    /// File name of Content-Disposition or Content-Type, decoded.
    pub name: Option<String>,
    /// Content-Disposition.
    pub disposition: Disposition,
    /// Transfer encoding.
    pub encoding: Encoding,
    /// Content after transfer decoding, within [`super::Bounds::decoded_bytes`].
    pub content: Cow<'a, [u8]>,
    /// Whether `content` was cut.
    pub cut: bool,
    /// What the content is by its first bytes.
    pub kind: FileKind,
    /// Whether this part is declared as text that a mail program shows as the body.
    pub is_body: bool,
}

impl Part<'_> {
    /// Whether a mail program offers this part as a file: also a text with a name, or a file that is declared as text.
    pub fn is_attachment(&self) -> bool {
        let has_name = self.name.as_ref().is_some_and(|name| !name.is_empty());
        !self.is_body || has_name || mailward_unpack::is_beyond_text(&self.content, self.kind)
    }

    /// Name for logs, as in `part 1.2`. The file name is not in it: that is words of the message.
    pub fn label(&self) -> String {
        format!("part {}", self.path)
    }
}

/// What Content-Disposition says (RFC 2183).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Disposition {
    /// There is none.
    #[default]
    Absent,
    /// Shown in place.
    Inline,
    /// Offered as a file; also any unknown word (RFC 2183 §2.8).
    Attachment,
}

/// Transfer encoding (RFC 2045 §6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// `7bit`, `8bit`, `binary`, none or unknown.
    #[default]
    Identity,
    /// `quoted-printable`.
    QuotedPrintable,
    /// `base64`.
    Base64,
}
