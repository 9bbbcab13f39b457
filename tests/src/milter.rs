//! The MTA's side of the milter protocol (version 6), as Postfix speaks it: for what Postfix cannot be made to send, and
//! for measuring the daemon alone.

mod parts;

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

pub use parts::Parts;

/// Edits that Postfix offers (`SMFIF_…`): all.
const ACTIONS: u32 = 0x1ff;
/// Options that Postfix offers (`SMFIP_…`): all.
const OPTIONS: u32 = 0x1f_ffff;
const NO_REPLY_HEADER: u32 = 0x80;
const NO_REPLY_CONNECT: u32 = 0x1000;
const NO_REPLY_HELO: u32 = 0x2000;
const NO_REPLY_MAIL: u32 = 0x4000;
const NO_REPLY_RCPT: u32 = 0x8000;
const NO_REPLY_END_OF_HEADER: u32 = 0x4_0000;
const NO_REPLY_BODY: u32 = 0x8_0000;
const LEADING_SPACE: u32 = 0x10_0000;

/// Largest piece of a body. Unit: bytes. Source: `MILTER_CHUNK_SIZE` of libmilter.
const PIECE: usize = 65_535;

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

/// A connection to a filter. Commands are collected and sent when an answer is due, as Postfix does.
pub struct MilterClient {
    stream: Box<dyn Stream>,
    waiting: Vec<u8>,
    options: u32,
    queue_id: String,
    /// Edits that came with the last answer: their letter and arguments.
    edits: Vec<(char, Vec<u8>)>,
}

