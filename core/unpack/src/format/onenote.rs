//! Files in sections of OneNote (MS-ONESTORE 2.6.13).

use crate::{
    FileKind,
    bytes::{u64_le, up_to},
    walk::Walk,
};
use memchr::memmem;

/// Identifier before the length and content of a file, {BDE316E7-2665-4511-A4C4-8D4D0B7A9EAC}.
const FILE: &[u8] = b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac";

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    for at in memmem::find_iter(content, FILE) {
        let Some(length) = u64_le(content, at + 16) else { return };
        let file = up_to(content, at + 36, usize::try_from(length).unwrap_or(usize::MAX));
        if walk.is_full() {
            return;
        }
        walk.member(&format!("embedded.{}", FileKind::of(file).word()), file);
    }
}
