//! HTML to tags and text, as forgiving as the parser that SpamAssassin uses: a tag name reaches to the next blank or `>`.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

/// A piece of HTML.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'h> {
    /// A tag that opens, name in lower case, with its attributes.
    Open(String, Attributes<'h>),
    /// A tag that closes.
    Close(String),
    /// Text, entities decoded.
    Text(Cow<'h, str>),
    Comment(&'h str),
    /// `<!doctype …>`.
    Declaration(&'h str),
}

/// Attributes in their order: names in lower case, values decoded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes<'h>(Vec<(String, Cow<'h, str>)>);

impl Attributes<'_> {
    /// The value of the last attribute of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_ref()))
    }
}

/// Most attributes kept for a tag. Unit: attributes. Source: our own limit.
const ATTRIBUTES: usize = 100;
/// Elements whose content is text up to their end tag, and whether entities in it are decoded.
const LITERAL: &[(&str, bool)] = &[
    ("script", false),
    ("style", false),
    ("xmp", false),
    ("iframe", false),
    ("plaintext", false),
    ("title", true),
    ("textarea", true),
];

/// Gives the pieces of a page one after the other.
pub(super) struct Pieces<'h> {
    text: &'h str,
    at: usize,
    /// The literal element that is open, and whether entities in it are decoded.
    literal: Option<(&'static str, bool)>,
    /// The end of a comment was sought and not found: it is not sought again.
    no_comment_end: bool,
    /// Where the last `>` stands: behind it no tag has an end.
    last_end: usize,
}

impl<'h> Pieces<'h> {
    pub(super) fn of(text: &'h str) -> Self {
        let last_end = memchr::memrchr(b'>', text.as_bytes()).unwrap_or(0);
        Pieces { text, at: 0, literal: None, no_comment_end: false, last_end }
    }

    fn rest(&self) -> &'h str {
        &self.text[self.at..]
    }

    fn literal_text(&mut self, name: &str, entities: bool) -> Option<Piece<'h>> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let end = memchr::memmem::find_iter(bytes, b"</").find(|at| {
            let behind = &bytes[at + 2..];
            behind.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
                && !behind.get(name.len()).is_some_and(u8::is_ascii_alphanumeric)
        });
        self.literal = None;
        let end = end.unwrap_or(rest.len());
        if end == 0 {
            return None;
        }
        self.at += end;
        let text = &rest[..end];
        Some(Piece::Text(if entities { decoded(text) } else { Cow::Borrowed(text) }))
    }

    fn markup(&mut self) -> Option<Piece<'h>> {
        let rest = self.rest();
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = if self.no_comment_end { None } else { comment.find("-->") };
            let (text, length) = match end {
                Some(end) => (&comment[..end], end + 7),
                // Without an end it is a comment up to the next `>`.
                None => {
                    self.no_comment_end = true;
                    let end = comment.find('>').unwrap_or(comment.len());
                    (&comment[..end], (end + 5).min(rest.len()))
                }
            };
            self.at += length;
            return Some(Piece::Comment(text));
        }
        let second = rest.as_bytes().get(1).copied()?;
        match second {
            b'!' | b'?' => {
                let length = rest.find('>').map_or(rest.len(), |end| end + 1);
                self.at += length;
                Some(Piece::Declaration(&rest[..length]))
            }
            b'/' if rest.as_bytes().get(2).is_some_and(u8::is_ascii_alphabetic) => {
                let (name, length) = tag_name(&rest[2..]);
                let end = rest[2 + length..].find('>').map_or(rest.len(), |end| 2 + length + end + 1);
                self.at += end;
                Some(Piece::Close(name))
            }
            letter if letter.is_ascii_alphabetic() && self.at < self.last_end => {
                let (name, length) = tag_name(&rest[1..]);
                let (attributes, used) = attributes(&rest[1 + length..])?;
                self.at += 1 + length + used;
                self.literal = LITERAL.iter().find(|(literal, _)| *literal == name).copied();
                Some(Piece::Open(name, attributes))
            }
            _ => None,
        }
    }
}

impl<'h> Iterator for Pieces<'h> {
    type Item = Piece<'h>;

    fn next(&mut self) -> Option<Piece<'h>> {
        if let Some((name, entities)) = self.literal
            && let Some(piece) = self.literal_text(name, entities)
        {
            return Some(piece);
        }
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        let mut search = 0;
        if rest.starts_with('<') {
            if let Some(piece) = self.markup() {
                return Some(piece);
            }
            search = 1;
        }
        // Text up to the next sign that could begin a tag.
        let bytes = rest.as_bytes();
        let end = memchr::memchr_iter(b'<', &bytes[search..])
            .map(|at| at + search)
            .find(|at| bytes.get(at + 1).is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'/' | b'!' | b'?')))
            .unwrap_or(rest.len());
        self.at += end;
        Some(Piece::Text(decoded(&rest[..end])))
    }
}

