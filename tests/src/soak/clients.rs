//! Clients that send again what was not settled, as MTAs do.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Plan;
use super::letter::Letter;
use crate::clock::wait_until;
use crate::smtp::{Client, Delivery, Reply};

/// Wait before the first retry; each further one doubles it. MTAs wait minutes; here everything is faster.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// What is said to fail between two faults.
const CALM: &str = "nothing, or not yet well again";
/// Longest wait before a retry.
const LAST_RETRY: Duration = Duration::from_secs(4);

/// The sending threads.
#[derive(Debug)]
pub(super) struct Clients {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// When each message is due, and its place in `letters`.
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    letters: Vec<Letter>,
    unsent: usize,
    unsettled: usize,
    over: bool,
    /// What fails now.
    fault: &'static str,
    /// Transactions in which something was deferred or cut off, by what failed when they began.
    deferred: BTreeMap<&'static str, u64>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Clients {
    pub(super) fn start(server: SocketAddr, plan: Plan) -> Clients {
        let letters: Vec<Letter> = (0..plan.messages).map(Letter::new).collect();
        let now = Instant::now();
        let when = |at: usize| now + Duration::from_secs_f64(at as f64 / plan.rate);
        let due = (0..letters.len()).map(|at| Reverse((when(at), at))).collect();
        let (unsent, unsettled) = (letters.len(), letters.len());
        let state = Mutex::new(State { due, letters, unsent, unsettled, fault: CALM, ..State::default() });
        let shared = Arc::new(Shared { server, state, changed: Condvar::new() });
        let copies = (0..plan.clients).map(|_| Arc::clone(&shared));
        let threads = copies.map(|shared| thread::spawn(move || work(&shared))).collect();
        Clients { shared, threads }
    }

    /// Whether every message was tried.
    pub(super) fn have_sent_all_once(&self) -> bool {
        self.assert_alive();
        self.shared.state().unsent == 0
    }

    /// Something fails from now on, or nothing.
    pub(super) fn note_fault(&self, fault: Option<&'static str>) {
        self.shared.state().fault = fault.unwrap_or(CALM);
    }

    /// Waits until every message is settled, and returns them, and how many transactions were deferred during which fault.
    pub(super) fn finish(mut self, limit: Duration) -> (Vec<Letter>, BTreeMap<&'static str, u64>) {
        wait_until(limit, "every message is settled", || {
            self.assert_alive();
            self.shared.state().unsettled == 0
        });
        self.end();
        let mut state = self.shared.state();
        (std::mem::take(&mut state.letters), std::mem::take(&mut state.deferred))
    }

    fn assert_alive(&self) {
        assert!(self.threads.iter().all(|thread| !thread.is_finished()), "a client has failed, see above");
    }

    fn end(&mut self) {
        self.shared.state().over = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.end();
    }
}

fn work(shared: &Shared) {
    while let Some((at, mut letter)) = take(shared) {
        let fault = shared.state().fault;
        attempt(shared.server, &mut letter);
        let mut state = shared.state();
        state.unsent -= usize::from(letter.attempts == 1);
        if letter.is_settled() {
            state.unsettled -= 1;
        } else {
            *state.deferred.entry(fault).or_default() += 1;
            let wait = FIRST_RETRY.saturating_mul(1 << (letter.attempts - 1).min(10)).min(LAST_RETRY);
            state.due.push(Reverse((Instant::now() + wait, at)));
            shared.changed.notify_one();
        }
        state.letters[at] = letter;
    }
}

/// The next message, as soon as it is due; `None` when all is over.
fn take(shared: &Shared) -> Option<(usize, Letter)> {
    let mut state = shared.state();
    loop {
        if state.over {
            return None;
        }
        let now = Instant::now();
        let wait = match state.due.peek() {
            Some(Reverse((due, _))) if *due <= now => {
                let Reverse((_, at)) = state.due.pop()?;
                return Some((at, state.letters[at].clone()));
            }
            Some(Reverse((due, _))) => *due - now,
            None => LAST_RETRY,
        };
        let waited = shared.changed.wait_timeout(state, wait);
        state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
    }
}

/// One session with one transaction, to all recipients that are not settled.
fn attempt(server: SocketAddr, letter: &mut Letter) {
    letter.attempts += 1;
    let mut client = Client::connect_as(server, &letter.client(), "client.example.net");
    let to: Vec<String> = unsettled(letter).map(|recipient| recipient.address.clone()).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let delivery = client.send(&letter.sender(), &to, letter.text());
    client.quit();
    settle(letter, &delivery);
}

fn unsettled(letter: &mut Letter) -> impl Iterator<Item = &mut super::letter::Recipient> {
    letter.recipients.iter_mut().filter(|recipient| recipient.settled.is_none())
}

fn settle(letter: &mut Letter, delivery: &Delivery) {
    let refused_for_good = |reply: &Reply| reply.is_permanent().then_some(reply.code);
    for (at, recipient) in unsettled(letter).enumerate() {
        let Some(rcpt) = delivery.rcpt.get(at) else {
            recipient.settled = refused_for_good(&delivery.mail);
            continue;
        };
        if !rcpt.is_positive() {
            recipient.settled = refused_for_good(rcpt);
            continue;
        }
        match (&delivery.end, &delivery.data) {
            (Some(end), _) if end.is_positive() => {
                recipient.taken += 1;
                recipient.settled = Some(end.code);
            }
            (Some(end), _) if end.is_closed() => recipient.lost += 1,
            (Some(end), _) => recipient.settled = refused_for_good(end),
            (None, Some(data)) => recipient.settled = refused_for_good(data),
            (None, None) => {}
        }
    }
}
