//! One client address with its connection.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use mailward_tests::milter::{Answer, MilterClient, Parts};

/// Messages on one connection.
const PER_CONNECTION: usize = 10;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Taken,
    Deferred,
    Refused,
    /// The connection ended without an answer.
    Broken,
}

pub(crate) struct Sender {
    socket: PathBuf,
    address: IpAddr,
    client: Option<(MilterClient, usize)>,
}

impl Sender {
    pub(crate) fn new(socket: &Path, address: IpAddr) -> Sender {
        Sender { socket: socket.to_owned(), address, client: None }
    }

    /// Sends a message, on a new connection if there is none or it has been used often.
    pub(crate) fn send(&mut self, parts: &Parts, id: &str) -> Outcome {
        match self.talk(parts, id) {
            Ok(answer) if answer.is_positive() => Outcome::Taken,
            Ok(answer) if answer.code() / 100 == 5 => Outcome::Refused,
            Ok(_) => Outcome::Deferred,
            Err(_) => {
                self.client = None;
                Outcome::Broken
            }
        }
    }

    fn talk(&mut self, parts: &Parts, id: &str) -> io::Result<Answer> {
        let (mut client, sent) = match self.client.take() {
            Some(connected) => connected,
            None => {
                let mut client = MilterClient::unix(&self.socket)?;
                let answer = client.hello(self.address, "mail.example.net")?;
                if !answer.is_positive() {
                    return Ok(answer);
                }
                (client, 0)
            }
        };
        client.set_queue_id(id);
        let mut answer = client.mail(&format!("{id}@example.net"))?;
        if answer.is_positive() {
            answer = client.rcpt("alice@rig.test")?;
        }
        if answer.is_positive() {
            answer = client.message(parts)?;
        }
        // An MTA ends the session after 421.
        if answer.code() == 421 || sent + 1 == PER_CONNECTION {
            client.quit()?;
        } else {
            self.client = Some((client, sent + 1));
        }
        Ok(answer)
    }
}
