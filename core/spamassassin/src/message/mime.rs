//! The MIME tree as SpamAssassin sees it: rules are written against its reading, boundaries that never end included.

use super::{
    encoding,
    header::{Field, Fields},
};
use std::borrow::Cow;

/// A part: a leaf, or one that holds others.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) fields: Fields,
    pub(crate) content_type: ContentType,
    /// File name.
    pub(crate) name: Option<String>,
    /// Parts in it, as indexes.
    pub(crate) children: Vec<usize>,
    /// Whether it holds others, perhaps none.
    pub(crate) is_container: bool,
    raw: Raw,
}

/// Where the bytes of a part are: a text of the tree, and the range in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Raw {
    text: usize,
    start: usize,
    end: usize,
}

/// Content-Type, read as forgivingly as SpamAssassin does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ContentType {
    /// Type and subtype, lower case. Texts other than HTML, calendars and cards are plain.
    pub(crate) kind: String,
    pub(crate) boundary: Option<Vec<u8>>,
    pub(crate) charset: Option<String>,
    pub(crate) name: Option<String>,
    /// Whether there was none.
    pub(crate) missing: bool,
}

/// What is odd about the structure; the names are those of `check_msg_parse_flags`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Oddities {
    pub(crate) missing_head_body_separator: bool,
    pub(crate) missing_mime_head_body_separator: bool,
    pub(crate) missing_mime_headers: bool,
    pub(crate) mime_epilogue_exists: bool,
    pub(crate) truncated_header: bool,
    /// A boundary that was opened and not closed.
    pub(crate) missing_boundary: bool,
}

/// The parts; the first is the message itself.
#[derive(Debug)]
pub(crate) struct Tree<'m> {
    pub(crate) parts: Vec<Part>,
    pub(crate) oddities: Oddities,
    /// The message with line feeds, then what encoded parts held.
    texts: Vec<Cow<'m, [u8]>>,
    /// Length of the head.
    pub(crate) head: usize,
}

/// Most parts. Unit: parts. Source: SpamAssassin has 1,000 for each multipart.
const PARTS: usize = 1_000;
/// Deepest nesting of multiparts and messages. Unit: levels. Source: SpamAssassin.
const DEPTH: usize = 20;
/// Longest line of a part; longer ones are broken. Unit: bytes. Source: SpamAssassin.
pub(super) const LINE: usize = 2_048;

/// A part that is still to be looked into.
struct Pending {
    part: usize,
    boundary: Option<Vec<u8>>,
    raw: Raw,
    depth: usize,
}

impl<'m> Tree<'m> {
    /// Reads a message. Line ends become line feeds.
    pub(super) fn read(raw: &'m [u8]) -> Tree<'m> {
        let first_line = memchr::memchr(b'\n', raw).unwrap_or(0);
        let text: Cow<'m, [u8]> =
            if raw[..first_line].ends_with(b"\r") { Cow::Owned(without_returns(raw)) } else { Cow::Borrowed(raw) };
        let all = Raw { text: 0, start: 0, end: text.len() };
        let mut tree = Tree { parts: Vec::new(), oddities: Oddities::default(), texts: vec![text], head: 0 };
        let mut open = Vec::new();
        let mut queue = Vec::from([tree.message(all, 0)]);
        tree.head = queue[0].raw.start;
        let mut next = 0;
        while next < queue.len() {
            let pending = std::mem::replace(&mut queue[next], Pending { part: 0, boundary: None, raw: all, depth: 0 });
            next += 1;
            let kind = &tree.parts[pending.part].content_type.kind;
            if let Some(boundary) = pending.boundary.clone()
                && kind.starts_with("multipart/")
                && pending.depth < DEPTH
            {
                queue.extend(tree.multipart(&pending, &boundary, &mut open));
            } else {
                queue.extend(tree.leaf(pending));
            }
        }
        tree.oddities.missing_boundary = open.iter().any(|(_, state)| *state != 0);
        tree
    }

    /// The bytes of a part, not decoded.
    pub(crate) fn raw(&self, part: usize) -> &[u8] {
        self.bytes(self.parts[part].raw)
    }

    fn bytes(&self, raw: Raw) -> &[u8] {
        &self.texts[raw.text][raw.start..raw.end]
    }

    /// The whole message with line feeds.
    pub(crate) fn full(&self) -> &[u8] {
        &self.texts[0]
    }

    /// The content of a leaf without its transfer encoding.
    pub(crate) fn decoded(&self, part: usize) -> Cow<'_, [u8]> {
        let raw = self.raw(part);
        let part = &self.parts[part];
        let encoding = part.fields.last("content-transfer-encoding").unwrap_or_default();
        match encoding.to_ascii_lowercase().as_slice() {
            b"quoted-printable" => Cow::Owned(without_returns(&encoding::quoted_printable(raw))),
            b"base64" => {
                let decoded = encoding::base64(raw);
                let kind = &part.content_type.kind;
                let is_text = kind.starts_with("text/") || kind.starts_with("message/");
                Cow::Owned(if is_text { without_returns(&decoded) } else { decoded })
            }
            _ => Cow::Borrowed(raw),
        }
    }

