//! ZIP archives (PKWARE's APPNOTE), and the documents that are such archives.
//!
//! Unpackers disagree about archives that contradict themselves: some read the directory at the end, some the headers
//! before each member. Both are read here, and what either shows is found.

mod directory;
mod lock;

use super::{compression, office};
use crate::{Bound, Sign, bytes::text, walk::Walk};
use directory::Entry;
use std::io::{ErrorKind, Read};

/// Whether there is a member; the marks of an archive alone stand in programs that read archives, too.
pub(super) fn has_members(content: &[u8]) -> bool {
    !directory::listed(content, 1).entries.is_empty() || !directory::strays(content, &[], 1).0.is_empty()
}

/// Opens an archive; `content` may begin with something else.
pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    let directory::Listed { entries: listed, lost, is_whole } = directory::listed(content, walk.left_files());
    if lost {
        walk.cut(Bound::Damage);
    }
    // Behind the rows that are read, none can be told from one that the directory hides.
    if !is_whole {
        walk.cut(Bound::Files);
    }
    let (strays, gaps) = directory::strays(content, &listed, if is_whole { walk.left_files() } else { 0 });
    if listed.is_empty() && strays.is_empty() {
        if !directory::is_empty_archive(content) {
            walk.cut(Bound::Damage);
        }
        return;
    }
    if !listed.is_empty() && (!strays.is_empty() || gaps.overlap) {
        walk.sign(
            Sign::Inconsistent,
            if gaps.overlap { "members overlap" } else { "members that the directory hides" },
        );
    }
    if listed.is_empty() {
        walk.sign(Sign::Inconsistent, "no directory");
    }
    let is_document = listed.iter().chain(&strays).any(|entry| entry.name == office::CONTENT_TYPES)
        || listed
            .first()
            .is_some_and(|entry| entry.method == directory::STORED && office::is_open_document(entry.name, entry.data));
    let mut lock = lock::Lock::default();
    for entry in listed.iter().chain(&strays) {
        if walk.is_full() {
            return;
        }
        if is_document {
            walk.is_document();
        }
        if walk.is_inside() {
            walk.note_member(entry.hash());
        }
        member(walk, entry, &mut lock, is_document);
    }
    lock.tell(walk);
}

/// Opens an archive at the end of a container of plain files. Where it is one of these files, its members were taken already.
pub(super) fn open_behind(walk: &mut Walk<'_>, content: &[u8]) {
    let listed = directory::listed(content, walk.left_files()).entries;
    let mut lock = lock::Lock::default();
    let mut is_told = false;
    for entry in listed.iter().filter(|entry| entry.named_before == Some(entry.name) && !entry.is_folder()) {
        // Pieces of an archive that the container tore apart are damaged; readers of archives would not take them either.
        if walk.is_full() || !walk.note_member(entry.hash()) || !is_sound(walk, entry) {
            continue;
        }
        if !is_told {
            walk.sign(Sign::Polyglot, "zip");
            is_told = true;
        }
        walk.is_archive();
        member(walk, entry, &mut lock, false);
    }
    lock.tell(walk);
}

/// Whether the bytes of a member are those that were packed; of a locked one, whether they are there.
fn is_sound(walk: &mut Walk<'_>, entry: &Entry<'_>) -> bool {
    if entry.is_locked() {
        return !entry.data.is_empty();
    }
    let Ok(unpacker) = unpacker(entry.method, entry.data, entry, walk.dictionary_bytes()) else { return true };
    let (content, bound) = walk.read_quietly(entry.data.len(), unpacker);
    let mut crc = flate2::Crc::new();
    crc.update(&content);
    crc.sum() == entry.crc || bound.is_some_and(|bound| bound != Bound::Damage)
}

fn member(walk: &mut Walk<'_>, entry: &Entry<'_>, lock: &mut lock::Lock, is_document: bool) {
    let name = text(entry.name);
    if entry.is_folder() {
        return;
    }
    if let Some(other) = entry.named_before.filter(|other| *other != entry.name) {
        walk.sign(Sign::Inconsistent, &format!("{name} is {} before its content", text(other)));
        let other = text(other);
        // What the other unpackers would take it for.
        if crate::name::is_program_name(&other) {
            walk.member(&other, &[]);
        }
    }
    if entry.is_locked() {
        match lock.open(walk, entry) {
            Some(content) => walk.member(&name, &content),
            None => walk.locked(&name),
        }
        return;
    }
    if entry.method == directory::STORED {
        return found(walk, &name, entry.data, is_document);
    }
    let content = match unpacker(entry.method, entry.data, entry, walk.dictionary_bytes()) {
        Ok(unpacker) => walk.read(entry.data.len(), unpacker),
        Err(error) => {
            walk.cut(cut_by(&error));
            Vec::new()
        }
    };
    found(walk, &name, &content, is_document);
}

fn found(walk: &mut Walk<'_>, name: &str, content: &[u8], is_document: bool) {
    if is_document {
        office::part(walk, name, content);
    }
    walk.member(name, content);
}

fn cut_by(error: &std::io::Error) -> Bound {
    match error.kind() {
        ErrorKind::Unsupported => Bound::Method,
        ErrorKind::OutOfMemory => Bound::Dictionary,
        _ => Bound::Damage,
    }
}

/// What undoes a compression method (APPNOTE 4.4.5).
fn unpacker<'p>(
    method: u16,
    packed: &'p [u8],
    entry: &Entry<'_>,
    dictionary_bytes: usize,
) -> std::io::Result<Box<dyn Read + 'p>> {
    Ok(match method {
        0 => Box::new(packed),
        8 => Box::new(compression::deflate(packed)),
        9 => Box::new(compression::deflate64(packed)),
        12 => Box::new(compression::bzip2(packed)),
        14 => {
            // APPNOTE 5.8.8: version, length of the properties, properties.
            let length = crate::bytes::u16_le(packed, 2).ok_or(ErrorKind::InvalidData)?;
            let properties = crate::bytes::slice(packed, 4, usize::from(length)).ok_or(ErrorKind::InvalidData)?;
            let stream = packed.get(4 + properties.len()..).unwrap_or_default();
            let has_end_mark = entry.flags & 2 != 0;
            let size = (!has_end_mark).then_some(entry.size);
            Box::new(compression::bare_lzma(stream, properties, size, dictionary_bytes)?)
        }
        20 | 93 => Box::new(compression::zstd(packed, dictionary_bytes)),
        95 => Box::new(compression::xz(packed, dictionary_bytes)),
        _ => return Err(ErrorKind::Unsupported.into()),
    })
}
