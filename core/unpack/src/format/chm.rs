//! Compiled HTML help (ITSF), whose content is packed by LZX.

use super::cab::{lzx_with, window};
use crate::{
    Bound,
    bytes::{slice, text, u32_le, u64_le, up_to},
    walk::Walk,
};

/// The packed content, and what tells how it is packed.
const CONTENT: &str = "::DataSpace/Storage/MSCompressed/Content";
const CONTROL: &str = "::DataSpace/Storage/MSCompressed/ControlData";
const RESETS: &str =
    "::DataSpace/Storage/MSCompressed/Transform/{7FC28940-9D31-11D0-9B27-00A0C91E9C7C}/InstanceData/ResetTable";
/// Size of a block of LZX when it is unpacked. Unit: bytes.
const BLOCK: usize = 32_768;

/// A file of the directory.
struct Row {
    name: String,
    packed: bool,
    start: usize,
    length: usize,
}

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    let Some((rows, plain)) = directory(content, walk.left_files()) else { return walk.cut(Bound::Damage) };
    let find = |name: &str| {
        let row = rows.iter().find(|row| row.name == name)?;
        Some(up_to(content, plain.saturating_add(row.start), row.length))
    };
    let unpacked = match (find(CONTENT), find(CONTROL), find(RESETS)) {
        (Some(packed), Some(control), Some(resets)) => unpack(walk, packed, control, resets),
        _ => None,
    };
    if !walk.may_hold(unpacked.as_ref().map_or(0, Vec::len)) {
        return;
    }
    for row in rows.iter().filter(|row| row.length > 0 && !row.name.starts_with("::")) {
        if walk.is_full() {
            return;
        }
        let data = match (row.packed, &unpacked) {
            (false, _) => up_to(content, plain.saturating_add(row.start), row.length),
            (true, Some(unpacked)) => up_to(unpacked, row.start, row.length),
            (true, None) => &[],
        };
        if data.len() < row.length {
            walk.cut(Bound::Damage);
        }
        walk.member(&row.name, data);
    }
}

/// The files of the directory, and where those begin that are not packed.
fn directory(content: &[u8], most: usize) -> Option<(Vec<Row>, usize)> {
    let directory = usize::try_from(u64_le(content, 0x48)?).ok()?;
    let plain = usize::try_from(u64_le(content, 0x58)?).ok()?;
    let head = content.get(directory..).filter(|head| head.starts_with(b"ITSP"))?;
    let (head_bytes, chunk_bytes) = (u32_le(head, 8)? as usize, u32_le(head, 16)? as usize);
    if chunk_bytes < 32 {
        return None;
    }
    let mut rows = Vec::new();
    for chunk in head.get(head_bytes..)?.chunks_exact(chunk_bytes) {
        if !chunk.starts_with(b"PMGL") {
            continue;
        }
        let free = u32_le(chunk, 4)? as usize;
        let mut list = chunk.get(20..chunk_bytes.saturating_sub(free)).unwrap_or_default();
        while let Some(row) = row(&mut list) {
            if rows.len() > most {
                return Some((rows, plain));
            }
            rows.push(row);
        }
    }
    Some((rows, plain))
}

fn row(list: &mut &[u8]) -> Option<Row> {
    let length = number(list)?;
    let name = text(slice(list, 0, length)?);
    *list = &list[length..];
    let (section, start, length) = (number(list)?, number(list)?, number(list)?);
    Some(Row { name: name.trim_start_matches('/').to_owned(), packed: section > 0, start, length })
}

/// A number of groups of seven bits, highest first.
fn number(list: &mut &[u8]) -> Option<usize> {
    let mut number = 0_usize;
    loop {
        let (byte, rest) = list.split_first()?;
        *list = rest;
        number = number.checked_mul(128)?.checked_add(usize::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
}

/// The packed section, as far as the bounds go.
fn unpack(walk: &mut Walk<'_>, packed: &[u8], control: &[u8], resets: &[u8]) -> Option<Vec<u8>> {
    let version = u32_le(control, 8)?;
    let unit = if version >= 2 { BLOCK } else { 1 };
    let reset_blocks = (u32_le(control, 12)? as usize).checked_mul(unit)? / BLOCK;
    let window_bytes = (u32_le(control, 16)? as usize).checked_mul(unit)?;
    let window = window(window_bytes.checked_ilog2()? as u16)?;
    let length = usize::try_from(u64_le(resets, 0x10)?).ok()?;
    let (blocks, table) = (u32_le(resets, 4)? as usize, u32_le(resets, 12)? as usize);
    let start = |block: usize| usize::try_from(u64_le(resets, table.checked_add(block.checked_mul(8)?)?)?).ok();
    let (room, bound) = walk.room(packed.len());
    let mut out = Vec::new();
    let mut lzx = lzx_with(walk, window)?;
    for block in 0..blocks {
        if block > 0 && reset_blocks > 0 && block % reset_blocks == 0 {
            let Some(new) = lzx_with(walk, window) else { break };
            lzx = new;
        }
        let from = start(block)?;
        let to = start(block + 1).filter(|_| block + 1 < blocks).unwrap_or(packed.len());
        let size = length.checked_sub(out.len())?.min(BLOCK);
        if out.len() + size > room {
            walk.cut(bound);
            break;
        }
        match packed.get(from..to).and_then(|part| lzx.decompress_next(part, size).ok().map(|part| out.extend(part))) {
            Some(()) => {}
            None => {
                walk.cut(Bound::Damage);
                break;
            }
        }
    }
    Some(out)
}
