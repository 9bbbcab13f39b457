//! What the library has to say while it works, for the host's own log.

use crate::{
    error::{Error, Failure, Status, entry},
    text::Text,
};
use std::{
    ffi::c_void,
    fmt::{self, Write},
    sync::{PoisonError, RwLock},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::{Interest, set_global_default},
};

/// `mw_log_fn`.
type LogFn = unsafe extern "C" fn(*mut c_void, i32, Text);

/// Where lines go, for the whole process.
#[derive(Clone, Copy)]
struct Log {
    write: LogFn,
    user: *mut c_void,
    level: i32,
}

// SAFETY: the header asks for a function and a `user` that any number of threads may use at a time.
unsafe impl Send for Log {}
// SAFETY: the same.
unsafe impl Sync for Log {}

static LOG: RwLock<Option<Log>> = RwLock::new(None);

fn number(level: Level) -> i32 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// Lines of the library and its parts, each a text with `name=value` behind it.
struct Lines;

impl Subscriber for Lines {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // The level may change while the process runs.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let log = LOG.read().unwrap_or_else(PoisonError::into_inner);
        log.is_some_and(|log| metadata.is_event() && number(*metadata.level()) <= log.level)
    }

    fn event(&self, event: &Event<'_>) {
        let log = *LOG.read().unwrap_or_else(PoisonError::into_inner);
        let Some(log) = log else { return };
        let mut line = Line::default();
        event.record(&mut line);
        line.text.push_str(&line.fields);
        // SAFETY: the header asks for a function of this type, and for a `user` that it knows.
        unsafe { (log.write)(log.user, number(*event.metadata().level()), Text::of(&line.text)) };
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Line {
    text: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.text, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// Says where the library's lines go.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_log_set(
    on_log: Option<LogFn>,
    user: *mut c_void,
    level: i32,
    err: *mut *mut Error,
) -> Status {
    let body = || {
        if !(0..=5).contains(&level) {
            return Err(Failure::argument(format!("level is {level}, not one of MW_LOG_...")));
        }
        let before = {
            let mut log = LOG.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *log, on_log.map(|write| Log { write, user, level }))
        };
        if before.is_none() && on_log.is_some() {
            // The second time it is ours already, or that of a host written in Rust, which hears the lines there.
            let _ = set_global_default(Lines);
        }
        Ok(())
    };
    // SAFETY: the caller passes NULL or a place that may be written.
    unsafe { entry(err, body) }
}
