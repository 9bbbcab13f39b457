//! Site rules to a disposition for each recipient, and these to one verdict.
//!
//! [`decide`] runs in two steps. First each recipient is asked alone (`wish.rs`): malware and trouble of a lookup come
//! before the policies, refusals of the checks and the thresholds after them. Then recipients that differ are
//! reconciled (`reconcile.rs`), because SMTP has one reply and one set of edits for all of them.

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
mod wish;

pub use address_pattern::{AddressPattern, AddressPatternError, Nearness};
pub use class::PolicyClass;
pub use condition::{AttachmentCondition, Conditions, HeaderCondition, HeaderTest};
pub use decide::{Decision, PolicyPlace, RecipientNote, decide};
pub use facts::{AuthenticationResults, Facts};
pub use glob::Glob;
pub use marks::{MarkError, Marks};
pub use settings::{DifferingEdits, Effective, MixedRefusal, Policy, ScopedSettings, Settings, Then, Trial};

#[cfg(test)]
mod tests;
