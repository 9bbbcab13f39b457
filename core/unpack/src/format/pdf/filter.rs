//! Filters of streams (ISO 32000-1 §7.4).

use super::super::compression;
use crate::{Bound, bytes::hex, walk::Walk};
use memchr::memmem;

/// Most filters one behind another. Source: our own limit.
const FILTERS: usize = 8;

/// The bytes of a stream, as far as its filters are known and the bounds go.
pub(super) fn unpacked(walk: &mut Walk<'_>, dictionary: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = data.to_vec();
    if !walk.may_work(data.len()) {
        return Vec::new();
    }
    let has_predictor = memmem::find(dictionary, b"/Predictor").is_some();
    if has_predictor {
        // Made for pictures and tables; files and objects have none.
        walk.cut(Bound::Method);
    }
    for filter in filters(dictionary) {
        out = match filter {
            // The name stands in another object. Nearly always it is this one.
            ELSEWHERE if is_zlib(&out) => walk.read_quietly(out.len(), compression::zlib(&out)).0,
            b"FlateDecode" | b"Fl" => {
                // The end of line before the end mark is part of the data here, and some writers leave the checksum out.
                let (unpacked, bound) = walk.read_quietly(out.len(), compression::zlib(&out));
                if let Some(bound) = bound.filter(|bound| *bound != Bound::Damage || unpacked.is_empty()) {
                    walk.cut(bound);
                }
                unpacked
            }
            b"ASCIIHexDecode" | b"AHx" => hex(&out[..memchr::memchr(b'>', &out).unwrap_or(out.len())]),
            b"ASCII85Decode" | b"A85" => ascii85(walk, &out),
            b"RunLengthDecode" | b"RL" => run_length(walk, &out),
            b"LZWDecode" | b"LZW" => {
                let (room, bound) = walk.room(out.len());
                let unpacked = lzw(&out, room);
                if unpacked.len() >= room {
                    walk.cut(bound);
                }
                unpacked
            }
            _ => {
                walk.cut(Bound::Method);
                return out;
            }
        };
        if !walk.may_work(out.len()) {
            return Vec::new();
        }
    }
    out
}

/// In place of a name that stands in another object: `/Filter 7 0 R`.
const ELSEWHERE: &[u8] = b"";

/// Whether the bytes begin as zlib's do (RFC 1950 §2.2).
fn is_zlib(data: &[u8]) -> bool {
    matches!(data, [method, flags, ..] if method & 15 == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0)
}

/// The text behind blanks and comments (ISO 32000-1 §7.2.3).
fn behind_blanks(mut text: &[u8]) -> &[u8] {
    loop {
        text = text.trim_ascii_start();
        if text.first() != Some(&b'%') {
            return text;
        }
        text = &text[memchr::memchr2(b'\n', b'\r', text).unwrap_or(text.len())..];
    }
}

/// Names behind `/Filter`, alone or in brackets.
fn filters(dictionary: &[u8]) -> Vec<&[u8]> {
    let Some(at) = memmem::find(dictionary, b"/Filter").or_else(|| memmem::find(dictionary, b"/F ")) else {
        return Vec::new();
    };
    let rest = &dictionary[at + 2..];
    let name = rest.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(rest.len());
    let mut rest = behind_blanks(&rest[name..]);
    if rest.first().is_some_and(u8::is_ascii_digit) {
        return vec![ELSEWHERE];
    }
    let is_list = rest.first() == Some(&b'[');
    if is_list {
        rest = &rest[1..];
        rest = &rest[..rest.iter().position(|byte| *byte == b']').unwrap_or(rest.len())];
    }
    let mut names = Vec::new();
    let mut words = rest.split(|byte| *byte == b'/');
    let is_name = words.next().is_some_and(|before| behind_blanks(before).is_empty());
    for word in words.take(if is_list { FILTERS } else { 1 }).filter(|_| is_name) {
        let length = word.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(word.len());
        names.push(&word[..length]);
    }
    names
}

fn ascii85(walk: &mut Walk<'_>, text: &[u8]) -> Vec<u8> {
    let (room, bound) = walk.room(text.len());
    let mut out = Vec::new();
    let (mut group, mut count) = (0_u32, 0);
    for byte in text {
        if out.len() > room {
            walk.cut(bound);
            return out;
        }
        match byte {
            b'z' if count == 0 => out.extend([0; 4]),
            b'!'..=b'u' => {
                group = group.wrapping_mul(85).wrapping_add(u32::from(byte - b'!'));
                count += 1;
                if count == 5 {
                    out.extend(group.to_be_bytes());
                    (group, count) = (0, 0);
                }
            }
            b'~' => break,
            _ => {}
        }
    }
    if count > 1 {
        (count..5).for_each(|_| group = group.wrapping_mul(85).wrapping_add(84));
        out.extend(&group.to_be_bytes()[..count - 1]);
    }
    out
}

fn run_length(walk: &mut Walk<'_>, data: &[u8]) -> Vec<u8> {
    let (room, bound) = walk.room(data.len());
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(length) = data.get(at).copied().filter(|length| *length != 128) {
        if out.len() > room {
            walk.cut(bound);
            break;
        }
        if length < 128 {
            out.extend(crate::bytes::up_to(data, at + 1, usize::from(length) + 1));
            at += 2 + usize::from(length);
        } else {
            out.extend(std::iter::repeat_n(data.get(at + 1).copied().unwrap_or(0), 257 - usize::from(length)));
            at += 2;
        }
    }
    out
}

/// LZW with codes of 9 to 12 bits and the early change (ISO 32000-1 §7.4.4).
fn lzw(data: &[u8], room: usize) -> Vec<u8> {
    const CLEAR: usize = 256;
    const END: usize = 257;
    let mut out: Vec<u8> = Vec::new();
    // Each code is a stretch of what was written.
    let mut table: Vec<(usize, usize)> = Vec::new();
    let mut last: Option<(usize, usize)> = None;
    let (mut bits, mut count, mut width) = (0_u32, 0, 9);
    for byte in data {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        if count < width {
            continue;
        }
        count -= width;
        let code = (bits >> count) as usize & ((1 << width) - 1);
        bits &= (1 << count) - 1;
        match code {
            CLEAR => {
                table.clear();
                (last, width) = (None, 9);
                continue;
            }
            END => break,
            _ => {}
        }
        let start = out.len();
        match (code.checked_sub(258), last) {
            (None, _) => out.push(code as u8),
            (Some(index), _) if index < table.len() => {
                let (from, length) = table[index];
                (from..from + length).for_each(|place| out.push(out[place]));
            }
            (Some(_), Some((from, length))) => {
                (from..from + length).for_each(|place| out.push(out[place]));
                out.push(out[from]);
            }
            (Some(_), None) => break,
        }
        // The string before with the first letter of this one, which stands right behind it.
        if let Some((from, length)) = last.filter(|_| table.len() < 4_096 - 258) {
            table.push((from, length + 1));
        }
        last = Some((start, out.len() - start));
        width = match table.len() + 258 + 1 {
            0..512 => 9,
            512..1_024 => 10,
            1_024..2_048 => 11,
            _ => 12,
        };
        if out.len() >= room {
            break;
        }
    }
    out
}
