//! Parts of Office Open XML (ECMA-376) and OpenDocument files that fetch or run something.

use super::macros;
use crate::{
    Sign,
    bytes::{self, text},
    walk::Walk,
};
use memchr::memmem;
use std::net::Ipv4Addr;

/// The member that every Office Open XML file has (ECMA-376 part 2, 10.1.2).
pub(super) const CONTENT_TYPES: &[u8] = b"[Content_Types].xml";

/// Whether the first member of an archive, stored, is that of an OpenDocument file (OpenDocument 1.3 part 2, 3.3) or of an EPUB.
pub(super) fn is_open_document(name: &[u8], content: &[u8]) -> bool {
    let types = [&b"application/vnd.oasis.opendocument."[..], b"application/vnd.sun.xml.", b"application/epub+zip"];
    name == b"mimetype" && types.iter().any(|start| content.starts_with(start))
}

/// Kinds of relationships whose target is loaded when the document is opened; links that a user clicks are not among them.
const LOADED: &[&str] = &["attachedTemplate", "oleObject", "frame", "subDocument", "package"];
/// Services of DDE that are programs to run, lower case.
const PROGRAMS: &[&str] =
    &["cmd", "powershell", "mshta", "wscript", "cscript", "rundll32", "regsvr32", "certutil", "msexcel", "excel"];

/// Looks at a part of a document.
pub(super) fn part(walk: &mut Walk<'_>, name: &str, content: &[u8]) {
    let name = name.to_lowercase();
    let plain = bytes::utf16_as_ascii(content).filter(|_| walk.may_work(content.len()));
    let content = plain.as_deref().unwrap_or(content);
    if name.ends_with(".rels") {
        relationships(walk, content);
    } else if name.starts_with("xl/macrosheets/") && name.ends_with(".xml") {
        walk.sign(Sign::Xlm, "");
    } else if name == "xl/workbook.xml" {
        let has_auto_open = contains_ignoring_case(content, b"_xlnm.auto_open");
        if has_auto_open {
            walk.sign(Sign::MacroAutostart, "auto_open");
        }
    } else if name.starts_with("xl/externallinks/") {
        for tag in tags(content, b"ddeLink") {
            let service = attribute(tag, "ddeService").unwrap_or_default().to_lowercase();
            if PROGRAMS.iter().any(|program| service.trim_end_matches(".exe").ends_with(program)) {
                walk.sign(Sign::Dde, &service);
            }
        }
    } else if name.starts_with("word/") && name.ends_with(".xml") {
        fields(walk, content);
    } else if name.starts_with("basic/") && name.ends_with(".xml") && contains_ignoring_case(content, b"<script:module")
    {
        macros::judge(walk, references_undone(&text(content)).as_bytes());
    } else if name.starts_with("scripts/") && !content.is_empty() {
        walk.sign(Sign::Macro, "");
    } else if name == "content.xml" || name == "settings.xml" {
        let starts = tags(content, b"event-listener").any(|tag| {
            let event = attribute(tag, "script:event-name").unwrap_or_default();
            ["dom:load", "office:load", "load-finished", "dom:unload"].contains(&event.as_str())
        });
        if starts {
            walk.sign(Sign::MacroAutostart, "load");
        }
    }
}

fn relationships(walk: &mut Walk<'_>, content: &[u8]) {
    for tag in tags(content, b"Relationship") {
        let is_external = attribute(tag, "TargetMode").is_some_and(|mode| mode.eq_ignore_ascii_case("external"));
        let kind = attribute(tag, "Type").unwrap_or_default();
        let kind = kind.rsplit('/').next().unwrap_or_default();
        let target = attribute(tag, "Target").unwrap_or_default();
        if let Some(sign) = elsewhere(&target).filter(|_| is_external && LOADED.contains(&kind)) {
            walk.sign(sign, &target);
        }
    }
}

/// What a target that is loaded says. Office writes templates and linked tables as `file:///C:\...`, and those of a firm as
/// shares of its own servers; a share of a public address, or one over HTTP (`\\server@80\`), is fetched as a page is.
pub(super) fn elsewhere(target: &str) -> Option<Sign> {
    let lower = target.trim().to_lowercase().replace('\\', "/");
    if ["http:", "https:", "ftp:", "mhtml:", "ms-", "x-usc:"].iter().any(|start| lower.starts_with(start)) {
        return Some(Sign::Remote);
    }
    // `file:///C:/`, `file://server/`, `file:///` and `file://///server/`, `//server/`.
    let (is_url, path) = lower.strip_prefix("file:").map_or((false, lower.as_str()), |path| (true, path));
    let slashes = path.len() - path.trim_start_matches('/').len();
    let host = path[slashes..].split('/').next().unwrap_or_default();
    let has_host = slashes == 2 || slashes > 3 || !is_url && slashes > 2;
    if !has_host || host.is_empty() || host.ends_with([':', '|']) {
        return None;
    }
    let is_public = |address: Ipv4Addr| !(address.is_private() || address.is_loopback() || address.is_link_local());
    let is_remote = host.contains('@') || host.parse().is_ok_and(is_public);
    Some(if is_remote { Sign::Remote } else { Sign::Share })
}

