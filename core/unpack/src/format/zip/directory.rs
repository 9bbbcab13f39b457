//! Members of a ZIP archive as its directory lists them, and those that it hides.

use crate::bytes::{slice, u16_le, u32_le, u64_le, up_to};
use memchr::memmem;
use std::hash::{DefaultHasher, Hash, Hasher};

pub(super) const STORED: u16 = 0;
const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const LOCAL_BYTES: usize = 30;
const CENTRAL_BYTES: usize = 46;
/// Highest compression method that is defined (APPNOTE 4.4.5), AES's mark among them.
const LAST_METHOD: u16 = 99;

/// A member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'z> {
    pub(super) name: &'z [u8],
    /// The name in the header before the content, if there is one.
    pub(super) named_before: Option<&'z [u8]>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) time: u16,
    pub(super) crc: u32,
    /// Size of the content as declared. Unit: bytes.
    pub(super) size: u64,
    pub(super) extra: &'z [u8],
    /// As packed.
    pub(super) data: &'z [u8],
    /// Where header and data stand.
    from: usize,
    to: usize,
}

impl Entry<'_> {
    pub(super) fn is_locked(&self) -> bool {
        self.flags & 1 != 0
    }

    /// Name, numbers and bytes as one number.
    pub(super) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.name, self.method, self.crc, self.size, self.data).hash(&mut hasher);
        hasher.finish()
    }

    pub(super) fn is_folder(&self) -> bool {
        self.name.ends_with(b"/") && self.data.is_empty()
    }
}

/// What the space between members shows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gaps {
    pub(super) overlap: bool,
}

/// Whether there is an end record and nothing else: an archive without members.
pub(super) fn is_empty_archive(content: &[u8]) -> bool {
    content.starts_with(END)
}

/// Members of a directory.
#[derive(Debug)]
pub(super) struct Listed<'z> {
    pub(super) entries: Vec<Entry<'z>>,
    /// Whether rows lead nowhere.
    pub(super) lost: bool,
    /// Whether all rows were read.
    pub(super) is_whole: bool,
}

impl Listed<'_> {
    const NONE: Self = Listed { entries: Vec::new(), lost: false, is_whole: true };
}

/// Most rows of a directory, folders among them. Source: our own limit; a row takes some 150 bytes.
const ROWS: usize = 100_000;

/// Members that the directory at the end lists (APPNOTE 4.3.12, 4.3.14, 4.3.16), until there are `most` files.
pub(super) fn listed(content: &[u8], most: usize) -> Listed<'_> {
    let Some(end) = memmem::rfind(content, END) else { return Listed::NONE };
    let (Some(mut size), Some(mut offset)) =
        (u32_le(content, end + 12).map(u64::from), u32_le(content, end + 16).map(u64::from))
    else {
        return Listed::NONE;
    };
    let mut before = end;
    let locator = end.checked_sub(20).filter(|at| up_to(content, *at, 4) == b"PK\x06\x07");
    if let Some(record) = locator.and_then(|at| memmem::rfind(&content[..at], b"PK\x06\x06"))
        && let (Some(size64), Some(offset64)) = (u64_le(content, record + 40), u64_le(content, record + 48))
    {
        (size, offset, before) = (size64, offset64, record);
    }
    // Behind something else all offsets are short by its length.
    let starts = [
        usize::try_from(offset).ok(),
        usize::try_from(size).ok().and_then(|size| before.checked_sub(size)),
        memmem::find(content, CENTRAL),
    ];
    let is_directory = |at: &usize| up_to(content, *at, 4) == CENTRAL;
    let Some(start) = starts.into_iter().flatten().find(is_directory) else { return Listed::NONE };
    let shift = starts[1].filter(is_directory).map_or(0, |at| at.saturating_sub(offset as usize));
    let mut listed = Listed::NONE;
    let (mut at, mut rows, mut files) = (start, 0, 0);
    while up_to(content, at, 4) == CENTRAL {
        if files == most || rows == ROWS {
            listed.is_whole = false;
            break;
        }
        let Some((entry, next)) = central(content, at, shift) else { break };
        rows += 1;
        files += usize::from(entry.is_some_and(|entry| !entry.is_folder()));
        listed.lost |= entry.is_none();
        listed.entries.extend(entry);
        at = next;
    }
    listed
}

