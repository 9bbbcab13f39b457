//! What each rule does on labelled mail.

use super::judging::Verdict;
use mailward_core::{spam::classifier::Class, verdict::Points};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A rule and the messages that it hit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) ham: u64,
    pub(super) spam: u64,
    /// Of the messages hit, the share that is spam.
    pub(super) precision: f64,
    /// How many times as often it hits spam as ham, each as a share of its class; `None`: it never hits ham.
    pub(super) lift: Option<f64>,
    /// Mean of the points that it gave.
    pub(super) points: f64,
    /// Ham and spam hit in each group.
    pub(super) groups: BTreeMap<String, [u64; 2]>,
}

/// Counts what the findings of verdicts hit. The rules that hit most spam stand first.
pub(super) fn table<'v>(verdicts: impl Iterator<Item = (&'v str, Class, &'v Verdict)>) -> Vec<Rule> {
    let mut all = [0_u64; 2];
    let mut rules: BTreeMap<&str, (BTreeMap<String, [u64; 2]>, i64)> = BTreeMap::new();
    for (group, class, verdict) in verdicts {
        all[class as usize] += 1;
        // A finding may stand there more than once: it is one hit, with all its points.
        let ids: BTreeSet<&str> = verdict.findings.iter().map(|(id, _)| id.as_str()).collect();
        for id in ids {
            let (groups, points) = rules.entry(id).or_default();
            groups.entry(group.to_owned()).or_default()[class as usize] += 1;
            let own = verdict.findings.iter().filter(|(finding, _)| finding == id);
            *points += i64::from(own.map(|(_, points)| *points).sum::<Points>().as_hundredths());
        }
    }
    let rule = |(id, (groups, points)): (&str, (BTreeMap<String, [u64; 2]>, i64))| {
        let [ham, spam] = groups.values().fold([0, 0], |sum, hits| [sum[0] + hits[0], sum[1] + hits[1]]);
        let share = |hits: u64, all: u64| hits as f64 / all.max(1) as f64;
        Rule {
            id: id.to_owned(),
            ham,
            spam,
            precision: share(spam, ham + spam),
            lift: (ham > 0 && all[1] > 0).then(|| share(spam, all[1]) / share(ham, all[0])),
            points: points as f64 / 100.0 / (ham + spam) as f64,
            groups,
        }
    };
    let mut rules: Vec<Rule> = rules.into_iter().map(rule).collect();
    rules.sort_by(|a, b| (b.spam, b.ham, &a.id).cmp(&(a.spam, a.ham, &b.id)));
    rules
}

/// Content rules that hit nothing.
pub(super) fn silent(rules: &[Rule], disabled: &BTreeSet<String>) -> Vec<&'static str> {
    let hit: BTreeSet<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let ids = mailward_core::spam::RULES.iter().map(|rule| rule.id);
    ids.filter(|id| !hit.contains(id) && !disabled.contains(*id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_counted_once_a_message_and_lift_compares_shares_of_the_classes() {
        let verdict = |findings: &[(&str, i32)]| Verdict {
            points: Points::ZERO,
            word: "deliver".to_owned(),
            findings: findings.iter().map(|(id, points)| ((*id).to_owned(), Points::hundredths(*points))).collect(),
        };
        let ham = [verdict(&[("a", 100)]), verdict(&[]), verdict(&[]), verdict(&[])];
        let spam = [verdict(&[("a", 100), ("a", 50), ("b", 10)]), verdict(&[("a", 100)])];
        let all = ham.iter().map(|v| ("x", Class::Ham, v)).chain(spam.iter().map(|v| ("y", Class::Spam, v)));
        let rules = table(all);
        let groups = BTreeMap::from([("x".to_owned(), [1, 0]), ("y".to_owned(), [0, 2])]);
        let (precision, points) = (2.0 / 3.0, 3.5 / 3.0);
        assert_eq!(rules[0], Rule { id: "a".into(), ham: 1, spam: 2, precision, lift: Some(4.0), points, groups });
        assert_eq!((rules[1].id.as_str(), rules[1].lift, rules[1].precision), ("b", None, 1.0));
        let disabled = BTreeSet::from([mailward_core::spam::RULES[0].id.to_owned()]);
        assert_eq!(silent(&rules, &disabled).len(), mailward_core::spam::RULES.len() - 1);
    }
}
