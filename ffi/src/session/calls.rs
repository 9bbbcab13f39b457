//! The functions of the header that a session has.

use super::Session;
use crate::{
    engine::Engine,
    error::{Error, Failure, Status, entry, quiet},
    facts::{ConnectFacts, MailFacts, now},
    text::{Text, path, sized},
    verdict::Verdict,
};
use mailward_core::engine;
use std::ffi::c_char;

/// Runs a call on a session.
///
/// # Safety
///
/// `session` is NULL or a session that no other thread uses; `err` is NULL or may be written.
pub(super) unsafe fn on_session(
    session: *mut Session,
    err: *mut *mut Error,
    call: impl FnOnce(&mut Session) -> Result<(), Failure>,
) -> Status {
    let body = || {
        // SAFETY: the caller of this function promises it.
        unsafe { session.as_mut() }.ok_or_else(|| Failure::null("session"))?.guarded(call)
    };
    // SAFETY: the caller of this function promises that `err` is NULL or may be written.
    unsafe { entry(err, body) }
}

/// Gives a verdict, or NULL for none, to the caller.
///
/// # Safety
///
/// `out` may be written.
unsafe fn give(out: *mut *mut Verdict, verdict: Option<Verdict>) {
    let verdict = verdict.map_or(std::ptr::null_mut(), |verdict| Box::into_raw(Box::new(verdict)));
    // SAFETY: the caller of this function promises it.
    unsafe { out.write(verdict) };
}

/// Opens a session: a client has connected.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_session_open(
    engine: *const Engine,
    facts: *const ConnectFacts,
    out: *mut *mut Session,
    err: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: NULL or an engine that the caller keeps until this function returns.
        let engine = unsafe { engine.as_ref() }.ok_or_else(|| Failure::null("engine"))?;
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        // SAFETY: NULL or a struct of the size that it says, with texts that stay until this function returns.
        let facts = unsafe { sized(facts, "facts")?.read() }?;
        let session = Box::new(Session::open(engine, facts)?);
        // SAFETY: not NULL, and the caller lets it be written.
        unsafe { out.write(Box::into_raw(session)) };
        Ok(())
    };
    // SAFETY: the caller passes NULL or a place that may be written.
    unsafe { entry(err, body) }
}

/// HELO or EHLO.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_session_helo(session: *mut Session, name: Text, err: *mut *mut Error) -> Status {
    let call = |session: &mut Session| {
        // SAFETY: the text stays until this function returns.
        session.core.helo(unsafe { name.bytes("name") }?, None);
        Ok(())
    };
    // SAFETY: the header asks for a session of one thread, and for a place that may be written or NULL.
    unsafe { on_session(session, err, call) }
}

/// MAIL.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_session_mail(
    session: *mut Session,
    sender: Text,
    facts: *const MailFacts,
    refusal: *mut *mut Verdict,
    err: *mut *mut Error,
) -> Status {
    let call = |session: &mut Session| {
        if refusal.is_null() {
            return Err(Failure::null("refusal"));
        }
        // SAFETY: the texts stay until this function returns; `facts` is NULL or of the size that it says.
        let (sender, (login, tls)) = unsafe { (sender.bytes("sender")?, sized(facts, "facts")?.read()?) };
        let facts = engine::MailFacts { time: now(), sender, parameters: Vec::new(), login, tls };
        let verdict = session.mail(facts)?;
        // SAFETY: not NULL, and the caller lets it be written.
        unsafe { give(refusal, verdict) };
        Ok(())
    };
    // SAFETY: the header asks for a session of one thread, and for a place that may be written or NULL.
    unsafe { on_session(session, err, call) }
}

