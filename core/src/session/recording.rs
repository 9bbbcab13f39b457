//! A session as it was seen by a door, so that another door can replay it.
//!
//! The file has one JSON object a line: first the events in their order, then the answers that lookups gave, then what
//! the door said. Bytes that are UTF-8 stand as text, others in hexadecimal digits.

use super::{Limits, Login, RawMessage, RefuseAt, RefusedByMta, Tls};
use crate::verdict::Host;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufWriter, Write},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// One thing that happened in a session. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A client has connected.
    Connect {
        /// When, in Unix seconds: the clock of the session.
        time: i64,
        /// Client address.
        client_ip: Option<IpAddr>,
        /// Client name, as the MTA found it.
        client_name: Option<String>,
        /// Name of the receiving MTA.
        mta_name: Option<String>,
        /// Mail of a program on the MTA's own host.
        local_submission: bool,
        /// At which command this client is answered.
        refuse_at: RefuseAt,
        /// What the mail server can do.
        #[serde(default, skip_serializing_if = "Host::is_default")]
        host: Host,
    },
    /// HELO or EHLO.
    Helo {
        /// The name given.
        name: Bytes,
        /// Encryption, if any.
        tls: Option<Tls>,
    },
    /// MAIL.
    Mail {
        /// When, in Unix seconds.
        time: i64,
        /// The address with its brackets.
        sender: Bytes,
        /// ESMTP parameters.
        parameters: Vec<Bytes>,
        /// Authentication, if any.
        login: Option<Login>,
        /// Encryption, if any.
        tls: Option<Tls>,
    },
    /// RCPT.
    Rcpt {
        /// When, in Unix seconds.
        time: i64,
        /// The address with its brackets.
        recipient: Bytes,
        /// Set if the MTA has refused this recipient itself.
        refused_by_mta: Option<RefusedByMta>,
    },
    /// A header field.
    Header {
        /// Field name.
        name: Bytes,
        /// Field body as given, with leading blank and LF folds.
        value: Bytes,
    },
    /// The end of the header.
    EndOfHeader,
    /// A piece of the body.
    Body(Bytes),
    /// Header and body at once, in wire form.
    Whole(Bytes),
    /// The end of the message.
    EndOfMessage {
        /// When, in Unix seconds.
        time: i64,
        /// The MTA's queue id.
        queue_id: Option<String>,
    },
    /// RSET, a new HELO, or the end of the connection: the transaction is over.
    Abort,
}

impl Event {
    /// When it happened, if that is known. Unit: Unix seconds.
    pub fn time(&self) -> Option<i64> {
        match self {
            Event::Connect { time, .. }
            | Event::Mail { time, .. }
            | Event::Rcpt { time, .. }
            | Event::EndOfMessage { time, .. } => Some(*time),
            _ => None,
        }
    }
}

/// Bytes that print as text where they are text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BytesForm", into = "BytesForm")]
pub struct Bytes(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum BytesForm {
    Text(String),
    Raw { hex: String },
}

impl From<Bytes> for BytesForm {
    fn from(bytes: Bytes) -> Self {
        match String::from_utf8(bytes.0) {
            Ok(text) => BytesForm::Text(text),
            Err(raw) => BytesForm::Raw { hex: raw.as_bytes().iter().map(|b| format!("{b:02x}")).collect() },
        }
    }
}

impl From<BytesForm> for Bytes {
    fn from(form: BytesForm) -> Self {
        match form {
            BytesForm::Text(text) => Bytes(text.into_bytes()),
            BytesForm::Raw { hex } => Bytes(
                hex.as_bytes()
                    .chunks(2)
                    .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                    .collect(),
            ),
        }
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Bytes(bytes.to_vec())
    }
}

/// A session with the answers that its lookups gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recording {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Question to answers in the order they were given (see `lookup::Journal`).
    pub answers: BTreeMap<String, Vec<serde_json::Value>>,
    /// What the door said about each message and refused transaction, as JSON; a replay should say the same.
    pub explanations: Vec<String>,
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file could not be read.
    #[error("cannot read the recording: {0}")]
    Io(#[from] io::Error),
    /// A line is not what a recording holds.
    #[error("line {line} of the recording is not understood: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: serde_json::Error,
    },
    /// The first line does not say that this is a recording that we know.
    #[error("not a session recording of version {VERSION}")]
    Version,
}

