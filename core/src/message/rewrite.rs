//! Another body of a message: texts before and after what it says, notes in place of files. What is written anew is UTF-8 and
//! quoted-printable (RFC 2045 §6.7); all other bytes stay.

mod notice;
mod words;

use super::Bounds;
use mail_parser::{HeaderName, MessageParser, MessagePart, PartId};
use std::collections::{BTreeMap, BTreeSet};

/// How much longer than it was a message may get. Unit: bytes. Source: our own limit; the next server has one for messages.
const GROWTH_BYTES: usize = 1 << 20;
/// Longest line. Unit: characters. Source: RFC 2045 §6.7 grants 76, of which a first hyphen may take two more.
const LINE_CHARS: usize = 74;

/// What is to change in the body of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Text before what the message says.
    pub banner: Option<String>,
    /// Text behind it.
    pub disclaimer: Option<String>,
    /// Notes in place of files, by their index in [`super::Message::parts`].
    pub notices: BTreeMap<usize, String>,
}

/// Another body of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The whole of it.
    pub body: Vec<u8>,
    /// Header fields that change with it.
    pub fields: Vec<Field>,
    /// What is in it that was not.
    pub with: Vec<&'static str>,
    /// Why the texts are not in it, if only they cannot be.
    pub without_texts: Option<&'static str>,
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

/// A part that is written anew.
struct Piece<'m> {
    part: MessagePart<'m>,
    /// Content-Type; folds are LF and a blank.
    content_type: String,
    /// Content-Disposition, if it changes.
    disposition: Option<&'static str>,
    /// Its content in quoted-printable.
    text: Vec<u8>,
}

impl Changes {
    /// The names of the texts among them.
    pub fn texts(&self) -> impl Iterator<Item = &'static str> {
        let banner = self.banner.as_ref().map(|_| "banner");
        let disclaimer = self.disclaimer.as_ref().map(|_| "disclaimer");
        banner.into_iter().chain(disclaimer)
    }

    /// Whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }
}

/// Makes the changes. Where files are to be taken off and the texts cannot be put in, it is done without them.
///
/// # Errors
///
/// Why the body is left alone: it is signed or encrypted, has no text, or cannot be read with certainty.
pub fn rewrite(raw: &[u8], bounds: &Bounds, changes: &Changes) -> Result<Rewritten, &'static str> {
    let parser = MessageParser::new()
        .max_depth(bounds.depth)
        .max_parts(bounds.parts)
        .max_encoded_nesting(bounds.encoded_nesting);
    let parsed = parser.parse(raw).ok_or("it has no header")?;
    let root = parsed.root_part();
    let own: Vec<_> = parsed.parts().filter(|part| part.message().container().is_none()).collect();
    unsealed(&own)?;
    if header_end(raw) != Some(root.offset_body() as usize) {
        return Err("it is not clear where its header ends");
    }
    undamaged(&own)?;
    if repeats_a_field(&root) {
        return Err(DAMAGED);
    }
    let mut pieces = notice::pieces(&parsed, &changes.notices)?;
    // A file that is declared as text is none that anything could be put into.
    let replaced: BTreeSet<PartId> = pieces.iter().map(|piece| piece.part.id()).collect();
    let texts: Vec<_> = own.into_iter().filter(|part| !replaced.contains(&part.id())).collect();
    let mut with = Vec::new();
    let mut without_texts = None;
    match words::pieces(&texts, changes) {
        Ok(texts) => {
            pieces.extend(texts);
            with.extend(changes.texts());
        }
        Err(why) if pieces.is_empty() => return Err(why),
        Err(why) => without_texts = Some(why),
    }
    if !changes.notices.is_empty() {
        with.push("notice");
    }
    pieces.sort_by_key(|piece| piece.part.offset_header());
    let (body, fields) = assembled(raw, &root, pieces);
    if body.len() > raw.len() + GROWTH_BYTES {
        return Err("it would become too large");
    }
    Ok(Rewritten { body, fields, with, without_texts })
}

const DAMAGED: &str = "its structure is damaged";

