//! One connection to the sink.

use std::net::TcpStream;
use std::sync::Arc;

use rustls::ServerConfig;

use super::Message;
use crate::smtp::Wire;

/// Serves a client until it goes; hands over each message before it says 250.
pub(super) fn serve(connection: TcpStream, tls: Option<Arc<ServerConfig>>, mut keep: impl FnMut(Message)) {
    let mut wire = Wire::new(connection);
    let mut helo = String::new();
    let mut envelope = Message::default();
    wire.write(b"220 site.test ESMTP\r\n");
    while let Some(line) = wire.read_line() {
        let line = String::from_utf8_lossy(&line).into_owned();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" | "HELO" => {
                helo = line.get(5..).unwrap_or_default().to_owned();
                envelope = Message::default();
                greeting(tls.is_some() && !wire.is_tls())
            }
            "STARTTLS" if tls.is_some() => {
                wire.write(b"220 2.0.0 go ahead\r\n");
                wire.start_tls_as_server(tls.clone().expect("just looked"));
                continue;
            }
            "MAIL" => {
                envelope =
                    Message { helo: helo.clone(), tls: wire.is_tls(), from: address(&line), ..Message::default() };
                "250 2.1.0 ok\r\n".to_owned()
            }
            "RCPT" => {
                envelope.to.push(address(&line));
                "250 2.1.5 ok\r\n".to_owned()
            }
            "DATA" => {
                wire.write(b"354 go ahead\r\n");
                let Some(raw) = content(&mut wire) else { return };
                envelope.raw = raw;
                keep(std::mem::take(&mut envelope));
                "250 2.0.0 kept\r\n".to_owned()
            }
            "QUIT" => {
                wire.write(b"221 2.0.0 bye\r\n");
                return;
            }
            _ => "250 2.0.0 ok\r\n".to_owned(),
        };
        wire.write(reply.as_bytes());
    }
}

fn greeting(offers_tls: bool) -> String {
    let tls = if offers_tls { "250-STARTTLS\r\n" } else { "" };
    format!(
        "250-site.test\r\n{tls}250-PIPELINING\r\n250-SIZE\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"
    )
}

/// The path in `MAIL FROM:<path> …`; a quoted local part may hold a `>`, so the last one counts.
fn address(line: &str) -> String {
    let start = line.find('<').map_or(0, |at| at + 1);
    let end = line.rfind('>').unwrap_or(line.len());
    line.get(start..end).unwrap_or_default().to_owned()
}

/// The message up to the final dot, unstuffed; `None` if the client goes away before.
fn content(wire: &mut Wire) -> Option<Vec<u8>> {
    let mut raw = Vec::new();
    loop {
        let line = wire.read_through(b"\r\n")?;
        if line == b".\r\n" {
            return Some(raw);
        }
        raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
