//! How much of a message is looked at.

/// Bounds of one parse. What lies past one is not looked at, and [`super::Damage`] says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Most nested MIME containers, the message itself included. Unit: levels. Source: our own limit; RFC 2046 §5.1
    /// sets none, Postfix stops at 100 (`mime_nesting_limit`).
    pub depth: usize,
    /// Most MIME parts. Unit: parts. Source: our own limit.
    pub parts: usize,
    /// Most nested messages that are themselves base64 or quoted-printable. Unit: levels. Source: RFC 2046 §5.2.1
    /// forbids the first already; three keeps memory at three copies.
    pub encoded_nesting: usize,
    /// Most header fields of the message. Unit: fields. Source: our own limit.
    pub headers: usize,
    /// Most bytes after transfer decoding, over all parts. Unit: bytes. Source: our own limit, above the largest message
    /// that a door hands over.
    pub decoded_bytes: usize,
    /// Most text kept of each kind (plain, shown by HTML, hidden by HTML). Unit: bytes. Source: our own limit, some
    /// 250 printed pages.
    pub text_bytes: usize,
    /// Most HTML that is tokenised, over all parts. Unit: bytes. Source: our own limit; Gmail clips at 102 kB.
    pub html_bytes: usize,
    /// Most HTML tokens, over all parts. Unit: tokens. Source: our own limit.
    pub html_tokens: usize,
    /// Deepest nesting of HTML elements that is followed. Unit: elements. Source: browsers stop at 512.
    pub html_depth: usize,
    /// Most links kept. Unit: links. Source: our own limit.
    pub links: usize,
    /// Longest link kept; the rest is cut. Unit: bytes. Source: our own limit; browsers show about 2,000.
    pub link_bytes: usize,
    /// Most names read from the directory of an archive. Unit: names. Source: our own limit.
    pub archive_members: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            depth: 32,
            parts: 1_000,
            encoded_nesting: 3,
            headers: 5_000,
            decoded_bytes: 64 << 20,
            text_bytes: 512 << 10,
            html_bytes: 2 << 20,
            html_tokens: 200_000,
            html_depth: 512,
            links: 1_000,
            link_bytes: 2_048,
            archive_members: 1_000,
        }
    }
}
