//! The milter daemon: listeners, reload, drain.

mod callbacks;
mod edits;
mod health;
mod lanes;
mod listener;
mod metrics;
mod negotiate;
mod packets;
mod report;
mod service;
mod shadow;
mod stream;

use arc_swap::{ArcSwap, ArcSwapOption};
use lanes::{End, Lanes, Pings};
use listener::{Bound, Place};
use mailward_core::{
    config::{
        self, Config,
        metrics::MetricsAddress,
        sections::{Listener, MilterSettings},
    },
    engine::{Engine, Shared},
    session::RefuseAt,
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, watch},
};

/// What all connections share.
pub(crate) struct Daemon {
    engine: ArcSwap<Engine>,
    shadow: ArcSwapOption<shadow::Shadow>,
    metrics: Arc<metrics::Metrics>,
    record_dir: Option<PathBuf>,
    open: Arc<AtomicUsize>,
    draining: AtomicBool,
    /// Set when the threads for connections have started.
    pings: OnceLock<Pings>,
}

/// The place of one transaction among those that a drain waits for.
pub(crate) struct OpenTransaction(Arc<AtomicUsize>);

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Daemon {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// `None` while the daemon drains.
    fn open_transaction(&self) -> Option<OpenTransaction> {
        self.open.fetch_add(1, Ordering::AcqRel);
        let place = OpenTransaction(Arc::clone(&self.open));
        (!self.draining.load(Ordering::Acquire)).then_some(place)
    }
}

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(config: Config, path: Option<PathBuf>, record_dir: Option<PathBuf>) -> ExitCode {
    // First of all: until then a signal would end the process as it stands.
    let mut signals = match Signals::watch() {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("cannot watch signals: {error}")),
    };
    let settings = config.milter.clone();
    let metrics_address = config.metrics.listen.clone();
    let counts = Arc::new(metrics::Metrics::default());
    counts.configured(&config, path.as_deref(), now());
    let shared = match Shared::open(&config) {
        Ok(shared) => shared,
        Err(error) => return fail(&error),
    };
    let kept = config.clone();
    let engine = match Engine::build(config, shared.clone()).await {
        Ok(engine) => engine,
        Err(problems) => return fail(&problems.join("\n")),
    };
    let shadow = shadow::Shadow::start(&kept, &engine, &shared, &counts).await;
    engine.watch_lists();
    engine.wake_notices().await;
    engine.watch_stores();
    shared.watch_model();
    shared.watch_load();
    let daemon = Arc::new(Daemon {
        engine: ArcSwap::from(engine),
        shadow: ArcSwapOption::from(shadow),
        metrics: counts,
        record_dir,
        open: Arc::default(),
        draining: AtomicBool::new(false),
        pings: OnceLock::new(),
    });

    let (stop, stopped) = watch::channel(false);
    let drain = Arc::new(Notify::new());
    let (places, given_for_metrics) = places(&settings, metrics_address.as_ref());
    let mut listeners = Vec::new();
    for (place, refuse_at) in places {
        let address = place.to_string();
        match Bound::at(place, &settings) {
            Ok(listener) => listeners.push((listener, refuse_at)),
            Err(error) => return fail(&cannot_listen(&address, "[milter]", &error)),
        }
        tracing::info!(%address, "listening");
    }
    let end = End { drain: Arc::clone(&drain), stopped };
    let mut lanes = match Lanes::start(threads(&settings), &listeners, settings.connections, &daemon, &end) {
        Ok((lanes, pings)) => {
            let _ = daemon.pings.set(pings);
            lanes
        }
        Err(error) => return fail(&format!("cannot start threads for connections: {error}")),
    };
    // The threads have their own handles; a socket is closed when the last of them is.
    drop(listeners);
    if let Some(address) = &metrics_address {
        let socket = match listener::metrics_socket(address, given_for_metrics).await {
            Ok(socket) => socket,
            Err(error) => return fail(&cannot_listen(&address.to_string(), "[metrics]", &error)),
        };
        tracing::info!(%address, "serving metrics");
        tokio::spawn(metrics::server::serve(socket, Arc::clone(&daemon), shared.clone()));
    }
    service::ready();
    let keep_alive = tokio::spawn(service::keep_alive(Arc::clone(&daemon)));

    signals.wait(&daemon, path.as_deref(), &shared, &settings).await;
    daemon.draining.store(true, Ordering::Release);
    drain.notify_waiters();
    let open = daemon.open.load(Ordering::Acquire);
    tracing::info!(open, "draining");
    service::stopping(open);
    wait_until_drained(&daemon, settings.drain).await;
    let _ = stop.send(true);
    lanes.ended(Duration::from_secs(5)).await;
    keep_alive.abort();
    drop((daemon, shared));
    tracing::info!("stopped");
    ExitCode::SUCCESS
}

