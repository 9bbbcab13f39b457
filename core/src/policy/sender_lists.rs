//! The recipient's own lists of senders: whom he always wants to hear, and whom never.

use super::{
    AddressSet, Nearness, Settings,
    wish::{Asker, Cause},
};
use crate::session::Direction;
use serde::{Deserialize, Serialize};

/// What becomes of mail from a sender on a recipient's block list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blocked {
    /// It is refused.
    #[default]
    Reject,
    /// It is dropped.
    Discard,
}

/// A list that holds for a recipient: how near its settings are, and their index.
pub(super) type InForce = Option<(Nearness, usize)>;

impl Asker<'_> {
    /// What the recipient's lists say about the senders of an inbound message: the envelope sender, and the addresses of
    /// From. Of two lists that name them the one of the nearer settings counts, then the one that names them more
    /// closely, then the block list.
    pub(super) fn listed(&self) -> Option<Cause> {
        if self.facts.direction == Direction::Outbound {
            return None;
        }
        let allowed = self.named(self.effective.allow, |s| s.allow.as_ref(), |set| self.proved(set));
        let blocked = self.named(self.effective.block, |s| s.block.as_ref(), |set| self.claimed(set));
        match (allowed, blocked) {
            (Some((allow, scope)), Some((block, _))) if allow < block => Some(Cause::Allowed(scope)),
            (_, Some((_, scope))) => Some(Cause::Blocked(scope)),
            (Some((_, scope)), None) => Some(Cause::Allowed(scope)),
            (None, None) => None,
        }
    }

    /// How near the list in force names the sender, and whose it is.
    fn named<'s>(
        &'s self,
        in_force: InForce,
        list: impl Fn(&'s super::ScopedSettings) -> Option<&'s AddressSet>,
        nearest: impl Fn(&AddressSet) -> Option<Nearness>,
    ) -> Option<((Nearness, Nearness), usize)> {
        let (near, scope) = in_force?;
        let set = list(self.settings.scoped.get(scope)?)?;
        Some(((near, nearest(set)?), scope))
    }

    /// How near a list names a sender who is proved: the envelope sender by SPF, the author by DMARC. More than one
    /// author is none.
    fn proved(&self, set: &AddressSet) -> Option<Nearness> {
        let results = self.facts.authentication;
        let is_named = self.facts.sender.mailbox().is_some();
        let sender = (is_named && results.spf == "pass").then(|| set.nearest(self.asked.sender())).flatten();
        let author = match self.asked.authors() {
            [author] if results.dmarc == "pass" && self.facts.message.from.len() == 1 => set.nearest(author),
            _ => None,
        };
        sender.into_iter().chain(author).min()
    }

    /// How near a list names anybody who the message claims to be from.
    fn claimed(&self, set: &AddressSet) -> Option<Nearness> {
        let all = self.asked.authors().iter().chain([self.asked.sender()]);
        all.filter_map(|who| set.nearest(who)).min()
    }
}

impl Settings {
    /// Whose settings these are, for people.
    pub(super) fn scope(&self, index: usize) -> String {
        self.scoped.get(index).map_or(String::new(), |s| match s.line {
            Some(line) => format!("settings of {} (line {line})", s.name),
            None => format!("settings of {}", s.name),
        })
    }
}
