//! `mw_engine_t`: configuration and state, loaded once and again on demand.

use crate::{
    error::{Error, Failure, Status, entry, quiet},
    learn,
    replay::{OnVerdict, replay},
    resolver::{HostResolver, Resolver},
    text::{Sized1st, Text, path, sized},
};
use mailward_core::{
    config::{self, Config},
    engine::{Engine as Core, Shared},
    lookup::dns::Zone,
    verdict::Host,
};
use std::{
    ffi::{c_char, c_void},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};
use tokio::runtime::{Builder, Runtime};

/// Threads on which lookups go on between two calls; the work of a call itself is done on the caller's thread and on
/// blocking threads. Unit: threads. Source: our own choice; lookups only wait.
const LOOKUP_THREADS: usize = 2;
/// The same in a process that was forked from the one that opened the engine: it serves one client.
const LOOKUP_THREADS_FORKED: usize = 1;

const EDIT_HEADER: u32 = 1;
const REMOVE_RECIPIENT: u32 = 2;
const HOLD: u32 = 4;
const REPLY_BY_RECIPIENT: u32 = 8;
const REPLACE_BODY: u32 = 16;
const ADD_RECIPIENT: u32 = 32;
const CHANGE_SENDER: u32 = 64;
const ALL: u32 =
    EDIT_HEADER | REMOVE_RECIPIENT | HOLD | REPLY_BY_RECIPIENT | REPLACE_BODY | ADD_RECIPIENT | CHANGE_SENDER;

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
    /// DNS of the host; NULL asks the servers of the configuration.
    pub resolver: *const Resolver,
    /// What the host can do, `MW_HOST_...`; 0 is editing headers, taking recipients off and holding.
    pub host: u32,
    /// Not 0: sessions are recorded.
    pub record: i32,
}

// SAFETY: `repr(C)`, its size first, and a NULL pointer means none.
unsafe impl Sized1st for EngineOptions {}

/// `mw_engine_t`.
#[derive(Debug)]
pub struct Engine(pub(crate) Arc<Shareable>);

/// What an engine shares with its sessions. Members are dropped in this order: the core before its threads, and they
/// before the DNS that they ask.
#[derive(Debug)]
pub(crate) struct Shareable {
    loaded: RwLock<Loaded>,
    shared: Shared,
    source: Source,
    pub(crate) host: Host,
    pub(crate) record: bool,
    /// Which process opened it.
    opened_in: u32,
    running: Mutex<Option<Running>>,
    resolver: Option<HostResolver>,
}

/// One configuration in force.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) core: Arc<Core>,
    pub(crate) header_bytes: usize,
}

/// Where the configuration came from, and what the options set in its place.
#[derive(Debug)]
struct Source {
    file: Option<PathBuf>,
    state_dir: Option<PathBuf>,
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
        let mut running = self.running();
        if let Some(running) = &*running {
            let ours = running.process == std::process::id();
            return if ours { Ok(Arc::clone(&running.runtime)) } else { Err(Failure::forked()) };
        }
        let cannot = |error: std::io::Error| Failure::system(format!("cannot start threads: {error}"));
        if let Some(resolver) = &self.resolver {
            resolver.start().map_err(cannot)?;
        }
        let is_forked = self.opened_in != std::process::id();
        let runtime = Builder::new_multi_thread()
            .worker_threads(if is_forked { LOOKUP_THREADS_FORKED } else { LOOKUP_THREADS })
            .thread_name("mailward")
            .enable_io()
            .enable_time()
            .build()
            .map_err(cannot)?;
        // An engine that was inherited has the model of the time when it was opened.
        self.shared.refresh_model();
        let runtime = Arc::new(runtime);
        let _inside = runtime.enter();
        self.loaded().core.watch_lists();
        *running = Some(Running { runtime: Arc::clone(&runtime), process: std::process::id() });
        Ok(Arc::clone(&runtime))
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether threads of this engine were left behind in a parent process.
    pub(crate) fn is_foreign(&self) -> bool {
        self.running().as_ref().is_some_and(|running| running.process != std::process::id())
    }

