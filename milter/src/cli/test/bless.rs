//! `--bless`: what came out becomes what is expected.

use super::{
    Result,
    differences::{Difference, EMPTY, UNASKED},
    play::Outcome,
};
use mailward_core::explain::edit_text;
use std::{collections::BTreeMap, fs, path::Path};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};

/// Rewrites the expectations of the cases that failed, all else in their files untouched. Gives the number of cases
/// rewritten, and those that cannot be.
pub(super) fn bless(results: &[Result]) -> (usize, Vec<String>) {
    let mut by_file: BTreeMap<&Path, Vec<(&Result, &Outcome)>> = BTreeMap::new();
    let mut left = Vec::new();
    for result in results.iter().filter(|result| !result.passed()) {
        let place = || format!("{}:{}: \"{}\"", result.case.file.display(), result.case.line, result.case.name);
        match &result.outcome {
            Ok(_) if result.differences.iter().all(|difference| difference.value().is_none()) => {}
            Ok(outcome) => by_file.entry(&result.case.file).or_default().push((result, outcome)),
            Err(_) => left.push(format!("{} cannot be played", place())),
        }
        if result.differences.iter().any(|difference| difference.key == UNASKED) {
            left.push(format!("{} has answers that nobody asks for; take them out", place()));
        }
        let without = |difference: &&Difference| difference.key != UNASKED && difference.value().is_none();
        for Difference { key, name, got, .. } in result.differences.iter().filter(without) {
            let name = name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
            left.push(format!("{}: {key}{name} cannot be expected as it came out ({got}); change it", place()));
        }
    }
    let mut blessed = 0;
    for (path, failed) in by_file {
        match rewrite(path, &failed) {
            Ok(()) => blessed += failed.len(),
            Err(error) => left.push(format!("{}: {error}", path.display())),
        }
    }
    (blessed, left)
}

fn rewrite(path: &Path, failed: &[(&Result, &Outcome)]) -> std::result::Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    for (result, outcome) in failed {
        let table = match result.case.index {
            None => Some(document.as_table_mut()),
            Some(index) => document.get_mut("case").and_then(|cases| cases.get_mut(index)).and_then(Item::as_table_mut),
        };
        let table = table.ok_or("the case is not written as [[case]]")?;
        match table.get_mut("expect") {
            Some(Item::Table(expect)) => update(expect, result, outcome),
            Some(Item::Value(Value::InlineTable(inline))) => {
                let mut expect = inline.clone().into_table();
                update(&mut expect, result, outcome);
                *inline = expect.into_inline_table();
            }
            _ => {
                table.insert("expect", Item::Table(everything(outcome)));
            }
        }
    }
    fs::write(path, document.to_string()).map_err(|error| error.to_string())
}

/// Writes each difference; a case of which nothing is left gets all.
fn update(expect: &mut Table, result: &Result, outcome: &Outcome) {
    result.differences.iter().for_each(|difference| replace(expect, difference, outcome));
    if expect.iter().all(|(_, item)| item.as_array().is_some_and(Array::is_empty)) {
        *expect = everything(outcome);
    }
}

/// What a case without expectations gets.
fn everything(outcome: &Outcome) -> Table {
    let mut expect = Table::new();
    let Some(explanation) = &outcome.explanation else { return expect };
    expect.insert("verdict", toml_edit::value(&explanation.verdict));
    expect.insert("stage", toml_edit::value(explanation.stage.word()));
    if let Some(reply) = &explanation.reply {
        expect.insert("reply", toml_edit::value(reply));
    }
    let recipients: InlineTable =
        explanation.recipients.iter().map(|r| (r.address.as_str(), Value::from(r.disposition.word()))).collect();
    expect.insert("recipients", toml_edit::value(recipients));
    let findings: Array = explanation.findings.iter().map(|finding| finding.id.as_ref()).collect();
    expect.insert("findings", toml_edit::value(findings));
    expect.insert("points", toml_edit::value(number(explanation.points.as_hundredths())));
    expect.insert("edits", toml_edit::value(edits(outcome)));
    expect
}

fn replace(expect: &mut Table, difference: &Difference, outcome: &Outcome) {
    let explanation = outcome.explanation.as_ref();
    let Some(got) = difference.value() else { return };
    match (difference.key, &difference.name) {
        (EMPTY, _) => *expect = everything(outcome),
        ("points", _) => {
            let points = explanation.map_or(0, |explanation| explanation.points.as_hundredths());
            expect.insert("points", toml_edit::value(number(points)));
        }
        ("edits", _) => drop(expect.insert("edits", toml_edit::value(edits(outcome)))),
        ("signed", _) => {
            let all: Array = explanation.iter().flat_map(|explanation| &explanation.signed).collect();
            expect.insert("signed", toml_edit::value(all));
        }
        ("notices", _) => {
            let all: Array = explanation.iter().flat_map(|explanation| &explanation.notices).collect();
            expect.insert("notices", toml_edit::value(all));
        }
        ("not_applied", _) => {
            let all: Array = explanation.iter().flat_map(|explanation| &explanation.not_applied).collect();
            expect.insert("not_applied", toml_edit::value(all));
        }
        (key @ ("findings" | "contains"), _) => remove(expect, key, &difference.expected),
        ("no_findings", _) => remove(expect, "no_findings", difference.expected.trim_start_matches("no ")),
        ("headers", Some(name)) if difference.got == "no such field" => below(expect, "headers", name, false.into()),
        ("because", Some(name)) if name == "*" => drop(expect.insert("because", toml_edit::value(got))),
        (key, Some(name)) => below(expect, key, name, got.into()),
        (key, None) => drop(expect.insert(key, toml_edit::value(got))),
    }
}

/// Sets a key of a table below.
fn below(expect: &mut Table, key: &str, name: &str, value: Value) {
    if let Some(table) = expect.get_mut(key).and_then(Item::as_table_like_mut) {
        table.insert(name, toml_edit::value(value));
    }
}

/// Takes a text out of a list.
fn remove(expect: &mut Table, key: &str, text: &str) {
    match expect.get_mut(key).and_then(Item::as_array_mut) {
        Some(list) => list.retain(|item| item.as_str().is_none_or(|own| !own.eq_ignore_ascii_case(text))),
        None => drop(expect.remove(key)),
    }
}

fn edits(outcome: &Outcome) -> Array {
    outcome.edits().into_iter().map(edit_text).collect()
}

fn number(hundredths: i32) -> f64 {
    f64::from(hundredths) / 100.0
}
