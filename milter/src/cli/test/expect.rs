//! `expect`: what must come out of a case.

use super::case::{Expect, Pattern, PointsRange};
use mailward_core::{
    config::{
        diagnostic::{Faults, did_you_mean},
        reader::{Table, points_of},
    },
    score::FindingPattern,
    verdict::Points,
};
use std::collections::BTreeMap;
use toml::{Spanned, de::DeValue};

/// The words of verdicts and dispositions.
const DISPOSITIONS: [&str; 8] = ["deliver", "tag", "redirect", "hold", "quarantine", "discard", "reject", "defer"];
/// The words of stages.
const STAGES: [&str; 5] = ["connect", "helo", "mail", "rcpt", "message"];

/// Reads `expect`.
pub(super) fn read(mut table: Table<'_>, faults: &mut Faults<'_>) -> Expect {
    let because = match table.place("because") {
        Some(_) => because(&mut table, faults),
        None => BTreeMap::new(),
    };
    let expect = Expect {
        verdict: word(&mut table, "verdict", &DISPOSITIONS, faults),
        stage: word(&mut table, "stage", &STAGES, faults),
        reply: table.string("reply", faults).map(|reply| Pattern(reply.into_inner())),
        replies: texts(table.table("replies", faults), faults),
        recipients: recipients(&mut table, faults),
        because,
        findings: findings(&mut table, "findings", faults),
        no_findings: findings(&mut table, "no_findings", faults),
        points: points(&mut table, faults),
        headers: headers(&mut table, faults),
        edits: patterns(&mut table, "edits", faults),
        signed: patterns(&mut table, "signed", faults),
        contains: contained(&mut table, faults),
        not_applied: patterns(&mut table, "not_applied", faults),
        notices: patterns(&mut table, "notices", faults),
    };
    table.finish(faults);
    expect
}

fn word(table: &mut Table<'_>, key: &'static str, known: &[&str], faults: &mut Faults<'_>) -> Option<String> {
    let word = table.string(key, faults)?;
    check_word(key, &word, known, faults);
    Some(word.into_inner())
}

fn check_word(what: &str, word: &Spanned<String>, known: &[&str], faults: &mut Faults<'_>) {
    let text = word.get_ref();
    if !known.contains(&text.as_str()) {
        let advice = did_you_mean(text, known.iter().copied());
        faults.at(word.span(), format!("{what} is \"{text}\", must be one of {}{advice}", known.join(", ")));
    }
}

fn contained(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Vec<String> {
    let texts = table.strings("contains", faults).unwrap_or_default();
    for empty in texts.iter().filter(|text| text.get_ref().is_empty()) {
        faults.at(empty.span(), "contains: an empty text is in every message");
    }
    texts.into_iter().map(Spanned::into_inner).collect()
}

/// A table of texts with free keys.
fn texts(table: Option<Table<'_>>, faults: &mut Faults<'_>) -> BTreeMap<String, Pattern> {
    let Some(mut table) = table else { return BTreeMap::new() };
    let mut texts = BTreeMap::new();
    for (name, _, span, value) in table.take_rest() {
        if let Some(text) = table.string_of(&name, span, value, faults) {
            texts.insert(name, Pattern(text.into_inner()));
        }
    }
    texts
}

fn recipients(table: &mut Table<'_>, faults: &mut Faults<'_>) -> BTreeMap<String, String> {
    let Some(mut recipients) = table.table("recipients", faults) else { return BTreeMap::new() };
    let mut wanted = BTreeMap::new();
    for (address, _, span, value) in recipients.take_rest() {
        let Some(word) = recipients.string_of(&address, span, value, faults) else { continue };
        check_word(&format!("expect.recipients.\"{address}\""), &word, &DISPOSITIONS, faults);
        wanted.insert(address, word.into_inner());
    }
    wanted
}

/// One text for all recipients, or one for each.
fn because(table: &mut Table<'_>, faults: &mut Faults<'_>) -> BTreeMap<String, Pattern> {
    let Some((span, value)) = table.take("because") else { return BTreeMap::new() };
    match value {
        DeValue::String(text) => BTreeMap::from([("*".to_owned(), Pattern(text.into_owned()))]),
        other => texts(table.table_of("because", span, other, faults), faults),
    }
}

fn findings(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Vec<FindingPattern> {
    let mut found = Vec::new();
    for item in table.strings(key, faults).unwrap_or_default() {
        match FindingPattern::parse(item.get_ref()) {
            Ok(pattern) => found.push(pattern),
            Err(why) => faults.at(item.span(), format!("{key}: \"{}\" {why}", item.get_ref())),
        }
    }
    found
}

fn points(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Option<PointsRange> {
    let (span, value) = table.take("points")?;
    if let Some(points) = points_of(&value) {
        return Some(PointsRange { at_least: None, below: None, exactly: Some(points) });
    }
    let mut range = table.table_of("points", span.clone(), value, faults)?;
    let mut bound = |key: &'static str| range.has(key).then(|| range.points(key, Points::ZERO, faults));
    let (at_least, below) = (bound("at_least"), bound("below"));
    range.finish(faults);
    if at_least.is_none() && below.is_none() {
        faults.at(span, "points is a number, or { at_least = 5, below = 15 }");
    }
    Some(PointsRange { at_least, below, exactly: None })
}

/// Fields by name: a text, or `false` where there must be none.
fn headers(table: &mut Table<'_>, faults: &mut Faults<'_>) -> BTreeMap<String, Option<Pattern>> {
    let Some(mut headers) = table.table("headers", faults) else { return BTreeMap::new() };
    let mut wanted = BTreeMap::new();
    for (name, _, span, value) in headers.take_rest() {
        match value {
            DeValue::Boolean(false) => drop(wanted.insert(name, None)),
            DeValue::String(text) => drop(wanted.insert(name, Some(Pattern(text.into_owned())))),
            _ => faults.at(span, format!("headers.{name} must be a text, or false if there must be no such field")),
        }
    }
    wanted
}

fn patterns(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Option<Vec<Pattern>> {
    let items = table.strings(key, faults)?;
    Some(items.into_iter().map(|item| Pattern(item.into_inner())).collect())
}
