//! The site's policies, checked.

use super::{AddressList, AddressSet, Blocked, Conditions, Nearness, Strip, Who, marks::Marks, sender_lists::InForce};
use crate::{
    score::{FindingPattern, Thresholds},
    session::{Address, Direction, Recipient},
    verdict::{Points, Reply},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// All that the site has decided about verdicts. The default is no policy: malware, refusals of the checks and
/// thresholds act for everybody on inbound mail.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// In the order of the file.
    pub policies: Vec<Policy>,
    /// Lists of addresses in files.
    pub lists: Vec<Arc<AddressList>>,
    /// Settings of users, groups and domains, in the order of the file.
    pub scoped: Vec<ScopedSettings>,
    /// Marks of a message over the threshold, and of one that a mixed refusal lets through.
    pub marks: Marks,
    /// What becomes of a refusal that does not hold for all recipients.
    pub mixed_refusal: MixedRefusal,
    /// What becomes of edits that not all recipients want.
    pub differing_edits: DifferingEdits,
    /// For whom verdicts act; `None` for everybody.
    pub trial: Option<Trial>,
    /// Whether malware, refusals of the checks and thresholds act on outbound mail. Policies that say
    /// `direction = "outbound"` act in any case.
    pub filter_outbound: bool,
}

/// One `[[policy]]`.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Unique name, shown wherever the policy has decided.
    pub name: String,
    /// Line of the file on which it begins.
    pub line: Option<usize>,
    /// Inbound, outbound, or both (`None`).
    pub direction: Option<Direction>,
    /// Envelope senders; empty for all.
    pub from: AddressSet,
    /// Recipients; empty for all.
    pub to: AddressSet,
    /// What must hold.
    pub when: Conditions,
    /// What then happens.
    pub then: Then,
    /// Which files are taken off, where [`Policy::then`] delivers or goes on. Such a policy is for messages with such files only.
    pub strip: Option<Strip>,
    /// Who hears of it.
    pub notify: Notify,
}

/// Who is told that a policy has acted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notify {
    /// The envelope sender, if it is proved to be his.
    pub sender: bool,
    /// The administrators of the site.
    pub administrator: bool,
    /// These.
    pub addresses: Vec<Address>,
}

impl Notify {
    /// Whether anyone is told.
    pub fn is_empty(&self) -> bool {
        *self == Notify::default()
    }
}

/// What a policy does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// Delivers without marks, whatever the points.
    Deliver,
    /// Delivers with marks, if it has any.
    Tag(Marks),
    /// Adds marks and goes on to the next policy (`continue = true`).
    TagAndContinue(Marks),
    /// Delivers to these addresses instead.
    Redirect(Vec<Address>),
    /// Holds in the MTA's quarantine.
    Hold,
    /// Keeps in Mailward's own quarantine for so many days.
    Quarantine(u32),
    /// Drops.
    Discard,
    /// Refuses for good.
    Reject(Reply),
    /// Refuses for now.
    Defer(Reply),
}

/// One `[[settings]]`: what differs for some recipients from the organisation.
#[derive(Debug, Clone, Default)]
pub struct ScopedSettings {
    /// The first of whom they are for, as written.
    pub name: String,
    /// Line of the file on which they begin.
    pub line: Option<usize>,
    /// For whom.
    pub of: AddressSet,
    /// Their threshold of marks.
    pub tag: Option<Points>,
    /// Their threshold of refusal.
    pub reject: Option<Points>,
    /// Findings that do not count for them.
    pub skip: Option<Vec<FindingPattern>>,
    /// Senders whose mail they get whatever its points, if SPF or DMARC proves it to be theirs.
    pub allow: Option<AddressSet>,
    /// Senders whose mail they do not get.
    pub block: Option<AddressSet>,
    /// What becomes of mail from those.
    pub blocked: Option<Blocked>,
}

/// What becomes of a refusal that does not hold for all recipients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MixedRefusal {
    /// Those who refuse get the message with marks.
    #[default]
    Tag,
    /// The message is held, for all its recipients.
    Hold,
    /// Their copy is kept in the quarantine for [`QUARANTINE_DAYS`].
    Quarantine,
}

/// The longest that a message is kept, and how long where nothing else is said. Unit: days. Source: design; the law of most
/// places wants personal data gone after a month without need.
pub const QUARANTINE_DAYS: u32 = 30;

/// What becomes of edits that not all recipients want.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferingEdits {
    /// Header marks are added if any recipient wants them, the subject is changed only if all do.
    #[default]
    HeadersOnly,
    /// Recipients of another policy class than the first get 452 at RCPT, so that the client sends them a copy of
    /// their own.
    DeferRecipient,
}

/// For whom verdicts act; for all others they are only recorded.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// Recipients, groups and domains.
    pub acting: AddressSet,
}

/// What holds for one recipient after inheritance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Thresholds.
    pub thresholds: Thresholds,
    /// Findings that do not count.
    pub skip: Vec<FindingPattern>,
    /// The settings whose allow list holds.
    pub(super) allow: InForce,
    /// The settings whose block list holds.
    pub(super) block: InForce,
    /// What becomes of mail from blocked senders.
    pub(super) blocked: Blocked,
}

