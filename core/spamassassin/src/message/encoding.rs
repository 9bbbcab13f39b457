//! Transfer encodings, encoded words and character sets, read as SpamAssassin reads them.

use std::borrow::Cow;

/// Undoes quoted-printable (RFC 2045 §6.7); what is broken stays as it is.
pub(super) fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let (line, end) = match line.strip_suffix(b"\n") {
            Some(line) => (line, &b"\n"[..]),
            None => (line, &b""[..]),
        };
        let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let line = if end.is_empty() { line } else { &line[..line.len() - blanks] };
        let (line, end) = match line.strip_suffix(b"=") {
            Some(line) if !end.is_empty() => (line, &b""[..]),
            _ => (line, end),
        };
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'=', &line[at..]) {
            out.extend_from_slice(&line[at..at + found]);
            at += found;
            match line.get(at + 1..at + 3).and_then(hex) {
                Some(byte) => {
                    out.push(byte);
                    at += 3;
                }
                None => {
                    out.push(b'=');
                    at += 1;
                }
            }
        }
        out.extend_from_slice(&line[at..]);
        out.extend_from_slice(end);
    }
    out
}

fn hex(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()
}

/// Undoes base64 (RFC 2045 §6.8); signs that are no base64 are left out, padding ends it.
pub(super) fn base64(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                // The next group begins anew, if one follows.
                (bits, held) = (0, 0);
                continue;
            }
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff) as u8);
        }
    }
    out
}

/// Text in this character set, as UTF-8. What is UTF-8 already is taken as that, whatever is said, unless `insist`.
pub(super) fn to_utf8<'t>(bytes: &'t [u8], charset: &str, insist: bool) -> Cow<'t, str> {
    let is_ascii = bytes.is_ascii();
    if !is_ascii
        && !insist
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Cow::Borrowed(text);
    }
    let label = charset.trim().to_ascii_lowercase();
    let encoding = match label.as_str() {
        // Without a name of these, text of ASCII stands for itself.
        "" | "us-ascii" | "ascii" | "ansi_x3.4-1968" | "iso646-us" if is_ascii => None,
        "utf7" | "utf-7" => None,
        label => encoding_rs::Encoding::for_label(label.as_bytes()),
    };
    match encoding {
        Some(encoding) => encoding.decode_without_bom_handling(bytes).0,
        None if is_ascii => String::from_utf8_lossy(bytes),
        None => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

/// A field value with its encoded words (RFC 2047) decoded. Adjacent words of one character set are joined first.
pub(super) fn words(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    // Bytes of words in one character set that follow each other.
    let mut pending: Option<(String, Vec<u8>)> = None;
    let mut at = 0;
    while at < value.len() {
        match word(&value[at..]) {
            Some((charset, bytes, length)) => {
                at += length;
                match &mut pending {
                    Some((before, held)) if *before == charset => held.extend(bytes),
                    _ => {
                        flush(&mut pending, &mut out);
                        pending = Some((charset, bytes));
                    }
                }
                // Blanks between two encoded words are not shown.
                let blanks = value[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                if blanks > 0 && word(&value[at + blanks..]).is_some() {
                    at += blanks;
                }
            }
            None => {
                flush(&mut pending, &mut out);
                let next = memchr::memmem::find(&value[at + 1..], b"=?").map_or(value.len(), |found| at + 1 + found);
                out.extend_from_slice(&value[at..next]);
                at = next;
            }
        }
    }
    flush(&mut pending, &mut out);
    out
}

fn flush(pending: &mut Option<(String, Vec<u8>)>, out: &mut Vec<u8>) {
    if let Some((charset, bytes)) = pending.take() {
        out.extend_from_slice(to_utf8(&bytes, &charset, true).as_bytes());
    }
}

/// Longest encoded word. Unit: bytes. Source: our own limit, as it keeps reading linear; RFC 2047 §2 allows 75.
const WORD: usize = 4_096;

/// An encoded word at the beginning: character set, bytes, and its length.
fn word(value: &[u8]) -> Option<(String, Vec<u8>, usize)> {
    let value = &value[..value.len().min(WORD)];
    let rest = value.strip_prefix(b"=?")?;
    let name = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'*' | b'_' | b'-')).count();
    let [b'?', kind, b'?', text @ ..] = rest.get(name..)? else { return None };
    if name == 0 {
        return None;
    }
    let end = memchr::memchr(b'?', text).filter(|end| text.get(end + 1) == Some(&b'='))?;
    let bytes = match kind {
        b'b' | b'B' => base64(&text[..end]),
        b'q' | b'Q' => {
            let blanks: Vec<u8> = text[..end].iter().map(|byte| if *byte == b'_' { b' ' } else { *byte }).collect();
            quoted_printable(&blanks)
        }
        _ => return None,
    };
    let charset = String::from_utf8_lossy(&rest[..name]).split('*').next().unwrap_or_default().to_lowercase();
    Some((charset, bytes, 2 + name + 3 + end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfer_encodings_forgive() {
        assert_eq!(quoted_printable(b"a=3Db  \nc=\nd=zz=4"), b"a=b\ncd=zz=4");
        assert_eq!(base64(b"aGVs\nbG8=*IQ=="), b"hello!");
    }

    #[test]
    fn encoded_words_are_joined_before_they_are_decoded() {
        assert_eq!(words(b"=?utf-8?q?caf=C3?= =?utf-8?Q?=A9_au?= lait =?x"), "café au lait =?x".as_bytes());
        assert_eq!(words(b"=?ISO-8859-1?B?6Q==?=x =?bad?"), "éx =?bad?".as_bytes());
    }

    #[test]
    fn what_is_utf_8_is_read_as_that() {
        assert_eq!(to_utf8("é".as_bytes(), "iso-8859-1", false), "é");
        assert_eq!(to_utf8(b"\xe9\x80", "us-ascii", false), "é€");
        assert_eq!(to_utf8(b"\x1b$B$\"\x1b(B", "iso-2022-jp", false), "あ");
    }
}
