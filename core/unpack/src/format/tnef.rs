//! TNEF, in which Outlook packs attachments as `winmail.dat` (MS-OXTNEF).

use crate::{
    Bound,
    bytes::{before_nul, slice, text, u16_le, u32_le, utf16_le},
    walk::Walk,
};

/// Attributes of an attachment (MS-OXTNEF 2.1.3.2): where the next begins, its content, its short name, its properties.
const RENDER: u32 = 0x0006_9002;
const DATA: u32 = 0x0006_800f;
const TITLE: u32 = 0x0001_8010;
const PROPERTIES: u32 = 0x0006_9005;
/// Properties of it (MS-OXPROPS): the long name, and the content where it is an object.
const LONG_NAME: u16 = 0x3707;
const OBJECT: u16 = 0x3701;

/// An attachment under way.
#[derive(Default)]
struct Attachment<'t> {
    name: Option<String>,
    data: Option<&'t [u8]>,
}

impl Attachment<'_> {
    fn tell(self, walk: &mut Walk<'_>) {
        if let Some(data) = self.data {
            walk.member(&self.name.unwrap_or_default(), data);
        }
    }
}

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    let mut at = 6;
    let mut attachment = Attachment::default();
    while at + 9 <= content.len() {
        let (Some(attribute), Some(length)) = (u32_le(content, at + 1), u32_le(content, at + 5)) else { break };
        let Some(data) = slice(content, at + 9, length as usize) else {
            walk.cut(Bound::Damage);
            break;
        };
        match attribute {
            RENDER => std::mem::take(&mut attachment).tell(walk),
            DATA => attachment.data = Some(data),
            TITLE => attachment.name = attachment.name.or_else(|| Some(text(before_nul(data)))),
            PROPERTIES => drop(properties(data, &mut attachment)),
            _ => {}
        }
        at += 9 + data.len() + 2;
    }
    attachment.tell(walk);
}

/// Reads properties until one is of an unknown shape (MS-OXTNEF 2.1.3.4).
fn properties<'t>(data: &'t [u8], attachment: &mut Attachment<'t>) -> Option<()> {
    let count = u32_le(data, 0)?;
    let mut at = 4;
    for _ in 0..count.min(4_096) {
        let (kind, id) = (u16_le(data, at)?, u16_le(data, at + 2)?);
        at += 4;
        if id >= 0x8000 {
            // A named property: its set, then a number or a name.
            let is_name = u32_le(data, at + 16)? == 1;
            let length = u32_le(data, at + 20)? as usize;
            at += 24 + if is_name { length.checked_next_multiple_of(4)? } else { 0 };
        }
        let is_list = kind & 0x1000 != 0;
        let fixed = match kind & 0xfff {
            0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => Some(4),
            0x0005..=0x0007 | 0x0014 | 0x0040 => Some(8),
            0x0048 => Some(16),
            0x000d | 0x001e | 0x001f | 0x0102 => None,
            _ => return None,
        };
        let values = if is_list || fixed.is_none() {
            let values = u32_le(data, at)?;
            at += 4;
            values
        } else {
            1
        };
        for _ in 0..values.min(4_096) {
            let length = match fixed {
                Some(length) => length,
                None => {
                    at += 4;
                    u32_le(data, at - 4)? as usize
                }
            };
            let value = slice(data, at, length)?;
            match (id, kind & 0xfff) {
                (LONG_NAME, 0x1f) => attachment.name = Some(utf16_le(value)),
                (LONG_NAME, 0x1e) => attachment.name = Some(text(before_nul(value))),
                // An interface identifier stands before the bytes of an object.
                (OBJECT, 0x0d) => attachment.data = value.get(16..),
                (OBJECT, 0x102) => attachment.data = Some(value),
                _ => {}
            }
            at += length.checked_next_multiple_of(4)?;
        }
    }
    Some(())
}
