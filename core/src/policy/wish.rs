//! What one recipient's policies ask for, as if the message had no other recipient.

use super::{Blocked, Effective, Facts, Marks, Policy, Settings, Then, Who, asked::Asked};
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
    /// The recipient's settings of this index allow the sender.
    Allowed(usize),
    /// The recipient's settings of this index block the sender.
    Blocked(usize),
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
    pub(super) lists: bool,
    pub(super) early: bool,
    pub(super) thresholds: bool,
    pub(super) policy: Option<usize>,
}

impl LeftOut {
    /// All but the policies.
    pub(super) const DEFAULTS: LeftOut =
        LeftOut { malware: true, lists: true, early: true, thresholds: true, policy: None };
}

/// Everything that is asked for one recipient.
pub(super) struct Asker<'a> {
    pub(super) settings: &'a Settings,
    pub(super) asked: &'a Asked<'a>,
    pub(super) facts: &'a Facts<'a>,
    pub(super) recipient: &'a Recipient,
    pub(super) who: Who,
    pub(super) effective: Effective,
    pub(super) standing: Standing,
}

impl<'a> Asker<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        organisation: Thresholds,
        asked: &'a Asked<'a>,
        recipient: &'a Recipient,
    ) -> Self {
        let who = Who::recipient(recipient);
        let effective = settings.effective(organisation, &who);
        let standing = score::standing(asked.facts.card, &effective.skip);
        Asker { settings, asked, facts: asked.facts, recipient, who, effective, standing }
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
            if out.policy == Some(index) || !self.matches(index, policy) {
                continue;
            }
            if malware && !policy.when.names_malware_found(self.asked, self.standing.total) {
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
        match self.listed().filter(|_| !out.lists) {
            Some(cause @ Cause::Allowed(_)) => {
                let disposition = self.marked(&marks);
                return Wish { cause, disposition, reply: None, marks_if_taken: marks, passed };
            }
            Some(cause) => {
                return match self.effective.blocked {
                    Blocked::Reject => self.reject(cause, sender_blocked(), marks, passed),
                    Blocked::Discard => {
                        let disposition = Disposition::Discard;
                        Wish { cause, disposition, reply: None, marks_if_taken: marks, passed }
                    }
                };
            }
            None => {}
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
            Direction::Outbound if !self.settings.filter_outbound => LeftOut::DEFAULTS,
            _ => LeftOut::default(),
        }
    }

    fn matches(&self, index: usize, policy: &Policy) -> bool {
        (policy.to.is_empty() || policy.to.holds(&self.who)) && self.asked.fits(index, policy, self.standing.total)
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

fn sender_blocked() -> Reply {
    Reply::fixed(550, (5, 7, 1), "Message refused: the recipient does not accept mail from this sender")
}

fn site_refuses() -> Reply {
    Reply::fixed(550, (5, 7, 1), "Message refused by the policy of this site")
}
