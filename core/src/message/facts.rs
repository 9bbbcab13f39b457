//! What policies may ask about a message, as plain data.

use super::Message;
use serde::{Deserialize, Serialize};

/// What policies may ask about a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MessageFacts {
    /// Size of the message as received. Unit: bytes.
    pub size: usize,
    /// Header fields from the top: name as written, value decoded.
    pub headers: Vec<(String, String)>,
    /// Addresses of the From field, lower case.
    pub from: Vec<String>,
    /// Subject, decoded.
    pub subject: String,
    /// Parts that are offered as files.
    pub attachments: Vec<AttachmentFacts>,
}

/// What policies may ask about an attachment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AttachmentFacts {
    /// Index in [`Message::parts`].
    pub part: usize,
    /// File name, decoded; may be empty.
    pub name: String,
    /// Declared type, lower case: `application/pdf`.
    pub content_type: String,
    /// What the content is by its first bytes, a lower-case word such as `zip`, `ole`, `pdf`, `exe`, `ooxml`.
    pub kind: String,
    /// Whether it holds Office macros.
    pub macros: bool,
    /// Whether it, or a member of the archive that it is, would run when opened.
    pub executable: bool,
    /// Whether its content is locked by a password.
    pub encrypted: bool,
    /// Size after decoding. Unit: bytes.
    pub size: usize,
    /// SHA-256 of the decoded content, lower-case hexadecimal.
    pub sha256: String,
}

/// The facts of a message that policies ask about.
pub fn facts(message: &Message<'_>) -> MessageFacts {
    MessageFacts {
        size: message.raw.len(),
        headers: message.headers.iter().map(|h| (h.name.to_string(), h.decoded())).collect(),
        from: message.from.iter().map(|m| m.address.to_lowercase()).collect(),
        subject: message.subject.clone(),
        attachments: message
            .attachments
            .iter()
            .map(|a| AttachmentFacts {
                part: a.part,
                name: a.name.clone(),
                content_type: a.content_type.clone(),
                kind: a.kind.word().to_owned(),
                macros: a.macros,
                executable: a.executable,
                encrypted: a.encrypted,
                size: a.size,
                sha256: a.sha256.clone(),
            })
            .collect(),
    }
}
