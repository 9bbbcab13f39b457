//! The table of rules, put together from the files that hold them.

use super::{Rule, Seen, body, facts::Facts, from, graymail, header, html, letters, links, mailer, mime, subject};
use crate::verdict::Points;
use std::sync::LazyLock;

/// All rules, sorted by id. Points are measured on real mail, so that ordinary mail stays below one point;
/// what only names a kind of mail has none.
pub static RULES: LazyLock<Vec<&'static Rule>> = LazyLock::new(|| {
    let tables = [
        body::RULES,
        from::RULES,
        graymail::RULES,
        header::RULES,
        html::RULES,
        letters::RULES,
        links::RULES,
        mailer::RULES,
        mime::RULES,
        subject::RULES,
    ];
    let mut rules: Vec<&Rule> = tables.into_iter().flatten().collect();
    rules.sort_by_key(|rule| rule.id);
    rules
});

/// One row: id, hundredths of points, why it counts, what it says, and the function that looks.
pub(super) const fn rule(
    id: &'static str,
    hundredths: i32,
    source: &'static str,
    about: &'static str,
    run: fn(&Facts<'_>) -> Option<Seen>,
) -> Rule {
    Rule { id, weight: Points::hundredths(hundredths), source, about, run }
}
