//! Texts before and behind what a message says: the one change of a body that no reader can miss.

use super::{Changes, DAMAGED, Piece, SEALED, quoted, repeats_a_field};
use crate::message::{html::Quiet, paced::first_token};
use html5gum::{
    Span,
    emitters::callback::{CallbackEmitter, CallbackEvent},
};
use mail_parser::{ContentType, MessagePart, PartId, PartKind, decoders::html::strip_charset_meta};
use std::fmt::Write as _;

/// Largest text that is written anew. Unit: bytes. Source: our own limit, four times what is judged.
const TEXT_BYTES: usize = 8 << 20;
/// Longest parameter of Content-Type that is kept. Unit: bytes. Source: RFC 5322 §2.1.1 recommends lines of 78.
const PARAMETER_BYTES: usize = 70;
/// Look of a banner in HTML. The message's own style sheets must not hide it.
const BANNER_STYLE: &str = "all:initial!important;display:block!important;margin:0 0 12px!important;padding:8px 12px!important;\
                            border:1px solid #946c00!important;background:#fff8dc!important;color:#333!important;\
                            font:14px/1.4 sans-serif!important";
/// Look of a disclaimer in HTML.
const DISCLAIMER_STYLE: &str = "all:initial!important;display:block!important;margin:12px 0 0!important;padding:8px 0 0!important;\
                                border-top:1px solid #999!important;color:#555!important;\
                                font:12px/1.4 sans-serif!important";
/// Elements that may stand before the content of a document (HTML Standard §4.2).
const METADATA: &[&[u8]] = &[b"html", b"head", b"meta", b"title", b"style", b"link", b"base", b"script"];

/// The texts of the message with banner and disclaimer; none if there is neither.
pub(super) fn pieces<'m>(own: &[MessagePart<'m>], changes: &Changes) -> Result<Vec<Piece<'m>>, &'static str> {
    if changes.texts().next().is_none() {
        return Ok(Vec::new());
    }
    let targets = targets(own);
    if targets.is_empty() {
        return Err("it has no text");
    }
    if targets.iter().any(repeats_a_field) {
        return Err(DAMAGED);
    }
    let piece = |part: MessagePart<'m>| {
        let text = quoted(&text_of(&part, changes)?);
        Ok(Piece { part, content_type: content_type(&part), disposition: None, text })
    };
    targets.into_iter().map(piece).collect()
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

/// The text of a part with what is put before and behind it.
fn text_of(part: &MessagePart<'_>, changes: &Changes) -> Result<String, &'static str> {
    if part.raw_body().len() > TEXT_BYTES {
        return Err("its text is too long");
    }
    let (text, problems) = part.text_checked().ok_or("it has no text")?;
    if !problems.is_empty() || may_be_mislabelled(part, &text) {
        return Err("its characters cannot be read with certainty");
    }
    if text.contains("-----BEGIN PGP ") {
        return Err(SEALED);
    }
    match part.kind() {
        PartKind::Html => in_html(&strip_charset_meta(&text), changes),
        _ => Ok(in_plain(&text, changes)),
    }
}

fn in_plain(text: &str, changes: &Changes) -> String {
    let mut out = String::with_capacity(text.len());
    if let Some(banner) = &changes.banner {
        out.extend([banner, "\n\n"]);
    }
    out.push_str(text);
    if let Some(disclaimer) = &changes.disclaimer {
        let (before, behind) = if text.ends_with('\n') { ("\n", "\n") } else { ("\n\n", "") };
        out.extend([before, disclaimer, behind]);
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

/// Before and behind all that a browser shows.
fn in_html(html: &str, changes: &Changes) -> Result<String, &'static str> {
    let mut out = html.to_owned();
    if let Some(disclaimer) = &changes.disclaimer {
        let end = content_end(&out);
        out.insert_str(end, &block(DISCLAIMER_STYLE, disclaimer));
        // In a comment, a script or a tag without end nobody would see it.
        if !is_tag(&out, end) {
            return Err("the end of its HTML is not clear");
        }
    }
    if let Some(banner) = &changes.banner {
        let start = content_start(&out);
        let start = if out.is_char_boundary(start) { start } else { 0 };
        out.insert_str(start, &block(BANNER_STYLE, banner));
    }
    Ok(out)
}

/// A text as an element of its own.
fn block(style: &str, text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '\n' => shown.push_str("<br>"),
            c => shown.push(c),
        }
    }
    format!("<div style=\"{style}\">{shown}</div>")
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

/// Where the content ends: before the last end tag of the body, else of the document, else at the end of the text.
fn content_end(html: &str) -> usize {
    let (mut of_body, mut of_document) = (None, None);
    each_tag(html, |name, at, is_end| match name {
        b"body" if is_end => of_body = Some(at),
        b"html" if is_end => of_document = Some(at),
        _ => {}
    });
    let end = of_body.or(of_document).unwrap_or(html.len());
    if html.is_char_boundary(end) { end } else { html.len() }
}

/// Whether a browser sees a start tag at this place.
fn is_tag(html: &str, place: usize) -> bool {
    let mut found = false;
    each_tag(html, |_, at, is_end| found |= at == place && !is_end);
    found
}

/// Calls with the name and place of each tag, and whether it is an end tag.
fn each_tag(html: &str, mut see: impl FnMut(&[u8], usize, bool)) {
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, span: Span<usize>| {
        match event {
            CallbackEvent::OpenStartTag { name } => see(name, span.start, false),
            CallbackEvent::EndTag { name } => see(name, span.start, true),
            _ => {}
        }
        None::<()>
    });
    emitter.naively_switch_states(true);
    first_token(html, Quiet(emitter));
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
