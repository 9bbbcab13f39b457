//! `[[policy]]`, `[[settings]]`, `[policy_defaults]` and `[trial]`.

mod then;
mod when;

use super::{
    diagnostic::Faults,
    reader::Table,
    score::{check_order, finding_pattern},
};
use crate::{
    policy::{
        AddressPattern, Conditions, DifferingEdits, Marks, MixedRefusal, Policy, ScopedSettings, Settings, Then, Trial,
    },
    score::{FindingPattern, Thresholds},
    session::Direction,
    verdict::Points,
};
use toml::Spanned;

/// Reads all that decides about verdicts. `organisation` are the thresholds of `[score]`.
pub(super) fn read(root: &mut Table<'_>, organisation: Thresholds, faults: &mut Faults<'_>) -> Settings {
    let mut settings = Settings { trial: trial(root, faults), ..Settings::default() };
    let mut defaults = root.section("policy_defaults", faults);
    settings.mixed_refusal = defaults.choice("mixed_refusal", &["tag", "hold"], MixedRefusal::default(), faults);
    let words = ["headers-only", "defer-recipient"];
    settings.differing_edits = defaults.choice("differing_edits", &words, DifferingEdits::default(), faults);
    if let Some(table) = defaults.table("tag", faults) {
        settings.marks = then::marks(table, faults);
    }
    defaults.finish(faults);
    for table in root.tables("settings", faults) {
        settings.scoped.extend(scoped(table, organisation, faults));
    }
    let mut names: Vec<(String, usize)> = Vec::new();
    for table in root.tables("policy", faults) {
        settings.policies.extend(policy(table, &settings.marks, &mut names, faults));
    }
    settings
}

fn policy(
    mut table: Table<'_>,
    marks: &Marks,
    names: &mut Vec<(String, usize)>,
    faults: &mut Faults<'_>,
) -> Option<Policy> {
    let span = table.span.clone();
    let line = faults.line_of(&span);
    let name = name(&mut table, line, names, faults);
    let direction = direction(&mut table, faults);
    let from = senders(&mut table, faults);
    let to = list(&mut table, "to", faults);
    let to = patterns(&table.path_of("to"), to, faults);
    let when = table.table("when", faults).map_or_else(Conditions::default, |when| when::read(when, faults));
    let then = then::read(&mut table, marks, faults);
    let then = match table.take("continue") {
        None => then,
        Some((span, toml::de::DeValue::Boolean(go_on))) => match (go_on, then) {
            (true, Some((Then::Tag(marks), strip))) => Some((Then::TagAndContinue(marks), strip)),
            (true, Some(_)) => {
                faults.at(span, "continue = true goes with tag, copy and strip only; every other action decides");
                None
            }
            (_, then) => then,
        },
        Some((span, other)) => {
            table.wrong_type("continue", span, "true or false", &other, faults);
            then
        }
    };
    table.finish(faults);
    let (then, strip) = then?;
    Some(Policy { name: name?, line: Some(line), direction, from, to, when, then, strip })
}

/// Longest policy name. Unit: characters. Source: our own limit; names stand in log lines and hold reasons.
const NAME_CHARS: usize = 100;

fn name(
    table: &mut Table<'_>,
    line: usize,
    names: &mut Vec<(String, usize)>,
    faults: &mut Faults<'_>,
) -> Option<String> {
    let span = table.span.clone();
    if !table.has("name") {
        table.take("name");
        faults.at(span, "this policy has no name; write name = \"what it is for\"");
        return None;
    }
    let name = table.string("name", faults)?;
    let text = name.get_ref().trim().to_owned();
    if text.is_empty() || text.chars().count() > NAME_CHARS || text.chars().any(char::is_control) {
        faults.at(name.span(), format!("name must be 1 to {NAME_CHARS} characters on one line"));
        return None;
    }
    let key = text.to_lowercase();
    if let Some((_, first)) = names.iter().find(|(known, _)| *known == key) {
        faults.at(name.span(), format!("name \"{text}\" is taken by the policy of line {first}; names are unique"));
        return None;
    }
    names.push((key, line));
    Some(text)
}

