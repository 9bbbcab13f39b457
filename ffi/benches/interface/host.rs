//! A mail server that judges by the C interface, and one that judges by the Rust core.

use mailward::{ConnectFacts, Engine, EngineOptions, Text};
use mailward_core::{
    config,
    engine::{self, MailFacts, SessionOptions, Shared},
    lookup::dns::Zone,
    session::RefuseAt,
    verdict::Action,
};
use std::{
    ffi::{CString, c_char},
    mem::size_of,
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::runtime::Runtime;

const CONFIGURATION: &str = "[rates]\nmode = \"off\"\n";
const CLIENT: &str = "198.51.100.7";
const HELO: &str = "mail.example.net";
const SENDER: &str = "<anna@example.net>";
const RECIPIENT: &str = "<bob@example.com>";

/// Takes a message of a client, from the beginning of its connection to the end.
pub(crate) trait Host: Sync {
    fn judge(&self, message: &[u8]);
}

/// By the functions of mailward.h.
pub(crate) struct CHost(*mut Engine);

// SAFETY: an engine may be used by any number of threads at a time, as the header says.
unsafe impl Sync for CHost {}

fn text(bytes: &[u8]) -> Text {
    Text { data: bytes.as_ptr().cast::<c_char>(), len: bytes.len() }
}

impl CHost {
    pub(crate) fn open(zone: &Path) -> CHost {
        let zone = CString::new(zone.as_os_str().as_bytes()).expect("no NUL");
        let options = EngineOptions {
            struct_size: size_of::<EngineOptions>(),
            state_dir: ptr::null(),
            dns_zone: zone.as_ptr(),
            resolver: ptr::null(),
            host: 0,
            record: 0,
        };
        let mut engine = ptr::null_mut();
        // SAFETY: texts and options stay until the function returns, and the place may be written.
        let status = unsafe {
            mailward::mw_engine_open_text(text(CONFIGURATION.as_bytes()), &options, &mut engine, ptr::null_mut())
        };
        assert_eq!(status, 0, "the engine opens");
        CHost(engine)
    }
}

impl Drop for CHost {
    fn drop(&mut self) {
        // SAFETY: it was opened above, and no call on it is under way.
        unsafe { mailward::mw_engine_free(self.0) };
    }
}

impl Host for CHost {
    fn judge(&self, message: &[u8]) {
        let none = ptr::null_mut();
        let facts = ConnectFacts {
            struct_size: size_of::<ConnectFacts>(),
            client_address: text(CLIENT.as_bytes()),
            client_name: text(b""),
            host_name: text(b""),
            local_submission: 0,
        };
        let (mut session, mut verdict) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: handles are used as the header says, by this thread alone; texts and facts outlive the calls.
        unsafe {
            assert_eq!(mailward::mw_session_open(self.0, &facts, &mut session, none), 0);
            assert_eq!(mailward::mw_session_helo(session, text(HELO.as_bytes()), none), 0);
            let sender = text(SENDER.as_bytes());
            assert_eq!(mailward::mw_session_mail(session, sender, ptr::null(), &mut verdict, none), 0);
            assert_eq!(mailward::mw_session_rcpt(session, text(RECIPIENT.as_bytes()), &mut verdict, none), 0);
            assert!(verdict.is_null(), "nothing is refused before the message");
            assert_eq!(mailward::mw_session_message(session, text(message), text(b""), &mut verdict, none), 0);
            assert!((0..=2).contains(&mailward::mw_verdict_action(verdict)));
            mailward::mw_verdict_free(verdict);
            mailward::mw_session_free(session);
        }
    }
}

/// By the crate `mailward-core`, from threads that wait as those of the C interface do.
pub(crate) struct RustHost {
    engine: Arc<engine::Engine>,
    runtime: Runtime,
}

impl RustHost {
    pub(crate) fn open() -> RustHost {
        let runtime = Runtime::new().expect("threads");
        let config = config::parse("configuration", CONFIGURATION).unwrap_or_else(|faults| panic!("{faults:?}"));
        let shared = Shared::in_memory(Some(Zone::parse("").expect("an empty zone")));
        let engine = runtime.block_on(engine::Engine::build(config, shared)).expect("the engine builds");
        RustHost { engine, runtime }
    }
}

impl Host for RustHost {
    fn judge(&self, message: &[u8]) {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
        let wait = &self.runtime;
        let mut session =
            self.engine.session(SessionOptions { refuse_at: RefuseAt::Rcpt, ..SessionOptions::default() });
        let client_ip = Some(CLIENT.parse().expect("an address"));
        let _ = wait.block_on(session.connect(engine::ConnectFacts {
            time: now(),
            client_ip,
            client_name: None,
            mta_name: None,
            local_submission: false,
        }));
        session.helo(HELO.as_bytes(), None);
        let facts =
            MailFacts { time: now(), sender: SENDER.as_bytes(), parameters: Vec::new(), login: None, tls: None };
        assert!(wait.block_on(session.mail(facts)).reply.is_none());
        assert!(wait.block_on(session.rcpt(now(), RECIPIENT.as_bytes(), None)).reply.is_none());
        session.whole_message(message);
        let judged = wait.block_on(session.end_of_message(now(), None));
        assert!(matches!(judged.verdict.action, Action::Accept | Action::Discard | Action::Reply(_)));
        let _ = wait.block_on(session.abort(now()));
    }
}
