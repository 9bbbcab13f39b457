//! The text of a message: paragraphs as shown, and text parts with their markup.

use super::{
    encoding,
    mime::{self, Tree},
    page::Page,
};

/// The text of a message.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// Paragraphs of the text as shown; the first is the subject.
    pub(crate) body: Vec<Vec<u8>>,
    /// The text parts with markup, in pieces.
    pub(crate) raw_body: Vec<Vec<u8>>,
    /// HTML parts in their order.
    pub(crate) pages: Vec<Page>,
    /// Text and part number of the parts that are shown, with the number of the page if it is HTML.
    pub(crate) shown: Vec<Shown>,
}

/// A part that is shown.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) part: usize,
    /// Text of a plain part; that of HTML stands in its page.
    pub(crate) plain: String,
    pub(crate) page: Option<usize>,
}

/// Most text of a part that is looked at. Unit: bytes. Source: SpamAssassin's `body_part_scan_size`.
const BODY: usize = 50_000;
/// Most text of a part with its markup. Unit: bytes. Source: SpamAssassin's `rawbody_part_scan_size`.
const RAW_BODY: usize = 500_000;
/// How much further a blank is sought to cut at. Unit: bytes. Source: SpamAssassin.
const CUT: usize = 1_024;

impl Texts {
    pub(super) fn of(tree: &Tree<'_>) -> Texts {
        let mut texts = Texts::default();
        let mut all = String::new();
        for index in tree.leaves() {
            let part = &tree.parts[index];
            let named_html = part.name.as_ref().is_some_and(|name| {
                let name = name.to_lowercase();
                [".htm", ".html", ".shtm", ".shtml"].iter().any(|end| name.ends_with(end))
            });
            let kind = if named_html { "text/html" } else { part.content_type.kind.as_str() };
            if !kind.starts_with("text") && !kind.starts_with("message") {
                if !all.is_empty() {
                    all.push('\n');
                }
                continue;
            }
            let decoded = tree.decoded(index);
            if part.content_type.kind != "text/calendar" {
                texts.raw_body.extend(pieces(cut(&decoded, RAW_BODY, b"\n> ")));
            }
            if !all.is_empty() {
                all.push('\n');
            }
            if kind != "text/plain" && kind != "text/html" {
                continue;
            }
            let charset = part.content_type.charset.as_deref().unwrap_or("us-ascii");
            // Far more than is looked at, as markup takes room.
            let readable = &decoded[..decoded.len().min(RAW_BODY * 2)];
            let text = encoding::to_utf8(readable, charset, false);
            if kind == "text/html" && !decoded.is_empty() {
                let page = Page::of(&text, decoded.len());
                push(&page.text, &mut all);
                texts.pages.push(page);
                texts.shown.push(Shown { part: index, plain: String::new(), page: Some(texts.pages.len() - 1) });
            } else {
                push(&text, &mut all);
                texts.shown.push(Shown { part: index, plain: text.into_owned(), page: None });
            }
        }
        let subject = tree.parts[0].fields.last("subject").unwrap_or_default();
        let mut whole = if subject.is_empty() { b"\n".to_vec() } else { [subject.as_slice(), b"\n"].concat() };
        paragraphs(&all, &mut whole);
        texts.body = lines(&whole);
        texts
    }
}

fn push(text: &str, all: &mut String) {
    let kept = cut(text.as_bytes(), BODY, b"\n ");
    let mut end = kept.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    all.push_str(&text[..end]);
}

/// The text up to this size, cut behind one of these signs if one follows soon.
fn cut<'t>(text: &'t [u8], size: usize, signs: &[u8]) -> &'t [u8] {
    if text.len() <= size {
        return text;
    }
    let soon = &text[size..text.len().min(size + CUT)];
    let at = signs.iter().find_map(|sign| memchr::memchr(*sign, soon));
    &text[..at.map_or(size, |at| size + at + 1)]
}

/// Blank lines part paragraphs; all other whitespace becomes one blank.
fn paragraphs(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    while !rest.is_empty() {
        let words = rest.find(char::is_whitespace).unwrap_or(rest.len());
        out.extend_from_slice(&rest.as_bytes()[..words]);
        rest = &rest[words..];
        let end = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        let blanks = &rest[..end];
        rest = &rest[end..];
        match (blanks.find('\n'), blanks.rfind('\n')) {
            (Some(first), Some(last)) if first < last => {
                if first > 0 {
                    out.push(b' ');
                }
                out.push(b'\n');
                if last + 1 < blanks.len() {
                    out.push(b' ');
                }
            }
            _ if !blanks.is_empty() => out.push(b' '),
            _ => {}
        }
    }
}

/// Lines, broken at blanks where they are too long.
fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for mut line in text.split_inclusive(|byte| *byte == b'\n') {
        while line.len() > mime::LINE {
            let at = memchr::memrchr(b' ', &line[..=mime::LINE]).map_or(mime::LINE, |at| at + 1);
            lines.push(line[..at].to_vec());
            line = &line[at..];
        }
        lines.push(line.to_vec());
    }
    lines
}

/// Pieces of one to two kilobytes, cut at line ends, else at `>`, else at blanks.
fn pieces(text: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    if rest.len() <= mime::LINE {
        return vec![rest.to_vec()];
    }
    while rest.len() > 2 * mime::LINE {
        let window = &rest[mime::LINE..2 * mime::LINE];
        let at = [b'\n', b'>', b' '].iter().find_map(|sign| memchr::memchr(*sign, window)).unwrap_or(0);
        let (piece, behind) = rest.split_at(mime::LINE + at + 1);
        pieces.push(piece.to_vec());
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(rest.to_vec());
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_part_paragraphs() {
        let mut out = Vec::new();
        paragraphs("one\n two\n \n three\u{a0}four\n\n", &mut out);
        assert_eq!(String::from_utf8(out).expect("UTF-8"), "one two\n three four\n");
    }

    #[test]
    fn long_text_is_broken() {
        let text = [vec![b'a'; 2_000], b" b".repeat(100), vec![b'c'; 3_000]].concat();
        assert!(lines(&text).iter().all(|line| line.len() <= mime::LINE + 1));
        assert_eq!(lines(&text).concat(), text);
        assert_eq!(pieces(&b"ab\n".repeat(9_000)).concat(), b"ab\n".repeat(9_000));
        assert!(pieces(&b"ab\n".repeat(9_000)).iter().all(|piece| piece.len() <= 2 * mime::LINE));
    }
}
