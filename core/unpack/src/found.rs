//! What is found.

use crate::{Bound, FileKind};

/// Something found on the way.
#[derive(Debug, Clone, Copy)]
pub enum Found<'f> {
    /// A file.
    File(File<'f>),
    /// Something about the file at this path.
    Sign {
        /// The file.
        path: &'f str,
        /// What.
        sign: Sign,
        /// Words of the file that show it; may be empty.
        detail: &'f str,
    },
    /// The file at this path was not looked into, or not wholly.
    Cut {
        /// The file.
        path: &'f str,
        /// Why.
        bound: Bound,
    },
}

/// A file, given or found.
#[derive(Debug, Clone, Copy)]
pub struct File<'f> {
    /// Names from the outermost file on: `invoice.zip/a.iso/x.lnk`.
    pub path: &'f str,
    /// The last of them.
    pub name: &'f str,
    /// Kinds of the files around it, outermost first: `zip/iso`.
    pub within: &'f str,
    /// How many files are around it.
    pub depth: usize,
    /// What it is by its content.
    pub kind: FileKind,
    /// Its bytes; none if it is `locked`.
    pub content: &'f [u8],
    /// Whether it is locked by a password that is not known: name and place are all there is.
    pub locked: bool,
    /// Whether the file around it is a document, or another format that has its own parts, and not an archive from which
    /// users take files.
    pub part_of_document: bool,
}

/// A password that may open what is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The password.
    pub word: String,
    /// Whether it stands in the message; else it is one of those that are widely used.
    pub told: bool,
}

/// Something about a file that its bytes alone do not tell a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sign {
    /// Locked, and no password opens it.
    Encrypted,
    /// Locked by a password that stands in the message.
    PasswordTold,
    /// Locked by a password that is widely used.
    PasswordCommon,
    /// The names or sizes in the archive's directory are not those before its members, or members overlap.
    Inconsistent,
    /// An archive stands in or behind a file of another kind.
    Polyglot,
    /// A file that a page of HTML builds when it is opened.
    Smuggled,
    /// A script in a picture.
    PictureScript,
    /// Visual Basic macros.
    Macro,
    /// Macros that run when the document is opened.
    MacroAutostart,
    /// Macros that start programs, fetch or write files.
    MacroDangerous,
    /// Macros that do both.
    MacroDropper,
    /// Macros of Excel 4.
    Xlm,
    /// A template or object that is fetched from elsewhere when the document is opened.
    Remote,
    /// The same from a share of a server that may well be the sender's own.
    Share,
    /// A field that starts a program (DDE).
    Dde,
    /// A PDF with JavaScript.
    PdfScript,
    /// A PDF that starts a program.
    PdfLaunch,
    /// What a Windows shortcut runs.
    ShortcutCommand,
}
