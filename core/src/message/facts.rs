//! What policies may ask about a message, as plain data.

use serde::{Deserialize, Serialize};

/// The facts of a message that site policies and explanations read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MessageFacts {
    /// Size of the message as received. Unit: bytes.
    pub size: usize,
    /// Header fields in the order received: name, and body as it stands in the message (folds and encoded words kept).
    pub headers: Vec<(String, String)>,
    /// Addresses of the From header, in lower case.
    pub from: Vec<String>,
    /// The first Subject, decoded.
    pub subject: String,
    /// Attachments in the order of the message, members of archives included.
    pub attachments: Vec<AttachmentFacts>,
}

/// One attachment, or one member of an archive.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AttachmentFacts {
    /// File name, decoded; empty if it has none.
    pub name: String,
    /// Content type as the message says, in lower case: `application/zip`.
    pub content_type: String,
    /// What the bytes are: `zip`, `pdf`, `exe`.
    pub kind: String,
    /// Whether it carries macros.
    pub macros: bool,
    /// Whether it is a program or script.
    pub executable: bool,
    /// Whether it is encrypted, so that nobody could look inside.
    pub encrypted: bool,
    /// Decoded size. Unit: bytes.
    pub size: usize,
    /// SHA-256 of the decoded bytes, in lower-case hex.
    pub sha256: String,
}