/// Version of the file format.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    MailwardSession {
        version: u32,
    },
    Event(Event),
    Answers {
        question: String,
        answers: Vec<serde_json::Value>,
    },
    /// JSON inside a text, so that its bytes stay as they are.
    Explanation(String),
}

impl Recording {
    /// First bytes of every recording: how `mailward check` tells one from a message.
    pub const MAGIC: &'static [u8] = b"{\"mailward-session\"";

    /// Writes the recording.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        let mut line = |line: &Line| -> io::Result<()> {
            serde_json::to_writer(&mut out, line)?;
            out.write_all(b"\n")
        };
        line(&Line::MailwardSession { version: VERSION })?;
        for event in &self.events {
            line(&Line::Event(event.clone()))?;
        }
        for (question, answers) in &self.answers {
            line(&Line::Answers { question: question.clone(), answers: answers.clone() })?;
        }
        for explanation in &self.explanations {
            line(&Line::Explanation(explanation.clone()))?;
        }
        out.flush()
    }

    /// Writes the recording to a file that only its owner may read, as it holds mail.
    ///
    /// # Errors
    ///
    /// If it cannot be written whole.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        self.write(BufWriter::new(file))
    }

    /// The bytes of the last message, as far as these limits let it in; empty if the session had none.
    pub fn last_message(&self, limits: &Limits) -> Vec<u8> {
        let mut message = RawMessage::new(None);
        for event in &self.events {
            match event {
                Event::Mail { .. } => message = RawMessage::new(None),
                Event::Header { name, value } => message.header(&name.0, &value.0, limits),
                Event::EndOfHeader => message.end_of_header(),
                Event::Body(piece) => _ = message.body(&piece.0, limits),
                Event::Whole(raw) => message.whole(&raw.0, limits),
                _ => {}
            }
        }
        message.take().0
    }

    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// If the input cannot be read or is not a recording; the error names the line.
    pub fn read(input: impl BufRead) -> Result<Self, RecordingError> {
        let mut recording = Recording::default();
        for (index, line) in input.lines().enumerate() {
            let line = line?;
            let parsed = serde_json::from_str(&line).map_err(|why| RecordingError::Line { line: index + 1, why })?;
            match (index, parsed) {
                (0, Line::MailwardSession { version: VERSION }) => {}
                (0, _) | (_, Line::MailwardSession { .. }) => return Err(RecordingError::Version),
                (_, Line::Event(event)) => recording.events.push(event),
                (_, Line::Answers { question, answers }) => {
                    recording.answers.insert(question, answers);
                }
                (_, Line::Explanation(explanation)) => recording.explanations.push(explanation),
            }
        }
        if recording.events.is_empty() { Err(RecordingError::Version) } else { Ok(recording) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_recording_reads_back_as_it_was_written() {
        let recording = Recording {
            events: vec![
                Event::Connect {
                    time: 5,
                    client_ip: Some([192, 0, 2, 7].into()),
                    client_name: None,
                    mta_name: None,
                    local_submission: false,
                    refuse_at: RefuseAt::Mail,
                    host: Host { hold: false, ..Host::default() },
                },
                Event::Body(Bytes(b"caf\xe9\r\n".to_vec())),
                Event::EndOfMessage { time: 6, queue_id: Some("ABC".into()) },
            ],
            answers: [("spf".to_owned(), vec![serde_json::json!({"result": "pass"})])].into(),
            explanations: vec!["{\"points\":0.10}".to_owned()],
        };
        let mut file = Vec::new();
        recording.write(&mut file).expect("written");
        assert!(file.starts_with(Recording::MAGIC));
        assert_eq!(Recording::read(&file[..]).expect("read"), recording);
    }

    #[test]
    fn a_saved_file_is_private_and_a_full_disk_is_told() {
        let recording = Recording::default();
        let path = std::env::temp_dir().join(format!("mailward-recording-{}", std::process::id()));
        recording.save(&path).expect("saved");
        assert_eq!(path.metadata().expect("it is there").mode() & 0o777, 0o600);
        std::fs::remove_file(&path).expect("it is there");
        assert!(recording.save(Path::new("/dev/full")).is_err(), "the last bytes count too");
    }

    #[test]
    fn a_foreign_file_is_refused_with_its_line() {
        assert!(matches!(Recording::read(&b"From: x\n"[..]), Err(RecordingError::Line { line: 1, .. })));
        assert!(matches!(Recording::read(&b""[..]), Err(RecordingError::Version)));
    }
}
