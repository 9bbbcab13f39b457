//! The report as one page: tables and plots.

mod plots;

use super::{
    measures::Measures,
    report::{Example, Group, Report},
    rules::Rule,
    text::{cell, findings, lines},
};
use crate::cli::report::page::{self, text};
use std::fmt::Write;

pub(super) fn page(report: &Report) -> String {
    let mut out = page::head("mailward eval", "How well spam is told from ham");
    for round in &report.rounds {
        let (name, ham, spam) = (text(&round.name), round.ham, round.spam);
        let _ = writeln!(out, "<p>{name}: learned {ham} ham and {spam} spam, judged {}.</p>", round.judged);
    }
    for note in &report.notes {
        let _ = writeln!(out, "<p>{}.</p>", text(note));
    }
    report.groups.iter().for_each(|one| group(&mut out, one));
    for stream in &report.online {
        let _ = writeln!(out, "<section><h2>{}, in the order of {}</h2>", text(&stream.group), stream.order);
        measures(&mut out, &stream.curves.iter().map(|curve| (curve.filter, &curve.measures)).collect::<Vec<_>>());
        plots::learning(&mut out, stream);
        let _ = writeln!(out, "</section>");
    }
    rules(&mut out, report);
    if !report.cost.is_empty() {
        let _ = writeln!(out, "<h2>CPU time of a message</h2>\n<table><tr><th>median µs<th>90 %<th>99 %<th>stage</tr>");
        for stage in &report.cost {
            let (median, p90, p99) = (stage.median, stage.p90, stage.p99);
            let _ = writeln!(out, "<tr><td>{median:.0}<td>{p90:.0}<td>{p99:.0}<td>{}</tr>", stage.stage);
        }
        let _ = writeln!(out, "</table>");
    }
    out + "</html>\n"
}

fn group(out: &mut String, group: &Group) {
    let Group { name, ham, spam, campaigns, .. } = group;
    let _ = writeln!(out, "<section><h2>{}</h2>\n<p>{ham} ham, {spam} spam, {campaigns} campaigns.</p>", text(name));
    measures(out, &group.filters.iter().map(|filter| (filter.name, &filter.measures)).collect::<Vec<_>>());
    for filter in group.filters.iter().filter(|filter| filter.undecided > 0) {
        let _ = writeln!(
            out,
            "<p>{} decided nothing about {} messages; they count nowhere.</p>",
            filter.name, filter.undecided
        );
    }
    plots::roc(out, &group.filters);
    for filter in group.filters.iter().filter(|filter| !filter.points.is_empty()) {
        plots::histogram(out, filter);
    }
    examples(out, "Ham that is hit, the most points first", &group.false_positives);
    examples(out, "Spam that is missed, the fewest points first", &group.misses);
    let _ = writeln!(out, "</section>");
}

fn measures(out: &mut String, filters: &[(&str, &Measures)]) {
    let heads: String = filters.iter().map(|(name, _)| format!("<th>{name}")).collect();
    let _ = writeln!(out, "<table><tr>{heads}<th>share, middle 95 % of other draws, messages</tr>");
    for (name, of) in lines() {
        let cells: Vec<Option<String>> = filters.iter().map(|(_, measures)| of(measures).map(|m| cell(&m))).collect();
        if cells.iter().any(Option::is_some) {
            let cells: String = cells.into_iter().map(|cell| format!("<td>{}", cell.unwrap_or_default())).collect();
            let _ = writeln!(out, "<tr>{cells}<td>{name}</tr>");
        }
    }
    let _ = writeln!(out, "</table>");
}

fn examples(out: &mut String, heading: &str, examples: &[Example]) {
    if examples.is_empty() {
        return;
    }
    let _ = writeln!(out, "<details><summary>{heading}</summary>\n<table><tr><th>points<th>message</tr>");
    for example in examples {
        let (points, file) = (example.points, text(&example.file));
        let _ = writeln!(out, "<tr><td>{points}<td>{file}<br>{}</tr>", text(&findings(example)));
    }
    let _ = writeln!(out, "</table></details>");
}

fn rules(out: &mut String, report: &Report) {
    if report.rules.is_empty() {
        return;
    }
    let groups: Vec<&str> = report.groups.iter().map(|group| group.name.as_str()).collect();
    let heads: String = groups.iter().map(|group| format!("<th>{}", text(group))).collect();
    let _ = writeln!(
        out,
        "<details open><summary>Rules</summary>\n<table><tr><th>ham<th>spam<th>precision<th>lift<th>points{heads}<th>rule (by group: ham, spam)</tr>"
    );
    for Rule { id, ham, spam, precision, lift, points, groups: hits } in &report.rules {
        let lift = lift.map_or("–".to_owned(), |lift| format!("{lift:.1}"));
        let by_group = groups
            .iter()
            .map(|group| hits.get(*group).map_or("<td>".to_owned(), |[ham, spam]| format!("<td>{ham}, {spam}")));
        let _ = writeln!(
            out,
            "<tr><td>{ham}<td>{spam}<td>{:.2} %<td>{lift}<td>{points:.2}{}<td>{}</tr>",
            100.0 * precision,
            by_group.collect::<String>(),
            text(id)
        );
    }
    let _ = writeln!(out, "</table></details>");
    if !report.silent.is_empty() {
        let silent = report.silent.join(", ");
        let _ = writeln!(out, "<p>{} content rules hit nothing: {}.</p>", report.silent.len(), text(&silent));
    }
}
