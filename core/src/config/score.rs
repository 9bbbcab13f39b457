//! The `[score]` table.

use super::{
    diagnostic::{Faults, did_you_mean},
    reader::{Table, points_of},
};
use crate::{
    score::{FAMILIES, FindingPattern, Overrides, PatternError, Settings, Thresholds},
    verdict::Points,
};
use std::ops::Range;
use toml::Spanned;

/// Reads `[score]`: `tag`, `reject`, and `[score.points]` with points by finding.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let mut score = root.section("score", faults);
    let default = Thresholds::default();
    let span = score.span.clone();
    let thresholds = Thresholds {
        tag: score.points("tag", default.tag, faults),
        reject: score.points("reject", default.reject, faults),
    };
    check_order(thresholds.tag, thresholds.reject, span, faults);
    let mut entries = Vec::new();
    if let Some(mut points) = score.table("points", faults) {
        for (key, key_span, value_span, value) in points.take_rest() {
            match points_of(&value) {
                Some(weight) => entries
                    .extend(finding_pattern(&Spanned::new(key_span, key), faults).map(|pattern| (pattern, weight))),
                None => points.wrong_type(&key, value_span, "a number of points such as 2.5", &value, faults),
            }
        }
    }
    score.finish(faults);
    Settings { thresholds, overrides: Overrides::new(entries) }
}

/// Reports thresholds in the wrong order.
pub(super) fn check_order(tag: Points, reject: Points, span: Range<usize>, faults: &mut Faults<'_>) {
    if tag > reject {
        faults.at(
            span,
            format!("tag ({tag}) is above reject ({reject}); a message would be refused before it is marked"),
        );
    }
}

/// A finding id or family, or a fault with advice.
pub(super) fn finding_pattern(text: &Spanned<String>, faults: &mut Faults<'_>) -> Option<FindingPattern> {
    let word = text.get_ref();
    match FindingPattern::parse(word) {
        Ok(pattern) => Some(pattern),
        Err(PatternError::Family) => {
            let family = word.split('.').next().unwrap_or_default().to_lowercase();
            let advice = match did_you_mean(&family, FAMILIES.iter().copied()) {
                none if none.is_empty() => format!("; known families: {}", FAMILIES.join(", ")),
                some => some,
            };
            faults.at(text.span(), format!("\"{word}\" {}{advice}", PatternError::Family));
            None
        }
        Err(error) => {
            faults.at(text.span(), format!("\"{word}\" {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::SourceText;
    use toml::de::DeTable;

    fn load(text: &str) -> (Settings, Vec<String>) {
        let source = SourceText { name: "mailward.toml".into(), text: text.into() };
        let mut faults = Faults::new(&source);
        let mut root = Table::root(DeTable::parse(&source.text).expect("TOML"));
        let settings = read(&mut root, &mut faults);
        root.finish(&mut faults);
        (settings, faults.into_diagnostics().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn thresholds_and_points_are_read() {
        let (settings, faults) =
            load("[score]\ntag = 4\nreject = 12.5\n[score.points]\n\"dnsbl.*\" = 0\n\"spf.fail\" = 3.5\n");
        assert_eq!(faults, [""; 0]);
        assert_eq!(settings.thresholds.reject, Points::hundredths(1250));
        assert_eq!(settings.overrides.apply("dnsbl.zen", Points::hundredths(600)), Points::ZERO);
        assert_eq!(settings.overrides.apply("spf.fail", Points::ZERO), Points::hundredths(350));
        assert_eq!(load("").0, Settings::default());
    }

    #[test]
    fn slips_are_reported_with_advice() {
        let (_, faults) = load(
            "[score]\ntag = 20\nrejekt = 3\n[score.points]\n\"dsnbl.zen\" = 1\nspf = 2\n\"spf.fail\" = \"much\"\n",
        );
        assert_eq!(
            faults,
            [
                "mailward.toml:1:1: tag (20.00) is above reject (15.00); a message would be refused before it is marked",
                "mailward.toml:3:1: unknown key \"rejekt\"; did you mean \"reject\"?",
                "mailward.toml:5:1: \"dsnbl.zen\" names no known family of findings; did you mean \"dnsbl\"?",
                "mailward.toml:6:1: \"spf\" must be an id such as \"spf.fail\" or a family such as \"dnsbl.*\"",
                "mailward.toml:7:14: score.points.spf.fail is \"much\", must be a number of points such as 2.5",
            ]
        );
    }
}
