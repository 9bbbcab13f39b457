//! Rules over the header.

use super::{AtEnd, Seen, hosts};
use crate::message::Mailbox;

const DAY: i64 = 86_400;

pub(super) fn address_in_name(facts: &AtEnd<'_>) -> Option<Seen> {
    facts.message.from.iter().find_map(|from| {
        let shown = from.name.split([' ', '<', '>', '(', ')', '"', '\'', ',', ';']).find(|word| is_address(word))?;
        let domain = shown.rsplit_once('@')?.1.to_lowercase();
        let differs = hosts::registered(&domain) != hosts::registered(&from.domain());
        differs.then(|| Seen::Fact(format!("{shown} for {}", from.address)))
    })
}

fn is_address(word: &str) -> bool {
    word.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && domain.contains('.') && psl::domain_str(domain).is_some() && !domain.contains('@')
    })
}

pub(super) fn several_from(facts: &AtEnd<'_>) -> Option<Seen> {
    let fields = facts.message.headers.all("From").count();
    (fields > 1).then(|| Seen::Fact(format!("{fields} From fields")))
}

pub(super) fn no_from(facts: &AtEnd<'_>) -> Option<Seen> {
    let usable = facts.message.from.iter().any(|from| from.address.contains('@'));
    (!usable).then_some(Seen::Absence)
}

pub(super) fn no_date(facts: &AtEnd<'_>) -> Option<Seen> {
    facts.message.date.is_none().then_some(Seen::Absence)
}

pub(super) fn no_message_id(facts: &AtEnd<'_>) -> Option<Seen> {
    facts.message.message_id().is_none_or(|id| id.is_empty()).then_some(Seen::Absence)
}

pub(super) fn odd_message_id(facts: &AtEnd<'_>) -> Option<Seen> {
    let id = facts.message.message_id().filter(|id| !id.is_empty())?;
    let proper =
        id.starts_with('<') && id.ends_with('>') && id.split_once('@').is_some_and(|(l, r)| l.len() > 1 && r.len() > 1);
    (!proper).then_some(Seen::Fact(id))
}

pub(super) fn future_date(facts: &AtEnd<'_>) -> Option<Seen> {
    let ahead = facts.message.date?.saturating_sub(facts.now);
    (ahead > DAY).then(|| Seen::Fact(format!("{} h ahead", ahead / 3_600)))
}

pub(super) fn old_date(facts: &AtEnd<'_>) -> Option<Seen> {
    let behind = facts.now.saturating_sub(facts.message.date?);
    (behind > 30 * DAY).then(|| Seen::Fact(format!("{} days behind", behind / DAY)))
}

/// Fields that may stand once (RFC 5322 §3.6); From has its own rule.
const ONCE: [&str; 7] = ["Subject", "Date", "Message-ID", "To", "Cc", "Reply-To", "Sender"];

pub(super) fn repeated_field(facts: &AtEnd<'_>) -> Option<Seen> {
    let twice = ONCE.iter().find(|name| facts.message.headers.all(name).nth(1).is_some());
    twice.map(|name| Seen::Fact((*name).to_owned()))
}

pub(super) fn no_recipient_field(facts: &AtEnd<'_>) -> Option<Seen> {
    let message = facts.message;
    let named = message.to.iter().chain(&message.cc).any(|to| to.address.contains('@'));
    (!named && !is_list(facts)).then_some(Seen::Absence)
}

pub(super) fn to_is_from(facts: &AtEnd<'_>) -> Option<Seen> {
    let [from] = facts.message.from.as_slice() else { return None };
    let [to] = facts.message.to.as_slice() else { return None };
    let same = from.address.contains('@') && from.address.eq_ignore_ascii_case(&to.address);
    (same && !is_list(facts)).then(|| Seen::Fact(from.address.clone()))
}

pub(super) fn reply_to_freemail(facts: &AtEnd<'_>) -> Option<Seen> {
    let from = facts.message.from.first()?;
    let other =
        |reply: &&Mailbox| hosts::is_freemail(&reply.domain()) && !reply.address.eq_ignore_ascii_case(&from.address);
    // A company's form mailer answers to the visitor; a list answers to the author: those keep a name of the sender.
    let reply = facts.message.reply_to.iter().find(other)?;
    (reply.domain() != from.domain() && !is_list(facts)).then(|| Seen::Fact(reply.address.clone()))
}

pub(super) fn freemail_to_freemail(facts: &AtEnd<'_>) -> Option<Seen> {
    let from = facts.message.from.first()?;
    let [reply] = facts.message.reply_to.as_slice() else { return None };
    let both = hosts::is_freemail(&from.domain()) && hosts::is_freemail(&reply.domain());
    (both && !from.address.eq_ignore_ascii_case(&reply.address) && !is_list(facts))
        .then(|| Seen::Fact(format!("{} instead of {}", reply.address, from.address)))
}

pub(super) fn empty_subject(facts: &AtEnd<'_>) -> Option<Seen> {
    facts.message.subject.trim().is_empty().then_some(Seen::Absence)
}

/// Fewest letters of a subject in capitals that counts. Source: our own limit; shorter ones are acronyms.
const CAPITALS: usize = 12;

pub(super) fn capital_subject(facts: &AtEnd<'_>) -> Option<Seen> {
    let subject = &facts.message.subject;
    let letters = subject.chars().filter(|c| c.is_uppercase()).count();
    let loud = letters >= CAPITALS && !subject.chars().any(char::is_lowercase) && subject.trim().contains(' ');
    loud.then(|| Seen::Text(subject.clone()))
}

/// Characters without width or with effect on direction; emoji joiners (U+200D) are honest.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{180e}')
}

pub(super) fn invisible_subject(facts: &AtEnd<'_>) -> Option<Seen> {
    let subject = &facts.message.subject;
    subject.contains(is_invisible).then(|| Seen::Text(subject.clone()))
}

pub(super) fn fake_reply(facts: &AtEnd<'_>) -> Option<Seen> {
    let message = facts.message;
    let subject = message.subject.trim_start().as_bytes();
    let claims = subject.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"re:"));
    let has = |name| message.headers.has(name);
    let alone = !has("In-Reply-To") && !has("References") && !has("Thread-Index");
    (claims && alone && !is_list(facts)).then(|| Seen::Text(message.subject.clone()))
}

pub(super) fn no_unsubscribe(facts: &AtEnd<'_>) -> Option<Seen> {
    let headers = &facts.message.headers;
    let bulk =
        headers.decoded("Precedence").is_some_and(|p| matches!(p.trim().to_lowercase().as_str(), "bulk" | "junk"));
    let automatic = headers.has("Auto-Submitted") || facts.sender.mailbox().is_none();
    let list = headers.has("List-Unsubscribe") || headers.has("List-Id") || headers.has("Mailing-List");
    (bulk && !list && !automatic).then_some(Seen::Absence)
}

/// Whether the message came through a mailing list.
pub(super) fn is_list(facts: &AtEnd<'_>) -> bool {
    facts.message.headers.has("List-Id") || facts.message.headers.has("List-Post")
}
