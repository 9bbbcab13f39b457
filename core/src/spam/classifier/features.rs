//! From a parsed message to the slots of its features.

use super::{agreement, heading, markup, shape, words};
use crate::{message::Message, verdict::Finding};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

/// Revision of the features. Another number makes models and records of learned messages of older programs invalid.
pub(super) const REVISION: u32 = 2;
/// Slots of the model, as a power of two. Unit: bits. Source: measured; 2^20 slots of 4 bytes are 4 MiB, and a pile of
/// 3,000 messages collides in a few of a hundred.
pub(super) const SLOT_BITS: u32 = 20;
/// Most features of one message. Unit: features. Source: our own limit, some 1,500 different words, and how it is built.
pub const FEATURES: usize = 4_096;
/// Most bytes of normalised words that features are made of. Unit: bytes. Source: our own limit; what spam says it says
/// on its first pages.
pub(super) const TEXT_BYTES: usize = 24 << 10;

/// What a feature was made of. The kinds are hashed apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A word of subject or text, or two neighbouring characters of a script without blanks.
    Word = 0,
    /// Four characters in order.
    Gram = 1,
    /// A word of the subject.
    Subject = 2,
    /// A word of the sender's display name.
    Name = 3,
    /// Host or path word of a link.
    Link = 4,
    /// How the message is built.
    Shape = 5,
    /// How the author's header fields are written.
    Heading = 6,
    /// How sender, links and text agree.
    Agreement = 7,
    /// How the HTML is written.
    Markup = 8,
    /// A content rule that hits.
    Rule = 9,
    /// What names the mail's source: domains, mail programs, list headers.
    Source = 10,
}

impl Kind {
    const ALL: [Kind; 11] = [
        Kind::Word,
        Kind::Gram,
        Kind::Subject,
        Kind::Name,
        Kind::Link,
        Kind::Shape,
        Kind::Heading,
        Kind::Agreement,
        Kind::Markup,
        Kind::Rule,
        Kind::Source,
    ];

    /// What is written before the words of this kind in evidence.
    pub(super) fn label(self) -> &'static str {
        match self {
            Kind::Word => "",
            Kind::Gram => "letters ",
            Kind::Subject => "subject ",
            Kind::Name => "name ",
            Kind::Link => "link ",
            Kind::Shape => "shape ",
            Kind::Heading => "header ",
            Kind::Agreement => "agreement ",
            Kind::Markup => "markup ",
            Kind::Rule => "rule ",
            Kind::Source => "source ",
        }
    }

    /// The family that shares the say with it.
    pub(super) fn family(self) -> Family {
        match self {
            Kind::Word | Kind::Gram | Kind::Subject | Kind::Name => Family::Words,
            Kind::Link | Kind::Shape => Family::Structure,
            Kind::Heading => Family::Heading,
            Kind::Agreement => Family::Agreement,
            Kind::Markup => Family::Markup,
            Kind::Rule => Family::Rules,
            Kind::Source => Family::Source,
        }
    }
}

/// Kinds that look at the same side of a message. Each family has its share of the score, however many features it has:
/// so a long text does not drown what the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Family {
    Words = 0,
    Structure = 1,
    Heading = 2,
    Agreement = 3,
    Markup = 4,
    Rules = 5,
    Source = 6,
}

/// Number of families.
pub(super) const FAMILIES: usize = 7;
/// Length of each family's features taken together. Source: measured on campaigns that were not learned; what names the
/// source has a small say, so that one list's mail is not good or bad by its name.
const SHARES: [f32; FAMILIES] = [1.0, 0.7, 0.7, 0.7, 0.7, 0.4, 0.15];

/// What one feature of each family counts in a message that has so many of each.
pub(super) fn values(counts: [u32; FAMILIES]) -> [f32; FAMILIES] {
    let mut values = SHARES;
    for (value, count) in values.iter_mut().zip(counts) {
        *value /= (count.max(1) as f32).sqrt();
    }
    values
}

/// A feature: its slot, its kind, and where its words stand. It is packed with the slot first: 22 bits of slot,
/// 4 of kind, 24 of offset, 14 of length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Feature(u64);

impl Feature {
    pub(super) fn slot(self) -> usize {
        (self.0 >> 42) as usize
    }

    pub(super) fn kind(self) -> Kind {
        Kind::ALL.get((self.0 >> 38) as usize & 15).copied().unwrap_or(Kind::Word)
    }

    fn words(self) -> std::ops::Range<usize> {
        let start = (self.0 >> 14) as usize & 0xff_ffff;
        start..start + (self.0 as usize & 0x3fff)
    }
}

/// The features of one message, each once.
#[derive(Debug, Clone, Default)]
pub struct Features {
    pub(super) found: Vec<Feature>,
    text: String,
}

