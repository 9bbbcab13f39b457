//! The form in which names and domains are compared: what looks alike is alike.

use crate::spam::is_invisible;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_security::skeleton;

/// Longest text that is folded. Unit: bytes. Source: RFC 5322 §2.1.1, the longest line.
const FOLDED_BYTES: usize = 998;

/// The start of a text as [`letters`] makes it, for bodies: phrases are looked for in it.
pub(super) fn letters_of_body(text: &str) -> String {
    text.split_inclusive(' ').map(letters).collect()
}

/// A text in lower case, without accents and invisible characters, letters of other alphabets as the Latin ones that
/// they look like (Unicode Technical Standard 39 §4). Other alphabets and East Asian characters stay.
pub(super) fn letters(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(FOLDED_BYTES)];
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut out = String::with_capacity(text.len());
    let seen = text.nfkc().filter(|c| !is_combining_mark(*c) && !is_invisible(*c) && !is_filler(*c));
    for c in seen {
        // An accent goes, the mark that makes another syllable of a Japanese one stays.
        match c.nfd().next() {
            Some(base) if base.is_ascii() => out.push(base.to_ascii_lowercase()),
            _ => {
                let mut bytes = [0; 4];
                let alike = skeleton(c.encode_utf8(&mut bytes)).collect::<String>();
                match alike.is_ascii() {
                    true => out.push_str(&alike.to_ascii_lowercase()),
                    false => out.extend(c.to_lowercase()),
                }
            }
        }
    }
    out
}

/// Characters that fill names without being seen: variation selectors, tags, joiners, marks, fillers of Hangul.
fn is_filler(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{200c}'..='\u{200f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{e0000}'..='\u{e01ef}'
    )
}

/// Letters and digits of a text alone: `Bank-of America` is `bankofamerica`.
pub(super) fn squashed(text: &str) -> String {
    letters(text).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// A label of a domain as a quick reader sees it: digits and pairs of letters that pass for letters are these.
pub(super) fn label(label: &str) -> String {
    let (unicode, _) = match label.starts_with("xn--") {
        true => idna::domain_to_unicode(label),
        false => (label.to_owned(), Ok(())),
    };
    let plain = letters(&unicode);
    let mut out = String::with_capacity(plain.len());
    let mut rest = plain.as_str();
    while let Some(c) = rest.chars().next() {
        let (seen, length) = match c {
            'r' if rest.starts_with("rn") => ('m', 2),
            'v' if rest.starts_with("vv") => ('w', 2),
            '0' => ('o', 1),
            '1' | 'i' | '|' | '!' => ('l', 1),
            '3' => ('e', 1),
            '4' | '@' => ('a', 1),
            '5' | '$' => ('s', 1),
            '8' => ('b', 1),
            c => (c, c.len_utf8()),
        };
        if c != '-' {
            out.push(seen);
        }
        rest = &rest[length..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_look_alike_are_alike() {
        assert_eq!(letters("Р\u{430}уР\u{430}l"), "paypal");
        assert_eq!(letters("M\u{e0179}icr\u{200b}\u{f6}soft"), "microsoft");
        assert_eq!(letters("\u{1d5e1}\u{1d5f2}\u{1d601}flix"), "netflix");
        assert_eq!(letters("三井住友カード"), "三井住友カード");
        assert_eq!(squashed("  Bank-of\u{a0}America! "), "bankofamerica");
    }

    #[test]
    fn labels_are_read_quickly() {
        for (written, meant) in [
            ("paypa1", "paypal"),
            ("rnicrosoft", "microsoft"),
            ("vvalmart", "walmart"),
            ("arnazon", "amazon"),
            ("go0gle", "google"),
            ("net-flix", "netflix"),
            ("xn--pypal-4ve", "paypal"),
        ] {
            assert_eq!(label(written), label(meant), "{written}");
        }
        assert_ne!(label("apple"), label("maple"));
    }
}
