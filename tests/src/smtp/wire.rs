//! A line-wise connection, plain or TLS, used by the client and by the sink.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use super::Reply;

/// How long one read may take: longer than any deadline of Postfix or Mailward under test.
const READ_LIMIT: Duration = Duration::from_secs(60);

enum Stream {
    Plain(TcpStream),
    TlsClient(Box<StreamOwned<ClientConnection, TcpStream>>),
    TlsServer(Box<StreamOwned<ServerConnection, TcpStream>>),
    Closed,
}

/// A connection and what has been read from it ahead.
pub(crate) struct Wire {
    stream: Stream,
    ahead: Vec<u8>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("open", &!matches!(self.stream, Stream::Closed)).finish_non_exhaustive()
    }
}

impl Wire {
    /// Connects, with no delay for small packets.
    pub(crate) fn connect(server: SocketAddr) -> Wire {
        Wire::connected(server, TcpStream::connect(server))
    }

    /// The same from this address of the host.
    pub(crate) fn connect_from(server: SocketAddr, from: IpAddr) -> Wire {
        let connect = || {
            let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
            socket.bind(&SocketAddr::new(from, 0).into())?;
            socket.connect(&server.into())?;
            Ok(socket.into())
        };
        Wire::connected(server, connect())
    }

    fn connected(server: SocketAddr, stream: std::io::Result<TcpStream>) -> Wire {
        let stream = stream.unwrap_or_else(|error| panic!("cannot connect to {server}: {error}"));
        stream.set_read_timeout(Some(READ_LIMIT)).expect("a timeout can be set");
        Wire::new(stream)
    }

    pub(crate) fn new(stream: TcpStream) -> Wire {
        let _ = stream.set_nodelay(true);
        Wire { stream: Stream::Plain(stream), ahead: Vec::new() }
    }

    /// Shakes hands as a client.
    pub(crate) fn start_tls_as_client(&mut self, config: Arc<ClientConfig>, host: &str) {
        let host = ServerName::try_from(host.to_owned()).expect("the host name is valid");
        let mut session = ClientConnection::new(config, host).expect("the TLS configuration is valid");
        let mut socket = self.take_plain();
        while session.is_handshaking() {
            session.complete_io(&mut socket).unwrap_or_else(|error| panic!("TLS handshake: {error}"));
        }
        self.stream = Stream::TlsClient(Box::new(StreamOwned::new(session, socket)));
    }

    /// Shakes hands as a server; a failure closes the connection.
    pub(crate) fn start_tls_as_server(&mut self, config: Arc<ServerConfig>) {
        let mut session = ServerConnection::new(config).expect("the TLS configuration is valid");
        let mut socket = self.take_plain();
        while session.is_handshaking() {
            if session.complete_io(&mut socket).is_err() {
                return;
            }
        }
        self.stream = Stream::TlsServer(Box::new(StreamOwned::new(session, socket)));
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::TlsClient(_) | Stream::TlsServer(_))
    }

    /// Writes all at once. A closed connection swallows it; the next read tells.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        // Errors are not fatal: after "421" a server closes while we still write, and its reply can still be read.
        let _ = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::TlsClient(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Stream::TlsServer(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Stream::Closed => Ok(()),
        };
    }

    /// Reads a line, without its end; `None` once the connection is closed.
    pub(crate) fn read_line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.ahead.iter().position(|&byte| byte == b'\n') {
                let mut line: Vec<u8> = self.ahead.drain(..=end).collect();
                line.pop();
                line.pop_if(|byte| *byte == b'\r');
                return Some(line);
            }
            if !self.read_more() {
                return None;
            }
        }
    }

    /// Reads up to and including `end`; `None` once the connection is closed.
    pub(crate) fn read_through(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.ahead[searched..].windows(end.len()).position(|window| window == end) {
                return Some(self.ahead.drain(..searched + at + end.len()).collect());
            }
            searched = self.ahead.len().saturating_sub(end.len() - 1);
            if !self.read_more() {
                return None;
            }
        }
    }

    /// Reads an SMTP reply of one or more lines.
    pub(crate) fn read_reply(&mut self) -> Reply {
        let mut reply = Reply::closed();
        loop {
            let Some(line) = self.read_line() else { return Reply::closed() };
            let line = String::from_utf8_lossy(&line).into_owned();
            let code = line.get(..3).and_then(|code| code.parse().ok());
            reply.code = code.unwrap_or_else(|| panic!("not an SMTP reply: {line:?}"));
            reply.lines.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
        }
    }

    fn read_more(&mut self) -> bool {
        let mut buffer = [0; 16_384];
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read(&mut buffer),
            Stream::TlsClient(stream) => stream.read(&mut buffer),
            Stream::TlsServer(stream) => stream.read(&mut buffer),
            Stream::Closed => Ok(0),
        };
        match read {
            // A socket with a timeout does not resume by itself when the machine has stopped and continued the process.
            Err(error) if error.kind() == ErrorKind::Interrupted => return true,
            Ok(length @ 1..) => self.ahead.extend_from_slice(&buffer[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("no answer for {READ_LIMIT:?}");
            }
            Ok(_) | Err(_) => {
                self.stream = Stream::Closed;
                return false;
            }
        }
        true
    }

    fn take_plain(&mut self) -> TcpStream {
        match std::mem::replace(&mut self.stream, Stream::Closed) {
            Stream::Plain(stream) => stream,
            _ => panic!("TLS can start only once, on an open connection"),
        }
    }
}