    /// All parts from the first down, each before those in it.
    pub(crate) fn all(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.parts.len());
        let mut stack = vec![0];
        while let Some(part) = stack.pop() {
            order.push(part);
            stack.extend(self.parts[part].children.iter().rev());
        }
        order
    }

    /// Like `all`, only leaves.
    pub(crate) fn leaves(&self) -> Vec<usize> {
        self.all().into_iter().filter(|part| !self.parts[*part].is_container).collect()
    }

    /// Reads head and type of a message.
    fn message(&mut self, raw: Raw, depth: usize) -> Pending {
        let bytes = self.bytes(raw);
        let head = super::header::head(bytes);
        let (fields, mut start, separator) = (head.fields, head.length, head.separated);
        self.oddities.missing_head_body_separator |= !separator;
        self.oddities.truncated_header |= head.truncated;
        start += raw.start;
        let content_type = ContentType::of(fields.last("content-type").as_deref());
        let boundary = content_type.boundary.clone();
        self.parts.push(Part {
            fields,
            content_type,
            name: None,
            children: Vec::new(),
            is_container: false,
            raw: Raw { start, ..raw },
        });
        Pending { part: self.parts.len() - 1, boundary, raw: Raw { start, ..raw }, depth }
    }

    fn leaf(&mut self, pending: Pending) -> Option<Pending> {
        let Pending { part: index, boundary, raw, depth } = pending;
        let part = &mut self.parts[index];
        part.raw = raw;
        if part.content_type.kind.starts_with("multipart/") && !part.content_type.missing && boundary.is_none() {
            part.content_type.kind = "text/plain".to_owned();
        }
        let disposition = part.fields.last("content-disposition").unwrap_or_default();
        part.name = name_in(&disposition).or_else(|| part.content_type.name.clone().filter(|name| !name.is_empty()));
        let holds_message = matches!(part.content_type.kind.as_str(), "message/rfc822" | "message/global");
        if !holds_message || depth >= DEPTH || self.parts.len() >= PARTS {
            return None;
        }
        let raw = match self.decoded(index) {
            Cow::Borrowed(_) => raw,
            Cow::Owned(decoded) => {
                self.texts.push(Cow::Owned(decoded));
                let text = self.texts.len() - 1;
                Raw { text, start: 0, end: self.texts[text].len() }
            }
        };
        if raw.start == raw.end {
            return None;
        }
        let inner = self.message(raw, depth + 1);
        self.parts[index].children.push(inner.part);
        self.parts[index].is_container = true;
        Some(inner)
    }

    fn multipart(&mut self, pending: &Pending, boundary: &[u8], open: &mut Vec<(Vec<u8>, i32)>) -> Vec<Pending> {
        let Raw { text, start, end } = pending.raw;
        self.parts[pending.part].is_container = true;
        let is_digest = self.parts[pending.part].content_type.kind == "multipart/digest";
        let mut found = Vec::new();
        let bytes = &self.texts[text][..end];
        let mut lines = Lines { bytes, at: start };
        let mut first = None;
        while let Some((from, line)) = lines.next() {
            if delimiter(line, boundary).is_some() {
                first = Some(from);
                break;
            }
        }
        let mut state = 0;
        match first {
            Some(_) => {
                state = 1;
                if lines.at < end && !begins_field(lines.peek(), false) {
                    self.oddities.missing_mime_headers = true;
                }
            }
            // No delimiter: everything is one part.
            None => lines.at = start,
        }
        let mut reader = PartReader::new(lines.at);
        let mut nested = false;
        while let Some((from, line)) = lines.next() {
            let mut ends = delimiter(line, boundary);
            if let Some(last) = ends
                && nested
            {
                // A part that uses the same boundary inside.
                nested = !last;
                ends = None;
            }
            let is_last_line = lines.at >= end;
            if ends.is_none() {
                nested |= reader.line(from, line, boundary, &mut self.oddities);
            }
            if ends.is_some() || is_last_line {
                // The line end before a delimiter belongs to it.
                let mut until = if ends.is_some() { from } else { lines.at };
                if ends.is_some() && until > reader.body && bytes[until - 1] == b'\n' {
                    until -= 1;
                }
                let begin = if reader.in_body { reader.body.min(until) } else { until };
                let mut content_type = ContentType::of(reader.fields.last("content-type").as_deref());
                if content_type.missing && is_digest {
                    content_type.kind = "message/rfc822".to_owned();
                }
                found.push((std::mem::take(&mut reader.fields), content_type, Raw { text, start: begin, end: until }));
                match ends {
                    Some(true) => {
                        state -= 1;
                        self.oddities.mime_epilogue_exists |=
                            bytes[lines.at..].iter().any(|byte| !byte.is_ascii_whitespace() && *byte != b'.');
                        break;
                    }
                    Some(false) if lines.at < end && !begins_field(lines.peek(), false) => {
                        self.oddities.missing_mime_headers = true;
                    }
                    _ => {}
                }
                if self.parts.len() + found.len() >= PARTS {
                    break;
                }
                reader = PartReader::new(lines.at);
            }
        }
        if first.is_some() {
            match open.iter_mut().find(|(known, _)| known == boundary) {
                Some((_, known)) => *known = state,
                None => open.push((boundary.to_vec(), state)),
            }
        }
        let mut pending_parts = Vec::new();
        for (fields, content_type, raw) in found {
            let raw = self.with_broken_lines(raw);
            let inner = content_type.boundary.clone().or_else(|| Some(boundary.to_vec()));
            self.parts.push(Part { fields, content_type, name: None, children: Vec::new(), is_container: false, raw });
            let part = self.parts.len() - 1;
            self.parts[pending.part].children.push(part);
            pending_parts.push(Pending { part, boundary: inner, raw, depth: pending.depth + 1 });
        }
        pending_parts
    }

    /// Breaks lines that are too long.
    fn with_broken_lines(&mut self, raw: Raw) -> Raw {
        let bytes = self.bytes(raw);
        if bytes.split(|byte| *byte == b'\n').all(|line| line.len() < LINE) {
            return raw;
        }
        let mut broken = Vec::with_capacity(bytes.len() + bytes.len() / LINE + 1);
        for mut line in bytes.split_inclusive(|byte| *byte == b'\n') {
            while line.len() > LINE {
                broken.extend_from_slice(&line[..LINE]);
                broken.push(b'\n');
                line = &line[LINE..];
            }
            broken.extend_from_slice(line);
        }
        let end = broken.len();
        self.texts.push(Cow::Owned(broken));
        Raw { text: self.texts.len() - 1, start: 0, end }
    }
}

