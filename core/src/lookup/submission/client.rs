//! The client's side of one SMTP or LMTP session (RFC 5321, RFC 2033).

use super::{
    super::{Deadline, Outcome},
    MailServer, SubmissionSettings, TlsUse, Unsent, tls,
};
use std::{fs, io, pin::Pin};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream},
    net::{TcpStream, UnixStream},
};

/// Most bytes of one reply. Unit: bytes. Source: our own limit; RFC 5321 §4.5.3.1.5 has 512 a line.
const REPLY_BYTES: u64 = 64 << 10;

/// A connection, encrypted or not.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Wire for T {}

type Stream = Pin<Box<dyn Wire>>;

/// A session with the server.
pub(super) struct Client {
    stream: BufStream<Stream>,
    is_lmtp: bool,
    deadline: Deadline,
    offered: Vec<String>,
}

/// A whole reply.
struct Reply {
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    fn text(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" "))
    }

    /// The reply if it is of this class, else what it means.
    fn expect(self, class: u16) -> Result<Self, Unsent> {
        match self.code / 100 {
            of_class if of_class == class => Ok(self),
            5 => Err(Unsent::Refused(self.text())),
            _ => Err(Unsent::Later(self.text())),
        }
    }
}

impl Client {
    /// Connects, says hello, and encrypts as far as it is wanted and offered.
    pub(super) async fn connect(settings: &SubmissionSettings, deadline: Deadline) -> Result<Self, Unsent> {
        match Self::open(settings, deadline, settings.tls).await {
            // As MTAs do: a server whose TLS does not work is better than mail that stays here.
            Err(Opening::Tls(_)) if settings.tls == TlsUse::Opportunistic => {
                Self::open(settings, deadline, TlsUse::Off).await.map_err(Opening::into_unsent)
            }
            opened => opened.map_err(Opening::into_unsent),
        }
    }

    async fn open(settings: &SubmissionSettings, deadline: Deadline, tls: TlsUse) -> Result<Self, Opening> {
        let is_lmtp = !matches!(settings.server, MailServer::Smtp(_));
        let stream = match deadline.bound(dial(&settings.server)).await {
            Outcome::Done(stream) => stream.map_err(|error| Unsent::Later(format!("{}: {error}", settings.server)))?,
            _ => return Err(Unsent::Later(format!("{}: no answer in time", settings.server)).into()),
        };
        let mut client = Client { stream: BufStream::new(stream), is_lmtp, deadline, offered: Vec::new() };
        client.reply().await?.expect(2)?;
        client.hello().await?;
        let offers_tls = client.offers("STARTTLS");
        match tls {
            TlsUse::Off => return Ok(client),
            TlsUse::Opportunistic if !offers_tls => return Ok(client),
            TlsUse::Verify if !offers_tls => {
                return Err(Unsent::Later(format!("{} offers no TLS", settings.server)).into());
            }
            TlsUse::Opportunistic | TlsUse::Verify => {}
        }
        let answer = client.command("STARTTLS").await?;
        if answer.code / 100 != 2 {
            // Postfix offers it even where it has no certificate.
            return Err(Opening::Tls(answer.text()));
        }
        // What came before the handshake is nobody's (RFC 3207, section 6).
        let plain = client.stream.into_inner();
        let encrypting = tls::encrypt(plain, &settings.server, tls);
        let stream = match deadline.bound(encrypting).await {
            Outcome::Done(stream) => stream.map_err(Opening::Tls)?,
            _ => return Err(Opening::Tls("no answer in time".to_owned())),
        };
        client.stream = BufStream::new(stream);
        client.hello().await?;
        Ok(client)
    }

    /// One transaction.
    pub(super) async fn send(&mut self, sender: &str, recipient: &str, message: &[u8]) -> Result<(), Unsent> {
        let mut mail = format!("MAIL FROM:<{sender}>");
        let mut parameter = |name: &str, text: String| {
            if self.offered.iter().any(|offered| offered.split(' ').next() == Some(name)) {
                mail.push_str(&text);
            }
        };
        parameter("SIZE", format!(" SIZE={}", message.len()));
        if !message.is_ascii() {
            parameter("8BITMIME", " BODY=8BITMIME".to_owned());
        }
        if !(sender.is_ascii() && recipient.is_ascii()) {
            parameter("SMTPUTF8", " SMTPUTF8".to_owned());
        }
        self.command(&mail).await?.expect(2)?;
        self.command(&format!("RCPT TO:<{recipient}>")).await?.expect(2)?;
        self.command("DATA").await?.expect(3)?;
        // Until the last dot nobody has the message; then nobody knows until the reply.
        self.write(&stuffed(message)).await?;
        let unanswered = |why: Unsent| Unsent::Unanswered(why.to_string());
        self.write(b".\r\n").await.map_err(unanswered)?;
        self.reply().await.map_err(unanswered)?.expect(2)?;
        Ok(())
    }

