//! The table of rules, put together from the files that hold them.

use super::{case::Case, links, pages, sender, thread, wishes};
use crate::{
    spam::Seen,
    verdict::{Attack, Points},
};
use std::sync::LazyLock;

/// A rule of this room.
#[derive(Debug)]
pub struct Rule {
    /// Id of the finding.
    pub id: &'static str,
    /// Points unless the configuration says otherwise.
    pub weight: Points,
    /// The attack of which it is a sign.
    pub attack: Attack,
    /// Why this counts.
    pub source: &'static str,
    /// What the rule says, as one sentence.
    pub about: &'static str,
    /// Whether the rule hits, and what it saw; `None` for a rule that waits for authentication.
    pub(super) run: Option<fn(&Case<'_, '_>) -> Option<Seen>>,
}

/// All rules, sorted by id. Points are measured on real mail, so that ordinary mail stays below one and a half.
pub static RULES: LazyLock<Vec<&'static Rule>> = LazyLock::new(|| {
    let tables = [links::RULES, pages::RULES, sender::RULES, thread::RULES, wishes::RULES];
    let mut rules: Vec<&Rule> = tables.into_iter().flatten().chain([&sender::OWN_DOMAIN]).collect();
    rules.sort_by_key(|rule| rule.id);
    rules
});

/// One row: id, hundredths of points, attack, why it counts, what it says, and the function that looks.
pub(super) const fn rule(
    id: &'static str,
    hundredths: i32,
    attack: Attack,
    source: &'static str,
    about: &'static str,
    run: fn(&Case<'_, '_>) -> Option<Seen>,
) -> Rule {
    Rule { id, weight: Points::hundredths(hundredths), attack, source, about, run: Some(run) }
}
