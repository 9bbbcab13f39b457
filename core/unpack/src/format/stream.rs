//! Files that are one other file, compressed.

use super::compression;
use crate::{
    Bound,
    bytes::{before_nul, slice, text, u16_le, u64_le},
    walk::Walk,
};
use memchr::memmem;

/// gzip (RFC 1952): members behind each other are one file.
pub(super) fn gzip(walk: &mut Walk<'_>, content: &[u8]) {
    let name = gzip_name(content).map_or_else(|| walk.stem(), text);
    let unpacked = walk.read(content.len(), flate2::bufread::MultiGzDecoder::new(content));
    walk.member(&name, &unpacked);
}

/// The file name of the header (RFC 1952 §2.3.1).
fn gzip_name(content: &[u8]) -> Option<&[u8]> {
    let flags = *content.get(3)?;
    let has_name = flags & 8 != 0;
    let extra = if flags & 4 != 0 { 2 + usize::from(u16_le(content, 10)?) } else { 0 };
    let name = before_nul(content.get(10 + extra..)?);
    (has_name && !name.is_empty() && name.len() < 256).then_some(name)
}

pub(super) fn bzip2(walk: &mut Walk<'_>, content: &[u8]) {
    let unpacked = walk.read(content.len(), compression::bzip2(content));
    walk.member(&walk.stem(), &unpacked);
}

pub(super) fn xz(walk: &mut Walk<'_>, content: &[u8]) {
    let unpacked = walk.read(content.len(), compression::xz(content, walk.dictionary_bytes()));
    walk.member(&walk.stem(), &unpacked);
}

pub(super) fn zstd(walk: &mut Walk<'_>, content: &[u8]) {
    let unpacked = walk.read(content.len(), compression::zstd(content, walk.dictionary_bytes()));
    walk.member(&walk.stem(), &unpacked);
}

pub(super) fn lzma(walk: &mut Walk<'_>, content: &[u8]) {
    match compression::lzma(content, walk.dictionary_bytes()) {
        Ok(unpacker) => {
            let unpacked = walk.read(content.len(), unpacker);
            walk.member(&walk.stem(), &unpacked);
        }
        // Any data may begin like this; what is none of it is no loss.
        Err(_) => walk.cut(Bound::Dictionary),
    }
}

/// Most members of lzip. Source: our own limit; plzip writes one for some megabytes.
const LZIP_MEMBERS: usize = 1_000;

/// Members of lzip behind each other (the manual of lzip, "File format").
pub(super) fn lzip(walk: &mut Walk<'_>, content: &[u8]) {
    let mut unpacked = Vec::new();
    let mut end = content.len();
    let mut members = Vec::new();
    // Each ends with its own length, so they are found from the end.
    while let Some(length) = end.checked_sub(8).and_then(|at| u64_le(content, at)) {
        let Some(from) = usize::try_from(length).ok().filter(|length| *length > 26).and_then(|l| end.checked_sub(l))
        else {
            break;
        };
        members.push(&content[from..end]);
        end = from;
    }
    if end > 0 {
        // Something stands behind the last member, or before it: the marks are looked for instead.
        let starts: Vec<_> = memmem::find_iter(content, b"LZIP\x01").take(LZIP_MEMBERS).collect();
        if starts.len() == LZIP_MEMBERS {
            walk.cut(Bound::Files);
        }
        let ends = starts.iter().skip(1).copied().chain([content.len()]);
        members = starts
            .iter()
            .zip(ends)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .map(|(start, end)| &content[*start..end])
            .collect();
    }
    for member in members.iter().rev() {
        let Some(packed) = member.strip_prefix(b"LZIP\x01").and_then(|rest| rest.get(1..)) else { break };
        // The coded size is a power of two less some sixteenths of it.
        let coded = member[5];
        let base = 1_u64 << (coded & 0x1f).min(29);
        let dictionary = base - base / 16 * u64::from(coded >> 5);
        let mut properties = vec![0x5d];
        properties.extend((dictionary as u32).to_le_bytes());
        let packed = slice(packed, 0, packed.len().saturating_sub(20)).unwrap_or_default();
        match compression::bare_lzma(packed, &properties, None, walk.dictionary_bytes()) {
            Ok(unpacker) => unpacked.extend(walk.read(member.len(), unpacker)),
            Err(_) => walk.cut(Bound::Dictionary),
        }
        if unpacked.len() > walk.room(content.len()).0 {
            walk.cut(Bound::Bytes);
            break;
        }
    }
    walk.member(&walk.stem(), &unpacked);
}