    /// The configuration in force.
    pub(crate) fn loaded(&self) -> Loaded {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another configuration in force; sessions that are open keep theirs. With faults nothing changes.
    fn reload(&self, config: Config) -> Result<(), Failure> {
        let loaded = load(self.source.set(config, self.resolver.as_ref()), self.shared.clone())?;
        if let Some(running) = &*self.running() {
            let _inside = running.runtime.enter();
            loaded.core.watch_lists();
        }
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    /// The directory of the state and what it holds; `None` if all is in memory.
    pub(crate) fn state(&self) -> Option<(&Path, &Shared)> {
        self.source.state_dir.as_deref().map(|dir| (dir, &self.shared))
    }
}

impl Source {
    /// The configuration with what the options of the engine set.
    fn set(&self, mut config: Config, resolver: Option<&HostResolver>) -> Config {
        if let Some(dir) = &self.state_dir {
            config.state.dir.clone_from(dir);
        }
        if let Some(resolver) = resolver {
            config.dns.servers = vec![resolver.address()];
        }
        config
    }
}

fn read(file: Option<&Path>) -> Result<Config, Failure> {
    Ok(file.map(config::load).transpose().map_err(faults)?.unwrap_or_default())
}

fn parse(text: &[u8]) -> Result<Config, Failure> {
    let text = std::str::from_utf8(text).map_err(|error| Failure::config(&[format!("configuration: {error}")]))?;
    config::parse("configuration", text).map_err(faults)
}

fn faults(faults: Vec<impl std::fmt::Display>) -> Failure {
    Failure::config(&faults.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn load(config: Config, shared: Shared) -> Result<Loaded, Failure> {
    let header_bytes = config.limits.header_bytes;
    let core = block_on(Core::build(config, shared))?.map_err(|problems| Failure::config(&problems))?;
    Ok(Loaded { core, header_bytes })
}

/// Waits on the caller's thread; no thread is left behind.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let waiting = Builder::new_current_thread().enable_io().enable_time().build();
    Ok(waiting.map_err(|error| Failure::system(format!("cannot wait: {error}")))?.block_on(future))
}

/// What an engine is opened with, its pointers read.
struct Opening<'a> {
    state_dir: Option<&'a Path>,
    zone: Option<&'a Path>,
    resolver: Option<Resolver>,
    host: u32,
    record: bool,
}

fn open(config: Config, file: Option<&Path>, opening: &Opening<'_>) -> Result<Engine, Failure> {
    let resolver = opening.resolver.map(HostResolver::bind).transpose()?;
    let source = Source { file: file.map(Path::to_owned), state_dir: opening.state_dir.map(Path::to_owned) };
    let config = source.set(config, resolver.as_ref());
    let shared = shared(&config, opening)?;
    let loaded = RwLock::new(load(config, shared.clone())?);
    let host = host(opening.host)?;
    Ok(Engine(Arc::new(Shareable {
        loaded,
        shared,
        source,
        host,
        record: opening.record,
        opened_in: std::process::id(),
        running: Mutex::default(),
        resolver,
    })))
}

fn host(flags: u32) -> Result<Host, Failure> {
    if flags == 0 {
        // Who does not know of bodies must not get half of such an edit, its header fields; who does not know of other senders and
        // added recipients, none.
        return Ok(Host { replace_body: false, change_sender: false, add_recipient: false, ..Host::default() });
    }
    if flags & !ALL != 0 {
        return Err(Failure::argument(format!(
            "host is {flags}: a flag is set that this version of the library lacks"
        )));
    }
    Ok(Host {
        edit_header: flags & EDIT_HEADER != 0,
        replace_body: flags & REPLACE_BODY != 0,
        change_sender: flags & CHANGE_SENDER != 0,
        remove_recipient: flags & REMOVE_RECIPIENT != 0,
        add_recipient: flags & ADD_RECIPIENT != 0,
        hold: flags & HOLD != 0,
        reply_by_recipient: flags & REPLY_BY_RECIPIENT != 0,
    })
}

fn shared(config: &Config, opening: &Opening<'_>) -> Result<Shared, Failure> {
    match (opening.state_dir, opening.zone) {
        (Some(_), Some(_)) => {
            Err(Failure::argument("dns_zone is for tests, with state in memory: leave out state_dir"))
        }
        (None, Some(_)) if opening.resolver.is_some() => {
            Err(Failure::argument("dns_zone and resolver both answer DNS: leave out one"))
        }
        (Some(_), None) => Shared::open(config).map_err(Failure::system),
        (None, zone) => Ok(Shared::in_memory(zone.map(read_zone).transpose()?)),
    }
}

fn read_zone(file: &Path) -> Result<Zone, Failure> {
    let cannot = |why: &dyn std::fmt::Display| Failure::config(&[format!("{}: {why}", file.display())]);
    let text = std::fs::read_to_string(file).map_err(|error| cannot(&error))?;
    Zone::parse(&text).map_err(|faults| cannot(&faults.join("; ")))
}

/// Opens an engine with what `config` gives, and hands it to the caller.
///
/// # Safety
///
/// As the header says of `mw_engine_open`.
unsafe fn open_with<'a>(
    options: *const EngineOptions,
    out: *mut *mut Engine,
    config: impl FnOnce() -> Result<(Config, Option<&'a Path>), Failure>,
) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::null("out"));
    }
    // SAFETY: NULL or a struct of the size that it says, as the header asks.
    let options = unsafe { sized(options, "options") }?;
    // SAFETY: each is NULL or ends with a NUL, and stays until this function returns.
    let (state_dir, zone) = unsafe { (path(options.state_dir), path(options.dns_zone)) };
    let resolver = match options.resolver.is_null() {
        true => None,
        // SAFETY: a struct of the size that it says, as the header asks.
        false => Some(unsafe { sized(options.resolver, "resolver") }?),
    };
    let (config, file) = config()?;
    let opening = Opening { state_dir, zone, resolver, host: options.host, record: options.record != 0 };
    let engine = open(config, file, &opening)?;
    // SAFETY: not NULL, and the caller lets it be written.
    unsafe { out.write(Box::into_raw(Box::new(engine))) };
    Ok(())
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
    // SAFETY: NULL, or it ends with a NUL and stays until this function returns.
    let file = unsafe { path(config) };
    // SAFETY: the header asks for the same.
    let body = || unsafe { open_with(options, out, || Ok((read(file)?, file))) };
    // SAFETY: the caller passes NULL or a place that may be written.
    unsafe { entry(err, body) }
}

