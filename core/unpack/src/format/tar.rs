//! tar archives (POSIX.1-2017 ustar and pax, and GNU's long names).

use crate::{
    Bound,
    bytes::{before_nul, slice, text},
    walk::Walk,
};

/// Unit of everything. Unit: bytes.
const BLOCK: usize = 512;

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    let mut at = 0;
    let mut long_name = None;
    while let Some(header) = slice(content, at, BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            // Two such blocks end the archive; some readers go on behind them, and so does this one.
            at += BLOCK;
            continue;
        }
        if !is_header(header) {
            walk.cut(Bound::Damage);
            return;
        }
        let Some(size) = number(&header[124..136]) else { return walk.cut(Bound::Damage) };
        let start = at + BLOCK;
        let Some(data) = slice(content, start, size) else {
            walk.cut(Bound::Damage);
            let rest = content.get(start..).unwrap_or_default();
            return walk.member(&name_of(header), rest);
        };
        match header[156] {
            b'L' => long_name = Some(text(before_nul(data))),
            b'x' => long_name = pax_path(data).or(long_name),
            // Links, devices and folders have no content; attributes of all members say nothing here.
            b'1'..=b'6' | b'g' | b'K' => long_name = None,
            _ => {
                if walk.is_full() {
                    return;
                }
                let name = long_name.take().unwrap_or_else(|| name_of(header));
                walk.member(&name, data);
            }
        }
        at = start.saturating_add(size.div_ceil(BLOCK).saturating_mul(BLOCK));
    }
}

/// Whether the sum over the header is the one that it names.
fn is_header(header: &[u8]) -> bool {
    let around = header[..148].iter().chain(&header[156..]).map(|byte| u32::from(*byte)).sum::<u32>();
    number(&header[148..156]) == Some((around + 8 * u32::from(b' ')) as usize)
}

/// Octal digits, or GNU's binary numbers.
fn number(field: &[u8]) -> Option<usize> {
    if field[0] & 0x80 != 0 {
        return field[1..].iter().try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)));
    }
    let digits = before_nul(field).trim_ascii();
    digits.iter().try_fold(0_usize, |sum, digit| match digit {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(usize::from(digit - b'0')),
        _ => None,
    })
}

fn name_of(header: &[u8]) -> String {
    let name = text(before_nul(&header[..100]));
    match before_nul(&header[345..500]) {
        prefix if !prefix.is_empty() && header[257..].starts_with(b"ustar\0") => format!("{}/{name}", text(prefix)),
        _ => name,
    }
}

/// The path of a pax header: lines of `LENGTH path=NAME`.
fn pax_path(data: &[u8]) -> Option<String> {
    let mut lines = data.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let at = memchr::memmem::find(line, b" path=")?;
        Some(text(&line[at + 6..]))
    })
}
