//! The statistical classifier: an online linear model over hashed features of the message.

mod features;
pub mod file;
mod judge;
mod live;
mod model;
mod shape;
mod words;

pub use features::{FEATURES, Features, Kind};
pub use judge::{Bounds, Look, Outcome};
pub use live::LiveModel;
pub use model::{About, Model};

use serde::{Deserialize, Serialize};

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
