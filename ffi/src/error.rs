//! Status codes, owned errors, and the guard around every function that C calls.

use crate::text::Text;
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// `mw_status_t`: 0, or why not. Values are never used again for something else.
pub(crate) type Status = i32;

pub(crate) const OK: Status = 0;
const E_ARGUMENT: Status = 1;
const E_CONFIG: Status = 2;
const E_SYSTEM: Status = 3;
const E_ORDER: Status = 4;
const E_FORKED: Status = 5;
const E_PANIC: Status = 6;
const E_POISONED: Status = 7;

/// `mw_error_t`: what went wrong, in words for a log.
#[derive(Debug)]
pub struct Error {
    message: String,
}

/// Why a call fails.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: Status,
    message: String,
}

impl Failure {
    fn new(status: Status, message: impl Into<String>) -> Self {
        Failure { status, message: message.into() }
    }

    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(E_ARGUMENT, message)
    }

    pub(crate) fn null(name: &str) -> Self {
        Self::argument(format!("{name} is NULL"))
    }

    pub(crate) fn config(problems: &[String]) -> Self {
        Self::new(E_CONFIG, problems.join("\n"))
    }

    pub(crate) fn system(message: impl Into<String>) -> Self {
        Self::new(E_SYSTEM, message)
    }

    pub(crate) fn order(message: &str) -> Self {
        Self::new(E_ORDER, message)
    }

    pub(crate) fn forked() -> Self {
        Self::new(E_FORKED, "this handle was in use before the process forked; open an engine in the child")
    }

    pub(crate) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let words = payload.downcast_ref::<&str>().copied().map(str::to_owned);
        let words = words.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
        Self::new(E_PANIC, format!("internal fault, please report it: {words}"))
    }

    pub(crate) fn poisoned() -> Self {
        Self::new(E_POISONED, "an earlier call on this session met an internal fault; free it and open another")
    }
}

/// Runs what a function of the header does: no panic leaves it, and a failure becomes a status and, where the caller
/// wants it, an error object.
///
/// # Safety
///
/// `err` is NULL or may be written.
pub(crate) unsafe fn entry(err: *mut *mut Error, body: impl FnOnce() -> Result<(), Failure>) -> Status {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return OK,
        Ok(Err(failure)) => failure,
        Err(payload) => Failure::panicked(&*payload),
    };
    if !err.is_null() {
        // SAFETY: the caller of this function promises that it may be written.
        unsafe { err.write(Box::into_raw(Box::new(Error { message: failure.message }))) };
    }
    failure.status
}

/// The same for functions that only tell or free something.
pub(crate) fn quiet<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

/// Tells what went wrong.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_error_message(error: *const Error) -> Text {
    // SAFETY: NULL or an error that the caller owns.
    quiet(Text::EMPTY, || unsafe { error.as_ref() }.map_or(Text::EMPTY, |error| Text::of(&error.message)))
}

/// Frees an error.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_error_free(error: *mut Error) {
    quiet((), || {
        if !error.is_null() {
            // SAFETY: it came from `Box::into_raw` in `entry`, and the caller gives it up.
            drop(unsafe { Box::from_raw(error) });
        }
    });
}
