//! Findings to points to a card.

mod add_up;
mod pattern;
mod thresholds;

pub use add_up::{add_up, standing};
pub use pattern::{FAMILIES, FindingPattern, PatternError};
pub use thresholds::{Level, Standing, Thresholds};

use crate::verdict::Points;

/// How findings are weighed at this site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Thresholds of the organisation; users, groups and domains may have their own.
    pub thresholds: Thresholds,
    /// Points that replace those of the rooms.
    pub overrides: Overrides,
}

/// Points that the site gives to findings in place of the built-in ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Most specific first.
    entries: Vec<(FindingPattern, Points)>,
}

impl Overrides {
    /// Orders the entries so that the most specific pattern wins: a whole id, then the longest family.
    pub fn new(mut entries: Vec<(FindingPattern, Points)>) -> Self {
        entries.sort_by(|(a, _), (b, _)| b.cmp_specific(a).then_with(|| a.cmp(b)));
        Overrides { entries }
    }

    /// The points of a finding after configuration.
    ///
    /// A wildcard leaves findings without points alone: those only inform (a lookup that failed, a test that passed),
    /// and `"dnsbl.*" = 2` must not turn them into evidence. A whole id always holds.
    pub fn apply(&self, id: &str, points: Points) -> Points {
        self.entries
            .iter()
            .find(|(pattern, _)| pattern.matches(id))
            .filter(|(pattern, _)| pattern.is_exact() || points != Points::ZERO)
            .map_or(points, |(_, own)| *own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(entries: &[(&str, i32)]) -> Overrides {
        Overrides::new(
            entries
                .iter()
                .map(|(p, v)| (FindingPattern::parse(p).expect("a pattern"), Points::hundredths(*v)))
                .collect(),
        )
    }

    #[test]
    fn the_most_specific_override_wins_in_any_order() {
        for entries in [
            [("dnsbl.*", 100), ("dnsbl.zen.*", 200), ("dnsbl.zen.sbl", 300)],
            [("dnsbl.zen.sbl", 300), ("dnsbl.*", 100), ("dnsbl.zen.*", 200)],
        ] {
            let overrides = overrides(&entries);
            let points = |id| overrides.apply(id, Points::hundredths(1)).as_hundredths();
            assert_eq!(
                (points("dnsbl.zen.sbl"), points("dnsbl.zen.pbl"), points("dnsbl.x"), points("spf.fail")),
                (300, 200, 100, 1)
            );
        }
    }

    #[test]
    fn a_wildcard_does_not_turn_information_into_evidence() {
        let wide = overrides(&[("dnsbl.*", 200)]);
        assert_eq!(wide.apply("dnsbl.trouble", Points::ZERO), Points::ZERO);
        let exact = overrides(&[("dnsbl.trouble", 200)]);
        assert_eq!(exact.apply("dnsbl.trouble", Points::ZERO), Points::hundredths(200));
    }
}
