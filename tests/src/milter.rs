//! The MTA's side of the milter protocol (version 6), as Postfix speaks it: for what Postfix cannot be made to send, and
//! for measuring the daemon alone.

mod dialogue;
mod parts;

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub use dialogue::{Dialogue, Transport};
pub use parts::Parts;

/// How long one answer may take.
const READ_LIMIT: Duration = Duration::from_secs(60);

/// What the filter answered to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Continue,
    /// Take the message, with the edits sent before.
    Accept,
    /// Take it and throw it away.
    Discard,
    /// 5xx with the MTA's own text.
    Reject,
    /// 4xx with the MTA's own text.
    Tempfail,
    /// This reply, code and all.
    Reply(String),
    /// No more of the body is wanted.
    Skip,
}

impl Answer {
    /// Whether the message is, or may still be, taken.
    pub fn is_positive(&self) -> bool {
        matches!(self, Answer::Continue | Answer::Accept | Answer::Skip)
    }

    /// The code of the reply that a client hears, 0 if it hears none.
    pub fn code(&self) -> u16 {
        match self {
            Answer::Reply(text) => text.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0),
            Answer::Reject => 550,
            Answer::Tempfail => 451,
            _ => 0,
        }
    }
}

trait Stream: Read + Write + Send {
    fn set_patience(&self, limit: Duration) -> io::Result<()>;
}

impl Stream for UnixStream {
    fn set_patience(&self, limit: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(limit))
    }
}

impl Stream for TcpStream {
    fn set_patience(&self, limit: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(limit))
    }
}

/// A stream whose calls return when they are done.
struct Blocking(Box<dyn Stream>);

impl Transport for Blocking {
    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    async fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(bytes)
    }
}

/// What a dialogue over a blocking stream comes to.
fn done<T>(dialogue: impl Future<Output = T>) -> T {
    match pin!(dialogue).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("a blocking stream is never pending"),
    }
}

/// A connection to a filter whose calls block.
#[derive(Debug)]
pub struct MilterClient(Dialogue<Blocking>);

impl MilterClient {
    /// Connects to a unix socket and negotiates.
    pub fn unix(path: &Path) -> io::Result<MilterClient> {
        MilterClient::negotiate(Box::new(UnixStream::connect(path)?))
    }

    /// Connects over TCP and negotiates.
    pub fn tcp(address: SocketAddr) -> io::Result<MilterClient> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        MilterClient::negotiate(Box::new(stream))
    }

    fn negotiate(stream: Box<dyn Stream>) -> io::Result<MilterClient> {
        stream.set_patience(READ_LIMIT)?;
        done(Dialogue::negotiate(Blocking(stream))).map(MilterClient)
    }

    /// How long one answer may take from now on; 60 s unless told.
    ///
    /// # Panics
    /// If `limit` is zero.
    pub fn set_patience(&mut self, limit: Duration) {
        self.0.transport().0.set_patience(limit).expect("a timeout above zero can be set");
    }

    /// The queue id of the next messages.
    pub fn set_queue_id(&mut self, id: impl Into<String>) {
        self.0.set_queue_id(id);
    }

    /// A client connects to the MTA and says EHLO.
    pub fn hello(&mut self, client: IpAddr, helo: &str) -> io::Result<Answer> {
        done(self.0.hello(client, helo))
    }

    /// MAIL; the address without brackets.
    pub fn mail(&mut self, from: &str) -> io::Result<Answer> {
        done(self.0.mail(from))
    }

    /// RCPT; the address without brackets.
    pub fn rcpt(&mut self, to: &str) -> io::Result<Answer> {
        done(self.0.rcpt(to))
    }

    /// The message, header and body, and the answer to its end.
    pub fn message(&mut self, parts: &Parts) -> io::Result<Answer> {
        done(self.0.message(parts))
    }

    /// The message without its end. [`Answer::Skip`] if no more of it is wanted.
    pub fn begin_message(&mut self, parts: &Parts) -> io::Result<Answer> {
        done(self.0.begin_message(parts))
    }

    /// The end of the message begun before, and the answer to it.
    pub fn end_message(&mut self) -> io::Result<Answer> {
        done(self.0.end_message())
    }

    /// Drops the transaction; the connection stays.
    pub fn abort(&mut self) -> io::Result<()> {
        done(self.0.abort())
    }

    /// The client has gone; the next one comes over the same connection (QUIT_NC).
    pub fn quit_for_next_client(&mut self) -> io::Result<()> {
        done(self.0.quit_for_next_client())
    }

    /// Says goodbye.
    pub fn quit(self) -> io::Result<()> {
        done(self.0.quit())
    }

    /// The edits that came with the last answer: letter (`i` insert header, `m` change header, `-` remove recipient,
    /// `q` quarantine) and arguments.
    pub fn edits(&self) -> &[(char, Vec<u8>)] {
        self.0.edits()
    }
}
