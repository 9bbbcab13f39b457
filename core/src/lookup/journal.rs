//! What was asked and answered in a session, so that a replay gives the same verdict.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Answers of lookups by question: passed through, recorded, or replayed.
#[derive(Debug, Default)]
pub struct Journal(Mode);

#[derive(Debug, Default)]
enum Mode {
    #[default]
    Live,
    Record(Mutex<BTreeMap<String, Vec<Value>>>),
    Replay(Mutex<BTreeMap<String, VecDeque<Value>>>),
}

impl Journal {
    /// A journal that keeps every answer.
    pub fn recording() -> Self {
        Journal(Mode::Record(Mutex::default()))
    }

    /// A journal that answers from a recording; what the recording does not hold is asked anew.
    pub fn replaying(answers: BTreeMap<String, Vec<Value>>) -> Self {
        Journal(Mode::Replay(Mutex::new(answers.into_iter().map(|(q, a)| (q, a.into())).collect())))
    }

    /// Whether answers come from a recording.
    pub fn is_replay(&self) -> bool {
        matches!(self.0, Mode::Replay(_))
    }

    /// Whether the recording holds an answer to `question` that was not given yet.
    pub fn has_answer(&self, question: &str) -> bool {
        match &self.0 {
            Mode::Replay(answers) => {
                lock(answers).get(question).and_then(VecDeque::front).is_some_and(|answer| !answer.is_null())
            }
            _ => false,
        }
    }

    /// The answer to `question`: that of the recording, else what `live` gives. Equal questions of one session are
    /// told apart by the order in which they were asked: one that was given up keeps its place.
    pub async fn ask<T: Serialize + DeserializeOwned>(&self, question: &str, live: impl Future<Output = T>) -> T {
        // Pinned here: awaited by value, each arm would have a place for the whole lookup of its own.
        let live = pin!(live);
        match &self.0 {
            Mode::Live => live.await,
            Mode::Record(answers) => {
                let place = place_of(&mut lock(answers), question);
                let answer = live.await;
                if let (Ok(value), Some(answers)) = (serde_json::to_value(&answer), lock(answers).get_mut(question)) {
                    answers[place] = value;
                }
                answer
            }
            Mode::Replay(answers) => {
                let recorded = lock(answers).get_mut(question).and_then(VecDeque::pop_front);
                let recorded = recorded.and_then(|value| serde_json::from_value(value).ok());
                match recorded {
                    Some(answer) => answer,
                    None => live.await,
                }
            }
        }
    }

    /// What has been recorded so far, by question.
    pub fn answers(&self) -> BTreeMap<String, Vec<Value>> {
        match &self.0 {
            Mode::Record(answers) => lock(answers).clone(),
            _ => BTreeMap::new(),
        }
    }
}

/// A place for the answer that is still to come.
fn place_of(answers: &mut BTreeMap<String, Vec<Value>>, question: &str) -> usize {
    let answers = answers.entry(question.to_owned()).or_default();
    answers.push(Value::Null);
    answers.len() - 1
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_question_that_was_given_up_keeps_its_place() {
        let record = Journal::recording();
        assert_eq!(record.ask("q", std::future::pending::<i32>()).now_or_never(), None);
        record.ask("q", async { 2 }).await;
        let replay = Journal::replaying(record.answers());
        assert_eq!(replay.ask("q", async { 9 }).await, 9, "asked anew, as it has no answer");
        assert_eq!(replay.ask("q", async { 9 }).await, 2);
    }

    #[tokio::test]
    async fn a_replay_gives_the_recorded_answers_in_their_order() {
        let record = Journal::recording();
        record.ask("q", async { 1 }).await;
        record.ask("q", async { 2 }).await;
        let replay = Journal::replaying(record.answers());
        assert_eq!(replay.ask("q", async { 9 }).await, 1);
        assert_eq!(replay.ask("q", async { 9 }).await, 2);
        assert_eq!(replay.ask("q", async { 9 }).await, 9, "not recorded: asked anew");
    }
}
