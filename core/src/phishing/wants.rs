//! What a message wants, by phrases that such letters share.

use super::fold;
use crate::spam::{About, Counts, Facts, Table};
use std::{borrow::Cow, sync::LazyLock};

const SECTIONS: &[&str] = &["credential", "lure", "crypto", "parcel", "authority", "payment"];
const CREDENTIAL: usize = 0;
const LURE: usize = 1;
const CRYPTO: usize = 2;
const PARCEL: usize = 3;
const AUTHORITY: usize = 4;
const PAYMENT: usize = 5;

/// Most of the body that is read. Unit: bytes. Source: our own limit; a lure says what it wants first.
const BODY_BYTES: usize = 6 << 10;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::of(include_str!("phrases.txt"), SECTIONS));

/// How many different phrases of each kind sender's name, subject and text hold.
#[derive(Debug)]
pub(super) struct Wants {
    counts: Counts,
    shared: u8,
}

impl Wants {
    pub(super) fn of(facts: &Facts<'_>) -> Self {
        let body = &facts.body.normal[..facts.body.normal.floor_char_boundary(BODY_BYTES)];
        let disguised = facts.body.mixed_words + facts.body.styled + facts.body.invisible > 0;
        let body = if disguised { Cow::Owned(fold::letters_of_body(body)) } else { Cow::Borrowed(body) };
        let [name, subject] = [&facts.name.normal, &facts.subject.normal].map(|text| fold::letters(text));
        let both = [name.as_str(), subject.as_str(), &facts.subject.normal, body.as_ref()];
        let about = |about| facts.phrases.about(about).saturating_add(facts.subject_phrases.about(about));
        Wants { counts: TABLE.count(both), shared: about(About::Account).saturating_add(about(About::Mailbox)) }
    }

    /// Words about accounts, passwords, cards, parcels, taxes and wallets.
    pub(super) fn credentials(&self) -> u8 {
        let counts = &self.counts;
        [CREDENTIAL, CRYPTO, PARCEL, AUTHORITY]
            .iter()
            .fold(self.shared, |sum, section| sum.saturating_add(counts[*section]))
    }

    /// Words about prizes, gifts and offers that end.
    pub(super) fn lures(&self) -> u8 {
        self.counts[LURE]
    }

    /// Words about payments that are to be made, or made elsewhere.
    pub(super) fn payments(&self) -> u8 {
        self.counts[PAYMENT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spam::rows;

    #[test]
    fn every_phrase_is_in_its_section_once_and_in_its_normal_form() {
        let mut seen = std::collections::BTreeSet::new();
        for (section, phrase) in rows(include_str!("phrases.txt")) {
            assert!(SECTIONS.contains(&section), "{section}");
            assert!(seen.insert((section, phrase)), "{phrase} is there twice");
            assert!(phrase.len() >= 3 && phrase.to_lowercase() == phrase, "{phrase}");
            let section = SECTIONS.iter().position(|name| *name == section).expect("a section");
            assert!(TABLE.count([phrase])[section] > 0, "{phrase}");
        }
    }
}
