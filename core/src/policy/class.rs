//! Which recipients may share one message when edits must not differ.

use super::{DifferingEdits, Effective, Policy, Settings, Then, Who};
use crate::{
    score::Thresholds,
    session::{Connection, Direction, Recipient, ReversePath},
};

/// What may decide about a recipient, as far as it is known at RCPT. Two recipients of one class get the same
/// disposition for any message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyClass {
    policies: Vec<usize>,
    effective: Effective,
    acts: bool,
    /// Whether such mail is not redirected, as others' comes here.
    ends_redirects: bool,
    /// Whether such mail is not copied, as this is where copies go.
    ends_copies: bool,
}

impl Settings {
    /// The class of a recipient, or `None` where recipients of all classes may share a message
    /// (`differing_edits = "headers-only"`). The engine answers 452 to a recipient whose class is not that of the first.
    pub fn policy_class(
        &self,
        organisation: Thresholds,
        direction: Direction,
        sender: &ReversePath,
        connection: &Connection,
        country: Option<&str>,
        recipient: &Recipient,
    ) -> Option<PolicyClass> {
        if self.differing_edits == DifferingEdits::HeadersOnly {
            return None;
        }
        let (sender, who) = (Who::sender(sender), Who::recipient(recipient));
        let may_match = |p: &Policy| {
            p.direction.is_none_or(|d| d == direction)
                && (p.from.is_empty() || p.from.holds(&sender))
                && (p.to.is_empty() || p.to.holds(&who))
                && p.when.may_hold(connection, country)
        };
        let candidates: Vec<(usize, &Policy)> =
            self.policies.iter().enumerate().filter(|(_, p)| may_match(p)).collect();
        let may = |does: fn(&Then) -> bool| candidates.iter().any(|(_, p)| does(&p.then));
        let redirects = |then: &Then| matches!(then, Then::Redirect(_));
        let copies = |then: &Then| matches!(then, Then::Tag(m) | Then::TagAndContinue(m) if !m.copies.is_empty());
        Some(PolicyClass {
            effective: self.effective(organisation, &who),
            acts: self.acts_for(recipient),
            ends_redirects: may(redirects) && self.leads_to(&recipient.address),
            ends_copies: may(copies) && self.copies_to(&recipient.address),
            policies: candidates.into_iter().map(|(index, _)| index).collect(),
        })
    }
}
