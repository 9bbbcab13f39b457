//! The linear model: a weight for each slot, on top of those of the base model.
//!
//! The weights follow from the set of messages that were learned ([`super::samples`]), whatever their order.

use super::{
    Class,
    base::BASE,
    features::Features,
    samples::{COST, Samples},
};

/// Slots of the model.
pub(super) const SLOTS: usize = 1 << super::features::SLOT_BITS;
/// How much of the base model's score a site's model begins with. Source: measured; with all of it unfamiliar ham is
/// safest, with half of it mail like the site's own is told best.
pub(super) const BASE_SAYS: f32 = 0.7;

/// What has been learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Of each slot: what the site adds to the base model.
    pub(super) weights: Vec<f32>,
    /// In how many of the samples each slot was seen, at most 255.
    pub(super) seen: Vec<u8>,
    /// Facts about the model.
    pub about: About,
}

/// Facts about a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct About {
    /// Drawn when the model began.
    pub id: u64,
    /// Grows with each save.
    pub generation: u64,
    /// Messages learned and not taken back: ham, spam.
    pub learned: [u64; 2],
    /// Ham with HTML among the samples: the kind that varies most.
    pub html_ham: u64,
    /// When it began. Unit: Unix seconds.
    pub begun: i64,
    /// When it was last saved. Unit: Unix seconds.
    pub saved: i64,
}

impl About {
    /// Messages of a class that were learned.
    pub fn of(&self, class: Class) -> u64 {
        self.learned[class as usize]
    }
}

/// What the model and the base model say of a message, larger for spam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    /// Of the base model alone.
    pub(super) base: f32,
    /// Of both.
    pub(super) site: f32,
}

impl Model {
    /// A model that knows nothing.
    pub fn empty(id: u64, now: i64) -> Self {
        Model {
            weights: vec![0.0; SLOTS],
            seen: vec![0; SLOTS],
            about: About { id, begun: now, saved: now, ..About::default() },
        }
    }

    /// Features that were seen in a message.
    pub fn known_features(&self) -> usize {
        self.seen.iter().filter(|seen| **seen > 0).count()
    }

    /// Finds the weights that follow from what was learned.
    pub fn retrain(&mut self, samples: &Samples) {
        self.about.html_ham = samples.html_ham();
        (self.weights, self.seen) = samples.fit(COST, |slot| BASE.weight(slot) * BASE_SAYS);
    }

    /// The scores of a message.
    pub(super) fn score(&self, features: &Features) -> Score {
        let values = features.values();
        let (mut base, mut own) = (0.0, 0.0);
        for feature in &features.found {
            let value = values[feature.kind().family() as usize];
            base += value * BASE.weight(feature.slot());
            own += value * self.weights[feature.slot()];
        }
        Score { base, site: base * BASE_SAYS + own }
    }
}
