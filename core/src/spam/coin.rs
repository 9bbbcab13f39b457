//! Bitcoin addresses, proved by their checksum.

use aws_lc_rs::digest::{SHA256, digest};

/// Most words that are tried. Source: our own limit.
const WORDS: usize = 20_000;

/// The first valid address of the text.
pub(super) fn find(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).take(WORDS);
    words.into_iter().find(|word| is_base58_address(word) || is_bech32_address(word)).map(str::to_owned)
}

const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Version byte, hash of 20 bytes and the first four bytes of its double SHA-256 (Base58Check).
fn is_base58_address(word: &str) -> bool {
    if !(26..=35).contains(&word.len()) || !word.starts_with(['1', '3']) {
        return false;
    }
    let mut number = [0_u8; 25];
    for byte in word.bytes() {
        let Some(digit) = BASE58.iter().position(|b| *b == byte) else { return false };
        let mut carry = digit as u32;
        for place in number.iter_mut().rev() {
            carry += u32::from(*place) * 58;
            *place = (carry & 255) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            return false;
        }
    }
    let (payload, checksum) = number.split_at(21);
    let twice = digest(&SHA256, digest(&SHA256, payload).as_ref());
    matches!(payload[0], 0 | 5) && twice.as_ref().starts_with(checksum)
}

const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Generator of the checksum (BIP 173).
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
/// Remainders of valid addresses: bech32 (BIP 173) and bech32m (BIP 350).
const REMAINDERS: [u32; 2] = [1, 0x2bc8_30a3];

fn is_bech32_address(word: &str) -> bool {
    if !(42..=62).contains(&word.len()) || !word.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("bc1")) {
        return false;
    }
    // "bc" expanded as BIP 173 says: high bits, zero, low bits.
    let prefix = [3, 3, 0, 2, 3];
    let data = word.bytes().skip(3).map(|byte| {
        BECH32.iter().position(|b| *b == byte.to_ascii_lowercase()).and_then(|digit| u32::try_from(digit).ok())
    });
    let mut remainder = 1_u32;
    for value in prefix.into_iter().map(Some).chain(data) {
        let Some(value) = value else { return false };
        let top = remainder >> 25;
        remainder = (remainder & 0x1ff_ffff) << 5 ^ value;
        for (bit, term) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                remainder ^= term;
            }
        }
    }
    REMAINDERS.contains(&remainder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_a_good_checksum_are_found_and_others_are_not() {
        for address in [
            "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ] {
            assert_eq!(find(&format!("send to {address}.")).as_deref(), Some(address));
        }
        for other in [
            "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWN0O",
            &"1".repeat(34),
            "111111111111111111111111111",
            &"z".repeat(35),
        ] {
            assert_eq!(find(other), None, "{other}");
        }
    }
}
