//! The edits that carry out a verdict on a message that is taken.

use super::{Facts, Settings, Then, reconcile::Reconciled};
use crate::{
    message::MessageFacts,
    session::{Address, Direction},
    verdict::{Action, Disposition, Edit},
};
use std::{collections::BTreeSet, ops::RangeInclusive};

/// Longest reason of a hold. Unit: characters. Source: MTAs clip it near 100.
const REASON_CHARS: usize = 100;

/// The edits, in an order that is safe to carry out one by one: removals from the bottom up, so that no removal shifts
/// what a later one counts; then changes; then additions; then recipients, who are taken off before others are added; the hold last.
pub(super) fn plan(
    settings: &Settings,
    facts: &Facts<'_>,
    outcome: &Reconciled,
    reason: &str,
    acts: bool,
) -> Vec<Edit> {
    if outcome.action != Action::Accept {
        return Vec::new();
    }
    let tag = &outcome.tag;
    let forged = match facts.direction == Direction::Inbound && acts {
        true => names_of_marks(settings),
        false => BTreeSet::new(),
    };
    let removed = forged.iter().chain(&tag.removed).collect::<BTreeSet<_>>();
    let mut edits: Vec<Edit> =
        removed.iter().flat_map(|name| remove_all(name, 1..=occurrences(facts.message, name))).collect();
    let mut additions = Vec::new();
    for (name, value) in &tag.set {
        let (name, value) = (name.clone(), value.clone());
        match occurrences(facts.message, &name) {
            came if came > 0 && !removed.contains(&name.to_ascii_lowercase()) => {
                edits.extend(remove_all(&name, 2..=came));
                edits.push(Edit::ChangeHeader { name, occurrence: 1, value });
            }
            _ => additions.push(Edit::AddHeader { name, value }),
        }
    }
    if let Some(mark) = &tag.subject {
        edits.extend(subject(facts, mark));
    }
    edits.extend(additions);
    edits.extend(tag.headers.iter().map(|(name, value)| Edit::AddHeader { name: name.clone(), value: value.clone() }));
    edits.extend(recipients(facts, outcome));
    if outcome.held_for.is_some() {
        let ascii = reason.chars().map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' });
        edits.push(Edit::Hold { reason: ascii.take(REASON_CHARS).collect() });
    }
    edits
}

/// Takes off the marks of this site that a message from outside brings along.
pub fn without_forged_marks(settings: &Settings, message: &MessageFacts) -> Vec<Edit> {
    let names = names_of_marks(settings);
    names.iter().flat_map(|name| remove_all(name, 1..=occurrences(message, name))).collect()
}

/// Who is taken off, and who is added in their place or for a blind copy: nobody twice, and nobody who gets the message anyway.
/// Who is refused alone does not get it, so what is sent to him for others is added.
fn recipients(facts: &Facts<'_>, outcome: &Reconciled) -> Vec<Edit> {
    let mut edits = Vec::new();
    let (mut removed, mut served, mut dropped) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (recipient, disposition) in facts.recipients.iter().zip(&outcome.dispositions) {
        match disposition {
            Disposition::Deliver | Disposition::Tag(_) | Disposition::Hold => {
                served.insert(recipient.address.key());
            }
            Disposition::Discard | Disposition::Quarantine { .. } => {
                dropped.insert(recipient.address.key());
            }
            Disposition::Redirect { .. } | Disposition::Reject | Disposition::Defer => {}
        }
        if disposition.takes_off() && removed.insert(recipient.address.raw.as_str()) {
            edits.push(Edit::RemoveRecipient { address: bracketed(&recipient.address.raw) });
        }
    }
    let redirected = outcome.dispositions.iter().flat_map(|disposition| match disposition {
        Disposition::Redirect { to } => to.as_slice(),
        _ => &[],
    });
    for address in redirected.filter_map(|raw| Address::parse(raw.as_bytes()).ok()) {
        if served.insert(address.key()) {
            edits.push(Edit::AddRecipient { address: bracketed(&address.raw), blind: false });
        }
    }
    for address in &outcome.copies {
        // Who drops the message would drop its copy.
        if !dropped.contains(&address.key()) && served.insert(address.key()) {
            edits.push(Edit::AddRecipient { address: bracketed(&address.raw), blind: true });
        }
    }
    edits
}

fn bracketed(address: &str) -> String {
    format!("<{address}>")
}

