//! `[spam]`: weights of the content rules, and bounds of the classifier.

use super::{
    diagnostic::{Faults, did_you_mean},
    reader::{Table, points_of},
};
use crate::{
    spam::{RULES, Settings, classifier},
    verdict::Points,
};
use std::ops::Range;

/// Reads `[spam]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let mut settings = Settings::default();
    let mut table = root.section("spam", faults);
    for id in table.strings("disabled", faults).unwrap_or_default() {
        if is_rule(id.get_ref(), id.span(), faults) {
            settings.disabled.insert(id.into_inner());
        }
    }
    if let Some(mut points) = table.table("points", faults) {
        let rows = points.take_rest();
        for (id, place, span, value) in rows {
            match points_of(&value) {
                Some(weight) if is_rule(&id, place, faults) => drop(settings.overrides.insert(id, weight)),
                Some(_) => {}
                None => points.wrong_type(&id, span, "a number of points such as 2.5", &value, faults),
            }
        }
    }
    classifier(&mut settings.classifier, &mut table, faults);
    table.finish(faults);
    settings
}

/// Largest `classifier_after`. Unit: messages. Source: our own limit, far beyond what makes a difference.
const MOST_AFTER: u64 = 100_000;

fn classifier(settings: &mut classifier::Settings, table: &mut Table<'_>, faults: &mut Faults<'_>) {
    settings.enabled = table.boolean("classifier", settings.enabled, faults);
    let bounds = &mut settings.bounds;
    bounds.base = table.boolean("classifier_base", bounds.base, faults);
    bounds.after = table.integer("classifier_after", 1..=MOST_AFTER, bounds.after, faults);
    for (key, bound, positive) in
        [("classifier_max", &mut bounds.spam, true), ("classifier_min", &mut bounds.ham, false)]
    {
        let place = table.place(key);
        let points = table.points(key, *bound, faults);
        match place {
            Some(place) if (points > Points::ZERO) != positive && points != Points::ZERO => {
                let sign = if positive { "0 or more" } else { "0 or less" };
                faults.at(place, format!("spam.{key} is {points}, must be {sign}"));
            }
            _ => *bound = points,
        }
    }
}

fn is_rule(id: &str, place: Range<usize>, faults: &mut Faults<'_>) -> bool {
    let known = RULES.iter().any(|rule| rule.id == id);
    if !known {
        let advice = did_you_mean(id, RULES.iter().map(|rule| rule.id));
        faults.at(place, format!("no content rule is named \"{id}\"{advice}"));
    }
    known
}

#[cfg(test)]
mod tests {
    use super::{super::testing::read_text, *};

    #[test]
    fn a_good_table_is_read() {
        let (settings, faults) =
            read_text("[spam]\ndisabled = [\"html.only\"]\n[spam.points]\n\"link.shortened\" = 2\n", read);
        assert_eq!(faults, [""; 0]);
        assert!(settings.disabled.contains("html.only"));
        assert_eq!(settings.overrides.get("link.shortened"), Some(&Points::hundredths(200)));
        assert_eq!(read_text("", read).0, Settings::default());
    }

    #[test]
    fn bounds_of_the_classifier_are_read_and_a_wrong_sign_is_a_fault() {
        let text = "[spam]\nclassifier = false\nclassifier_base = false\nclassifier_max = 3.5\nclassifier_min = 0\nclassifier_after = 200\n";
        let (settings, faults) = read_text(text, read);
        assert_eq!(faults, [""; 0]);
        assert!(!settings.classifier.enabled && !settings.classifier.bounds.base);
        let bounds = settings.classifier.bounds;
        assert_eq!((bounds.spam, bounds.ham, bounds.after), (Points::hundredths(350), Points::ZERO, 200));
        let text = "[spam]\nclassifier_max = -1\nclassifier_min = 2\nclassifier_after = 0\n";
        let (settings, faults) = read_text(text, read);
        assert_eq!(settings, Settings::default());
        assert_eq!(
            faults,
            [
                "test.toml:2:18: spam.classifier_max is -1.00, must be 0 or more",
                "test.toml:3:18: spam.classifier_min is 2.00, must be 0 or less",
                "test.toml:4:20: spam.classifier_after is 0, must be a whole number from 1 to 100000",
            ]
        );
    }

    #[test]
    fn an_unknown_rule_is_a_fault_with_advice() {
        let (settings, faults) = read_text(
            "[spam]\ndisabled = [\"html.onyl\"]\npoint = 1\n[spam.points]\n\"link.shortend\" = 2\n\"html.form\" = \"x\"\n",
            read,
        );
        assert_eq!(settings, Settings::default());
        assert_eq!(
            faults,
            [
                "test.toml:2:13: no content rule is named \"html.onyl\"; did you mean \"html.only\"?",
                "test.toml:3:1: unknown key \"point\"; did you mean \"points\"?",
                "test.toml:5:1: no content rule is named \"link.shortend\"; did you mean \"link.shortened\"?",
                "test.toml:6:15: spam.points.html.form is \"x\", must be a number of points such as 2.5",
            ]
        );
    }
}