fn direction(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Option<Direction> {
    let word: String = table.choice("direction", &["inbound", "outbound", "both"], "inbound".to_owned(), faults);
    match word.as_str() {
        "outbound" => Some(Direction::Outbound),
        "both" => None,
        _ => Some(Direction::Inbound),
    }
}

/// `from`: the directory tells groups of recipients only.
fn senders(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Vec<AddressPattern> {
    let items = list(table, "from", faults);
    let path = table.path_of("from");
    let mut found = Vec::new();
    for item in items {
        match pattern(&path, &item, faults) {
            Some(AddressPattern::Group(_)) => {
                faults.at(item.span(), format!("{path}: groups of senders are not known; name addresses or domains"));
            }
            other => found.extend(other),
        }
    }
    found
}

/// A list that narrows down: an empty one would mean all where the writer meant none, and is a fault.
fn list(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Vec<Spanned<String>> {
    let items = table.strings(key, faults);
    if items.as_ref().is_some_and(Vec::is_empty) {
        faults.at(table.span.clone(), format!("{} is an empty list; leave it out to mean all", table.path_of(key)));
    }
    items.unwrap_or_default()
}

/// Recipients.
fn patterns(path: &str, items: Vec<Spanned<String>>, faults: &mut Faults<'_>) -> Vec<AddressPattern> {
    let mut found = Vec::new();
    for item in items {
        match pattern(path, &item, faults) {
            Some(AddressPattern::Null) => {
                faults.at(item.span(), format!("{path}: \"<>\" is a sender, never a recipient"));
            }
            other => found.extend(other),
        }
    }
    found
}

fn pattern(path: &str, item: &Spanned<String>, faults: &mut Faults<'_>) -> Option<AddressPattern> {
    match AddressPattern::parse(item.get_ref()) {
        Ok(pattern) => Some(pattern),
        Err(why) => {
            faults.at(item.span(), format!("{path}: \"{}\" {why}", item.get_ref()));
            None
        }
    }
}

fn scoped(mut table: Table<'_>, organisation: Thresholds, faults: &mut Faults<'_>) -> Option<ScopedSettings> {
    let span = table.span.clone();
    let of = table.strings("for", faults).unwrap_or_default();
    let of = patterns(&table.path_of("for"), of, faults);
    if of.is_empty() {
        faults.at(span.clone(), "these settings are for nobody; write for = [\"*@example.com\"]");
    }
    if of.contains(&AddressPattern::Any) {
        faults.at(span.clone(), "settings for \"*\" are those of the organisation; write them in [score]");
    }
    let tag = points(&mut table, "tag", faults);
    let reject = points(&mut table, "reject", faults);
    check_order(tag.unwrap_or(organisation.tag), reject.unwrap_or(organisation.reject), span.clone(), faults);
    let skip = table.strings("skip", faults).map(|items| items.iter().filter_map(|i| skipped(i, faults)).collect());
    if tag.is_none() && reject.is_none() && skip.is_none() {
        faults.at(span, "these settings set nothing; known here: tag, reject, skip");
    }
    table.finish(faults);
    Some(ScopedSettings { of, tag, reject, skip })
}

fn skipped(item: &Spanned<String>, faults: &mut Faults<'_>) -> Option<FindingPattern> {
    let pattern = finding_pattern(item, faults)?;
    if pattern.names_malware() {
        let advice = "malware is judged once for all recipients and cannot be skipped; name it in a [[policy]] instead";
        faults.at(item.span(), advice);
        return None;
    }
    Some(pattern)
}

fn points(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Option<Points> {
    let present = table.has(key);
    let read = table.points(key, Points::ZERO, faults);
    present.then_some(read)
}

/// `[trial]`: an empty or missing table means that verdicts act for everybody.
fn trial(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Option<Trial> {
    let mut table = root.table("trial", faults)?;
    let recipients = table.strings("recipients", faults).unwrap_or_default();
    let mut acting = patterns(&table.path_of("recipients"), recipients, faults);
    let path = table.path_of("domains");
    for item in table.strings("domains", faults).unwrap_or_default() {
        let domain = item.get_ref();
        let written = match domain.starts_with("*.") || domain.starts_with("*@") {
            true => domain.clone(),
            false => format!("*@{domain}"),
        };
        match AddressPattern::parse(&written) {
            Ok(pattern @ (AddressPattern::Domain(_) | AddressPattern::Subdomains(_))) => acting.push(pattern),
            _ => faults.at(
                item.span(),
                format!("{path}: \"{domain}\" is no domain; write \"example.com\" or \"*.example.com\""),
            ),
        }
    }
    table.finish(faults);
    (!acting.is_empty()).then_some(Trial { acting })
}

#[cfg(test)]
mod tests;
