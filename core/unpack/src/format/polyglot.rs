//! Archives that stand in or behind a file of another kind: readers of archives look for them there.

use super::{rar, seven_zip, zip};
use crate::{FileKind, Sign, walk::Walk};
use memchr::memmem;

/// How far from its end the end record of a ZIP archive may stand. Unit: bytes. Source: APPNOTE 4.3.16, a 16-bit length of
/// comment, and as much again for what is added to signed programs.
const TAIL_BYTES: usize = 2 * 0xffff;

/// Looks for archives behind the start of a file.
pub(super) fn open(walk: &mut Walk<'_>, kind: FileKind, content: &[u8]) {
    // Containers whose members lie in them as they are: the archive is one of those.
    let holds_plain_files = matches!(
        kind,
        FileKind::Tar
            | FileKind::Iso
            | FileKind::Disk
            | FileKind::Vhd
            | FileKind::OneNote
            | FileKind::Ole
            | FileKind::Tnef
            | FileKind::Cab
            | FileKind::Rar
            | FileKind::SevenZip
    );
    let tail = &content[content.len().saturating_sub(TAIL_BYTES)..];
    let has_directory = memmem::find(tail, b"PK\x05\x06").is_some();
    if holds_plain_files {
        if has_directory {
            zip::open_behind(walk, content);
        }
        return;
    }
    if has_directory && zip::has_members(content) {
        tell(walk, kind, "zip");
        return zip::open(walk, content);
    }
    if let Some(at) = memmem::find(content, b"Rar!\x1a\x07").filter(|at| *at > 0) {
        if is_behind_another(kind, at) {
            tell(walk, kind, "rar");
        }
        rar::open(walk, &content[at..]);
    }
    if let Some(at) = memmem::find(content, b"7z\xbc\xaf\x27\x1c").filter(|at| *at > 0) {
        if is_behind_another(kind, at) {
            tell(walk, kind, "7z");
        }
        seven_zip::open(walk, &content[at..]);
    }
}

/// How far from the start an archive in a file of no known kind is a trick: some bytes before its mark. In a database or a mailbox it is a
/// file among others. Unit: bytes. Source: our own limit.
const START_BYTES: usize = 1_024;

fn is_behind_another(kind: FileKind, at: usize) -> bool {
    kind != FileKind::Data || at < START_BYTES
}

/// Programs that unpack themselves are no trick; what is executable is told anyway.
fn tell(walk: &mut Walk<'_>, kind: FileKind, archive: &str) {
    if !kind.is_program() {
        walk.sign(Sign::Polyglot, archive);
    }
    walk.is_archive();
}
