//! A text that is put before what a message says: the one edit of a body that no reader can miss.

use super::{Bounds, html::Quiet, paced::first_token};
use html5gum::{
    Span,
    emitters::callback::{CallbackEmitter, CallbackEvent},
};
use mail_parser::{
    ContentType, HeaderName, MessageParser, MessagePart, PartId, PartKind, decoders::html::strip_charset_meta,
};
use std::fmt::Write as _;

/// Largest text that is written anew. Unit: bytes. Source: our own limit, four times what is judged.
const TEXT_BYTES: usize = 8 << 20;
/// Longest parameter of Content-Type that is kept. Unit: bytes. Source: RFC 5322 §2.1.1 recommends lines of 78.
const PARAMETER_BYTES: usize = 70;
/// Look of the banner in HTML. The message's own style sheets must not hide it.
const STYLE: &str = "all:initial!important;display:block!important;margin:0 0 12px!important;padding:8px 12px!important;\
                     border:1px solid #946c00!important;background:#fff8dc!important;color:#333!important;\
                     font:14px/1.4 sans-serif!important";
/// Longest line. Unit: characters. Source: RFC 2045 §6.7 grants 76, of which a first hyphen may take two more.
const LINE_CHARS: usize = 74;
/// How much longer than it was a message may get. Unit: bytes. Source: our own limit; the next server has one for messages.
const GROWTH_BYTES: usize = 1 << 20;
/// Elements that may stand before the content of a document (HTML Standard §4.2).
const METADATA: &[&[u8]] = &[b"html", b"head", b"meta", b"title", b"style", b"link", b"base", b"script"];

/// Another body of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The whole of it.
    pub body: Vec<u8>,
    /// Header fields that change with it.
    pub fields: Vec<Field>,
}

/// A header field that changes with the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its body. Folds are LF and a blank.
    pub value: String,
    /// Whether the message has one of this name, which gets this body; else it is new.
    pub is_there: bool,
}

/// Puts a text before what the message says, be it plain text or HTML; where there are alternatives, in each of them.
/// What is written anew is UTF-8 and quoted-printable (RFC 2045 §6.7); all other bytes stay.
///
/// # Errors
///
/// Why it is left alone: it is signed or encrypted, has no text, or cannot be read with certainty.
pub fn with_banner(raw: &[u8], bounds: &Bounds, banner: &str) -> Result<Rewritten, &'static str> {
    let parser = MessageParser::new()
        .max_depth(bounds.depth)
        .max_parts(bounds.parts)
        .max_encoded_nesting(bounds.encoded_nesting);
    let parsed = parser.parse(raw).ok_or("it has no header")?;
    let root = parsed.root_part();
    let own: Vec<_> = parsed.parts().filter(|part| part.message().container().is_none()).collect();
    if let Some(why) = own.iter().find_map(is_sealed) {
        return Err(why);
    }
    let targets = targets(&own);
    if header_end(raw) != Some(root.offset_body() as usize) {
        return Err("it is not clear where its header ends");
    }
    if own.iter().any(|part| !part.flags().is_empty()) || targets.iter().chain([&root]).any(repeats_a_field) {
        return Err("its structure is damaged");
    }
    if targets.is_empty() {
        return Err("it has no text");
    }
    let mut out = Rewritten { body: Vec::with_capacity(raw.len() + 2 * banner.len()), fields: Vec::new() };
    let mut at = root.offset_body() as usize;
    for part in targets {
        let text = encoded(&part, banner)?;
        if part.id() == root.id() {
            out.fields = fields_of(&root);
        } else {
            out.body.extend(&raw[at..part.offset_header() as usize]);
            out.body.extend(header_of(&part, raw));
        }
        out.body.extend(text);
        at = part.offset_end() as usize;
        // Behind an empty part the delimiter may have stood at the very place where the text now ends.
        if !matches!(raw[at..], [] | [b'\n', ..] | [b'\r', b'\n', ..]) {
            out.body.extend(b"\r\n");
        }
    }
    out.body.extend(&raw[at..]);
    if !out.body.ends_with(b"\r\n") {
        // In quoted-printable the equals sign says that the text goes on in the next line, of which there is none.
        out.body.extend(if out.fields.is_empty() { &b"\r\n"[..] } else { b"=\r\n" });
    }
    if out.body.len() > raw.len() + GROWTH_BYTES {
        return Err("it would become too large");
    }
    Ok(out)
}