    /// Ends the session; whatever comes of it.
    pub(super) async fn quit(mut self) {
        let _ = self.command("QUIT").await;
    }

    async fn hello(&mut self) -> Result<(), Unsent> {
        let word = if self.is_lmtp { "LHLO" } else { "EHLO" };
        let mut reply = self.command(&format!("{word} {}", own_name())).await?;
        if reply.code / 100 == 5 && !self.is_lmtp {
            reply = self.command(&format!("HELO {}", own_name())).await?;
        }
        let reply = reply.expect(2)?;
        self.offered = reply.lines.into_iter().skip(1).map(|line| line.to_ascii_uppercase()).collect();
        Ok(())
    }

    fn offers(&self, extension: &str) -> bool {
        self.offered.iter().any(|line| line == extension)
    }

    async fn command(&mut self, line: &str) -> Result<Reply, Unsent> {
        self.write(line.as_bytes()).await?;
        self.write(b"\r\n").await?;
        self.reply().await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Unsent> {
        in_time(self.deadline, self.stream.write_all(bytes)).await
    }

    async fn reply(&mut self) -> Result<Reply, Unsent> {
        let deadline = self.deadline;
        in_time(deadline, self.stream.flush()).await?;
        in_time(deadline, read_reply(&mut self.stream)).await
    }
}

async fn in_time<T>(deadline: Deadline, work: impl Future<Output = io::Result<T>>) -> Result<T, Unsent> {
    match deadline.bound(work).await {
        Outcome::Done(done) => done.map_err(|error| Unsent::Later(format!("the mail server: {error}"))),
        _ => Err(Unsent::Later("the mail server does not answer in time".to_owned())),
    }
}

/// Why there is no session.
enum Opening {
    Unsent(Unsent),
    Tls(String),
}

impl From<Unsent> for Opening {
    fn from(unsent: Unsent) -> Self {
        Opening::Unsent(unsent)
    }
}

impl Opening {
    fn into_unsent(self) -> Unsent {
        match self {
            Opening::Unsent(unsent) => unsent,
            Opening::Tls(why) => Unsent::Later(format!("TLS with the mail server: {why}")),
        }
    }
}

async fn dial(server: &MailServer) -> io::Result<Stream> {
    Ok(match server {
        MailServer::Smtp(place) | MailServer::Lmtp(place) => {
            let stream = TcpStream::connect(place).await?;
            stream.set_nodelay(true)?;
            Box::pin(stream)
        }
        MailServer::LmtpSocket(path) => Box::pin(UnixStream::connect(path).await?),
    })
}

/// The name of this host, as the kernel has it. A hardened service does not see the kernel's file.
fn own_name() -> String {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let name = files.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    Some(name.trim()).filter(|name| is_name(name)).unwrap_or("localhost").to_owned()
}

/// One reply of several lines (RFC 5321 §4.2.1).
async fn read_reply(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Reply> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut bounded = stream.take(REPLY_BYTES);
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        if bounded.read_until(b'\n', &mut line).await? == 0 || !line.ends_with(b"\n") {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed"));
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let code = line.get(..3).and_then(|code| code.parse::<u16>().ok()).filter(|code| (200..600).contains(code));
        let code = code.ok_or_else(|| invalid("the answer is no SMTP reply"))?;
        lines.push(line.get(4..).unwrap_or_default().to_owned());
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(Reply { code, lines });
        }
    }
}

/// The message as DATA wants it: every line ends with CRLF, a dot that begins a line is doubled.
pub(super) fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 64 + 2);
    for line in message.split_inclusive(|&b| b == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        out.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
        out.extend_from_slice(b"\r\n");
    }
    out
}
