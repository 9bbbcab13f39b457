//! What is wrong with the structure of a message.

use serde::{Deserialize, Serialize};

/// Something in the structure that a correct program does not write, or a bound of [`super::Bounds`] that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Damage {
    /// MIME containers nest deeper than [`super::Bounds::depth`], or encoded messages than
    /// [`super::Bounds::encoded_nesting`].
    NestingLimit,
    /// More parts than [`super::Bounds::parts`].
    PartLimit,
    /// More headers than [`super::Bounds::headers`].
    HeaderLimit,
    /// More decoded bytes than [`super::Bounds::decoded_bytes`].
    DecodedLimit,
    /// More text than [`super::Bounds::text_bytes`].
    TextLimit,
    /// More HTML than [`super::Bounds::html_bytes`] or [`super::Bounds::html_tokens`].
    HtmlLimit,
    /// More links than [`super::Bounds::links`].
    LinkLimit,
    /// A multipart whose boundary never comes (RFC 2046 §5.1.1).
    MissingBoundary,
    /// A boundary in the middle of a line.
    BoundaryInsideLine,
    /// A multipart without its closing boundary.
    Unterminated,
    /// A header that does not end with an empty line.
    NoBlankLine,
    /// Characters that are not of the declared transfer encoding (RFC 2045 §6).
    BadEncoding,
    /// A transfer encoding that does not exist.
    UnknownEncoding,
    /// Bytes that are not text in the declared character set.
    BadCharset,
    /// A line in the header that is no header field (RFC 5322 §2.2).
    HeaderGarbage,
    /// NUL bytes (forbidden by RFC 5322 §4).
    Nul,
    /// CR without LF (RFC 5321 §2.3.8).
    BareCr,
    /// LF without CR (RFC 5321 §2.3.8).
    BareLf,
    /// Bytes over 127 in the header that are not UTF-8 (RFC 6532 §3.2).
    EightBitHeader,
    /// A line of over 998 bytes (RFC 5322 §2.1.1).
    LongLine,
}

impl Damage {
    /// The word that findings and logs use.
    pub fn word(self) -> &'static str {
        match self {
            Damage::NestingLimit => "nesting-limit",
            Damage::PartLimit => "part-limit",
            Damage::HeaderLimit => "header-limit",
            Damage::DecodedLimit => "decoded-limit",
            Damage::TextLimit => "text-limit",
            Damage::HtmlLimit => "html-limit",
            Damage::LinkLimit => "link-limit",
            Damage::MissingBoundary => "missing-boundary",
            Damage::BoundaryInsideLine => "boundary-inside-line",
            Damage::Unterminated => "unterminated",
            Damage::NoBlankLine => "no-blank-line",
            Damage::BadEncoding => "bad-encoding",
            Damage::UnknownEncoding => "unknown-encoding",
            Damage::BadCharset => "bad-charset",
            Damage::HeaderGarbage => "header-garbage",
            Damage::Nul => "nul",
            Damage::BareCr => "bare-cr",
            Damage::BareLf => "bare-lf",
            Damage::EightBitHeader => "eight-bit-header",
            Damage::LongLine => "long-line",
        }
    }
}

/// Damage that shows in the raw bytes; `body` is the offset where the header ends.
pub(super) fn of_bytes(raw: &[u8], body: usize, found: &mut impl Extend<Damage>) {
    let nul = memchr::memchr(0, raw).is_some();
    let bare_cr = memchr::memchr_iter(b'\r', raw).any(|at| raw.get(at + 1) != Some(&b'\n'));
    let (mut bare_lf, mut long, mut start) = (false, false, 0);
    for end in memchr::memchr_iter(b'\n', raw) {
        let with_cr = end > start && raw[end - 1] == b'\r';
        bare_lf |= !with_cr;
        long |= end - usize::from(with_cr) - start > LINE_BYTES;
        start = end + 1;
    }
    long |= raw.len() - start > LINE_BYTES;
    let header = raw.get(..body).unwrap_or(raw);
    let eight_bit = !header.is_ascii() && std::str::from_utf8(header).is_err();
    let garbage = header
        .split(|&b| b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .any(|line| !line.is_empty() && !is_field_line(line));
    let all = [
        (nul, Damage::Nul),
        (bare_cr, Damage::BareCr),
        (bare_lf, Damage::BareLf),
        (long, Damage::LongLine),
        (eight_bit, Damage::EightBitHeader),
        (garbage, Damage::HeaderGarbage),
    ];
    found.extend(all.into_iter().filter(|(is, _)| *is).map(|(_, damage)| damage));
}

/// Longest line without its end. Unit: bytes. Source: RFC 5322 §2.1.1.
const LINE_BYTES: usize = 998;

/// Whether a header line is a fold or begins with a field name (RFC 5322 §2.2).
fn is_field_line(line: &[u8]) -> bool {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return true;
    }
    match line.iter().position(|&b| b == b':') {
        Some(colon) => colon > 0 && line[..colon].trim_ascii_end().iter().all(|b| (33..=126).contains(b)),
        None => false,
    }
}