/// The head of a part, line by line.
struct PartReader {
    fields: Fields,
    /// Field that may go on: name, value.
    pending: Option<(String, Vec<u8>)>,
    in_body: bool,
    /// Where the body begins.
    body: usize,
}

impl PartReader {
    fn new(at: usize) -> Self {
        PartReader { fields: Fields::default(), pending: None, in_body: false, body: at }
    }

    /// Takes a line; says whether a Content-Type uses the boundary that is in use already.
    fn line(&mut self, from: usize, line: &[u8], boundary: &[u8], oddities: &mut Oddities) -> bool {
        if self.in_body {
            return false;
        }
        if begins_field(line, true) {
            self.flush();
            let colon = memchr::memchr(b':', line).unwrap_or(0);
            let name = String::from_utf8_lossy(&line[..colon]).trim().to_owned();
            let blanks = line[colon + 1..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.pending = Some((name, line[colon + 1 + blanks..].to_vec()));
            return false;
        }
        if let (Some((_, value)), Some(b' ' | b'\t')) = (&mut self.pending, line.first()) {
            value.extend_from_slice(line);
            return false;
        }
        let is_type = self.pending.as_ref().is_some_and(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        self.flush();
        self.in_body = true;
        let is_blank = line == b"\n" || line == b"\r\n" || line.is_empty();
        self.body = if is_blank { from + line.len() } else { from };
        oddities.missing_mime_head_body_separator |= !is_blank;
        is_type
            && ContentType::of(self.fields.last("content-type").as_deref())
                .boundary
                .is_some_and(|nested| nested == boundary)
    }

    fn flush(&mut self) {
        if let Some((name, value)) = self.pending.take() {
            self.fields.0.push(Field { name, raw: value });
        }
    }
}

/// Lines with their ends, and where they begin.
struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Lines<'b> {
    fn next(&mut self) -> Option<(usize, &'b [u8])> {
        let from = self.at;
        let line = self.peek();
        self.at += line.len();
        (!line.is_empty()).then_some((from, line))
    }

    fn peek(&self) -> &'b [u8] {
        let rest = &self.bytes[self.at..];
        &rest[..memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)]
    }
}

