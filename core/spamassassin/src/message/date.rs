//! Dates as SpamAssassin reads them: day, month and year wherever they stand.

/// The date in Unix seconds, if there is one.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    let cleaned = text.replace(',', " ");
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    let (day, month, year, used) = day_of(&words)?;
    let rest: Vec<&str> =
        words.iter().enumerate().filter(|(at, _)| !used.contains(at)).map(|(_, word)| *word).collect();
    let (hour, minute, second) = rest.iter().find_map(|word| clock(word)).unwrap_or((0, 0, 0));
    let offset =
        rest.iter().find_map(|word| offset(word)).or_else(|| rest.iter().find_map(|word| zone(word))).unwrap_or(0);
    let year = match year {
        (0..50, 2) => year.0 + 2000,
        (_, 4) => year.0,
        _ => year.0 + 1900,
    };
    let (mut year, mut month, mut day) = (year.clamp(1970, 2037), month, day);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month as usize - 1];
    if day > last {
        // A day that does not exist is the next that does.
        (day, month) = (1, month + 1);
        if month > 12 {
            (month, year) = (1, year + 1);
        }
    }
    if day == 0 {
        return None;
    }
    Some(days(year, month, day) * 86_400 + hour.min(23) * 3_600 + minute.min(59) * 60 + second.min(59) - offset)
}

/// Days since 1970 (Howard Hinnant's formula for the Gregorian calendar).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

fn month(word: &str) -> Option<i64> {
    let word = word.to_ascii_lowercase();
    MONTHS.iter().position(|month| *month == word).map(|at| at as i64 + 1)
}

fn number(word: &str) -> Option<i64> {
    (!word.is_empty() && word.len() <= 4 && word.bytes().all(|b| b.is_ascii_digit())).then(|| word.parse().ok())?
}

type Year = (i64, usize);

/// Day, month, year with its number of digits, and which words they are: `5 Mar 2024`, or `Mar 5 10:11:12 2024`.
fn day_of(words: &[&str]) -> Option<(i64, i64, Year, Vec<usize>)> {
    let year = |word: &str, digits: std::ops::RangeInclusive<usize>| {
        number(word).filter(|_| digits.contains(&word.len())).map(|year| (year, word.len()))
    };
    let in_order = |digits: std::ops::RangeInclusive<usize>| {
        words.windows(3).enumerate().find_map(|(at, three)| {
            Some((number(three[0])?, month(three[1])?, year(three[2], digits.clone())?, vec![at, at + 1, at + 2]))
        })
    };
    in_order(4..=4)
        .or_else(|| {
            words.windows(4).enumerate().find_map(|(at, four)| {
                clock(four[2])?;
                Some((number(four[1])?, month(four[0])?, year(four[3], 4..=4)?, vec![at, at + 1, at + 3]))
            })
        })
        .or_else(|| in_order(2..=3))
}

/// `10:11` or `10:11:12`.
fn clock(word: &str) -> Option<(i64, i64, i64)> {
    let mut parts = word.split(':');
    let (hour, minute) = (parts.next()?, parts.next()?);
    let second = parts.next();
    let fits = (1..=2).contains(&hour.len()) && minute.len() == 2 && second.is_none_or(|second| second.len() == 2);
    if !fits || parts.next().is_some() {
        return None;
    }
    Some((number(hour)?, number(minute)?, second.map_or(Some(0), number)?))
}

/// `+0130`. Unit: seconds east of Greenwich.
fn offset(word: &str) -> Option<i64> {
    let (sign, digits) = match word.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let value = number(digits).filter(|_| digits.len() == 4)?;
    Some(sign * (value / 100 * 3_600 + value % 100 * 60))
}

/// Names of time zones. Unit: hours east of Greenwich. Source: RFC 822 §5, and common ones.
fn zone(word: &str) -> Option<i64> {
    let hours = match word.trim_matches(['(', ')']) {
        "UT" | "UTC" | "GMT" | "WET" => 0.0,
        "EST" | "CDT" => -5.0,
        "EDT" | "AST" => -4.0,
        "CST" | "MDT" => -6.0,
        "MST" | "PDT" => -7.0,
        "PST" => -8.0,
        "BST" | "CET" | "MET" | "WEST" => 1.0,
        "CEST" | "EET" | "MEST" | "MET-DST" => 2.0,
        "EEST" | "MSK" => 3.0,
        "MSD" => 4.0,
        "IST" => 5.5,
        "SGT" | "AWST" => 8.0,
        "JST" | "KST" => 9.0,
        "AEST" => 10.0,
        "NZST" => 12.0,
        _ => return None,
    };
    Some((hours * 3_600.0) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_found_in_any_order() {
        for (text, expected) in [
            ("Tue, 05 Mar 2024 10:11:12 +0100", Some(1_709_629_872)),
            ("Tue Mar 5 10:11:12 2024", Some(1_709_633_472)),
            ("5 Mar 24 10:11 EST", Some(1_709_651_460)),
            ("31 Feb 2023 00:00:00 +0000", Some(1_677_628_800)),
            ("yesterday", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
