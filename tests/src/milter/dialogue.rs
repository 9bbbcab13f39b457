//! The words of the protocol, over any transport.

use super::{Answer, Parts};
use std::future::Future;
use std::io;
use std::net::IpAddr;

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

/// What carries the bytes.
pub trait Transport {
    /// Writes all of `bytes`.
    fn write_all(&mut self, bytes: &[u8]) -> impl Future<Output = io::Result<()>>;
    /// Fills `bytes`.
    fn read_exact(&mut self, bytes: &mut [u8]) -> impl Future<Output = io::Result<()>>;
}

/// A connection to a filter. Commands are collected and sent when an answer is due, as Postfix does.
pub struct Dialogue<T> {
    transport: T,
    waiting: Vec<u8>,
    options: u32,
    queue_id: String,
    /// Edits that came with the last answer: their letter and arguments.
    edits: Vec<(char, Vec<u8>)>,
}

impl<T> std::fmt::Debug for Dialogue<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialogue").field("options", &self.options).finish_non_exhaustive()
    }
}

impl<T: Transport> Dialogue<T> {
    /// Negotiates over a fresh connection.
    pub async fn negotiate(transport: T) -> io::Result<Dialogue<T>> {
        let queue_id = "4cTest0000zzzz".to_owned();
        let mut client = Dialogue { transport, waiting: Vec::new(), options: 0, queue_id, edits: Vec::new() };
        client.send(b'O', &[&6_u32.to_be_bytes(), &ACTIONS.to_be_bytes(), &OPTIONS.to_be_bytes()]);
        client.flush().await?;
        let (letter, offer) = client.read_packet().await?;
        let options = offer.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        match (letter, options) {
            (b'O', Some(options)) => client.options = options,
            _ => return Err(io::Error::other(format!("no answer to the negotiation: {:?}", char::from(letter)))),
        }
        Ok(client)
    }

    pub(super) fn transport(&self) -> &T {
        &self.transport
    }

    /// The queue id of the next messages.
    pub fn set_queue_id(&mut self, id: impl Into<String>) {
        self.queue_id = id.into();
    }

    /// A client connects to the MTA and says EHLO.
    pub async fn hello(&mut self, client: IpAddr, helo: &str) -> io::Result<Answer> {
        self.macros(b'C', &[("j", "mx.rig.test")]);
        let family = if client.is_ipv4() { b"4" } else { b"6" };
        let host = format!("[{client}]\0");
        self.send(b'C', &[host.as_bytes(), family, &25_u16.to_be_bytes(), format!("{client}\0").as_bytes()]);
        let answer = self.answer_unless(NO_REPLY_CONNECT).await?;
        if !answer.is_positive() {
            return Ok(answer);
        }
        self.send(b'H', &[helo.as_bytes(), b"\0"]);
        self.answer_unless(NO_REPLY_HELO).await
    }

    /// MAIL; the address without brackets.
    pub async fn mail(&mut self, from: &str) -> io::Result<Answer> {
        self.send(b'M', &[format!("<{from}>\0").as_bytes()]);
        self.answer_unless(NO_REPLY_MAIL).await
    }

    /// RCPT; the address without brackets.
    pub async fn rcpt(&mut self, to: &str) -> io::Result<Answer> {
        self.send(b'R', &[format!("<{to}>\0").as_bytes()]);
        self.answer_unless(NO_REPLY_RCPT).await
    }

    /// The message, header and body, and the answer to its end.
    pub async fn message(&mut self, parts: &Parts) -> io::Result<Answer> {
        let answer = self.begin_message(parts).await?;
        if answer.is_positive() { self.end_message().await } else { Ok(answer) }
    }

    /// The message without its end. [`Answer::Skip`] if no more of it is wanted.
    pub async fn begin_message(&mut self, parts: &Parts) -> io::Result<Answer> {
        let id = self.queue_id.clone();
        self.macros(b'N', &[("i", &id)]);
        let keeps_space = self.options & LEADING_SPACE != 0;
        for (name, value) in &parts.headers {
            let value = if keeps_space { value } else { value.strip_prefix(b" ").unwrap_or(value) };
            self.send(b'L', &[name, b"\0", value, b"\0"]);
            let answer = self.answer_unless(NO_REPLY_HEADER).await?;
            if answer != Answer::Continue {
                return Ok(answer);
            }
        }
        self.send(b'N', &[]);
        let answer = self.answer_unless(NO_REPLY_END_OF_HEADER).await?;
        if answer != Answer::Continue {
            return Ok(answer);
        }
        for piece in parts.body.chunks(PIECE) {
            self.send(b'B', &[piece]);
            let answer = self.answer_unless(NO_REPLY_BODY).await?;
            if answer != Answer::Continue {
                return Ok(answer);
            }
        }
        Ok(Answer::Continue)
    }

    /// The end of the message begun before, and the answer to it.
    pub async fn end_message(&mut self) -> io::Result<Answer> {
        let id = self.queue_id.clone();
        self.macros(b'E', &[("i", &id)]);
        self.send(b'E', &[]);
        self.answer().await
    }

    /// Drops the transaction; the connection stays.
    pub async fn abort(&mut self) -> io::Result<()> {
        self.send(b'A', &[]);
        self.flush().await
    }

    /// The client has gone; the next one comes over the same connection (QUIT_NC).
    pub async fn quit_for_next_client(&mut self) -> io::Result<()> {
        self.send(b'K', &[]);
        self.flush().await
    }

    /// Says goodbye.
    pub async fn quit(mut self) -> io::Result<()> {
        self.send(b'Q', &[]);
        self.flush().await
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

    async fn flush(&mut self) -> io::Result<()> {
        self.transport.write_all(&self.waiting).await?;
        self.waiting.clear();
        Ok(())
    }

    async fn answer_unless(&mut self, no_reply: u32) -> io::Result<Answer> {
        if self.options & no_reply != 0 { Ok(Answer::Continue) } else { self.answer().await }
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        self.flush().await?;
        self.edits.clear();
        loop {
            let (letter, arguments) = self.read_packet().await?;
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

    async fn read_packet(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut length = [0; 4];
        self.transport.read_exact(&mut length).await?;
        let mut packet = vec![0; u32::from_be_bytes(length) as usize];
        self.transport.read_exact(&mut packet).await?;
        let letter = *packet.first().ok_or_else(|| io::Error::other("an empty packet"))?;
        packet.remove(0);
        Ok((letter, packet))
    }
}
