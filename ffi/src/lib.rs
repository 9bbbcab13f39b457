//! libmailward: the engine of Mailward as a C library. `include/mailward.h` documents it for its users; here stands what
//! keeps each promise of that header.
//!
//! Every function that C calls checks its pointers, and lets no panic out. One file for each noun of the header.

mod engine;
mod error;
mod facts;
mod learn;
mod log;
mod replay;
mod resolver;
mod session;
mod text;
mod verdict;

pub use engine::{
    Engine, EngineOptions, mw_engine_free, mw_engine_learn, mw_engine_open, mw_engine_open_text, mw_engine_reload,
    mw_engine_reload_text, mw_engine_replay,
};
pub use error::{Error, mw_error_free, mw_error_message};
pub use facts::{ConnectFacts, MailFacts};
pub use log::mw_log_set;
pub use replay::OnVerdict;
pub use resolver::Resolver;
pub use session::{
    Session, mw_session_end_of_message, mw_session_free, mw_session_helo, mw_session_mail, mw_session_message,
    mw_session_open, mw_session_rcpt, mw_session_reset, mw_session_save_recording, mw_session_write,
};
pub use text::Text;
pub use verdict::{
    Verdict, mw_verdict_action, mw_verdict_code, mw_verdict_delay_ms, mw_verdict_edit_count, mw_verdict_edit_kind,
    mw_verdict_edit_name, mw_verdict_edit_occurrence, mw_verdict_edit_value, mw_verdict_enhanced,
    mw_verdict_explanation, mw_verdict_explanation_text, mw_verdict_finding_count, mw_verdict_finding_evidence,
    mw_verdict_finding_id, mw_verdict_finding_points, mw_verdict_free, mw_verdict_not_applied,
    mw_verdict_not_applied_count, mw_verdict_points, mw_verdict_recipient_address, mw_verdict_recipient_because,
    mw_verdict_recipient_code, mw_verdict_recipient_count, mw_verdict_recipient_disposition,
    mw_verdict_recipient_enhanced, mw_verdict_recipient_text, mw_verdict_recipient_wanted, mw_verdict_reference,
    mw_verdict_text,
};

use std::ffi::{CStr, c_char};

/// Number of the interface: the `MW_ABI_VERSION` of the header that this library was built with.
pub const ABI_VERSION: u32 = 3;
/// Version of the library, ended by NUL for C.
const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// Tells the number of the interface.
#[unsafe(no_mangle)]
pub extern "C" fn mw_abi_version() -> u32 {
    ABI_VERSION
}

/// Tells the version of the library.
#[unsafe(no_mangle)]
pub extern "C" fn mw_version() -> *const c_char {
    VERSION.as_ptr()
}
