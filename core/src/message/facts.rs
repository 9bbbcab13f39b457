//! What policies may ask about a message, as plain data.

use super::{LinkKind, Message, Script, language, script};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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
    /// Parts that are offered as files, also those that are shown as text.
    pub attachments: Vec<AttachmentFacts>,
    /// The text of the plain parts, and what the HTML parts show, within the bounds of the parse; empty ones are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<String>,
    /// Hosts of the links that a reader may follow: ASCII, lower case.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub link_hosts: BTreeSet<String>,
    /// Character sets that parts of text declare, lower case.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub charsets: BTreeSet<String>,
    /// The writing that most letters of the text are in; `None` if it has few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
    /// The language of the text, as its code in ISO 639-1; `None` if it cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// What is told of a message beyond that which costs nothing: policies ask seldom for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// [`MessageFacts::texts`].
    pub texts: bool,
    /// [`MessageFacts::link_hosts`].
    pub link_hosts: bool,
    /// [`MessageFacts::charsets`].
    pub charsets: bool,
    /// [`MessageFacts::script`].
    pub script: bool,
    /// [`MessageFacts::language`].
    pub language: bool,
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
pub fn facts(message: &Message<'_>, wanted: Wanted) -> MessageFacts {
    MessageFacts {
        texts: if wanted.texts { texts(message) } else { Vec::new() },
        link_hosts: if wanted.link_hosts { link_hosts(message) } else { BTreeSet::new() },
        charsets: if wanted.charsets { charsets(message) } else { BTreeSet::new() },
        script: wanted.script.then(|| script::dominant(message.text.visible())).flatten(),
        language: wanted.language.then(|| language::of(message.text.visible())).flatten().map(str::to_owned),
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

fn texts(message: &Message<'_>) -> Vec<String> {
    let texts = [&message.text.plain, &message.text.shown].into_iter();
    texts.filter(|text| !text.trim().is_empty()).cloned().collect()
}

fn link_hosts(message: &Message<'_>) -> BTreeSet<String> {
    let followed = message.links.iter().filter(|link| link.kind != LinkKind::Image && !link.host.is_empty());
    followed.map(|link| link.host.clone()).collect()
}

fn charsets(message: &Message<'_>) -> BTreeSet<String> {
    let of_text = message.parts.iter().filter(|part| part.content_type.starts_with("text/"));
    of_text.filter_map(|part| part.charset.clone()).collect()
}
