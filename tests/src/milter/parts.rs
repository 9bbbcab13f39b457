//! Header fields and body.

/// A message cut as the protocol wants it.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Parts {
    /// Cuts a message. Lone LF become CRLF in the body; folds in headers are LF, as Postfix sends them. A line that is
    /// no header begins the body.
    pub fn of(message: &[u8]) -> Parts {
        let mut parts = Parts::default();
        let mut rest = message;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            let is_fold = line.starts_with(b" ") || line.starts_with(b"\t");
            if let (true, Some((_, value))) = (is_fold, parts.headers.last_mut()) {
                value.push(b'\n');
                value.extend_from_slice(line);
            } else if let Some(colon) = line.iter().position(|&byte| byte == b':').filter(|&at| at > 0) {
                parts.headers.push((line[..colon].to_vec(), line[colon + 1..].to_vec()));
            } else {
                rest = if line.is_empty() { &rest[end + 1..] } else { rest };
                break;
            }
            rest = &rest[end + 1..];
        }
        let mut previous = 0;
        for &byte in rest {
            if byte == b'\n' && previous != b'\r' {
                parts.body.push(b'\r');
            }
            parts.body.push(byte);
            previous = byte;
        }
        // A NUL would end a header early on the wire; MTAs remove it.
        for (name, value) in &mut parts.headers {
            name.retain(|&byte| byte != 0);
            value.retain(|&byte| byte != 0);
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::Parts;

    #[test]
    fn message_is_cut_into_headers_with_their_blanks_and_a_body_with_crlf() {
        let parts = Parts::of(b"Subject: one\r\n\ttwo\nX:tight\n\nbody\nend");
        let headers: [(&[u8], &[u8]); 2] = [(b"Subject", b" one\n\ttwo"), (b"X", b"tight")];
        assert_eq!(parts.headers, headers.map(|(name, value)| (name.to_vec(), value.to_vec())));
        assert_eq!(parts.body, b"body\r\nend");
        assert_eq!(Parts::of(b"no header\nat all").body, b"no header\r\nat all");
    }
}