impl Settings {
    /// Whether anything is kept in the quarantine by these policies.
    pub fn quarantines(&self) -> bool {
        self.mixed_refusal == MixedRefusal::Quarantine
            || self.policies.iter().any(|policy| matches!(policy.then, Then::Quarantine(_)))
    }

    /// Whether a policy copies mail to this recipient: his own is not copied on, so that no copy makes another.
    pub(super) fn copies_to(&self, recipient: &Address) -> bool {
        let copies = self.policies.iter().flat_map(|policy| match &policy.then {
            Then::Tag(marks) | Then::TagAndContinue(marks) => marks.copies.as_slice(),
            _ => &[],
        });
        is_among(recipient, copies)
    }

    /// Whether a policy copies or redirects mail to this recipient: his own is not redirected.
    pub(super) fn leads_to(&self, recipient: &Address) -> bool {
        let redirected = self.policies.iter().flat_map(|policy| match &policy.then {
            Then::Redirect(to) => to.as_slice(),
            _ => &[],
        });
        is_among(recipient, redirected) || self.copies_to(recipient)
    }

    /// Whether verdicts act for this recipient, or are only recorded.
    pub fn acts_for(&self, recipient: &Recipient) -> bool {
        self.trial.as_ref().is_none_or(|trial| trial.acting.holds(&Who::recipient(recipient)))
    }

    /// As [`Settings::acts_for`], for an address that has not been looked up, such as one that is being refused.
    pub fn acts_for_address(&self, address: &Address) -> bool {
        self.acts_for(&Recipient { address: address.clone(), groups: Vec::new() })
    }

    /// What holds for a recipient: each setting from the nearest of user, group, domain, domain above, organisation;
    /// among equally near ones from the first in the file.
    pub(super) fn effective(&self, organisation: Thresholds, recipient: &Who) -> Effective {
        let scoped = self.scoped.iter().enumerate();
        let mut near: Vec<(Nearness, usize, &ScopedSettings)> =
            scoped.filter_map(|(index, s)| Some((s.of.nearest(recipient)?, index, s))).collect();
        near.sort_by_key(|(nearness, index, _)| (*nearness, *index));
        let settings = || near.iter().map(|(_, _, s)| s);
        let in_force = |has: fn(&ScopedSettings) -> bool| {
            near.iter().find(|(_, _, s)| has(s)).map(|(nearness, index, _)| (*nearness, *index))
        };
        Effective {
            thresholds: Thresholds {
                tag: settings().find_map(|s| s.tag).unwrap_or(organisation.tag),
                reject: settings().find_map(|s| s.reject).unwrap_or(organisation.reject),
            },
            skip: settings().find_map(|s| s.skip.clone()).unwrap_or_default(),
            allow: in_force(|s| s.allow.is_some()),
            block: in_force(|s| s.block.is_some()),
            blocked: settings().find_map(|s| s.blocked).unwrap_or_default(),
        }
    }
}

/// Whether the recipient is one of these, with or without a detail.
fn is_among<'a>(recipient: &Address, mut addresses: impl Iterator<Item = &'a Address>) -> bool {
    let local = recipient.local.to_lowercase();
    let bare = recipient.without_detail('+').map(|bare| bare.local.to_lowercase());
    addresses.any(|address| {
        let is_local = |other: String| other == local || bare.as_ref() == Some(&other);
        address.domain == recipient.domain && is_local(address.local.to_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::{super::AddressPattern, *};

    fn scoped(of: &str, tag: Option<i32>, reject: Option<i32>) -> ScopedSettings {
        ScopedSettings {
            of: AddressPattern::parse(of).into_iter().collect(),
            tag: tag.map(Points::hundredths),
            reject: reject.map(Points::hundredths),
            ..ScopedSettings::default()
        }
    }

    fn recipient(address: &str, groups: &[&str]) -> Recipient {
        Recipient {
            address: Address::parse(address.as_bytes()).expect("an address"),
            groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        }
    }

    #[test]
    fn each_setting_comes_from_the_nearest_that_has_it() {
        let settings = Settings {
            scoped: vec![
                scoped("*.example.com", Some(100), Some(1000)),
                scoped("*@a.example.com", Some(200), None),
                scoped("group:board", Some(300), None),
                scoped("bob@a.example.com", Some(400), None),
            ],
            ..Settings::default()
        };
        let of = |address: &str, groups: &[&str]| {
            let effective = settings.effective(Thresholds::default(), &Who::recipient(&recipient(address, groups)));
            (effective.thresholds.tag.as_hundredths(), effective.thresholds.reject.as_hundredths())
        };
        assert_eq!(of("bob@a.example.com", &["board"]), (400, 1000));
        assert_eq!(of("eve@a.example.com", &["board"]), (300, 1000));
        assert_eq!(of("eve@a.example.com", &[]), (200, 1000));
        assert_eq!(of("eve@b.example.com", &[]), (100, 1000));
        assert_eq!(of("eve@elsewhere.test", &[]), (500, 1500));
    }

    #[test]
    fn a_trial_acts_for_its_recipients_only_and_no_trial_for_all() {
        let mut settings = Settings::default();
        assert!(settings.acts_for(&recipient("x@y.test", &[])));
        settings.trial = Some(Trial { acting: AddressPattern::parse("*@example.com").into_iter().collect() });
        assert!(settings.acts_for(&recipient("x@example.com", &[])));
        assert!(!settings.acts_for(&recipient("x@y.test", &[])));
    }
}
