//! How far unpacking goes.

/// How far unpacking goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Files inside files. Unit: levels; the file that was given is the first. Source: our own limit; honest mail has
    /// three or four.
    pub depth: usize,
    /// Files of one message. Source: our own limit.
    pub files: usize,
    /// Bytes of all files together, and once more of what unpackers keep meanwhile. Unit: bytes. Source: our own limit; memory stays
    /// below three times as much, and the file that was given.
    pub bytes: usize,
    /// Bytes of one file. Unit: bytes. Source: our own limit.
    pub file_bytes: usize,
    /// How many times larger a file may be than what it is packed in, from 8 MiB on. Source: our own limit; logs
    /// and pictures without colours reach some hundred.
    pub ratio: usize,
}

/// Files below this size may have any ratio. Unit: bytes. Source: our own limit.
pub(crate) const RATIO_FREE: usize = 8 << 20;

impl Default for Bounds {
    fn default() -> Self {
        Bounds { depth: 10, files: 10_000, bytes: 100 << 20, file_bytes: 64 << 20, ratio: 250 }
    }
}

/// Why a file was not looked into, or not wholly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// [`Bounds::depth`].
    Depth,
    /// [`Bounds::files`].
    Files,
    /// [`Bounds::bytes`].
    Bytes,
    /// [`Bounds::file_bytes`].
    FileBytes,
    /// [`Bounds::ratio`].
    Ratio,
    /// It wants more memory for its dictionary than [`Bounds::file_bytes`].
    Dictionary,
    /// It is packed by a method that is not known here.
    Method,
    /// It breaks off, or contradicts itself.
    Damage,
    /// A parser failed.
    Parser,
}

impl Bound {
    /// The word that findings and logs use.
    pub fn word(self) -> &'static str {
        match self {
            Bound::Depth => "depth",
            Bound::Files => "files",
            Bound::Bytes => "bytes",
            Bound::FileBytes => "file-bytes",
            Bound::Ratio => "ratio",
            Bound::Dictionary => "dictionary",
            Bound::Method => "method",
            Bound::Damage => "damage",
            Bound::Parser => "parser",
        }
    }
}
