//! The one connection to the directory: opened, kept, given up and opened again.

use super::{
    super::{Deadline, Outcome},
    LdapSettings, Password, Trouble, reply,
};
use ldap3::{LdapConnAsync, LdapConnSettings};
use rustls::{ClientConfig, RootCertStore};
use std::{
    future::Future,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::AbortHandle;

/// First wait after all servers have failed; each further failure doubles it.
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
/// Longest such wait. Unit: time. Source: our own limit; a directory that is back is used again within half a minute.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A lookup that has waited so long in vain makes the connection suspect, and it is opened anew.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Connections {
    pub(super) settings: LdapSettings,
    state: Mutex<State>,
    /// Held while one lookup connects, so that the others wait for it.
    connecting: tokio::sync::Mutex<()>,
    tls: OnceLock<Result<Arc<ClientConfig>, String>>,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    /// Counts connections, so that a late failure does not close a newer one.
    generation: u64,
    /// Index of the URL to try first.
    preferred: usize,
    failures: u32,
    not_before: Option<Instant>,
    why: String,
}

struct Live {
    ldap: ldap3::Ldap,
    driver: AbortHandle,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A connect in progress. If the caller's deadline drops it half-way, that counts as a failure too.
struct Attempt<'a> {
    connections: &'a Connections,
    ended: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.connections.failed("no answer while connecting".to_owned());
        }
    }
}

impl Connections {
    pub(super) fn new(settings: LdapSettings) -> Self {
        Connections {
            settings,
            state: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            tls: OnceLock::new(),
        }
    }

    /// Asks within the deadline and the configured timeout.
    pub(super) async fn ask<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        deadline: Deadline,
        question: impl Fn(ldap3::Ldap) -> F,
    ) -> Outcome<T> {
        self.ask_long(deadline.or_after(self.settings.timeout), question).await
    }

    /// Asks within the deadline. A connection that turns out to be broken is replaced once.
    pub(super) async fn ask_long<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        deadline: Deadline,
        question: impl Fn(ldap3::Ldap) -> F,
    ) -> Outcome<T> {
        let mut again = true;
        loop {
            let (ldap, generation) = match deadline.bound(self.connected()).await {
                Outcome::Done(Ok(connected)) => connected,
                Outcome::Done(Err(why)) | Outcome::Unavailable { why } => return Outcome::Unavailable { why },
                Outcome::TimedOut => return Outcome::TimedOut,
            };
            let begun = Instant::now();
            match deadline.bound(question(ldap)).await {
                Outcome::Done(Ok(answer)) => return Outcome::Done(answer),
                Outcome::Done(Err(Trouble::Refused(why))) => return Outcome::Unavailable { why },
                Outcome::Done(Err(Trouble::Broken(why))) => {
                    self.discard(generation);
                    if !std::mem::take(&mut again) {
                        return Outcome::Unavailable { why };
                    }
                }
                Outcome::TimedOut => {
                    if begun.elapsed() >= PATIENCE.min(self.settings.timeout) {
                        self.discard(generation);
                    }
                    return Outcome::TimedOut;
                }
                Outcome::Unavailable { why } => return Outcome::Unavailable { why },
            }
        }
    }

    /// The connection that is there, or a new one.
    async fn connected(&self) -> Result<(ldap3::Ldap, u64), String> {
        if let Some(found) = self.current() {
            return found;
        }
        let _only_one = self.connecting.lock().await;
        if let Some(found) = self.current() {
            return found;
        }
        let mut attempt = Attempt { connections: self, ended: false };
        let first = self.lock().preferred;
        let count = self.settings.urls.len();
        let mut why = "no url is configured".to_owned();
        for index in (0..count).map(|i| (first + i) % count) {
            let url = &self.settings.urls[index];
            match tokio::time::timeout(self.settings.connect_timeout, self.connect(url)).await {
                Ok(Ok(live)) => {
                    attempt.ended = true;
                    return Ok(self.succeeded(index, live));
                }
                Ok(Err(error)) => why = format!("{url}: {error}"),
                Err(_) => why = format!("{url}: no answer within {:?}", self.settings.connect_timeout),
            }
            tracing::warn!("directory: {why}");
        }
        attempt.ended = true;
        self.failed(why.clone());
        Err(why)
    }

    /// The connection in use, the reason not to try now, or nothing: connect.
    fn current(&self) -> Option<Result<(ldap3::Ldap, u64), String>> {
        let mut state = self.lock();
        if let Some(live) = &mut state.live {
            if !live.ldap.is_closed() {
                let ldap = live.ldap.clone();
                return Some(Ok((ldap, state.generation)));
            }
            state.live = None;
        }
        let wait = state.not_before?.checked_duration_since(Instant::now())?;
        Some(Err(format!("{} (next try in {:.1} s)", state.why, wait.as_secs_f32())))
    }

    fn succeeded(&self, index: usize, live: Live) -> (ldap3::Ldap, u64) {
        let mut state = self.lock();
        let ldap = live.ldap.clone();
        let generation = state.generation + 1;
        *state = State { live: Some(live), generation, preferred: index, ..State::default() };
        (ldap, generation)
    }

    fn failed(&self, why: String) {
        let mut state = self.lock();
        let full = BACKOFF_FIRST.saturating_mul(1 << state.failures.min(10)).min(BACKOFF_MAX);
        // Half fixed, half random: many processes do not come back all at once.
        let share = RandomState::new().build_hasher().finish() % 1000;
        let wait = full / 2 + full.mul_f64(share as f64 / 2000.0);
        state.failures = state.failures.saturating_add(1);
        state.not_before = Some(Instant::now() + wait);
        state.why = why;
    }

    fn discard(&self, generation: u64) {
        let mut state = self.lock();
        if state.generation == generation {
            state.live = None;
            state.preferred = (state.preferred + 1) % self.settings.urls.len().max(1);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self, url: &str) -> Result<Live, String> {
        let mut settings = LdapConnSettings::new().set_conn_timeout(self.settings.connect_timeout);
        if url.starts_with("ldaps:") || (url.starts_with("ldap:") && self.settings.start_tls) {
            let tls = self.tls.get_or_init(|| tls_config(&self.settings)).clone()?;
            settings = settings.set_config(tls).set_starttls(self.settings.start_tls);
        }
        let (connection, mut ldap) =
            LdapConnAsync::with_settings(settings, url).await.map_err(|error| error.to_string())?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "directory: connection ended");
            }
        });
        let live = Live { ldap: ldap.clone(), driver: driver.abort_handle() };
        if !self.settings.bind_dn.is_empty() {
            let password = password(&self.settings.password)?;
            let result =
                ldap.simple_bind(&self.settings.bind_dn, &password).await.map_err(|error| error.to_string())?;
            if result.rc != 0 {
                return Err(format!("bind as {}: {}", self.settings.bind_dn, reply::result_text(&result)));
            }
        }
        Ok(live)
    }
}

