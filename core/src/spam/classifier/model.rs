//! The linear model: in how many messages of each class a feature was seen, and the weight that follows.
//!
//! Learning is counting, so it does not matter in which order mail is learned, and it can be taken back exactly. Counts
//! are taken as shares of their class, so 90 % ham do not teach that everything is ham.

use super::{
    Class,
    features::{Features, SLOT_BITS},
};
use std::sync::LazyLock;

/// Slots of the model.
pub(super) const SLOTS: usize = 1 << SLOT_BITS;
/// What stands in for messages that were not seen, so that one message proves little: it moves a weight by at most
/// ln 3, about 1.1. Unit: messages. Source: measured; 0.1 to 1 differ little, and less lets one message do more.
const UNSEEN: f64 = 0.5;
/// After so many messages old knowledge is worth half. Unit: messages. Source: our own limit; the counts of 16 bits hold
/// three times as many.
const DECAY_AFTER: u64 = 20_000;
/// Largest weight: no feature decides alone. Unit: log odds. Source: our own limit.
pub(super) const LARGEST_WEIGHT: f64 = 6.0;

/// What has been learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Messages that had the feature: ham, spam.
    pub(super) seen: Vec<[u16; 2]>,
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
    /// The same as they count, halved with the counts of the features.
    pub weighed: [u64; 2],
    /// Messages learned since old knowledge was last halved.
    pub since_decay: u64,
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

impl Model {
    /// A model that knows nothing.
    pub fn empty(id: u64, now: i64) -> Self {
        Model { seen: vec![[0; 2]; SLOTS], about: About { id, begun: now, saved: now, ..About::default() } }
    }

    /// Features that were seen in a message.
    pub fn known_features(&self) -> usize {
        self.seen.iter().filter(|seen| **seen != [0; 2]).count()
    }

    /// Learns one message. Each of its features counts once, however often it stands there.
    pub fn learn(&mut self, features: &Features, class: Class) {
        if features.is_empty() {
            return;
        }
        if self.about.since_decay >= DECAY_AFTER {
            self.decay();
        }
        for feature in &features.found {
            let seen = &mut self.seen[feature.slot()][class as usize];
            *seen = seen.saturating_add(1);
        }
        self.about.learned[class as usize] += 1;
        self.about.weighed[class as usize] += 1;
        self.about.since_decay += 1;
    }

    /// Takes back what was learned of one message: exactly, unless old knowledge was halved since.
    pub fn unlearn(&mut self, features: &Features, class: Class) {
        if features.is_empty() {
            return;
        }
        for feature in &features.found {
            let seen = &mut self.seen[feature.slot()][class as usize];
            *seen = seen.saturating_sub(1);
        }
        for count in [&mut self.about.learned[class as usize], &mut self.about.weighed[class as usize]] {
            *count = count.saturating_sub(1);
        }
        self.about.since_decay = self.about.since_decay.saturating_sub(1);
    }

    /// Weight of a feature: how much oftener it is seen in spam than in ham, as log odds, nearer 0 the fewer messages
    /// had it. `odds` are the log odds of the classes.
    pub(super) fn weight(&self, slot: usize, odds: f64) -> f64 {
        let [ham, spam] = self.seen[slot];
        let seen = f64::from(ham) + f64::from(spam);
        let ratio = logarithm(spam) - logarithm(ham) - odds;
        (ratio * seen / (seen + 1.0)).clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT)
    }

    /// Logarithm of how many times as much spam as ham was learned.
    pub(super) fn odds(&self) -> f64 {
        let [ham, spam] = self.about.weighed.map(|count| count as f64 + 2.0 * UNSEEN);
        (spam / ham).ln()
    }

    /// Old knowledge fades: what is seen no more loses its say.
    fn decay(&mut self) {
        for seen in self.seen.iter_mut().flatten() {
            *seen /= 2;
        }
        for count in &mut self.about.weighed {
            *count /= 2;
        }
        self.about.since_decay = 0;
    }
}
/// Counts whose logarithms are known beforehand: nearly all.
const COMMON: usize = 1_024;

static LOGARITHMS: LazyLock<Vec<f64>> = LazyLock::new(|| (0..COMMON).map(|n| (n as f64 + UNSEEN).ln()).collect());

/// Of a count, smoothed.
fn logarithm(count: u16) -> f64 {
    LOGARITHMS.get(usize::from(count)).copied().unwrap_or_else(|| (f64::from(count) + UNSEEN).ln())
}
