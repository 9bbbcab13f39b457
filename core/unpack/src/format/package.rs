//! Objects that the old packager of Windows puts into documents.

use crate::{
    bytes::{before_nul, slice, text, u32_le},
    walk::Walk,
};

/// The stream `\1Ole10Native` (MS-OLEDS 2.3.6): size, then the packager's own structure.
pub(super) fn native(walk: &mut Walk<'_>, stream: &[u8]) {
    let data = stream.get(4..).unwrap_or_default();
    if packager(walk, data).is_none() {
        walk.is_archive();
        walk.member("object", data);
    }
}

/// The structure of the packager, which Microsoft has not described: mark, label, path, kind, path again, size, content.
pub(super) fn packager(walk: &mut Walk<'_>, data: &[u8]) -> Option<()> {
    let mut rest = data.strip_prefix(b"\x02\x00")?;
    let label = before_nul(rest);
    rest = rest.get(label.len() + 1..)?;
    rest = rest.get(before_nul(rest).len() + 1..)?;
    // Two words that vary, then the length of the path.
    let path_bytes = u32_le(rest, 4)? as usize;
    let size = u32_le(rest, path_bytes.checked_add(8)?)? as usize;
    let start = path_bytes + 12;
    let content = slice(rest, start, size).or_else(|| rest.get(start..))?;
    let name = text(label);
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    walk.is_archive();
    walk.member(&name, content);
    Some(())
}
