//! Turns at the processors, and what it means that they are busy.
//!
//! Judging takes a turn for each processor. Who waits for one stands in the order of when he came and what his network
//! asked for lately: a network that asks little goes before all that flood. How long work waits is measured;
//! [`Pressure`] makes of it who is admitted at MAIL.

use crate::{
    reputation::rates::{Measured, Pressure, PressureTurn},
    session::{ClientNetwork, Limits, Watch},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::oneshot;

/// Time between two looks at the load.
const TICK: Duration = Duration::from_millis(100);
/// Looks at the load between two sweeps over messages that hang.
const SWEEP: u32 = 10;
/// Time between two log lines about one pressure.
const LOG_PAUSE: Duration = Duration::from_secs(10);
/// A job that takes longer than others counts as so many messages more at most: one large message is no flood.
const MOST_EXTRA: f64 = 2.0;
/// Weight of one job in the mean time of jobs.
const SMOOTHING: f64 = 1.0 / 32.0;
/// Work may always wait for so many others, whatever they cost and however long that takes: neither a burst of large
/// messages nor a machine that is busy with something else is a flood. Unit: jobs for each processor.
const PATIENCE: f64 = 8.0;
/// How much longer a network waits that asks for e (2.7) times as much: so whoever asks for little goes first, among equals
/// whoever came first, and nobody is passed over for ever. Unit: seconds.
const PRECEDENCE: f64 = 0.02;
/// How much longer whom nobody knows or who asks for much waits while there is far too much work. Unit: seconds.
const LATE: f64 = 0.25;
/// A queue is too long when it takes so many times the wanted delay to work it off.
const OVERFULL: f64 = 2.0;
/// A heavy network's job is given up when those before it take longer than this. Source: our own limit, half of the
/// default of `deadlines.message`: it would miss its deadline.
const HOPELESS: f64 = 10.0;

/// More connections than this that begin within a tick's time are a rush. Unit: connections for each processor. Source: our own
/// limit: the lookups for a stranger take some 0.3 ms of a processor, so that a rush may take a few milliseconds.
const RUSH: usize = 8;

/// How many clients hear in a second that the machine is busy, for each processor. Source: our own limit: that costs some
/// 50 µs with the kernel's part, so a twentieth of the processors.
const REFUSALS: f64 = 1_000.0;
/// How long a client waits at most to hear it. Unit: seconds. Source: below the 10 s that Sendmail gives a milter for an
/// answer by default (libmilter's installation notes).
const REFUSAL_PAUSE: f64 = 4.0;

/// The load of this process; shared by all sessions and kept across reloads.
#[derive(Debug)]
pub(super) struct Load {
    started: Instant,
    state: Mutex<State>,
    processors: usize,
    watch: Watch,
}

#[derive(Debug)]
struct State {
    pressure: Pressure,
    /// As configured. Unit: seconds; 0: never any pressure.
    delay: f64,
    limits: Limits,
    free: usize,
    heavy_running: usize,
    /// By when their turn is due, in microseconds.
    waiting: BTreeMap<(u64, u64), Waiting>,
    /// Messages admitted since the last tick whose work is still to come.
    coming: usize,
    /// Connections begun lately, and since when.
    begun: (usize, f64),
    next: u64,
    /// Mean time of a job. Unit: seconds.
    mean: f64,
    window: Window,
    /// When the rate was cut last.
    cut: f64,
    deferred: u64,
    /// When the next client may hear that the machine is busy.
    refusal: f64,
    logged: Option<Instant>,
}

/// What was measured since the last tick.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    /// All turns given.
    finished: u32,
    /// Those asked for after the last cut of the rate, and how long they waited.
    jobs: u32,
    waited: f64,
    /// Longest queue.
    queued: usize,
}

#[derive(Debug)]
struct Waiting {
    turn: oneshot::Sender<Turn>,
    network: Option<ClientNetwork>,
    heavy: bool,
    since: f64,
}

/// A turn at a processor; it ends when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    load: Arc<Load>,
    network: Option<ClientNetwork>,
    heavy: bool,
    since: f64,
}

/// There is no hope for a turn in time.
#[derive(Debug)]
pub(super) struct Overloaded;

impl Load {
    pub(super) fn new() -> Arc<Self> {
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
        let state = State {
            pressure: Pressure::default(),
            delay: 0.0,
            limits: Limits::default(),
            free: processors,
            heavy_running: 0,
            waiting: BTreeMap::new(),
            coming: 0,
            begun: (0, 0.0),
            next: 0,
            mean: 0.001,
            window: Window::default(),
            cut: 0.0,
            deferred: 0,
            refusal: 0.0,
            logged: None,
        };
        Arc::new(Load { started: Instant::now(), state: Mutex::new(state), processors, watch: Watch::default() })
    }

