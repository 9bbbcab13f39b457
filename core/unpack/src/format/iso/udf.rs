//! UDF (ECMA-167 and OSTA's UDF 2.60): one partition, files in place, in short or in long extents.

use super::SECTOR;
use crate::{
    bytes::{folder, text, u16_le, u32_le, u64_le, up_to, utf16_be},
    walk::Walk,
};
use std::collections::HashSet;

/// Identifiers of descriptors (ECMA-167 3/7.2.1, 4/7.2.1).
const ANCHOR: u16 = 2;
const PARTITION: u16 = 5;
const LOGICAL_VOLUME: u16 = 6;
const FILE_SET: u16 = 256;
const FILE_IDENTIFIER: u16 = 257;
const FILE_ENTRY: u16 = 261;
const EXTENDED_FILE_ENTRY: u16 = 266;
/// Where the anchor stands. Unit: sectors. Source: ECMA-167 3/8.4.2.1.
const ANCHOR_SECTOR: usize = 256;
/// Most extents of a file. Source: our own limit.
const EXTENTS: usize = 10_000;

/// Where partition and root begin.
struct Volume<'c> {
    content: &'c [u8],
    partition: usize,
}

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8], seen: &mut HashSet<(usize, usize)>) -> Option<()> {
    let sector = |number: usize| up_to(content, number.saturating_mul(SECTOR), SECTOR);
    let anchor = sector(ANCHOR_SECTOR);
    if u16_le(anchor, 0)? != ANCHOR {
        return None;
    }
    let (length, start) = (u32_le(anchor, 16)? as usize, u32_le(anchor, 20)? as usize);
    let (mut partition, mut file_set) = (None, None);
    for number in start..start + (length / SECTOR).min(64) {
        let descriptor = sector(number);
        match u16_le(descriptor, 0) {
            Some(PARTITION) => partition = u32_le(descriptor, 188),
            Some(LOGICAL_VOLUME) => file_set = u32_le(descriptor, 252),
            _ => {}
        }
    }
    let volume = Volume { content, partition: partition? as usize };
    let file_set = volume.block(file_set? as usize);
    if u16_le(file_set, 0)? != FILE_SET {
        return None;
    }
    let root = u32_le(file_set, 404)? as usize;
    let mut folders = HashSet::from([root]);
    let mut todo = vec![(root, String::new(), 0)];
    while let Some((block, path, depth)) = todo.pop() {
        seen.insert((block, usize::MAX));
        let Some(records) = volume.file(walk, block) else { continue };
        if !walk.may_work(records.len()) {
            return None;
        }
        let mut at = 0;
        while u16_le(&records, at) == Some(FILE_IDENTIFIER) {
            let (flags, name_bytes) = (records.get(at + 18)?, usize::from(*records.get(at + 19)?));
            let (block, use_bytes) = (u32_le(&records, at + 24)? as usize, usize::from(u16_le(&records, at + 36)?));
            let name = up_to(&records, at + 38 + use_bytes, name_bytes);
            at += (38 + use_bytes + name_bytes).next_multiple_of(4);
            let (is_folder, is_gone) = (flags & 2 != 0, flags & 0b1100 != 0);
            if is_gone || volume.entry(block).is_none() {
                continue;
            }
            if is_folder {
                if depth < super::FOLDERS && folders.insert(block) {
                    todo.push((block, folder(&path, &name_of(name)), depth + 1));
                }
                continue;
            }
            if walk.is_full() {
                return None;
            }
            // The same files stand in the tree of ISO 9660 as a rule: known by where they begin.
            let place = volume.place(block).unwrap_or((block, usize::MAX - 1));
            if !seen.insert(place) {
                continue;
            }
            if let Some(file) = volume.file(walk, block) {
                walk.member(&format!("{path}{}", name_of(name)), &file);
            }
        }
    }
    Some(())
}

/// A name in its own way of writing (UDF 2.1.1).
fn name_of(name: &[u8]) -> String {
    match name.split_first() {
        Some((16, wide)) => utf16_be(wide),
        Some((_, narrow)) => text(narrow),
        None => String::new(),
    }
}

impl<'c> Volume<'c> {
    fn block(&self, number: usize) -> &'c [u8] {
        up_to(self.content, self.start(number), SECTOR)
    }

    fn start(&self, block: usize) -> usize {
        self.partition.saturating_add(block).saturating_mul(SECTOR)
    }

    /// Length, and how and where the extents are told (ECMA-167 4/14.9, 4/14.17).
    fn entry(&self, block: usize) -> Option<(usize, u16, &'c [u8])> {
        let entry = self.block(block);
        let (attributes, extents, start) = match u16_le(entry, 0)? {
            FILE_ENTRY => (u32_le(entry, 168)?, u32_le(entry, 172)?, 176),
            EXTENDED_FILE_ENTRY => (u32_le(entry, 208)?, u32_le(entry, 212)?, 216),
            _ => return None,
        };
        let length = usize::try_from(u64_le(entry, 56)?).ok()?;
        let table = up_to(entry, (attributes as usize).checked_add(start)?, extents as usize);
        Some((length, u16_le(entry, 34)? & 7, table))
    }

    /// Where the file begins if it is one extent, and its length.
    fn place(&self, block: usize) -> Option<(usize, usize)> {
        let (length, kind, table) = self.entry(block)?;
        (kind < 2).then(|| u32_le(table, 4).map(|first| (self.start(first as usize), length)))?
    }

    /// The bytes of a file.
    fn file(&self, walk: &mut Walk<'_>, block: usize) -> Option<Vec<u8>> {
        let (length, kind, table) = self.entry(block)?;
        let length = length.min(self.content.len());
        if !walk.may_take(length) {
            return None;
        }
        // Extents of 8 or 16 bytes, or the file itself.
        let step = match kind {
            0 => 8,
            1 => 16,
            3 => return Some(up_to(table, 0, length).to_vec()),
            _ => return None,
        };
        let mut out = Vec::with_capacity(length);
        for extent in table.chunks_exact(step).take(EXTENTS) {
            let (bytes, first) = (u32_le(extent, 0)? & 0x3fff_ffff, u32_le(extent, 4)?);
            out.extend(up_to(self.content, self.start(first as usize), (bytes as usize).min(length - out.len())));
        }
        Some(out)
    }
}
