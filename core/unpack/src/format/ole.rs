//! Compound files (MS-CFB): Office documents before 2007, macro projects, Outlook messages, installers.
//!
//! All entries of the directory are read, also those that its tree does not lead to, and chains that lead in circles end.

use super::{macros, package, vba};
use crate::{
    Bound, FileKind, Sign,
    bytes::{contains, slice, text, u16_le, u32_le, u64_le, up_to, utf16_le},
    walk::Walk,
};
use memchr::memmem;
use std::{borrow::Cow, collections::HashMap};

/// Ends of a chain and free sectors are numbers from here on (MS-CFB 2.1).
const LAST_SECTOR: u32 = 0xffff_fffa;
/// No entry (MS-CFB 2.6.1).
const NO_STREAM: u32 = 0xffff_ffff;
const ENTRY_BYTES: usize = 128;
/// Streams below this size stand in the small stream (MS-CFB 2.2). Unit: bytes.
const SMALL: u64 = 4_096;
/// Piece of the small stream (MS-CFB 2.2). Unit: bytes.
const SMALL_SECTOR: usize = 64;

/// A compound file.
struct Compound<'c> {
    content: &'c [u8],
    shift: u32,
    table: Vec<u32>,
    small_table: Vec<u32>,
    small: Cow<'c, [u8]>,
    entries: Vec<Entry>,
}

/// A storage or stream.
struct Entry {
    name: String,
    kind: u8,
    left: u32,
    right: u32,
    child: u32,
    start: u32,
    size: u64,
    /// Index of the storage that it is in.
    parent: Option<usize>,
}

const STREAM: u8 = 2;
const ROOT: u8 = 5;

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    let Some(file) = Compound::read(content) else { return walk.cut(Bound::Damage) };
    if !walk.may_hold(file.bytes()) {
        return;
    }
    let names = attachment_names(&file, walk.left_files());
    let mut source = macros::Macros::default();
    let mut has_project = false;
    for (index, entry) in file.entries.iter().enumerate().filter(|(_, entry)| entry.kind == STREAM) {
        if !walk.may_take(usize::try_from(entry.size).unwrap_or(usize::MAX).min(content.len())) {
            break;
        }
        let stream = file.stream(entry);
        has_project |= entry.name == "_VBA_PROJECT";
        match entry.name.as_str() {
            "\u{1}Ole10Native" => package::native(walk, &stream),
            "Workbook" | "Book" => workbook(walk, &stream),
            "WordDocument" => word(walk, &stream),
            "EncryptedPackage" => walk.sign(Sign::Encrypted, ""),
            _ => {}
        }
        let mut module = Vec::new();
        if vba::sources(&stream, &mut module).is_none() {
            walk.cut(Bound::FileBytes);
        }
        if !module.is_empty() {
            has_project = true;
            walk.is_document();
            walk.member(&format!("{}.bas", entry.name), &module);
            source.add(&module);
        }
        walk.is_document();
        let is_attachment = entry.name.starts_with(ATTACHMENT_DATA);
        let name = match entry.parent.and_then(|parent| names.get(&parent)) {
            Some(name) if is_attachment => {
                walk.is_archive();
                name
            }
            _ => &entry.name,
        };
        let name =
            if name.trim_matches(char::is_control).is_empty() { format!("stream-{index}") } else { name.clone() };
        walk.member(&name, &stream);
    }
    if has_project {
        source.tell(walk);
    }
}

/// Streams of an attachment of an Outlook message: content, long name, short name (MS-OXMSG 2.2).
const ATTACHMENT_DATA: &str = "__substg1.0_37010102";
const LONG_NAME: &str = "__substg1.0_3707001F";
const SHORT_NAME: &str = "__substg1.0_3704001F";
/// Longest name of an attachment. Unit: bytes in UTF-16. Source: file systems allow 255 characters.
const ATTACHMENT_NAME: usize = 510;

/// Names of the attachments of an Outlook message, by storage.
fn attachment_names(file: &Compound<'_>, most: usize) -> HashMap<usize, String> {
    let mut names = HashMap::new();
    for wanted in [SHORT_NAME, LONG_NAME] {
        for entry in file.entries.iter().filter(|entry| entry.name == wanted && entry.size < SMALL).take(most) {
            if let Some(parent) = entry.parent {
                names.insert(parent, utf16_le(up_to(&file.stream(entry), 0, ATTACHMENT_NAME)));
            }
        }
    }
    names
}

