//! Lookups that run while the client sends its next command.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll, Waker},
};
use tokio::task::JoinHandle;

/// A lookup under way or done.
#[derive(Debug)]
pub(super) enum Pending<T> {
    /// Nothing was asked.
    Never,
    /// Being asked.
    Running(JoinHandle<T>),
    /// Answered.
    Ready(T),
    /// The lookup panicked; the log has the place.
    Failed,
}

impl<T: Send + 'static> Pending<T> {
    /// Starts a lookup. One that memory answers is answered at once, without a task of its own.
    pub(super) fn start(lookup: impl Future<Output = T> + Send + 'static) -> Self {
        let mut lookup = Box::pin(lookup);
        let mut context = Context::from_waker(Waker::noop());
        match catch_unwind(AssertUnwindSafe(|| lookup.as_mut().poll(&mut context))) {
            Ok(Poll::Ready(answer)) => Pending::Ready(answer),
            // The task asks again at once, and is woken from then on.
            Ok(Poll::Pending) => Pending::Running(tokio::spawn(lookup)),
            Err(_) => Pending::Failed,
        }
    }

    /// The answer, waited for if need be. `Ok(None)` if nothing was asked.
    pub(super) async fn answer(&mut self) -> Result<Option<&T>, Panicked> {
        if let Pending::Running(task) = self {
            *self = match task.await {
                Ok(answer) => Pending::Ready(answer),
                Err(_) => Pending::Failed,
            };
        }
        match self {
            Pending::Ready(answer) => Ok(Some(answer)),
            Pending::Failed => Err(Panicked),
            Pending::Never | Pending::Running(_) => Ok(None),
        }
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if let Pending::Running(task) = self {
            task.abort();
        }
    }
}

/// A check panicked: the message is deferred.
#[derive(Debug)]
pub(super) struct Panicked;