/// The headers by which only this site marks, in lower case: those that come in under such a name are forged.
fn names_of_marks(settings: &Settings) -> BTreeSet<String> {
    let policies = settings.policies.iter().filter_map(|p| match &p.then {
        Then::Tag(marks) | Then::TagAndContinue(marks) => Some(marks),
        _ => None,
    });
    policies
        .chain([&settings.marks])
        .flat_map(|marks| &marks.headers)
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect()
}

/// How many headers of this name came.
fn occurrences(message: &MessageFacts, name: &str) -> u32 {
    let came = message.headers.iter().filter(|(n, _)| n.trim_end().eq_ignore_ascii_case(name));
    u32::try_from(came.count()).unwrap_or(u32::MAX)
}

/// Removes them from the bottom up.
fn remove_all(name: &str, occurrences: RangeInclusive<u32>) -> impl Iterator<Item = Edit> {
    occurrences.rev().map(|occurrence| Edit::RemoveHeader { name: name.to_owned(), occurrence })
}

/// Puts the mark before the subject as it stands, encoded words untouched; nothing if it is there already. A subject
/// that is not ASCII is written in encoded words.
fn subject(facts: &Facts<'_>, mark: &str) -> Option<Edit> {
    let found = facts.message.headers.iter().find(|(name, _)| name.trim_end().eq_ignore_ascii_case("subject"));
    let Some((_, body)) = found else {
        return Some(Edit::AddHeader { name: "Subject".to_owned(), value: mark.to_owned() });
    };
    let body = safe_body(body);
    if body.starts_with(mark) || facts.message.subject.trim_start().starts_with(mark) {
        return None;
    }
    let body = if body.is_ascii() { body } else { encoded_words(&body) };
    Some(Edit::ChangeHeader { name: "Subject".to_owned(), occurrence: 1, value: format!("{mark} {body}") })
}

/// A header body with folds of LF and blank only; other line ends and control characters become blanks.
fn safe_body(body: &str) -> String {
    let body = body.trim_matches(|c: char| c.is_whitespace() || c.is_control()).replace("\r\n", "\n");
    let mut out = String::with_capacity(body.len());
    let mut rest = body.chars().peekable();
    while let Some(c) = rest.next() {
        let fold = c == '\n' && matches!(rest.peek(), Some(' ' | '\t'));
        out.push(if c.is_control() && !fold && c != '\t' { ' ' } else { c });
    }
    out
}

/// Longest content of an encoded word before its end. Unit: characters. Source: RFC 2047 §2 grants 75 to the whole
/// word; `=?utf-8?Q?` and `?=` take twelve.
const WORD_CHARS: usize = 63;

/// UTF-8 text as encoded words of the Q encoding (RFC 2047 §4.2), folded between them, never within a character.
fn encoded_words(text: &str) -> String {
    let mut words = vec![String::new()];
    let mut bytes = [0; 4];
    for c in text.chars() {
        let encoded: String = match c {
            ' ' => "_".to_owned(),
            c if c.is_ascii_alphanumeric() => c.to_string(),
            c => c.encode_utf8(&mut bytes).bytes().map(|b| format!("={b:02X}")).collect(),
        };
        match words.last_mut() {
            Some(word) if word.len() + encoded.len() <= WORD_CHARS => word.push_str(&encoded),
            _ => words.push(encoded),
        }
    }
    words.iter().map(|word| format!("=?utf-8?Q?{word}?=")).collect::<Vec<_>>().join("\n ")
}

#[cfg(test)]
mod tests {
    use super::{encoded_words, safe_body};

    #[test]
    fn a_subject_beyond_ascii_is_written_in_encoded_words() {
        assert_eq!(encoded_words("café? a"), "=?utf-8?Q?caf=C3=A9=3F_a?=");
        let long = encoded_words(&"é".repeat(50));
        assert!(long.lines().all(|line| line.trim().len() <= 75 && line.ends_with("?=")), "{long}");
        assert_eq!(long.matches("=C3=A9").count(), 50, "no character is torn");
    }

    #[test]
    fn a_subject_cannot_end_its_header() {
        assert_eq!(safe_body(" one\r\n two\r\nBcc: x@y.test\rz\u{0}"), "one\n two Bcc: x@y.test z");
        assert_eq!(safe_body("=?utf-8?Q?caf=C3=A9?=\n\t=?utf-8?Q?!?="), "=?utf-8?Q?caf=C3=A9?=\n\t=?utf-8?Q?!?=");
    }
}
