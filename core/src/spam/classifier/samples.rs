//! The messages that a site has learned, as slots of their features, and the weights that follow from them.
//!
//! The weights are those of a linear support vector machine with squared hinge loss, found by dual coordinate descent
//! (Hsieh et al., 2008). They depend on the set of samples alone: the order of learning does not matter, and what is
//! forgotten leaves no trace.

use super::{
    Class,
    features::{FAMILIES, Family, Features, values},
    model::SLOTS,
};
use std::collections::BTreeMap;

/// Most samples of a class that are kept; the oldest go, so that knowledge of what is seen no more fades. A flood of one
/// class drives out none of the other. Unit: messages. Source: our own limit, some 20 MB in all.
pub(super) const MOST: usize = 10_000;
/// How much a message that lies on the wrong side costs a site's model. Source: measured; four times more tells clean piles no
/// better, and a small cost lets one wrongly learned message do little.
pub(super) const COST: f64 = 0.5;
/// Rounds over all samples. Source: measured; the tenth changes next to nothing.
const ROUNDS: usize = 12;
/// So many messages stand in for those of a kind (class, with or without HTML) that were not learned: kinds weigh alike,
/// but a kind of few messages does not weigh as much as one of many. Unit: messages. Source: measured.
const UNSEEN: f64 = 50.0;

/// One learned message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) class: Class,
    /// Slots of the features in ascending order, each with its family above [`super::features::SLOT_BITS`].
    pub(super) slots: Box<[u32]>,
}

impl Sample {
    fn of(features: &Features, class: Class) -> Self {
        let packed = |feature: &super::features::Feature| {
            (feature.kind().family() as u32) << super::features::SLOT_BITS | feature.slot() as u32
        };
        Sample { class, slots: features.found.iter().map(packed).collect() }
    }

    /// Slots and families.
    fn features(&self) -> impl Iterator<Item = (usize, usize)> {
        self.slots
            .iter()
            .map(|packed| (*packed as usize & (SLOTS - 1), (packed >> super::features::SLOT_BITS) as usize))
    }

    fn values(&self) -> [f32; FAMILIES] {
        let mut counts = [0; FAMILIES];
        self.features().for_each(|(_, family)| counts[family.min(FAMILIES - 1)] += 1);
        values(counts)
    }

    fn has_markup(&self) -> bool {
        self.features().any(|(_, family)| family == Family::Markup as usize)
    }
}

/// The samples by the digest of their features.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples {
    /// With the place of each in the order of learning.
    pub(super) by_digest: BTreeMap<[u8; 16], (u64, Sample)>,
    pub(super) next: u64,
    count: [usize; 2],
}

impl Samples {
    /// Number of samples of each class.
    pub fn count(&self) -> [usize; 2] {
        self.count
    }

    /// Number of ham with HTML.
    pub(super) fn html_ham(&self) -> u64 {
        let samples = self.by_digest.values().map(|(_, sample)| sample);
        samples.filter(|sample| sample.class == Class::Ham && sample.has_markup()).count() as u64
    }

    /// Takes a message in; of too many of its class the oldest goes.
    pub fn add(&mut self, features: &Features, class: Class) {
        self.put(features.digest(), Sample::of(features, class));
    }

    pub(super) fn put(&mut self, digest: [u8; 16], sample: Sample) {
        let class = sample.class;
        self.remove(&digest);
        self.by_digest.insert(digest, (self.next, sample));
        self.next += 1;
        self.count[class as usize] += 1;
        // The excess goes in one round, so that a long pile is not searched for each of its messages.
        if self.count[class as usize] > MOST + MOST / 8 {
            self.drop_oldest(class);
        }
    }

    /// Takes a message out, if it is there.
    pub fn remove(&mut self, digest: &[u8; 16]) {
        if let Some((_, sample)) = self.by_digest.remove(digest) {
            self.count[sample.class as usize] -= 1;
        }
    }