/// Whether the line is this boundary, and then whether it is the last.
fn delimiter(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let blank = |rest: &[u8]| rest.iter().all(u8::is_ascii_whitespace);
    match rest.strip_prefix(b"--") {
        Some(rest) if blank(rest) => Some(true),
        _ => blank(rest).then_some(false),
    }
}

/// Whether a line begins with a field name and a colon, with blanks between them if these are allowed.
pub(super) fn begins_field(line: &[u8], blanks: bool) -> bool {
    let name = line.iter().take_while(|byte| byte.is_ascii_graphic() && **byte != b':').count();
    let rest = &line[name..];
    let rest = if blanks { rest.trim_ascii_start() } else { rest };
    name > 0 && rest.first() == Some(&b':')
}

/// The bytes without the carriage returns that stand before line feeds.
pub(super) fn without_returns(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for at in memchr::memchr_iter(b'\r', bytes) {
        if bytes.get(at + 1) == Some(&b'\n') {
            out.extend_from_slice(&bytes[from..at]);
            from = at + 1;
        }
    }
    out.extend_from_slice(&bytes[from..]);
    out
}

impl ContentType {
    /// The type that a head names, whatever the structure made of the part.
    pub(crate) fn kind_of(fields: &Fields) -> String {
        ContentType::of(fields.last("content-type").as_deref()).kind
    }

    pub(super) fn of(value: Option<&[u8]>) -> ContentType {
        let value = value.filter(|value| !value.is_empty());
        let text = String::from_utf8_lossy(value.unwrap_or(b"text/plain; charset=us-ascii")).into_owned();
        let boundary = parameter(&text, "boundary").map(|value| {
            let value = match value.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap_or_default(),
                None => value.split([' ', '\t', '\n', ';', '"']).next().unwrap_or_default(),
            };
            value.as_bytes().to_vec()
        });
        let charset = parameter(&text, "charset").map(unquoted);
        let name = parameter(&text, "filename").or_else(|| parameter(&text, "name")).map(unquoted);
        let kind = text.split(';').next().unwrap_or_default().trim_start();
        let kind: String = match kind.split_once('/') {
            Some((main, sub)) => {
                format!("{main}/{}", sub.split('/').next().unwrap_or_default().split_whitespace().next().unwrap_or(""))
            }
            None => kind.trim_end().to_owned(),
        };
        let mut kind = kind.to_lowercase();
        let missing = value.is_none() || kind.is_empty();
        let is_other_text = kind.split('/').next().is_some_and(|main| main == "text" || main.starts_with("text "))
            && !matches!(kind.as_str(), "text/html" | "text/calendar" | "text/x-vcard");
        if kind.is_empty() || is_other_text {
            kind = "text/plain".to_owned();
        }
        kind.retain(|c| c.is_ascii_graphic() && !matches!(c, '"' | '(' | ')' | ',' | ':'..='@' | '['..=']'));
        ContentType { kind, boundary: boundary.filter(|b| !b.is_empty()), charset, name, missing }
    }
}

/// What stands behind `name =`, to the end of the field.
fn parameter<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let lower = text.to_ascii_lowercase();
    let mut from = 0;
    while let Some(found) = lower[from..].find(name) {
        let start = from + found;
        let end = start + name.len();
        let begins = !lower[..start].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if begins && let Some(value) = text[end..].trim_start().strip_prefix('=') {
            return Some(value.trim_start());
        }
        from = end;
    }
    None
}

/// The value of a parameter, to the semicolon, without quotes around it.
fn unquoted(value: &str) -> String {
    let value = value.split(';').next().unwrap_or_default().trim();
    let value = value.strip_prefix(['"', '\'']).unwrap_or(value);
    value.strip_suffix(['"', '\'']).unwrap_or(value).to_owned()
}

/// The file name in Content-Disposition.
fn name_in(disposition: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(disposition).into_owned();
    let at = text.to_ascii_lowercase().find("name=")?;
    let value = text[at + 5..].trim_start();
    let value = value.strip_prefix('"').unwrap_or(value);
    let value = value.split(['"', ';']).next().unwrap_or_default();
    (!value.is_empty()).then(|| value.to_owned())
}
