//! Finds the files inside files that mail carries: members of archives, objects in documents, files on disk images.
//!
//! [`unpack`] goes depth first and hands every file to its caller while it is in memory; nothing is written to disk. Bytes
//! are hostile: whatever stands in them, memory and work stay within [`Bounds`], and what was not looked at for that has
//! its [`Bound`]. A file is what its content says ([`FileKind`]); names are judged apart ([`name`]).

mod bounds;
mod bytes;
mod format;
mod found;
mod kind;
pub mod name;
mod passwords;
mod script;
mod walk;

pub use bounds::{Bound, Bounds};
pub use found::{Candidate, File, Found, Sign};
pub use kind::{FileKind, is_beyond_text};
pub use passwords::candidates;
pub use script::{Language, language};

use passwords::Passwords;

/// Looks for files in the files of one message, which share the bounds. `each` hears of every one, also of those that are
/// given, with the index of the given file; `passwords` is asked once, if something is locked.
pub fn unpack<'f>(
    files: impl Iterator<Item = (&'f str, &'f [u8])>,
    passwords: &dyn Fn() -> Vec<Candidate>,
    bounds: &Bounds,
    each: &mut dyn FnMut(usize, Found<'_>),
) {
    let passwords = Passwords::new(passwords);
    let mut left = walk::Left::new(bounds);
    for (index, (name, content)) in files.enumerate() {
        let mut each = |found: Found<'_>| each(index, found);
        let mut walk = walk::Walk::new(left, &passwords, bounds, &mut each);
        walk.member(name, content);
        left = walk.left;
    }
}
