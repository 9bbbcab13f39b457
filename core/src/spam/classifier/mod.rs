//! The statistical classifier: a linear model over hashed features of the message.
//!
//! `features` makes the features of a parsed message: `words` those of its text, `shape` those of its structure, `heading`
//! and `markup` those of the programs that wrote it, `agreement` those of what it says of its sender. `samples` keeps what
//! was learned and finds the weights of the `model`, `base` is what Mailward knows before, `judge` turns weights into points,
//! `file` keeps them, `live` shares them within a process.

mod agreement;
pub mod base;
mod features;
pub mod file;
mod heading;
mod judge;
mod live;
mod markup;
mod model;
mod samples;
mod shape;
mod words;

pub use features::{FEATURES, Features, Kind};
pub use judge::{Bounds, Outcome};
pub use live::LiveModel;
pub use model::{About, Model};
pub use samples::Samples;

use crate::verdict::{Finding, Points};
use serde::{Deserialize, Serialize};

/// Id of the finding.
pub const FINDING: &str = "spam.classifier";

/// How much the site lets the classifier say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether it judges at all.
    pub enabled: bool,
    /// Its bounds.
    pub bounds: Bounds,
}

impl Default for Settings {
    fn default() -> Self {
        let bounds = Bounds { spam: Points::hundredths(800), ham: Points::hundredths(-200), after: 50, base: true };
        Settings { enabled: true, bounds }
    }
}

/// The finding for an outcome; `None` if it says neither ham nor spam.
pub fn finding(outcome: &Outcome) -> Option<Finding> {
    if outcome.points == Points::ZERO {
        return None;
    }
    let probability = f64::from(outcome.probability) / 100.0;
    let source = match outcome.base_alone {
        true => "the shipped base model: this site has not taught the classifier enough yet",
        false => "what this site has learned from its own mail",
    };
    let finding = Finding::new(FINDING, outcome.points, source)
        .fact(format!("{probability:.1} % spam, {} % of its words are familiar", outcome.familiarity));
    Some(
        outcome.strongest.iter().fold(finding, |finding, (words, weight)| {
            finding.text(format!("{words} {:+.2}", f64::from(*weight) / 100.0))
        }),
    )
}

/// What a message was learned as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Wanted.
    Ham = 0,
    /// Unwanted.
    Spam = 1,
}

impl Class {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Class::Ham => Class::Spam,
            Class::Spam => Class::Ham,
        }
    }

    /// A word for output.
    pub fn word(self) -> &'static str {
        match self {
            Class::Ham => "ham",
            Class::Spam => "spam",
        }
    }
}

#[cfg(test)]
mod tests;
