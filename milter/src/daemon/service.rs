//! What the daemon tells the service manager, and the sockets that it gets from it (sd_notify(3), sd_listen_fds(3)).
//! Without a service manager nothing of this does anything.

use super::{Daemon, health};
use listenfd::ListenFd;
use sd_notify::NotifyState;
use std::{
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// How often the status line is renewed where no watchdog sets the pace.
const STATUS_EVERY: Duration = Duration::from_secs(30);

/// A socket that the service manager has opened for us.
pub(super) enum Given {
    Tcp(TcpListener, Option<SocketAddr>),
    Unix(UnixListener, Option<PathBuf>),
}

impl std::fmt::Display for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Given::Tcp(_, Some(address)) => write!(f, "inet:{address}"),
            Given::Unix(_, Some(path)) => write!(f, "unix:{}", path.display()),
            Given::Tcp(_, None) | Given::Unix(_, None) => f.write_str("a socket without name"),
        }
    }
}

/// The sockets given to this process (LISTEN_FDS), ready for tokio.
pub(super) fn sockets() -> Vec<Given> {
    let mut given = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..given.len() {
        let socket = match given.take_unix_listener(index) {
            Ok(Some(socket)) => socket.set_nonblocking(true).map(|()| {
                let path = socket.local_addr().ok().and_then(|a| a.as_pathname().map(Into::into));
                Given::Unix(socket, path)
            }),
            _ => given.take_tcp_listener(index).and_then(|socket| {
                let socket = socket.ok_or(std::io::ErrorKind::NotFound)?;
                socket.set_nonblocking(true)?;
                let address = socket.local_addr().ok();
                Ok(Given::Tcp(socket, address))
            }),
        };
        match socket {
            Ok(socket) => sockets.push(socket),
            Err(error) => tracing::warn!(index, %error, "a socket of the service manager is of no use; it is left"),
        }
    }
    sockets
}

/// Start has ended well: mail is answered.
pub(super) fn ready() {
    notify(&[NotifyState::Ready, NotifyState::Status("judging mail")]);
}

/// A reload begins; [`reloaded`] must follow.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(_) => notify(&[NotifyState::Reloading]),
    }
}

/// The reload is over, well or not.
pub(super) fn reloaded(done: bool) {
    let status = if done { "judging mail" } else { "reload refused: the configuration before it stays in force" };
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The daemon drains and will end.
pub(super) fn stopping(open: usize) {
    notify(&[NotifyState::Stopping, NotifyState::Status(&format!("ending; messages under way: {open}"))]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}

/// Renews the status line, and pets the watchdog as long as messages are judged.
pub(super) async fn keep_alive(daemon: Arc<Daemon>) {
    // Half of the limit, as sd_watchdog_enabled(3) recommends.
    let watchdog = sd_notify::watchdog_enabled().map(|limit| limit / 2);
    let mut judged = 0;
    loop {
        if watchdog.is_some() {
            match health::answers(&daemon).await {
                true => notify(&[NotifyState::Watchdog]),
                false => tracing::error!("the threads that judge messages do not answer"),
            }
        }
        let (now, open) = (daemon.metrics.judged(), daemon.metrics.open_connections());
        if now != judged && !daemon.is_draining() {
            judged = now;
            notify(&[NotifyState::Status(&format!("messages judged: {judged}; connections open: {open}"))]);
        }
        tokio::time::sleep(watchdog.unwrap_or(STATUS_EVERY)).await;
    }
}