/// Where the body begins for the mail server, which knows lines and not what stands in them.
fn header_end(raw: &[u8]) -> Option<usize> {
    if raw.starts_with(b"\r\n") {
        return Some(2);
    }
    memchr::memmem::find(raw, b"\r\n\r\n").map(|at| at + 4)
}

/// Whether the part says that changes would break the message.
fn is_sealed(part: &MessagePart<'_>) -> Option<&'static str> {
    let is = |kind, subtype| part.is_content_type(kind, subtype);
    if is("multipart", "signed") {
        return Some("it is signed");
    }
    let encrypted = is("multipart", "encrypted")
        || is("application", "pkcs7-mime")
        || is("application", "x-pkcs7-mime")
        || is("application", "pgp-encrypted");
    encrypted.then_some("it is signed or encrypted")
}

fn repeats_a_field(part: &MessagePart<'_>) -> bool {
    let names = [HeaderName::ContentType, HeaderName::ContentTransferEncoding, HeaderName::MimeVersion];
    names.into_iter().any(|name| part.headers().all(name).count() > 1)
}

/// The text that a reader sees first, and what a mail program may show in its place: where there are alternatives, the first
/// text of each.
fn targets<'m>(own: &[MessagePart<'m>]) -> Vec<MessagePart<'m>> {
    let shown = |part: &&MessagePart<'m>| {
        part.is_text()
            && (part.in_text_body() || part.in_html_body())
            && part.attachment_name().is_none()
            && part.content_disposition().is_none_or(|disposition| disposition.is_inline())
    };
    let mut shown = own.iter().filter(shown).copied();
    let Some(first) = shown.next() else { return Vec::new() };
    let Some((alternative, branch)) = alternative_of(&first) else { return vec![first] };
    let mut branches = vec![branch];
    let mut targets = vec![first];
    for part in shown {
        match alternative_of(&part) {
            Some((of, branch)) if of == alternative && !branches.contains(&branch) => {
                branches.push(branch);
                targets.push(part);
            }
            _ => {}
        }
    }
    targets
}

/// The outermost multipart/alternative around a part, and which of its parts this one is or is in.
fn alternative_of(part: &MessagePart<'_>) -> Option<(PartId, PartId)> {
    let line = std::iter::successors(Some(*part), MessagePart::parent);
    let pairs = line.clone().zip(line.skip(1));
    pairs
        .filter(|(_, parent)| parent.is_content_type("multipart", "alternative"))
        .last()
        .map(|(child, parent)| (parent.id(), child.id()))
}

/// The text of a part with the banner, ready for the wire.
fn encoded(part: &MessagePart<'_>, banner: &str) -> Result<Vec<u8>, &'static str> {
    if part.raw_body().len() > TEXT_BYTES {
        return Err("its text is too long");
    }
    let (text, problems) = part.text_checked().ok_or("it has no text")?;
    if !problems.is_empty() || may_be_mislabelled(part, &text) {
        return Err("its characters cannot be read with certainty");
    }
    if text.contains("-----BEGIN PGP ") {
        return Err("it is signed or encrypted");
    }
    let text = match part.kind() {
        PartKind::Html => in_html(&strip_charset_meta(&text), banner),
        _ => format!("{banner}\n\n{text}"),
    };
    let lines = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
    Ok(quoted(&lines).into_bytes())
}

/// Quoted-printable in which no line looks like a delimiter, wherever the lines now break.
fn quoted(text: &str) -> String {
    let options = quoted_printable::Options::default().line_length_limit(LINE_CHARS);
    let encoded = quoted_printable::encode_with_options(text, options);
    let mut out = String::with_capacity(encoded.len() + 16);
    for line in encoded.split_inclusive('\n') {
        match line.strip_prefix("--") {
            Some(rest) => out.extend(["=2D-", rest]),
            None => out.push_str(line),
        }
    }
    out
}

/// Whether a reader that guesses may show other characters than the label says: those would be lost.
fn may_be_mislabelled(part: &MessagePart<'_>, text: &str) -> bool {
    let bytes = part.decoded();
    let label = part.content_type().and_then(|of| of.attribute("charset")).unwrap_or("utf-8").to_ascii_lowercase();
    let is_utf8 = matches!(label.as_str(), "utf-8" | "utf8");
    text.contains('\u{1b}')
        || (!bytes.is_ascii() && !is_utf8 && std::str::from_utf8(&bytes).is_ok())
        || (!bytes.is_ascii() && label.contains("ascii"))
}

/// Before all that a browser shows.
fn in_html(html: &str, banner: &str) -> String {
    let mut shown = String::with_capacity(banner.len());
    for c in banner.chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '\n' => shown.push_str("<br>"),
            c => shown.push(c),
        }
    }
    let (before, behind) = html.split_at_checked(content_start(html)).unwrap_or(("", html));
    format!("{before}<div style=\"{STYLE}\">{shown}</div>{behind}")
}

