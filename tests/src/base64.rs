//! Base64 (RFC 4648, section 4), for what has to be made by hand: signatures, logins, attachments.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes on one line.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = [chunk[0], chunk.get(1).copied().unwrap_or(0), chunk.get(2).copied().unwrap_or(0)];
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for position in 0..4 {
            let index = (bits >> (18 - 6 * position)) as usize & 63;
            text.push(if position > chunk.len() { '=' } else { char::from(ALPHABET[index]) });
        }
    }
    text
}

/// Encodes in lines of 76 characters that end in CRLF, as MIME wants it (RFC 2045, section 6.8).
pub fn encode_lines(bytes: &[u8]) -> String {
    bytes.chunks(57).map(|line| encode(line) + "\r\n").collect()
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn test_vectors_of_rfc_4648_are_met() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, encoded) in vectors {
            assert_eq!(encode(plain.as_bytes()), encoded);
        }
    }
}
