//! What is known of a sender at the end of a message, read at once.

use super::{
    correspondents::{Acquaintance, Correspondents},
    learned::{self, History, Identity},
};
use crate::{
    lookup::{Deadline, Outcome},
    session::Address,
    store::Ledger,
};
use serde::{Deserialize, Serialize};

/// Whom to ask about.
#[derive(Debug)]
pub struct SenderQuestion<'a> {
    /// By what the sender is known besides its address.
    pub identities: Vec<Identity>,
    /// The author, if authenticated, and who shall receive the message.
    pub author: Option<&'a Address>,
    /// Recipients of the message.
    pub recipients: Vec<&'a Address>,
}

/// What the counters say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SenderAnswers {
    /// Learned reputation.
    pub history: History,
    /// Whether the author is expected.
    pub acquaintance: Acquaintance,
}

/// Asks the counters once for all that must be known. Without a question nothing waits.
pub async fn ask_sender(
    correspondents: &Correspondents,
    ledger: &Ledger,
    question: SenderQuestion<'_>,
    now: i64,
    deadline: Deadline,
) -> SenderAnswers {
    let SenderQuestion { identities, author, recipients } = question;
    let mut keys: Vec<String> = learned::keys(&identities).collect();
    let of_history = keys.len();
    if let Some(author) = author {
        keys.extend(correspondents.keys(author, recipients));
    }
    if keys.is_empty() {
        return SenderAnswers { history: History { asked: now, ..History::default() }, ..SenderAnswers::default() };
    }
    match ledger.read(&keys, now, deadline).await {
        Outcome::Done(mut buckets) => {
            let of_author = buckets.split_off(of_history.min(buckets.len()));
            let acquaintance = correspondents.acquaintance(&of_author, now);
            SenderAnswers { history: learned::history(identities, buckets, now), acquaintance }
        }
        trouble => {
            let history = History { asked: now, trouble: trouble.trouble(), ..History::default() };
            SenderAnswers { history, ..SenderAnswers::default() }
        }
    }
}