/// Where the content begins: behind the tag of the body if nothing shown stands before it, else before the first such thing.
/// A tag of the body further on begins nothing, for a browser either.
fn content_start(html: &str) -> usize {
    let (mut tag, mut in_metadata) = (Vec::new(), false);
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, span: Span<usize>| {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                tag = name.to_vec();
                if name != b"body" && !METADATA.contains(&name) {
                    return Some(span.start);
                }
            }
            CallbackEvent::CloseStartTag { .. } if tag == b"body" => return Some(span.end),
            CallbackEvent::CloseStartTag { .. } => in_metadata = matches!(&tag[..], b"title" | b"style" | b"script"),
            CallbackEvent::EndTag { name } if METADATA.contains(&name) => in_metadata = false,
            CallbackEvent::EndTag { .. } => return Some(span.start),
            CallbackEvent::String { value } if !in_metadata && !value.trim_ascii().is_empty() => {
                return Some(span.start);
            }
            _ => {}
        }
        None
    });
    emitter.naively_switch_states(true);
    first_token(html, Quiet(emitter)).unwrap_or(html.len())
}

/// The fields of the message for a text that is written anew.
fn fields_of(root: &MessagePart<'_>) -> Vec<Field> {
    let is_there = |name| root.headers().get(name).is_some();
    let mut fields = vec![
        Field { name: "Content-Type", value: content_type(root), is_there: is_there(HeaderName::ContentType) },
        Field {
            name: "Content-Transfer-Encoding",
            value: "quoted-printable".to_owned(),
            is_there: is_there(HeaderName::ContentTransferEncoding),
        },
    ];
    if !is_there(HeaderName::MimeVersion) {
        fields.push(Field { name: "MIME-Version", value: "1.0".to_owned(), is_there: false });
    }
    fields
}

/// The header of a part whose text is written anew, with the empty line behind it.
fn header_of(part: &MessagePart<'_>, raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for header in part.headers().iter() {
        if !matches!(header.name(), HeaderName::ContentType | HeaderName::ContentTransferEncoding) {
            out.extend(&raw[header.offset_field() as usize..header.offset_end() as usize]);
        }
    }
    let content_type = content_type(part).replace('\n', "\r\n");
    out.extend(format!("Content-Type: {content_type}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n").bytes());
    out
}

/// The type of a text in UTF-8, with those parameters that it had and that need no encoding.
fn content_type(part: &MessagePart<'_>) -> String {
    let subtype = if matches!(part.kind(), PartKind::Html) { "html" } else { "plain" };
    let mut value = format!("text/{subtype}; charset=utf-8");
    let parameters = part.content_type().into_iter().flat_map(|of: ContentType<'_>| of.attributes());
    for (name, content) in parameters.filter(|(name, _)| *name != "charset") {
        let is_token =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b));
        let is_quotable = content.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\');
        if is_token(name) && is_quotable && name.len() + content.len() <= PARAMETER_BYTES {
            let _ = write!(value, ";\n {name}=\"{content}\"");
        }
    }
    value
}

#[cfg(test)]
mod tests;