impl<'c> Compound<'c> {
    fn read(content: &'c [u8]) -> Option<Self> {
        let shift = u32::from(u16_le(content, 30)?);
        if !(7..=16).contains(&shift) {
            return None;
        }
        let sectors = content.len() >> shift;
        let sector = |number: u32| slice(content, (number as usize).checked_add(1)?.checked_shl(shift)?, 1 << shift);
        // The table of the table: 109 numbers in the header, then a chain (MS-CFB 2.5).
        let mut places: Vec<u32> = (0..109).filter_map(|place| u32_le(content, 76 + 4 * place)).collect();
        let mut next = u32_le(content, 68)?;
        while places.len() <= sectors {
            let Some(more) = Some(next).filter(|next| *next < LAST_SECTOR).and_then(sector) else { break };
            let (numbers, last) = more.split_at(more.len() - 4);
            places.extend(numbers.chunks_exact(4).filter_map(|number| u32_le(number, 0)));
            next = u32_le(last, 0)?;
        }
        let numbers = |sector: &[u8]| sector.chunks_exact(4).filter_map(|number| u32_le(number, 0)).collect::<Vec<_>>();
        let mut table = Vec::new();
        for place in places.into_iter().filter(|place| *place < LAST_SECTOR) {
            // A file that breaks off has no sectors for the end of its table.
            let Some(part) = sector(place) else { continue };
            if table.len() > sectors {
                break;
            }
            table.extend(numbers(part));
        }
        let mut file =
            Compound { content, shift, table, small_table: Vec::new(), small: Cow::Borrowed(&[]), entries: Vec::new() };
        let directory = file.chain(u32_le(content, 48)?, u64::MAX);
        file.entries = directory.chunks_exact(ENTRY_BYTES).filter_map(Entry::read).collect();
        let root = file.entries.iter().find(|entry| entry.kind == ROOT)?;
        let (start, size) = (root.start, root.size);
        file.small = file.chain(start, size);
        // A number of four bytes for each piece of 64.
        file.small_table =
            numbers(&file.chain(u32_le(content, 60)?, file.small.len().div_ceil(SMALL_SECTOR) as u64 * 4));
        file.find_parents();
        Some(file)
    }

    /// What is kept beside the file itself. Unit: bytes.
    fn bytes(&self) -> usize {
        let small = if matches!(self.small, Cow::Owned(_)) { self.small.len() } else { 0 };
        4 * (self.table.len() + self.small_table.len()) + small + self.entries.len() * size_of::<Entry>()
    }

    /// Which storage each entry is in, by the trees of siblings (MS-CFB 2.6.4).
    fn find_parents(&mut self) {
        let mut todo: Vec<(u32, usize)> =
            self.entries.iter().enumerate().map(|(index, entry)| (entry.child, index)).collect();
        while let Some((index, parent)) = todo.pop() {
            let Some(entry) = self.entries.get_mut(index as usize).filter(|entry| entry.parent.is_none()) else {
                continue;
            };
            entry.parent = Some(parent);
            let siblings = [entry.left, entry.right];
            todo.extend(siblings.into_iter().filter(|sibling| *sibling != NO_STREAM).map(|sibling| (sibling, parent)));
        }
    }

    /// The bytes of a chain of sectors; those that stand behind each other are not copied.
    fn chain(&self, start: u32, size: u64) -> Cow<'c, [u8]> {
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(self.content.len());
        let sector_bytes = 1_usize << self.shift;
        let place = |sector: u32| (sector as usize).checked_add(1).and_then(|n| n.checked_mul(sector_bytes));
        let Some(first) = place(start).filter(|_| start < LAST_SECTOR) else { return Cow::Borrowed(&[]) };
        let (mut last, mut sectors) = (start, 1);
        let wanted = size.div_ceil(sector_bytes);
        let mut out: Vec<u8> = Vec::new();
        let mut run = first;
        while sectors < wanted {
            let Some(next) = self.table.get(last as usize).copied().filter(|next| *next < LAST_SECTOR) else { break };
            if next != last.wrapping_add(1) {
                let run_end = place(last).map_or(run, |at| at + sector_bytes);
                out.extend(up_to(self.content, run, run_end - run));
                run = place(next).unwrap_or(usize::MAX);
            }
            // What is not there is no part of the stream, however long the table goes on.
            if place(next).is_none_or(|at| at >= self.content.len()) {
                break;
            }
            last = next;
            sectors += 1;
        }
        let end = place(last).map_or(run, |at| at + sector_bytes);
        let tail = up_to(self.content, run, end.saturating_sub(run));
        if out.is_empty() {
            return Cow::Borrowed(&tail[..tail.len().min(size)]);
        }
        out.extend(tail);
        out.truncate(size);
        Cow::Owned(out)
    }

    fn stream(&self, entry: &Entry) -> Cow<'_, [u8]> {
        if entry.size >= SMALL {
            return self.chain(entry.start, entry.size);
        }
        let mut out = Vec::with_capacity(entry.size as usize);
        let mut sector = entry.start;
        while (out.len() as u64) < entry.size && sector < LAST_SECTOR {
            let part = up_to(&self.small, sector as usize * SMALL_SECTOR, SMALL_SECTOR);
            if part.is_empty() {
                break;
            }
            out.extend(part);
            sector = self.small_table.get(sector as usize).copied().unwrap_or(NO_STREAM);
        }
        out.truncate(entry.size as usize);
        Cow::Owned(out)
    }
}

