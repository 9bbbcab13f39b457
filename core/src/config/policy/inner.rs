//! Tables within `when`: attachment, header, text, TLS and time.

use super::when::{boolean, parsed, size};
use crate::{
    config::{diagnostic::Faults, reader::Table},
    policy::{
        AttachmentCondition, Glob, HeaderCondition, HeaderTest, Hours, TlsCondition, TlsVersion, clock, days, zone,
    },
};
use regex::{Regex, RegexBuilder};
use toml::{Spanned, de::DeValue};

/// Largest compiled expression. Unit: bytes. Source: our own limit; the `regex` crate's default is ten times that.
const REGEX_BYTES: usize = 1 << 20;

/// What attachments must be, and how many of them.
pub(super) fn attachments(mut table: Table<'_>, faults: &mut Faults<'_>) -> AttachmentCondition {
    let one = read_attachment(&mut table, faults);
    let counted = table.has("count_over");
    let count = table.integer("count_over", 0..=ATTACHMENTS, 0, faults) as usize;
    table.finish(faults);
    AttachmentCondition { count_over: counted.then_some(count), ..one }
}

/// What one attachment must be.
pub(super) fn attachment(mut table: Table<'_>, faults: &mut Faults<'_>) -> AttachmentCondition {
    let one = read_attachment(&mut table, faults);
    table.finish(faults);
    one
}

fn read_attachment(table: &mut Table<'_>, faults: &mut Faults<'_>) -> AttachmentCondition {
    if table.is_empty() {
        faults.at(table.span.clone(), "attachment is empty; write { name = \"*\" } for any attachment");
    }
    AttachmentCondition {
        macros: boolean(table, "macro", faults),
        executable: boolean(table, "executable", faults),
        encrypted: boolean(table, "encrypted", faults),
        names: parsed(table, "name", "a name with stars such as \"*.iso\"", Glob::parse, faults),
        types: parsed(table, "type", "a type such as \"application/*\"", Glob::parse, faults),
        kinds: parsed(table, "kind", "a kind of file such as \"zip\"", kind, faults),
        size_over: size(table, faults),
        count_over: None,
    }
}

/// Largest number of attachments that can be asked for. Unit: attachments. Source: no more parts are read of a message.
const ATTACHMENTS: u64 = 1_000;

pub(super) fn header(mut table: Table<'_>, faults: &mut Faults<'_>) -> Option<HeaderCondition> {
    let span = table.span.clone();
    let name = table.parsed("name", "a header name such as \"List-Id\"", header_name, faults);
    let contains = table.string("contains", faults);
    let matches = table.string("matches", faults);
    let present = boolean(&mut table, "present", faults);
    table.finish(faults);
    if name.is_none() {
        faults.at(span.clone(), "header needs name = \"…\"");
    }
    let test = match (contains, matches, present) {
        (Some(text), None, None) if !text.get_ref().is_empty() => HeaderTest::Contains(text.get_ref().to_lowercase()),
        (None, Some(pattern), None) => HeaderTest::Matches(expression(&pattern, faults)?),
        (None, None, Some(present)) => HeaderTest::Present(present),
        _ => {
            faults.at(span, "header needs one of contains = \"text\", matches = \"expression\", present = true");
            return None;
        }
    };
    Some(HeaderCondition { name: name?, test })
}

/// `{ contains = "…" }` looks for the words with any white space between them, without regard to case.
pub(super) fn text(mut table: Table<'_>, faults: &mut Faults<'_>) -> Option<Regex> {
    let span = table.span.clone();
    let contains = table.string("contains", faults);
    let matches = table.string("matches", faults);
    table.finish(faults);
    match (contains, matches) {
        (Some(text), None) if !text.get_ref().trim().is_empty() => {
            let words: Vec<String> = text.get_ref().split_whitespace().map(regex::escape).collect();
            expression(&Spanned::new(text.span(), format!("(?i){}", words.join("\\s+"))), faults)
        }
        (None, Some(pattern)) => expression(&pattern, faults),
        _ => {
            faults.at(span, "text needs one of contains = \"words\", matches = \"expression\"");
            None
        }
    }
}

pub(super) fn tls(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Option<TlsCondition> {
    match table.take("tls")? {
        (_, DeValue::Boolean(wanted)) => Some(TlsCondition::Encrypted(wanted)),
        (span, value @ DeValue::Table(_)) => {
            let mut inner = table.table_of("tls", span.clone(), value, faults)?;
            let has_version = inner.has("version_at_least");
            let version = inner.parsed("version_at_least", "a version such as \"TLSv1.2\"", TlsVersion::parse, faults);
            inner.finish(faults);
            if !has_version {
                faults.at(span, "tls says nothing; write tls = true or { version_at_least = \"TLSv1.2\" }");
            }
            version.map(TlsCondition::AtLeast)
        }
        (span, other) => {
            let expected = "true, false or { version_at_least = \"TLSv1.2\" }";
            table.wrong_type("tls", span, expected, &other, faults);
            None
        }
    }
}

pub(super) fn time(mut table: Table<'_>, faults: &mut Faults<'_>) -> Option<Hours> {
    let span = table.span.clone();
    let week = parsed(&mut table, "days", "a day or days such as \"mon-fri\" or \"sun\"", days, faults);
    let (has_from, has_to) = (table.has("from"), table.has("to"));
    let from = table.parsed("from", CLOCK, clock, faults);
    let to = table.parsed("to", CLOCK, clock, faults);
    let (path, written) = (table.path_of("zone"), table.string("zone", faults));
    table.finish(faults);
    if has_from != has_to {
        faults.at(span.clone(), "time needs both from and to, or neither for whole days");
    } else if !has_from && week.is_empty() {
        faults.at(span.clone(), "time says nothing; write days = [\"mon-fri\"], from = \"18:00\", to = \"08:00\"");
    } else if from.is_some() && from == to {
        faults.at(span.clone(), "from and to are the same time; leave both out to mean the whole day");
    }
    let Some(written) = written else {
        faults.at(span, "time needs a zone; write zone = \"+01:00\" or zone = \"Europe/Berlin\"");
        return None;
    };
    let zone = zone(written.get_ref())
        .map_err(|why| faults.at(written.span(), format!("{path}: \"{}\" {why}", written.get_ref())));
    let named = |day: usize| week.is_empty() || week.iter().any(|days| days[day]);
    let window = from.zip(to).unwrap_or(Hours::WHOLE_DAY);
    Some(Hours { days: std::array::from_fn(named), window, zone: zone.ok()? })
}

/// How times of day are written.
const CLOCK: &str = "a time of day such as \"08:00\", at most \"24:00\"";

fn expression(pattern: &Spanned<String>, faults: &mut Faults<'_>) -> Option<Regex> {
    match RegexBuilder::new(pattern.get_ref()).size_limit(REGEX_BYTES).build() {
        Ok(regex) => Some(regex),
        Err(why) => {
            let why = why.to_string();
            let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            faults.at(pattern.span(), format!("not a regular expression of the Rust regex crate: {last}"));
            None
        }
    }
}

fn header_name(text: &str) -> Option<String> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b':')).then(|| text.to_owned())
}

fn kind(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.trim().to_lowercase())
}
