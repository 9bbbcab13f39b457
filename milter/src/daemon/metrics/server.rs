//! `/metrics`, `/healthz` and `/readyz` on a loopback socket. Whoever connects gets little: few connections at a time,
//! each for a few seconds, so that scrapers that are slow or stuck cost the mail path nothing.

use super::exposition::{self, Exposition};
use crate::daemon::{Daemon, health};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
    serve::Listener,
};
use mailward_core::engine::Shared;
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Sleep,
};

/// Most connections at a time; further ones wait. Unit: connections. Source: our own; a site has one or two scrapers.
const CONNECTIONS: usize = 8;
/// How long a connection may last, whatever it does. Source: Prometheus gives up a scrape after 10 s by default.
const LASTS: Duration = Duration::from_secs(5);
/// How long a listener rests after `accept` failed.
const REST_AFTER_ERROR: Duration = Duration::from_secs(1);
/// Media type of the text. Source: OpenMetrics 1.0.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the pages are made from.
#[derive(Clone)]
struct Pages {
    daemon: Arc<Daemon>,
    shared: Shared,
    started: i64,
}

/// Serves until the daemon ends.
pub(in crate::daemon) async fn serve(socket: Socket, daemon: Arc<Daemon>, shared: Shared) {
    let pages = Pages { daemon, shared, started: crate::daemon::now() };
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(pages);
    let listener = Bounded { socket, places: Arc::new(Semaphore::new(CONNECTIONS)) };
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "metrics are not served any more");
    }
}

async fn metrics(State(pages): State<Pages>) -> Response {
    let exposition =
        Exposition { metrics: Arc::clone(&pages.daemon.metrics), shared: pages.shared, started: pages.started };
    match tokio::task::spawn_blocking(move || exposition::scrape(exposition)).await {
        Ok(Ok(text)) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn healthz(State(pages): State<Pages>) -> (StatusCode, &'static str) {
    match health::answers(&pages.daemon).await {
        true => (StatusCode::OK, "alive\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "the threads that judge messages do not answer\n"),
    }
}

async fn readyz(State(pages): State<Pages>) -> (StatusCode, &'static str) {
    match pages.daemon.is_draining() {
        false => (StatusCode::OK, "ready\n"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

/// Where scrapers connect.
pub(in crate::daemon) enum Socket {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

/// Accepts no more connections than it has places, and ends each in time.
struct Bounded {
    socket: Socket,
    places: Arc<Semaphore>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection that ends in time.
struct Brief {
    stream: Box<dyn Stream>,
    end: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Listener for Bounded {
    type Io = Brief;
    type Addr = ();

    async fn accept(&mut self) -> (Brief, ()) {
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        loop {
            let accepted: io::Result<Box<dyn Stream>> = match &self.socket {
                Socket::Tcp(socket) => socket.accept().await.map(|(stream, _)| Box::new(stream) as Box<dyn Stream>),
                Socket::Unix(socket) => socket.accept().await.map(|(stream, _)| Box::new(stream) as Box<dyn Stream>),
            };
            match accepted {
                Ok(stream) => return (Brief { stream, end: Box::pin(tokio::time::sleep(LASTS)), _place: place }, ()),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection for metrics; resting");
                    tokio::time::sleep(REST_AFTER_ERROR).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Brief {
    fn is_over(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Brief {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.is_over(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Brief {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.is_over(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_over(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_over(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
