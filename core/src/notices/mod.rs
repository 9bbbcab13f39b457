//! Notices: who is told by mail what a policy did, and in which words.

mod compose;

pub use compose::{About, compose, is_ours};

use crate::{
    policy::{self, Facts, Told},
    session::{Address, ReversePath},
};
use std::collections::BTreeMap;

/// Settings of notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// In whose name they go; nothing is sent without.
    pub from: Option<Address>,
    /// Who `administrator` is.
    pub administrators: Vec<Address>,
    /// Most notices to one address within an hour; further ones are dropped. Unit: notices.
    pub per_hour: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { from: None, administrators: Vec::new(), per_hour: 20 }
    }
}

/// A notice that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// To whom, without brackets.
    pub to: String,
    /// Whether it goes to the sender of the message, who is told less.
    pub is_for_sender: bool,
    /// What it tells: policy, recipient, disposition.
    pub told: Vec<Told>,
}

/// Who is told, and in words who is told and who is not.
pub fn plan(
    settings: &Settings,
    policies: &policy::Settings,
    told: &[Told],
    facts: &Facts<'_>,
    sender_is_proved: bool,
) -> (Vec<Notice>, Vec<String>) {
    let mut notices: BTreeMap<String, Notice> = BTreeMap::new();
    let mut explained = Vec::new();
    if told.is_empty() || settings.from.is_none() {
        return (Vec::new(), Vec::new());
    }
    let why_not = why_not_the_sender(facts, sender_is_proved);
    for one in told {
        let Some(notify) = policies.policies.get(one.policy).map(|policy| &policy.notify) else { continue };
        let administrators = settings.administrators.iter().filter(|_| notify.administrator);
        let others = administrators.chain(&notify.addresses).map(|address| (address, false));
        let sender = facts.sender.mailbox().filter(|_| notify.sender && why_not.is_none()).map(|sender| (sender, true));
        for (address, is_for_sender) in others.chain(sender) {
            let notice = notices.entry(address.key()).or_insert_with(|| Notice {
                to: address.raw.clone(),
                is_for_sender,
                told: Vec::new(),
            });
            // Who hears of it as administrator hears all.
            notice.is_for_sender &= is_for_sender;
            if !notice.told.contains(one) {
                notice.told.push(one.clone());
            }
        }
        let silence = why_not.filter(|_| notify.sender).map(|why| format!("not to the sender: {why}"));
        explained.extend(silence.filter(|silence| !explained.contains(silence)));
    }
    let name = |told: &Told| policies.policies.get(told.policy).map_or("", |policy| &policy.name);
    for notice in notices.values() {
        let mut names: Vec<String> = notice.told.iter().map(|told| format!("policy \"{}\"", name(told))).collect();
        names.dedup();
        explained.push(format!("to {}: {}", notice.to, names.join(", ")));
    }
    explained.sort();
    (notices.into_values().collect(), explained)
}

/// Why the sender must not be told: an answer to forged or automatic mail hits somebody who has not asked for it (RFC 3834 §2).
fn why_not_the_sender(facts: &Facts<'_>, is_proved: bool) -> Option<&'static str> {
    let is_list = |name| has_field(facts, name, |_| true);
    let precedence = |value: &str| ["bulk", "list", "junk"].iter().any(|word| value.eq_ignore_ascii_case(word));
    match facts.sender {
        ReversePath::Null => Some("it is the null sender"),
        _ if has_field(facts, "Auto-Submitted", |value| !value.eq_ignore_ascii_case("no")) => {
            Some("the message was sent by a program")
        }
        _ if ["List-Id", "List-Unsubscribe", "List-Post"].into_iter().any(is_list)
            || has_field(facts, "Precedence", precedence) =>
        {
            Some("the message came from a list")
        }
        _ if !is_proved => Some("neither SPF nor DKIM proves that the message is his"),
        _ => None,
    }
}

fn has_field(facts: &Facts<'_>, name: &str, fits: impl Fn(&str) -> bool) -> bool {
    let mut fields = facts.message.headers.iter();
    fields.any(|(n, value)| n.trim_end().eq_ignore_ascii_case(name) && fits(value.trim()))
}

#[cfg(test)]
mod tests;
