//! `[[outbound.dkim]]` and `[outbound.arc]`: keys that sign and seal.

use super::super::{diagnostic::Faults, directory::domain, reader::Table};
use crate::authentication::signing::{Canonicalization, KeySettings, SIGNED, SealSettings};
use std::time::Duration;
use toml::Spanned;

/// Longest name of a field. Unit: bytes. Source: our own limit; the library canonicalises names of this length.
const NAME_BYTES: usize = 64;
/// Most fields that are signed. Unit: fields. Source: our own limit; verifiers look at a few hundred at most.
const FIELDS: usize = 100;
/// Shortest life of a signature. Source: a message may wait in queues for days (RFC 5321 §4.5.4.1), an hour is for tests.
const EXPIRE: Duration = Duration::from_secs(3_600);
/// Fields that change on the way or belong to others (RFC 6376 §5.4, RFC 8617 §4.1.2). Lower case.
const UNFIT: &[&str] = &[
    "return-path",
    "received",
    "dkim-signature",
    "authentication-results",
    "arc-seal",
    "arc-message-signature",
    "arc-authentication-results",
    "bcc",
    "resent-bcc",
    "comments",
    "keywords",
];

/// Reads all entries. Selectors of one domain are unique.
pub(super) fn read(outbound: &mut Table<'_>, faults: &mut Faults<'_>) -> Vec<KeySettings> {
    let mut keys: Vec<KeySettings> = Vec::new();
    for mut table in outbound.tables("dkim", faults) {
        let span = table.span.clone();
        if let Some(key) = entry(&mut table, faults) {
            let same = |known: &&KeySettings| known.domain == key.domain && known.selector == key.selector;
            match keys.iter().find(same) {
                Some(first) => {
                    let message =
                        format!("{} is named twice, first at {}; name each key once", key.record_name(), first.place);
                    faults.at(span, message);
                }
                None => keys.push(key),
            }
        }
        table.finish(faults);
    }
    keys
}

/// Reads `[outbound.arc]`.
pub(super) fn read_arc(outbound: &mut Table<'_>, faults: &mut Faults<'_>) -> Option<SealSettings> {
    let mut table = outbound.table("arc", faults)?;
    let place = faults.place_of(&table.place("key").unwrap_or(table.span.clone()));
    name_missing(&table, "[outbound.arc]", faults);
    let domain = table.parsed("domain", "a domain such as \"example.com\"", domain, faults);
    let selector = table.parsed("selector", "a selector such as \"2026a\"", selector, faults);
    let key = table.parsed("key", "a path", |text| (!text.is_empty()).then(|| text.into()), faults);
    let inbound = table.boolean("inbound", false, faults);
    table.finish(faults);
    Some(SealSettings { place, domain: domain?, selector: selector?, key: key?, inbound })
}

/// What every key needs.
fn name_missing(table: &Table<'_>, section: &str, faults: &mut Faults<'_>) {
    let needed = [("domain", "example.com"), ("selector", "2026a"), ("key", "/etc/mailward/dkim.pem")];
    for (key, example) in needed.into_iter().filter(|(key, _)| !table.has(key)) {
        faults.at(table.span.clone(), format!("{section} has no {key}; write {key} = \"{example}\""));
    }
}

