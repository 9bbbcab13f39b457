//! The table of phrases, found in one pass.

use super::tables;
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

/// What a phrase is about. The words are the section names of the table.
macro_rules! subjects {
    ($($name:ident $word:literal,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum About { $($name),* }
        const SUBJECTS: &[(&str, About)] = &[$(($word, About::$name)),*];
    };
}

subjects! {
    Account "account",
    AdvanceFee "advance-fee",
    BankChange "bank-change",
    Casino "casino",
    Coin "coin",
    Command "command",
    Dating "dating",
    Document "document",
    Donation "donation",
    Excuse "excuse",
    Extortion "extortion",
    Fee "fee",
    GiftCard "gift-card",
    Greeting "greeting",
    Investment "investment",
    Job "job",
    ListSale "list-sale",
    Loan "loan",
    Lottery "lottery",
    Mailbox "mailbox",
    Parcel "parcel",
    Pharmacy "pharmacy",
    Renewal "renewal",
    Replica "replica",
    Seo "seo",
    Trade "trade",
    Urgency "urgency",
}

struct Table {
    finder: AhoCorasick,
    about: Vec<About>,
}

static TABLE: LazyLock<Option<Table>> = LazyLock::new(|| {
    let rows: Vec<(&str, About)> = tables::rows(include_str!("phrases.txt"))
        .filter_map(|(section, phrase)| {
            SUBJECTS.iter().find(|(word, _)| *word == section).map(|(_, about)| (phrase, *about))
        })
        .collect();
    let finder = AhoCorasick::new(rows.iter().map(|(phrase, _)| phrase)).ok()?;
    Some(Table { finder, about: rows.into_iter().map(|(_, about)| about).collect() })
});

/// How many different phrases about each subject a text holds.
#[derive(Debug, Default)]
pub(super) struct Phrases {
    counts: [u8; SUBJECTS.len()],
}

impl Phrases {
    /// Finds the phrases of a text in its normal form.
    pub(super) fn of(text: &str) -> Self {
        let mut out = Phrases::default();
        let Some(table) = TABLE.as_ref() else { return out };
        let mut seen = vec![false; table.about.len()];
        let bytes = text.as_bytes();
        for hit in table.finder.find_overlapping_iter(text) {
            let inside_word = hit.start() > 0
                && bytes[hit.start()].is_ascii_alphanumeric()
                && bytes[hit.start() - 1].is_ascii_alphanumeric();
            let index = hit.pattern().as_usize();
            if !inside_word && !std::mem::replace(&mut seen[index], true) {
                let count = &mut out.counts[table.about[index] as usize];
                *count = count.saturating_add(1);
            }
        }
        out
    }

    /// Number of different phrases about this.
    pub(super) fn about(&self, about: About) -> u8 {
        self.counts[about as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spam::wording::Wording;

    #[test]
    fn every_section_has_a_subject_and_every_phrase_is_in_its_normal_form_and_there_once() {
        let mut seen = std::collections::BTreeSet::new();
        for (section, phrase) in tables::rows(include_str!("phrases.txt")) {
            assert!(SUBJECTS.iter().any(|(word, _)| *word == section), "{section}");
            assert_eq!(Wording::of(phrase, 200).normal, phrase);
            assert!(seen.insert(phrase), "{phrase} is there twice");
        }
        for (word, _) in SUBJECTS {
            assert!(tables::rows(include_str!("phrases.txt")).any(|(section, _)| section == *word), "{word}");
        }
    }

    #[test]
    fn a_phrase_counts_once_and_only_where_a_word_begins() {
        let phrases = Phrases::of("bitcoin, bitcoin and btc; notbitcoins");
        assert_eq!(phrases.about(About::Coin), 2);
        assert_eq!(Phrases::of("unbitcoined").about(About::Coin), 0);
    }
}
