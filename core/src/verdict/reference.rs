//! The name of one decision, by which `mailward explain` finds it.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Ten characters of base32 (RFC 4648 alphabet, lower case): 50 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference([u8; Reference::LENGTH]);

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl Reference {
    /// Number of characters.
    pub const LENGTH: usize = 10;

    /// The reference made of the low 50 bits of `random`.
    pub fn from_random(random: u64) -> Self {
        let mut text = [0; Self::LENGTH];
        for (i, c) in text.iter_mut().enumerate() {
            *c = ALPHABET[(random >> (5 * i)) as usize & 31];
        }
        Reference(text)
    }

    /// The ten characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        match <[u8; Self::LENGTH]>::try_from(lower.as_bytes()) {
            Ok(bytes) if bytes.iter().all(|b| ALPHABET.contains(b)) => Ok(Reference(bytes)),
            _ => Err(format!(
                "\"{text}\" is not a reference: expected 10 characters of a-z and 2-7, as in [ref k7q2m5x4dt]"
            )),
        }
    }
}

impl TryFrom<String> for Reference {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> String {
        reference.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_back_and_foreign_text_does_not() {
        let reference = Reference::from_random(0x1234_5678_9abc_def0);
        assert_eq!(reference.to_string().parse(), Ok(reference));
        assert!("short".parse::<Reference>().is_err());
        assert!("k7q2m9x4dt".parse::<Reference>().is_err(), "9 is not of the alphabet");
    }
}