/// RCPT.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_session_rcpt(
    session: *mut Session,
    recipient: Text,
    refusal: *mut *mut Verdict,
    err: *mut *mut Error,
) -> Status {
    let call = |session: &mut Session| {
        if refusal.is_null() {
            return Err(Failure::null("refusal"));
        }
        // SAFETY: the text stays until this function returns.
        let verdict = session.rcpt(unsafe { recipient.bytes("recipient") }?)?;
        // SAFETY: not NULL, and the caller lets it be written.
        unsafe { give(refusal, verdict) };
        Ok(())
    };
    // SAFETY: the header asks for a session of one thread, and for a place that may be written or NULL.
    unsafe { on_session(session, err, call) }
}

/// A piece of the message.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_session_write(session: *mut Session, piece: Text, err: *mut *mut Error) -> Status {
    // SAFETY: the text stays until this function returns.
    let call = |session: &mut Session| session.write(unsafe { piece.bytes("piece") }?);
    // SAFETY: the header asks for a session of one thread, and for a place that may be written or NULL.
    unsafe { on_session(session, err, call) }
}

/// The end of the message: it is judged.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_session_end_of_message(
    session: *mut Session,
    queue_id: Text,
    out: *mut *mut Verdict,
    err: *mut *mut Error,
) -> Status {
    // SAFETY: the header asks for the same.
    unsafe { judge(session, None, queue_id, out, err) }
}

/// A whole message at once.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_session_message(
    session: *mut Session,
    message: Text,
    queue_id: Text,
    out: *mut *mut Verdict,
    err: *mut *mut Error,
) -> Status {
    // SAFETY: the header asks for the same.
    unsafe { judge(session, Some(message), queue_id, out, err) }
}

/// Judges the message that was written, or that one and then `message`.
///
/// # Safety
///
/// As the header says of `mw_session_end_of_message` and `mw_session_message`.
unsafe fn judge(
    session: *mut Session,
    message: Option<Text>,
    queue_id: Text,
    out: *mut *mut Verdict,
    err: *mut *mut Error,
) -> Status {
    let call = |session: &mut Session| {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        // SAFETY: the text stays until this function returns.
        let queue_id = unsafe { queue_id.word("queue_id") }?;
        if let Some(message) = message {
            // SAFETY: likewise.
            session.write(unsafe { message.bytes("message") }?)?;
        }
        let verdict = session.end_of_message(queue_id)?;
        // SAFETY: not NULL, and the caller lets it be written.
        unsafe { give(out, Some(verdict)) };
        Ok(())
    };
    // SAFETY: the header asks for a session of one thread, and for a place that may be written or NULL.
    unsafe { on_session(session, err, call) }
}

/// Writes what the session saw to a file.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_session_save_recording(
    session: *mut Session,
    file: *const c_char,
    err: *mut *mut Error,
) -> Status {
    let call = |session: &mut Session| {
        // SAFETY: NULL, or it ends with a NUL and stays until this function returns.
        let file = unsafe { path(file) }.ok_or_else(|| Failure::null("file"))?;
        session.save_recording(file)
    };
    // SAFETY: the header asks for a session of one thread, and for a place that may be written or NULL.
    unsafe { on_session(session, err, call) }
}

/// RSET, or anything else that ends a transaction without a message.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_session_reset(
    session: *mut Session,
    report: *mut *mut Verdict,
    err: *mut *mut Error,
) -> Status {
    let call = |session: &mut Session| {
        let verdict = session.reset();
        if !report.is_null() {
            // SAFETY: not NULL, and the caller lets it be written.
            unsafe { give(report, verdict) };
        }
        Ok(())
    };
    // SAFETY: the header asks for a session of one thread, and for a place that may be written or NULL.
    unsafe { on_session(session, err, call) }
}

/// Frees a session: the client has gone.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_session_free(session: *mut Session) {
    quiet((), || {
        if session.is_null() {
            return;
        }
        // SAFETY: it came from `Box::into_raw` in `mw_session_open`, and the caller gives it up.
        let mut session = unsafe { Box::from_raw(session) };
        if session.is_foreign() {
            // Its threads do not exist here, so waiting for their end would never end.
            std::mem::forget(session);
        } else if !session.poisoned {
            drop(session.reset());
        }
    });
}
