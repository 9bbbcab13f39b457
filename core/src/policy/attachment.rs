//! What a policy asks about attachments.

use super::Glob;
use crate::message::AttachmentFacts;

/// What attachments must be; all that is set must hold for the same attachment.
#[derive(Debug, Clone, Default)]
pub struct AttachmentCondition {
    /// Carries macros, or does not.
    pub macros: Option<bool>,
    /// Is a program or script, or is not.
    pub executable: Option<bool>,
    /// Is encrypted, or is not.
    pub encrypted: Option<bool>,
    /// One of these fits its file name.
    pub names: Vec<Glob>,
    /// One of these fits its content type as declared.
    pub types: Vec<Glob>,
    /// Its kind by content is one of these, in lower case.
    pub kinds: Vec<String>,
    /// It is larger than this. Unit: bytes, decoded.
    pub size_over: Option<usize>,
    /// More attachments than this are so. Without it: one is.
    pub count_over: Option<usize>,
}

impl AttachmentCondition {
    pub(super) fn holds(&self, attachments: &[AttachmentFacts]) -> bool {
        let mut fitting = attachments.iter().filter(|facts| self.fits(facts));
        fitting.nth(self.count_over.unwrap_or(0)).is_some()
    }

    /// Whether one attachment is like this.
    pub(super) fn fits(&self, facts: &AttachmentFacts) -> bool {
        self.macros.is_none_or(|wanted| wanted == facts.macros)
            && self.executable.is_none_or(|wanted| wanted == facts.executable)
            && self.encrypted.is_none_or(|wanted| wanted == facts.encrypted)
            && (self.names.is_empty() || self.names.iter().any(|glob| glob.fits(&facts.name)))
            && (self.types.is_empty() || self.types.iter().any(|glob| glob.fits(&facts.content_type)))
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind.eq_ignore_ascii_case(&facts.kind)))
            && self.size_over.is_none_or(|bound| facts.size > bound)
    }

    /// In a few words why it does not hold.
    pub(super) fn why_not(&self, attachments: &[AttachmentFacts]) -> String {
        match self.count_over {
            None => "none is like this".to_owned(),
            Some(bound) => {
                let count = attachments.iter().filter(|facts| self.fits(facts)).count();
                format!("{count} like this are not more than {bound}")
            }
        }
    }
}
