//! Mail traffic by several clients at a time, with an account of every message: each is either accepted, and then
//! arrives exactly once, or its client has heard why not.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock::wait_until;
use crate::sink::Sink;
use crate::smtp::{Client, Reply, Xclient};

/// How long a batch or the arrival of its messages may take. Generous, as machines are busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// One message to send. The header that identifies it is added.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Envelope sender.
    pub from: String,
    /// Envelope recipient.
    pub to: String,
    /// Header and body.
    pub text: String,
}

impl Mail {
    /// The same envelope with another header and body.
    pub fn with_text(self, text: &str) -> Mail {
        Mail { text: text.to_owned(), ..self }
    }
}

/// What became of one message, as its client heard it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its number, from 0.
    pub number: u64,
    /// The last reply.
    pub reply: Reply,
}

/// The client threads. They send nothing before a batch is started, and keep their connections between batches.
#[derive(Debug)]
pub struct Traffic {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    connect: Box<dyn Fn(u64) -> Client + Send + Sync>,
    per_session: usize,
    mail: Box<dyn Fn(u64) -> Mail + Send + Sync>,
    state: Mutex<State>,
    changed: Condvar,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("per_session", &self.per_session).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    granted: u64,
    over: bool,
    sent: HashMap<u64, Reply>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Traffic {
    /// Makes `clients` threads that send up to `per_session` messages a connection, each made by `mail` from its number.
    /// Every connection comes from another /64 network: of `2001:db8:1000::/48` if the number of its first message can be
    /// divided by four, else of `2001:db8:1001::/48` to `2001:db8:1003::/48` by the remainder.
    pub fn new(
        server: SocketAddr,
        clients: usize,
        per_session: usize,
        mail: impl Fn(u64) -> Mail + Send + Sync + 'static,
    ) -> Traffic {
        Traffic::over(move |number| connect(server, number), clients, per_session, mail)
    }

    /// The same with connections made by `connect` from the number of their first message.
    pub fn over(
        connect: impl Fn(u64) -> Client + Send + Sync + 'static,
        clients: usize,
        per_session: usize,
        mail: impl Fn(u64) -> Mail + Send + Sync + 'static,
    ) -> Traffic {
        let (connect, mail, state) = (Box::new(connect), Box::new(mail), Mutex::default());
        let shared = Arc::new(Shared { connect, per_session, mail, state, changed: Condvar::new() });
        let threads = (0..clients).map(|_| Arc::clone(&shared)).map(|shared| thread::spawn(move || send(&shared)));
        Traffic { threads: threads.collect(), shared }
    }

    /// Lets the clients send this many more messages, and returns their numbers.
    pub fn start(&self, count: u64) -> Range<u64> {
        let mut state = self.shared.state();
        let first = state.granted;
        state.granted += count;
        self.shared.changed.notify_all();
        first..state.granted
    }

    /// Waits until this many messages of a batch are answered.
    pub fn wait_for(&self, batch: &Range<u64>, count: u64) {
        wait_until(PATIENCE, &format!("{count} messages of the batch {batch:?} are answered"), || {
            assert!(self.threads.iter().all(|thread| !thread.is_finished()), "a client has failed, see above");
            let state = self.shared.state();
            batch.clone().filter(|number| state.sent.contains_key(number)).count() as u64 >= count
        });
    }

    /// Waits until a whole batch is answered.
    pub fn finish(&self, batch: &Range<u64>) -> Vec<Sent> {
        self.wait_for(batch, batch.end - batch.start);
        let state = self.shared.state();
        batch.clone().map(|number| Sent { number, reply: state.sent[&number].clone() }).collect()
    }

    /// Sends a batch from beginning to end.
    pub fn run(&self, count: u64) -> Vec<Sent> {
        let batch = self.start(count);
        self.finish(&batch)
    }

    /// Ends the traffic and gives account of every message. Returns all, in their order.
    ///
    /// # Panics
    /// If a client was left without an answer, an accepted message has not arrived exactly once, or one has arrived
    /// that was not accepted.
    pub fn account(mut self, sink: &Sink) -> Vec<Sent> {
        let granted = self.shared.state().granted;
        let sent = self.finish(&(0..granted));
        self.end();
        let unanswered: Vec<_> = sent.iter().filter(|s| !s.is_accepted() && !s.is_refused()).collect();
        assert!(unanswered.is_empty(), "clients were left without an answer: {unanswered:?}");
        let accepted: Vec<u64> = sent.iter().filter(|s| s.is_accepted()).map(|s| s.number).collect();
        let arrived = || -> HashMap<u64, usize> {
            let mut arrived = HashMap::new();
            for number in sink.messages().iter().filter_map(|m| m.header("X-Number")) {
                *arrived.entry(number.parse().expect("a number")).or_default() += 1;
            }
            arrived
        };
        wait_until(PATIENCE, "all accepted messages arrive", || {
            sink.count() >= accepted.len() && {
                let arrived = arrived();
                accepted.iter().all(|number| arrived.contains_key(number))
            }
        });
        let wrong: Vec<_> =
            arrived().into_iter().filter(|&(number, times)| times != 1 || !accepted.contains(&number)).collect();
        assert!(wrong.is_empty(), "messages arrived twice or though they were refused (number, times): {wrong:?}");
        sent
    }

    fn end(&mut self) {
        self.shared.state().over = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "a client has failed, see above");
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.end();
    }
}

impl Sent {
    /// The server has taken the message.
    pub fn is_accepted(&self) -> bool {
        self.reply.is_positive()
    }

    /// The client has heard that the server does not take it, now or ever.
    pub fn is_refused(&self) -> bool {
        self.reply.is_temporary() || self.reply.is_permanent()
    }
}

impl Shared {
    /// The next number, once it is granted; `None` when the traffic is over.
    fn take(&self) -> Option<u64> {
        let waits = |state: &mut State| !state.over && state.next >= state.granted;
        let state = self.changed.wait_while(self.state(), waits);
        let mut state = state.unwrap_or_else(|poisoned| poisoned.into_inner());
        if state.over {
            return None;
        }
        state.next += 1;
        Some(state.next - 1)
    }
}

fn send(shared: &Shared) {
    let mut session: Option<(Client, usize)> = None;
    while let Some(number) = shared.take() {
        let (mut client, count) = session.take().unwrap_or_else(|| ((shared.connect)(number), 0));
        let mail = (shared.mail)(number);
        let text = format!("X-Number: {number}\n{}", mail.text);
        let reply = client.send(&mail.from, &[&mail.to], text).last().clone();
        // A server that has trouble may close; what it says after a 4xx is not looked at.
        if !reply.is_temporary() && !reply.is_closed() && count + 1 < shared.per_session {
            session = Some((client, count + 1));
        } else {
            client.quit();
        }
        shared.state().sent.insert(number, reply);
    }
}

fn connect(server: SocketAddr, number: u64) -> Client {
    let address = format!("2001:db8:{:x}:{:x}::25", 0x1000 + number % 4, (number / 4) & 0xffff);
    Client::connect_as(server, &Xclient::address(&address), "client.example.net")
}
