//! What is known about an attached file.

use super::{FileKind, Part, archive};
use aws_lc_rs::digest;
use mailward_unpack::name as file_name;
use std::fmt::Write;

/// An attached file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Index in [`super::Message::parts`].
    pub part: usize,
    /// File name, decoded; may be empty.
    pub name: String,
    /// Declared type, lower case.
    pub content_type: String,
    /// What the content is.
    pub kind: FileKind,
    /// Size after decoding. Unit: bytes.
    pub size: usize,
    /// SHA-256 of the decoded content, lower-case hexadecimal.
    pub sha256: String,
    /// Names of the members, if it is an archive whose directory can be read.
    pub members: Vec<String>,
    /// Whether it, or a member, runs when opened.
    pub executable: bool,
    /// Whether it holds Office macros, or is named like a document that does.
    pub macros: bool,
    /// Whether its content is locked by a password.
    pub encrypted: bool,
    /// Whether its name, or that of a member, hides the extension of a program behind that of a document.
    pub double_extension: bool,
    /// Whether its name turns the direction of text.
    pub bidi_override: bool,
    /// Whether its content contradicts its name.
    pub mismatch: bool,
}

/// Extensions of Office files with macros.
const MACRO_EXTENSIONS: &[&str] =
    &["docm", "dotm", "potm", "ppam", "ppsm", "pptm", "sldm", "xlam", "xlsb", "xlsm", "xltm"];

impl Attachment {
    pub(super) fn of(index: usize, part: &Part<'_>, max_members: usize) -> Self {
        let name = part.name.clone().unwrap_or_default();
        let contents = archive::contents(&part.content, part.kind, max_members);
        let names = || std::iter::once(name.as_str()).chain(contents.members.iter().map(String::as_str));
        // Members of documents are parts of the format, not files that a user opens.
        let inner_program = contents.kind != FileKind::Ooxml && names().any(file_name::is_program_name);
        Attachment {
            part: index,
            content_type: part.content_type.clone(),
            kind: contents.kind,
            size: part.content.len(),
            sha256: sha256(&part.content),
            executable: contents.kind.is_program() || inner_program || file_name::is_program_name(&name),
            macros: contents.macros || MACRO_EXTENSIONS.contains(&file_name::extension(&name).as_str()),
            encrypted: contents.encrypted,
            double_extension: names().any(file_name::has_double_extension),
            bidi_override: names().any(file_name::has_bidi_override),
            mismatch: file_name::contradicts(&name, contents.kind),
            members: contents.members,
            name,
        }
    }
}

fn sha256(content: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, content);
    digest.as_ref().iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
