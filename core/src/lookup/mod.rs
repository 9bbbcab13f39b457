//! The rooms' only way to wait: every question has a deadline and one of three ends.

pub mod clamd;
pub mod dns;
mod journal;
pub mod ldap;
pub mod meter;
pub mod scan;
mod script;
pub mod submission;

pub use journal::Journal;
pub use meter::Meter;
pub use script::{Listed, Script};

use serde::{Deserialize, Serialize};
use std::{future::Future, task::Poll, time::Duration};
use tokio::time::Instant;

/// How a lookup ended. What the last two mean is configured for each lookup ([`OnTrouble`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome<T> {
    /// Answered.
    Done(T),
    /// No answer within the deadline.
    TimedOut,
    /// The service cannot be reached, refused, or answered something that is no answer.
    Unavailable {
        /// For the log.
        why: String,
    },
}

impl<T> Outcome<T> {
    /// The answer, if there is one.
    pub fn done(&self) -> Option<&T> {
        match self {
            Outcome::Done(value) => Some(value),
            _ => None,
        }
    }

    /// What went wrong, if anything did.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Outcome::Done(_) => None,
            Outcome::TimedOut => Some("no answer in time".to_owned()),
            Outcome::Unavailable { why } => Some(why.clone()),
        }
    }

    /// Maps the answer and keeps trouble.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Outcome::Done(value) => Outcome::Done(f(value)),
            Outcome::TimedOut => Outcome::TimedOut,
            Outcome::Unavailable { why } => Outcome::Unavailable { why },
        }
    }
}

/// What trouble of a lookup means for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnTrouble {
    /// Go on without the answer; a finding without points says so.
    Skip,
    /// Answer 4xx: the client tries again.
    Defer,
}

/// The moment by which all lookups of a stage must have ended.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub fn after(duration: Duration) -> Self {
        Deadline(Instant::now() + duration)
    }

    /// The earlier of this deadline and so long from now.
    #[must_use]
    pub fn or_after(self, duration: Duration) -> Self {
        Deadline(self.0.min(Instant::now() + duration))
    }

    /// Time left; zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Waits for `future` until the deadline.
    pub async fn bound<T>(self, future: impl Future<Output = T>) -> Outcome<T> {
        match tokio::time::timeout_at(self.0, future).await {
            Ok(value) => Outcome::Done(value),
            Err(_) => Outcome::TimedOut,
        }
    }
}

/// Waits for all of a few futures at once; the outputs stand in the order of the futures.
pub async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut slots: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, output) in &mut slots {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    slots.into_iter().filter_map(|(_, output)| output).collect()
}
