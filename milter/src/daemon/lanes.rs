//! Threads that serve connections, each with a runtime of its own.
//!
//! A connection stays on the thread that accepted it. indymilter gives each connection two tasks, which wake each other
//! for every packet of the MTA; on a runtime of several threads that wakes another thread for most of the thirty packets
//! of a message, which costs as much as judging it.

use super::{
    Daemon, callbacks,
    listener::{Bound, Hardy},
};
use mailward_core::session::RefuseAt;
use std::{io, sync::Arc, thread, time::Duration};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::JoinSet,
};

/// The threads.
pub(super) struct Lanes(Vec<oneshot::Receiver<()>>);

/// Asks the threads whether they are alive.
#[derive(Default)]
pub(super) struct Pings(Vec<mpsc::Sender<oneshot::Sender<()>>>);

/// What a thread needs to serve one listener.
struct Counter {
    listener: Bound,
    refuse_at: RefuseAt,
}

/// How the listeners are to end: `drain` closes the sockets, `stopped` ends the connections.
pub(super) struct End {
    pub(super) drain: Arc<Notify>,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Lanes {
    /// Starts so many threads; each accepts on all listeners.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started, or a socket cannot be shared with it.
    pub(super) fn start(
        count: usize,
        listeners: &[(Bound, RefuseAt)],
        connections: usize,
        daemon: &Arc<Daemon>,
        end: &End,
    ) -> io::Result<(Self, Pings)> {
        let (mut lanes, mut pings) = (Lanes(Vec::new()), Pings::default());
        for _ in 0..count {
            let counters = listeners
                .iter()
                .map(|(listener, refuse_at)| Ok(Counter { listener: listener.try_clone()?, refuse_at: *refuse_at }));
            let counters = counters.collect::<io::Result<Vec<_>>>()?;
            let (ping, pinged) = mpsc::channel(1);
            let (done, ended) = oneshot::channel();
            let daemon = Arc::clone(daemon);
            let end = End { drain: Arc::clone(&end.drain), stopped: end.stopped.clone() };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            thread::Builder::new().name("connections".to_owned()).spawn(move || {
                runtime.block_on(serve(counters, connections.div_ceil(count), daemon, end, pinged));
                let _ = done.send(());
            })?;
            pings.0.push(ping);
            lanes.0.push(ended);
        }
        Ok((lanes, pings))
    }

    /// Waits until all connections have ended, at most so long.
    pub(super) async fn ended(&mut self, limit: Duration) {
        let all = async {
            for ended in &mut self.0 {
                let _ = ended.await;
            }
        };
        let _ = tokio::time::timeout(limit, all).await;
    }
}

impl Pings {
    /// Whether every thread answers within `limit`.
    pub(super) async fn answer_within(&self, limit: Duration) -> bool {
        let answers = self.0.iter().map(|ping| async {
            let (reply, answer) = oneshot::channel();
            ping.send(reply).await.is_ok() && answer.await.is_ok()
        });
        let all = mailward_core::lookup::all(answers);
        tokio::time::timeout(limit, all).await.is_ok_and(|answers| answers.into_iter().all(|answered| answered))
    }
}

/// One thread's work.
async fn serve(
    counters: Vec<Counter>,
    connections: usize,
    daemon: Arc<Daemon>,
    end: End,
    mut pinged: mpsc::Receiver<oneshot::Sender<()>>,
) {
    let mut servers = JoinSet::new();
    for Counter { listener, refuse_at } in counters {
        let listener = match Hardy::new(listener, Arc::clone(&end.drain)) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "a thread cannot serve a listener");
                continue;
            }
        };
        let config = indymilter::Config { max_connections: connections, ..Default::default() };
        let callbacks = callbacks::callbacks(Arc::clone(&daemon), refuse_at);
        let mut stopped = end.stopped.clone();
        servers.spawn(indymilter::run(listener, callbacks, config, async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        }));
    }
    let answer_pings = async {
        while let Some(reply) = pinged.recv().await {
            let _ = reply.send(());
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = servers.join_all() => {}
        () = answer_pings => {}
    }
}
