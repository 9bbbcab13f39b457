//! Sections that belong to no room: the doors, deadlines, limits, logging.

use super::{diagnostic::Faults, reader::Table};
use crate::session::{Limits, RefuseAt};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// Host and port, `inet:127.0.0.1:8891`; Sendmail's `inet:8891@127.0.0.1` is understood too.
    Inet(String),
    /// A socket file, `unix:/run/mailward/milter.sock`; `local:` means the same.
    Unix(PathBuf),
}

impl ListenAddress {
    /// Reads the notations of Postfix and Sendmail.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "unix" | "local" if rest.starts_with('/') => Some(ListenAddress::Unix(rest.into())),
            "inet" | "inet6" => {
                let (host, port) = match rest.split_once('@') {
                    Some((port, host)) => (host, port),
                    None => rest.rsplit_once(':')?,
                };
                port.parse::<u16>().ok()?;
                (!host.is_empty()).then(|| ListenAddress::Inet(format!("{host}:{port}")))
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ListenAddress::Inet(address) => write!(f, "inet:{address}"),
            ListenAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// One socket that MTAs connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub address: ListenAddress,
    /// When refusals are given to clients that come through it.
    pub refuse_at: RefuseAt,
}

/// `[milter]`: the daemon's own section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MilterSettings {
    /// All sockets.
    pub listeners: Vec<Listener>,
    /// File mode of unix sockets.
    pub socket_mode: u32,
    /// Group of unix sockets; `None` keeps the daemon's own.
    pub socket_group: Option<String>,
    /// Most connections of MTAs at a time, over each listener. Unit: connections.
    pub connections: usize,
    /// How long SIGTERM waits for messages under way.
    pub drain: Duration,
    /// Threads that serve connections. Unit: threads; 0 means one for each processor.
    pub workers: usize,
}

impl Default for MilterSettings {
    fn default() -> Self {
        MilterSettings {
            listeners: vec![Listener {
                address: ListenAddress::Inet("127.0.0.1:8891".to_owned()),
                refuse_at: RefuseAt::Rcpt,
            }],
            socket_mode: 0o660,
            socket_group: None,
            connections: 1_000,
            drain: Duration::from_secs(30),
            workers: 0,
        }
    }
}

/// `[deadlines]`: how long the client waits for us at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For each reply before the end of data, waits of the tarpit included. Sendmail gives a milter 10 s.
    pub reply: Duration,
    /// For the whole judgement of a message at its end.
    pub message: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Deadlines { reply: Duration::from_secs(8), message: Duration::from_secs(20) }
    }
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Form.
    pub format: LogFormat,
    /// Least severity that is written: error, warn, info, debug or trace.
    pub level: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        LogSettings { format: LogFormat::Text, level: "info".to_owned() }
    }
}

const LISTEN_FORM: &str = "\"inet:HOST:PORT\" or \"unix:/PATH\"";
const REFUSE_AT: &[&str] = &["connect", "mail", "rcpt"];

/// Reads `[milter]`.
pub fn milter(root: &mut Table<'_>, faults: &mut Faults<'_>) -> MilterSettings {
    let default = MilterSettings::default();
    let mut table = root.section("milter", faults);
    let refuse_at = table.choice("refuse_at", REFUSE_AT, RefuseAt::Rcpt, faults);
    let mut listeners: Vec<Listener> = table
        .parsed_list("listen", LISTEN_FORM, ListenAddress::parse, faults)
        .unwrap_or_default()
        .into_iter()
        .map(|address| Listener { address, refuse_at })
        .collect();
    for mut entry in table.tables("listener", faults) {
        let refuse_at = entry.choice("refuse_at", REFUSE_AT, refuse_at, faults);
        if !entry.has("address") {
            faults.at(entry.span.clone(), format!("a [[milter.listener]] needs address = {LISTEN_FORM}"));
        }
        if let Some(address) = entry.parsed("address", LISTEN_FORM, ListenAddress::parse, faults) {
            listeners.push(Listener { address, refuse_at });
        }
        entry.finish(faults);
    }
    if listeners.is_empty() {
        listeners = default.listeners.into_iter().map(|l| Listener { refuse_at, ..l }).collect();
    }
    let settings = MilterSettings {
        listeners,
        socket_mode: table
            .parsed(
                "socket_mode",
                "an octal file mode such as \"660\"",
                |text| u32::from_str_radix(text, 8).ok().filter(|&m| m <= 0o777),
                faults,
            )
            .unwrap_or(default.socket_mode),
        socket_group: table.string("socket_group", faults).map(toml::Spanned::into_inner),
        connections: table.integer("connections", 1..=100_000, default.connections as u64, faults) as usize,
        drain: table.duration("drain", default.drain, faults),
        workers: table.integer("workers", 0..=1_024, default.workers as u64, faults) as usize,
    };
    table.finish(faults);
    settings
}

/// Reads `[deadlines]`.
pub fn deadlines(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Deadlines {
    let default = Deadlines::default();
    let mut table = root.section("deadlines", faults);
    let deadlines = Deadlines {
        reply: table.duration("reply", default.reply, faults),
        message: table.duration("message", default.message, faults),
    };
    for (name, value) in [("reply", deadlines.reply), ("message", deadlines.message)] {
        if value < Duration::from_millis(100) {
            faults.at(table.span.clone(), format!("deadlines.{name} is {value:?}, must be at least 100ms"));
        }
    }
    table.finish(faults);
    deadlines
}

/// Reads `[limits]`.
pub fn limits(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Limits {
    let default = Limits::default();
    let mut table = root.section("limits", faults);
    let limits = Limits {
        message_bytes: table.size("message_bytes", default.message_bytes, faults),
        header_bytes: table.size("header_bytes", default.header_bytes, faults),
        header_count: table.integer("header_count", 1..=1_000_000, default.header_count as u64, faults) as usize,
        recipients: table.integer("recipients", 1..=1_000_000, default.recipients as u64, faults) as usize,
        messages_in_flight: table.integer(
            "messages_in_flight",
            1..=1_000_000,
            default.messages_in_flight as u64,
            faults,
        ) as usize,
        bytes_in_flight: table.size("bytes_in_flight", default.bytes_in_flight, faults),
        message_time: table.duration("message_time", default.message_time, faults),
        idle_time: table.duration("idle_time", default.idle_time, faults),
    };
    table.finish(faults);
    limits
}

/// Reads `[log]`.
pub fn log(root: &mut Table<'_>, faults: &mut Faults<'_>) -> LogSettings {
    let default = LogSettings::default();
    let mut table = root.section("log", faults);
    let settings = LogSettings {
        format: table.choice("format", &["text", "json"], default.format, faults),
        level: table.choice("level", &["error", "warn", "info", "debug", "trace"], default.level, faults),
    };
    table.finish(faults);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read_as_postfix_and_sendmail_write_them() {
        let inet = |host: &str| Some(ListenAddress::Inet(host.to_owned()));
        assert_eq!(ListenAddress::parse("inet:127.0.0.1:8891"), inet("127.0.0.1:8891"));
        assert_eq!(ListenAddress::parse("inet:8891@localhost"), inet("localhost:8891"));
        assert_eq!(ListenAddress::parse("inet:[::1]:8891"), inet("[::1]:8891"));
        assert_eq!(ListenAddress::parse("unix:/run/x"), Some(ListenAddress::Unix("/run/x".into())));
        for bad in ["unix:relative", "inet:99999@h", "127.0.0.1:8891", "inet::8891", "tcp:1:1"] {
            assert_eq!(ListenAddress::parse(bad), None, "{bad}");
        }
    }
}
