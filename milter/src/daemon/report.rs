//! One log line a message, one a refused session.

use mailward_core::{engine::Report, explain::Stage};
use std::time::Duration;

/// Writes the line. Words of the message are not in it: only facts are logged.
pub(super) fn log(report: &Report, took: Option<Duration>) {
    let fields = report.explanation.log_line();
    let field = |key: &str| fields.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str());
    let ms = took.map(|t| (t.as_secs_f64() * 100_000.0).round() / 100.0);
    let what = if report.explanation.stage == Stage::Message { "message" } else { "refused" };
    tracing::info!(
        target: "mailward::mail",
        stage = field("stage"),
        verdict = field("verdict"),
        points = field("points"),
        direction = field("direction"),
        client = field("client"),
        name = field("name"),
        helo = field("helo"),
        login = field("login"),
        from = field("from"),
        to = field("to"),
        because = field("because"),
        wanted = field("wanted"),
        findings = field("findings"),
        reply = field("reply"),
        queue_id = report.queue_id.as_deref(),
        reference = report.reference.as_str(),
        ms,
        "{what}"
    );
}