/// The name of a tag in lower case, and its length.
fn tag_name(text: &str) -> (String, usize) {
    let length = text.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(text.len());
    (text[..length].to_lowercase(), length)
}

/// Attributes up to the `>`, and how many bytes they take with it. None if the tag has no end.
fn attributes(text: &str) -> Option<(Attributes<'_>, usize)> {
    let bytes = text.as_bytes();
    let mut attributes = Attributes::default();
    let mut at = 0;
    loop {
        at += bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if *bytes.get(at)? == b'>' {
            return Some((attributes, at + 1));
        }
        let length = bytes[at..].iter().take_while(|b| !b.is_ascii_whitespace() && !matches!(b, b'>' | b'=')).count();
        // An equals sign without a name is a name.
        let length = length.max(1);
        let name = text.get(at..at + length)?.to_lowercase();
        at += length;
        let behind = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let mut value = Cow::Borrowed("");
        if bytes.get(behind) == Some(&b'=') {
            at = behind + 1;
            at += bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let quote = bytes.get(at).copied().filter(|byte| matches!(byte, b'"' | b'\''));
            let quoted = quote.and_then(|quote| Some((at + 1, memchr::memchr(quote, &bytes[at + 1..])?)));
            let (from, length, used) = match quoted {
                Some((from, length)) => (from, length, length + 2),
                None => {
                    let end = bytes[at..].iter().take_while(|b| !b.is_ascii_whitespace() && **b != b'>').count();
                    (at, end, end)
                }
            };
            value = decoded(text.get(from..from + length)?);
            at += used;
        }
        if attributes.0.len() < ATTRIBUTES {
            attributes.0.push((name, value));
        }
    }
}

/// Names of characters (HTML 4.01 §24) and their numbers.
static ENTITIES: LazyLock<HashMap<&str, char>> = LazyLock::new(|| {
    include_str!("../entities.txt")
        .lines()
        .filter_map(|line| {
            let (name, code) = line.split_once(' ')?;
            Some((name, char::from_u32(u32::from_str_radix(code, 16).ok()?)?))
        })
        .collect()
});

/// Longest name of a character. Unit: bytes. Source: HTML 4.01 §24, with room.
const ENTITY: usize = 12;

/// The text with entities decoded. A semicolon may be missing.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'&', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match entity(&rest[1..]) {
            Some((char, length)) => {
                out.push(char);
                rest = &rest[1 + length..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character that stands behind an ampersand, and how many bytes name it.
fn entity(text: &str) -> Option<(char, usize)> {
    let semicolon = |length: usize| length + usize::from(text.as_bytes().get(length) == Some(&b';'));
    if let Some(number) = text.strip_prefix('#') {
        let (digits, radix, sign) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16, 2),
            None => (number, 10, 1),
        };
        let length = digits.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
        let code = u32::from_str_radix(digits[..length].trim_start_matches('0'), radix).ok()?;
        return Some((char::from_u32(code)?, semicolon(sign + length)));
    }
    let length = text.bytes().take(ENTITY).take_while(u8::is_ascii_alphanumeric).count();
    if let Some(char) = ENTITIES.get(&text[..length]) {
        return Some((*char, semicolon(length)));
    }
    // Without a semicolon the longest name that fits counts.
    (2..length).rev().find_map(|length| Some((*ENTITIES.get(&text[..length])?, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(html: &str) -> Vec<String> {
        Pieces::of(html)
            .map(|piece| match piece {
                Piece::Open(name, attributes) => {
                    let attributes: Vec<String> =
                        attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    format!("<{name} {}>", attributes.join(" "))
                }
                Piece::Close(name) => format!("</{name}>"),
                Piece::Text(text) => text.into_owned(),
                Piece::Comment(text) => format!("!{text}!"),
                Piece::Declaration(text) => text.to_owned(),
            })
            .collect()
    }

    #[test]
    fn tags_may_be_untidy() {
        assert_eq!(
            shown("a<B HREF='x&amp;y' checked a=b>c</b >1 < 2 &eacute;&#65;&copyx<!-- n --><br"),
            ["a", "<b href=x&y checked= a=b>", "c", "</b>", "1 < 2 éA©x", "! n !", "<br"]
        );
        assert_eq!(shown("<script>if (a<b) </x></script>t"), ["<script >", "if (a<b) </x>", "</script>", "t"]);
        assert_eq!(shown("<!-- a > b <!-- c"), ["! a !", " b ", "! c!"]);
    }

    #[test]
    fn what_never_ends_stays_linear() {
        for text in ["<!--", "<a ", "<a b='", "&#", "</", "<![", "<a b=\"x"] {
            assert!(Pieces::of(&text.repeat(20_000)).count() > 0, "{text}");
        }
    }
}