/// Opens an engine with a configuration that is given as text.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_engine_open_text(
    config: Text,
    options: *const EngineOptions,
    out: *mut *mut Engine,
    err: *mut *mut Error,
) -> Status {
    // SAFETY: the text stays until this function returns; the header asks for the rest.
    let body = || unsafe { open_with(options, out, || Ok((parse(config.bytes("config")?)?, None))) };
    // SAFETY: the caller passes NULL or a place that may be written.
    unsafe { entry(err, body) }
}

/// Runs a call on an engine of this process.
///
/// # Safety
///
/// `engine` is NULL or an engine that is not freed before this function returns; `err` is NULL or may be written.
unsafe fn on_engine(
    engine: *const Engine,
    err: *mut *mut Error,
    call: impl FnOnce(&Shareable) -> Result<(), Failure>,
) -> Status {
    let body = || {
        // SAFETY: the caller of this function promises it.
        let engine = unsafe { engine.as_ref() }.ok_or_else(|| Failure::null("engine"))?;
        if engine.0.is_foreign() {
            return Err(Failure::forked());
        }
        call(&engine.0)
    };
    // SAFETY: the caller of this function promises that `err` is NULL or may be written.
    unsafe { entry(err, body) }
}

/// Reads the configuration file again.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_engine_reload(engine: *const Engine, err: *mut *mut Error) -> Status {
    let call = |engine: &Shareable| match &engine.source.file {
        Some(file) => engine.reload(read(Some(file))?),
        None => Err(Failure::order("the engine was not opened with a file: use mw_engine_reload_text()")),
    };
    // SAFETY: the header asks for an engine that is not freed meanwhile.
    unsafe { on_engine(engine, err, call) }
}

/// Puts another configuration in force.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_engine_reload_text(engine: *const Engine, config: Text, err: *mut *mut Error) -> Status {
    // SAFETY: the text stays until this function returns.
    let call = |engine: &Shareable| engine.reload(parse(unsafe { config.bytes("config") }?)?);
    // SAFETY: the header asks for an engine that is not freed meanwhile.
    unsafe { on_engine(engine, err, call) }
}

/// Teaches the classifier one message.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_engine_learn(
    engine: *const Engine,
    class: i32,
    message: Text,
    outcome: *mut i32,
    err: *mut *mut Error,
) -> Status {
    let call = |engine: &Shareable| {
        // SAFETY: the text stays until this function returns.
        let learnt = learn::learn(engine, class, unsafe { message.bytes("message") }?)?;
        if !outcome.is_null() {
            // SAFETY: not NULL, and the caller lets it be written.
            unsafe { outcome.write(learnt) };
        }
        Ok(())
    };
    // SAFETY: the header asks for an engine that is not freed meanwhile.
    unsafe { on_engine(engine, err, call) }
}

/// Judges a recorded session again.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_engine_replay(
    engine: *const Engine,
    file: *const c_char,
    on_verdict: OnVerdict,
    user: *mut c_void,
    err: *mut *mut Error,
) -> Status {
    let call = |engine: &Shareable| {
        let on_verdict = on_verdict.ok_or_else(|| Failure::null("on_verdict"))?;
        // SAFETY: NULL, or it ends with a NUL and stays until this function returns.
        let file = unsafe { path(file) }.ok_or_else(|| Failure::null("file"))?;
        for verdict in replay(engine, file)? {
            // SAFETY: the caller gave it for this, and the verdict stays until it returns.
            unsafe { on_verdict(user, &verdict) };
        }
        Ok(())
    };
    // SAFETY: the header asks for an engine that is not freed meanwhile.
    unsafe { on_engine(engine, err, call) }
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
        // SAFETY: it came from `Box::into_raw` in `open_with`, and the caller gives it up.
        let engine = unsafe { Box::from_raw(engine) };
        if engine.0.is_foreign() {
            // Its threads do not exist here, so waiting for their end would never end.
            std::mem::forget(engine);
        }
    });
}