fn entry(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Option<KeySettings> {
    let span = table.span.clone();
    let place = faults.place_of(&table.place("key").unwrap_or(span.clone()));
    name_missing(table, "[[outbound.dkim]]", faults);
    let a_domain = "a domain such as \"example.com\"";
    let from = date(table, "from", faults);
    let until = date(table, "until", faults);
    if let (Some((from, _)), Some((until, at))) = (&from, &until)
        && from >= until
    {
        faults.at(at.clone(), "outbound.dkim.until is not after outbound.dkim.from; the key would never sign");
    }
    let domain_name = table.parsed("domain", a_domain, domain, faults);
    let selector = table.parsed("selector", "a selector such as \"2026a\"", selector, faults);
    let key = table.parsed("key", "a path", |text| (!text.is_empty()).then(|| text.into()), faults);
    let domains = table.parsed_list("domains", a_domain, domain, faults).unwrap_or_default();
    let headers = headers(table, faults);
    let form = "\"relaxed/relaxed\", \"relaxed/simple\", \"simple/simple\" or \"simple/relaxed\"";
    let relaxed = (Canonicalization::Relaxed, Canonicalization::Relaxed);
    let canonicalization = table.parsed("canonicalization", form, canonicalization, faults).unwrap_or(relaxed);
    let expire_at = table.place("expire");
    let expire = expire_at.map(|at| (at, table.duration("expire", EXPIRE, faults)));
    if expire.is_none() {
        table.take("expire");
    }
    if let Some((at, expire)) = &expire
        && *expire < EXPIRE
    {
        faults.at(at.clone(), format!("outbound.dkim.expire is {expire:?}, must be at least \"1h\""));
    }
    Some(KeySettings {
        place,
        domain: domain_name?,
        selector: selector?,
        key: key?,
        domains,
        headers,
        canonicalization,
        expire: expire.map(|(_, expire)| expire),
        from: from.map(|(time, _)| time),
        until: until.map(|(time, _)| time),
    })
}

/// One or more labels (RFC 6376 §3.1).
fn selector(text: &str) -> Option<String> {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.split('.').all(label).then(|| text.to_ascii_lowercase())
}

fn canonicalization(text: &str) -> Option<(Canonicalization, Canonicalization)> {
    let one = |word: &str| match word {
        "simple" => Some(Canonicalization::Simple),
        "relaxed" => Some(Canonicalization::Relaxed),
        _ => None,
    };
    let (header, body) = text.split_once('/')?;
    Some((one(header)?, one(body)?))
}

fn headers(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Vec<String> {
    let place = table.place("headers");
    let Some(items) = table.strings("headers", faults) else {
        return SIGNED.iter().map(ToString::to_string).collect();
    };
    let mut names: Vec<String> = Vec::new();
    for item in &items {
        let name = item.get_ref();
        let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_graphic() && b != b':' && b != b';');
        if name.is_empty() || name.len() > NAME_BYTES || !is_name(name) {
            faults.at(item.span(), format!("outbound.dkim.headers: \"{name}\" is no name of a header field"));
        } else if UNFIT.contains(&name.to_ascii_lowercase().as_str()) {
            let why = "changes on the way or is not the author's, and cannot be signed; leave it out";
            faults.at(item.span(), format!("outbound.dkim.headers: {name} {why}"));
        } else if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.clone());
        }
    }
    let span = place.unwrap_or(table.span.clone());
    if !names.iter().any(|name| name.eq_ignore_ascii_case("From")) {
        faults.at(span, "outbound.dkim.headers has no \"From\", which every signature must cover (RFC 6376 §5.4)");
    } else if names.len() > FIELDS {
        faults.at(span, format!("outbound.dkim.headers has {} names, must have at most {FIELDS}", names.len()));
    }
    names
}

/// The beginning of a day in UTC, as Unix seconds, with its place.
fn date(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Option<(i64, std::ops::Range<usize>)> {
    let at = table.place(key);
    let date: Option<Spanned<String>> = match at {
        Some(_) => table.string(key, faults),
        None => {
            table.take(key);
            None
        }
    };
    let date = date?;
    let parsed = day(date.get_ref());
    if parsed.is_none() {
        let message = format!("outbound.dkim.{key} is \"{}\", must be a day such as \"2026-03-01\"", date.get_ref());
        faults.at(date.span(), message);
    }
    Some((parsed?, date.span()))
}

fn day(text: &str) -> Option<i64> {
    let mut parts =
        text.splitn(3, '-').map(|part| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<i64>().ok()));
    let mut next = || parts.next()??;
    let (year, month, day) = (next()?, next()?, next()?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *days.get(usize::try_from(month - 1).ok()?)?;
    if !(1970..=9999).contains(&year) || !(1..=length).contains(&day) || text.len() != 10 {
        return None;
    }
    let before = year - 1;
    let leaps = before / 4 - before / 100 + before / 400 - 477;
    let earlier: i64 = days.iter().take(usize::try_from(month - 1).ok()?).sum();
    Some(((year - 1970) * 365 + leaps + earlier + day - 1) * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_the_beginning_of_the_day_in_utc() {
        // date -u -d DAY +%s
        for (text, seconds) in [
            ("1970-01-01", Some(0)),
            ("1972-03-01", Some(68_256_000)),
            ("2000-02-29", Some(951_782_400)),
            ("2026-03-01", Some(1_772_323_200)),
            ("2100-03-01", Some(4_107_542_400)),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("2026-00-01", None),
            ("2026-04-31", None),
            ("2026-3-1", None),
            ("20260301", None),
            ("+026-03-01", None),
            ("", None),
        ] {
            assert_eq!(day(text), seconds, "{text}");
        }
    }
}
