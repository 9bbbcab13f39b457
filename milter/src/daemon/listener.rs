//! Sockets that MTAs connect to.

use super::{
    metrics::server,
    service::Given,
    stream::{Io, Stream},
};
use mailward_core::config::{
    metrics::MetricsAddress,
    sections::{ListenAddress, MilterSettings},
};
use std::{
    future::Future,
    io, net,
    os::unix::{
        self,
        fs::{FileTypeExt, PermissionsExt},
    },
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::Notify,
    time::Sleep,
};

/// How long a listener rests after `accept` failed (out of descriptors, say), so that it does not spin.
const REST_AFTER_ERROR: Duration = Duration::from_millis(200);

/// A listener that survives every error of `accept` and stops accepting when told to drain.
///
/// indymilter ends its `run` at the first error of `accept` (seen with EMFILE and ECONNABORTED), which would end the
/// daemon for one descriptor too few.
pub(crate) struct Hardy {
    /// `None` once drained: a closed socket tells the MTA at once, a silent one would let it wait.
    socket: Option<Socket>,
    resting: Option<Pin<Box<Sleep>>>,
    draining: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Where to listen.
pub(crate) enum Place {
    Configured(ListenAddress),
    /// Opened by the service manager.
    Given(Given),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Configured(address) => address.fmt(f),
            Place::Given(socket) => socket.fmt(f),
        }
    }
}

/// A socket that listens, for any number of threads.
pub(crate) enum Bound {
    Tcp(net::TcpListener),
    Unix(unix::net::UnixListener),
}

impl Bound {
    pub(crate) fn at(place: Place, settings: &MilterSettings) -> io::Result<Self> {
        let bound = match place {
            Place::Configured(ListenAddress::Inet(address)) => Bound::Tcp(net::TcpListener::bind(address.as_str())?),
            Place::Configured(ListenAddress::Unix(path)) => {
                let listener = bind_unix(&path)?;
                give_access(&path, settings)?;
                Bound::Unix(listener)
            }
            Place::Given(Given::Tcp(socket, _)) => Bound::Tcp(socket),
            Place::Given(Given::Unix(socket, _)) => Bound::Unix(socket),
        };
        match &bound {
            Bound::Tcp(listener) => listener.set_nonblocking(true)?,
            Bound::Unix(listener) => listener.set_nonblocking(true)?,
        }
        Ok(bound)
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Bound::Tcp(listener) => Bound::Tcp(listener.try_clone()?),
            Bound::Unix(listener) => Bound::Unix(listener.try_clone()?),
        })
    }
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Hardy {
    /// Accepts on the runtime of this thread.
    pub(crate) fn new(listener: Bound, drain: Arc<Notify>) -> io::Result<Self> {
        let socket = match listener {
            Bound::Tcp(listener) => Socket::Tcp(TcpListener::from_std(listener)?),
            Bound::Unix(listener) => Socket::Unix(UnixListener::from_std(listener)?),
        };
        let draining = Box::pin(async move { drain.notified().await });
        Ok(Hardy { socket: Some(socket), resting: None, draining })
    }
}

/// Binds a socket file. A file left by a crash is replaced; a socket that somebody answers on is not.
fn bind_unix(path: &Path) -> io::Result<unix::net::UnixListener> {
    if std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket()) {
        if unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on this socket"));
        }
        std::fs::remove_file(path)?;
    }
    unix::net::UnixListener::bind(path)
}

/// The socket for scrapers: the one given, or the configured address.
pub(crate) async fn metrics_socket(address: &MetricsAddress, given: Option<Given>) -> io::Result<server::Socket> {
    Ok(match (given, address) {
        (Some(Given::Tcp(socket, _)), _) => server::Socket::Tcp(TcpListener::from_std(socket)?),
        (Some(Given::Unix(socket, _)), _) => server::Socket::Unix(UnixListener::from_std(socket)?),
        (None, MetricsAddress::Inet(address)) => server::Socket::Tcp(TcpListener::bind(address).await?),
        (None, MetricsAddress::Unix(path)) => {
            let socket = bind_unix(path)?;
            socket.set_nonblocking(true)?;
            server::Socket::Unix(UnixListener::from_std(socket)?)
        }
    })
}

fn give_access(path: &Path, settings: &MilterSettings) -> io::Result<()> {
    if let Some(group) = &settings.socket_group {
        let id = group_id(group)?;
        unix::fs::chown(path, None, Some(id))?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(settings.socket_mode))
}

fn group_id(group: &str) -> io::Result<u32> {
    if let Ok(id) = group.parse() {
        return Ok(id);
    }
    std::fs::read_to_string("/etc/group")?
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&group))
        .and_then(|fields| fields.get(2)?.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no group \"{group}\" in /etc/group")))
}

impl indymilter::Listener for Hardy {
    type Io = Stream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        if self.socket.is_some() && self.draining.as_mut().poll(cx).is_ready() {
            self.socket = None;
        }
        let Some(socket) = &self.socket else { return Poll::Pending };
        loop {
            if let Some(rest) = &mut self.resting {
                if rest.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.resting = None;
            }
            let accepted = match socket {
                Socket::Tcp(listener) => listener.poll_accept(cx).map_ok(|(stream, _)| {
                    let _ = stream.set_nodelay(true);
                    Stream::new(Io::Tcp(stream))
                }),
                Socket::Unix(listener) => listener.poll_accept(cx).map_ok(|(stream, _)| Stream::new(Io::Unix(stream))),
            };
            match accepted {
                Poll::Ready(Err(error)) => {
                    tracing::warn!(%error, "cannot accept a connection; resting");
                    self.resting = Some(Box::pin(tokio::time::sleep(REST_AFTER_ERROR)));
                }
                other => return other,
            }
        }
    }
}
