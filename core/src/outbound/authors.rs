//! Whom the From fields of a message name, read strictly: what another reader may take for somebody else is no author.

use crate::{message, session::Address};

/// Whom the From fields of a message name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Authors {
    /// Number of From fields.
    pub fields: usize,
    /// In their order.
    pub addresses: Vec<Address>,
    /// Whether a mailbox could not be read.
    pub unreadable: bool,
}

/// A byte, and whether it stands in a quoted string.
type Marked = (u8, bool);

/// Reads the From fields (RFC 5322 §3.4) of a message in wire form. Comments, and blanks around `@`, do not count; groups,
/// routes and addresses without domain cannot be read.
pub fn authors(raw: &[u8]) -> Authors {
    let (fields, _) = message::split(raw);
    let mut authors = Authors::default();
    for field in fields.iter().filter(|field| message::name_of(field).eq_ignore_ascii_case(b"From")) {
        authors.fields += 1;
        let value = field.splitn(2, |&b| b == b':').nth(1).unwrap_or_default();
        let Some(value) = without_comments(value) else {
            authors.unreadable = true;
            continue;
        };
        for mailbox in value.split(|&marked| marked == (b',', false)) {
            match address(mailbox) {
                _ if trimmed(mailbox).is_empty() => {}
                Some(address) => authors.addresses.push(address),
                None => authors.unreadable = true,
            }
        }
    }
    authors
}

/// The value with a blank in place of each comment, fold and tab; `None` if a comment or quoted string does not end.
fn without_comments(value: &[u8]) -> Option<Vec<Marked>> {
    let mut out = Vec::with_capacity(value.len());
    let (mut depth, mut quoted) = (0_usize, false);
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if quoted => out.extend([(byte, true), (bytes.next()?, true)]),
            b'\\' if depth > 0 => drop(bytes.next()?),
            b'"' if depth == 0 => {
                quoted = !quoted;
                out.push((byte, true));
            }
            b'(' if !quoted => {
                depth += 1;
                out.push((b' ', false));
            }
            b')' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            b'\r' | b'\n' | b'\t' => out.push((b' ', quoted)),
            byte => out.push((byte, quoted)),
        }
    }
    (depth == 0 && !quoted).then_some(out)
}

/// The address of a mailbox, with or without a name before it.
fn address(mailbox: &[Marked]) -> Option<Address> {
    let place = |text: &[Marked], byte| text.iter().position(|&marked| marked == (byte, false));
    if place(mailbox, b':').or(place(mailbox, b';')).is_some() {
        return None;
    }
    let text = match place(mailbox, b'<') {
        None => mailbox,
        Some(begin) => {
            let inside = mailbox.get(begin + 1..)?;
            let end =
                place(inside, b'>').filter(|end| inside.get(end + 1..).is_some_and(|rest| trimmed(rest).is_empty()))?;
            inside.get(..end)?
        }
    };
    let at = text.iter().rposition(|&marked| marked == (b'@', false))?;
    let (local, domain) = (trimmed(text.get(..at)?), trimmed(text.get(at + 1..)?));
    let bytes: Vec<u8> = local.iter().chain(&[(b'@', false)]).chain(domain).map(|(byte, _)| *byte).collect();
    if bytes.starts_with(b"<") || bytes.starts_with(b"@") {
        return None;
    }
    Address::parse(&bytes).ok()
}

fn trimmed(mut text: &[Marked]) -> &[Marked] {
    while let [(b' ', false), rest @ ..] | [rest @ .., (b' ', false)] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(from: &str) -> (Vec<String>, bool) {
        let authors = authors(format!("Subject: x\r\n{from}\r\n\r\nFrom: body@x.test\r\n").as_bytes());
        (authors.addresses.iter().map(Address::key).collect(), authors.unreadable)
    }

    #[test]
    fn comments_blanks_folds_and_names_do_not_hide_an_author() {
        for from in [
            "From: boss@x.test",
            "FROM : Boss@X.test (the (real) boss)",
            "From: boss(x)@x.test",
            "From: boss @ x.test",
            "From: \"a, b <alice@x.test>\" <boss@x.test>",
            "From: alice@x.test <boss@x.test>",
            "From: caf\u{e9} =?utf-8?q?alice=40x.test?=\r\n\t<\r\n boss@x.test>(c)",
            "From: \"boss\"@x.test",
            "From: , boss@x.test,",
        ] {
            assert_eq!(read(from), (vec!["boss@x.test".to_owned()], false), "{from}");
        }
        let two = vec!["alice@x.test".to_owned(), "boss@x.test".to_owned()];
        assert_eq!(read("From: alice@x.test, The Boss <boss@x.test>"), (two.clone(), false));
        assert_eq!(read("From: alice@x.test\r\nTo: b@y.test\r\nfrom: boss@x.test"), (two, false));
        assert_eq!(authors(b"From: a@x.test\nFrom: b@x.test\n\nx\n").fields, 2);
    }

    #[test]
    fn what_names_nobody_or_may_be_read_otherwise_is_no_author() {
        for from in [
            "From: boss@x.test <>",
            "From: \"boss@x.test\" <>",
            "From: =?utf-8?q?boss=40x.test?=",
            "From: <alice@x.test> <boss@x.test>",
            "From: <boss@x.test extra>",
            "From: <boss@x.test> extra",
            "From: <boss@x.test@x.test>",
            "From: <bo:ss@x.test>",
            "From: <@alice@x.test:boss@x.test>",
            "From: <<boss@x.test>>",
            "From: <boss@x.test",
            "From: boss@x.test>",
            "From: boss",
            "From: staff: boss@x.test;",
            "From: boss@x.test (",
            "From: \"boss@x.test",
            "From: boss@x.test\\",
            "From: \"boss\\",
            "From: b\u{0}oss@x.test",
            "From: alice@x.test boss@x.test",
        ] {
            assert_eq!(read(from), (vec![], true), "{from}");
        }
        for nobody in ["To: boss@x.test", "From:", "From: ,", "From: (boss@x.test)"] {
            assert_eq!(read(nobody), (vec![], false), "{nobody}");
        }
        assert_eq!(authors(b""), Authors::default());
        let deep = format!("From: {}\r\n\r\n", "(".repeat(100_000));
        assert!(authors(deep.as_bytes()).unreadable);
    }
}
