//! Site rules to a disposition for each recipient, and these to one verdict.
//!
//! [`decide`] runs in two steps. First each recipient is asked alone (`wish.rs`): malware and trouble of a lookup come
//! before the policies, refusals of the checks and the thresholds after them. Then recipients that differ are
//! reconciled (`reconcile.rs`), because SMTP has one reply and one set of edits for all of them.
//!
//! Whether a body can be changed is known only once it was tried. What a decision wants is in [`Decision::changes`]; where files
//! cannot be taken off, [`decide_unstripped`] decides anew.

mod address_pattern;
mod class;
mod condition;
mod decide;
mod edits;
mod facts;
mod glob;
mod marks;
mod reconcile;
mod settings;
mod strip;
mod wish;

pub use address_pattern::{AddressPattern, AddressPatternError, Nearness};
pub use class::PolicyClass;
pub use condition::{AttachmentCondition, Conditions, HeaderCondition, HeaderTest};
pub use decide::{Decision, PolicyPlace, RecipientNote, decide, decide_unstripped};
pub use facts::{AuthenticationResults, Facts};
pub use glob::Glob;
pub use marks::{MarkError, Marks};
pub use settings::{DifferingEdits, Effective, MixedRefusal, Policy, ScopedSettings, Settings, Then, Trial};
pub use strip::{Otherwise, Strip};

#[cfg(test)]
mod tests;
