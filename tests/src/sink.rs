//! The site's own mail server, behind Postfix: it takes every message and remembers it.

mod message;
mod session;

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use message::Message;
use rustls::ServerConfig;

use crate::clock::{PATIENCE, wait_for};
use crate::ports::{free_port, loopback};
use crate::tls::Identity;

/// An SMTP server that accepts everything.
#[derive(Debug)]
pub struct Sink {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    messages: Mutex<Vec<Message>>,
    connections: Mutex<HashMap<u64, TcpStream>>,
    accepted: AtomicU64,
    off: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
}

impl Shared {
    fn messages(&self) -> MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.connections.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Sink {
    /// Starts on a free port, without TLS.
    pub fn start() -> Sink {
        Sink::start_with(Shared::default())
    }

    /// Starts on a free port and offers STARTTLS with this certificate.
    pub fn start_with_tls(identity: &Identity) -> Sink {
        Sink::start_with(Shared { tls: Some(identity.server_config()), ..Shared::default() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        loopback(self.port)
    }

    /// All messages so far, in the order of their arrival.
    pub fn messages(&self) -> Vec<Message> {
        self.shared.messages().clone()
    }

    /// How many messages have come so far.
    pub fn count(&self) -> usize {
        self.shared.messages().len()
    }

    /// Forgets the messages so far, and returns them.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut *self.shared.messages())
    }

    /// Waits until there are at least this many messages, and returns all.
    pub fn wait_for(&self, count: usize) -> Vec<Message> {
        self.wait_for_within(PATIENCE, count)
    }

    /// The same with another limit than the usual one.
    ///
    /// # Panics
    /// If they do not come within `limit`.
    pub fn wait_for_within(&self, limit: Duration, count: usize) -> Vec<Message> {
        let what = format!("{count} messages arrive at the site's server");
        wait_for(limit, &what, || (self.count() >= count).then(|| self.messages()))
    }

    /// Waits for a message whose subject contains `text`.
    pub fn wait_for_subject(&self, text: &str) -> Message {
        let what = format!("a message about {text:?} arrives at the site's server");
        wait_for(PATIENCE, &what, || {
            let messages = self.shared.messages();
            messages.iter().find(|message| message.header("Subject").is_some_and(|s| s.contains(text))).cloned()
        })
    }

    /// An outage: connections are cut, new ones refused.
    pub fn switch_off(&mut self) {
        let Some(acceptor) = self.acceptor.take() else { return };
        self.shared.off.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address()); // wakes accept
        let _ = acceptor.join();
        for (_, connection) in self.shared.connections().drain() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// The end of an outage: on the same port again.
    pub fn switch_on(&mut self) {
        if self.acceptor.is_none() {
            self.shared.off.store(false, Ordering::SeqCst);
            self.listen();
        }
    }

    fn start_with(shared: Shared) -> Sink {
        let mut sink = Sink { port: free_port(), shared: Arc::new(shared), acceptor: None };
        sink.listen();
        sink
    }

    fn listen(&mut self) {
        let what = format!("port {} is free for the sink", self.port);
        let listener = wait_for(PATIENCE, &what, || TcpListener::bind(self.address()).ok());
        let shared = Arc::clone(&self.shared);
        self.acceptor = Some(thread::spawn(move || accept(&listener, &shared)));
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.switch_off();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming().map_while(Result::ok) {
        if shared.off.load(Ordering::SeqCst) {
            return;
        }
        let Ok(copy) = connection.try_clone() else { continue };
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        shared.connections().insert(number, copy);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            session::serve(connection, shared.tls.clone(), |message| shared.messages().push(message));
            shared.connections().remove(&number);
        });
    }
}