/// Where to listen: on the sockets that the service manager has opened, if it has opened any for us, else on those of
/// the configuration. A given socket at the address of `[metrics]` is for metrics.
fn places(
    settings: &MilterSettings,
    metrics: Option<&MetricsAddress>,
) -> (Vec<(Place, RefuseAt)>, Option<service::Given>) {
    let (mut given, mut for_metrics) = (Vec::new(), None);
    for socket in service::sockets() {
        let is_for_metrics = match (&socket, metrics) {
            (service::Given::Tcp(_, Some(at)), Some(MetricsAddress::Inet(wanted))) => at == wanted,
            (service::Given::Unix(_, Some(at)), Some(MetricsAddress::Unix(wanted))) => at == wanted,
            _ => false,
        };
        match is_for_metrics {
            true => for_metrics = Some(socket),
            false => given.push(socket),
        }
    }
    if given.is_empty() {
        let configured = settings.listeners.iter();
        return (configured.map(|l| (Place::Configured(l.address.clone()), l.refuse_at)).collect(), for_metrics);
    }
    let configured =
        |socket: &service::Given| settings.listeners.iter().find(|l| l.address.to_string() == socket.to_string());
    for Listener { address, .. } in &settings.listeners {
        if !given.iter().any(|socket| socket.to_string() == address.to_string()) {
            tracing::info!(%address, "not listening there: the service manager has opened other sockets");
        }
    }
    let otherwise = settings.listeners.first().map_or(RefuseAt::Rcpt, |l| l.refuse_at);
    let given = given.into_iter().map(|socket| {
        let refuse_at = configured(&socket).map_or(otherwise, |l| l.refuse_at);
        (Place::Given(socket), refuse_at)
    });
    (given.collect(), for_metrics)
}

/// How many threads serve connections.
fn threads(settings: &MilterSettings) -> usize {
    match settings.workers {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
        workers => workers,
    }
}

fn cannot_listen(address: &str, section: &str, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "cannot listen on {address}: another process listens there; end it, or set another listen in {section}"
        ),
        _ => format!("cannot listen on {address}: {error}"),
    }
}

/// What the daemon is told from outside. A signal that comes early waits.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn watch() -> std::io::Result<Self> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Reloads whenever it is asked to, until the daemon is to end.
    async fn wait(&mut self, daemon: &Daemon, path: Option<&Path>, shared: &Shared, milter: &MilterSettings) {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => {
                    service::reloading();
                    let done = reload(daemon, path, shared, milter).await;
                    daemon.metrics.reloaded(done);
                    service::reloaded(done);
                }
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
            }
        }
    }
}

/// A checked swap: sessions under way keep the engine that they began with; a faulty file changes nothing.
async fn reload(daemon: &Daemon, path: Option<&Path>, shared: &Shared, milter: &MilterSettings) -> bool {
    let default = Path::new(crate::cli::DEFAULT_CONFIG);
    let path = path.or_else(|| default.exists().then_some(default));
    let config = match path.map(config::load).transpose() {
        Ok(config) => config.unwrap_or_default(),
        Err(diagnostics) => {
            for diagnostic in diagnostics {
                tracing::error!("{diagnostic}");
            }
            tracing::error!("reload refused: the configuration in force stays");
            return false;
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
    let kept = config.clone();
    match Engine::build(config, shared.clone()).await {
        Ok(engine) => {
            engine.watch_lists();
            engine.watch_stores();
            daemon.shadow.store(shadow::Shadow::start(&kept, &engine, shared, &daemon.metrics).await);
            daemon.engine.store(engine);
            daemon.metrics.configured(&kept, path, now());
            tracing::info!("reloaded");
            true
        }
        Err(problems) => {
            for problem in problems {
                tracing::error!("{problem}");
            }
            tracing::error!("reload refused: the configuration in force stays");
            false
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
