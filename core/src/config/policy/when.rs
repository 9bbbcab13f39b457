//! `when`: what a policy asks about a message.

use super::list;
use crate::{
    config::{
        diagnostic::{Faults, did_you_mean},
        reader::Table,
        score::finding_pattern,
    },
    policy::{AttachmentCondition, Conditions, Glob, HeaderCondition, HeaderTest},
    verdict::Points,
};
use ipnet::IpNet;
use regex::{Regex, RegexBuilder};
use std::net::IpAddr;
use toml::Spanned;

/// Results of SPF, DKIM, ARC and DMARC (RFC 8601 §2.7).
const RESULTS: &[&str] = &["pass", "fail", "softfail", "neutral", "none", "policy", "temperror", "permerror"];

/// Largest compiled expression. Unit: bytes. Source: our own limit; the `regex` crate's default is ten times that.
const REGEX_BYTES: usize = 1 << 20;

/// A list of which each entry is parsed; those that do not parse are reported with `expected`.
fn parsed<T>(
    table: &mut Table<'_>,
    key: &'static str,
    expected: &str,
    parse: impl Fn(&str) -> Option<T>,
    faults: &mut Faults<'_>,
) -> Vec<T> {
    let items = list(table, key, faults);
    let mut found = Vec::new();
    for item in items {
        match parse(item.get_ref()) {
            Some(value) => found.push(value),
            None => {
                let message = format!("{} is \"{}\", must be {expected}", table.path_of(key), item.get_ref());
                faults.at(item.span(), message);
            }
        }
    }
    found
}

/// Reads `when`.
pub(super) fn read(mut table: Table<'_>, faults: &mut Faults<'_>) -> Conditions {
    let span = table.span.clone();
    if table.is_empty() {
        faults.at(span.clone(), "when is empty; leave it out if the policy is for every message");
    }
    let findings = list(&mut table, "finding", faults);
    let attachment = table.table("attachment", faults);
    let header = table.table("header", faults);
    let conditions = Conditions {
        findings: findings.iter().filter_map(|item| finding_pattern(item, faults)).collect(),
        points_at_least: points(&mut table, "points_at_least", faults),
        points_below: points(&mut table, "points_below", faults),
        size_over: size(&mut table, faults),
        attachment: attachment.map(|table| read_attachment(table, faults)),
        header: header.and_then(|table| read_header(table, faults)),
        tls: boolean(&mut table, "tls", faults),
        authenticated: boolean(&mut table, "authenticated", faults),
        spf: results(&mut table, "spf", faults),
        dkim: results(&mut table, "dkim", faults),
        arc: results(&mut table, "arc", faults),
        dmarc: results(&mut table, "dmarc", faults),
        client: parsed(&mut table, "client", "an address or network such as \"192.0.2.0/24\"", network, faults),
    };
    if let (Some(least), Some(below)) = (conditions.points_at_least, conditions.points_below)
        && least >= below
    {
        faults.at(span, format!("when can never hold: at least {least} and below {below} points"));
    }
    table.finish(faults);
    conditions
}

pub(super) fn read_attachment(mut table: Table<'_>, faults: &mut Faults<'_>) -> AttachmentCondition {
    if table.is_empty() {
        faults.at(table.span.clone(), "attachment is empty; write { name = \"*\" } for any attachment");
    }
    let condition = AttachmentCondition {
        macros: boolean(&mut table, "macro", faults),
        executable: boolean(&mut table, "executable", faults),
        encrypted: boolean(&mut table, "encrypted", faults),
        names: parsed(&mut table, "name", "a name with stars such as \"*.iso\"", Glob::parse, faults),
        types: parsed(&mut table, "type", "a type such as \"application/*\"", Glob::parse, faults),
        kinds: parsed(&mut table, "kind", "a kind of file such as \"zip\"", kind, faults),
        size_over: size(&mut table, faults),
    };
    table.finish(faults);
    condition
}

fn read_header(mut table: Table<'_>, faults: &mut Faults<'_>) -> Option<HeaderCondition> {
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

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn results(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Vec<String> {
    let items = list(table, key, faults);
    let path = table.path_of(key);
    let mut found = Vec::new();
    for item in items {
        let word = item.get_ref().to_lowercase();
        if RESULTS.contains(&word.as_str()) {
            found.push(word);
        } else {
            let advice = did_you_mean(&word, RESULTS.iter().copied());
            let known = RESULTS.join(", ");
            faults.at(item.span(), format!("{path} is \"{}\", must be one of {known}{advice}", item.get_ref()));
        }
    }
    found
}

fn points(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Option<Points> {
    let present = table.has(key);
    let read = table.points(key, Points::ZERO, faults);
    present.then_some(read)
}

fn boolean(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Option<bool> {
    let present = table.has(key);
    let read = table.boolean(key, true, faults);
    present.then_some(read)
}

fn size(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Option<usize> {
    let present = table.has("size_over");
    let read = table.size("size_over", usize::MAX, faults);
    present.then_some(read)
}
