//! PDF (ISO 32000-1): embedded files, scripts and actions. The file is read from end to end, not by its table of objects: readers
//! repair what is broken, and so nothing hides behind a broken table.

mod filter;

use crate::{
    Bound, Sign,
    bytes::{contains, hex, text, up_to, utf16_be},
    walk::Walk,
};
use memchr::memmem;
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

/// How far before the word `stream` the dictionary of a stream may begin. Unit: bytes. Source: our own limit.
const DICTIONARY_BYTES: usize = 64 << 10;
/// How far around `/EF` the name of an embedded file is looked for. Unit: bytes. Source: our own limit.
const NAME_DISTANCE: usize = 1 << 10;
/// Most bytes of objects that stand in packed streams. Unit: bytes. Source: our own limit.
const OBJECT_BYTES: usize = 16 << 20;

/// Most streams. Source: our own limit; a catalogue of some thousand pages has fewer.
const STREAMS: usize = 100_000;
/// Most names of embedded files. Source: our own limit.
const NAMES: usize = 1_000;

/// A stream with what its dictionary says.
struct Stream<'p> {
    number: Option<u32>,
    dictionary: Cow<'p, [u8]>,
    data: &'p [u8],
    /// Where its first end mark stands. By their table, readers may find objects behind that, inside the data.
    first_end: usize,
}

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    let streams = streams(content);
    if streams.len() >= STREAMS {
        walk.cut(Bound::Files);
    }
    // The text of the objects, and once more while its names are made plain.
    if !walk.may_hold(content.len()) {
        return;
    }
    // The text of all objects: what stands outside of streams, and packed objects.
    let mut objects = Vec::new();
    let mut from = 0;
    for stream in &streams {
        let start = stream.data.as_ptr() as usize - content.as_ptr() as usize;
        objects.extend(content.get(from..start).unwrap_or_default());
        from = start + stream.first_end;
    }
    objects.extend(content.get(from..).unwrap_or_default());
    let is_locked = contains(&objects, b"/Encrypt");
    let mut packed: Vec<_> = streams.iter().filter(|stream| contains(&stream.dictionary, b"/ObjStm")).collect();
    // The small ones first: one that is large hides no other.
    packed.sort_by_key(|stream| stream.data.len());
    let most = objects.len() + OBJECT_BYTES;
    for stream in packed {
        objects.push(b'\n');
        let unpacked = filter::unpacked(walk, &stream.dictionary, stream.data);
        objects.extend(&unpacked[..unpacked.len().min(most.saturating_sub(objects.len()))]);
        if objects.len() >= most {
            walk.cut(Bound::FileBytes);
            break;
        }
    }
    let plain = contains(&objects, b"#").then(|| names_plain(&objects).into_owned());
    let objects = plain.unwrap_or(objects);
    let scripts: HashSet<u32> = references(&objects, b"/JS").collect();
    let has_script = contains(&objects, b"/JavaScript")
        || !scripts.is_empty()
        || memmem::find_iter(&objects, b"/JS").any(|at| is_end_of_name(&objects, at + 3));
    if has_script {
        walk.sign(Sign::PdfScript, "");
    }
    // An action says its kind behind `/S`; the word alone may stand in a link.
    let mut launches = memmem::find_iter(&objects, b"/Launch");
    if let Some(at) = launches.find(|at| objects[..*at].trim_ascii_end().ends_with(b"/S")) {
        let program =
            memmem::find(up_to(&objects, at, 400), b"/F").map(|file| text(up_to(&objects, at + file + 2, 100)));
        walk.sign(Sign::PdfLaunch, program.unwrap_or_default().trim());
    }
    for (number, script) in inline_scripts(&objects, walk.left_files()).into_iter().enumerate() {
        if walk.is_full() {
            return;
        }
        walk.is_document();
        walk.member(&format!("script-{number}.js"), &script);
    }
    let names = file_names(&objects);
    // The type of an embedded file may be left out (ISO 32000-1 table 45): what a file specification leads to is one.
    let files: HashSet<u32> = references(&objects, b"/F").chain(references(&objects, b"/UF")).collect();
    for stream in &streams {
        let is_script = stream.number.is_some_and(|number| scripts.contains(&number));
        let is_file = contains(&stream.dictionary, b"/EmbeddedFile")
            || stream.number.is_some_and(|number| files.contains(&number));
        if !is_script && !is_file {
            continue;
        }
        if walk.is_full() {
            return;
        }
        if is_locked {
            walk.sign(Sign::Encrypted, "embedded file");
        }
        let unpacked = filter::unpacked(walk, &stream.dictionary, stream.data);
        let number = stream.number.unwrap_or_default();
        if is_file {
            let name = names.get(&number).cloned().unwrap_or_else(|| format!("embedded-{number}"));
            walk.is_archive();
            walk.member(&name, &unpacked);
        } else {
            walk.is_document();
            walk.member(&format!("script-{number}.js"), &unpacked);
        }
    }
}

