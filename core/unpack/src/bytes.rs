//! Numbers and names in binary formats. Whatever lies outside the bytes is `None`.

use crate::walk::{NAME_BYTES, cut_tail};

/// Little-endian number of 16 bits at an offset.
pub(crate) fn u16_le(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_le_bytes)
}

/// Little-endian number of 32 bits at an offset.
pub(crate) fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

/// Little-endian number of 64 bits at an offset.
pub(crate) fn u64_le(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
}

/// `length` bytes from an offset.
pub(crate) fn slice(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}

/// The bytes from an offset, at most `length` of them.
pub(crate) fn up_to(bytes: &[u8], at: usize, length: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or_default();
    &rest[..rest.len().min(length)]
}

/// The end of a path, which is all that is kept of a name: folders whose names are long must not add up.
pub(crate) fn folder(path: &str, name: &str) -> String {
    let path = format!("{path}{name}/");
    cut_tail(&path, NAME_BYTES).to_owned()
}

/// The bytes before the first NUL.
pub(crate) fn before_nul(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

/// Text in bytes: UTF-8, else each byte is a character of ISO 8859-1.
pub(crate) fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// Text in UTF-16LE, up to a NUL.
pub(crate) fn utf16_le(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    String::from_utf16_lossy(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>())
}

/// Text in UTF-16 that says so by its mark, each letter beyond ASCII as `?`; `None` if it does not.
pub(crate) fn utf16_as_ascii(text: &[u8]) -> Option<Vec<u8>> {
    let read = match text.get(..2)? {
        b"\xff\xfe" => u16::from_le_bytes,
        b"\xfe\xff" => u16::from_be_bytes,
        _ => return None,
    };
    let letters = text[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
    Some(letters.map(|letter| u8::try_from(letter).ok().filter(u8::is_ascii).unwrap_or(b'?')).collect())
}

/// Text in UTF-16BE, up to a NUL.
pub(crate) fn utf16_be(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    String::from_utf16_lossy(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>())
}

/// The bytes of base64 (RFC 4648 §4); what is none of its characters is passed over, padding ends it.
pub(crate) fn base64(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => continue,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}

/// The bytes of pairs of hexadecimal digits; what is none is passed over.
pub(crate) fn hex(text: &[u8]) -> Vec<u8> {
    let mut digits = text.iter().filter_map(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(text.len() / 2);
    while let (Some(high), Some(low)) = (digits.next(), digits.next()) {
        out.push((high << 4 | low) as u8);
    }
    out
}

/// Whether `word` stands in the bytes; `word` is lower case, the bytes may be any.
pub(crate) fn contains(bytes: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(bytes, word).is_some()
}
