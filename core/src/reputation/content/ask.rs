//! Asking the lists.

use super::{ContentList, Question};
use crate::lookup::{Deadline, Outcome, all, dns::Dns};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A name that no list of domains may hold. Source: RFC 5782 §5.
const MUST_NOT_BE_LISTED: &str = "invalid";

/// The answer of a list to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Name of the list.
    pub list: String,
    /// What it was asked about.
    pub about: String,
    /// The addresses it answered; none if that is not listed.
    pub outcome: Outcome<Vec<Ipv4Addr>>,
    /// It lists everything, so nothing that it says is believed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lists_everything: bool,
}

/// Asks everything at once.
pub async fn ask(lists: &[ContentList], questions: &[Question], dns: &Dns, deadline: Deadline) -> Vec<Answer> {
    all(questions.iter().filter_map(|question| Some((lists.get(question.list)?, question))).map(
        |(list, question)| async move {
            let outcome = dns.a(&format!("{}.{}", question.key, list.zone), deadline).await;
            // A hit is worth a second look. Its answer is mostly cached.
            let listed = outcome.done().is_some_and(|answers| !answers.is_empty());
            let lists_everything = listed && {
                let control = dns.a(&format!("{MUST_NOT_BE_LISTED}.{}", list.zone), deadline).await;
                control.done().is_some_and(|answers| !answers.is_empty())
            };
            Answer { list: list.name.clone(), about: question.about.clone(), outcome, lists_everything }
        },
    ))
    .await
}
