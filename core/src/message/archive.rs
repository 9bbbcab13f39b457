//! What the directories of archives and compound files tell without unpacking.

use super::FileKind;
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

/// What a container holds, read from its directory alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// Names of the members, as far as the bound goes.
    pub(super) members: Vec<String>,
    /// Whether a member is locked by a password.
    pub(super) encrypted: bool,
    /// Whether there are Office macros.
    pub(super) macros: bool,
    /// What the container is after a closer look.
    pub(super) kind: FileKind,
}

/// Looks into a container; other files have no contents.
pub(super) fn contents(file: &[u8], kind: FileKind, max_members: usize) -> Contents {
    match kind {
        FileKind::Zip => zip(file, max_members),
        FileKind::Ole => ole(file),
        FileKind::Pdf => Contents { encrypted: PDF_LOCK.is_match(file), kind, ..Contents::default() },
        // Files in a locked RAR or 7-Zip archive need a real reader, which belongs to the worker process.
        kind => Contents { kind, ..Contents::default() },
    }
}

const END_OF_DIRECTORY: &[u8] = b"PK\x05\x06";
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
/// Size of the end record without its comment (APPNOTE 4.3.16).
const END_BYTES: usize = 22;
/// Longest comment (APPNOTE 4.3.16): a 16-bit length.
const COMMENT_BYTES: usize = 0xffff;
/// Size of a directory entry without its variable fields (APPNOTE 4.3.12).
const ENTRY_BYTES: usize = 46;

/// Reads the central directory of a ZIP file (APPNOTE 4.3.12). Where there is none, the local headers at the start are
/// followed instead: unpackers do so too.
fn zip(file: &[u8], max_members: usize) -> Contents {
    let mut found = Contents { kind: FileKind::Zip, ..Contents::default() };
    let tail = file.len().saturating_sub(END_BYTES + COMMENT_BYTES);
    let end = file[tail..].windows(4).rposition(|w| w == END_OF_DIRECTORY).map(|at| tail + at);
    let mut at = end.and_then(|end| u32_at(file, end + 16)).map_or(file.len(), |offset| offset as usize);
    while found.members.len() < max_members && file.get(at..).is_some_and(|rest| rest.starts_with(DIRECTORY_ENTRY)) {
        let (Some(flags), Some(name), Some(extra), Some(comment)) =
            (u16_at(file, at + 8), u16_at(file, at + 28), u16_at(file, at + 30), u16_at(file, at + 32))
        else {
            break;
        };
        found.add(file.get(at + ENTRY_BYTES..at + ENTRY_BYTES + name).unwrap_or_default(), flags);
        at += ENTRY_BYTES + name + extra + comment;
    }
    if found.members.is_empty() {
        local_headers(file, max_members, &mut found);
    }
    found
}

/// Follows local headers (APPNOTE 4.3.7) as long as their sizes are known.
fn local_headers(file: &[u8], max_members: usize, found: &mut Contents) {
    let mut at = 0;
    while found.members.len() < max_members && file.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x03\x04")) {
        let (Some(flags), Some(size), Some(name), Some(extra)) =
            (u16_at(file, at + 6), u32_at(file, at + 18), u16_at(file, at + 26), u16_at(file, at + 28))
        else {
            break;
        };
        found.add(file.get(at + 30..at + 30 + name).unwrap_or_default(), flags);
        let streamed = flags & 8 != 0;
        if streamed {
            break;
        }
        at += 30 + name + extra + size as usize;
    }
}

impl Contents {
    fn add(&mut self, name: &[u8], flags: usize) {
        let name = String::from_utf8_lossy(name).into_owned();
        self.encrypted |= flags & 1 != 0;
        self.macros |= name.to_ascii_lowercase().ends_with("vbaproject.bin") || name.contains("xl/macrosheets/");
        if name == "[Content_Types].xml" {
            self.kind = FileKind::Ooxml;
        }
        self.members.push(name);
    }
}

/// Names of streams as the directory of a compound file has them: UTF-16LE (MS-CFB 2.6.1).
static OLE_NAMES: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let names = ["_VBA_PROJECT", "Macros", "EncryptedPackage"].map(utf16);
    AhoCorasick::new(names).ok()
});

