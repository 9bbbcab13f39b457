//! What one recipient's policies ask for, as if the message had no other recipient.

use super::{Blocked, Effective, Facts, Marks, Otherwise, Policy, Settings, Then, Who, asked::Asked, strip::TakenOff};
use crate::{
    score::{self, Level, Standing, Thresholds},
    session::{Direction, Recipient},
    verdict::{Disposition, Finding, Points, Reply, Tag},
};
use std::cell::OnceCell;

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
    /// Marks that apply to a copy that is delivered: also if a refusal cannot be sent because others take the message.
    pub(super) marks_if_taken: Marks,
    /// Files that are taken off.
    pub(super) taken_off: TakenOff,
    /// Whether files should be taken off and cannot.
    pub(super) unstripped: bool,
    /// Whether a refusal must be one for all: as long as others take the message, it brings such files in, or what is cut off
    /// passes.
    pub(super) refused_for_all: bool,
    /// Policies that marked and went on, by index.
    pub(super) passed: Vec<usize>,
    /// Policies that somebody is told of, by index.
    pub(super) notify: Vec<usize>,
}

impl Wish {
    /// Nothing is asked for.
    pub(super) fn none() -> Self {
        Wish {
            cause: Cause::Nothing,
            disposition: Disposition::Deliver,
            reply: None,
            marks_if_taken: Marks::none(),
            taken_off: TakenOff::default(),
            unstripped: false,
            refused_for_all: false,
            passed: Vec::new(),
            notify: Vec::new(),
        }
    }

    /// What a copy carries that is delivered.
    pub(super) fn tag(&self, total: Points) -> Tag {
        Tag { stripped: self.taken_off.files.len(), ..self.marks_if_taken.fill(total) }
    }

    /// Delivered, marked as far as the policies ask for it.
    pub(super) fn delivered(&self, total: Points) -> Disposition {
        match self.tag(total) {
            none if none == Tag::default() => Disposition::Deliver,
            tag => Disposition::Tag(tag),
        }
    }

    fn because(self, cause: Cause, disposition: Disposition) -> Self {
        Wish { cause, disposition, ..self }
    }
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
    /// Why no files can be taken off.
    pub(super) obstacle: Option<&'a str>,
    /// Whether policies copy mail to this recipient, once that was asked.
    gets_copies: OnceCell<bool>,
}

