//! A client of clamd, the scanning daemon of ClamAV: the INSTREAM command over unix sockets and TCP.

use super::{Deadline, Outcome};
use serde::{Deserialize, Serialize};
use std::{fmt, io, path::PathBuf, str::FromStr};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

/// Where a clamd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClamdAddress {
    /// `unix:/run/clamav/clamd.ctl`
    Unix(PathBuf),
    /// `inet:127.0.0.1:3310`
    Inet {
        /// Host name or address, without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
}

impl FromStr for ClamdAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || {
            format!(
                "\"{text}\" is not an address of clamd such as \"unix:/run/clamav/clamd.ctl\" or \"inet:127.0.0.1:3310\""
            )
        };
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') { Ok(ClamdAddress::Unix(path.into())) } else { Err(fault()) };
        }
        let rest = text.strip_prefix("inet:").unwrap_or(text);
        let (host, port) = rest.rsplit_once(':').ok_or_else(fault)?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().ok().filter(|&port| port > 0).ok_or_else(fault)?;
        let valid = !host.is_empty() && !host.contains(['/', ' ', '@']);
        if valid { Ok(ClamdAddress::Inet { host: host.to_owned(), port }) } else { Err(fault()) }
    }
}

impl fmt::Display for ClamdAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClamdAddress::Unix(path) => write!(f, "unix:{}", path.display()),
            ClamdAddress::Inet { host, port } if host.contains(':') => write!(f, "inet:[{host}]:{port}"),
            ClamdAddress::Inet { host, port } => write!(f, "inet:{host}:{port}"),
        }
    }
}

/// What clamd says about a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClamdAnswer {
    /// No signature matches.
    Clean,
    /// Malware.
    Found {
        /// Name of the signature, as in `Win.Test.EICAR_HDB-1`.
        signature: String,
    },
    /// clamd could not scan the message.
    Error {
        /// clamd's own words.
        text: String,
    },
    /// The message is larger than [`Clamd::stream_max`] and was not sent.
    TooLarge,
}

/// The scanners of a site, tried in their order until one answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clamd {
    /// Where they listen.
    pub addresses: Vec<ClamdAddress>,
    /// Largest message sent. Unit: bytes. Source: clamd.conf `StreamMaxLength`, by default 100M (25M before 1.0).
    pub stream_max: usize,
}

/// Size of one chunk. Unit: bytes. Source: our own; clamd takes any size up to StreamMaxLength.
const CHUNK_BYTES: usize = 64 << 10;
/// Longest answer. Unit: bytes. Source: our own; signature names are below 200.
const ANSWER_BYTES: u64 = 4_096;

impl Clamd {
    /// Has the message scanned by the first scanner that answers.
    pub async fn scan(&self, raw: &[u8], deadline: Deadline) -> Outcome<ClamdAnswer> {
        if raw.len() > self.stream_max {
            return Outcome::Done(ClamdAnswer::TooLarge);
        }
        let mut trouble = Outcome::Unavailable { why: "no clamd is configured".to_owned() };
        for (index, address) in self.addresses.iter().enumerate() {
            // A scanner that hangs leaves time for the next.
            let share = deadline.remaining() / (self.addresses.len() - index) as u32;
            let outcome = match deadline.or_after(share).bound(scan_at(address, raw)).await {
                Outcome::Done(Ok(answer)) => return Outcome::Done(answer),
                Outcome::Done(Err(why)) => Outcome::Unavailable { why: format!("clamd {address}: {why}") },
                Outcome::TimedOut => Outcome::TimedOut,
                Outcome::Unavailable { why } => Outcome::Unavailable { why },
            };
            tracing::warn!(%address, trouble = outcome.trouble(), "clamd did not scan");
            trouble = outcome;
        }
        trouble
    }
}

impl Clamd {
    /// Asks one scanner a question of one word, such as `PING` or `VERSION` (clamd(8)).
    pub async fn command(address: &ClamdAddress, word: &str, deadline: Deadline) -> Outcome<String> {
        let ask = async {
            match address {
                ClamdAddress::Unix(path) => one_word(UnixStream::connect(path).await?, word).await,
                ClamdAddress::Inet { host, port } => {
                    one_word(TcpStream::connect((host.as_str(), *port)).await?, word).await
                }
            }
        };
        match deadline.bound(ask).await {
            Outcome::Done(Ok(answer)) => {
                let line = answer.split(|b| matches!(b, 0 | b'\n')).next().unwrap_or_default();
                Outcome::Done(String::from_utf8_lossy(line).into_owned())
            }
            Outcome::Done(Err(error)) => Outcome::Unavailable { why: error.to_string() },
            Outcome::TimedOut => Outcome::TimedOut,
            Outcome::Unavailable { why } => Outcome::Unavailable { why },
        }
    }
}

