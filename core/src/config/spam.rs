//! `[spam]`: weights of the content rules.

use super::{
    diagnostic::{Faults, did_you_mean},
    reader::{Table, points_of},
};
use crate::spam::{RULES, Settings};
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
    table.finish(faults);
    settings
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
    use crate::verdict::Points;

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