/// Whether none of these parts says that changes would break it.
fn unsealed(parts: &[MessagePart<'_>]) -> Result<(), &'static str> {
    parts.iter().find_map(is_sealed).map_or(Ok(()), Err)
}

/// Whether these parts are as a correct program writes them.
fn undamaged(parts: &[MessagePart<'_>]) -> Result<(), &'static str> {
    if parts.iter().all(|part| part.flags().is_empty()) { Ok(()) } else { Err(DAMAGED) }
}

fn is_sealed(part: &MessagePart<'_>) -> Option<&'static str> {
    let is = |kind, subtype| part.is_content_type(kind, subtype);
    if is("multipart", "signed") {
        return Some("it is signed");
    }
    let encrypted = is("multipart", "encrypted")
        || is("application", "pkcs7-mime")
        || is("application", "x-pkcs7-mime")
        || is("application", "pgp-encrypted");
    encrypted.then_some(SEALED)
}

const SEALED: &str = "it is signed or encrypted";

/// Where the body begins for the mail server, which knows lines and not what stands in them.
fn header_end(raw: &[u8]) -> Option<usize> {
    if raw.starts_with(b"\r\n") {
        return Some(2);
    }
    memchr::memmem::find(raw, b"\r\n\r\n").map(|at| at + 4)
}

fn repeats_a_field(part: &MessagePart<'_>) -> bool {
    let names = [
        HeaderName::ContentType,
        HeaderName::ContentTransferEncoding,
        HeaderName::ContentDisposition,
        HeaderName::MimeVersion,
    ];
    names.into_iter().any(|name| part.headers().all(name).count() > 1)
}

/// The body in which the pieces, in their order, stand in place of what was there; and the fields of a message that is one piece.
fn assembled(raw: &[u8], root: &MessagePart<'_>, pieces: Vec<Piece<'_>>) -> (Vec<u8>, Vec<Field>) {
    let (mut body, mut fields) = (Vec::with_capacity(raw.len()), Vec::new());
    let mut at = root.offset_body() as usize;
    for piece in pieces {
        if piece.part.id() == root.id() {
            fields = fields_of(&piece);
        } else {
            body.extend(&raw[at..piece.part.offset_header() as usize]);
            body.extend(header_of(&piece, raw));
        }
        body.extend(&piece.text);
        at = piece.part.offset_end() as usize;
        // Behind an empty part the delimiter may have stood at the very place where the text now ends.
        if !matches!(raw[at..], [] | [b'\n', ..] | [b'\r', b'\n', ..]) {
            body.extend(b"\r\n");
        }
    }
    body.extend(&raw[at..]);
    if !body.ends_with(b"\r\n") {
        // In quoted-printable the equals sign says that the text goes on in the next line, of which there is none.
        body.extend(if fields.is_empty() { &b"\r\n"[..] } else { b"=\r\n" });
    }
    (body, fields)
}

/// The fields of the message for a text that is written anew.
fn fields_of(piece: &Piece<'_>) -> Vec<Field> {
    let is_there = |name| piece.part.headers().get(name).is_some();
    let mut fields = vec![
        Field { name: "Content-Type", value: piece.content_type.clone(), is_there: is_there(HeaderName::ContentType) },
        Field {
            name: "Content-Transfer-Encoding",
            value: "quoted-printable".to_owned(),
            is_there: is_there(HeaderName::ContentTransferEncoding),
        },
    ];
    if let Some(disposition) = piece.disposition.filter(|_| is_there(HeaderName::ContentDisposition)) {
        fields.push(Field { name: "Content-Disposition", value: disposition.to_owned(), is_there: true });
    }
    if !is_there(HeaderName::MimeVersion) {
        fields.push(Field { name: "MIME-Version", value: "1.0".to_owned(), is_there: false });
    }
    fields
}

/// The header of a part that is written anew, with the empty line behind it. A note tells nothing of what the header said about
/// the file.
fn header_of(piece: &Piece<'_>, raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let stays = |name: &HeaderName<'_>| match piece.disposition {
        None => !matches!(name, HeaderName::ContentType | HeaderName::ContentTransferEncoding),
        Some(_) => !name.as_str().get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-")),
    };
    for header in piece.part.headers().iter().filter(|header| stays(&header.name())) {
        out.extend(&raw[header.offset_field() as usize..header.offset_end() as usize]);
    }
    let content_type = piece.content_type.replace('\n', "\r\n");
    out.extend(format!("Content-Type: {content_type}\r\nContent-Transfer-Encoding: quoted-printable\r\n").bytes());
    if let Some(disposition) = piece.disposition {
        out.extend(format!("Content-Disposition: {disposition}\r\n").bytes());
    }
    out.extend(b"\r\n");
    out
}

/// Text in quoted-printable, in which no line looks like a delimiter, wherever the lines now break.
fn quoted(text: &str) -> Vec<u8> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
    let options = quoted_printable::Options::default().line_length_limit(LINE_CHARS);
    let encoded = quoted_printable::encode_with_options(&text, options);
    let mut out = Vec::with_capacity(encoded.len() + 16);
    for line in encoded.split_inclusive('\n') {
        match line.strip_prefix("--") {
            Some(rest) => out.extend(b"=2D-".iter().copied().chain(rest.bytes())),
            None => out.extend(line.bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests;