impl Features {
    /// Looks over a message once. `hits` are the findings of the content rules.
    pub fn of(message: &Message<'_>, hits: &[Finding]) -> Self {
        let mut builder = Builder::default();
        words::subject(&message.subject, &mut builder);
        words::text(message.text.visible(), &mut builder);
        shape::note(message, &mut builder);
        heading::note(message, &mut builder);
        agreement::note(message, &mut builder);
        markup::note(message, &mut builder);
        for hit in hits.iter().filter(|hit| !OF_THE_MOMENT.contains(&&*hit.id)) {
            builder.note(Kind::Rule, &[&hit.id]);
        }
        builder.finish()
    }

    /// What one feature of each family counts.
    pub(super) fn values(&self) -> [f32; FAMILIES] {
        let mut counts = [0; FAMILIES];
        for feature in &self.found {
            counts[feature.kind().family() as usize] += 1;
        }
        values(counts)
    }

    /// How many features are of this kind.
    pub(super) fn of_kind(&self, kind: Kind) -> usize {
        self.found.iter().filter(|feature| feature.kind() == kind).count()
    }

    /// Number of features.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there is nothing to judge.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The same for messages with the same features, whatever way they came: by this the site knows what it has learned.
    pub fn digest(&self) -> [u8; 16] {
        let slots: Vec<u8> = self.found.iter().flat_map(|feature| (feature.slot() as u32).to_le_bytes()).collect();
        xxh3_128_with_seed(&slots, REVISION.into()).to_le_bytes()
    }

    /// The words of a feature, for evidence.
    pub(super) fn evidence(&self, feature: Feature) -> String {
        let words = self.text.get(feature.words()).unwrap_or_default();
        format!("{}\"{}\"", feature.kind().label(), words.trim())
    }
}

/// Collects features.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// Normalised words, each with a blank behind it.
    pub(super) text: String,
    found: Vec<Feature>,
}

impl Builder {
    /// A feature made of words that stand in the text already.
    pub(super) fn add(&mut self, kind: Kind, words: std::ops::Range<usize>) {
        let Some(bytes) = self.text.as_bytes().get(words.clone()) else { return };
        if self.found.len() >= FEATURES || words.start > 0xff_ffff || bytes.len() > 0x3fff {
            return;
        }
        let hash = xxh3_64_with_seed(bytes, u64::from(REVISION) << 8 | kind as u64);
        let slot = hash >> (64 - SLOT_BITS);
        self.found.push(Feature(slot << 42 | (kind as u64) << 38 | (words.start as u64) << 14 | bytes.len() as u64));
    }

    /// A feature made of words that do not stand in the text.
    pub(super) fn note(&mut self, kind: Kind, words: &[&str]) {
        let start = self.text.len();
        for word in words {
            self.text.push_str(&word[..word.floor_char_boundary(NOTE_BYTES)]);
        }
        self.add(kind, start..self.text.len());
        self.text.push(' ');
    }

    /// Whether no more words are wanted.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= TEXT_BYTES || self.found.len() >= FEATURES - ROOM_FOR_SHAPE
    }

    pub(super) fn finish(mut self) -> Features {
        sort_by_slot(&mut self.found);
        self.found.dedup_by_key(|feature| feature.slot());
        Features { found: self.found, text: self.text }
    }
}

/// Sorts by slot, and leaves what has the same slot in its order: two rounds of counting by half of the slot's bits, as
/// comparing takes a third of all that is done for a message here.
fn sort_by_slot(found: &mut Vec<Feature>) {
    const HALF: usize = 1 << (SLOT_BITS / 2);
    let mut sorted = vec![Feature(0); found.len()];
    for shift in [0, SLOT_BITS / 2] {
        let digit = |feature: Feature| feature.slot() >> shift & (HALF - 1);
        let mut places = [0_u32; HALF];
        for feature in found.iter() {
            places[digit(*feature)] += 1;
        }
        let mut next = 0;
        for place in &mut places {
            next += std::mem::replace(place, next);
        }
        for feature in found.iter() {
            let place = &mut places[digit(*feature)];
            sorted[*place as usize] = *feature;
            *place += 1;
        }
        std::mem::swap(found, &mut sorted);
    }
}

/// Longest word of a note. Unit: bytes. Source: our own limit, the longest label of DNS.
const NOTE_BYTES: usize = 63;
/// How many features words leave to structure, links and header. Unit: features.
const ROOM_FOR_SHAPE: usize = 1_536;
/// Rules that look at the clock or the envelope: where a message is learned, these are not what they were.
const OF_THE_MOMENT: &[&str] = &[
    "header.date-future",
    "header.date-old",
    "from.names-recipient-site",
    "link.address-in-fragment",
    "message-id.from-recipient",
    "subject.recipient-address",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_sorted_by_slot_and_those_of_one_slot_keep_their_order() {
        let feature = |number: u64| {
            let slot = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - SLOT_BITS) & !0x3ff;
            Feature(slot << 42 | number)
        };
        let mut found: Vec<Feature> = (0..FEATURES as u64).map(feature).collect();
        let mut expected = found.clone();
        expected.sort();
        sort_by_slot(&mut found);
        assert_eq!(found, expected);
        assert!(found.windows(2).any(|two| two[0].slot() == two[1].slot()), "some share a slot");
        let mut none = Vec::new();
        sort_by_slot(&mut none);
        assert!(none.is_empty());
    }
}
