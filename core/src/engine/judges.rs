//! Threads that look at messages: parsing, scanning, rules. Each keeps a warm scanner.

use super::pending::Panicked;
use crate::malware::{Scanner, WarmScanner};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};
use tokio::sync::oneshot;

/// How much the threads that serve connections go before these: a packet costs microseconds, a message a millisecond,
/// and who waits for a packet's turn behind messages waits thirty times. Unit: nice value (setpriority(2)).
const NICE: i32 = 10;
/// The same for messages of networks that flood: all others go before them.
const NICE_OF_FLOOD: i32 = 19;

/// Work for one of the threads.
type Job = Box<dyn for<'s> FnOnce(&mut WarmScanner<'s>) + Send>;

/// The threads of one engine. They start when there is work, and end with the engine.
pub(super) struct Judges {
    scanner: Arc<Scanner>,
    /// Those for messages of networks that flood, which stay at a lower priority, and the others.
    idle: [Mutex<Vec<Judge>>; 2],
    most_idle: usize,
}

/// A thread that waits for work; it ends when its sender is dropped.
struct Judge {
    jobs: mpsc::Sender<Job>,
    /// A forked child has the memory of this struct, but not the thread.
    process: u32,
}

impl Judges {
    /// `most_idle`: how many threads are kept when there is nothing to do.
    pub(super) fn new(scanner: Scanner, most_idle: usize) -> Self {
        Judges { scanner: Arc::new(scanner), idle: Default::default(), most_idle }
    }

    /// What their scanners scan by.
    pub(super) fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    /// Runs `work` on one of the threads, behind all else if it is of a network that floods. Who stops waiting leaves the
    /// thread to its work; it ends behind it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        of_flood: bool,
        work: impl for<'s> FnOnce(&mut WarmScanner<'s>) -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let judge = match self.take_idle(of_flood) {
            Some(judge) => judge,
            None => self.start(of_flood).map_err(|error| {
                tracing::error!(%error, "no thread to judge a message");
                Panicked
            })?,
        };
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |scanner| {
            let _ = answer.send(work(scanner));
        });
        judge.jobs.send(job).map_err(|_| Panicked)?;
        let answer = answered.await.map_err(|_| {
            tracing::error!("a check of the content panicked");
            Panicked
        })?;
        let mut idle = self.idle[usize::from(of_flood)].lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.most_idle {
            idle.push(judge);
        }
        Ok(answer)
    }

    fn take_idle(&self, of_flood: bool) -> Option<Judge> {
        let mut idle = self.idle[usize::from(of_flood)].lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|judge| judge.process == std::process::id());
        idle.pop()
    }

    fn start(&self, of_flood: bool) -> std::io::Result<Judge> {
        let (jobs, work) = mpsc::channel::<Job>();
        let scanner = Arc::clone(&self.scanner);
        let nice = if of_flood { NICE_OF_FLOOD } else { NICE };
        thread::Builder::new().name("judge".to_owned()).spawn(move || {
            if let Err(error) = rustix::process::setpriority_process(None, nice) {
                tracing::debug!(%error, "judging threads keep their priority");
            }
            let mut warm = scanner.warm();
            while let Ok(job) = work.recv() {
                job(&mut warm);
            }
        })?;
        Ok(Judge { jobs, process: std::process::id() })
    }
}

impl fmt::Debug for Judges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judges").field("scanner", &self.scanner).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::malware;

    fn judges() -> Judges {
        Judges::new(Scanner::load(&malware::Settings::default()).expect("rules compile"), 1)
    }

    #[tokio::test]
    async fn a_panic_costs_its_message_and_no_other() {
        let judges = judges();
        assert!(judges.run(false, |_| panic!("a hostile message")).await.is_err());
        assert_eq!(judges.run(false, |_| 7).await.expect("a new thread"), 7);
    }

    #[tokio::test]
    async fn a_thread_serves_one_message_after_another() {
        let judges = judges();
        let first = judges.run(false, |_| thread::current().id()).await.expect("an answer");
        let second = judges.run(false, |_| thread::current().id()).await.expect("an answer");
        assert_eq!(first, second);
    }

    #[tokio::test]
    async fn whoever_floods_leaves_the_processors_to_others() {
        let judges = judges();
        let nice = || rustix::process::getpriority_process(None).expect("Linux has nice values");
        for (of_flood, expected) in [(true, NICE_OF_FLOOD), (false, NICE), (true, NICE_OF_FLOOD)] {
            assert_eq!(judges.run(of_flood, move |_| nice()).await.expect("an answer"), expected);
        }
    }

    #[tokio::test]
    async fn a_thread_that_nobody_waits_for_is_not_used_again() {
        let judges = judges();
        let (go_on, wait) = mpsc::channel::<()>();
        let stuck = judges.run(false, move |_| {
            let _ = wait.recv();
        });
        let ended = tokio::time::timeout(std::time::Duration::from_millis(20), stuck).await;
        assert!(ended.is_err(), "it waits for ever");
        assert_eq!(judges.run(false, |_| 7).await.expect("another thread"), 7);
        drop(go_on);
    }
}
