//! An SMTP client for tests: sends what it is told, well formed or not, and reports every reply.

mod reply;
mod wire;

use std::net::{IpAddr, SocketAddr};

pub use reply::{Delivery, Reply};
pub(crate) use wire::Wire;

use crate::tls::Authority;

/// A client connection. Once the server has closed it, every further reply is [`Reply::closed`].
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    banner: Reply,
}

/// Whom the client pretends to be, by Postfix's XCLIENT command.
#[derive(Clone, Debug, Default)]
pub struct Xclient {
    attributes: Vec<String>,
}

impl Xclient {
    /// A client with this address, IPv4 or IPv6, and no name in DNS.
    pub fn address(address: &str) -> Xclient {
        let address = if address.contains(':') { format!("IPV6:{address}") } else { address.to_owned() };
        Xclient::default().with("ADDR", &address).with("NAME", "[UNAVAILABLE]")
    }

    /// Its verified name in DNS.
    pub fn name(mut self, name: &str) -> Xclient {
        self.attributes.retain(|attribute| !attribute.starts_with("NAME="));
        self.with("NAME", name)
    }

    /// Its login name, as if it had authenticated.
    pub fn login(self, login: &str) -> Xclient {
        self.with("LOGIN", login)
    }

    /// Its port.
    pub fn port(self, port: u16) -> Xclient {
        self.with("PORT", &port.to_string())
    }

    /// Any other attribute.
    pub fn with(mut self, attribute: &str, value: &str) -> Xclient {
        self.attributes.push(format!("{attribute}={value}"));
        self
    }
}

impl Client {
    /// Connects and reads the banner.
    pub fn connect(server: SocketAddr) -> Client {
        let mut wire = Wire::connect(server);
        let banner = wire.read_reply();
        Client { wire, banner }
    }

    /// Connects from an address of this host and reads the banner.
    pub fn connect_from(server: SocketAddr, from: IpAddr) -> Client {
        let mut wire = Wire::connect_from(server, from);
        let banner = wire.read_reply();
        Client { wire, banner }
    }

    /// Connects to a server that believes the PROXY protocol, as a client with this IPv4 or IPv6 address, and reads the
    /// banner.
    pub fn connect_proxied(server: SocketAddr, client: &str) -> Client {
        let (family, own) = if client.contains(':') { ("TCP6", "::1") } else { ("TCP4", "127.0.0.1") };
        let mut wire = Wire::connect(server);
        wire.write(format!("PROXY {family} {client} {own} 40000 25\r\n").as_bytes());
        let banner = wire.read_reply();
        Client { wire, banner }
    }

    /// Connects, pretends to be `client`, and says EHLO as `helo`.
    pub fn connect_as(server: SocketAddr, client: &Xclient, helo: &str) -> Client {
        let mut connection = Client::connect(server);
        connection.become_client(client, helo);
        connection
    }

    /// Becomes another client on the same connection, and says EHLO as `helo`. Returns the reply to XCLIENT, which is
    /// the banner that the new client gets.
    pub fn become_client(&mut self, client: &Xclient, helo: &str) -> Reply {
        self.ehlo("rig.test");
        let banner = self.xclient(client);
        self.ehlo(helo);
        banner
    }

    /// The first reply of the server, or the reply to the last XCLIENT.
    pub fn banner(&self) -> &Reply {
        &self.banner
    }

    /// Sends one line and reads the reply.
    pub fn command(&mut self, line: &str) -> Reply {
        self.wire.write(format!("{line}\r\n").as_bytes());
        self.wire.read_reply()
    }

    /// Sends bytes as they are, without reading anything.
    pub fn write(&mut self, bytes: &[u8]) {
        self.wire.write(bytes);
    }

    /// Reads one reply, for instance after [`Client::write`].
    pub fn read(&mut self) -> Reply {
        self.wire.read_reply()
    }

    /// EHLO.
    pub fn ehlo(&mut self, name: &str) -> Reply {
        self.command(&format!("EHLO {name}"))
    }

    /// XCLIENT. The server then treats this connection as a new one.
    pub fn xclient(&mut self, client: &Xclient) -> Reply {
        self.banner = self.command(&format!("XCLIENT {}", client.attributes.join(" ")));
        self.banner.clone()
    }

    /// STARTTLS and, after a 220, the handshake; the certificate must be of `authority` and for `host`. EHLO is due again.
    ///
    /// # Panics
    /// If the handshake fails.
    pub fn start_tls(&mut self, authority: &Authority, host: &str) -> Reply {
        let reply = self.command("STARTTLS");
        if reply.code == 220 {
            self.wire.start_tls_as_client(authority.client_config(), host);
        }
        reply
    }

    /// AUTH PLAIN.
    pub fn auth_plain(&mut self, user: &str, password: &str) -> Reply {
        let secret = crate::base64::encode(format!("\0{user}\0{password}").as_bytes());
        self.command(&format!("AUTH PLAIN {secret}"))
    }

    /// MAIL FROM; `from` without angle brackets, empty for a bounce.
    pub fn mail(&mut self, from: &str) -> Reply {
        self.command(&format!("MAIL FROM:<{from}>"))
    }

    /// RCPT TO; `to` without angle brackets.
    pub fn rcpt(&mut self, to: &str) -> Reply {
        self.command(&format!("RCPT TO:<{to}>"))
    }

    /// DATA.
    pub fn data(&mut self) -> Reply {
        self.command("DATA")
    }

    /// The message after DATA: lone LF become CRLF, dots are stuffed, the final dot is added. One write.
    pub fn content(&mut self, message: impl AsRef<[u8]>) -> Reply {
        self.wire.write(&on_the_wire(message.as_ref()));
        self.wire.read_reply()
    }

    /// RSET.
    pub fn rset(&mut self) -> Reply {
        self.command("RSET")
    }

    /// QUIT.
    pub fn quit(mut self) -> Reply {
        self.command("QUIT")
    }

    /// One whole transaction, as a decent client does it: it stops where nothing more can come of it, and leaves the
    /// connection ready for the next one.
    pub fn send(&mut self, from: &str, to: &[&str], message: impl AsRef<[u8]>) -> Delivery {
        let mut delivery = Delivery { mail: self.mail(from), rcpt: Vec::new(), data: None, end: None };
        if delivery.mail.is_positive() {
            delivery.rcpt = to.iter().map(|to| self.rcpt(to)).collect();
            if delivery.rcpt.iter().any(Reply::is_positive) {
                let data = self.data();
                if data.code == 354 {
                    delivery.end = Some(self.content(message));
                }
                delivery.data = Some(data);
            }
        }
        if delivery.end.is_none() {
            self.rset();
        }
        delivery
    }
}

/// RFC 5321, sections 4.1.1.4 and 4.5.2.
fn on_the_wire(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(message.len() + 64);
    let mut previous = b'\n';
    for &byte in message {
        if byte == b'\n' && previous != b'\r' {
            wire.push(b'\r');
        }
        if byte == b'.' && previous == b'\n' {
            wire.push(b'.');
        }
        wire.push(byte);
        previous = byte;
    }
    if previous != b'\n' {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

#[cfg(test)]
mod tests {
    use super::on_the_wire;

    #[test]
    fn content_gets_crlf_dots_and_an_end() {
        assert_eq!(on_the_wire(b"a\n.b\r\n..c"), b"a\r\n..b\r\n...c\r\n.\r\n");
        assert_eq!(on_the_wire(b""), b".\r\n");
    }
}