impl std::fmt::Debug for MilterClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MilterClient").field("options", &self.options).finish_non_exhaustive()
    }
}

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
        let queue_id = "4cTest0000zzzz".to_owned();
        let mut client = MilterClient { stream, waiting: Vec::new(), options: 0, queue_id, edits: Vec::new() };
        client.send(b'O', &[&6_u32.to_be_bytes(), &ACTIONS.to_be_bytes(), &OPTIONS.to_be_bytes()]);
        client.flush()?;
        let (letter, offer) = client.read_packet()?;
        let options = offer.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        match (letter, options) {
            (b'O', Some(options)) => client.options = options,
            _ => return Err(io::Error::other(format!("no answer to the negotiation: {:?}", char::from(letter)))),
        }
        Ok(client)
    }

    /// How long one answer may take from now on; 60 s unless told.
    ///
    /// # Panics
    /// If `limit` is zero.
    pub fn set_patience(&mut self, limit: Duration) {
        self.stream.set_patience(limit).expect("a timeout above zero can be set");
    }

    /// The queue id of the next messages.
    pub fn set_queue_id(&mut self, id: impl Into<String>) {
        self.queue_id = id.into();
    }

    /// A client connects to the MTA and says EHLO.
    pub fn hello(&mut self, client: IpAddr, helo: &str) -> io::Result<Answer> {
        self.macros(b'C', &[("j", "mx.rig.test")]);
        let family = if client.is_ipv4() { b"4" } else { b"6" };
        let host = format!("[{client}]\0");
        self.send(b'C', &[host.as_bytes(), family, &25_u16.to_be_bytes(), format!("{client}\0").as_bytes()]);
        let answer = self.answer_unless(NO_REPLY_CONNECT)?;
        if !answer.is_positive() {
            return Ok(answer);
        }
        self.send(b'H', &[helo.as_bytes(), b"\0"]);
        self.answer_unless(NO_REPLY_HELO)
    }

    /// MAIL; the address without brackets.
    pub fn mail(&mut self, from: &str) -> io::Result<Answer> {
        self.send(b'M', &[format!("<{from}>\0").as_bytes()]);
        self.answer_unless(NO_REPLY_MAIL)
    }

    /// RCPT; the address without brackets.
    pub fn rcpt(&mut self, to: &str) -> io::Result<Answer> {
        self.send(b'R', &[format!("<{to}>\0").as_bytes()]);
        self.answer_unless(NO_REPLY_RCPT)
    }

    /// The message, header and body, and the answer to its end.
    pub fn message(&mut self, parts: &Parts) -> io::Result<Answer> {
        let answer = self.begin_message(parts)?;
        if answer.is_positive() { self.end_message() } else { Ok(answer) }
    }

    /// The message without its end. [`Answer::Skip`] if no more of it is wanted.
    pub fn begin_message(&mut self, parts: &Parts) -> io::Result<Answer> {
        let id = self.queue_id.clone();
        self.macros(b'N', &[("i", &id)]);
        let keeps_space = self.options & LEADING_SPACE != 0;
        for (name, value) in &parts.headers {
            let value = if keeps_space { value } else { value.strip_prefix(b" ").unwrap_or(value) };
            self.send(b'L', &[name, b"\0", value, b"\0"]);
            let answer = self.answer_unless(NO_REPLY_HEADER)?;
            if answer != Answer::Continue {
                return Ok(answer);
            }
        }
        self.send(b'N', &[]);
        let answer = self.answer_unless(NO_REPLY_END_OF_HEADER)?;
        if answer != Answer::Continue {
            return Ok(answer);
        }
        for piece in parts.body.chunks(PIECE) {
            self.send(b'B', &[piece]);
            let answer = self.answer_unless(NO_REPLY_BODY)?;
            if answer != Answer::Continue {
                return Ok(answer);
            }
        }
        Ok(Answer::Continue)
    }

    /// The end of the message begun before, and the answer to it.
    pub fn end_message(&mut self) -> io::Result<Answer> {
        let id = self.queue_id.clone();
        self.macros(b'E', &[("i", &id)]);
        self.send(b'E', &[]);
        self.answer()
    }

    /// Drops the transaction; the connection stays.
    pub fn abort(&mut self) -> io::Result<()> {
        self.send(b'A', &[]);
        self.flush()
    }

    /// The client has gone; the next one comes over the same connection (QUIT_NC).
    pub fn quit_for_next_client(&mut self) -> io::Result<()> {
        self.send(b'K', &[]);
        self.flush()
    }

    /// Says goodbye.
    pub fn quit(mut self) -> io::Result<()> {
        self.send(b'Q', &[]);
        self.flush()
    }

    /// The edits that came with the last answer: letter (`i` insert header, `m` change header, `-` remove recipient,
    /// `q` quarantine) and arguments.
    pub fn edits(&self) -> &[(char, Vec<u8>)] {
        &self.edits
    }

    fn macros(&mut self, stage: u8, values: &[(&str, &str)]) {
        let text: String = values.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
        self.send(b'D', &[&[stage], text.as_bytes()]);
    }

    fn send(&mut self, letter: u8, arguments: &[&[u8]]) {
        let length: usize = arguments.iter().map(|argument| argument.len()).sum();
        self.waiting.extend_from_slice(&(length as u32 + 1).to_be_bytes());
        self.waiting.push(letter);
        arguments.iter().for_each(|argument| self.waiting.extend_from_slice(argument));
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }

    fn answer_unless(&mut self, no_reply: u32) -> io::Result<Answer> {
        if self.options & no_reply != 0 { Ok(Answer::Continue) } else { self.answer() }
    }

    fn answer(&mut self) -> io::Result<Answer> {
        self.flush()?;
        self.edits.clear();
        loop {
            let (letter, arguments) = self.read_packet()?;
            return Ok(match letter {
                b'c' => Answer::Continue,
                b'a' => Answer::Accept,
                b'd' => Answer::Discard,
                b'r' => Answer::Reject,
                b't' => Answer::Tempfail,
                b's' => Answer::Skip,
                b'y' => Answer::Reply(String::from_utf8_lossy(&arguments).trim_end_matches('\0').to_owned()),
                b'p' => continue,
                b'+' | b'-' | b'2' | b'b' | b'e' | b'h' | b'i' | b'm' | b'q' => {
                    self.edits.push((char::from(letter), arguments));
                    continue;
                }
                other => return Err(io::Error::other(format!("unknown answer {:?}", char::from(other)))),
            });
        }
    }

    fn read_packet(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut packet = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut packet)?;
        let letter = *packet.first().ok_or_else(|| io::Error::other("an empty packet"))?;
        packet.remove(0);
        Ok((letter, packet))
    }
}
