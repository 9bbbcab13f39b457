//! What has been found out about one message while its recipients' policies are asked.

use super::{AddressSet, Facts, Policy, Settings, Who, strip::TakenOff};
use crate::verdict::Points;
use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    sync::Arc,
};

/// Most addresses of From that are looked up in lists. Unit: addresses. Source: our own limit; mail has one.
const AUTHORS: usize = 20;

/// The facts of one message, with answers that hold for all its recipients: each is found once.
pub(super) struct Asked<'a> {
    pub(super) facts: &'a Facts<'a>,
    settings: &'a Settings,
    sender: Who,
    /// Addresses of From.
    authors: OnceCell<Vec<Who>>,
    /// By policy, whether all but the recipient fits, for the total of points for which it was asked last.
    fitting: RefCell<Vec<Option<(Points, bool)>>>,
    /// By the policies that take files off, the files.
    taken_off: RefCell<HashMap<Vec<usize>, TakenOff>>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(settings: &'a Settings, facts: &'a Facts<'a>) -> Self {
        Asked {
            facts,
            settings,
            sender: Who::sender(facts.sender),
            authors: OnceCell::new(),
            fitting: RefCell::new(vec![None; settings.policies.len()]),
            taken_off: RefCell::default(),
        }
    }

    /// The files that are gone if, besides those that are already, this policy takes its own off.
    pub(super) fn taken_off(&self, already: &TakenOff, policy: usize) -> TakenOff {
        let policies: Vec<usize> = already.policies.iter().copied().chain([policy]).collect();
        if let Some(known) = self.taken_off.borrow().get(&policies) {
            return known.clone();
        }
        let strip = self.settings.policies.get(policy).and_then(|policy| policy.strip.as_ref());
        let mut files = (*already.files).clone();
        for file in strip.into_iter().flat_map(|strip| strip.files(self.facts.message)) {
            files.entry(file.part).or_insert(policy);
        }
        let taken_off = TakenOff { policies: policies.clone(), files: Arc::new(files) };
        self.taken_off.borrow_mut().insert(policies, taken_off.clone());
        taken_off
    }

    /// Whether the envelope sender is meant.
    pub(super) fn is_sent_by(&self, set: &AddressSet) -> bool {
        set.holds(&self.sender)
    }

    /// The envelope sender.
    pub(super) fn sender(&self) -> &Who {
        &self.sender
    }

    /// Whether an address of From is meant.
    pub(super) fn is_from(&self, set: &AddressSet) -> bool {
        self.authors().iter().any(|author| set.holds(author))
    }

    /// The addresses of From.
    pub(super) fn authors(&self) -> &[Who] {
        let read = || self.facts.message.from.iter().take(AUTHORS).filter_map(|address| Who::author(address));
        self.authors.get_or_init(|| read().collect())
    }

    /// Whether the policy of this index fits, whoever the recipient is, if his total is this.
    pub(super) fn fits(&self, index: usize, policy: &Policy, points: Points) -> bool {
        if let Some(Some((known, fits))) = self.fitting.borrow().get(index)
            && *known == points
        {
            return *fits;
        }
        let fits = policy.direction.is_none_or(|direction| direction == self.facts.direction)
            && (policy.from.is_empty() || self.is_sent_by(&policy.from))
            && policy.strip.as_ref().is_none_or(|strip| strip.finds(self.facts.message))
            && policy.when.hold(self, points);
        if let Some(place) = self.fitting.borrow_mut().get_mut(index) {
            *place = Some((points, fits));
        }
        fits
    }
}
