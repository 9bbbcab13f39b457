//! The replay as one page: numbers, plots, and the messages that change.

use super::{
    row::Row,
    summary::{LEAST, MOST, Side, Summary, Tally, by_size},
};
use crate::cli::report::page::{self, text};
use std::fmt::Write;

/// Most lines of each table.
const LINES: usize = 100;
/// Width of a bar of the histogram, and height of the plot. Unit: CSS pixels.
const BAR: i32 = 14;
const HEIGHT: f64 = 160.0;

/// The page. `kept` are the changed messages that are shown.
pub(super) fn page(summary: &Summary, titles: &(String, Option<String>), kept: &[Row]) -> String {
    let mut out = page::head("mailward replay", &format!("Replay of {} messages", summary.messages));
    if summary.ham + summary.spam > 0 {
        let _ = writeln!(out, "<p>Known: {} ham, {} spam.</p>", summary.ham, summary.spam);
    }
    if let (Some(_), Some(b)) = (&summary.b, &titles.1) {
        changes(&mut out, summary, &titles.0, b, kept);
    }
    let _ = writeln!(out, "<div class=\"sides\">");
    side(&mut out, &titles.0, &summary.a, summary);
    if let (Some(b), Some(title)) = (&summary.b, &titles.1) {
        side(&mut out, title, b, summary);
    }
    out + "</div>\n</html>\n"
}

fn changes(out: &mut String, summary: &Summary, a: &str, b: &str, kept: &[Row]) {
    let _ = writeln!(out, "<h2>{} messages change</h2>\n<p>From {} to {}.</p>", summary.changed, text(a), text(b));
    let mut changes: Vec<_> = summary.changes.iter().collect();
    changes.sort_by_key(|(_, change)| std::cmp::Reverse(change.messages.messages));
    let _ = writeln!(out, "<table><tr><th>messages<th>ham<th>spam<th>change, and what does it most often</tr>");
    for (what, change) in changes {
        let mut causes: Vec<_> = change.causes.iter().collect();
        causes.sort_by_key(|(cause, count)| (std::cmp::Reverse(**count), *cause));
        let causes: Vec<String> =
            causes.iter().take(8).map(|(cause, count)| format!("{count} × {}", text(cause))).collect();
        let Tally { messages, ham, spam } = change.messages;
        let what = text(what).replace("-&gt;", "→");
        let _ = writeln!(out, "<tr><td>{messages}<td>{ham}<td>{spam}<td><b>{what}</b><br>{}</tr>", causes.join("<br>"));
    }
    let _ = writeln!(out, "</table>");
    if kept.is_empty() {
        return;
    }
    let _ = writeln!(out, "<details><summary>The first {} of them</summary>\n<table>", kept.len());
    let _ = writeln!(out, "<tr><th>before<th>points<th>after<th>points<th>message</tr>");
    for row in kept {
        let Some(b) = &row.b else { continue };
        let _ = writeln!(
            out,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<br>{}</tr>",
            text(&row.a.verdict),
            row.a.points,
            text(&b.verdict),
            b.points,
            text(&row.file),
            text(&row.changed_by.join(", "))
        );
    }
    let _ = writeln!(out, "</table></details>");
}

fn side(out: &mut String, title: &str, side: &Side, summary: &Summary) {
    let _ = writeln!(out, "<section><h2>{}</h2>", text(title));
    if let (Some(precision), Some(recall)) = (side.flagged.precision(), side.flagged.recall(summary.spam)) {
        let _ = writeln!(
            out,
            "<p>Taken for spam (all that is not delivered unmarked): precision {:.2} %, recall {:.2} %.</p>",
            100.0 * precision,
            100.0 * recall
        );
    }
    histogram(out, side);
    table(out, "verdict", &by_size(&side.verdicts), summary);
    table(out, "decided by", &by_size(&side.because), summary);
    table(out, "not unmarked, by domain", &by_size(&side.domains), summary);
    let _ = write!(out, "<details><summary>Findings</summary>");
    table(out, "finding", &by_size(&side.findings), summary);
    let _ = writeln!(out, "</details></section>");
}

/// Messages by points: ham, spam and unknown, one on the other. The height is the square root of the count, so that few
/// messages can still be seen beside many.
fn histogram(out: &mut String, side: &Side) {
    let most = side.points.values().map(|tally| tally.messages).max().unwrap_or(0).max(1) as f64;
    let height = |messages: u64| HEIGHT * (messages as f64).sqrt() / most.sqrt();
    let width = (MOST - LEAST + 1) * BAR;
    let _ = writeln!(
        out,
        "<svg width=\"{width}\" height=\"{:.0}\" role=\"img\" aria-label=\"Messages by points\">",
        HEIGHT + 34.0
    );
    for points in LEAST..=MOST {
        let x = (points - LEAST) * BAR;
        if points % 5 == 0 {
            let _ = writeln!(out, "<text x=\"{x}\" y=\"{:.0}\">{points}</text>", HEIGHT + 14.0);
        }
        let Some(tally) = side.points.get(&points) else { continue };
        let total = height(tally.messages);
        let mut y = HEIGHT - total;
        let other = tally.messages - tally.ham - tally.spam;
        for (class, count) in [("other", other), ("spam", tally.spam), ("ham", tally.ham)] {
            let part = total * count as f64 / tally.messages.max(1) as f64;
            if count > 0 {
                let _ = writeln!(
                    out,
                    "<rect class=\"{class}\" x=\"{x}\" y=\"{y:.1}\" width=\"{}\" height=\"{part:.1}\"><title>{points} points: {count} {}</title></rect>",
                    BAR - 2,
                    if class == "other" { "messages" } else { class }
                );
            }
            y += part;
        }
    }
    let _ = writeln!(
        out,
        "<text x=\"0\" y=\"{:.0}\">points; blue ham, red spam, grey unknown; height: square root of the messages</text></svg>",
        HEIGHT + 30.0
    );
}

fn table(out: &mut String, heading: &str, rows: &[(&str, Tally)], summary: &Summary) {
    let labelled = summary.ham + summary.spam > 0;
    let numbers = if labelled { "<th>ham<th>spam<th>precision<th>recall" } else { "" };
    let _ = writeln!(out, "<table><tr><th>messages{numbers}<th>{heading}</tr>");
    for (name, tally) in rows.iter().take(LINES) {
        let _ = write!(out, "<tr><td>{}", tally.messages);
        if labelled {
            let share = |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{:.1} %", 100.0 * share));
            let (precision, recall) = (share(tally.precision()), share(tally.recall(summary.spam)));
            let _ = write!(out, "<td>{}<td>{}<td>{precision}<td>{recall}", tally.ham, tally.spam);
        }
        let _ = writeln!(out, "<td>{}</tr>", text(name));
    }
    let _ = writeln!(out, "</table>");
}
