//! Files that stand in text: uuencode, yEnc, data URIs, what scripts decode, attachments of calendars, messages.

use super::mail;
use crate::{
    FileKind, Sign,
    bytes::{self, base64, text},
    walk::Walk,
};
use aho_corasick::AhoCorasick;
use memchr::{memchr, memmem};
use std::sync::LazyLock;

/// What shows that there may be a file, in the order of [`MARKS`].
#[derive(Clone, Copy)]
enum Mark {
    Uuencode,
    YEnc,
    DataUri,
    Calendar,
    Script,
}

const MARKS: &[(&str, Mark)] = &[
    ("begin ", Mark::Uuencode),
    ("begin-base64 ", Mark::Uuencode),
    ("=ybegin ", Mark::YEnc),
    (";base64,", Mark::DataUri),
    ("attach;", Mark::Calendar),
    ("<script", Mark::Script),
    ("atob(", Mark::Script),
    ("fromcharcode", Mark::Script),
    ("uint8array", Mark::Script),
    ("createobjecturl", Mark::Script),
    ("frombase64string", Mark::Script),
    ("onload=", Mark::Script),
    ("onbegin=", Mark::Script),
];

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder().ascii_case_insensitive(true).build(MARKS.iter().map(|(word, _)| word)).ok()
});

/// Shortest run of base64 in a script that is taken for a file. Unit: characters. Source: our own limit; the smallest programs have
/// more.
const RUN_CHARACTERS: usize = 80;
/// Shortest row of numbers in a script that is taken for one. Source: our own limit.
const ROW_NUMBERS: usize = 60;

pub(super) fn open(walk: &mut Walk<'_>, kind: FileKind, content: &[u8]) {
    if let Some(plain) = bytes::utf16_as_ascii(content) {
        if walk.may_work(content.len()) {
            plain_text(walk, kind, &plain);
        }
        return;
    }
    plain_text(walk, kind, content);
}

fn plain_text(walk: &mut Walk<'_>, kind: FileKind, content: &[u8]) {
    if kind != FileKind::Html && mail::is_message(content) {
        return mail::open(walk, content);
    }
    let Some(finder) = &*FINDER else { return };
    let mut is_script = false;
    let mut from = 0;
    while let Some(found) = finder.find(content.get(from..).unwrap_or_default()) {
        if walk.is_full() {
            return;
        }
        let (start, end) = (from + found.start(), from + found.end());
        let at_line = start == 0 || content[start - 1] == b'\n';
        from = end;
        match MARKS[found.pattern().as_usize()].1 {
            Mark::Uuencode if at_line => from = uuencode(walk, content, start).unwrap_or(end),
            Mark::YEnc if at_line => from = yenc(walk, content, start).unwrap_or(end),
            Mark::DataUri => from = data_uri(walk, kind, content, end),
            Mark::Calendar if at_line => from = calendar(walk, content, end).unwrap_or(end),
            Mark::Script => is_script = true,
            _ => {}
        }
    }
    if is_script {
        if kind == FileKind::Svg {
            walk.sign(Sign::PictureScript, "");
        }
        decoded_by_scripts(walk, content);
    }
}

/// The rest of the line from `at`, and where the next begins.
fn line(content: &[u8], at: usize) -> (&[u8], usize) {
    let rest = content.get(at..).unwrap_or_default();
    let length = memchr(b'\n', rest).unwrap_or(rest.len());
    let line = &rest[..length];
    (line.strip_suffix(b"\r").unwrap_or(line), at + length + 1)
}

/// A file as uuencode(1) of POSIX.1-2017 writes it, both ways; where it ends.
fn uuencode(walk: &mut Walk<'_>, content: &[u8], start: usize) -> Option<usize> {
    let (head, mut at) = line(content, start);
    let mut words = head.splitn(3, |byte| *byte == b' ');
    let (begin, mode, name) = (words.next()?, words.next()?, words.next()?);
    if !(3..=4).contains(&mode.len()) || !mode.iter().all(|digit| (b'0'..b'8').contains(digit)) {
        return None;
    }
    let mut out = Vec::new();
    if begin == b"begin-base64" {
        let rest = content.get(at..)?;
        let length = memmem::find(rest, b"====").unwrap_or(rest.len());
        out = base64(&rest[..length]);
        at += length;
    } else {
        while at < content.len() {
            let (row, next) = line(content, at);
            let Some((length, digits)) = row.split_first() else { break };
            if row.starts_with(b"end") || !(b' '..=b'`').contains(length) {
                break;
            }
            let length = usize::from((length - b' ') & 63);
            let before = out.len();
            for group in digits.chunks(4) {
                let bits = (0..4).fold(0_u32, |bits, place| {
                    let digit = group.get(place).copied().unwrap_or(b' ');
                    bits << 6 | u32::from(digit.wrapping_sub(b' ') & 63)
                });
                out.extend(&bits.to_be_bytes()[1..]);
            }
            out.truncate(before + length);
            at = next;
        }
    }
    walk.member(&text(name.trim_ascii()), &out);
    Some(at)
}

/// A file as the yEnc draft 1.3 writes it; where it ends.
fn yenc(walk: &mut Walk<'_>, content: &[u8], start: usize) -> Option<usize> {
    let (head, mut at) = line(content, start);
    let name = memmem::find(head, b" name=").map(|at| text(&head[at + 6..]))?;
    let mut out = Vec::new();
    while at < content.len() {
        let (row, next) = line(content, at);
        at = next;
        if row.starts_with(b"=yend") {
            break;
        }
        if row.starts_with(b"=ypart") {
            continue;
        }
        // A dot at the start of a line is doubled on the way through SMTP and NNTP.
        let row = if row.starts_with(b"..") { &row[1..] } else { row };
        let mut escaped = false;
        for byte in row {
            match (escaped, byte) {
                (false, b'=') => escaped = true,
                _ => {
                    let shift = if escaped { 42 + 64 } else { 42 };
                    out.push(byte.wrapping_sub(shift));
                    escaped = false;
                }
            }
        }
    }
    walk.member(name.trim(), &out);
    Some(at)
}

