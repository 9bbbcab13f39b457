//! The table of phrases, found in one pass.

use super::tables;
use aho_corasick::{AhoCorasick, Anchored, Input, StartKind, automaton::OverlappingState};
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
    short: Starts<SHORT>,
    long: Starts<LONG>,
}

/// Which first bytes begin a phrase, one bit for each hash: most words of a text begin none. `L`: how many bytes.
struct Starts<const L: usize>(Box<[u64; 256]>);

/// First bytes of phrases that are shorter than [`LONG`].
const SHORT: usize = 3;
/// First bytes of all others.
const LONG: usize = 7;

impl<const L: usize> Starts<L> {
    fn of<'p>(phrases: impl Iterator<Item = &'p str>) -> Self {
        let mut starts = Starts(Box::new([0; 256]));
        for phrase in phrases {
            if let Some((word, bit)) = Self::place(phrase.as_bytes()) {
                starts.0[word] |= bit;
            }
        }
        starts
    }

    fn may_begin(&self, text: &[u8]) -> bool {
        Self::place(text).is_some_and(|(word, bit)| self.0[word] & bit != 0)
    }

    fn place(text: &[u8]) -> Option<(usize, u64)> {
        let first: [u8; L] = text.get(..L)?.try_into().ok()?;
        let mut number = [0; 8];
        number[..L].copy_from_slice(&first);
        let hash = u64::from_le_bytes(number).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 50;
        Some(((hash >> 6) as usize, 1 << (hash & 63)))
    }
}

static TABLE: LazyLock<Option<Table>> = LazyLock::new(|| {
    let rows: Vec<(&str, About)> = tables::rows(include_str!("phrases.txt"))
        .filter_map(|(section, phrase)| {
            SUBJECTS.iter().find(|(word, _)| *word == section).map(|(_, about)| (phrase, *about))
        })
        .collect();
    let finder =
        AhoCorasick::builder().start_kind(StartKind::Anchored).build(rows.iter().map(|(phrase, _)| phrase)).ok()?;
    let phrases = || rows.iter().map(|(phrase, _)| *phrase);
    let short = Starts::of(phrases().filter(|phrase| phrase.len() < LONG));
    let long = Starts::of(phrases().filter(|phrase| phrase.len() >= LONG));
    Some(Table { finder, short, long, about: rows.into_iter().map(|(_, about)| about).collect() })
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
        let mut in_word = false;
        for (at, byte) in bytes.iter().enumerate() {
            let inside = in_word && byte.is_ascii_alphanumeric();
            in_word = byte.is_ascii_alphanumeric();
            let rest = &bytes[at..];
            if inside || !(table.short.may_begin(rest) || table.long.may_begin(rest)) {
                continue;
            }
            let mut state = OverlappingState::start();
            let input = Input::new(text).range(at..).anchored(Anchored::Yes);
            while table.finder.try_find_overlapping(input.clone(), &mut state).is_ok() {
                let Some(hit) = state.get_match() else { break };
                let index = hit.pattern().as_usize();
                if !std::mem::replace(&mut seen[index], true) {
                    let count = &mut out.counts[table.about[index] as usize];
                    *count = count.saturating_add(1);
                }
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
            assert!(phrase.len() >= 3, "{phrase} is too short to be looked for");
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
