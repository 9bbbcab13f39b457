//! `mw_session_t`: one SMTP connection, command by command.

mod calls;
#[cfg(test)]
mod tests;

pub use calls::{
    mw_session_end_of_message, mw_session_free, mw_session_helo, mw_session_mail, mw_session_message, mw_session_open,
    mw_session_rcpt, mw_session_reset, mw_session_save_recording, mw_session_write,
};

use crate::{
    engine::{Engine, Shareable},
    error::Failure,
    facts::now,
    verdict::Verdict,
};
use mailward_core::{
    engine::{self, Answer, Session as Core, SessionOptions},
    session::RefuseAt,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};
use tokio::runtime::Runtime;

/// `mw_session_t`. Members are dropped in this order: the core session before the threads that its lookups are on.
pub struct Session {
    core: Core,
    /// Bound of the header in the configuration that the session keeps.
    header_bytes: usize,
    phase: Phase,
    process: u32,
    poisoned: bool,
    /// Kept for what outlives a reload: the DNS of the host.
    _engine: Arc<Shareable>,
    runtime: Arc<Runtime>,
}

/// Which commands may come.
#[derive(Debug)]
enum Phase {
    /// No transaction.
    Idle,
    /// MAIL was refused.
    Refused,
    /// MAIL was taken.
    Envelope { recipients: usize },
    /// Bytes have come, the end of the header has not.
    Header(Vec<u8>),
    /// The end of the header has come.
    Body,
}

impl Session {
    /// Runs a call, unless the session is poisoned or of another process; a panic poisons it.
    fn guarded(&mut self, call: impl FnOnce(&mut Session) -> Result<(), Failure>) -> Result<(), Failure> {
        if self.is_foreign() {
            return Err(Failure::forked());
        }
        if self.poisoned {
            return Err(Failure::poisoned());
        }
        catch_unwind(AssertUnwindSafe(|| call(self))).unwrap_or_else(|payload| {
            self.poisoned = true;
            Err(Failure::panicked(&*payload))
        })
    }

    /// Whether the session was opened in a process that this one was forked from.
    fn is_foreign(&self) -> bool {
        self.process != std::process::id()
    }

    fn open(engine: &Engine, facts: engine::ConnectFacts) -> Result<Self, Failure> {
        let runtime = engine.0.runtime()?;
        let (host, record) = (engine.0.host, engine.0.record);
        let options = SessionOptions { refuse_at: RefuseAt::Rcpt, host, record, ..SessionOptions::default() };
        let loaded = engine.0.loaded();
        let mut core = loaded.core.session(options);
        // With `RefuseAt::Rcpt` nothing is refused here.
        let _ = runtime.block_on(core.connect(facts));
        Ok(Session {
            core,
            header_bytes: loaded.header_bytes,
            phase: Phase::Idle,
            process: std::process::id(),
            poisoned: false,
            _engine: Arc::clone(&engine.0),
            runtime,
        })
    }

    fn mail(&mut self, facts: engine::MailFacts<'_>) -> Result<Option<Verdict>, Failure> {
        match self.phase {
            Phase::Idle => {}
            Phase::Refused => drop(self.reset()),
            _ => return Err(Failure::order("a transaction is open: end it with its message or mw_session_reset()")),
        }
        let answer = self.runtime.block_on(self.core.mail(facts));
        self.phase = if answer.reply.is_none() { Phase::Envelope { recipients: 0 } } else { Phase::Refused };
        Ok(Self::refusal(answer))
    }

    fn rcpt(&mut self, recipient: &[u8]) -> Result<Option<Verdict>, Failure> {
        let Phase::Envelope { recipients } = &mut self.phase else {
            return Err(Failure::order("a recipient follows a sender that was taken, and comes before the message"));
        };
        let answer = self.runtime.block_on(self.core.rcpt(now(), recipient, None));
        *recipients += usize::from(answer.reply.is_none());
        Ok(Self::refusal(answer))
    }

    fn refusal(answer: Answer) -> Option<Verdict> {
        let (reply, reference) = answer.reply?;
        Some(Verdict::of_refusal(&reply, reference, answer.delay, None))
    }

    /// The header is kept until it is whole, or larger than the engine's bound for it.
    fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        if let Phase::Envelope { recipients: 1.. } = self.phase {
            self.phase = Phase::Header(Vec::new());
        }
        match &mut self.phase {
            Phase::Header(header) => {
                let seen = header.len();
                header.extend_from_slice(piece);
                if ends_header(header, seen) || header.len() > self.header_bytes {
                    self.core.whole_message(header);
                    self.phase = Phase::Body;
                }
                Ok(())
            }
            Phase::Body => {
                self.core.body(piece);
                Ok(())
            }
            _ => Err(Failure::order("a message follows a sender and at least one recipient that were taken")),
        }
    }

    fn end_of_message(&mut self, queue_id: Option<String>) -> Result<Verdict, Failure> {
        self.write(b"")?;
        if let Phase::Header(header) = std::mem::replace(&mut self.phase, Phase::Idle) {
            self.core.whole_message(&header);
        }
        Ok(Verdict::of_message(self.runtime.block_on(self.core.end_of_message(now(), queue_id))))
    }

    fn save_recording(&self, file: &Path) -> Result<(), Failure> {
        let recording = self.core.recording();
        let recording = recording.ok_or_else(|| Failure::order("nothing is recorded: open the engine with record"))?;
        recording.save(file).map_err(|error| Failure::system(format!("{}: {error}", file.display())))
    }

    fn reset(&mut self) -> Option<Verdict> {
        self.phase = Phase::Idle;
        self.runtime.block_on(self.core.abort(now())).map(Verdict::of_report)
    }
}

/// Whether the empty line after the header has come; the first `seen` bytes were looked at before.
fn ends_header(header: &[u8], seen: usize) -> bool {
    let from = seen.saturating_sub(3);
    header.starts_with(b"\r\n")
        || header.starts_with(b"\n")
        || header[from..].windows(2).any(|w| w == b"\n\n")
        || header[from..].windows(3).any(|w| w == b"\n\r\n")
}
