//! The edits that carry out a verdict on a message that is taken.

use super::{Facts, Settings, Then, reconcile::Reconciled};
use crate::{
    session::Direction,
    verdict::{Action, Disposition, Edit},
};
use std::collections::BTreeSet;

/// Longest reason of a hold. Unit: characters. Source: MTAs clip it near 100.
const REASON_CHARS: usize = 100;

/// The edits, in an order that is safe to carry out one by one: removals from the bottom up, so that no removal shifts
/// what a later one counts; then changes; then additions; then recipients; the hold last.
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
    let mut edits = Vec::new();
    if facts.direction == Direction::Inbound && acts {
        edits.extend(forged_marks(settings, facts));
    }
    if let Some(mark) = &outcome.subject {
        edits.extend(subject(facts, mark));
    }
    edits.extend(
        outcome.headers.iter().map(|(name, value)| Edit::AddHeader { name: name.clone(), value: value.clone() }),
    );
    let mut removed = BTreeSet::new();
    for (recipient, disposition) in facts.recipients.iter().zip(&outcome.dispositions) {
        if *disposition == Disposition::Discard && removed.insert(recipient.address.raw.as_str()) {
            edits.push(Edit::RemoveRecipient { address: format!("<{}>", recipient.address.raw) });
        }
    }
    if outcome.held_for.is_some() {
        let ascii = reason.chars().map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' });
        edits.push(Edit::Hold { reason: ascii.take(REASON_CHARS).collect() });
    }
    edits
}

/// Headers that came in under the names of our marks: only this site may put them there.
fn forged_marks(settings: &Settings, facts: &Facts<'_>) -> Vec<Edit> {
    let policies = settings.policies.iter().filter_map(|p| match &p.then {
        Then::Tag(marks) | Then::TagAndContinue(marks) => Some(marks),
        _ => None,
    });
    let names: BTreeSet<String> = policies
        .chain([&settings.marks])
        .flat_map(|marks| &marks.headers)
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    let mut edits = Vec::new();
    for name in names {
        let came = facts.message.headers.iter().filter(|(n, _)| n.trim_end().eq_ignore_ascii_case(&name));
        let count = u32::try_from(came.count()).unwrap_or(u32::MAX);
        edits.extend((1..=count).rev().map(|occurrence| Edit::RemoveHeader { name: name.clone(), occurrence }));
    }
    edits
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
