//! The scanning service: `mailward-scan` on a unix socket of this host, and the processes behind it.
//!
//! The service greets with a line, `mailward-scan 1 RULES VERSION`; RULES names the settings by which it scans, so that
//! who wants others goes away. A request is the length of the message (8 bytes, little endian) and its bytes. The
//! answer is framed alike and is a report as JSON. One connection carries any number of them.
//!
//! The bytes go over the socket and not in a shared memory file: without `unsafe` nobody here could map such a file, and
//! to read it costs the same copies.

mod pool;

pub use pool::{Pool, Turn};

use serde::de::DeserializeOwned;
use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::UnixStream,
};

/// Where the service listens unless it is told otherwise.
pub const SERVICE: &str = "/run/mailward-scan/scan.sock";
/// How long it is believed that nobody listens. Source: our own choice; a connection in vain costs 10 µs.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// First words of the greeting: program and version of the protocol.
const GREETING: &str = "mailward-scan 1 ";
/// Longest greeting. Unit: bytes. Source: our own, it is below 60.
const GREETING_BYTES: usize = 256;
/// Largest report. Unit: bytes. Source: our own limit; one of 1,000 rules in 10 places each is a tenth of it.
pub const REPORT_BYTES: u64 = 16 << 20;

/// A service that was reached.
#[derive(Debug)]
pub struct ScanService {
    stream: UnixStream,
    /// Name of the settings by which it scans.
    pub rules: String,
    /// Its version.
    pub version: String,
}

impl ScanService {
    /// Connects and reads the greeting.
    ///
    /// # Errors
    ///
    /// `NotFound` or `ConnectionRefused` if no service runs there, `PermissionDenied` if this user may not ask it,
    /// `InvalidData` if something else listens.
    pub async fn reach(path: &Path) -> io::Result<ScanService> {
        let mut stream = UnixStream::connect(path).await?;
        let mut greeting = Vec::with_capacity(GREETING_BYTES);
        while !greeting.ends_with(b"\n") {
            let full = greeting.len() >= GREETING_BYTES;
            if full || stream.read_buf(&mut greeting).await? == 0 {
                return Err(invalid("it does not greet as mailward-scan does"));
            }
        }
        let greeting = String::from_utf8_lossy(&greeting);
        let words = greeting.strip_prefix(GREETING).and_then(|rest| rest.trim_end().split_once(' '));
        let (rules, version) = words.ok_or_else(|| invalid("it does not greet as mailward-scan does"))?;
        Ok(ScanService { rules: rules.to_owned(), version: version.to_owned(), stream })
    }

    /// Has a message scanned.
    ///
    /// # Errors
    ///
    /// If the service goes away, or answers what is no report.
    pub async fn scan<T: DeserializeOwned>(&mut self, raw: &[u8]) -> io::Result<T> {
        write_frame(&mut self.stream, raw).await?;
        let report = read_frame(&mut self.stream, REPORT_BYTES).await?;
        serde_json::from_slice(&report).map_err(io::Error::from)
    }
}

/// A socket on which a service may listen or not. That nobody does is found out once a second, not for each message.
#[derive(Debug)]
pub struct Whereabouts {
    path: PathBuf,
    absent_since: Mutex<Option<Instant>>,
}

impl Whereabouts {
    /// Nothing is asked yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Whereabouts { path: path.into(), absent_since: Mutex::default() }
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The service; `Ok(None)` if nobody listens.
    ///
    /// # Errors
    ///
    /// Of [`ScanService::reach`], but for the two that mean that nobody listens.
    pub async fn reach(&self) -> io::Result<Option<ScanService>> {
        let absent = || self.absent_since.lock().unwrap_or_else(PoisonError::into_inner);
        if absent().is_some_and(|since| since.elapsed() < LOOK_AGAIN) {
            return Ok(None);
        }
        match ScanService::reach(&self.path).await {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                *absent() = Some(Instant::now());
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}

/// The greeting of a service.
pub fn greeting(rules: &str, version: &str) -> String {
    format!("{GREETING}{rules} {version}\n")
}

/// Reads what [`write_frame`] wrote.
///
/// # Errors
///
/// `UnexpectedEof` at the end, `InvalidData` if the frame is longer than `most` bytes: nothing of it was read then.
pub async fn read_frame(stream: &mut (impl AsyncRead + Unpin), most: u64) -> io::Result<Vec<u8>> {
    let bytes = frame_length(stream.read_u64_le().await?, most)?;
    read_rest(stream, bytes).await
}

/// Reads the bytes of a frame whose length is known.
///
/// # Errors
///
/// `UnexpectedEof` if there are fewer.
pub async fn read_rest(stream: &mut (impl AsyncRead + Unpin), bytes: u64) -> io::Result<Vec<u8>> {
    // Memory is taken as the bytes come: a length alone takes none.
    let mut frame = Vec::new();
    match stream.take(bytes).read_to_end(&mut frame).await? as u64 == bytes {
        true => Ok(frame),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The length of a frame, if it is within bounds.
///
/// # Errors
///
/// `InvalidData` if it is not.
pub fn frame_length(bytes: u64, most: u64) -> io::Result<u64> {
    if bytes <= most { Ok(bytes) } else { Err(invalid(format!("{bytes} bytes are more than {most}"))) }
}

/// Writes the length and the bytes.
///
/// # Errors
///
/// Of the stream.
pub async fn write_frame(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_u64_le(bytes.len() as u64).await?;
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Reads what a process that scans gets first: so many frames as their number says. They come from the process that
/// started this one.
///
/// # Errors
///
/// Of the stream.
pub fn read_first(stream: &mut impl Read) -> io::Result<Vec<Vec<u8>>> {
    let frames = read_number(stream)?;
    (0..frames).map(|_| read_number(stream).and_then(|bytes| read_bytes(stream, bytes))).collect()
}

fn read_number(stream: &mut impl Read) -> io::Result<u64> {
    let mut number = [0; 8];
    stream.read_exact(&mut number).map(|()| u64::from_le_bytes(number))
}

fn read_bytes(stream: &mut impl Read, bytes: u64) -> io::Result<Vec<u8>> {
    let mut frame = Vec::new();
    match stream.take(bytes).read_to_end(&mut frame)? as u64 == bytes {
        true => Ok(frame),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Answers requests one after another until the other side closes: the life of a process that scans. First it says that
/// it is ready, by an answer to no question.
///
/// # Errors
///
/// Of the stream, or if a request is longer than `most` bytes.
pub fn answer_requests(
    mut stream: impl Read + Write,
    most: u64,
    mut answer: impl FnMut(&[u8]) -> Vec<u8>,
) -> io::Result<()> {
    let reply = |stream: &mut dyn Write, bytes: &[u8]| {
        stream.write_all(&(bytes.len() as u64).to_le_bytes())?;
        stream.write_all(bytes)?;
        stream.flush()
    };
    reply(&mut stream, b"")?;
    loop {
        let bytes = match read_number(&mut stream) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => frame_length(other?, most)?,
        };
        let request = read_bytes(&mut stream, bytes)?;
        reply(&mut stream, &answer(&request))?;
    }
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
