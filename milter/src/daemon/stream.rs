//! The bytes of one connection of an MTA.

use super::packets::Incoming;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};

/// A connection of an MTA, as indymilter reads and writes it.
pub(crate) struct Stream {
    io: Io,
    incoming: Incoming,
    outgoing: Outgoing,
}

pub(super) enum Io {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// From how many waiting bytes on edits are written without waiting for the answer.
const HELD_MAX_BYTES: usize = 262_144;

/// Packets to the MTA. Edits wait for the answer that follows them: indymilter would write each by itself, and the MTA
/// wake up for it.
#[derive(Default)]
struct Outgoing {
    /// What is not written yet, from `written` on.
    held: Vec<u8>,
    written: usize,
    /// Where the packets begin that came since the last flush.
    unflushed: usize,
}

impl Stream {
    pub(super) fn new(io: Io) -> Self {
        Stream { io, incoming: Incoming::default(), outgoing: Outgoing::default() }
    }
}

impl Outgoing {
    /// Whether all that was handed over since the last flush are edits. A flush follows every packet.
    fn is_edit(&self) -> bool {
        self.held.get(self.unflushed + 4).is_some_and(|letter| b"+-2behimq".contains(letter))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        stream.incoming.poll_read(&mut stream.io, cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().outgoing.held.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Stream { io, outgoing, .. } = self.get_mut();
        if outgoing.is_edit() && outgoing.held.len() < HELD_MAX_BYTES {
            outgoing.unflushed = outgoing.held.len();
            return Poll::Ready(Ok(()));
        }
        while outgoing.written < outgoing.held.len() {
            match ready!(Pin::new(&mut *io).poll_write(cx, &outgoing.held[outgoing.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => outgoing.written += count,
            }
        }
        outgoing.held.clear();
        outgoing.written = 0;
        outgoing.unflushed = 0;
        Pin::new(io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Io::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Io::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Io::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Io::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
