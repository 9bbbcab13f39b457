//! The report for people.

use super::{
    measures::{ALLOWED, Measure, Measures, RECALL},
    report::{Example, Filter, Group, Report},
    rules::Rule,
};
use std::fmt::Write;

/// Most lines of the table of rules, and of each list of messages. Source: our own limit, a screen.
const RULES: usize = 30;
const EXAMPLES: usize = 5;
/// Width of the column of a filter. Unit: characters.
const COLUMN: usize = 30;

pub(super) fn report(report: &Report) -> String {
    let mut out = String::new();
    for round in &report.rounds {
        let _ =
            writeln!(out, "{}: learned {} ham and {} spam, judged {}", round.name, round.ham, round.spam, round.judged);
    }
    for note in &report.notes {
        let _ = writeln!(out, "note: {note}");
    }
    report.groups.iter().for_each(|one| group(&mut out, one));
    for stream in &report.online {
        let _ = writeln!(out, "\n{}, in the order of {}", stream.group, stream.order);
        if stream.timeless > 0 {
            let _ = writeln!(out, "  {} messages without a time are left out", stream.timeless);
        }
        let filters: Vec<(&str, &Measures)> =
            stream.curves.iter().map(|curve| (curve.filter, &curve.measures)).collect();
        measures(&mut out, &filters);
        let heads: String = stream.curves.iter().map(|curve| format!("  {:<COLUMN$}", curve.filter)).collect();
        let _ = writeln!(out, "  {:<26}{}", "(1-AUC) up to, and since", heads.trim_end());
        let most = stream.curves.iter().map(|curve| curve.points.len()).max().unwrap_or(0);
        for n in 0..most {
            let cells = stream.curves.iter().map(|curve| {
                let percent = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3} %"));
                let cell =
                    curve.points.get(n).map(|point| format!("{}, {}", percent(point.so_far), percent(point.since)));
                format!("  {:<COLUMN$}", cell.unwrap_or_default())
            });
            let messages = stream.curves.iter().find_map(|curve| curve.points.get(n)).map_or(0, |point| point.messages);
            let line = cells.collect::<String>();
            let _ = writeln!(out, "  {messages:>26}{}", line.trim_end());
        }
    }
    table(&mut out, &report.rules);
    if !report.silent.is_empty() {
        let _ = writeln!(out, "\n{} content rules hit nothing: {}", report.silent.len(), report.silent.join(", "));
    }
    if !report.cost.is_empty() {
        let _ = writeln!(out, "\n{:<16} {:>8} {:>8} {:>8}  CPU time of a message", "stage", "median", "90 %", "99 %");
        for stage in &report.cost {
            let (median, p90, p99) = (stage.median, stage.p90, stage.p99);
            let _ = writeln!(out, "{:<16} {median:>8.0} {p90:>8.0} {p99:>8.0}  µs", stage.stage);
        }
    }
    let _ = writeln!(out, "\n{:.1} s", report.seconds);
    out
}

fn group(out: &mut String, group: &Group) {
    let Group { name, ham, spam, campaigns, .. } = group;
    let _ = writeln!(out, "\n{name}: {ham} ham, {spam} spam, {campaigns} campaigns");
    let filters: Vec<(&str, &Measures)> = group.filters.iter().map(|filter| (filter.name, &filter.measures)).collect();
    measures(out, &filters);
    for Filter { name, undecided, .. } in group.filters.iter().filter(|filter| filter.undecided > 0) {
        let _ = writeln!(out, "  {name} decided nothing about {undecided} messages; they count nowhere");
    }
    examples(out, "ham that is hit, the most points first", &group.false_positives);
    examples(out, "spam that is missed, the fewest points first", &group.misses);
}

/// A line for each measure, a column for each filter.
fn measures(out: &mut String, filters: &[(&str, &Measures)]) {
    let heads: String = filters.iter().map(|(name, _)| format!("  {name:<COLUMN$}")).collect();
    let _ = writeln!(out, "  {:<26}{}", "", heads.trim_end());
    for (name, of) in lines() {
        let cells: Vec<Option<String>> = filters.iter().map(|(_, measures)| of(measures).map(|m| cell(&m))).collect();
        if cells.iter().any(Option::is_some) {
            let line: String =
                cells.into_iter().map(|cell| format!("  {:<COLUMN$}", cell.unwrap_or("-".to_owned()))).collect();
            let _ = writeln!(out, "  {name:<26}{}", line.trim_end());
        }
    }
}

/// Picks a measure.
type Pick = Box<dyn Fn(&Measures) -> Option<Measure>>;

/// The measures by name.
pub(super) fn lines() -> Vec<(String, Pick)> {
    let mut lines: Vec<(String, Pick)> = vec![
        ("caught".to_owned(), Box::new(|m| m.caught)),
        ("refused".to_owned(), Box::new(|m| m.refused)),
        ("ham hit".to_owned(), Box::new(|m| m.ham_hit)),
        ("ham refused".to_owned(), Box::new(|m| m.ham_refused)),
        ("(1-AUC)".to_owned(), Box::new(|m| m.one_minus_auc)),
    ];
    for (n, allowed) in ALLOWED.into_iter().enumerate() {
        lines.push((format!("caught at {} % ham hit", 100.0 * allowed), Box::new(move |m| m.caught_at[n])));
    }
    lines.push((format!("ham hit at {} % caught", 100.0 * RECALL), Box::new(|m| m.ham_hit_at_recall)));
    lines
}

/// `81.25 % (78.10-84.00), 26`.
pub(super) fn cell(measure: &Measure) -> String {
    let Measure { percent, interval: [low, high], messages } = measure;
    // Small shares need more places.
    let places = if *percent != 0.0 && percent.abs() < 1.0 { 3 } else { 2 };
    let count = messages.map_or(String::new(), |messages| format!(", {messages}"));
    format!("{percent:.places$} % ({low:.places$}-{high:.places$}){count}")
}

fn examples(out: &mut String, heading: &str, examples: &[Example]) {
    if examples.is_empty() {
        return;
    }
    let _ = writeln!(out, "  {heading}");
    for example in examples.iter().take(EXAMPLES) {
        let line = format!("    {:>6}  {}: {}", example.points.to_string(), example.file, findings(example));
        let _ =
            writeln!(out, "{}", line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>());
    }
    if examples.len() > EXAMPLES {
        let _ = writeln!(out, "    more: --json, --html, --csv");
    }
}

/// `spf.fail 1.00, html.hidden 0.50`: what weighs most first.
pub(super) fn findings(example: &Example) -> String {
    let mut findings: Vec<_> = example.findings.iter().filter(|(_, points)| points.as_hundredths() != 0).collect();
    findings.sort_by_key(|(id, points)| (-points.as_hundredths().abs(), id));
    findings.iter().map(|(id, points)| format!("{id} {points}")).collect::<Vec<_>>().join(", ")
}

fn table(out: &mut String, rules: &[Rule]) {
    if rules.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n{:>7} {:>7} {:>10} {:>7} {:>7}  rule, over all groups",
        "ham", "spam", "precision", "lift", "points"
    );
    for rule in rules.iter().take(RULES) {
        let lift = rule.lift.map_or("-".to_owned(), |lift| format!("{lift:.1}"));
        let precision = format!("{:.2} %", 100.0 * rule.precision);
        let Rule { id, ham, spam, points, .. } = rule;
        let _ = writeln!(out, "{ham:>7} {spam:>7} {precision:>10} {lift:>7} {points:>7.2}  {id}");
    }
    if rules.len() > RULES {
        let _ = writeln!(out, "{} more: --json, --html", rules.len() - RULES);
    }
}
