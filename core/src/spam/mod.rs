//! Content rules: one table row is id, weight, source, sentence and function.

mod body;
pub mod classifier;
mod coin;
mod facts;
mod from;
mod graymail;
mod header;
mod hosts;
mod html;
mod letters;
mod links;
mod mailer;
mod mime;
mod money;
mod phrases;
mod rules;
pub mod spamassassin;
mod subject;
mod tables;
mod wording;

pub use facts::Facts;
pub(crate) use hosts::{Kind, has_cheap_suffix, is_freemail, is_rewriter, kind, registered};
pub(crate) use phrases::{About, Counts, Table};
pub use rules::RULES;
pub(crate) use tables::rows;
pub(crate) use wording::is_invisible;

use crate::{
    message::Message,
    session::{Connection, Direction, Recipient, ReversePath},
    verdict::{Finding, Points},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a rule may look at: all facts that exist at the end of a message.
#[derive(Debug, Clone, Copy)]
pub struct AtEnd<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// Envelope sender.
    pub sender: &'a ReversePath,
    /// Accepted recipients.
    pub recipients: &'a [Recipient],
    /// Inbound or outbound.
    pub direction: Direction,
    /// The message.
    pub message: &'a Message<'a>,
    /// When the message ended, in Unix seconds.
    pub now: i64,
}

/// A content rule.
#[derive(Debug)]
pub struct Rule {
    /// Id of the finding.
    pub id: &'static str,
    /// Points unless the configuration says otherwise.
    pub weight: Points,
    /// Why this counts.
    pub source: &'static str,
    /// What the rule says, as one sentence.
    pub about: &'static str,
    /// Whether the rule hits, and what it saw.
    run: fn(&Facts<'_>) -> Option<Seen>,
}

/// What a rule saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The absence of something.
    Absence,
    /// An address, host or word of ours: may be stored.
    Fact(String),
    /// Words of the message: never stored.
    Text(String),
}

impl Seen {
    /// Puts what was seen to the finding.
    pub(crate) fn beside(self, finding: Finding) -> Finding {
        match self {
            Seen::Absence => finding,
            Seen::Fact(fact) => finding.fact(fact),
            Seen::Text(text) => finding.text(text),
        }
    }
}

/// Weights of the site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The statistical classifier.
    pub classifier: classifier::Settings,
    /// SpamAssassin rule files.
    pub spamassassin: spamassassin::Settings,
    /// Points by rule id that replace the weight of the table.
    pub overrides: BTreeMap<String, Points>,
    /// Rules that do not run.
    pub disabled: BTreeSet<String>,
}

/// Runs all rules. The findings stand in the order of the table, which is sorted by id.
pub fn judge(settings: &Settings, facts: &Facts<'_>) -> Vec<Finding> {
    RULES
        .iter()
        .filter(|rule| !settings.disabled.contains(rule.id))
        .filter_map(|rule| {
            let seen = (rule.run)(facts)?;
            let weight = settings.overrides.get(rule.id).copied().unwrap_or(rule.weight);
            Some(seen.beside(Finding::new(rule.id, weight, rule.source)).of_attack(rule.attack()))
        })
        .collect()
}

#[cfg(test)]
mod tests;