async fn one_word(mut stream: impl AsyncRead + AsyncWrite + Unpin, word: &str) -> io::Result<Vec<u8>> {
    stream.write_all(format!("z{word}\0").as_bytes()).await?;
    let mut answer = Vec::new();
    let mut stream = stream.take(ANSWER_BYTES);
    // What is no clamd may answer a line and wait for more.
    while !answer.iter().any(|b| matches!(b, 0 | b'\n')) && stream.read_buf(&mut answer).await? > 0 {}
    Ok(answer)
}

async fn scan_at(address: &ClamdAddress, raw: &[u8]) -> Result<ClamdAnswer, String> {
    let answer = match address {
        ClamdAddress::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(|e| e.to_string())?;
            exchange(stream, raw).await
        }
        ClamdAddress::Inet { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(|e| e.to_string())?;
            exchange(stream, raw).await
        }
    };
    read_answer(&answer.map_err(|e| e.to_string())?)
}

/// Sends the message and takes the answer. clamd may answer and close while we still send (size limit exceeded): a
/// failed write is no reason not to read.
async fn exchange(stream: impl AsyncRead + AsyncWrite, raw: &[u8]) -> io::Result<Vec<u8>> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut answer = Vec::new();
    let mut reader = reader.take(ANSWER_BYTES);
    let read = reader.read_to_end(&mut answer);
    let write = async {
        writer.write_all(b"zINSTREAM\0").await?;
        for chunk in raw.chunks(CHUNK_BYTES) {
            writer.write_all(&(chunk.len() as u32).to_be_bytes()).await?;
            writer.write_all(chunk).await?;
        }
        writer.write_all(&0_u32.to_be_bytes()).await?;
        writer.flush().await
    };
    // Both at once: the answer ends the exchange even if clamd stops reading.
    tokio::pin!(read, write);
    let written = tokio::select! {
        end = &mut read => end.map(|_| ()),
        sent = &mut write => match sent {
            Ok(()) => read.await.map(|_| ()),
            // The answer may be there although the connection is reset; what was read counts.
            Err(sent) => read.await.map(|_| ()).map_err(|_| sent),
        },
    };
    match written {
        Err(e) if answer.is_empty() => Err(e),
        _ => Ok(answer),
    }
}