/// Reads the password. An empty one is refused: a server would take it as an anonymous bind and say success
/// (RFC 4513 §5.1.2).
fn password(source: &Password) -> Result<String, String> {
    let (text, place) = match source {
        Password::None => return Err("bind_dn is set, but no password".to_owned()),
        Password::File(path) => (
            std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?,
            path.display().to_string(),
        ),
        Password::Environment(name) => {
            (std::env::var(name).map_err(|error| format!("${name}: {error}"))?, format!("${name}"))
        }
    };
    match text.lines().next().unwrap_or_default() {
        "" => Err(format!("{place} holds no password")),
        line => Ok(line.to_owned()),
    }
}

fn tls_config(settings: &LdapSettings) -> Result<Arc<ClientConfig>, String> {
    let found = match &settings.ca_file {
        Some(file) => rustls_native_certs::load_certs_from_paths(Some(file), None),
        None => rustls_native_certs::load_native_certs(),
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let place = settings.ca_file.as_ref().map_or("the system".to_owned(), |f| f.display().to_string());
        let why = found.errors.first().map(ToString::to_string).unwrap_or_default();
        return Err(format!("no CA certificates from {place} {why}"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(url: &str) -> Connections {
        let settings = LdapSettings {
            urls: vec![url.to_owned()],
            connect_timeout: Duration::from_millis(200),
            timeout: Duration::from_millis(500),
            bind_dn: "cn=x".to_owned(),
            password: Password::Environment("PATH".to_owned()),
            ..LdapSettings::default()
        };
        Connections::new(settings)
    }

    async fn ask(connections: &Connections) -> Outcome<()> {
        connections.ask(Deadline::after(Duration::from_secs(5)), |_| async { Ok(()) }).await
    }

    #[tokio::test]
    async fn after_a_failure_the_server_is_left_alone_for_a_while() {
        let connections = connections("ldap://127.0.0.1:1");
        assert!(matches!(ask(&connections).await, Outcome::Unavailable { .. }));
        let Outcome::Unavailable { why } = ask(&connections).await else { panic!("no trouble") };
        assert!(why.contains("next try in"), "{why}");
    }

    #[tokio::test]
    async fn a_server_that_accepts_and_never_answers_is_given_up_in_time() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let connections = connections(&format!("ldap://{}", listener.local_addr().expect("an address")));
        let begun = Instant::now();
        assert!(matches!(ask(&connections).await, Outcome::Unavailable { .. }));
        assert!(begun.elapsed() < Duration::from_millis(450));
    }

    #[tokio::test]
    async fn a_server_that_answers_garbage_is_trouble() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let connections = connections(&format!("ldap://{}", listener.local_addr().expect("an address")));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.0 400 no\r\n\r\n0\x84garbage").await;
            }
        });
        assert!(matches!(ask(&connections).await, Outcome::Unavailable { .. }));
    }

    #[test]
    fn an_empty_password_is_refused_before_the_server_can_take_it_as_anonymous() {
        let file = std::env::temp_dir().join(format!("mailward-{}-empty-password", std::process::id()));
        std::fs::write(&file, "\n").expect("written");
        assert!(password(&Password::File(file.clone())).is_err());
        std::fs::write(&file, "secret\n").expect("written");
        assert_eq!(password(&Password::File(file.clone())), Ok("secret".to_owned()));
        let _ = std::fs::remove_file(file);
    }
}