    /// The settings in force. A delay of zero switches pressure off.
    pub(super) fn configure(&self, delay: Duration, limits: &Limits) {
        let mut state = self.state();
        state.delay = delay.as_secs_f64();
        state.limits = limits.clone();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// The messages under way.
    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Whether a message of this network may come in now.
    pub(super) fn admit(&self, network: ClientNetwork) -> bool {
        let now = self.now();
        let mut state = self.state();
        let queue = (state.waiting.len() + state.coming) as f64 * state.mean / self.processors as f64;
        let overfull = state.delay > 0.0 && queue > OVERFULL * state.wanted_delay();
        let admitted = state.pressure.admit(network, overfull, now);
        state.deferred += u64::from(!admitted);
        state.coming += usize::from(admitted);
        admitted
    }

    /// No work comes of a message that was admitted: it was given up before its end.
    pub(super) fn given_up(&self) {
        let mut state = self.state();
        state.coming = state.coming.saturating_sub(1);
    }

    /// How long whoever is not admitted waits for the answer. However many ask, they are answered at a steady rate: a
    /// client that has no answer does not ask again, and the threads stay free for those who are served.
    pub(super) fn refuse(&self) -> Duration {
        let now = self.now();
        let mut state = self.state();
        let pause = (state.refusal - now).clamp(0.0, REFUSAL_PAUSE);
        state.refusal = now + pause + 1.0 / (REFUSALS * self.processors as f64);
        Duration::from_secs_f64(pause)
    }

    /// Whether it would help to know if this network has delivered mail before.
    pub(super) fn wants_to_know(&self, network: ClientNetwork) -> bool {
        let state = self.state();
        state.pressure.is_troubled() && !state.pressure.is_known(network)
    }

    /// This network has delivered mail long ago.
    pub(super) fn remember(&self, network: ClientNetwork) {
        let now = self.now();
        self.state().pressure.remember(network, now);
    }

    /// A message of this network was taken.
    pub(super) fn taken(&self, network: ClientNetwork) {
        let now = self.now();
        self.state().pressure.taken(network, now);
    }

    /// A connection of this network begins: whether lookups for it had better wait until one of its messages is admitted.
    /// That is so for whoever floods, and for strangers in a rush: who of them floods shows only later.
    pub(super) fn begins(&self, network: ClientNetwork) -> bool {
        let now = self.now();
        let mut state = self.state();
        let (begun, since) = &mut state.begun;
        if now - *since > TICK.as_secs_f64() {
            (*begun, *since) = (0, now);
        }
        *begun += 1;
        let many = *begun > RUSH * self.processors;
        let rush = many && state.delay > 0.0 && !state.pressure.is_known(network);
        rush || state.pressure.is_on() && state.pressure.is_heavy(network, now)
    }

    /// Waits for a turn. `None` as network: a client that is exempt, which goes first.
    pub(super) async fn turn(self: &Arc<Self>, network: Option<ClientNetwork>) -> Result<Turn, Overloaded> {
        let answer = {
            let now = self.now();
            let mut state = self.state();
            state.coming = state.coming.saturating_sub(1);
            let demand = network.map_or(0.0, |network| state.pressure.rank(network, now));
            let heavy = network.is_some_and(|network| state.pressure.is_heavy(network, now));
            if state.waiting.is_empty() && state.has_room(heavy, self.processors) {
                return Ok(state.give(self, network, heavy, now, now));
            }
            let (turn, answer) = oneshot::channel();
            let late = heavy || network.is_some_and(|network| !state.pressure.is_known(network));
            let late = if state.pressure.is_troubled() && late { LATE } else { 0.0 };
            let due = now + PRECEDENCE * demand.ln_1p() + late;
            let key = ((due * 1e6).round() as u64, state.next);
            state.next += 1;
            state.waiting.insert(key, Waiting { turn, network, heavy, since: now });
            state.window.queued = state.window.queued.max(state.waiting.len());
            if state.waiting.len() as f64 * state.mean / self.processors as f64 > HOPELESS {
                // Whoever asks for most is told so at once.
                state.waiting.pop_last();
            }
            answer
        };
        answer.await.map_err(|_| Overloaded)
    }

    /// Gives free turns to those who wait.
    fn hand_on(self: &Arc<Self>) {
        loop {
            let (waiting, turn) = {
                let now = self.now();
                let mut state = self.state();
                let Some(first) = state.waiting.first_entry() else { return };
                let heavy = first.get().heavy;
                if !state.has_room(heavy, self.processors) {
                    return;
                }
                let Some((_, waiting)) = state.waiting.pop_first() else { return };
                let turn = state.give(self, waiting.network, waiting.heavy, waiting.since, now);
                (waiting, turn)
            };
            // Who has stopped waiting drops the turn, and it is handed on again.
            let _ = waiting.turn.send(turn);
        }
    }

    /// Measures and acts on it until the last handle is dropped: what a daemon runs beside its sessions.
    pub(super) async fn measure(load: Weak<Load>) {
        let mut ticked = Instant::now();
        let mut ticks = 0_u32;
        loop {
            tokio::time::sleep(TICK).await;
            let Some(load) = load.upgrade() else { return };
            load.tick(ticked.elapsed().as_secs_f64());
            ticked = Instant::now();
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(SWEEP) {
                let limits = load.state().limits.clone();
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
                let given_up = load.watch.sweep(now, &limits);
                if given_up > 0 {
                    tracing::warn!(given_up, "messages that took longer than limits.message_time are given up");
                }
            }
        }
    }

    fn tick(&self, seconds: f64) {
        let now = self.now();
        let mut state = self.state();
        let Window { finished, jobs, waited, queued } = std::mem::take(&mut state.window);
        let overlong = queued as f64 > PATIENCE * self.processors as f64;
        // Whoever has not sent his message by now is slow: when his work comes nobody can tell.
        state.coming = 0;
        let waited = (jobs > 0).then(|| if overlong { waited / f64::from(jobs) } else { 0.0 });
        let cost = state.mean / self.processors as f64;
        let measured = Measured { waited, finished: f64::from(finished) / seconds, cost, seconds };
        let (delay, before) = (state.wanted_delay(), state.pressure.rate());
        let turn = state.pressure.tick(&measured, delay, now);
        if state.pressure.rate().unwrap_or(f64::MAX) < before.unwrap_or(f64::MAX) {
            state.cut = now;
        }
        if turn.is_some() || before.is_some() {
            tracing::debug!(
                waited,
                finished,
                rate = state.pressure.rate(),
                waiting = state.waiting.len(),
                mean_ms = state.mean * 1e3,
                modest = state.pressure.modest(),
                "load"
            );
        }
        let ended = turn == Some(PressureTurn::Ends);
        let due = state.logged.is_none_or(|at| at.elapsed() >= LOG_PAUSE);
        if !ended && (state.deferred == 0 || !due) {
            return;
        }
        state.logged = Some(Instant::now());
        let deferred = std::mem::take(&mut state.deferred);
        let (rate, networks) = (state.pressure.rate().unwrap_or(0.0).round(), state.pressure.networks());
        drop(state);
        let waited_ms = (waited.unwrap_or(0.0) * 1e4).round() / 10.0;
        if ended {
            tracing::info!(deferred, "load: the machine keeps up again");
        } else {
            tracing::warn!(
                deferred,
                networks,
                waited_ms,
                admitted_per_second = rate,
                "load: work waits for processors; networks that send most are deferred"
            );
        }
    }
}

impl State {
    /// How long work may wait. Unit: seconds; 0: never any pressure.
    fn wanted_delay(&self) -> f64 {
        if self.delay > 0.0 { self.delay.max(PATIENCE * self.mean) } else { 0.0 }
    }

