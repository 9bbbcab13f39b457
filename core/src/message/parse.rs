//! One pass over the message.

use super::{
    Attachment, Bounds, Damage, Disposition, Encoding, FileKind, Header, Headers, HtmlFacts, Message, Part, Text,
    content::Collector, damage, html,
};
use mail_parser::{Charset, Encoding as Transfer, MessageParser, MessagePart, PartFlags, PartKind, Source};
use std::{borrow::Cow, collections::BTreeSet};

/// Takes a message apart. It never fails: a message without any structure is one part of plain text.
pub fn parse<'a>(raw: &'a [u8], bounds: &Bounds) -> Message<'a> {
    // mail-parser counts offsets in 32 bits.
    let raw = &raw[..raw.len().min(u32::MAX as usize - 1)];
    let mut collector = Collector::new(bounds);
    let parsed = MessageParser::new()
        .max_depth(bounds.depth)
        .max_parts(bounds.parts)
        .max_encoded_nesting(bounds.encoded_nesting)
        .parse(raw);
    let (headers, parts) = match &parsed {
        Some(parsed) => {
            let root = parsed.root().root_part();
            damage::of_bytes(raw, root.offset_body() as usize, &mut collector.damage);
            (headers(parsed, raw, &mut collector), parts(parsed, raw, &mut collector))
        }
        None => {
            damage::of_bytes(raw, 0, &mut collector.damage);
            collector.damage.insert(Damage::NoBlankLine);
            (Headers::default(), vec![bare_text(raw, &mut collector)])
        }
    };
    let attachments = parts
        .iter()
        .enumerate()
        .filter(|(_, part)| part.is_attachment())
        .map(|(index, part)| Attachment::of(index, part, bounds.archive_members))
        .collect();
    let Collector { text, html, links, damage, .. } = collector;
    assemble(raw, headers, parts, attachments, (text, html, links, damage))
}

type Collected = (Text, HtmlFacts, Vec<super::Link>, BTreeSet<Damage>);

fn assemble<'a>(
    raw: &'a [u8],
    headers: Headers<'a>,
    parts: Vec<Part<'a>>,
    attachments: Vec<Attachment>,
    (text, html, links, damage): Collected,
) -> Message<'a> {
    Message {
        raw,
        from: headers.mailboxes("From"),
        reply_to: headers.mailboxes("Reply-To"),
        to: headers.mailboxes("To"),
        cc: headers.mailboxes("Cc"),
        subject: headers.decoded("Subject").unwrap_or_default(),
        date: headers.first("Date").and_then(Header::timestamp),
        headers,
        parts,
        attachments,
        text,
        html,
        links,
        damage,
    }
}

fn headers<'a>(parsed: &mail_parser::Message<'a>, raw: &'a [u8], collector: &mut Collector<'_>) -> Headers<'a> {
    let all = parsed.root().headers();
    if all.len() > collector.bounds.headers {
        collector.damage.insert(Damage::HeaderLimit);
    }
    let fields = all.iter().take(collector.bounds.headers).map(|header| {
        let slice = |from: u32, to: u32| raw.get(from as usize..to as usize).unwrap_or_default();
        let name = slice(header.offset_field(), header.offset_start().saturating_sub(1));
        let value = slice(header.offset_start(), header.offset_end());
        Header { name: String::from_utf8_lossy(name.trim_ascii()), value: without_line_end(value) }
    });
    Headers(fields.collect())
}

fn without_line_end(value: &[u8]) -> &[u8] {
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    value.strip_suffix(b"\r").unwrap_or(value)
}

fn parts<'a>(parsed: &mail_parser::Message<'a>, raw: &'a [u8], collector: &mut Collector<'_>) -> Vec<Part<'a>> {
    let mut left = collector.bounds.decoded_bytes;
    let mut paths: Vec<(String, u32)> = Vec::with_capacity(parsed.parts().len());
    let mut out = Vec::new();
    for part in parsed.parts() {
        let path = path_of(&part, &mut paths);
        note_flags(&part, &mut collector.damage);
        if !is_container(&part) {
            let leaf = leaf(&part, path, raw, &mut left, collector);
            if leaf.is_body && part.message().container().is_none() {
                collect_text(&leaf, &part, collector);
            }
            out.push(leaf);
        }
    }
    out
}

/// Whether the part holds other parts instead of content.
pub(super) fn is_container(part: &MessagePart<'_>) -> bool {
    match part.kind() {
        PartKind::Multipart => part.children().next().is_some(),
        PartKind::Message(_) => true,
        _ => false,
    }
}

/// Number of the part below its parent; `paths` has path and number of children of each part so far.
fn path_of(part: &MessagePart<'_>, paths: &mut Vec<(String, u32)>) -> String {
    let parent = part.parent().or_else(|| part.message().container());
    let parent = parent.and_then(|parent| paths.get_mut(parent.id() as usize));
    let path = match parent {
        None if matches!(part.kind(), PartKind::Multipart) => String::new(),
        None => "1".to_owned(),
        Some((path, children)) => {
            *children += 1;
            if path.is_empty() { children.to_string() } else { format!("{path}.{children}") }
        }
    };
    paths.push((path.clone(), 0));
    path
}

