//! One client address with its connection.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mailward_tests::milter::{Answer, Dialogue, Parts, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Messages on one connection.
const PER_CONNECTION: usize = 10;
/// How long one message may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Taken,
    Deferred,
    Refused,
    /// The connection ended without an answer.
    Broken,
}

struct Connection(UnixStream);

impl Transport for Connection {
    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }

    async fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(bytes).await.map(|_| ())
    }
}

pub(crate) struct Sender {
    socket: PathBuf,
    address: IpAddr,
    client: Option<(Dialogue<Connection>, usize)>,
}

impl Sender {
    pub(crate) fn new(socket: &Path, address: IpAddr) -> Sender {
        Sender { socket: socket.to_owned(), address, client: None }
    }

    /// Sends a message, on a new connection if there is none or it has been used often.
    pub(crate) async fn send(&mut self, parts: &Parts, id: &str) -> Outcome {
        match tokio::time::timeout(PATIENCE, self.talk(parts, id)).await {
            Ok(Ok(answer)) if answer.is_positive() => Outcome::Taken,
            Ok(Ok(answer)) if answer.code() / 100 == 5 => Outcome::Refused,
            Ok(Ok(_)) => Outcome::Deferred,
            Ok(Err(_)) | Err(_) => {
                self.client = None;
                Outcome::Broken
            }
        }
    }

    async fn talk(&mut self, parts: &Parts, id: &str) -> io::Result<Answer> {
        let (mut client, sent) = match self.client.take() {
            Some(connected) => connected,
            None => {
                let mut client = Dialogue::negotiate(Connection(UnixStream::connect(&self.socket).await?)).await?;
                let answer = client.hello(self.address, "mail.example.net").await?;
                if !answer.is_positive() {
                    return Ok(answer);
                }
                (client, 0)
            }
        };
        client.set_queue_id(id);
        let mut answer = client.mail(&format!("{id}@example.net")).await?;
        if answer.is_positive() {
            answer = client.rcpt("alice@rig.test").await?;
        }
        if answer.is_positive() {
            answer = client.message(parts).await?;
        }
        // An MTA ends the session after 421.
        if answer.code() == 421 || sent + 1 == PER_CONNECTION {
            client.quit().await?;
        } else {
            self.client = Some((client, sent + 1));
        }
        Ok(answer)
    }
}
