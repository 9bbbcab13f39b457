//! Files that a policy takes off a message.

use super::AttachmentCondition;
use crate::message::{AttachmentFacts, MessageFacts};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

/// Longest name or type that a note shows. Unit: characters. Source: our own limit, some two lines.
const SHOWN_CHARS: usize = 150;

/// The `strip` of a policy.
#[derive(Debug, Clone)]
pub struct Strip {
    /// Files like this are taken off.
    pub attachment: AttachmentCondition,
    /// What the note in their place says besides what was taken off.
    pub note: Option<String>,
    /// What happens where they cannot be taken off.
    pub otherwise: Otherwise,
}

/// What happens to a message whose files cannot be taken off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Otherwise {
    /// It is delivered as if the policy did not strip.
    Deliver,
    /// It is held.
    Hold,
    /// It is refused: the sender hears so, and nobody gets the files.
    #[default]
    Reject,
}

/// Files that policies take off. It is the same for all recipients for whom the same policies do, and they share it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct TakenOff {
    /// The policies, by index, in their order.
    pub(super) policies: Vec<usize>,
    /// By [`AttachmentFacts::part`], the index of the policy whose note stands there: the first.
    pub(super) files: Arc<BTreeMap<usize, usize>>,
}

impl TakenOff {
    /// Whether the same files go, whoever's notes stand there.
    pub(super) fn is_same_as(&self, other: &TakenOff) -> bool {
        Arc::ptr_eq(&self.files, &other.files) || self.files.keys().eq(other.files.keys())
    }
}

impl Strip {
    /// Whether the message has such a file.
    pub(super) fn finds(&self, message: &MessageFacts) -> bool {
        self.files(message).next().is_some()
    }

    /// The files that are taken off.
    pub(super) fn files<'m>(&self, message: &'m MessageFacts) -> impl Iterator<Item = &'m AttachmentFacts> {
        message.attachments.iter().filter(|file| self.attachment.fits(file))
    }

    /// What stands in place of a file.
    pub(super) fn notice(&self, file: &AttachmentFacts) -> String {
        let mut notice = "A file was removed from this message.\n\n".to_owned();
        if !file.name.is_empty() {
            let _ = writeln!(notice, "Name: {}", shown(&file.name));
        }
        let _ = writeln!(notice, "Type: {}\nSize: {} bytes", shown(&file.content_type), file.size);
        if let Some(note) = &self.note {
            let _ = writeln!(notice, "\n{note}");
        }
        notice
    }
}

/// Words of the message on one line, without what moves or turns text.
fn shown(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().take(SHOWN_CHARS).map(|c| if harmful(c) { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_says_what_was_taken_off_and_cannot_be_steered_by_it() {
        let file = AttachmentFacts {
            name: format!("a\n\u{202e}{}", "x".repeat(300)),
            content_type: "application/zip".into(),
            size: 12,
            ..AttachmentFacts::default()
        };
        let strip = Strip {
            attachment: AttachmentCondition::default(),
            note: Some("Ask the help desk.".into()),
            otherwise: Otherwise::default(),
        };
        let notice = strip.notice(&file);
        let expected = format!(
            "A file was removed from this message.\n\nName: a??{}\nType: application/zip\nSize: 12 bytes\n\n\
             Ask the help desk.\n",
            "x".repeat(SHOWN_CHARS - 3)
        );
        assert_eq!(notice, expected);
    }
}
