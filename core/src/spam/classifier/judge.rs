//! From features and model to points, and to how much the model knows about such mail.

use super::{
    features::{Feature, Features, Kind},
    model::Model,
};
use crate::verdict::Points;
use serde::{Deserialize, Serialize};

/// Features whose words are told.
const STRONGEST: usize = 8;
/// A feature counts as known from so many messages on. Unit: messages.
const KNOWN: u16 = 2;

/// What the classifier says about a message. All numbers are whole, so that a recording keeps them exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Weight of the verdict.
    pub points: Points,
    /// How likely the message is spam. Unit: hundredths of a percent.
    pub probability: u16,
    /// How much of the message is like mail that was learned. Unit: percent.
    pub familiarity: u8,
    /// The features that weigh most, with their weights in hundredths: words of the message.
    pub strongest: Vec<(String, i32)>,
}

/// Bounds of the points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most points for spam.
    pub spam: Points,
    /// Fewest points for ham; negative.
    pub ham: Points,
    /// The classifier says nothing before it has learned so many messages of each class. Unit: messages.
    pub after: u64,
}

/// Score, and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// The weights of the features over the root of their number; positive is spam.
    pub score: f64,
    /// Share of the words that were seen before.
    pub known: f64,
    /// Share of the words that were seen in ham.
    pub known_ham: f64,
}

impl Model {
    /// Whether enough was learned to judge.
    pub fn is_ready(&self, bounds: &Bounds) -> bool {
        self.about.learned.into_iter().min().unwrap_or_default() >= bounds.after
    }

    /// Judges a message; `None` if too little was learned yet.
    pub fn judge(&self, features: &Features, bounds: &Bounds) -> Option<Outcome> {
        if !self.is_ready(bounds) || features.is_empty() {
            return None;
        }
        let look = self.look(features);
        let score = look.trusted();
        let points = points(score, bounds);
        Some(Outcome {
            points,
            probability: (sigmoid(score / SCALE) * 10_000.0).round() as u16,
            familiarity: (look.known * 100.0).round() as u8,
            strongest: if points == Points::ZERO { Vec::new() } else { self.strongest(features) },
        })
    }

    /// The score and how much of the message is known.
    pub fn look(&self, features: &Features) -> Look {
        let odds = self.odds();
        let (mut own, mut source) = (0.0, 0.0);
        let (mut words, mut known, mut known_ham) = (0_u32, 0_u32, 0_u32);
        for feature in &features.found {
            let [ham, spam] = self.seen[feature.slot()];
            if feature.kind() == Kind::Word {
                words += 1;
                known += u32::from(ham.saturating_add(spam) >= KNOWN);
                known_ham += u32::from(ham >= KNOWN);
            }
            if (ham, spam) != (0, 0) {
                let weight = self.weight(feature.slot(), odds);
                match feature.kind() {
                    Kind::Source => source += weight,
                    _ => own += weight,
                }
            }
        }
        let share = |count: u32| f64::from(count) / f64::from(words.max(1));
        let length = (features.len().max(1) as f64).sqrt();
        let source = (source / length).clamp(-SOURCE_SAYS, SOURCE_SAYS);
        Look { score: own / length + source, known: share(known), known_ham: share(known_ham) }
    }

    /// The features that weigh most, for people.
    fn strongest(&self, features: &Features) -> Vec<(String, i32)> {
        let odds = self.odds();
        let readable = features.found.iter().filter(|f| f.kind() != Kind::Gram && self.seen[f.slot()] != [0, 0]);
        let by_weight = |a: &(f64, Feature), b: &(f64, Feature)| b.0.abs().total_cmp(&a.0.abs()).then(a.1.cmp(&b.1));
        let mut heavy: Vec<(f64, Feature)> = Vec::with_capacity(STRONGEST + 1);
        for feature in readable {
            let candidate = (self.weight(feature.slot(), odds), *feature);
            let lightest = if heavy.len() < STRONGEST { None } else { heavy.last() };
            if lightest.is_none_or(|lightest| by_weight(&candidate, lightest).is_lt()) {
                let place = heavy.partition_point(|other| by_weight(other, &candidate).is_lt());
                heavy.insert(place, candidate);
                heavy.truncate(STRONGEST);
            }
        }
        let told = |(weight, feature): (f64, Feature)| (features.evidence(feature), (weight * 100.0).round() as i32);
        heavy.into_iter().map(told).collect()
    }
}

/// Most that header fields which name the source may say. Unit: log odds.
const SOURCE_SAYS: f64 = 3.0;
/// Below this share of known words the model knows nothing about a message; from the second on it knows enough.
const FAMILIAR: (f64, f64) = (0.2, 0.5);

impl Look {
    /// The score, drawn to 0 as far as the message is unlike what was learned. That something is spam is believed only
    /// if its words are known from ham too: else the model has never seen honest mail of this kind or language.
    pub fn trusted(&self) -> f64 {
        let known = if self.score > 0.0 { self.known_ham.min(self.known) } else { self.known };
        let (low, high) = FAMILIAR;
        self.score * ((known - low) / (high - low)).clamp(0.0, 1.0)
    }
}

/// Scores below this say nothing. Source: measured; half of unfamiliar mail lies within.
const UNSURE: f64 = 3.0;
/// Scores from here on earn the bound. Source: measured; clear mail of a familiar kind lies beyond.
const SURE: f64 = 16.0;
/// So much score is one unit of log odds. Source: measured; neighbouring words repeat each other.
const SCALE: f64 = 3.0;

fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

fn points(score: f64, bounds: &Bounds) -> Points {
    let bound = if score > 0.0 { bounds.spam } else { bounds.ham };
    let share = ((score.abs() - UNSURE) / (SURE - UNSURE)).clamp(0.0, 1.0);
    Points::hundredths((f64::from(bound.as_hundredths()) * share).round() as i32)
}
