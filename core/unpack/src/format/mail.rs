//! Messages (RFC 5322) that are attached as files, or stand in archives.

use crate::{Bound, walk::Walk};
use mail_parser::{Encoding, MessageParser, PartFlags, PartKind, Source};

/// How far a header is looked at. Unit: bytes. Source: our own limit.
const HEAD_BYTES: usize = 8 << 10;
/// Fields of which a message has two, lower case.
const FIELDS: [&str; 8] = ["from", "to", "subject", "date", "received", "mime-version", "content-type", "message-id"];
/// Bounds of mail-parser. Source: those that it has itself.
const DEPTH: usize = 64;
const PARTS: usize = 10_000;

/// Whether the content begins with the header of a message.
pub(super) fn is_message(content: &[u8]) -> bool {
    let head = &content[..content.len().min(HEAD_BYTES)];
    let mut known = 0;
    for (number, line) in head.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_fold = line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        // Mailboxes and some programs write one line before the header.
        let is_first_line_of_mailbox = number == 0 && line.starts_with(b"From ");
        if is_fold || is_first_line_of_mailbox {
            continue;
        }
        let Some(colon) = memchr::memchr(b':', line) else { break };
        let name = &line[..colon];
        if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_graphic()) {
            break;
        }
        known += usize::from(FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field.as_bytes())));
        if known >= 2 {
            return true;
        }
    }
    false
}

/// Takes the parts of a message as files.
pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    let content = &content[..content.len().min(u32::MAX as usize - 1)];
    let parser = MessageParser::new().max_depth(DEPTH).max_parts(PARTS);
    let Some(message) = parser.parse(content) else { return walk.cut(Bound::Damage) };
    for (number, part) in message.parts().enumerate() {
        if part.flags().contains(PartFlags::LIMIT_REACHED) {
            walk.cut(Bound::Files);
        }
        let is_container = match part.kind() {
            PartKind::Multipart => part.children().next().is_some(),
            PartKind::Message(_) => true,
            _ => false,
        };
        if is_container {
            continue;
        }
        if walk.is_full() {
            return;
        }
        let body = match part.message().source() {
            Source::Raw => content.get(part.offset_body() as usize..part.offset_end() as usize).unwrap_or_default(),
            Source::Decoded(_) => part.raw_body(),
        };
        let name = part.attachment_name().map(str::to_owned);
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| format!("part-{number}"));
        match part.encoding() {
            // A text that is the whole message again would be looked into for ever.
            Encoding::None if body.len() == content.len() => {}
            Encoding::None => walk.member(&name, body),
            encoding => {
                let (decoded, _) = encoding.decode_checked(body);
                walk.member(&name, &decoded);
            }
        }
    }
}
