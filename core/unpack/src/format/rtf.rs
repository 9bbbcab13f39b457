//! Objects in rich text (the RTF specification 1.9.1, "Objects").

use super::{office, ole, package};
use crate::{
    Sign,
    bytes::{before_nul, slice, text, u32_le, up_to},
    walk::Walk,
};
use memchr::memmem;

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    let mut from = 0;
    while let Some(found) = content.get(from..).and_then(|rest| memmem::find(rest, b"objdata")) {
        let start = from + found + b"objdata".len();
        let (data, end) = hexadecimal(content, start);
        from = end;
        if !walk.may_take(data.len()) {
            return;
        }
        object(walk, &data);
    }
    for at in memmem::find_iter(content, b"\\template") {
        let target = up_to(content, at + b"\\template".len(), 300);
        let target = text(&target[..memchr::memchr2(b'}', b'{', target).unwrap_or(target.len())]);
        // A backslash is written twice (the RTF specification 1.9.1, "Special Characters").
        if let Some(sign) = office::elsewhere(&target.replace("\\\\", "\\")) {
            walk.sign(sign, target.trim());
            break;
        }
    }
    if let Some(at) = memmem::find(content, b"DDEAUTO") {
        let command = up_to(content, at + b"DDEAUTO".len(), 300);
        let command = text(&command[..memchr::memchr2(b'}', b'{', command).unwrap_or(command.len())]);
        walk.sign(Sign::Dde, command.trim());
    }
}

/// An object as OLE 1.0 writes it (MS-OLEDS 2.2.5); others are looked into as they are.
fn object(walk: &mut Walk<'_>, data: &[u8]) {
    walk.is_archive();
    match embedded(data) {
        Some((class, native)) => {
            let is_package = class.eq_ignore_ascii_case("Package");
            if !(is_package && package::packager(walk, native).is_some()) {
                walk.member(&class, native);
            }
        }
        None => {
            let start = memmem::find_iter(data, b"\xd0\xcf\x11\xe0").find(|at| ole::begins(&data[*at..]));
            walk.member("object", &data[start.unwrap_or(0)..]);
        }
    }
}

/// Class and content of an embedded object.
fn embedded(data: &[u8]) -> Option<(String, &[u8])> {
    const EMBEDDED: u32 = 2;
    if u32_le(data, 4)? != EMBEDDED {
        return None;
    }
    let mut at = 8;
    let mut names = Vec::new();
    for _ in 0..3 {
        let length = u32_le(data, at)? as usize;
        names.push(text(before_nul(slice(data, at + 4, length)?)));
        at += 4 + length;
    }
    let size = u32_le(data, at)? as usize;
    let class = names.swap_remove(0);
    Some((class, up_to(data, at + 4, size)))
}

/// The bytes that hexadecimal digits behind `\objdata` stand for, and where the group ends. Readers pass over blanks, control
/// words and groups that begin with one, with which malware tears the digits apart.
fn hexadecimal(content: &[u8], start: usize) -> (Vec<u8>, usize) {
    let (mut out, mut high) = (Vec::new(), None);
    let (mut at, mut depth, mut skipped) = (start, 0_usize, None);
    while let Some(byte) = content.get(at) {
        at += 1;
        match byte {
            b'{' => {
                depth += 1;
                // A group with a control word at its start is skipped; the digits of a plain one count.
                let is_plain = content[at..].iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'\\');
                if !is_plain && skipped.is_none() {
                    skipped = Some(depth);
                }
            }
            b'}' if depth == 0 => break,
            b'}' if skipped == Some(depth) => {
                skipped = None;
                depth -= 1;
            }
            b'}' => depth -= 1,
            // Another object within: its own digits follow.
            b'\\' if content[at..].starts_with(b"objdata") => break,
            b'\\' => at = behind_control(content, at, &mut out),
            _ if skipped.is_some() => {}
            _ => {
                let Some(digit) = char::from(*byte).to_digit(16) else { continue };
                high = match high {
                    None => Some(digit),
                    Some(high) => {
                        out.push((high << 4 | digit) as u8);
                        None
                    }
                };
            }
        }
    }
    (out, at)
}

/// Where the text goes on behind a control word or symbol; `\bin` is followed by bytes as they are.
fn behind_control(content: &[u8], mut at: usize, out: &mut Vec<u8>) -> usize {
    let start = at;
    let is = |at: usize, test: fn(&u8) -> bool| content.get(at).is_some_and(test);
    while is(at, u8::is_ascii_alphabetic) {
        at += 1;
    }
    if at == start {
        // `\'` has two digits behind it.
        return at + if is(at, |byte| *byte == b'\'') { 3 } else { 1 };
    }
    let word = &content[start..at];
    let number = at;
    while is(at, |byte| byte.is_ascii_digit() || *byte == b'-') {
        at += 1;
    }
    let length = std::str::from_utf8(&content[number..at]).ok().and_then(|number| number.parse::<usize>().ok());
    at += usize::from(is(at, |byte| *byte == b' '));
    match length.filter(|_| word == b"bin") {
        Some(length) => {
            let bytes = up_to(content, at, length);
            out.extend(bytes);
            at + bytes.len()
        }
        None => at,
    }
}
