//! Colours as HTML names them.

/// Red, green and blue; none if it is no colour that a browser knows.
pub(super) type Color = Option<[u8; 3]>;

/// Names of colours (CSS Color 4 §6.1).
const NAMES: &str = include_str!("../colors.txt");

/// Reads a colour: a name, `#rgb`, `#rrggbb`, `rgb(1, 2, 3)`.
pub(super) fn color(text: &str) -> Color {
    let text = text.trim().to_lowercase();
    let is_name = text.bytes().all(|b| b.is_ascii_lowercase()) && !text.is_empty();
    let mut names = NAMES.lines();
    let by_name =
        if is_name { names.find_map(|line| line.strip_prefix(text.as_str())?.strip_prefix(" ")) } else { None };
    if let Some(code) = by_name {
        let code = u32::from_str_radix(code, 16).ok()?;
        return Some([(code >> 16) as u8, (code >> 8) as u8, code as u8]);
    }
    if let Some(inside) = text.find("rgb(").and_then(|at| text[at + 4..].split(')').next()) {
        return of_numbers(inside);
    }
    let digits: Vec<u8> = text
        .strip_prefix('#')
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit() || b == b'#'))?
        .chars()
        .filter_map(|c| c.to_digit(16).map(|digit| digit as u8))
        .take(6)
        .collect();
    let pair = |one: u8, other: u8| one << 4 | other;
    Some(match digits[..] {
        [r1, r2, g1, g2, b1, b2] => [pair(r1, r2), pair(g1, g2), pair(b1, b2)],
        [] => [0, 0, 0],
        _ => {
            let digit = |at: usize| digits.get(at).copied().unwrap_or(0);
            [0, 1, 2].map(|at| pair(digit(at), digit(at)))
        }
    })
}

/// `1, 2, 3` or `10%, 20%, 30%`.
pub(super) fn of_numbers(text: &str) -> Color {
    let mut color = [0; 3];
    for (value, part) in color.iter_mut().zip(text.split(',')) {
        let part = part.trim();
        let number: f64 = part.trim_end_matches('%').parse().unwrap_or(0.0);
        let number = if part.ends_with('%') { number * 255.0 / 100.0 } else { number };
        *value = number.clamp(0.0, 255.0) as u8;
    }
    Some(color)
}

/// How far two colours are from each other, as the eye sees it. Unit: 0 to 187. Source: SpamAssassin, weights of BT.709.
pub(super) fn distance(one: [u8; 3], other: [u8; 3]) -> f64 {
    let weights = [0.2126, 0.7152, 0.0722];
    let squares = (0..3).map(|at| (weights[at] * (f64::from(one[at]) - f64::from(other[at]))).powi(2));
    squares.sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_have_many_names() {
        for (text, expected) in [
            ("White", Some([255, 255, 255])),
            ("#f00", Some([255, 0, 0])),
            ("#ff0000", Some([255, 0, 0])),
            ("rgb(100%, 0, 300)", Some([255, 0, 255])),
            ("ff0000", None),
            ("nonsense", None),
        ] {
            assert_eq!(color(text), expected, "{text}");
        }
        assert!(distance([255; 3], [250; 3]) < 12.0 && distance([255; 3], [0; 3]) > 100.0);
    }
}
