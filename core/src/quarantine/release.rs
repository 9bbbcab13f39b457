//! What lets a message pass that comes out of the quarantine: a header field, signed under the secret of the site, for one
//! message and one envelope.

use crate::store::{SiteKey, hexadecimal};
use aws_lc_rs::digest::{Context, SHA256};

/// Name of the field. It stands above all others, and is taken off again.
pub const HEADER: &str = "X-Mailward-Release";

/// How long a release may take on its way. Unit: seconds. Source: our own limit; it goes to the MTA of the same site.
pub const LIFETIME: i64 = 3_600;

/// Longest field that is looked at. Unit: bytes. Source: four numbers and names of ours are shorter.
const FIELD_BYTES: usize = 200;

/// How often a release may pass. A mail server that queues before it asks us tries again with the same field, and must not lose
/// the message. Unit: passages. Source: our own limit; nobody tries more often within [`LIFETIME`].
pub const PASSAGES: u32 = 20;

const INBOUND: &str = "in";
const OUTBOUND: &str = "out";

/// The permission to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// Name of this release.
    pub id: String,
    /// Unix seconds.
    pub expires: i64,
    /// How many header fields the message had. The MTA may add others behind them (RFC 6409 §8).
    fields: usize,
    /// Whether the message was on its way out of the site.
    pub outbound: bool,
    signature: String,
}

/// The field in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// What the topmost one says.
    pub value: &'a [u8],
    /// The message behind it.
    pub rest: &'a [u8],
    /// How many there are.
    pub occurrences: u32,
}

impl Permit {
    /// Permits the passage of one message from this sender to this recipient, both without brackets.
    pub fn issue(
        key: &SiteKey,
        (id, expires): (&str, i64),
        outbound: bool,
        [sender, recipient]: [&str; 2],
        raw: &[u8],
    ) -> Self {
        let (id, fields) = (id.to_owned(), count_fields(raw));
        let permit = Permit { id, expires, fields, outbound, signature: String::new() };
        let words = permit.words(sender, recipient, raw);
        Permit { signature: key.pseudonym(&words.each_ref().map(String::as_str)), ..permit }
    }

    /// The field with its line end.
    pub fn field(&self) -> String {
        let Permit { id, expires, fields, signature, .. } = self;
        format!("{HEADER}: {id}.{expires}.{fields}.{}.{signature}\r\n", self.direction())
    }

    /// Reads the body of a field.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= FIELD_BYTES)?.trim();
        let mut parts = text.split('.');
        let permit = Permit {
            id: parts.next()?.to_owned(),
            expires: parts.next()?.parse().ok()?,
            fields: parts.next()?.parse().ok()?,
            outbound: match parts.next()? {
                INBOUND => false,
                OUTBOUND => true,
                _ => return None,
            },
            signature: parts.next()?.to_owned(),
        };
        parts.next().is_none().then_some(permit)
    }

    /// Whether this site has permitted just that.
    pub fn is_for(&self, key: &SiteKey, sender: &str, recipient: &str, rest: &[u8]) -> bool {
        let words = self.words(sender, recipient, rest);
        key.knows(&words.each_ref().map(String::as_str), &self.signature)
    }

    fn direction(&self) -> &'static str {
        if self.outbound { OUTBOUND } else { INBOUND }
    }

    fn words(&self, sender: &str, recipient: &str, raw: &[u8]) -> [String; 8] {
        [
            "release".to_owned(),
            self.id.clone(),
            self.expires.to_string(),
            self.fields.to_string(),
            self.direction().to_owned(),
            sender.to_lowercase(),
            recipient.to_lowercase(),
            digest(raw, self.fields),
        ]
    }
}

/// The field, if the message has one.
pub fn find(raw: &[u8]) -> Option<Found<'_>> {
    let (mut at, mut found, mut occurrences) = (0, None, 0);
    for line in header_lines(raw) {
        let start = at;
        at += line.len();
        let Some(body) = body_of_ours(line) else { continue };
        occurrences += 1;
        if found.is_none() {
            let folds = header_lines(&raw[at..]).take_while(|line| is_fold(line)).map(<[u8]>::len).sum::<usize>();
            found = Some((&raw[start + body..at], &raw[at + folds..]));
        }
    }
    found.map(|(value, rest)| Found { value, rest, occurrences })
}

/// The message without the fields.
pub fn without(raw: &[u8]) -> Vec<u8> {
    let (mut kept, mut at, mut is_ours) = (Vec::with_capacity(raw.len()), 0, false);
    for line in header_lines(raw) {
        at += line.len();
        is_ours = if is_fold(line) { is_ours } else { body_of_ours(line).is_some() };
        if !is_ours {
            kept.extend_from_slice(line);
        }
    }
    kept.extend_from_slice(&raw[at..]);
    kept
}

/// Where the body begins, if the line begins our field.
fn body_of_ours(line: &[u8]) -> Option<usize> {
    let name = line.get(..HEADER.len()).filter(|name| name.eq_ignore_ascii_case(HEADER.as_bytes()))?;
    let behind = line[name.len()..].iter().position(|b| *b != b' ' && *b != b'\t')? + name.len();
    (line[behind] == b':').then_some(behind + 1)
}

fn header_lines(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    raw.split_inclusive(|&b| b == b'\n').take_while(|line| !matches!(*line, b"\r\n" | b"\n"))
}

