//! A configuration that judges live mail beside the one in force, and never acts: its verdicts are compared, counted and
//! logged.
//!
//! One thread judges what a queue hands it. A full queue lets messages go by: mail never waits for the shadow.

use super::metrics::Metrics;
use crate::compared::{Judged, causes};
use mailward_core::{
    config::{self, Config},
    engine::{Again, Engine, Report, Seen, Shared},
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

/// Most transactions that wait. Unit: transactions. Source: our own limit.
const WAITING: usize = 256;
/// Most bytes of messages that wait. Unit: bytes. Source: our own limit.
const WAITING_BYTES: usize = 64 << 20;

/// The running shadow. It ends when the last handle is dropped.
#[derive(Debug)]
pub(super) struct Shadow {
    queue: SyncSender<Work>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// A transaction with what was said about it.
#[derive(Debug)]
struct Work {
    seen: Seen,
    reference: String,
    judged: Judged,
}

impl Shadow {
    /// Starts the shadow of a configuration beside `engine`; `None` if it has none. A shadow that cannot be loaded is
    /// logged and left out: it must not stop mail.
    pub(super) async fn start(
        config: &Config,
        engine: &Arc<Engine>,
        shared: &Shared,
        metrics: &Arc<Metrics>,
    ) -> Option<Arc<Self>> {
        let path = config.shadow.as_deref()?;
        let shadow = match load(path, shared).await {
            Ok(shadow) => shadow,
            Err(faults) => {
                for fault in faults {
                    tracing::error!("{fault}");
                }
                tracing::error!(config = %path.display(), "shadow: it cannot be loaded; mail is judged without it");
                return None;
            }
        };
        let (queue, waiting) = sync_channel(WAITING);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let watcher = Watcher {
            scans_alike: shadow.scans_like(engine),
            shadow,
            metrics: Arc::clone(metrics),
            waiting_bytes: Arc::clone(&waiting_bytes),
        };
        if let Err(error) = thread::Builder::new().name("shadow".to_owned()).spawn(move || watcher.watch(&waiting)) {
            tracing::error!(%error, "shadow: no thread");
            return None;
        }
        tracing::info!(config = %path.display(), "shadow: judges beside, never acts");
        Some(Arc::new(Shadow { queue, waiting_bytes }))
    }

    /// Hands over a transaction; it goes by if too much waits.
    pub(super) fn look(&self, seen: Seen, report: &Report, metrics: &Metrics) {
        let bytes = seen.bytes();
        let waits = self.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
        let work = Work { seen, reference: report.reference.to_string(), judged: Judged::of(&report.explanation) };
        if waits.saturating_add(bytes) > WAITING_BYTES.max(bytes) || self.queue.try_send(work).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
            metrics.shadowed(Shadowed::Skipped);
        }
    }
}

/// How a transaction came out.
pub(super) enum Shadowed<'a> {
    /// The same becomes of it.
    Same,
    /// Something else would have become of it.
    Differs {
        /// The verdict in force.
        acted: &'a str,
        /// That of the shadow.
        shadow: &'a str,
    },
    /// It was not looked at: the shadow is behind.
    Skipped,
}

async fn load(path: &Path, shared: &Shared) -> Result<Arc<Engine>, Vec<String>> {
    let config = config::load(path).map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    Engine::build(config, shared.watching()).await
}

/// What the thread has.
struct Watcher {
    shadow: Arc<Engine>,
    /// Whether both configurations scan by the same settings.
    scans_alike: bool,
    metrics: Arc<Metrics>,
    waiting_bytes: Arc<AtomicUsize>,
}

impl Watcher {
    fn watch(&self, waiting: &Receiver<Work>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "shadow: no runtime"),
        };
        for Work { seen, reference, judged } in waiting {
            let bytes = seen.bytes();
            let again = runtime.block_on(self.shadow.judge_again(seen, self.scans_alike));
            self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
            self.compare(&reference, &judged, again);
        }
    }

    fn compare(&self, reference: &str, acted: &Judged, again: Again) {
        let shadow = match again {
            Again::Decided(explanation) => Judged::of(&explanation),
            Again::GoesOn => Judged::goes_on(),
        };
        if !acted.differs(&shadow) {
            return self.metrics.shadowed(Shadowed::Same);
        }
        let by = causes(acted, &shadow).join(", ");
        self.metrics.shadowed(Shadowed::Differs { acted: &acted.verdict, shadow: &shadow.verdict });
        tracing::info!(
            target: "mailward::shadow",
            reference,
            verdict = acted.verdict,
            points = %acted.points,
            shadow = shadow.verdict,
            shadow_points = %shadow.points,
            by,
            "differs"
        );
    }
}
