//! Recorded sessions, judged again.

use crate::{engine::Shareable, error::Failure, verdict::Verdict};
use mailward_core::{engine::SessionOptions, session::Recording};
use std::{ffi::c_void, fs::File, io::BufReader, path::Path};

/// `mw_verdict_fn`.
pub type OnVerdict = Option<unsafe extern "C" fn(user: *mut c_void, verdict: *const Verdict)>;

/// Judges a recorded session again; the verdicts in their order.
pub(crate) fn replay(engine: &Shareable, file: &Path) -> Result<Vec<Verdict>, Failure> {
    if engine.state().is_some() {
        return Err(Failure::argument(
            "a replay would count what is long over: open an engine without state_dir for it",
        ));
    }
    let cannot = |error: &dyn std::fmt::Display| Failure::system(format!("{}: {error}", file.display()));
    let opened = File::open(file).map_err(|error| cannot(&error))?;
    let recording = Recording::read(BufReader::new(opened)).map_err(|error| cannot(&error))?;
    let core = &engine.loaded().core;
    let replayed = engine.runtime()?.block_on(core.replay(recording, SessionOptions::default()));
    Ok(replayed.into_iter().map(Verdict::of_replayed).collect())
}
