//! The thread that owns the connection to the quarantine.

use super::{super::StoreError, Kept, Quarantine, Quota, Sealed, open, table};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
};
use tokio::sync::oneshot;

/// Most orders that wait for the thread. Unit: orders. Source: our own limit; each may hold a whole message.
const QUEUE: usize = 256;
/// Most messages of one commit. Unit: messages.
const BATCH: usize = 64;

type Work = Box<dyn FnOnce(Result<&mut Connection, StoreError>) + Send>;
type Reply = oneshot::Sender<Result<Kept, StoreError>>;

pub(super) enum Order {
    Keep(Box<(Sealed, Quota)>, Reply),
    Run(Work),
}

#[derive(Debug)]
pub(super) struct Thread {
    orders: SyncSender<Order>,
    handle: JoinHandle<()>,
    process: u32,
}

impl Quarantine {
    /// Runs `f` on the thread that owns the connection.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Order::Run(Box::new(move |connection| {
            let _ = reply.send(connection.and_then(f));
        })))?;
        answer.await.unwrap_or(Err(StoreError::Busy("its thread has ended")))
    }

    pub(super) fn send(&self, order: Order) -> Result<(), StoreError> {
        self.thread()?.orders.try_send(order).map_err(|error| {
            StoreError::Busy(match error {
                TrySendError::Full(_) => "too many orders are waiting",
                TrySendError::Disconnected(_) => "its thread has ended",
            })
        })
    }

    fn thread(&self) -> Result<&Thread, StoreError> {
        let thread = self.thread.get_or_init(|| {
            let (orders, receiver) = sync_channel(QUEUE);
            let writer = Writer { path: self.path.clone(), connection: None };
            match std::thread::Builder::new().name("quarantine".to_owned()).spawn(move || writer.run(&receiver)) {
                Ok(handle) => Some(Thread { orders, handle, process: std::process::id() }),
                Err(error) => {
                    tracing::error!(%error, "quarantine: no thread");
                    None
                }
            }
        });
        let thread = thread.as_ref().ok_or(StoreError::Busy("its thread could not be started"))?;
        if thread.process != std::process::id() {
            return Err(StoreError::Busy("it was used before the process forked; open it in the child"));
        }
        Ok(thread)
    }
}

impl Drop for Quarantine {
    /// Waits for what the thread has in hand.
    fn drop(&mut self) {
        if let Some(Some(thread)) = self.thread.take()
            && thread.process == std::process::id()
        {
            drop(thread.orders);
            let _ = thread.handle.join();
        }
    }
}

struct Writer {
    path: PathBuf,
    connection: Option<Connection>,
}

impl Writer {
    fn run(mut self, orders: &Receiver<Order>) {
        while let Ok(first) = orders.recv() {
            let mut batch = Vec::new();
            let mut next = Some(first);
            while let Some(order) = next.take() {
                match order {
                    Order::Keep(what, reply) => {
                        batch.push((what, reply));
                        if batch.len() < BATCH {
                            next = orders.try_recv().ok();
                        }
                    }
                    Order::Run(f) => {
                        self.keep(std::mem::take(&mut batch));
                        f(self.connected());
                    }
                }
            }
            self.keep(batch);
        }
    }

    /// Writes the messages in one commit; if that fails each has its own.
    fn keep(&mut self, mut batch: Vec<(Box<(Sealed, Quota)>, Reply)>) {
        // Who has given up has told the client to come again.
        batch.retain(|(_, reply)| !reply.is_closed());
        if batch.is_empty() {
            return;
        }
        let all: Vec<&(Sealed, Quota)> = batch.iter().map(|(what, _)| &**what).collect();
        let done = match self.write(&all) {
            Ok(kept) => kept.into_iter().map(Ok).collect(),
            Err(error) if all.len() == 1 => vec![Err(error)],
            // Each of them would wait as long again.
            Err(error) if is_locked(&error) => {
                all.iter().map(|_| Err(StoreError::Busy("the file is locked"))).collect()
            }
            Err(_) => all.iter().map(|one| self.write(&[one]).map(|mut kept| kept.remove(0))).collect::<Vec<_>>(),
        };
        for ((_, reply), kept) in batch.into_iter().zip(done) {
            let _ = reply.send(kept);
        }
    }

    fn write(&mut self, all: &[&(Sealed, Quota)]) -> Result<Vec<Kept>, StoreError> {
        let transaction = self.connected()?.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let kept = all.iter().map(|(sealed, quota)| table::insert(&transaction, sealed, *quota));
        let kept = kept.collect::<Result<Vec<_>, _>>()?;
        transaction.commit()?;
        Ok(kept)
    }

    fn connected(&mut self) -> Result<&mut Connection, StoreError> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert(open(&self.path)?)),
        }
    }
}

fn is_locked(error: &StoreError) -> bool {
    matches!(error, StoreError::Database(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
}
