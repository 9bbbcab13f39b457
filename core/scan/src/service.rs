//! The process that serves the socket. It holds bytes on their way and looks at none.

use crate::{exit, fail, loaded::Loaded};
use arc_swap::ArcSwap;
use mailward_core::{
    lookup::scan::{Pool, frame_length, greeting, read_rest, write_frame},
    malware::{self, ScanAnswer},
};
use sd_notify::NotifyState;
use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net,
    },
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    signal::unix::{Signal, SignalKind, signal},
    sync::Semaphore,
    time::{sleep, timeout},
};

/// Most connections at a time; more wait to be accepted. Unit: connections. Source: our own limit.
const CONNECTIONS: u32 = 1_024;
/// How long a connection may ask nothing.
const IDLE_TIME: Duration = Duration::from_secs(60);
/// How long the bytes of a request, and those of its answer, may take. Both sides are on one host.
const TRANSFER_TIME: Duration = Duration::from_secs(2);
/// How long a request may wait for a process: no door waits longer for its answer. Source: `[deadlines] message`, 20 s.
const TURN_TIME: Duration = Duration::from_secs(20);
/// How much longer than `[malware] yara_time` a scan may take before its process is ended: YARA counts whole seconds, and
/// unpacking comes on top, which has bounds of bytes and tries, not of time; it takes seconds on a slow host. Source: our own limit;
/// with the default time it ends before doors give up (`[deadlines] message`, 20 s).
const GRACE: Duration = Duration::from_secs(12);
/// How long scans under way may take to end when the service ends.
const DRAIN_TIME: Duration = Duration::from_secs(10);
/// How long nothing is accepted after that has failed.
const REST_AFTER_ERROR: Duration = Duration::from_millis(100);

/// Where configuration and socket are.
pub(crate) struct Place {
    pub(crate) config: Option<PathBuf>,
    pub(crate) listen: PathBuf,
}

/// The processes of one configuration.
struct Scanners {
    pool: Pool,
    greeting: String,
    message_bytes: u64,
}

impl Scanners {
    async fn start(loaded: &Loaded, processes: u32) -> Result<Scanners, String> {
        let command = || {
            let mut command = Command::new("/proc/self/exe");
            command.arg("--worker").env_clear();
            command
        };
        let settings = &loaded.config.malware;
        Ok(Scanners {
            pool: Pool::start(command, loaded.frames(), processes, settings.yara_time + GRACE).await?,
            greeting: greeting(&malware::rules(settings), env!("CARGO_PKG_VERSION")),
            message_bytes: loaded.message_bytes(),
        })
    }
}

pub(crate) fn run(place: Place, loaded: &Loaded, processes: u32) -> ExitCode {
    // It moves bytes: the processors are for those that scan.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(serve(place, loaded, processes)),
        Err(error) => fail(exit::TROUBLE, &format!("cannot start: {error}")),
    }
}

async fn serve(place: Place, loaded: &Loaded, processes: u32) -> ExitCode {
    let signals = [SignalKind::hangup(), SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let [Ok(mut hangup), Ok(mut terminate), Ok(mut interrupt)] = signals else {
        return fail(exit::TROUBLE, "cannot watch signals");
    };
    let scanners = match Scanners::start(loaded, processes).await {
        Ok(scanners) => Arc::new(ArcSwap::from_pointee(scanners)),
        Err(why) => return fail(exit::TROUBLE, &why),
    };
    let listener = match bind(&place.listen) {
        Ok(listener) => listener,
        Err(error) => {
            let why = format!("cannot listen on {}: {error}; choose another with --listen", place.listen.display());
            return fail(exit::TROUBLE, &why);
        }
    };
    tracing::info!(listen = %place.listen.display(), processes, "scanning");
    tell(&[NotifyState::Ready]);
    let connections = Arc::new(Semaphore::new(CONNECTIONS as usize));
    {
        let serving = async {
            loop {
                accept(&listener, &connections, &scanners).await;
            }
        };
        // One after the other, while the old processes scan on.
        let reloading = async {
            while hangup.recv().await.is_some() {
                reload(&place, &scanners, processes).await;
            }
        };
        tokio::select! {
            () = serving => {}
            () = reloading => {}
            () = either(&mut terminate, &mut interrupt) => {}
        }
    }
    tell(&[NotifyState::Stopping]);
    drop(listener);
    let _ = fs::remove_file(&place.listen);
    // Connections that ask nothing are not waited for: only processes at work are.
    if timeout(DRAIN_TIME, scanners.load().pool.close()).await.is_err() {
        tracing::warn!("scans are still under way; they are ended");
    }
    ExitCode::from(exit::OK)
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! { _ = one.recv() => {}, _ = other.recv() => {} }
}

/// Binds the socket. A file left by a crash is replaced; a socket that somebody answers on is not.
fn bind(path: &Path) -> io::Result<UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket()) {
        if net::UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on this socket"));
        }
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

async fn accept(listener: &UnixListener, connections: &Arc<Semaphore>, scanners: &Arc<ArcSwap<Scanners>>) {
    let Ok(place) = Arc::clone(connections).acquire_owned().await else { return };
    match listener.accept().await {
        Ok((stream, _)) => {
            // A connection is served by what it was greeted with.
            let scanners = scanners.load_full();
            tokio::spawn(async move {
                let _place = place;
                if let Err(error) = converse(stream, &scanners).await {
                    tracing::debug!(%error, "a connection has ended");
                }
            });
        }
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection; resting");
            sleep(REST_AFTER_ERROR).await;
        }
    }
}

async fn converse(mut stream: UnixStream, scanners: &Scanners) -> io::Result<()> {
    timeout(TRANSFER_TIME, stream.write_all(scanners.greeting.as_bytes())).await??;
    loop {
        let bytes = match timeout(IDLE_TIME, stream.read_u64_le()).await {
            Ok(bytes) => frame_length(bytes?, scanners.message_bytes)?,
            Err(_) => return Ok(()),
        };
        // Only who has a process may bring its message: memory is bounded by processes, not by connections.
        let turn = timeout(TURN_TIME, scanners.pool.turn()).await?;
        let raw = timeout(TRANSFER_TIME, read_rest(&mut stream, bytes)).await??;
        let answer = match scanners.pool.ask(turn, &raw).await {
            Ok(answer) => answer,
            Err(why) => serde_json::to_vec(&ScanAnswer::Err(why))?,
        };
        timeout(TRANSFER_TIME, write_frame(&mut stream, &answer)).await??;
    }
}

/// Another set of processes, if they start; the old ones end with the last connection that they serve.
async fn reload(place: &Place, scanners: &Arc<ArcSwap<Scanners>>, processes: u32) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
    let started = async { Scanners::start(&Loaded::read(place.config.as_deref())?, processes).await };
    match started.await {
        Ok(fresh) => {
            scanners.store(Arc::new(fresh));
            tracing::info!("reloaded");
        }
        Err(why) => {
            why.lines().for_each(|line| tracing::error!("{line}"));
            tracing::error!("reload refused: the configuration in force stays");
        }
    }
    tell(&[NotifyState::Ready]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