/// One row of the directory, and where the next stands. A row that leads nowhere is passed over.
fn central(content: &[u8], at: usize, shift: usize) -> Option<(Option<Entry<'_>>, usize)> {
    let (name_bytes, extra_bytes) = (usize::from(u16_le(content, at + 28)?), usize::from(u16_le(content, at + 30)?));
    let comment_bytes = usize::from(u16_le(content, at + 32)?);
    let name = slice(content, at + CENTRAL_BYTES, name_bytes)?;
    let extra = up_to(content, at + CENTRAL_BYTES + name_bytes, extra_bytes);
    let next = at + CENTRAL_BYTES + name_bytes + extra_bytes + comment_bytes;
    let mut size = u64::from(u32_le(content, at + 24)?);
    let mut packed = u64::from(u32_le(content, at + 20)?);
    let mut offset = u64::from(u32_le(content, at + 42)?);
    // APPNOTE 4.5.3: those numbers that do not fit, in this order.
    if let Some(large) = field(extra, 1) {
        let mut place = 0;
        for number in [&mut size, &mut packed, &mut offset] {
            if *number == u64::from(u32::MAX) {
                *number = u64_le(large, place).unwrap_or(*number);
                place += 8;
            }
        }
    }
    let entry = (|| {
        let from = usize::try_from(offset).ok()?.checked_add(shift)?;
        if up_to(content, from, 4) != LOCAL {
            return None;
        }
        let local_name_bytes = usize::from(u16_le(content, from + 26)?);
        let local_extra_bytes = usize::from(u16_le(content, from + 28)?);
        let start = from + LOCAL_BYTES + local_name_bytes + local_extra_bytes;
        let data = up_to(content, start, usize::try_from(packed).unwrap_or(usize::MAX));
        Some(Entry {
            name,
            named_before: slice(content, from + LOCAL_BYTES, local_name_bytes),
            flags: u16_le(content, at + 8)? | u16_le(content, from + 6)? & 1,
            method: u16_le(content, at + 10)?,
            time: u16_le(content, at + 12)?,
            crc: u32_le(content, at + 16)?,
            size,
            extra,
            data,
            from,
            to: start + data.len(),
        })
    })();
    Some((entry, next))
}

/// An extra field by its number (APPNOTE 4.5.1).
pub(super) fn field(mut extra: &[u8], number: u16) -> Option<&[u8]> {
    while let (Some(id), Some(length)) = (u16_le(extra, 0), u16_le(extra, 2)) {
        if id == number {
            return slice(extra, 4, usize::from(length));
        }
        extra = extra.get(4 + usize::from(length)..)?;
    }
    None
}

/// Members before whose content a header stands (APPNOTE 4.3.7) that the directory does not lead to, nor lies in one that it lists.
pub(super) fn strays<'z>(content: &'z [u8], listed: &[Entry<'z>], most: usize) -> (Vec<Entry<'z>>, Gaps) {
    let mut taken: Vec<(usize, usize)> = listed.iter().map(|entry| (entry.from, entry.to)).collect();
    taken.sort_unstable();
    let overlap = taken.windows(2).any(|pair| pair[1].0 < pair[0].1);
    let mut strays = Vec::new();
    let (mut next, mut at) = (0, 0);
    while strays.len() < most
        && let Some(found) = content.get(at..).and_then(|rest| memmem::find(rest, LOCAL))
    {
        let from = at + found;
        // The taken stretches are sorted: the one around `from`, if there is one, is found by going on.
        while next < taken.len() && taken[next].1 <= from {
            next += 1;
        }
        if taken.get(next).is_some_and(|(start, _)| *start <= from) {
            at = taken[next].1.max(from + 1);
            continue;
        }
        at = from + 4;
        if let Some(entry) = local(content, from) {
            // A header that lies about its length must not hide those behind it.
            let is_followed = up_to(content, entry.to, 2) == b"PK";
            at = if is_followed { entry.to.max(at) } else { at };
            strays.push(entry);
        }
    }
    (strays, Gaps { overlap })
}

/// A member as its own header has it; sizes that follow the content are found by looking for what stands behind.
fn local(content: &[u8], from: usize) -> Option<Entry<'_>> {
    let (flags, method) = (u16_le(content, from + 6)?, u16_le(content, from + 8)?);
    let (name_bytes, extra_bytes) =
        (usize::from(u16_le(content, from + 26)?), usize::from(u16_le(content, from + 28)?));
    let name = slice(content, from + LOCAL_BYTES, name_bytes).filter(|name| !name.is_empty())?;
    if method > LAST_METHOD || name.iter().any(|byte| *byte < 0x20) {
        return None;
    }
    let extra = up_to(content, from + LOCAL_BYTES + name_bytes, extra_bytes);
    let start = from + LOCAL_BYTES + name_bytes + extra_bytes;
    let rest = content.get(start..).unwrap_or_default();
    let mut packed = u64::from(u32_le(content, from + 18)?);
    let mut size = u64::from(u32_le(content, from + 22)?);
    if packed == u64::from(u32::MAX) {
        let large = field(extra, 1).unwrap_or_default();
        (size, packed) = (u64_le(large, 0).unwrap_or(size), u64_le(large, 8).unwrap_or(packed));
    }
    let is_streamed = flags & 8 != 0 && packed == 0;
    let length = match is_streamed {
        true => memmem::find_iter(rest, b"PK")
            .find(|at| matches!(up_to(rest, at + 2, 2), b"\x07\x08" | b"\x03\x04" | b"\x01\x02")),
        false => usize::try_from(packed).ok(),
    };
    let data = &rest[..length.unwrap_or(rest.len()).min(rest.len())];
    let (crc, time) = (u32_le(content, from + 14)?, u16_le(content, from + 10)?);
    Some(Entry { name, named_before: None, flags, method, time, crc, size, extra, data, from, to: start + data.len() })
}
