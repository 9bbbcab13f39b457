//! Handing mail to the site's own mail server: what the quarantine releases, and notices.

mod client;
mod tls;

use super::Deadline;
use client::Client;
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf, time::Duration};

/// Who takes mail of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionSettings {
    /// Where it listens.
    pub server: MailServer,
    /// Whether the way there is encrypted.
    pub tls: TlsUse,
    /// For the whole of one message.
    pub timeout: Duration,
}

impl Default for SubmissionSettings {
    fn default() -> Self {
        SubmissionSettings {
            server: MailServer::Smtp("127.0.0.1:25".to_owned()),
            tls: TlsUse::Opportunistic,
            // RFC 5321 §4.5.3.2 gives the reply to the end of data ten minutes; a server of one's own that needs more than one is
            // in trouble.
            timeout: Duration::from_secs(60),
        }
    }
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailServer {
    /// Speaks SMTP at this host and port.
    Smtp(String),
    /// Speaks LMTP (RFC 2033) at this host and port.
    Lmtp(String),
    /// Speaks LMTP on this socket.
    LmtpSocket(PathBuf),
}

impl MailServer {
    /// Reads `smtp://host:port`, `lmtp://host:port` and `lmtp:///path/of/socket`. Without a port it is 25 or 24.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, place) = text.split_once("://")?;
        let with_port = |port: u16| {
            let is_host = !place.is_empty() && !place.contains(['/', '@', ' ']);
            let has_port = place.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && (!host.contains(':') || host.ends_with(']')) && port.parse::<u16>().is_ok()
            });
            let needs_port = place.ends_with(']') || !place.contains(':');
            match (is_host, has_port) {
                (true, true) => Some(place.to_owned()),
                (true, false) if needs_port => Some(format!("{place}:{port}")),
                _ => None,
            }
        };
        match scheme {
            "smtp" => with_port(25).map(MailServer::Smtp),
            "lmtp" if place.starts_with('/') => Some(MailServer::LmtpSocket(place.into())),
            "lmtp" => with_port(24).map(MailServer::Lmtp),
            _ => None,
        }
    }
}

impl fmt::Display for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MailServer::Smtp(place) => write!(f, "smtp://{place}"),
            MailServer::Lmtp(place) => write!(f, "lmtp://{place}"),
            MailServer::LmtpSocket(path) => write!(f, "lmtp://{}", path.display()),
        }
    }
}

/// Whether the way to the server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsUse {
    /// Never.
    Off,
    /// If the server offers it, whatever its certificate (RFC 7435): nobody who only listens can read along.
    Opportunistic,
    /// Always, and its certificate must be its own.
    Verify,
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// The server has refused it for good.
    #[error("the mail server refuses it: {0}")]
    Refused(String),
    /// The server refuses it for now, or cannot be reached.
    #[error("{0}")]
    Later(String),
    /// It was sent, and no answer came: the server may have it.
    #[error("the mail server has not answered; it may have the message: {0}")]
    Unanswered(String),
}

/// Hands one message for one recipient to the server. `message` is in wire form; bare line feeds become CRLF, dots are
/// stuffed (RFC 5321 §4.5.2), nothing else is changed. Addresses stand without brackets; an empty sender is the null sender.
///
/// # Errors
///
/// If the server has not taken it.
pub async fn submit(
    settings: &SubmissionSettings,
    sender: &str,
    recipient: &str,
    message: &[u8],
) -> Result<(), Unsent> {
    let deadline = Deadline::after(settings.timeout);
    let unwritable = |c: char| c.is_control() || c == '<' || c == '>';
    if recipient.is_empty() || [sender, recipient].iter().any(|address| address.contains(unwritable)) {
        return Err(Unsent::Refused("an address of the envelope cannot be written".to_owned()));
    }
    let mut client = Client::connect(settings, deadline).await?;
    let sent = client.send(sender, recipient, message).await;
    client.quit().await;
    sent
}

#[cfg(test)]
mod tests;
