//! Why policies did not match: for people who look at one decision.

use super::{Decision, Facts, Policy, PolicyPlace, Settings, asked::Asked, decide::place, wish::Asker};
use crate::{
    score::Thresholds,
    session::Direction,
    verdict::{Finding, Reply},
};
use serde::{Deserialize, Serialize};

/// A policy that was asked and did not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotMatched {
    /// Which.
    pub policy: PolicyPlace,
    /// The first of its keys that did not hold, and why: `to: the recipient is not in the list`.
    pub why: String,
}

/// Most policies that are named for one recipient. Unit: policies. Source: our own limit, one screen.
const POLICIES: usize = 20;

/// Notes for each recipient which policies were asked before one decided, and why they did not match.
pub fn add_not_matched(settings: &Settings, organisation: Thresholds, facts: &Facts<'_>, decision: &mut Decision) {
    let infected = facts.card.findings.iter().any(Finding::is_malware);
    if facts.early.is_some_and(Reply::is_temporary) && !infected {
        return; // Trouble comes before the policies: none was asked.
    }
    let asked = Asked::new(settings, facts);
    for (recipient, note) in facts.recipients.iter().zip(&mut decision.notes) {
        let asker = Asker::new(settings, organisation, &asked, recipient, None);
        let decided = note.policy.as_ref().map(|place| place.name.as_str());
        let earlier = settings.policies.iter().enumerate().take_while(|(_, p)| decided != Some(p.name.as_str()));
        let not_matched = earlier.filter_map(|(index, policy)| {
            let why = asker.why_not(policy)?;
            Some(NotMatched { policy: place(settings, index), why })
        });
        note.not_matched = not_matched.take(POLICIES).collect();
    }
}

impl Asker<'_> {
    fn why_not(&self, policy: &Policy) -> Option<String> {
        let total = self.standing.total;
        if policy.direction.is_some_and(|direction| direction != self.facts.direction) {
            let direction = match self.facts.direction {
                Direction::Inbound => "inbound",
                Direction::Outbound => "outbound",
            };
            return Some(format!("direction: the message is {direction}"));
        }
        if !policy.from.is_empty() && !self.asked.is_sent_by(&policy.from) {
            return Some("from: the sender is not in the list".to_owned());
        }
        if !policy.to.is_empty() && !policy.to.holds(&self.who) {
            return Some("to: the recipient is not in the list".to_owned());
        }
        if policy.strip.as_ref().is_some_and(|strip| !strip.finds(self.facts.message)) {
            return Some("then.strip: there is no file like this".to_owned());
        }
        if let Some(why) = policy.when.why_not(self.asked, total) {
            return Some(format!("when.{why}"));
        }
        let malware = self.facts.card.findings.iter().any(Finding::is_malware);
        let overruled = malware && !policy.when.names_malware_found(self.asked, total);
        overruled.then(|| "when.finding: it does not name the malware".to_owned())
    }
}