impl Entry {
    fn read(entry: &[u8]) -> Option<Entry> {
        let name = usize::from(u16_le(entry, 64)?).min(64);
        Some(Entry {
            name: utf16_le(&entry[..name]),
            kind: entry[66],
            left: u32_le(entry, 68)?,
            right: u32_le(entry, 72)?,
            child: u32_le(entry, 76)?,
            start: u32_le(entry, 116)?,
            // The upper half of a file of version 3 may hold anything (MS-CFB 2.6.1); none is so large.
            size: u64_le(entry, 120)? & 0xffff_ffff,
            parent: None,
        })
    }
}

/// Records of an Excel workbook (MS-XLS 2.1.4): kinds of sheets, names that start macros, locks.
fn workbook(walk: &mut Walk<'_>, stream: &[u8]) {
    const BOUNDSHEET: u16 = 0x85;
    const NAME: u16 = 0x18;
    const FILEPASS: u16 = 0x2f;
    let (mut has_macro_sheet, mut starts) = (false, false);
    let mut at = 0;
    while let (Some(kind), Some(length)) = (u16_le(stream, at), u16_le(stream, at + 2)) {
        let data = up_to(stream, at + 4, usize::from(length));
        match kind {
            BOUNDSHEET => has_macro_sheet |= data.get(5) == Some(&1),
            // A built-in name whose one character is 1: Auto_Open (MS-XLS 2.5.66).
            NAME => {
                let is_built_in = u16_le(data, 0).is_some_and(|flags| flags & 0x20 != 0);
                let built_in = data.get(15).filter(|_| is_built_in && data.get(3) == Some(&1));
                let name = data.get(15..).unwrap_or_default();
                starts |= built_in == Some(&1) || name.len() >= 9 && name[..9].eq_ignore_ascii_case(b"auto_open");
            }
            FILEPASS => {
                walk.sign(Sign::Encrypted, "");
                return;
            }
            _ => {}
        }
        at += 4 + usize::from(length);
    }
    if has_macro_sheet {
        walk.sign(Sign::Xlm, "");
        if starts {
            walk.sign(Sign::MacroAutostart, "auto_open");
        }
    }
}

/// A Word document before 2007 (MS-DOC 2.5.1): its lock, and fields that start programs.
fn word(walk: &mut Walk<'_>, stream: &[u8]) {
    let is_locked = u16_le(stream, 10).is_some_and(|flags| flags & 0x100 != 0);
    if is_locked {
        walk.sign(Sign::Encrypted, "");
    }
    let wide: Vec<u8> = "DDEAUTO".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for word in [b"DDEAUTO".as_slice(), &wide] {
        // The mark of a field stands before it, with or without a blank.
        let field = memmem::find_iter(stream, word).find(|at| contains(&stream[at.saturating_sub(6)..*at], b"\x13"));
        if let Some(at) = field {
            let instruction = up_to(stream, at, 120);
            let is_wide = word.len() > 7;
            let instruction = if is_wide { utf16_le(instruction) } else { text(instruction) };
            walk.sign(Sign::Dde, instruction.split(char::is_control).next().unwrap_or_default());
        }
    }
}

/// Whether bytes begin a compound file.
pub(super) fn begins(content: &[u8]) -> bool {
    FileKind::of(content) == FileKind::Ole
}