fn note_flags(part: &MessagePart<'_>, damage: &mut BTreeSet<Damage>) {
    let flags = part.flags();
    if flags.is_empty() {
        return;
    }
    let table = [
        (
            PartFlags::MISSING_DELIMITER,
            if part.is_multipart() { Damage::MissingBoundary } else { Damage::Unterminated },
        ),
        (PartFlags::FALLBACK_DELIMITER, Damage::BoundaryInsideLine),
        (PartFlags::NO_BLANK_LINE, Damage::NoBlankLine),
        (PartFlags::UNTERMINATED, Damage::Unterminated),
        (PartFlags::NESTING_LIMIT, Damage::NestingLimit),
    ];
    damage.extend(table.into_iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, damage)| damage));
}

fn leaf<'a>(
    part: &MessagePart<'_>,
    path: String,
    raw: &'a [u8],
    left: &mut usize,
    collector: &mut Collector<'_>,
) -> Part<'a> {
    if part.flags().contains(PartFlags::LIMIT_REACHED) {
        let too_deep = matches!(part.kind(), PartKind::Multipart | PartKind::Binary) && !is_text_type(part);
        collector.damage.insert(if too_deep { Damage::NestingLimit } else { Damage::PartLimit });
    }
    if part.content_type().is_some_and(|ct| ct.ctype().eq_ignore_ascii_case("multipart")) {
        collector.damage.insert(Damage::MissingBoundary);
    }
    if !part.has_known_transfer_encoding() {
        collector.damage.insert(Damage::UnknownEncoding);
    }
    let (content, cut, malformed) = match part.message().source() {
        Source::Raw => {
            let body = raw.get(part.offset_body() as usize..part.offset_end() as usize).unwrap_or_default();
            decode(part.encoding(), body, left)
        }
        // The body of an encoded message lives in mail-parser's buffer.
        Source::Decoded(_) => {
            let (content, cut, malformed) = decode(part.encoding(), part.raw_body(), left);
            (Cow::Owned(content.into_owned()), cut, malformed)
        }
    };
    if malformed {
        collector.damage.insert(Damage::BadEncoding);
    }
    if cut {
        collector.damage.insert(Damage::DecodedLimit);
    }
    let disposition = match part.content_disposition() {
        None => Disposition::Absent,
        Some(disposition) if disposition.is_inline() => Disposition::Inline,
        Some(_) => Disposition::Attachment,
    };
    let content_type = part.content_type();
    let content_type_word = match content_type {
        None => "text/plain".to_owned(),
        Some(ct) => match ct.subtype() {
            Some(subtype) => format!("{}/{subtype}", ct.ctype()).to_lowercase(),
            None => ct.ctype().to_lowercase(),
        },
    };
    Part {
        path,
        content_type: content_type_word,
        charset: content_type.and_then(|ct| ct.attribute("charset")).map(str::to_lowercase),
        name: part.attachment_name().map(|name| super::link::cut(name, NAME_BYTES).to_owned()),
        disposition,
        encoding: match part.encoding() {
            Transfer::None => Encoding::Identity,
            Transfer::QuotedPrintable => Encoding::QuotedPrintable,
            Transfer::Base64 => Encoding::Base64,
        },
        kind: FileKind::of(&content),
        is_body: part.is_text()
            && disposition != Disposition::Attachment
            && (part.in_text_body() || part.in_html_body()),
        content,
        cut,
    }
}

fn is_text_type(part: &MessagePart<'_>) -> bool {
    part.content_type().is_none_or(|ct| ct.ctype().eq_ignore_ascii_case("text"))
}

/// Longest file name kept. Unit: bytes. Source: our own limit; file systems allow 255.
const NAME_BYTES: usize = 1_024;

/// Undoes the transfer encoding within what is left of the budget: content, whether it was cut, whether it is malformed.
fn decode<'b>(encoding: Transfer, body: &'b [u8], left: &mut usize) -> (Cow<'b, [u8]>, bool, bool) {
    // Four bytes of base64 make three; no encoding makes more than it was given.
    let room = if encoding == Transfer::Base64 { left.saturating_mul(4) / 3 } else { *left };
    let cut = body.len() > room;
    let (content, malformed) = encoding.decode_checked(&body[..body.len().min(room)]);
    *left = left.saturating_sub(content.len());
    (content, cut, malformed && !cut)
}

fn collect_text(leaf: &Part<'_>, part: &MessagePart<'_>, collector: &mut Collector<'_>) {
    let is_html = matches!(part.kind(), PartKind::Html);
    let room = if is_html { collector.html_bytes_left } else { collector.bounds.text_bytes };
    // One byte more than the room, so that the collector sees that something is missing. UTF-16 takes two for each.
    let bytes = &leaf.content[..leaf.content.len().min(room.saturating_mul(2).saturating_add(1))];
    let charset = leaf.charset.as_deref().map(|label| Charset::from_label(label.as_bytes()));
    let (text, malformed) = charset.flatten().unwrap_or_default().decode_checked(bytes);
    if charset == Some(None) || malformed {
        collector.damage.insert(Damage::BadCharset);
    }
    if is_html {
        html::collect(&text, collector);
    } else {
        collector.plain(&text);
    }
}

fn bare_text<'a>(raw: &'a [u8], collector: &mut Collector<'_>) -> Part<'a> {
    let content = &raw[..raw.len().min(collector.bounds.decoded_bytes)];
    let text = content.get(..collector.bounds.text_bytes.saturating_add(1)).unwrap_or(content);
    collector.plain(&String::from_utf8_lossy(text));
    Part {
        path: "1".to_owned(),
        content_type: "text/plain".to_owned(),
        charset: None,
        name: None,
        disposition: Disposition::Absent,
        encoding: Encoding::Identity,
        kind: FileKind::of(content),
        content: Cow::Borrowed(content),
        cut: content.len() < raw.len(),
        is_body: true,
    }
}
