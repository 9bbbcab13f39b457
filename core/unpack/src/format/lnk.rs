//! Windows shortcuts (MS-SHLLINK).

use crate::{
    Sign,
    bytes::{before_nul, text, u16_le, u32_le, up_to, utf16_le},
    walk::Walk,
};

/// Flags (MS-SHLLINK 2.1.1).
const HAS_TARGET_LIST: u32 = 1;
const HAS_LINK_INFO: u32 = 1 << 1;
const IS_UNICODE: u32 = 1 << 7;
/// Strings behind each other, each there if its flag is set (2.4): name, relative path, folder, arguments, icon.
const STRINGS: [u32; 5] = [1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6];
const RELATIVE_PATH: usize = 1;
const ARGUMENTS: usize = 3;

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    let Some(command) = command(content) else { return };
    walk.sign(Sign::ShortcutCommand, &command);
    walk.is_document();
    walk.member("command", command.as_bytes());
}

/// What the shortcut runs with arguments; `None` if it has none.
fn command(content: &[u8]) -> Option<String> {
    let flags = u32_le(content, 20)?;
    let mut at = 76;
    if flags & HAS_TARGET_LIST != 0 {
        at += 2 + usize::from(u16_le(content, at)?);
    }
    let mut target = String::new();
    if flags & HAS_LINK_INFO != 0 {
        let place = u32_le(content, at + 16)? as usize;
        if place > 0 {
            target = text(before_nul(up_to(content, at + place, 1_024)));
        }
        at = at.checked_add(u32_le(content, at)? as usize)?;
    }
    let mut arguments = String::new();
    for (index, _) in STRINGS.iter().enumerate().filter(|(_, flag)| flags & **flag != 0) {
        let characters = usize::from(u16_le(content, at)?);
        let is_wide = flags & IS_UNICODE != 0;
        let bytes = if is_wide { 2 * characters } else { characters };
        let word = up_to(content, at + 2, bytes);
        let word = if is_wide { utf16_le(word) } else { text(word) };
        match index {
            RELATIVE_PATH if target.is_empty() => target = word,
            ARGUMENTS => arguments = word,
            _ => {}
        }
        at += 2 + bytes;
    }
    let arguments = arguments.trim();
    (!arguments.is_empty()).then(|| format!("{target} {arguments}"))
}
