//! Bytes to parts, text, links and attachments, within bounds. Nothing here fails: what is broken shows as [`Damage`].
//!
//! mail-parser is named only in this room.

mod archive;
mod attachment;
mod bounds;
mod content;
mod damage;
mod edited;
mod elements;
mod facts;
mod header;
mod html;
mod language;
mod link;
mod paced;
mod parse;
mod part;
mod rewrite;
mod script;
mod style;

pub use attachment::Attachment;
pub use bounds::Bounds;
pub use content::{HtmlFacts, Text};
pub use damage::Damage;
pub use edited::{edited, name_of, split};
pub use facts::{AttachmentFacts, MessageFacts, Wanted, facts};
pub use header::{Header, Headers, Mailbox};
pub use language::languages;
pub use link::{Link, LinkKind};
pub use mailward_unpack::FileKind;
pub use parse::parse;
pub use part::{Disposition, Encoding, Part};
pub use rewrite::{Changes, Field, Rewritten, rewrite};
pub use script::{SCRIPTS, Script};

use std::collections::BTreeSet;

/// A message taken apart.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// The bytes as received.
    pub raw: &'a [u8],
    /// Header fields from the top.
    pub headers: Headers<'a>,
    /// Mailboxes of all From fields.
    pub from: Vec<Mailbox>,
    /// Mailboxes of all Reply-To fields.
    pub reply_to: Vec<Mailbox>,
    /// Mailboxes of all To fields.
    pub to: Vec<Mailbox>,
    /// Mailboxes of all Cc fields.
    pub cc: Vec<Mailbox>,
    /// Topmost Subject, decoded; empty if there is none.
    pub subject: String,
    /// Topmost Date in Unix seconds, if it can be read.
    pub date: Option<i64>,
    /// The leaves of the MIME tree in their order.
    pub parts: Vec<Part<'a>>,
    /// Files among the parts, also those that are shown as text.
    pub attachments: Vec<Attachment>,
    /// The words of the body.
    pub text: Text,
    /// What the HTML parts are made of.
    pub html: HtmlFacts,
    /// Links of the body.
    pub links: Vec<Link>,
    /// What is wrong with the structure.
    pub damage: BTreeSet<Damage>,
}

impl Message<'_> {
    /// The Message-ID as written, without blanks around it.
    pub fn message_id(&self) -> Option<String> {
        self.headers.first("Message-ID").map(|h| String::from_utf8_lossy(h.value).trim().to_owned())
    }

    /// What stands between the angle brackets of List-Id (RFC 2919), lower case.
    pub fn list_id(&self) -> Option<String> {
        let value = self.headers.decoded("List-Id")?;
        let id = value.rsplit_once('<').map_or(value.as_str(), |(_, id)| id);
        Some(id.trim().trim_end_matches('>').to_lowercase()).filter(|id| !id.is_empty())
    }

    /// Files that are not shown as text.
    pub fn files_beside_text(&self) -> impl Iterator<Item = &Attachment> {
        self.attachments.iter().filter(|file| self.parts.get(file.part).is_none_or(|part| !part.is_body))
    }

    /// Whether the body has a part of this type.
    pub fn has_body_type(&self, content_type: &str) -> bool {
        self.parts.iter().any(|part| part.is_body && part.content_type == content_type)
    }
}

#[cfg(test)]
mod tests;