/// All streams (ISO 32000-1 §7.3.8), each up to its end mark.
fn streams(content: &[u8]) -> Vec<Stream<'_>> {
    let mut streams = Vec::new();
    let (mut from, mut behind_last) = (0, 0);
    while streams.len() < STREAMS
        && let Some(found) = content.get(from..).and_then(|rest| memmem::find(rest, b"stream"))
    {
        let at = from + found;
        let mut start = at + b"stream".len();
        from = start;
        if content.get(start) == Some(&b'\r') {
            start += 1;
        }
        if content.get(start) == Some(&b'\n') {
            start += 1;
        }
        let is_end_mark = at >= 3 && &content[at - 3..at] == b"end";
        if is_end_mark {
            continue;
        }
        let rest = content.get(start..).unwrap_or_default();
        let before = &content[at.saturating_sub(DICTIONARY_BYTES).max(behind_last)..at];
        let object = memmem::rfind(before, b" obj").or_else(|| memmem::rfind(before, b"obj"));
        let dictionary = names_plain(&before[object.unwrap_or(0)..]);
        // The end mark may stand in the data, too: where the length leads to one, it is right.
        let told = length_of(&dictionary).filter(|length| {
            rest.get(*length..).is_some_and(|end| up_to(end, 0, 16).trim_ascii_start().starts_with(b"endstream"))
        });
        let length = memmem::find(rest, b"endstream").unwrap_or(rest.len());
        let number = object.and_then(|object| number_before(&before[..object]));
        streams.push(Stream { number, dictionary, data: &rest[..told.unwrap_or(length)], first_end: length });
        from = start + length + b"endstream".len().min(rest.len() - length);
        behind_last = from;
    }
    streams
}

/// The length that a dictionary tells, if it is a number and not an object.
fn length_of(dictionary: &[u8]) -> Option<usize> {
    let at = memmem::find(dictionary, b"/Length")? + b"/Length".len();
    let behind = up_to(dictionary, at, 24).trim_ascii_start();
    let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_object = contains(&behind[digits..], b"R");
    std::str::from_utf8(&behind[..digits]).ok()?.parse().ok().filter(|_| !is_object)
}

/// The number of an object, before its generation: `12 0 obj`.
fn number_before(before: &[u8]) -> Option<u32> {
    let mut words = before.rsplit(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let (_generation, number) = (words.next()?, words.next()?);
    let digits = number.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
    std::str::from_utf8(&number[digits..]).ok()?.parse().ok()
}

/// Names with their characters as they are: `/J#53` is `/JS` (ISO 32000-1 §7.3.5).
fn names_plain(text: &[u8]) -> Cow<'_, [u8]> {
    if !contains(text, b"#") {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let code = up_to(text, at + 1, 2);
        let is_code = *byte == b'#' && code.len() == 2 && code.iter().all(u8::is_ascii_hexdigit);
        out.push(if is_code { hex(code)[0] } else { *byte });
        at += if is_code { 3 } else { 1 };
    }
    Cow::Owned(out)
}

