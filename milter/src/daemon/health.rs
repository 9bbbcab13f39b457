//! Whether the daemon really works: asked by the watchdog of the service manager and by `/healthz`.

use super::Daemon;
use mailward_core::lookup::{Deadline, meter::Work};
use std::time::Duration;

/// How long a sign of life may take. Source: our own; an idle daemon answers within a millisecond.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether messages are judged: a thread that judges is free to answer, or, if all are busy, some message was done
/// meanwhile; and the threads that serve connections answer.
pub(super) async fn answers(daemon: &Daemon) -> bool {
    let engine = daemon.engine.load_full();
    let done = || engine.shared().meter().work_time(Work::Content).counts().iter().sum::<u64>();
    let before = done();
    let judged = engine.judging_answers(Deadline::after(PATIENCE)).await || done() > before;
    let served = match daemon.pings.get() {
        Some(pings) => pings.answer_within(PATIENCE).await,
        None => true,
    };
    judged && served
}
