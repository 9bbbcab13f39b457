//! Images of CDs and DVDs: ISO 9660 (ECMA-119) with Joliet and Rock Ridge, and UDF (ECMA-167).

mod udf;

use crate::{
    Bound,
    bytes::{folder, slice, text, u32_le, up_to, utf16_be},
    walk::Walk,
};
use std::collections::HashSet;

/// Unit of all places. Unit: bytes.
const SECTOR: usize = 2_048;
/// Where descriptors begin. Unit: sectors. Source: ECMA-119 §6.2.1.
const FIRST_DESCRIPTOR: usize = 16;
/// Deepest folder. Source: our own limit; ECMA-119 §6.8.2.1 allows 8.
const FOLDERS: usize = 64;

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    let mut seen = HashSet::new();
    let mut roots = Vec::new();
    for number in FIRST_DESCRIPTOR..FIRST_DESCRIPTOR + 64 {
        let Some(descriptor) = slice(content, number * SECTOR, SECTOR) else { break };
        if &descriptor[1..6] != b"CD001" {
            continue;
        }
        let is_joliet = matches!(&descriptor[88..91], b"%/@" | b"%/C" | b"%/E");
        match descriptor[0] {
            1 => roots.push((false, &descriptor[156..190])),
            2 if is_joliet => roots.push((true, &descriptor[156..190])),
            255 => break,
            _ => {}
        }
    }
    // Joliet first: its names are those that Windows shows. What only the other tree leads to is found behind it.
    roots.sort_by_key(|(is_joliet, _)| !is_joliet);
    for (is_joliet, root) in &roots {
        tree(walk, content, root, *is_joliet, &mut seen);
    }
    let sectors =
        (FIRST_DESCRIPTOR..FIRST_DESCRIPTOR + 64).filter_map(|number| slice(content, number * SECTOR, SECTOR));
    // The mark of UDF stands among these, too (ECMA-167 3/9.1).
    let has_udf = sectors.map(|sector| &sector[1..5]).any(|mark| mark == b"NSR0");
    let is_damaged = udf::open(walk, content, &mut seen).is_none() && has_udf;
    if seen.is_empty() || is_damaged {
        walk.cut(Bound::Damage);
    }
}

/// Files below a folder; `seen` has the places of those that were taken.
fn tree(walk: &mut Walk<'_>, content: &[u8], root: &[u8], is_joliet: bool, seen: &mut HashSet<(usize, usize)>) {
    let mut folders = HashSet::new();
    let mut todo = Vec::new();
    if let Some((start, length)) = place(root) {
        folders.insert(start);
        todo.push((start, length, String::new(), 0));
    }
    while let Some((start, length, path, depth)) = todo.pop() {
        seen.insert((start, usize::MAX));
        let records = up_to(content, start, length);
        if !walk.may_work(records.len()) {
            return;
        }
        let mut at = 0;
        while let Some(record_bytes) = records.get(at).copied().map(usize::from) {
            if record_bytes < 34 {
                // A record does not cross a sector: zeros fill it (ECMA-119 §6.8.1.1).
                at = (at / SECTOR + 1) * SECTOR;
                continue;
            }
            let record = up_to(records, at, record_bytes);
            at += record_bytes;
            let is_self_or_parent = record.get(32) == Some(&1) && matches!(record.get(33), Some(0 | 1));
            if record.len() < 34 || is_self_or_parent {
                continue;
            }
            let Some((start, length)) = place(record) else { continue };
            let is_folder = record[25] & 2 != 0;
            if is_folder && depth < FOLDERS {
                // Each once, and only those that are there: as many as the image has sectors.
                if start < content.len() && folders.insert(start) {
                    todo.push((start, length, folder(&path, &name_of(record, is_joliet)), depth + 1));
                }
            } else {
                if walk.is_full() {
                    return;
                }
                let goes_on = record[25] & 0x80 != 0;
                if goes_on {
                    // The rest of the file stands elsewhere (ECMA-119 §9.1.6).
                    walk.cut(Bound::Method);
                }
                if seen.insert((start, length)) {
                    if content.len() < start.saturating_add(length) {
                        walk.cut(Bound::Damage);
                    }
                    walk.member(&format!("{path}{}", name_of(record, is_joliet)), up_to(content, start, length));
                }
            }
        }
    }
}

/// Where the content of a record stands, and its length (ECMA-119 §9.1). Unit: bytes.
fn place(record: &[u8]) -> Option<(usize, usize)> {
    Some(((u32_le(record, 2)? as usize).checked_mul(SECTOR)?, u32_le(record, 10)? as usize))
}

/// The name of a record without its version, by Rock Ridge if it has one.
fn name_of(record: &[u8], is_joliet: bool) -> String {
    let length = usize::from(record[32]);
    let name = up_to(record, 33, length);
    if is_joliet {
        return utf16_be(name).trim_end_matches(";1").to_owned();
    }
    let mut rest = record.get(33 + length + (length + 1) % 2..).unwrap_or_default();
    let mut long = Vec::new();
    // Fields of the System Use Sharing Protocol: two letters, length, version.
    while let Some(bytes) = rest.get(2).copied().map(usize::from).filter(|bytes| *bytes >= 5) {
        if rest.starts_with(b"NM") {
            long.extend(up_to(rest, 5, bytes - 5));
        }
        rest = rest.get(bytes..).unwrap_or_default();
    }
    if long.is_empty() { text(name).trim_end_matches(";1").trim_end_matches('.').to_owned() } else { text(&long) }
}
