//! What kind of mass mail a message is. It says nothing about spam, so it gives no points: policies ask for it.

use super::{Rule, Seen, facts::Facts, rules::rule};
use crate::message::Message;

pub(super) const RULES: &[Rule] = &[
    rule(
        "graymail.auto-reply",
        0,
        "RFC 3834 §5, and what mail servers wrote before it",
        "The message answers another by itself: an absence notice or the like.",
        |facts| is(facts, Kind::AutoReply),
    ),
    rule(
        "graymail.list",
        0,
        "RFC 2369, RFC 2919",
        "The message came through a mailing list on which people write to each other.",
        |facts| is(facts, Kind::List),
    ),
    rule(
        "graymail.newsletter",
        0,
        "RFC 2369 §3.2, RFC 8058; bulk sender rules of Gmail and Yahoo (2024)",
        "The message is one of a mailing to many that offers to be left: a newsletter or an advertisement.",
        |facts| is(facts, Kind::Newsletter),
    ),
    rule(
        "graymail.notification",
        0,
        "RFC 3834 §5; names of mailboxes that nobody reads",
        "A program wrote the message for this one recipient: a receipt, a notice, an alarm.",
        |facts| is(facts, Kind::Notification),
    ),
];

/// Kinds of mail that no person wrote for one recipient. A message is of one kind at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    AutoReply,
    List,
    Newsletter,
    Notification,
}

fn is(facts: &Facts<'_>, kind: Kind) -> Option<Seen> {
    (facts.graymail == Some(kind)).then_some(Seen::Absence)
}

/// The kind of a message, if it is of one.
pub(super) fn kind_of(message: &Message<'_>) -> Option<Kind> {
    let value = |name: &str| message.headers.decoded(name).map(|value| value.trim().to_lowercase());
    let precedence = value("Precedence").unwrap_or_default();
    let submitted = value("Auto-Submitted").unwrap_or_default();
    let can_post = value("List-Post").is_some_and(|post| !post.starts_with("no"));
    if submitted.starts_with("auto-replied") || message.headers.has("X-Autoreply") || precedence == "auto_reply" {
        Some(Kind::AutoReply)
    } else if can_post || (message.headers.has("List-Id") && precedence == "list") {
        Some(Kind::List)
    } else if message.headers.has("List-Unsubscribe")
        || message.headers.has("List-Id")
        || matches!(precedence.as_str(), "bulk" | "junk")
    {
        Some(Kind::Newsletter)
    } else if submitted.starts_with("auto-") || message.from.first().is_some_and(|from| nobody_reads(&from.address)) {
        Some(Kind::Notification)
    } else {
        None
    }
}

/// Whether a mailbox has a name that says that nobody reads it.
fn nobody_reads(address: &str) -> bool {
    let local = address.split('@').next().unwrap_or_default().to_ascii_lowercase();
    let letters: String = local.chars().filter(char::is_ascii_alphabetic).collect();
    NOBODY.iter().any(|name| letters.starts_with(name))
}

/// Beginnings of such names, without what divides their words. Source: our own list.
const NOBODY: &[&str] =
    &["noreply", "donotreply", "dontreply", "notification", "notify", "alert", "mailer", "autoconfirm", "receipts"];