    fn drop_oldest(&mut self, class: Class) {
        let mut places: Vec<u64> =
            self.by_digest.values().filter(|(_, sample)| sample.class == class).map(|(place, _)| *place).collect();
        places.sort_unstable();
        let Some(oldest) = places.len().checked_sub(MOST).and_then(|excess| places.get(excess).copied()) else {
            return;
        };
        self.by_digest.retain(|_, (place, sample)| sample.class != class || *place >= oldest);
        self.count[class as usize] = MOST.min(self.count[class as usize]);
    }

    /// The weights of all slots, and in how many samples each was seen. `before` is the weight that a slot has already.
    pub(super) fn fit(&self, cost: f64, before: impl Fn(usize) -> f32) -> (Vec<f32>, Vec<u8>) {
        let mut rows: Vec<Row<'_>> = self.by_digest.values().map(|(_, sample)| Row::of(sample, &before)).collect();
        weigh(&mut rows, cost);
        let mut weights = vec![0.0; SLOTS];
        let mut random = Random(0);
        for _ in 0..ROUNDS {
            random.shuffle(&mut rows);
            rows.iter_mut().for_each(|row| row.step(&mut weights));
        }
        let mut seen = vec![0_u8; SLOTS];
        for row in &rows {
            row.sample.features().for_each(|(slot, _)| seen[slot] = seen[slot].saturating_add(1));
        }
        (weights, seen)
    }
}

/// A sample at work.
struct Row<'s> {
    sample: &'s Sample,
    values: [f32; FAMILIES],
    /// 1 for spam, -1 for ham.
    sign: f64,
    /// What is said of it already.
    before: f64,
    /// Square of its length.
    length: f64,
    /// 1 / (2 × cost).
    softness: f64,
    alpha: f64,
    /// Class and whether there is markup.
    kind: usize,
}

impl<'s> Row<'s> {
    fn of(sample: &'s Sample, before: &impl Fn(usize) -> f32) -> Self {
        let values = sample.values();
        let sum = |of: &dyn Fn(usize, f32) -> f32| -> f64 {
            sample.features().map(|(slot, family)| f64::from(of(slot, values[family.min(FAMILIES - 1)]))).sum()
        };
        Row {
            values,
            sign: if sample.class == Class::Spam { 1.0 } else { -1.0 },
            before: sum(&|slot, value| value * before(slot)),
            length: sum(&|_, value| value * value),
            softness: 0.0,
            alpha: 0.0,
            kind: sample.class as usize * 2 + usize::from(sample.has_markup()),
            sample,
        }
    }

    /// Moves the weights so that this sample is best served while all others stay.
    fn step(&mut self, weights: &mut [f32]) {
        let own: f32 = self.features().map(|(slot, value)| weights[slot] * value).sum();
        let gradient = self.sign * (self.before + f64::from(own)) - 1.0 + self.softness * self.alpha;
        let alpha = (self.alpha - gradient / (self.length + self.softness)).max(0.0);
        let moved = ((alpha - self.alpha) * self.sign) as f32;
        self.alpha = alpha;
        if moved != 0.0 {
            self.features().for_each(|(slot, value)| weights[slot] += moved * value);
        }
    }

    fn features(&self) -> impl Iterator<Item = (usize, f32)> + use<'s> {
        let values = self.values;
        self.sample.features().map(move |(slot, family)| (slot, values[family.min(FAMILIES - 1)]))
    }
}

/// Gives all kinds the same weight in sum, whatever their numbers: 90 % ham do not teach that everything is ham, nor a
/// pile of letters that every newsletter is spam.
fn weigh(rows: &mut [Row<'_>], cost: f64) {
    let mut count = [0.0; 4];
    rows.iter().for_each(|row| count[row.kind] += 1.0);
    let share = |kind: usize| 1.0 / (count[kind] + UNSEEN);
    let mean = rows.iter().map(|row| share(row.kind)).sum::<f64>() / rows.len().max(1) as f64;
    rows.iter_mut().for_each(|row| row.softness = 0.5 * mean / (cost * share(row.kind)));
}

/// Numbers that are the same on every platform (Knuth's MMIX generator).
struct Random(u64);

impl Random {
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            items.swap(last, (self.0 >> 33) as usize % (last + 1));
        }
    }
}