/// Instructions of fields; Word puts them together from any number of runs (ECMA-376 part 1, 17.16).
fn fields(walk: &mut Walk<'_>, content: &[u8]) {
    let mut instructions = String::new();
    for tag in tags(content, b"fldSimple") {
        instructions.push_str(&attribute(tag, "w:instr").unwrap_or_default());
        instructions.push('\n');
    }
    for tag in tags(content, b"instrText") {
        let start = tag.as_ptr() as usize - content.as_ptr() as usize + tag.len() + 1;
        let rest = content.get(start..).unwrap_or_default();
        let length = memchr::memchr(b'<', rest).unwrap_or(0);
        instructions.push_str(&references_undone(&text(&rest[..length])));
    }
    let upper = instructions.to_uppercase();
    let starts = upper.contains("DDEAUTO") || upper.split_whitespace().any(|word| word == "DDE");
    if starts {
        walk.sign(Sign::Dde, instructions.trim());
    }
}

/// Tags of this name, whatever prefix its namespace has, up to their end.
fn tags<'c>(content: &'c [u8], name: &'c [u8]) -> impl Iterator<Item = &'c [u8]> {
    memmem::find_iter(content, name).filter_map(move |at| {
        let before = &content[at.saturating_sub(PREFIX_BYTES)..at];
        let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | 0x80..);
        let prefix = before.iter().rposition(|byte| !is_letter(byte) && *byte != b':')?;
        let is_tag = before[prefix] == b'<' && (prefix + 1 == before.len() || before.ends_with(b":"));
        let rest = &content[at..content.len().min(at + TAG_BYTES)];
        let is_whole_name = !rest.get(name.len()).is_some_and(|byte| is_letter(byte) || *byte == b':');
        (is_tag && is_whole_name).then(|| &rest[..end_of_tag(rest)])
    })
}

/// Longest prefix of a name. Unit: bytes. Source: our own limit.
const PREFIX_BYTES: usize = 64;

/// Where a tag ends: a `>` may stand in the value of an attribute, a `<` may not (XML 1.0 §3.1).
fn end_of_tag(tag: &[u8]) -> usize {
    let mut quote = None;
    let end = tag.iter().position(|byte| match (quote, byte) {
        (_, b'<') | (None, b'>') => true,
        (None, b'"' | b'\'') => {
            quote = Some(*byte);
            false
        }
        (Some(open), byte) => {
            if open == *byte {
                quote = None;
            }
            false
        }
        _ => false,
    });
    end.unwrap_or(tag.len())
}

/// Longest tag that is looked at. Unit: bytes. Source: our own limit.
const TAG_BYTES: usize = 8 << 10;

/// The value of an attribute, entities undone as far as addresses need it.
fn attribute(tag: &[u8], name: &str) -> Option<String> {
    let tag = text(tag);
    let mut rest = tag.as_str();
    while let Some(at) = rest.find(name) {
        let before = rest[..at].chars().next_back();
        let behind = rest[at + name.len()..].trim_start();
        if before.is_some_and(char::is_whitespace) && behind.starts_with('=') {
            let value = behind[1..].trim_start();
            let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            let value = &value[1..];
            return Some(references_undone(&value[..value.find(quote).unwrap_or(value.len())]));
        }
        rest = &rest[at + name.len()..];
    }
    None
}

/// Undoes references to characters (XML 1.0 §4.1, §4.6).
fn references_undone(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(REFERENCE_BYTES).position(|byte| byte == b';');
        let character = end.and_then(|end| match &rest[1..end] {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            number => match number.strip_prefix("#x").or_else(|| number.strip_prefix("#X")) {
                Some(hex) => u32::from_str_radix(hex, 16).ok().and_then(char::from_u32),
                None => number.strip_prefix('#')?.parse().ok().and_then(char::from_u32),
            },
        });
        let length = if character.is_some() { end.map_or(1, |end| end + 1) } else { 1 };
        out.push(character.unwrap_or('&'));
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// Longest reference that is undone. Unit: bytes. Source: our own limit.
const REFERENCE_BYTES: usize = 16;

fn contains_ignoring_case(content: &[u8], lower: &[u8]) -> bool {
    memmem::find(&content.to_ascii_lowercase(), lower).is_some()
}
