//! How the HTML is written: elements, their neighbours, attributes and styles, the habits of who made the template.

use super::features::{Builder, Kind};
use crate::message::Message;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How much HTML is looked at. Unit: bytes. Source: our own limit; habits show in the first pages.
const HTML_BYTES: usize = 48 << 10;
/// Most features of the markup. Unit: features. Source: our own limit, some times what long newsletters have.
const MOST: usize = 600;
/// Notes of which it is known that they were made. Unit: notes. Source: our own limit.
const LATELY: usize = 512;
/// Longest name of an element, attribute or style. Unit: bytes. Source: our own limit.
const NAME_BYTES: usize = 24;

/// What hand-made, program-made and hurried HTML differ in.
const MARKS: &[&str] = &[
    "@media",
    "<!--[if",
    "<!doctype",
    "mso-",
    "@font-face",
    "max-width",
    "viewport",
    "role=\"presentation\"",
    "xmlns:v",
    "color-scheme",
    "preheader",
    "width=\"1\"",
    "display:none",
];

/// Notes the markup of the first HTML part that is shown.
pub(super) fn note(message: &Message<'_>, builder: &mut Builder) {
    let Some(part) = message.parts.iter().find(|part| part.is_body && part.content_type == "text/html") else { return };
    let html = &part.content[..part.content.len().min(HTML_BYTES)];
    let lower = html.to_ascii_lowercase();
    for mark in MARKS {
        let is_there = memchr::memmem::find(&lower, mark.as_bytes()).is_some();
        builder.note(Kind::Markup, &[mark, if is_there { " there" } else { " not there" }]);
    }
    let start: String = lower.iter().take_while(|b| **b != b'>').take(14).map(|b| char::from(*b)).collect();
    builder.note(Kind::Markup, &["begins ", start.trim()]);
    builder.note(Kind::Markup, &["size ", &(html.len() / 256).checked_ilog2().unwrap_or(0).to_string()]);
    let density = part.content.len() * 10 / (message.text.shown.len() + 1);
    builder.note(Kind::Markup, &["markup for text ", &density.checked_ilog2().unwrap_or(0).to_string()]);
    elements(&lower, builder);
}

/// Walks over the start tags. `html` is lower case.
fn elements(html: &[u8], builder: &mut Builder) {
    let (mut before, mut tables, mut noted): (&[u8], usize, usize) = (b"", 0, 0);
    // What was noted lately: a table of a thousand rows is noted once or twice. The rest is for `Builder::finish`.
    let mut lately = [0_u64; LATELY];
    for at in memchr::memchr_iter(b'<', html) {
        if noted >= MOST {
            break;
        }
        let rest = &html[at + 1..];
        let name = name_of(rest);
        if name.is_empty() {
            continue;
        }
        tables += usize::from(name == b"table");
        let mut once = |what: &str, first: &[u8], second: &[u8]| {
            let hash = xxh3_64_with_seed(first, xxh3_64_with_seed(second, what.len() as u64));
            if std::mem::replace(&mut lately[hash as usize % LATELY], hash) != hash {
                noted += 1;
                let (first, second) = (String::from_utf8_lossy(first), String::from_utf8_lossy(second));
                builder.note(Kind::Markup, &[what, &first, " ", &second]);
            }
        };
        once("element ", name, b"");
        once("neighbours ", before, name);
        before = name;
        let end = memchr::memchr2(b'>', b'<', rest).unwrap_or(rest.len());
        attributes(&rest[name.len()..end], &mut once);
    }
    builder.note(Kind::Markup, &["tables ", &tables.checked_ilog2().unwrap_or(0).to_string()]);
}

/// Names of attributes, and the properties in `style`.
fn attributes(tag: &[u8], once: &mut impl FnMut(&str, &[u8], &[u8])) {
    let mut rest = tag;
    while let Some(at) = memchr::memchr(b'=', rest) {
        let before = rest[..at].trim_ascii_end();
        let start = before.iter().rposition(|b| !is_of_name(*b)).map_or(0, |at| at + 1);
        let name = &before[start..];
        let value = rest[at + 1..].trim_ascii_start();
        let (value, after) = match value.split_first() {
            Some((quote @ (b'"' | b'\''), inner)) => {
                let end = memchr::memchr(*quote, inner).unwrap_or(inner.len());
                (&inner[..end], inner.get(end + 1..).unwrap_or_default())
            }
            _ => {
                let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
                value.split_at(end)
            }
        };
        rest = after;
        if !name.is_empty() && name.len() <= NAME_BYTES {
            once("attribute", name, b"");
        }
        if name == b"style" {
            for property in value.split(|b| *b == b';') {
                let Some(colon) = memchr::memchr(b':', property) else { continue };
                let property = property[..colon].trim_ascii();
                if property.len() <= NAME_BYTES {
                    once("style", property, b"");
                }
            }
        }
    }
}

fn name_of(tag: &[u8]) -> &[u8] {
    let end = tag.iter().take(NAME_BYTES).position(|b| !is_of_name(*b)).unwrap_or(tag.len().min(NAME_BYTES));
    &tag[..end]
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'!')
}
