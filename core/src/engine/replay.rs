//! A recorded session, judged again by this engine.

use super::{Engine, Judged, Refusal, SessionOptions};
use crate::session::{Event, Recording};
use std::sync::Arc;

/// What a transaction of a recorded session came to.
#[derive(Debug)]
pub enum Replayed {
    /// Its message was judged.
    Message(Judged),
    /// Nothing came of it.
    Refused(Refusal),
}

impl Engine {
    /// Plays a recorded session with the answers that its lookups gave, and with the clock of then: one entry for each
    /// transaction of which there is something to tell.
    pub async fn replay(self: &Arc<Self>, recording: Recording) -> Vec<Replayed> {
        let mut session = self.session(SessionOptions { replay: Some(recording.answers), ..SessionOptions::default() });
        let mut replayed = Vec::new();
        let mut now = 0;
        for event in recording.events.into_iter().chain([Event::Abort]) {
            now = event.time().unwrap_or(now);
            match event {
                Event::EndOfMessage { queue_id, .. } => {
                    replayed.push(Replayed::Message(session.end_of_message(now, queue_id).await));
                }
                Event::Abort => replayed.extend(session.abort(now).await.map(Replayed::Refused)),
                other => {
                    let _ = session.replay(other).await;
                }
            }
        }
        replayed
    }
}
