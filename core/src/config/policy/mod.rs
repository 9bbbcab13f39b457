//! `[[policy]]`, `[[settings]]`, `[[list]]`, `[policy_defaults]` and `[trial]`.

mod inner;
pub(super) mod then;
mod when;
mod who;

use super::{
    diagnostic::Faults,
    reader::Table,
    score::{check_order, finding_pattern},
};
use crate::{
    notices,
    policy::{
        AddressSet, Blocked, Conditions, DifferingEdits, MixedRefusal, Notify, Policy, ScopedSettings, Settings, Then,
    },
    score::{FindingPattern, Thresholds},
    session::Direction,
    verdict::Points,
};
use toml::Spanned;
use who::{Lists, list, recipients, senders};

/// What the tables here need of others.
pub(super) struct Site<'a> {
    /// The thresholds of `[score]`.
    pub(super) thresholds: Thresholds,
    /// Whether `[networks]` names a database of countries.
    pub(super) knows_countries: bool,
    /// `[notices]`.
    pub(super) notices: &'a notices::Settings,
}

/// Reads all that decides about verdicts.
pub(super) fn read(root: &mut Table<'_>, site: &Site<'_>, faults: &mut Faults<'_>) -> Settings {
    let lists = who::lists(root, faults);
    let mut settings = Settings { trial: who::trial(root, &lists, faults), ..Settings::default() };
    let mut defaults = root.section("policy_defaults", faults);
    settings.mixed_refusal =
        defaults.choice("mixed_refusal", &["tag", "hold", "quarantine"], MixedRefusal::default(), faults);
    let words = ["headers-only", "defer-recipient"];
    settings.differing_edits = defaults.choice("differing_edits", &words, DifferingEdits::default(), faults);
    if let Some(table) = defaults.table("tag", faults) {
        settings.marks = then::marks(table, faults);
    }
    defaults.finish(faults);
    for table in root.tables("settings", faults) {
        settings.scoped.push(scoped(table, site.thresholds, &lists, faults));
    }
    let mut names: Vec<(String, usize)> = Vec::new();
    let reader = when::Reader { lists: &lists, knows_countries: site.knows_countries };
    for table in root.tables("policy", faults) {
        let site = then::Site { marks: &settings.marks, notices: site.notices };
        settings.policies.extend(policy(table, &reader, &site, &mut names, faults));
    }
    Settings { lists, ..settings }
}

fn policy(
    mut table: Table<'_>,
    reader: &when::Reader<'_>,
    site: &then::Site<'_>,
    names: &mut Vec<(String, usize)>,
    faults: &mut Faults<'_>,
) -> Option<Policy> {
    let span = table.span.clone();
    let line = faults.line_of(&span);
    let name = name(&mut table, line, names, faults);
    let direction = direction(&mut table, faults);
    let from = senders(&mut table, "from", reader.lists, faults);
    let to = list(&mut table, "to", faults);
    let to = recipients(&table.path_of("to"), &to, reader.lists, faults);
    let when = table.table("when", faults).map_or_else(Conditions::default, |when| reader.read(when, faults));
    let (then, notify) =
        then::read(&mut table, site, faults).map_or((None, Notify::default()), |(then, n)| (Some(then), n));
    let then = match table.take("continue") {
        None => then,
        Some((span, toml::de::DeValue::Boolean(go_on))) => match (go_on, then) {
            (true, Some((Then::Tag(marks), strip))) => Some((Then::TagAndContinue(marks), strip)),
            (true, Some(_)) => {
                faults
                    .at(span, "continue = true goes with tag, copy, strip and notify only; every other action decides");
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
    Some(Policy { name: name?, line: Some(line), direction, from, to, when, then, strip, notify })
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

fn scoped(mut table: Table<'_>, organisation: Thresholds, lists: &Lists, faults: &mut Faults<'_>) -> ScopedSettings {
    let span = table.span.clone();
    let items = table.strings("for", faults).unwrap_or_default();
    let of = recipients(&table.path_of("for"), &items, lists, faults);
    if of.is_empty() {
        faults.at(span.clone(), "these settings are for nobody; write for = [\"*@example.com\"]");
    }
    if of.has_everybody() {
        faults.at(span.clone(), "settings for \"*\" are those of the organisation; write them in [score]");
    }
    let tag = points(&mut table, "tag", faults);
    let reject = points(&mut table, "reject", faults);
    check_order(tag.unwrap_or(organisation.tag), reject.unwrap_or(organisation.reject), span.clone(), faults);
    let skip = table.strings("skip", faults).map(|items| items.iter().filter_map(|i| skipped(i, faults)).collect());
    let allow = listed(&mut table, "allow", lists, faults);
    let block = listed(&mut table, "block", lists, faults);
    let blocked = match table.has("blocked") {
        true => Some(table.choice("blocked", &["reject", "discard"], Blocked::default(), faults)),
        false => None,
    };
    if tag.is_none() && reject.is_none() && skip.is_none() && allow.is_none() && block.is_none() && blocked.is_none() {
        faults.at(span.clone(), "these settings set nothing; known here: tag, reject, skip, allow, block, blocked");
    }
    table.finish(faults);
    let name = items.into_iter().next().map(Spanned::into_inner).unwrap_or_default();
    let line = Some(faults.line_of(&span));
    ScopedSettings { name, line, of, tag, reject, skip, allow, block, blocked }
}

/// A list of senders that may be empty: then it hides that of settings further away.
fn listed(table: &mut Table<'_>, key: &'static str, lists: &Lists, faults: &mut Faults<'_>) -> Option<AddressSet> {
    let items = table.strings(key, faults)?;
    let set = who::senders_of(&table.path_of(key), &items, lists, faults);
    if set.has_everybody() {
        faults.at(
            table.span.clone(),
            format!("{} names everybody; set reject instead, or write a [[policy]]", table.path_of(key)),
        );
    }
    Some(set)
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

#[cfg(test)]
mod tests;
