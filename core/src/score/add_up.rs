//! The sum.

use super::{FindingPattern, Overrides, Standing};
use crate::verdict::{Card, Finding, Points};

/// Weighs the findings, sorts them by id and then evidence, and adds them up.
///
/// Findings of one id count once, the worst of them: five broken signatures are one observation, and a sender must not
/// be able to pile up points (or praise) by repetition. The others stay on the card with zero points, so that the
/// total is always the sum of what is printed. A finding reported twice with the same evidence is one.
pub fn add_up(mut findings: Vec<Finding>, overrides: &Overrides) -> Card {
    for finding in &mut findings {
        finding.points = overrides.apply(&finding.id, finding.points);
    }
    findings.sort_by(|a, b| {
        (&a.id, &a.evidence).cmp(&(&b.id, &b.evidence)).then(b.points.cmp(&a.points)).then(a.source.cmp(&b.source))
    });
    findings.dedup_by(|later, earlier| later.id == earlier.id && later.evidence == earlier.evidence);
    for same in findings.chunk_by_mut(|a, b| a.id == b.id) {
        let worst = same.iter().map(|f| f.points).max().unwrap_or_default();
        let mut counted = false;
        for finding in same {
            if counted || finding.points != worst {
                finding.points = Points::ZERO;
            } else {
                counted = true;
            }
        }
    }
    let total = findings.iter().map(|f| f.points).sum();
    Card { findings, total }
}

/// Where the message stands for a recipient for whom the findings of `skip` do not count.
pub fn standing(card: &Card, skip: &[FindingPattern]) -> Standing {
    let mut standing = Standing::default();
    for finding in card.findings.iter().filter(|f| !skip.iter().any(|s| s.matches(&f.id))) {
        standing.total = standing.total.plus(finding.points);
        if !is_learned(&finding.id) {
            standing.without_learned = standing.without_learned.plus(finding.points);
        }
    }
    standing
}

/// Whether the points come from what the site's mail taught: they alone never refuse.
fn is_learned(id: &str) -> bool {
    id.starts_with("reputation.learned.") || id.starts_with("learned.") || id == "spam.classifier"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &'static str, points: i32, fact: &str) -> Finding {
        Finding::new(id, Points::hundredths(points), "test").fact(fact)
    }

    #[test]
    fn the_card_is_the_same_in_whatever_order_findings_arrive() {
        let findings = vec![
            finding("spf.fail", 200, "x.test"),
            finding("dkim.fail", 100, "b.test"),
            finding("dkim.fail", 100, "a.test"),
            finding("dnsbl.zen", 600, "192.0.2.7"),
        ];
        let card = add_up(findings.clone(), &Overrides::default());
        let reversed = add_up(findings.into_iter().rev().collect(), &Overrides::default());
        assert_eq!(card, reversed);
        let ids: Vec<_> = card.findings.iter().map(|f| (f.id.as_ref(), f.points.as_hundredths())).collect();
        assert_eq!(ids, [("dkim.fail", 100), ("dkim.fail", 0), ("dnsbl.zen", 600), ("spf.fail", 200)]);
        assert_eq!(card.total, Points::hundredths(900));
    }

    #[test]
    fn of_findings_with_one_id_the_worst_counts() {
        let card = add_up(
            vec![finding("dnsbl.zen", 300, "a"), finding("dnsbl.zen", 600, "b"), finding("dnsbl.zen", 600, "c")],
            &Overrides::default(),
        );
        assert_eq!(card.total, Points::hundredths(600));
        let praise = add_up(vec![finding("dnswl.x", -500, "a"), finding("dnswl.x", -100, "b")], &Overrides::default());
        assert_eq!(praise.total, Points::hundredths(-100));
    }

    #[test]
    fn a_finding_reported_twice_stands_once() {
        let card = add_up(vec![finding("spf.fail", 100, "a"), finding("spf.fail", 200, "a")], &Overrides::default());
        assert_eq!((card.findings.len(), card.total), (1, Points::hundredths(200)));
    }

    #[test]
    fn skipped_findings_do_not_count_for_the_recipient() {
        let card = add_up(
            vec![finding("spf.fail", 100, "a"), finding("dnsbl.zen", 600, "b"), finding("spam.classifier", 50, "c")],
            &Overrides::default(),
        );
        let skip = [FindingPattern::parse("dnsbl.*").expect("a pattern")];
        let standing = standing(&card, &skip);
        assert_eq!(
            (standing.total.as_hundredths(), standing.without_learned.as_hundredths()),
            (150, 100),
            "the list is skipped, the classifier is learned"
        );
    }
}
