//! What one recipient's policies ask for, as if the message had no other recipient.

use super::{Effective, Facts, Marks, Policy, Settings, Then};
use crate::{
    score::{self, Level, Standing, Thresholds},
    session::{Direction, Recipient},
    verdict::{Disposition, Finding, Reply},
};

/// What decided. The order settles whose reply is sent where several recipients are refused: never who came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// Malware is on the card.
    Malware,
    /// A lookup is in trouble, so that the facts are not complete.
    Trouble,
    /// The policy of this index.
    Policy(usize),
    /// A check refuses (DMARC).
    Check,
    /// The points reach the threshold of refusal.
    ThresholdReject,
    /// The points reach the threshold of marks.
    ThresholdTag,
    /// Nothing speaks against the message; policies may have marked it.
    Nothing,
}

/// What one recipient's policies ask for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wish {
    pub(super) cause: Cause,
    pub(super) disposition: Disposition,
    /// Set for rejections and deferrals.
    pub(super) reply: Option<Reply>,
    /// Marks that apply if a refusal cannot be sent because others take the message.
    pub(super) marks_if_taken: Marks,
    /// Policies that marked and went on, by index.
    pub(super) passed: Vec<usize>,
}

/// Which rules are left out: to say what would have changed a decision, or because they do not act.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct LeftOut {
    pub(super) malware: bool,
    pub(super) early: bool,
    pub(super) thresholds: bool,
    pub(super) policy: Option<usize>,
}

impl LeftOut {
    /// All but the policies.
    pub(super) const DEFAULTS: LeftOut = LeftOut { malware: true, early: true, thresholds: true, policy: None };
}

/// Everything that is asked for one recipient.
pub(super) struct Asker<'a> {
    pub(super) settings: &'a Settings,
    pub(super) facts: &'a Facts<'a>,
    pub(super) recipient: &'a Recipient,
    pub(super) effective: Effective,
    pub(super) standing: Standing,
}

impl<'a> Asker<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        organisation: Thresholds,
        facts: &'a Facts<'a>,
        recipient: &'a Recipient,
    ) -> Self {
        let effective = settings.effective(organisation, recipient);
        let standing = score::standing(facts.card, &effective.skip);
        Asker { settings, facts, recipient, effective, standing }
    }

    /// The wish, with some rules left out.
    pub(super) fn wish(&self, out: LeftOut) -> Wish {
        let malware = !out.malware && self.facts.card.findings.iter().any(Finding::is_malware);
        let early = self.facts.early.filter(|_| !out.early);
        let mut marks = Marks::none();
        let mut passed = Vec::new();
        if let Some(reply) = early.filter(|reply| reply.is_temporary() && !malware) {
            return self.defer(Cause::Trouble, reply.clone(), marks, passed);
        }
        for (index, policy) in self.settings.policies.iter().enumerate() {
            if out.policy == Some(index) || !self.matches(policy) {
                continue;
            }
            if malware && !policy.when.names_malware_found(self.facts) {
                continue;
            }
            let cause = Cause::Policy(index);
            let disposition = match &policy.then {
                Then::TagAndContinue(more) => {
                    marks.merge(more);
                    passed.push(index);
                    continue;
                }
                Then::Deliver => self.marked(&marks),
                Then::Tag(more) => {
                    marks.merge(more);
                    self.marked(&marks)
                }
                Then::Hold => Disposition::Hold,
                Then::Discard => Disposition::Discard,
                Then::Reject(reply) => return self.reject(cause, reply.clone(), marks, passed),
                Then::Defer(reply) => return self.defer(cause, reply.clone(), marks, passed),
            };
            return Wish { cause, disposition, reply: None, marks_if_taken: marks, passed };
        }
        if malware {
            return self.reject(Cause::Malware, self.malware_reply(), marks, passed);
        }
        if let Some(reply) = early {
            return self.reject(Cause::Check, reply.clone(), marks, passed);
        }
        match self.effective.thresholds.level(self.standing) {
            Level::Reject if !out.thresholds => self.reject(Cause::ThresholdReject, site_refuses(), marks, passed),
            Level::Tag if !out.thresholds => {
                marks.merge(&self.settings.marks);
                let disposition = self.marked(&marks);
                Wish { cause: Cause::ThresholdTag, disposition, reply: None, marks_if_taken: marks, passed }
            }
            _ => {
                let disposition = self.marked(&marks);
                Wish { cause: Cause::Nothing, disposition, reply: None, marks_if_taken: marks, passed }
            }
        }
    }

    /// Which rules do not act for this message: outbound mail is filtered only where the site says so.
    pub(super) fn idle(&self) -> LeftOut {
        match self.facts.direction {
            Direction::Outbound if !self.settings.filter_outbound => {
                LeftOut { early: !self.facts.early_of_outbound, ..LeftOut::DEFAULTS }
            }
            _ => LeftOut::default(),
        }
    }

    fn matches(&self, policy: &Policy) -> bool {
        policy.direction.is_none_or(|direction| direction == self.facts.direction)
            && (policy.from.is_empty() || policy.from.iter().any(|p| p.matches_sender(self.facts.sender)))
            && (policy.to.is_empty() || policy.to.iter().any(|p| p.matches_recipient(self.recipient)))
            && policy.when.hold(self.facts, self.standing.total)
    }

    fn marked(&self, marks: &Marks) -> Disposition {
        match *marks == Marks::none() {
            true => Disposition::Deliver,
            false => Disposition::Tag(marks.fill(self.facts.card.total)),
        }
    }

    fn malware_reply(&self) -> Reply {
        match self.facts.early {
            Some(reply) if !reply.is_temporary() => reply.clone(),
            _ => Reply::fixed(550, (5, 7, 1), "Message refused: it carries harmful content"),
        }
    }

    fn reject(&self, cause: Cause, reply: Reply, mut marks: Marks, passed: Vec<usize>) -> Wish {
        marks.merge(&self.settings.marks);
        Wish { cause, disposition: Disposition::Reject, reply: Some(reply), marks_if_taken: marks, passed }
    }

    fn defer(&self, cause: Cause, reply: Reply, mut marks: Marks, passed: Vec<usize>) -> Wish {
        marks.merge(&self.settings.marks);
        Wish { cause, disposition: Disposition::Defer, reply: Some(reply), marks_if_taken: marks, passed }
    }
}

fn site_refuses() -> Reply {
    Reply::fixed(550, (5, 7, 1), "Message refused by the policy of this site")
}