    /// Under pressure heavy networks leave one processor to others, if there are two.
    fn has_room(&self, heavy: bool, processors: usize) -> bool {
        let reserved = heavy && self.pressure.is_on() && self.heavy_running >= processors.saturating_sub(1).max(1);
        self.free > 0 && !reserved
    }

    fn give(&mut self, load: &Arc<Load>, network: Option<ClientNetwork>, heavy: bool, asked: f64, now: f64) -> Turn {
        self.window.finished += 1;
        if asked >= self.cut {
            self.window.jobs += 1;
            self.window.waited += now - asked;
        }
        self.free -= 1;
        self.heavy_running += usize::from(heavy);
        Turn { load: Arc::clone(load), network, heavy, since: now }
    }
}

impl Turn {
    /// Whether all other work goes first: it is for a network that floods, and others need not wait for this very turn.
    pub(super) fn gives_way(&self) -> bool {
        self.heavy && self.load.processors > 1
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        {
            let now = self.load.now();
            let took = now - self.since;
            let mut state = self.load.state();
            state.free += 1;
            state.heavy_running -= usize::from(self.heavy);
            // A job that costs more than others counts for more.
            let cost = took / state.mean.max(1e-6);
            if let Some(network) = self.network {
                state.pressure.ask(network, (cost - 1.0).clamp(0.0, MOST_EXTRA), now);
            }
            state.mean += (took - state.mean) * SMOOTHING;
        }
        self.load.hand_on();
    }
}

#[cfg(test)]
mod tests;
