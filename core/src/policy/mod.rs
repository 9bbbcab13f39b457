//! Site rules to a disposition for each recipient, and these to one verdict.
//!
//! [`decide`] runs in two steps. First each recipient is asked alone (`wish.rs`): malware and trouble of a lookup come
//! before the policies, refusals of the checks and the thresholds after them. Then recipients that differ are
//! reconciled (`reconcile.rs`), because SMTP has one reply and one set of edits for all of them.
//!
//! Whether a body can be changed is known only once it was tried. What a decision wants is in [`Decision::changes`]; where files
//! cannot be taken off, [`decide_unstripped`] decides anew.

mod address_list;
mod address_pattern;
mod address_set;
mod asked;
mod asks;
mod attachment;
mod class;
mod condition;
mod decide;
mod edits;
mod facts;
mod glob;
mod header;
mod hours;
mod marks;
mod not_matched;
mod reconcile;
mod sender_lists;
mod settings;
mod strip;
mod tls;
mod wish;

pub use address_list::AddressList;
pub use address_pattern::{AddressPattern, AddressPatternError};
pub use address_set::{AddressSet, Nearness, Who};
pub use asks::Asks;
pub use attachment::AttachmentCondition;
pub use class::PolicyClass;
pub use condition::Conditions;
pub use decide::{Decision, PolicyPlace, RecipientNote, Told, decide, decide_unstripped};
pub use edits::without_forged_marks;
pub use facts::{AuthenticationResults, Facts};
pub use glob::Glob;
pub use header::{HeaderCondition, HeaderTest};
pub use hours::{Hours, clock, days, zone};
pub use marks::{MarkError, Marks};
pub use not_matched::{NotMatched, add_not_matched};
pub use sender_lists::Blocked;
pub use settings::{
    DifferingEdits, Effective, MixedRefusal, Notify, Policy, QUARANTINE_DAYS, ScopedSettings, Settings, Then, Trial,
};
pub use strip::{Otherwise, Strip};
pub use tls::{TlsCondition, TlsVersion};

#[cfg(test)]
mod tests;
