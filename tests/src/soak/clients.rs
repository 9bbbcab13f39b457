//! Clients that send again what was not settled, as MTAs do.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Plan;
use super::letter::{Kind, Letter};
use crate::clock::wait_until;
use crate::smtp::{Client, Delivery, Reply};

/// Wait before the first retry; each further one doubles it. MTAs wait minutes; here everything is faster.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// Longest wait until mail of each kind has met a fault.
const MEETING: Duration = Duration::from_secs(60);
/// Time between two looks for a message that is due.
const LOOK: Duration = Duration::from_millis(5);
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

#[derive(Debug)]
struct State {
    plan: Plan,
    /// When the next new message is due; `None` once there are enough.
    next_due: Option<Instant>,
    /// When each message is due again, and its place in `letters`.
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    letters: Vec<Letter>,
    unsettled: usize,
    over: bool,
    /// What fails now, and how many times something began or ceased to fail before.
    fault: (u32, &'static str),
    /// Kinds of mail of which a transaction began and ended since then, and whether one was settled.
    tried: BTreeMap<Kind, bool>,
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
        let state = Mutex::new(State {
            plan,
            next_due: Some(Instant::now()),
            due: BinaryHeap::new(),
            letters: Vec::new(),
            unsettled: 0,
            over: false,
            fault: (0, CALM),
            tried: BTreeMap::new(),
            deferred: BTreeMap::new(),
        });
        let shared = Arc::new(Shared { server, state, changed: Condvar::new() });
        let copies = (0..plan.clients).map(|_| Arc::clone(&shared));
        let threads = copies.map(|shared| thread::spawn(move || work(&shared))).collect();
        Clients { shared, threads }
    }

    /// Whether as many messages as planned were tried. More come until [`Clients::finish`].
    pub(super) fn have_sent_enough(&self) -> bool {
        self.assert_alive();
        let state = self.shared.state();
        state.letters.len() as u64 >= state.plan.messages
    }

    /// Something fails from now on, or nothing.
    pub(super) fn note_fault(&self, fault: Option<&'static str>) {
        let mut state = self.shared.state();
        state.fault = (state.fault.0 + 1, fault.unwrap_or(CALM));
        state.tried.clear();
    }

    /// Waits for so long, and until mail of each kind has met the fault.
    pub(super) fn wait_out(&self, lasts: Duration) {
        self.wait(lasts, "mail of each kind meets the fault", |_| true);
    }

    /// Waits for so long, and until mail of each kind is settled again. Returns how long that took.
    pub(super) fn wait_well(&self, pause: Duration) -> Duration {
        self.wait(pause, "mail of each kind is settled again", |settled| settled)
    }

    fn wait(&self, lasts: Duration, what: &str, is_enough: impl Fn(bool) -> bool) -> Duration {
        let began = Instant::now();
        let mut took = None;
        wait_until(MEETING, what, || {
            self.assert_alive();
            let tried = &self.shared.state().tried;
            if took.is_none() && Kind::ALL.iter().all(|kind| tried.get(kind).is_some_and(|&settled| is_enough(settled)))
            {
                took = Some(began.elapsed());
            }
            took.is_some() && began.elapsed() >= lasts
        });
        took.unwrap_or_default()
    }

    /// Sends nothing new, waits until every message is settled, and returns them, and how many transactions were
    /// deferred during which fault.
    pub(super) fn finish(mut self) -> (Vec<Letter>, BTreeMap<&'static str, u64>) {
        let limit = self.shared.state().plan.settling;
        self.shared.state().next_due = None;
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
        if state.fault == fault {
            *state.tried.entry(letter.kind).or_default() |= letter.is_settled();
        }
        if letter.is_settled() {
            state.unsettled -= 1;
        } else {
            *state.deferred.entry(fault.1).or_default() += 1;
            let wait = FIRST_RETRY.saturating_mul(1 << (letter.attempts - 1).min(10)).min(LAST_RETRY);
            state.due.push(Reverse((Instant::now() + wait, at)));
        }
        state.letters[at] = letter;
    }
}

/// The next message, as soon as it is due; `None` when all is over.
fn take(shared: &Shared) -> Option<(usize, Letter)> {
    let mut state = shared.state();
    while !state.over {
        let now = Instant::now();
        if let Some(due) = state.next_due.filter(|due| *due <= now) {
            state.next_due = Some(due + Duration::from_secs_f64(1.0 / state.plan.rate));
            let at = state.letters.len();
            let letter = Letter::new(at as u64);
            state.letters.push(letter.clone());
            state.unsettled += 1;
            return Some((at, letter));
        }
        if let Some(Reverse((_, at))) = state.due.peek().filter(|Reverse((due, _))| *due <= now).copied() {
            state.due.pop();
            return Some((at, state.letters[at].clone()));
        }
        let waited = shared.changed.wait_timeout(state, LOOK);
        state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
    }
    None
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
