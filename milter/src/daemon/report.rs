//! One log line a message, one a refused session.

use mailward_core::engine::Report;
use std::time::Duration;

/// Writes the line. Words of the message are not in it: a report holds facts only.
pub(super) fn log(report: &Report, took: Option<Duration>) {
    let ms = took.map(|t| t.as_secs_f64() * 1000.0).map(|ms| (ms * 100.0).round() / 100.0);
    let line = report.log_line();
    tracing::info!(target: "mailward::mail", reference = %report.reference, ms, "{line}");
}