/// Reads `stream: OK`, `stream: <signature> FOUND`, `<text> ERROR` (clamd(8), INSTREAM).
fn read_answer(answer: &[u8]) -> Result<ClamdAnswer, String> {
    if answer.is_empty() {
        return Err("the connection was closed without an answer".to_owned());
    }
    let line = answer.split(|b| matches!(b, 0 | b'\n')).next().unwrap_or_default().trim_ascii();
    let garbage = || format!("answer is not understood: {:?}", String::from_utf8_lossy(&line[..line.len().min(80)]));
    let text = std::str::from_utf8(line).map_err(|_| garbage())?;
    if let Some(text) = text.strip_suffix(" ERROR") {
        return Ok(ClamdAnswer::Error { text: text.strip_prefix("stream: ").unwrap_or(text).trim().to_owned() });
    }
    let verdict = text.strip_prefix("stream: ").ok_or_else(garbage)?;
    if verdict == "OK" {
        return Ok(ClamdAnswer::Clean);
    }
    let signature = verdict.strip_suffix(" FOUND").map(str::trim).filter(|s| !s.is_empty()).ok_or_else(garbage)?;
    Ok(ClamdAnswer::Found { signature: signature.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::net::TcpListener;

    #[test]
    fn addresses_are_read_and_printed() {
        for (text, printed) in [
            ("unix:/run/clamd.ctl", "unix:/run/clamd.ctl"),
            ("inet:scan.example:3310", "inet:scan.example:3310"),
            ("127.0.0.1:3310", "inet:127.0.0.1:3310"),
            ("[::1]:3310", "inet:[::1]:3310"),
        ] {
            assert_eq!(text.parse::<ClamdAddress>().map(|a| a.to_string()).as_deref(), Ok(printed));
        }
        for text in ["", "unix:clamd.ctl", "inet:host", "host:99999", ":3310", "inet:host:0"] {
            assert!(text.parse::<ClamdAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn answers_are_read_and_garbage_is_not_an_answer() {
        assert_eq!(read_answer(b"stream: OK\0"), Ok(ClamdAnswer::Clean));
        let found = ClamdAnswer::Found { signature: "Win.Test.EICAR_HDB-1".into() };
        assert_eq!(read_answer(b"stream: Win.Test.EICAR_HDB-1 FOUND\0"), Ok(found));
        let error = ClamdAnswer::Error { text: "INSTREAM size limit exceeded.".into() };
        assert_eq!(read_answer(b"INSTREAM size limit exceeded. ERROR\0"), Ok(error));
        for garbage in
            [&b""[..], b"OK", b"HTTP/1.1 400 Bad Request\r\n", b"\xff\xfe", b"stream: FOUND", b"stream:  FOUND"]
        {
            assert!(read_answer(garbage).is_err(), "{garbage:?}");
        }
    }

    /// Answers each connection with `answer` after having read `read` bytes; gives the address.
    async fn server(read: usize, answer: &'static [u8]) -> ClamdAddress {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut got = vec![0; read];
                let _ = stream.read_exact(&mut got).await;
                let _ = stream.write_all(answer).await;
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
            }
        });
        ClamdAddress::Inet { host: "127.0.0.1".into(), port }
    }

    async fn scan(addresses: Vec<ClamdAddress>, size: usize) -> Outcome<ClamdAnswer> {
        let clamd = Clamd { addresses, stream_max: 25 << 20 };
        clamd.scan(&vec![b'x'; size], Deadline::after(Duration::from_secs(1))).await
    }

    #[tokio::test]
    async fn the_message_is_sent_in_chunks_and_the_answer_taken() {
        let sent = 10 + (4 + CHUNK_BYTES) + (4 + 1) + 4;
        let address = server(sent, b"stream: Test.Sig FOUND\0").await;
        let found = ClamdAnswer::Found { signature: "Test.Sig".into() };
        assert_eq!(scan(vec![address], CHUNK_BYTES + 1).await, Outcome::Done(found));
    }

    #[tokio::test]
    async fn the_answer_counts_although_the_scanner_stops_reading() {
        let address = server(100, b"INSTREAM size limit exceeded. ERROR\0").await;
        let outcome = scan(vec![address], 20 << 20).await;
        assert!(
            matches!(&outcome, Outcome::Done(ClamdAnswer::Error { text }) if text.contains("size limit"))
                || matches!(outcome, Outcome::Unavailable { .. }),
            "a reset may swallow the answer, but it is never clean: {outcome:?}"
        );
    }

    #[tokio::test]
    async fn a_scanner_that_is_gone_or_hangs_leaves_the_work_to_the_next() {
        let gone = ClamdAddress::Unix("/nonexistent/clamd.ctl".into());
        let hung = server(1, b"").await;
        let good = server(10, b"stream: OK\0").await;
        assert_eq!(scan(vec![gone.clone(), hung.clone(), good], 10).await, Outcome::Done(ClamdAnswer::Clean));
        assert!(matches!(scan(vec![hung, gone], 10).await, Outcome::Unavailable { .. }));
    }

    #[tokio::test]
    async fn garbage_and_silence_are_trouble() {
        let garbage = server(10, b"\x00\x01garbage").await;
        assert!(matches!(scan(vec![garbage], 10).await, Outcome::Unavailable { .. }));
        let silent = server(10, b"").await;
        assert_eq!(scan(vec![silent], 10).await, Outcome::TimedOut);
    }

    #[tokio::test]
    async fn a_word_is_asked_and_its_answer_taken() {
        let address = server(6, b"PONG\0").await;
        let deadline = Deadline::after(Duration::from_secs(1));
        assert_eq!(Clamd::command(&address, "PING", deadline).await, Outcome::Done("PONG".into()));
        let gone = ClamdAddress::Unix("/nonexistent/clamd.ctl".into());
        assert!(matches!(Clamd::command(&gone, "PING", deadline).await, Outcome::Unavailable { .. }));
    }

    #[tokio::test]
    async fn a_message_over_the_limit_is_not_sent() {
        let clamd = Clamd { addresses: Vec::new(), stream_max: 5 };
        let outcome = clamd.scan(b"123456", Deadline::after(Duration::from_secs(1))).await;
        assert_eq!(outcome, Outcome::Done(ClamdAnswer::TooLarge));
    }
}