impl<'a> Asker<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        organisation: Thresholds,
        asked: &'a Asked<'a>,
        recipient: &'a Recipient,
        obstacle: Option<&'a str>,
    ) -> Self {
        let who = Who::recipient(recipient);
        let effective = settings.effective(organisation, &who);
        let facts = asked.facts;
        let standing = score::standing(facts.card, &effective.skip);
        let gets_copies = OnceCell::new();
        Asker { settings, asked, facts, recipient, who, effective, standing, obstacle, gets_copies }
    }

    /// The wish, with some rules left out.
    pub(super) fn wish(&self, out: LeftOut) -> Wish {
        let malware = !out.malware && self.facts.card.findings.iter().any(Finding::is_malware);
        let early = self.facts.early.filter(|_| !out.early);
        let mut so_far = Wish::none();
        if let Some(reply) = early.filter(|reply| reply.is_temporary() && !malware) {
            return self.defer(so_far, Cause::Trouble, reply.clone());
        }
        for (index, policy) in self.settings.policies.iter().enumerate() {
            if out.policy == Some(index) || !self.matches(index, policy) {
                continue;
            }
            if malware && !policy.when.names_malware_found(self.asked, self.standing.total) {
                continue;
            }
            let cause = Cause::Policy(index);
            if !policy.notify.is_empty() {
                so_far.notify.push(index);
            }
            if let Some(strip) = &policy.strip
                && let Some(otherwise) = self.strip(index, strip.otherwise, &mut so_far)
            {
                return match otherwise {
                    Otherwise::Reject => {
                        so_far.refused_for_all = true;
                        self.reject(so_far, cause, files_stay())
                    }
                    _ => so_far.because(cause, Disposition::Hold),
                };
            }
            return match &policy.then {
                Then::TagAndContinue(more) => {
                    self.mark(more, &mut so_far);
                    so_far.passed.push(index);
                    continue;
                }
                Then::Tag(more) => {
                    self.mark(more, &mut so_far);
                    self.deliver(so_far, cause)
                }
                Then::Deliver => self.deliver(so_far, cause),
                Then::Redirect(_) if self.settings.leads_to(&self.recipient.address) => self.deliver(so_far, cause),
                Then::Redirect(to) => {
                    let to = to.iter().map(|address| address.raw.clone()).collect();
                    so_far.because(cause, Disposition::Redirect { to })
                }
                Then::Hold => so_far.because(cause, Disposition::Hold),
                Then::Quarantine(days) if self.facts.complete => {
                    so_far.because(cause, Disposition::Quarantine { days: *days })
                }
                // What is cut off could not be released.
                Then::Quarantine(_) if self.facts.host.hold => so_far.because(cause, Disposition::Hold),
                Then::Quarantine(_) => {
                    so_far.refused_for_all = true;
                    self.reject(so_far, cause, too_large_to_keep())
                }
                Then::Discard => so_far.because(cause, Disposition::Discard),
                Then::Reject(reply) => self.reject(so_far, cause, reply.clone()),
                Then::Defer(reply) => self.defer(so_far, cause, reply.clone()),
            };
        }
        if malware {
            return self.reject(so_far, Cause::Malware, self.malware_reply());
        }
        match self.listed().filter(|_| !out.lists) {
            Some(cause @ Cause::Allowed(_)) => return self.deliver(so_far, cause),
            Some(cause) => {
                return match self.effective.blocked {
                    Blocked::Reject => self.reject(so_far, cause, sender_blocked()),
                    Blocked::Discard => so_far.because(cause, Disposition::Discard),
                };
            }
            None => {}
        }
        if let Some(reply) = early {
            return self.reject(so_far, Cause::Check, reply.clone());
        }
        match self.effective.thresholds.level(self.standing) {
            Level::Reject if !out.thresholds => self.reject(so_far, Cause::ThresholdReject, site_refuses()),
            Level::Tag if !out.thresholds => {
                so_far.marks_if_taken.merge(&self.settings.marks);
                self.deliver(so_far, Cause::ThresholdTag)
            }
            _ => self.deliver(so_far, Cause::Nothing),
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

    fn matches(&self, index: usize, policy: &Policy) -> bool {
        (policy.to.is_empty() || policy.to.holds(&self.who)) && self.asked.fits(index, policy, self.standing.total)
    }

    /// Adds marks. The mail of who gets copies is not copied itself: a copy that comes back makes no other.
    fn mark(&self, marks: &Marks, so_far: &mut Wish) {
        so_far.marks_if_taken.merge(marks);
        let gets_copies = || *self.gets_copies.get_or_init(|| self.settings.copies_to(&self.recipient.address));
        if !marks.copies.is_empty() && gets_copies() {
            so_far.marks_if_taken.copies.clear();
        }
    }

    /// Takes files off. Where that cannot be: what is to happen at once instead, if anything.
    fn strip(&self, policy: usize, otherwise: Otherwise, so_far: &mut Wish) -> Option<Otherwise> {
        if self.obstacle.is_some() {
            so_far.unstripped = true;
            return Some(otherwise).filter(|otherwise| *otherwise != Otherwise::Deliver);
        }
        so_far.taken_off = self.asked.taken_off(&so_far.taken_off, policy);
        None
    }

    fn deliver(&self, so_far: Wish, cause: Cause) -> Wish {
        let disposition = so_far.delivered(self.facts.card.total);
        so_far.because(cause, disposition)
    }

    fn malware_reply(&self) -> Reply {
        match self.facts.early {
            Some(reply) if !reply.is_temporary() => reply.clone(),
            _ => Reply::fixed(550, (5, 7, 1), "Message refused: it carries harmful content"),
        }
    }

    fn reject(&self, so_far: Wish, cause: Cause, reply: Reply) -> Wish {
        self.refuse(so_far, cause, Disposition::Reject, reply)
    }

    fn defer(&self, so_far: Wish, cause: Cause, reply: Reply) -> Wish {
        self.refuse(so_far, cause, Disposition::Defer, reply)
    }

    fn refuse(&self, mut so_far: Wish, cause: Cause, disposition: Disposition, reply: Reply) -> Wish {
        so_far.marks_if_taken.merge(&self.settings.marks);
        Wish { reply: Some(reply), ..so_far.because(cause, disposition) }
    }
}

fn sender_blocked() -> Reply {
    Reply::fixed(550, (5, 7, 1), "Message refused: the recipient does not accept mail from this sender")
}

fn site_refuses() -> Reply {
    Reply::fixed(550, (5, 7, 1), "Message refused by the policy of this site")
}

fn too_large_to_keep() -> Reply {
    Reply::fixed(552, (5, 3, 4), "Message refused: it is too large for what the policy of this site does with it")
}

fn files_stay() -> Reply {
    Reply::fixed(550, (5, 7, 1), "Message refused: it carries a file that this site does not accept")
}