fn ole(file: &[u8]) -> Contents {
    let mut found = Contents { kind: FileKind::Ole, ..Contents::default() };
    if let Some(names) = &*OLE_NAMES {
        for hit in names.find_iter(file) {
            match hit.pattern().as_usize() {
                2 => found.encrypted = true,
                _ => found.macros = true,
            }
        }
    }
    found
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The trailer entry that says that a PDF is encrypted (ISO 32000-1 §7.6.1).
static PDF_LOCK: LazyLock<Marker> = LazyLock::new(|| Marker::new(b"/Encrypt "));

/// One byte string to look for.
struct Marker(Option<AhoCorasick>);

impl Marker {
    fn new(mark: &[u8]) -> Self {
        Marker(AhoCorasick::new([mark]).ok())
    }

    fn is_match(&self, file: &[u8]) -> bool {
        self.0.as_ref().is_some_and(|mark| mark.is_match(file))
    }
}

fn u16_at(file: &[u8], at: usize) -> Option<usize> {
    let bytes = file.get(at..at.checked_add(2)?)?;
    Some(usize::from(u16::from_le_bytes(bytes.try_into().ok()?)))
}

fn u32_at(file: &[u8], at: usize) -> Option<u32> {
    let bytes = file.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A ZIP file of empty members.
    pub(crate) fn zip_of(names: &[&str], flags: u16) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for name in names {
            let offset = file.len() as u32;
            file.extend(b"PK\x03\x04\x14\x00");
            file.extend(flags.to_le_bytes());
            file.extend([0; 18]);
            file.extend((name.len() as u16).to_le_bytes());
            file.extend([0; 2]);
            file.extend(name.as_bytes());
            directory.extend(b"PK\x01\x02\x14\x00\x14\x00");
            directory.extend(flags.to_le_bytes());
            directory.extend([0; 18]);
            directory.extend((name.len() as u16).to_le_bytes());
            directory.extend([0; 12]);
            directory.extend(offset.to_le_bytes());
            directory.extend(name.as_bytes());
        }
        let start = file.len() as u32;
        file.extend(&directory);
        file.extend(b"PK\x05\x06\x00\x00\x00\x00");
        file.extend((names.len() as u16).to_le_bytes());
        file.extend((names.len() as u16).to_le_bytes());
        file.extend((directory.len() as u32).to_le_bytes());
        file.extend(start.to_le_bytes());
        file.extend([0; 2]);
        file
    }

    #[test]
    fn the_directory_names_members_macros_and_locks() {
        let found = contents(&zip_of(&["a.txt", "b/run.exe"], 1), FileKind::Zip, 10);
        assert_eq!(found.members, ["a.txt", "b/run.exe"]);
        assert!(found.encrypted && !found.macros);
        let found = contents(&zip_of(&["[Content_Types].xml", "word/vbaProject.bin"], 0), FileKind::Zip, 10);
        assert!(found.macros && !found.encrypted);
        assert_eq!(found.kind, FileKind::Ooxml);
    }

    #[test]
    fn an_archive_without_directory_is_read_from_the_front() {
        let file = zip_of(&["evil.exe", "b.txt"], 0);
        let cut = &file[..file.iter().rposition(|&b| b == b'b').map_or(0, |at| at.min(80))];
        assert_eq!(contents(cut, FileKind::Zip, 10).members[0], "evil.exe");
    }

    #[test]
    fn members_past_the_bound_are_not_kept() {
        let names: Vec<String> = (0..50).map(|i| format!("{i}.txt")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(contents(&zip_of(&names, 0), FileKind::Zip, 10).members.len(), 10);
    }

    #[test]
    fn compound_files_show_macros_and_locked_packages() {
        let mut file = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
        file.extend(utf16("_VBA_PROJECT"));
        assert!(contents(&file, FileKind::Ole, 1).macros);
        file.extend(utf16("EncryptedPackage"));
        assert!(contents(&file, FileKind::Ole, 1).encrypted);
    }
}