fn is_end_of_name(text: &[u8], at: usize) -> bool {
    !text.get(at).is_some_and(u8::is_ascii_alphanumeric)
}

/// Numbers of the objects that a name leads to: `/JS 12 0 R`. `/F1 5 0 R` is another name than `/F`.
fn references<'o>(objects: &'o [u8], name: &'static [u8]) -> impl Iterator<Item = u32> + use<'o> {
    memmem::find_iter(objects, name).filter_map(|at| {
        let behind = up_to(objects, at + name.len(), 24);
        if behind.first()?.is_ascii_digit() {
            return None;
        }
        let behind = behind.trim_ascii_start();
        let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&behind[..digits]).ok()?.parse().ok()?;
        contains(&behind[digits..], b"R").then_some(number)
    })
}

/// Scripts that stand in an action as text: `/JS (app.alert(1))`.
fn inline_scripts(objects: &[u8], most: usize) -> Vec<Vec<u8>> {
    let mut scripts = Vec::new();
    let last_hexadecimal = memchr::memrchr(b'>', objects).unwrap_or(0);
    let mut from = 0;
    while scripts.len() <= most
        && let Some(found) = objects.get(from..).and_then(|rest| memmem::find(rest, b"/JS"))
    {
        let at = from + found + 3;
        from = at;
        let ends = at < last_hexadecimal || objects[at..].trim_ascii_start().first() != Some(&b'<');
        match if ends { string(objects, at) } else { None } {
            Some((script, end)) => {
                scripts.push(script);
                from = end;
            }
            // A string without end: none behind it ends either.
            None if objects[at..].trim_ascii_start().first() == Some(&b'(') => break,
            None => {}
        }
    }
    scripts
}

/// A string (ISO 32000-1 §7.3.4) behind blanks, and where it ends.
fn string(objects: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    while objects.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    match objects.get(at)? {
        b'<' if objects.get(at + 1) != Some(&b'<') => {
            let end = at + memchr::memchr(b'>', &objects[at..])?;
            Some((hex(&objects[at..end]), end))
        }
        b'(' => {
            let (mut out, mut depth) = (Vec::new(), 1);
            at += 1;
            while let Some(byte) = objects.get(at) {
                at += 1;
                match byte {
                    b'\\' => {
                        let escaped = *objects.get(at)?;
                        at += 1;
                        out.push(match escaped {
                            b'n' => b'\n',
                            b'r' => b'\r',
                            b't' => b'\t',
                            other => other,
                        });
                        continue;
                    }
                    b'(' => depth += 1,
                    b')' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    return Some((out, at));
                }
                out.push(*byte);
            }
            None
        }
        _ => None,
    }
}

/// Names of embedded files by the number of their stream (ISO 32000-1 §7.11.4).
fn file_names(objects: &[u8]) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for at in memmem::find_iter(objects, b"/EF").take(NAMES) {
        let number = references(up_to(objects, at, 100), b"/F").next();
        let around = &objects[at.saturating_sub(NAME_DISTANCE)..(at + NAME_DISTANCE).min(objects.len())];
        let middle = at.min(NAME_DISTANCE);
        // The name may stand before or behind: the nearest is that of this file.
        let found = [&b"/UF"[..], b"/F"].iter().find_map(|key| {
            let places =
                memmem::find_iter(around, key).filter_map(|place| Some((place, string(around, place + key.len())?.0)));
            places.min_by_key(|(place, _)| place.abs_diff(middle)).map(|(_, name)| name)
        });
        if let (Some(number), Some(name)) = (number, found) {
            let name = name.strip_prefix(b"\xfe\xff").map_or_else(|| text(&name), utf16_be);
            names.insert(number, name);
        }
    }
    names
}