fn is_fold(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

fn count_fields(raw: &[u8]) -> usize {
    header_lines(raw).filter(|line| !is_fold(line)).count()
}

/// SHA-256 of the first fields and the body, in hexadecimal. Line ends, and empty lines at the end, do not count: an MTA may change those.
fn digest(raw: &[u8], fields: usize) -> String {
    let mut context = Context::new(&SHA256);
    let mut add = |line: &[u8]| {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        context.update(text.strip_suffix(b"\r").unwrap_or(text));
        context.update(b"\n");
    };
    let (mut begun, mut header) = (0, 0);
    for line in header_lines(raw) {
        begun += usize::from(!is_fold(line));
        header += line.len();
        if begun <= fields {
            add(line);
        }
    }
    add(b"");
    let body = raw[header..].trim_ascii_end();
    body.split_inclusive(|&b| b == b'\n').skip(1).for_each(add);
    hexadecimal(context.finish().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &[u8] = b"From: a@x.test\r\nSubject: one\r\n two\r\n\r\nHello\r\n";

    #[test]
    fn direction_is_part_of_what_is_signed() {
        let key = SiteKey::of(b"secret");
        let permit = Permit::issue(&key, ("abc", 1_000), true, ["a@x.test", "bob@y.test"], RAW);
        let field = permit.field();
        let value = field.split_once(": ").expect("a field").1;
        let read = Permit::parse(value.as_bytes()).expect("a permit");
        assert!(read.outbound && read.is_for(&key, "a@x.test", "bob@y.test", RAW));
        let turned = Permit::parse(value.replace(".out.", ".in.").as_bytes()).expect("a permit");
        assert!(!turned.is_for(&key, "a@x.test", "bob@y.test", RAW));
    }

    fn permit() -> (SiteKey, Permit) {
        let key = SiteKey::of(b"secret");
        let permit = Permit::issue(&key, ("abc", 1_000), false, ["a@x.test", "bob@y.test"], RAW);
        (key, permit)
    }

    #[test]
    fn message_passes_as_it_was_whatever_the_mta_adds() {
        let (key, permit) = permit();
        let is_for = |message: &[u8]| {
            let found = find(message).expect("the field");
            let read = Permit::parse(found.value).expect("a permit");
            read.is_for(&key, "A@x.test", "bob@Y.test", found.rest)
        };
        let field = permit.field();
        assert!(is_for(&[field.as_bytes(), RAW].concat()));
        assert!(is_for(&[b"X-Other: above\r\n", field.as_bytes(), RAW].concat()));
        let added = b"From: a@x.test\nSubject: one\n two\nMessage-ID: <1@z>\nDate: now\n\nHello\n\n";
        assert!(is_for(&[field.to_lowercase().as_bytes(), added].concat()));
        for other in [
            &b"From: a@x.test\r\nSubject: one\r\n three\r\n\r\nHello\r\n"[..],
            b"From: a@x.test\r\nSubject: one\r\n two\r\n\r\nHello!\r\n",
            b"X: y\r\nFrom: a@x.test\r\nSubject: one\r\n two\r\n\r\nHello\r\n",
            b"From: a@x.test\r\n\r\nHello\r\n",
            b"\r\n",
            b"",
        ] {
            assert!(!is_for(&[field.as_bytes(), other].concat()), "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn nothing_but_what_was_permitted_passes() {
        let (key, permit) = permit();
        assert!(permit.is_for(&key, "a@x.test", "bob@y.test", RAW));
        assert!(!permit.is_for(&SiteKey::of(b"other"), "a@x.test", "bob@y.test", RAW));
        assert!(!permit.is_for(&key, "b@x.test", "bob@y.test", RAW));
        assert!(!permit.is_for(&key, "a@x.test", "eve@y.test", RAW));
        assert!(!Permit { expires: 2_000, ..permit.clone() }.is_for(&key, "a@x.test", "bob@y.test", RAW));
        assert!(!Permit { id: "abd".into(), ..permit.clone() }.is_for(&key, "a@x.test", "bob@y.test", RAW));
        assert!(!Permit { outbound: true, ..permit.clone() }.is_for(&key, "a@x.test", "bob@y.test", RAW));
        assert!(!Permit { fields: 1, ..permit }.is_for(&key, "a@x.test", "bob@y.test", RAW));
    }

    #[test]
    fn fields_are_found_and_counted_in_the_header_only() {
        let twice =
            b"x-mailward-release : a\r\nSubject: x\r\nX-Mailward-Release: b\r\n c\r\n\r\nX-Mailward-Release: d\r\n";
        let found = find(twice).expect("found");
        assert_eq!((found.value, found.occurrences), (&b" a\r\n"[..], 2));
        let rest = b"Subject: x\r\nX-Mailward-Release: b\r\n c\r\n\r\nX-Mailward-Release: d\r\n";
        assert_eq!(found.rest, rest);
        let without = b"Subject: x\r\n\r\nX-Mailward-Release: d\r\n";
        assert_eq!(super::without(twice), without);
        assert_eq!(super::without(without), without);
        for none in [&b"Subject: x\r\n\r\nX-Mailward-Release: d\r\n"[..], b"X-Mailward-Released: x\r\n\r\n", b""] {
            assert_eq!(find(none), None);
        }
        for text in [
            "",
            "a",
            "a.b.c.in.d",
            "a.1.1.in.b.c",
            "a.1.1.b",
            "a.1.1.by.b",
            "a.99999999999999999999.1.in.b",
            &"a.".repeat(200),
        ] {
            assert_eq!(Permit::parse(text.as_bytes()), None, "{text}");
        }
    }
}
