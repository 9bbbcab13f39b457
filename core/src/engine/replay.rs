//! A recorded session, judged again by this engine.

use super::{Engine, Judged, Refusal, SessionOptions};
use crate::session::{Event, Recording};
use std::sync::Arc;

/// A transaction of a recorded session of which there is something to tell.
#[derive(Debug)]
pub struct Replayed {
    /// Which MAIL command of the session began it, counted from 1; 0: none, the client itself was refused. By this the
    /// replays of two engines are held side by side.
    pub transaction: usize,
    /// What it came to.
    pub ended: Ended,
}

/// How a transaction ended.
#[derive(Debug)]
pub enum Ended {
    /// Its message was judged.
    Message(Judged),
    /// Nothing came of it.
    Refused(Refusal),
}

impl Engine {
    /// Plays a recorded session with the answers that its lookups gave, and with the clock of then: one entry for each
    /// transaction of which there is something to tell. Of the options those count that a recording does not hold.
    pub async fn replay(self: &Arc<Self>, recording: Recording, options: SessionOptions) -> Vec<Replayed> {
        let mut session = self.session(SessionOptions { replay: Some(recording.answers), ..options });
        let mut replayed = Vec::new();
        let (mut now, mut transaction) = (0, 0);
        for event in recording.events.into_iter().chain([Event::Abort]) {
            now = event.time().unwrap_or(now);
            transaction += usize::from(matches!(event, Event::Mail { .. }));
            match event {
                Event::EndOfMessage { queue_id, .. } => {
                    let ended = Ended::Message(session.end_of_message(now, queue_id).await);
                    replayed.push(Replayed { transaction, ended });
                }
                Event::Abort => {
                    let refused = session.abort(now).await.map(Ended::Refused);
                    replayed.extend(refused.map(|ended| Replayed { transaction, ended }));
                }
                other => {
                    let _ = session.replay(other).await;
                }
            }
        }
        replayed
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ConnectFacts, MailFacts, Shared},
        *,
    };
    use crate::{config::Config, lookup::dns::Zone};

    fn mail(sender: &[u8]) -> MailFacts<'_> {
        MailFacts { time: 2, sender, parameters: Vec::new(), login: None, tls: None }
    }

    #[tokio::test]
    async fn refusals_before_a_transaction_are_told_at_their_place() {
        let shared = Shared::in_memory(Some(Zone::parse("").expect("a zone")));
        let engine = Engine::build(Config::default(), shared).await.expect("an engine");
        let mut session = engine.session(SessionOptions { record: true, ..SessionOptions::default() });
        let facts = ConnectFacts {
            time: 1,
            client_ip: Some([192, 0, 2, 7].into()),
            client_name: None,
            mta_name: None,
            local_submission: false,
        };
        assert!(session.connect(facts).await.reply.is_none());
        for malformed in [b"a b@@c", b"d e@@f"] {
            assert!(session.mail(mail(malformed)).await.reply.is_some());
            assert!(session.abort(3).await.is_some());
        }
        assert!(session.mail(mail(b"<a@example.net>")).await.reply.is_none());
        assert!(session.rcpt(4, b"<b@example.com>", None).await.reply.is_none());
        session.whole_message(b"Subject: x\r\n\r\nx\r\n");
        let _ = session.end_of_message(5, None).await;

        let recording = session.recording().expect("it is recorded");
        let said = recording.explanations.clone();
        assert_eq!(said.len(), 3);
        let replayed = engine.replay(recording, SessionOptions::default()).await.into_iter().map(|replayed| {
            match replayed.ended {
                Ended::Message(judged) => judged.report.explanation.json(),
                Ended::Refused(refusal) => refusal.report.explanation.json(),
            }
        });
        assert_eq!(replayed.collect::<Vec<_>>(), said);
    }
}
