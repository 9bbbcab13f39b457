//! From features and model to points, and to how much the model knows about such mail.

use super::{
    base::BASE,
    features::{Feature, Features, Kind},
    model::{BASE_SAYS, Model, Score},
};
use crate::verdict::Points;
use serde::{Deserialize, Serialize};

/// Features whose words are told.
const STRONGEST: usize = 8;
/// A feature counts as known from so many messages on. Unit: messages.
const KNOWN: u8 = 2;

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
    /// Whether the shipped model alone has judged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub base_alone: bool,
}

/// Bounds of the points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most points for spam.
    pub spam: Points,
    /// Fewest points for ham; negative.
    pub ham: Points,
    /// The site's model says nothing before it has learned so many messages of each class. Unit: messages.
    pub after: u64,
    /// Whether the base model judges until then.
    pub base: bool,
}

/// Scores and the points that they earn, in hundredths, with straight lines between.
type Curve = &'static [(f32, i32)];

/// Of a site's model. Source: measured on campaigns and sets that were not learned.
const SITE: Curve = &[(-1.0, -200), (-0.35, 0), (0.08, 0), (0.6, 500), (1.1, 800)];
/// The base model alone says nothing of fewer words: who is not known by this site may write two honest lines. Unit: different
/// words. Source: our own choice; one of a hundred messages that it would catch has fewer.
const WORDS: usize = 10;
/// Of a site's model that knows too little wanted HTML: newsletters and receipts vary more than letters. Source: as above.
const CAREFUL: Curve = &[(-1.0, -200), (-0.35, 0), (1.0, 0), (2.2, 500), (2.8, 700)];
/// From so many wanted messages with HTML on a site's model is believed where there is HTML. Unit: messages. Source: our own
/// choice; with 57, all of mailing lists, most newsletters were taken for spam, with 200 of which most were newsletters few.
const HTML_HAM: u64 = 100;
/// Of the base model alone: it has never seen the site's ham, and so earns no points for ham. Source: as above.
const ALONE: Curve = &[(1.0, 0), (2.2, 500), (2.8, 700)];

impl Model {
    /// Whether enough was learned to judge.
    pub fn is_ready(&self, bounds: &Bounds) -> bool {
        self.about.learned.into_iter().min().unwrap_or_default() >= bounds.after
    }

    /// Judges a message; `None` if too little was learned yet, and the base model shall not judge or has too few words to
    /// judge by.
    pub fn judge(&self, features: &Features, bounds: &Bounds) -> Option<Outcome> {
        let is_ready = self.is_ready(bounds);
        let may_judge = is_ready || bounds.base && features.of_kind(Kind::Word) >= WORDS;
        if !may_judge || features.is_empty() {
            return None;
        }
        let Score { base, site } = self.score(features);
        let knows_kind = self.about.html_ham >= HTML_HAM || features.of_kind(Kind::Markup) == 0;
        let (score, curve) = match is_ready {
            true if knows_kind => (site, SITE),
            true => (site, CAREFUL),
            false => (base, ALONE),
        };
        let points =
            Points::hundredths(on(curve, score).clamp(bounds.ham.as_hundredths(), bounds.spam.as_hundredths()));
        Some(Outcome {
            points,
            probability: (sigmoid(f64::from(score) * STEEPNESS) * 10_000.0).round() as u16,
            familiarity: self.familiarity(features),
            strongest: if points == Points::ZERO { Vec::new() } else { self.strongest(features, is_ready) },
            base_alone: !is_ready,
        })
    }

    /// The score by which a message is judged.
    pub fn margin(&self, features: &Features, bounds: &Bounds) -> f32 {
        let score = self.score(features);
        if self.is_ready(bounds) { score.site } else { score.base }
    }

    /// How many of a hundred words were seen before.
    fn familiarity(&self, features: &Features) -> u8 {
        let (mut words, mut known) = (0_u32, 0_u32);
        for feature in features.found.iter().filter(|feature| feature.kind() == Kind::Word) {
            words += 1;
            known += u32::from(self.seen[feature.slot()] >= KNOWN || BASE.weight(feature.slot()) != 0.0);
        }
        (known * 100 / words.max(1)) as u8
    }

    /// The features that weigh most, for people.
    fn strongest(&self, features: &Features, is_ready: bool) -> Vec<(String, i32)> {
        let values = features.values();
        let weight = |feature: &Feature| {
            let base = BASE.weight(feature.slot());
            let both = if is_ready { base * BASE_SAYS + self.weights[feature.slot()] } else { base };
            both * values[feature.kind().family() as usize]
        };
        let by_weight = |a: &(f32, Feature), b: &(f32, Feature)| b.0.abs().total_cmp(&a.0.abs()).then(a.1.cmp(&b.1));
        let mut heavy: Vec<(f32, Feature)> = Vec::with_capacity(STRONGEST + 1);
        for feature in features.found.iter().filter(|feature| feature.kind() != Kind::Gram) {
            let candidate = (weight(feature), *feature);
            let lightest = if heavy.len() < STRONGEST { None } else { heavy.last() };
            if candidate.0 != 0.0 && lightest.is_none_or(|lightest| by_weight(&candidate, lightest).is_lt()) {
                let place = heavy.partition_point(|other| by_weight(other, &candidate).is_lt());
                heavy.insert(place, candidate);
                heavy.truncate(STRONGEST);
            }
        }
        let told = |(weight, feature): (f32, Feature)| (features.evidence(feature), (weight * 100.0).round() as i32);
        heavy.into_iter().map(told).collect()
    }
}

/// So much score is one unit of log odds. Source: measured.
const STEEPNESS: f64 = 5.0;

fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

/// The points on a curve; beyond its ends those of the ends.
fn on(curve: Curve, score: f32) -> i32 {
    let (Some(first), Some(last)) = (curve.first(), curve.last()) else { return 0 };
    if score <= first.0 {
        return first.1;
    }
    for pair in curve.windows(2) {
        let [(from, low), (to, high)] = [pair[0], pair[1]];
        if score <= to {
            return (low as f32 + (high - low) as f32 * (score - from) / (to - from)).round() as i32;
        }
    }
    last.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_on_the_lines_and_stay_at_the_ends() {
        let curve: Curve = &[(-1.0, -200), (0.0, 0), (1.0, 500)];
        let told = [-9.0, -1.0, -0.5, 0.0, 0.5, 1.0, 9.0].map(|score| on(curve, score));
        assert_eq!(told, [-200, -200, -100, 0, 250, 500, 500]);
    }
}
