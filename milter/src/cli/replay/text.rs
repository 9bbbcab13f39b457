//! The replay for people.

use super::{
    row::{Label, Row},
    summary::{Side, Summary, Tally, by_size},
};
use std::{fmt::Write, time::Duration};

/// Most lines of each table. Source: our own limit, a screen.
const LINES: usize = 15;
/// Most causes of each kind of change.
const CAUSES: usize = 8;

/// A message on one line.
pub(super) fn line(row: &Row) -> String {
    let label = match row.label {
        Some(Label::Ham) => " [ham]",
        Some(Label::Spam) => " [spam]",
        None => "",
    };
    let line = match row.b.as_ref().filter(|_| row.is_changed()) {
        Some(b) => format!(
            "{}{label}: {} ({}) -> {} ({}): {}",
            row.file,
            row.a.verdict,
            row.a.points,
            b.verdict,
            b.points,
            row.changed_by.join(", ")
        ),
        None => format!("{}{label}: {} ({}), because: {}", row.file, row.a.verdict, row.a.points, row.a.because),
    };
    line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The whole.
pub(super) fn summary(summary: &Summary, titles: &(String, Option<String>), took: Duration) -> String {
    let mut out = String::new();
    let rate = summary.messages as f64 / took.as_secs_f64().max(1e-9);
    let _ = writeln!(out, "{} messages in {:.1} s, {rate:.0} a second", summary.messages, took.as_secs_f64());
    if summary.ham + summary.spam > 0 {
        let _ = writeln!(out, "known: {} ham, {} spam", summary.ham, summary.spam);
    }
    side(&mut out, &titles.0, &summary.a, summary);
    if let (Some(b), Some(title)) = (&summary.b, &titles.1) {
        side(&mut out, title, b, summary);
        let _ = writeln!(out, "\nchanged: {} of {} messages", summary.changed, summary.messages);
        let mut changes: Vec<_> = summary.changes.iter().collect();
        changes.sort_by_key(|(_, change)| std::cmp::Reverse(change.messages.messages));
        for (what, change) in changes {
            let _ = writeln!(out, "  {what}: {}", counted(change.messages));
            let mut causes: Vec<_> = change.causes.iter().collect();
            causes.sort_by_key(|(cause, count)| (std::cmp::Reverse(**count), *cause));
            for (cause, count) in causes.into_iter().take(CAUSES) {
                let _ = writeln!(out, "    {count:>7}  {cause}");
            }
        }
    }
    out
}

fn side(out: &mut String, title: &str, side: &Side, summary: &Summary) {
    let _ = writeln!(out, "\n{title}");
    table(out, "verdict", by_size(&side.verdicts), summary);
    table(out, "decided by", by_size(&side.because), summary);
    table(out, "finding", by_size(&side.findings), summary);
    table(out, "not unmarked, by domain", by_size(&side.domains), summary);
    if let (Some(precision), Some(recall)) = (side.flagged.precision(), side.flagged.recall(summary.spam)) {
        let of_ham = if summary.ham == 0 { 0.0 } else { 100.0 * side.flagged.ham as f64 / summary.ham as f64 };
        let _ = writeln!(
            out,
            "  taken for spam (all that is not delivered unmarked): precision {:.2} %, recall {:.2} %, {of_ham:.3} % of the ham",
            100.0 * precision,
            100.0 * recall
        );
    }
}

fn table(out: &mut String, heading: &str, rows: Vec<(&str, Tally)>, summary: &Summary) {
    if rows.is_empty() {
        return;
    }
    let labelled = summary.ham + summary.spam > 0;
    let numbers = if labelled { "      ham     spam  precision   recall" } else { "" };
    let _ = writeln!(out, "  {:>8}{numbers}  {heading}", "messages");
    let more = rows.len().saturating_sub(LINES);
    for (name, tally) in rows.into_iter().take(LINES) {
        let _ = write!(out, "  {:>8}", tally.messages);
        if labelled {
            let share = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.2} %", 100.0 * share));
            let _ = write!(out, " {:>8} {:>8}", tally.ham, tally.spam);
            let _ = write!(out, " {:>10} {:>8}", share(tally.precision()), share(tally.recall(summary.spam)));
        }
        let _ = writeln!(out, "  {name}");
    }
    if more > 0 {
        let _ = writeln!(out, "  {more} more: --json, --html");
    }
}

fn counted(tally: Tally) -> String {
    match tally.ham + tally.spam {
        0 => tally.messages.to_string(),
        _ => format!("{} ({} ham, {} spam)", tally.messages, tally.ham, tally.spam),
    }
}
