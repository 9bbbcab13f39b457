//! Sums of money in a text.

use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

/// Signs and words that stand beside an amount, in the form of `Wording::normal`.
const CURRENCIES: [&str; 10] = ["$", "€", "£", "usd", "eur", "gbp", "dollar", "euro", "pound", "доллар"];
static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(CURRENCIES).ok());
/// Words that multiply the number before them by a million.
const MILLIONS: [&str; 8] = ["million", "mio", "millionen", "millones", "milhões", "milioni", "миллион", "m "];
/// Most numbers that are read. Source: our own limit; it keeps tables of figures cheap.
const NUMBERS: usize = 200;
/// How far from the number its currency may stand. Unit: bytes. Source: our own limit, three words.
const REACH: usize = 32;

/// The largest sum of money that the text names, in whole units of whatever currency.
pub(super) fn largest(text: &str) -> Option<u64> {
    let is_money = |finder: &AhoCorasick| finder.is_match(text);
    if !text.bytes().any(|b| b.is_ascii_digit()) || !FINDER.as_ref().is_some_and(is_money) {
        return None;
    }
    let bytes = text.as_bytes();
    let (mut at, mut best) = (0, None);
    for _ in 0..NUMBERS {
        let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|offset| at + offset) else { break };
        let (value, end, grouped) = number(bytes, start);
        at = end;
        let before = &text[text.floor_char_boundary(start.saturating_sub(6))..start];
        let after = &text[end..text.floor_char_boundary(end.saturating_add(REACH))];
        let words = after.trim_start();
        let millions = MILLIONS.iter().any(|word| words.starts_with(word));
        let at_once = CURRENCIES.iter().any(|c| before.trim_end().ends_with(c));
        // A long number without separators is a customer's or an order's, unless its currency stands right before it.
        let has_currency = at_once || (grouped || millions) && CURRENCIES.iter().any(|c| after.contains(c));
        if has_currency {
            best = best.max(Some(if millions { value.saturating_mul(1_000_000) } else { value }));
        }
    }
    best
}

/// The number that begins here, with its separators of thousands, where it ends, and whether it had any. Decimals are
/// dropped.
fn number(bytes: &[u8], start: usize) -> (u64, usize, bool) {
    let (mut value, mut at, mut grouped) = (0_u64, start, false);
    loop {
        let digits = bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let group = &bytes[at..at + digits];
        // After a separator only groups of three go on; anything else is a decimal.
        if at == start || digits == 3 {
            value = group.iter().fold(value, |v, b| v.saturating_mul(10).saturating_add(u64::from(b - b'0')));
        }
        grouped |= at != start && digits == 3;
        at += digits;
        let separated =
            matches!(bytes.get(at), Some(b'.' | b',' | b'\'')) && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if !separated {
            return (value, at, grouped);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_in_many_forms() {
        for (text, sum) in [
            ("the sum of $10,500,000.00 for you", Some(10_500_000)),
            ("usd 2.5 million", Some(2_000_000)),
            ("1.500.000 euro", Some(1_500_000)),
            ("€ 99,95", Some(99)),
            ("order 27866173, in dollars", None),
            ("10 million united states dollars", Some(10_000_000)),
            ("1,000,000 downloads", None),
            ("no sum at all", None),
        ] {
            assert_eq!(largest(text), sum, "{text}");
        }
    }

    #[test]
    fn hostile_figures_stay_in_bounds() {
        assert_eq!(largest(&format!("$ {}", "9".repeat(10_000))), Some(u64::MAX));
        largest(&"1 $ ".repeat(10_000));
        largest("é1é$é");
    }
}
