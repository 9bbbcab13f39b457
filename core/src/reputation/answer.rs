//! Answers of DNS lists, by value.

use std::{fmt, net::Ipv4Addr, str::FromStr};

/// Which answers of a list are meant: `127.0.0.2`, `127.0.0.4-127.0.0.7`, `127.0.*.3`, `&8` or `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerPattern {
    /// From the first to the last address, both included.
    Range(Ipv4Addr, Ipv4Addr),
    /// Octet by octet; `None` is any.
    Octets([Option<u8>; 4]),
    /// Answers whose last octet has these bits: lists that hold several lists add up what each says.
    Bits(u8),
}

impl AnswerPattern {
    /// Every answer.
    pub const ANY: AnswerPattern = AnswerPattern::Octets([None; 4]);

    /// Whether an answer is meant.
    pub fn matches(&self, answer: Ipv4Addr) -> bool {
        match self {
            AnswerPattern::Range(first, last) => (*first..=*last).contains(&answer),
            AnswerPattern::Bits(bits) => answer.octets()[3] & bits == *bits,
            AnswerPattern::Octets(octets) => {
                octets.iter().zip(answer.octets()).all(|(wanted, octet)| wanted.is_none_or(|wanted| wanted == octet))
            }
        }
    }
}

impl FromStr for AnswerPattern {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        if text == "*" {
            return Ok(AnswerPattern::ANY);
        }
        if let Some(bits) = text.strip_prefix('&') {
            return bits.parse().ok().filter(|bits| *bits != 0).map(AnswerPattern::Bits).ok_or(());
        }
        if let Some((first, last)) = text.split_once('-') {
            let first: Ipv4Addr = first.trim().parse().map_err(|_| ())?;
            let last = last.trim().parse().map_err(|_| ())?;
            return if first <= last { Ok(AnswerPattern::Range(first, last)) } else { Err(()) };
        }
        let mut octets = [None; 4];
        let mut parts = text.split('.');
        for octet in &mut octets {
            *octet = match parts.next().ok_or(())? {
                "*" => None,
                number => Some(number.parse().map_err(|_| ())?),
            };
        }
        if parts.next().is_none() { Ok(AnswerPattern::Octets(octets)) } else { Err(()) }
    }
}

impl fmt::Display for AnswerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnswerPattern::Range(first, last) => write!(f, "{first}-{last}"),
            AnswerPattern::Bits(bits) => write!(f, "&{bits}"),
            &AnswerPattern::ANY => f.write_str("*"),
            AnswerPattern::Octets(octets) => {
                let parts = octets.map(|octet| octet.map_or_else(|| "*".to_owned(), |octet| octet.to_string()));
                f.write_str(&parts.join("."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_single_answers_ranges_and_octets() {
        let matches = |pattern: &str, answer: &str| {
            pattern.parse::<AnswerPattern>().expect("a pattern").matches(answer.parse().expect("an address"))
        };
        assert!(matches("127.0.0.2", "127.0.0.2") && !matches("127.0.0.2", "127.0.0.3"));
        assert!(matches("127.0.0.4-127.0.0.7", "127.0.0.7") && !matches("127.0.0.4-127.0.0.7", "127.0.0.8"));
        assert!(matches("127.0.*.3", "127.0.15.3") && !matches("127.0.*.3", "127.0.15.2"));
        assert!(matches("*", "10.1.2.3"));
        assert!(matches("&8", "127.0.0.14") && !matches("&8", "127.0.0.6") && matches("&12", "127.0.0.14"));
        for bad in ["", "127.0.0", "127.0.0.0.1", "127.0.0.9-127.0.0.1", "127.0.0.256", "x", "&", "&0", "&256"] {
            assert!(bad.parse::<AnswerPattern>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_prints_as_it_was_written() {
        for text in ["127.0.0.2", "127.0.0.4-127.0.0.7", "127.0.*.3", "*", "&8"] {
            assert_eq!(text.parse::<AnswerPattern>().map(|p| p.to_string()).as_deref(), Ok(text));
        }
    }
}