/// What stands behind `data:TYPE;base64,` (RFC 2397); where it ends.
fn data_uri(walk: &mut Walk<'_>, kind: FileKind, content: &[u8], start: usize) -> usize {
    let rest = &content[start..];
    let is_end = |byte: &u8| matches!(byte, b'"' | b'\'' | b')' | b'>' | b'<' | b'`' | b';');
    let length = rest.iter().position(is_end).unwrap_or(rest.len());
    let decoded = base64(&percent_decoded(&rest[..length]));
    if !decoded.is_empty() {
        embedded(walk, kind, &decoded);
    }
    start + length
}

/// Undoes percent-encoding (RFC 3986 §2.1).
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let coded = if *byte == b'%' { bytes::hex(bytes::up_to(text, at + 1, 2)).first().copied() } else { None };
        out.push(coded.unwrap_or(*byte));
        at += if coded.is_some() { 3 } else { 1 };
    }
    out
}

/// A file that stands in a page or script.
fn embedded(walk: &mut Walk<'_>, within: FileKind, content: &[u8]) {
    let kind = FileKind::of(content);
    let is_page = matches!(within, FileKind::Html | FileKind::Svg | FileKind::Xml);
    if is_page && (super::may_hold_files(kind) && kind != FileKind::Pdf || kind.is_program()) {
        walk.sign(Sign::Smuggled, kind.word());
    }
    walk.member(&format!("embedded.{}", kind.word()), content);
}

/// An attachment of a calendar (RFC 5545 §3.8.1.1); where it ends.
fn calendar(walk: &mut Walk<'_>, content: &[u8], start: usize) -> Option<usize> {
    let (mut head, mut next) = line(content, start);
    let mut unfolded = head.to_vec();
    while content.get(next).is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
        (head, next) = line(content, next);
        unfolded.extend(&head[1..]);
    }
    let upper = unfolded[..unfolded.len().min(1_024)].to_ascii_uppercase();
    let colon = memchr(b':', &unfolded)?;
    memmem::find(&upper[..colon.min(upper.len())], b"BASE64")?;
    let name = memmem::find(&upper, b"FILENAME=").map(|at| &unfolded[at + 9..]);
    let name = name.and_then(|rest| rest.split(|byte| matches!(byte, b';' | b':')).next()).unwrap_or_default();
    walk.member(text(name).trim_matches('"'), &base64(&unfolded[colon + 1..]));
    Some(next)
}

/// Files that scripts hold as base64 or rows of numbers. Only those whose kind shows are told: identifiers are base64 too.
fn decoded_by_scripts(walk: &mut Walk<'_>, content: &[u8]) {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let is_number = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b',' | b' ' | b'x' | b'X' | b'\r' | b'\n');
    let mut at = 0;
    while at < content.len() {
        let run = content[at..].iter().take_while(|byte| is_digit(byte)).count();
        if run >= RUN_CHARACTERS {
            taken_if_known(walk, &base64(&content[at..at + run]));
        }
        at += run.max(1);
    }
    at = 0;
    while let Some(open) = content.get(at..).and_then(|rest| rest.iter().position(|byte| matches!(byte, b'[' | b'('))) {
        at += open + 1;
        let row = content[at..].iter().take_while(|byte| is_number(byte)).count();
        if row >= 2 * ROW_NUMBERS {
            let numbers: Option<Vec<u8>> = content[at..at + row]
                .split(|byte| *byte == b',')
                .map(|number| number_of(number.trim_ascii()))
                .collect();
            if let Some(numbers) = numbers.filter(|numbers| numbers.len() >= ROW_NUMBERS) {
                taken_if_known(walk, &numbers);
            }
        }
        at += row;
    }
}

fn taken_if_known(walk: &mut Walk<'_>, content: &[u8]) {
    let kind = FileKind::of(content);
    if !matches!(kind, FileKind::Data | FileKind::Text) && is_surely(kind, content) && !walk.is_full() {
        embedded(walk, FileKind::Html, content);
    }
}

/// Whether more speaks for the kind than two or three letters: of the long identifiers in links, one in 65,000 decodes to `MZ`.
fn is_surely(kind: FileKind, content: &[u8]) -> bool {
    match kind {
        // The header of PE stands where offset 60 says (PE format, "MS-DOS Stub").
        FileKind::Exe => bytes::u32_le(content, 60)
            .and_then(|at| bytes::slice(content, at as usize, 2))
            .is_some_and(|mark| matches!(mark, b"PE" | b"NE" | b"LE" | b"LX")),
        FileKind::Arj => {
            // ARJ's technical note: the header has 34 to 2,600 bytes, its fixed part 30 or more.
            bytes::u16_le(content, 2).is_some_and(|length| (34..=2_600).contains(&length))
                && content.get(4).is_some_and(|length| (30..=50).contains(length))
        }
        FileKind::Bzip2 => bytes::slice(content, 4, 6) == Some(b"1AY&SY"),
        FileKind::Lha => content.get(6) == Some(&b'-'),
        FileKind::Image => content.len() >= 16 && (!content.starts_with(b"BM") || bytes::u32_le(content, 6) == Some(0)),
        _ => true,
    }
}

/// A number of one byte, decimal or hexadecimal.
fn number_of(word: &[u8]) -> Option<u8> {
    let word = std::str::from_utf8(word).ok()?;
    match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(hex) => u8::from_str_radix(hex, 16).ok(),
        None => word.parse().ok(),
    }
}
