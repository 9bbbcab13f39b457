//! Curves and histograms as SVG within the page.

use crate::cli::eval::{online::Stream, report::Filter};
use std::fmt::Write;

/// Size of a plot without its labels, and room for these. Unit: CSS pixels.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 52.0;
const BELOW: f64 = 34.0;
/// The least share of ham that the axis shows: 0 stands there too. Unit: share.
const LEAST_HAM: f64 = 1e-4;
/// The least (1-AUC) that the axis shows. Unit: percent.
const LEAST_AREA: f64 = 0.001;
/// Ends of the histogram: what lies beyond is counted there. Unit: points.
const LEAST: i32 = -10;
const MOST: i32 = 30;
/// Width of its bars. Unit: CSS pixels.
const BAR: i32 = 14;
/// Strokes of the first filters: ours, then the peers.
const STROKES: [&str; 3] = ["var(--ham)", "var(--spam)", "var(--other)"];

/// Spam caught by ham hit, the latter on a logarithmic axis.
pub(super) fn roc(out: &mut String, filters: &[Filter]) {
    if filters.iter().all(|filter| filter.roc.is_empty()) {
        return;
    }
    begin(out, "Spam caught by ham hit");
    let across = |ham: f64| LEFT + WIDTH * (1.0 - ham.max(LEAST_HAM).log10() / LEAST_HAM.log10());
    for (ham, label) in [(1e-4, "≤0.01 %"), (1e-3, "0.1 %"), (1e-2, "1 %"), (0.1, "10 %"), (1.0, "100 %")] {
        upright(out, across(ham), label);
    }
    for percent in [0, 25, 50, 75, 100] {
        level(out, HEIGHT * (1.0 - f64::from(percent) / 100.0), &format!("{percent} %"));
    }
    for (n, filter) in filters.iter().enumerate() {
        // A threshold holds until the next one: the line goes right first, then up.
        let mut points = Vec::new();
        let mut before = 0.0;
        for [ham, spam] in &filter.roc {
            points.push((across(*ham), HEIGHT * (1.0 - before)));
            points.push((across(*ham), HEIGHT * (1.0 - spam)));
            before = *spam;
        }
        line(out, n, filter.name, &points);
    }
    end(out, "spam caught by ham hit");
}

/// (1-AUC) up to each number of messages, both axes logarithmic.
pub(super) fn learning(out: &mut String, stream: &Stream) {
    let most =
        stream.curves.iter().flat_map(|curve| curve.points.last()).map(|point| point.messages).max().unwrap_or(0);
    if most < 100 {
        return;
    }
    begin(out, "(1-AUC) by messages learned");
    let span = (most as f64 / 100.0).ln().max(f64::MIN_POSITIVE);
    let across = |messages: usize| LEFT + WIDTH * ((messages as f64 / 100.0).ln() / span).clamp(0.0, 1.0);
    let up = |percent: f64| HEIGHT * (percent.max(LEAST_AREA) / 100.0).ln() / (LEAST_AREA / 100.0).ln();
    for messages in [100, 1_000, 10_000, 100_000].into_iter().filter(|messages| *messages <= most) {
        upright(out, across(messages), &messages.to_string());
    }
    for percent in [100.0, 10.0, 1.0, 0.1, 0.01, 0.001] {
        level(out, up(percent), &format!("{percent} %"));
    }
    for (n, curve) in stream.curves.iter().enumerate() {
        let points = curve.points.iter().filter_map(|point| Some((across(point.messages), up(point.so_far?))));
        line(out, n, curve.filter, &points.collect::<Vec<_>>());
    }
    end(out, "(1-AUC) of all messages so far, by their number");
}

/// Messages by points, spam on ham. The height is the square root of the count, so that few messages can be seen beside many.
pub(super) fn histogram(out: &mut String, filter: &Filter) {
    let mut bins = vec![[0_u64; 2]; (MOST - LEAST + 1) as usize];
    for (points, [ham, spam]) in &filter.points {
        let bin = &mut bins[((*points).clamp(LEAST, MOST) - LEAST) as usize];
        *bin = [bin[0] + ham, bin[1] + spam];
    }
    let most = bins.iter().map(|[ham, spam]| ham + spam).max().unwrap_or(0).max(1) as f64;
    let _ = writeln!(
        out,
        "<svg width=\"{}\" height=\"{}\" role=\"img\" aria-label=\"Messages by points\">",
        (MOST - LEAST + 1) * BAR,
        HEIGHT + BELOW
    );
    for (points, [ham, spam]) in (LEAST..=MOST).zip(bins) {
        let x = (points - LEAST) * BAR;
        if points % 5 == 0 {
            let _ = writeln!(out, "<text x=\"{x}\" y=\"{}\">{points}</text>", HEIGHT + 14.0);
        }
        let total = HEIGHT * ((ham + spam) as f64).sqrt() / most.sqrt();
        let mut y = HEIGHT - total;
        for (class, count) in [("spam", spam), ("ham", ham)].into_iter().filter(|(_, count)| *count > 0) {
            let part = total * count as f64 / (ham + spam) as f64;
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y:.1}\" width=\"{}\" height=\"{part:.1}\"><title>{points} points: {count} {class}</title></rect>",
                BAR - 2
            );
            y += part;
        }
    }
    end(out, &format!("points of {}; blue ham, red spam; height: square root of the messages", filter.name));
}

fn begin(out: &mut String, label: &str) {
    let (width, height) = (LEFT + WIDTH + 90.0, HEIGHT + BELOW);
    let _ = writeln!(out, "<svg width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{label}\">");
}

fn end(out: &mut String, label: &str) {
    let _ = writeln!(out, "<text x=\"0\" y=\"{}\">{label}</text></svg>", HEIGHT + BELOW - 4.0);
}

/// A line of the grid at a place of the lower axis.
fn upright(out: &mut String, x: f64, label: &str) {
    let _ = writeln!(out, "<path d=\"M{x:.1} 0V{HEIGHT}\" stroke=\"var(--line)\"/>");
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", HEIGHT + 14.0);
}

/// A line of the grid at a height.
fn level(out: &mut String, y: f64, label: &str) {
    let _ = writeln!(out, "<path d=\"M{LEFT} {y:.1}h{WIDTH}\" stroke=\"var(--line)\"/>");
    let _ = writeln!(out, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 4.0, y.max(9.0));
}

/// A filter's line, named beside the plot.
fn line(out: &mut String, n: usize, name: &str, points: &[(f64, f64)]) {
    let stroke = STROKES[n % STROKES.len()];
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let points = points.join(" ");
    let _ = writeln!(out, "<polyline points=\"{points}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"2\"/>");
    let (x, y) = (LEFT + WIDTH + 6.0, 14.0 + 16.0 * n as f64);
    let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\" style=\"fill: {stroke}\">{name}</text>");
}
