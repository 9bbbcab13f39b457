//! The table of phrases, found in one pass.

use super::tables;
use std::{ops::Index, sync::LazyLock};

/// What a phrase is about. The words are the section names of the table.
macro_rules! subjects {
    ($($name:ident $word:literal,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum About { $($name),* }
        const SUBJECTS: &[&str] = &[$($word),*];
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

/// All phrases. They are sorted, as building an automaton for them takes 4.5 ms: a process that judges one message and ends
/// would wait for it.
#[derive(Debug)]
pub(crate) struct Table {
    short: Starts<SHORT>,
    long: Starts<LONG>,
    count: usize,
    sections: usize,
}

#[derive(Debug, Clone, Copy)]
struct Phrase {
    words: &'static str,
    /// The place of its section among those of the table.
    section: usize,
    /// Its place in the table.
    number: usize,
}

/// Phrases of at least `L` bytes, found by their first `L` bytes.
#[derive(Debug)]
struct Starts<const L: usize> {
    /// Which first bytes there are, one bit for each hash: most words of a text begin no phrase.
    bits: Box<[u64; 256]>,
    /// First bytes as a number, sorted.
    starts: Vec<u64>,
    /// The phrase of each.
    phrases: Vec<Phrase>,
}

/// First bytes of phrases that are shorter than [`LONG`].
const SHORT: usize = 3;
/// First bytes of all others.
const LONG: usize = 7;

impl<const L: usize> Starts<L> {
    fn of(mut phrases: Vec<Phrase>) -> Self {
        phrases.retain(|phrase| Self::start(phrase.words.as_bytes()).is_some());
        phrases.sort_unstable_by_key(|phrase| Self::start(phrase.words.as_bytes()));
        let starts: Vec<u64> = phrases.iter().filter_map(|phrase| Self::start(phrase.words.as_bytes())).collect();
        let mut bits = Box::new([0; 256]);
        for (word, bit) in starts.iter().map(|start| place(*start)) {
            bits[word] |= bit;
        }
        Starts { bits, starts, phrases }
    }

    /// Hands over the phrases with which a text begins.
    fn beginning(&self, text: &[u8], mut found: impl FnMut(&Phrase)) {
        let Some(start) = Self::start(text) else { return };
        let (word, bit) = place(start);
        if self.bits[word] & bit == 0 {
            return;
        }
        let first = self.starts.partition_point(|other| *other < start);
        for (other, phrase) in self.starts[first..].iter().zip(&self.phrases[first..]) {
            if *other != start {
                return;
            }
            if text.starts_with(phrase.words.as_bytes()) {
                found(phrase);
            }
        }
    }

    fn start(text: &[u8]) -> Option<u64> {
        let mut number = [0; 8];
        number[..L].copy_from_slice(text.first_chunk::<L>()?);
        Some(u64::from_le_bytes(number))
    }
}

/// Word and bit for these first bytes.
fn place(start: u64) -> (usize, u64) {
    let hash = start.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 50;
    ((hash >> 6) as usize, 1 << (hash & 63))
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::of(include_str!("phrases.txt"), SUBJECTS));

impl Table {
    /// The phrases of a text that stand in these sections.
    pub(crate) fn of(text: &'static str, sections: &[&str]) -> Self {
        let rows = tables::rows(text)
            .filter_map(|(name, words)| Some((words, sections.iter().position(|section| *section == name)?)));
        let phrases: Vec<Phrase> =
            rows.enumerate().map(|(number, (words, section))| Phrase { words, section, number }).collect();
        let count = phrases.len();
        let (short, long) = phrases.into_iter().partition(|phrase| phrase.words.len() < LONG);
        Table { short: Starts::of(short), long: Starts::of(long), count, sections: sections.len() }
    }

    /// How many different phrases of each section texts in their normal form hold together.
    pub(crate) fn count<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Counts {
        let mut counts = Counts(vec![0; self.sections]);
        let mut seen = vec![false; self.count];
        for text in texts {
            self.find(text.as_bytes(), |phrase| {
                if !std::mem::replace(&mut seen[phrase.number], true) {
                    let count = &mut counts.0[phrase.section];
                    *count = count.saturating_add(1);
                }
            });
        }
        counts
    }

    fn find(&self, bytes: &[u8], mut found: impl FnMut(&Phrase)) {
        let mut in_word = false;
        for (at, byte) in bytes.iter().enumerate() {
            let inside = in_word && byte.is_ascii_alphanumeric();
            in_word = byte.is_ascii_alphanumeric();
            if inside {
                continue;
            }
            let rest = &bytes[at..];
            self.short.beginning(rest, &mut found);
            self.long.beginning(rest, &mut found);
        }
    }
}

/// How many different phrases of each section of a table texts hold.
#[derive(Debug, Default)]
pub(crate) struct Counts(Vec<u8>);

impl Index<usize> for Counts {
    type Output = u8;

    fn index(&self, section: usize) -> &u8 {
        self.0.get(section).unwrap_or(&0)
    }
}

/// How many different phrases about each subject a text holds.
#[derive(Debug, Default)]
pub(crate) struct Phrases(Counts);

impl Phrases {
    /// Finds the phrases of a text in its normal form.
    pub(crate) fn of(text: &str) -> Self {
        Phrases(TABLE.count([text]))
    }

    /// Number of different phrases about this.
    pub(crate) fn about(&self, about: About) -> u8 {
        self.0[about as usize]
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
            assert!(SUBJECTS.contains(&section), "{section}");
            assert_eq!(Wording::of(phrase, 200).normal, phrase);
            assert!(seen.insert(phrase), "{phrase} is there twice");
            assert!(phrase.len() >= 3, "{phrase} is too short to be looked for");
        }
        for word in SUBJECTS {
            assert!(tables::rows(include_str!("phrases.txt")).any(|(section, _)| section == *word), "{word}");
        }
    }

    #[test]
    fn a_phrase_counts_once_and_only_where_a_word_begins() {
        let phrases = Phrases::of("bitcoin, bitcoin and btc; notbitcoins");
        assert_eq!(phrases.about(About::Coin), 2);
        assert_eq!(Phrases::of("unbitcoined").about(About::Coin), 0);
    }

    #[test]
    fn every_phrase_is_found_also_those_with_which_another_begins() {
        let rows = || tables::rows(include_str!("phrases.txt"));
        for (section, phrase) in rows() {
            let expected = rows().filter(|(of, other)| *of == section && phrase.starts_with(other)).count();
            let about = SUBJECTS.iter().position(|word| *word == section).expect("a subject");
            let found = TABLE.count([phrase]);
            assert!(usize::from(found[about]) >= expected, "{phrase}");
        }
    }
}
