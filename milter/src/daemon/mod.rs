//! The milter daemon: listeners, reload, drain.

mod callbacks;
mod edits;
mod listener;
mod negotiate;
mod report;

use arc_swap::ArcSwap;
use listener::Hardy;
use mailward_core::{
    config::{
        self, Config,
        sections::{Listener, MilterSettings},
    },
    engine::{Engine, Shared},
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
};

/// What all connections share.
pub(crate) struct Daemon {
    engine: ArcSwap<Engine>,
    record_dir: Option<PathBuf>,
    open: Arc<AtomicUsize>,
    draining: AtomicBool,
}

/// The place of one transaction among those that a drain waits for.
pub(crate) struct OpenTransaction(Arc<AtomicUsize>);

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Daemon {
    /// `None` while the daemon drains.
    fn open_transaction(&self) -> Option<OpenTransaction> {
        self.open.fetch_add(1, Ordering::AcqRel);
        let place = OpenTransaction(Arc::clone(&self.open));
        (!self.draining.load(Ordering::Acquire)).then_some(place)
    }
}

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(config: Config, path: Option<PathBuf>, record_dir: Option<PathBuf>) -> ExitCode {
    let settings = config.milter.clone();
    let shared = match Shared::open(&config) {
        Ok(shared) => shared,
        Err(error) => return fail(&error),
    };
    let engine = match Engine::build(config, shared.clone()).await {
        Ok(engine) => engine,
        Err(problems) => return fail(&problems.join("\n")),
    };
    engine.watch_lists();
    shared.watch_model();
    let daemon = Arc::new(Daemon {
        engine: ArcSwap::from(engine),
        record_dir,
        open: Arc::default(),
        draining: AtomicBool::new(false),
    });

    let (stop, stopped) = watch::channel(false);
    let drain = Arc::new(Notify::new());
    let mut servers = tokio::task::JoinSet::new();
    for Listener { address, refuse_at } in &settings.listeners {
        let listener = match Hardy::bind(address, &settings, Arc::clone(&drain)).await {
            Ok(listener) => listener,
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                return fail(&format!(
                    "cannot listen on {address}: another process listens there; end it, or set another listen in [milter]"
                ));
            }
            Err(error) => return fail(&format!("cannot listen on {address}: {error}")),
        };
        tracing::info!(%address, "listening");
        let milter = indymilter::Config { max_connections: settings.connections, ..Default::default() };
        let callbacks = callbacks::callbacks(Arc::clone(&daemon), *refuse_at);
        let mut stopped = stopped.clone();
        servers.spawn(indymilter::run(listener, callbacks, milter, async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        }));
    }

    wait_for_signals(&daemon, path.as_deref(), &shared, &settings).await;
    daemon.draining.store(true, Ordering::Release);
    drain.notify_waiters();
    tracing::info!(open = daemon.open.load(Ordering::Acquire), "draining");
    wait_until_drained(&daemon, settings.drain).await;
    let _ = stop.send(true);
    let _ = tokio::time::timeout(Duration::from_secs(5), servers.join_all()).await;
    drop((daemon, shared));
    tracing::info!("stopped");
    ExitCode::SUCCESS
}

async fn wait_for_signals(daemon: &Daemon, path: Option<&Path>, shared: &Shared, milter: &MilterSettings) {
    let signals = (signal(SignalKind::hangup()), signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut hangup), Ok(mut terminate), Ok(mut interrupt)) = signals else {
        tracing::error!("cannot watch signals");
        return;
    };
    loop {
        tokio::select! {
            _ = hangup.recv() => reload(daemon, path, shared, milter).await,
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
        }
    }
}

/// A checked swap: sessions under way keep the engine that they began with; a faulty file changes nothing.
async fn reload(daemon: &Daemon, path: Option<&Path>, shared: &Shared, milter: &MilterSettings) {
    let default = Path::new(crate::cli::DEFAULT_CONFIG);
    let path = path.or_else(|| default.exists().then_some(default));
    let config = match path.map(config::load).transpose() {
        Ok(config) => config.unwrap_or_default(),
        Err(diagnostics) => {
            for diagnostic in diagnostics {
                tracing::error!("{diagnostic}");
            }
            tracing::error!("reload refused: the configuration in force stays");
            return;
        }
    };
    if config.milter.listeners != milter.listeners {
        tracing::warn!("[milter] listen has changed: restart to listen elsewhere");
    }
    if config.milter.connections != milter.connections || config.milter.drain != milter.drain {
        tracing::warn!("[milter] connections or drain has changed: they hold from the next start on");
    }
    let model = shared.clone();
    let _ = tokio::task::spawn_blocking(move || model.refresh_model()).await;
    match Engine::build(config, shared.clone()).await {
        Ok(engine) => {
            engine.watch_lists();
            daemon.engine.store(engine);
            tracing::info!("reloaded");
        }
        Err(problems) => {
            for problem in problems {
                tracing::error!("{problem}");
            }
            tracing::error!("reload refused: the configuration in force stays");
        }
    }
}

async fn wait_until_drained(daemon: &Daemon, limit: Duration) {
    let drained = async {
        while daemon.open.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The MTA still has to read the last reply and send its ABORT or QUIT.
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    if tokio::time::timeout(limit, drained).await.is_err() {
        let open = daemon.open.load(Ordering::Acquire);
        tracing::warn!(open, "drain time is over: the MTA will defer the messages still open");
    }
}

fn fail(message: &str) -> ExitCode {
    for line in message.lines() {
        tracing::error!("{line}");
    }
    ExitCode::FAILURE
}

/// Unix seconds.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64)
}

fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(now())
}
