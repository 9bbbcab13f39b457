//! `mw_engine_t`: configuration and state, loaded once.

use crate::{
    error::{Error, Failure, Status, entry, quiet},
    text::{Sized1st, path, sized},
};
use mailward_core::{
    config::{self, Config},
    engine::{Engine as Core, Shared},
    lookup::dns::Zone,
};
use std::{
    ffi::c_char,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::runtime::{Builder, Runtime};

/// Threads on which lookups go on between two calls; the work of a call itself is done on the caller's thread and on
/// blocking threads. Unit: threads. Source: our own choice; lookups only wait.
const LOOKUP_THREADS: usize = 2;

/// `mw_engine_options_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Size of the struct as the caller knows it.
    pub struct_size: usize,
    /// Directory of the state; NULL keeps it in memory.
    pub state_dir: *const c_char,
    /// File from which DNS is answered, for tests; NULL asks the network.
    pub dns_zone: *const c_char,
}

// SAFETY: `repr(C)`, its size first, and a NULL pointer means none.
unsafe impl Sized1st for EngineOptions {}

/// `mw_engine_t`.
#[derive(Debug)]
pub struct Engine(pub(crate) Arc<Shareable>);

/// What an engine shares with its sessions. Members are dropped in this order: the core before its threads.
#[derive(Debug)]
pub(crate) struct Shareable {
    pub(crate) core: Arc<Core>,
    pub(crate) header_bytes: usize,
    running: Mutex<Option<Running>>,
}

/// The threads, from the first session on.
#[derive(Debug)]
struct Running {
    runtime: Arc<Runtime>,
    process: u32,
}

impl Shareable {
    /// The threads of this process. They are started when the first session is opened, so that a host may open an engine
    /// and then fork.
    pub(crate) fn runtime(&self) -> Result<Arc<Runtime>, Failure> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*running {
            let ours = running.process == std::process::id();
            return if ours { Ok(Arc::clone(&running.runtime)) } else { Err(Failure::forked()) };
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(LOOKUP_THREADS)
            .thread_name("mailward")
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| Failure::system(format!("cannot start threads: {error}")))?;
        let runtime = Arc::new(runtime);
        let _inside = runtime.enter();
        self.core.watch_lists();
        *running = Some(Running { runtime: Arc::clone(&runtime), process: std::process::id() });
        Ok(Arc::clone(&runtime))
    }

    /// Whether threads of this engine were left behind in a parent process.
    fn is_foreign(&self) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().is_some_and(|running| running.process != std::process::id())
    }
}

fn open(file: Option<&Path>, state_dir: Option<&Path>, zone: Option<&Path>) -> Result<Engine, Failure> {
    let faults = |faults: Vec<_>| Failure::config(&faults.iter().map(ToString::to_string).collect::<Vec<_>>());
    let mut config = file.map(config::load).transpose().map_err(faults)?.unwrap_or_default();
    let shared = shared(&mut config, state_dir, zone)?;
    let header_bytes = config.limits.header_bytes;
    let loading = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| Failure::system(format!("cannot load: {error}")))?;
    let core = loading.block_on(Core::build(config, shared)).map_err(|problems| Failure::config(&problems))?;
    Ok(Engine(Arc::new(Shareable { core, header_bytes, running: Mutex::default() })))
}

fn shared(config: &mut Config, state_dir: Option<&Path>, zone: Option<&Path>) -> Result<Shared, Failure> {
    match (state_dir, zone) {
        (Some(_), Some(_)) => {
            Err(Failure::argument("dns_zone is for tests, with state in memory: leave out state_dir"))
        }
        (Some(dir), None) => {
            config.state.dir = dir.to_owned();
            Shared::open(config).map_err(Failure::system)
        }
        (None, zone) => Ok(Shared::in_memory(zone.map(read_zone).transpose()?)),
    }
}

fn read_zone(file: &Path) -> Result<Zone, Failure> {
    let cannot = |why: &dyn std::fmt::Display| Failure::config(&[format!("{}: {why}", file.display())]);
    let text = std::fs::read_to_string(file).map_err(|error| cannot(&error))?;
    Zone::parse(&text).map_err(|faults| cannot(&faults.join("; ")))
}

/// Opens an engine.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_engine_open(
    config: *const c_char,
    options: *const EngineOptions,
    out: *mut *mut Engine,
    err: *mut *mut Error,
) -> Status {
    let body = || {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        // SAFETY: NULL or a struct of the size that it says, as the header asks.
        let options = unsafe { sized(options, "options") }?;
        // SAFETY: each is NULL or ends with a NUL, and stays until this function returns.
        let (config, state_dir, zone) = unsafe { (path(config), path(options.state_dir), path(options.dns_zone)) };
        let engine = open(config, state_dir, zone)?;
        // SAFETY: not NULL, and the caller lets it be written.
        unsafe { out.write(Box::into_raw(Box::new(engine))) };
        Ok(())
    };
    // SAFETY: the caller passes NULL or a place that may be written.
    unsafe { entry(err, body) }
}

/// Frees an engine; its sessions keep what they need.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_engine_free(engine: *mut Engine) {
    quiet((), || {
        if engine.is_null() {
            return;
        }
        // SAFETY: it came from `Box::into_raw` in `mw_engine_open`, and the caller gives it up.
        let engine = unsafe { Box::from_raw(engine) };
        if engine.0.is_foreign() {
            // Its threads do not exist here, so waiting for their end would never end.
            std::mem::forget(engine);
        }
    });
}
