//! `[spam]`: weights of the content rules, bounds of the classifier, and SpamAssassin rule files.

use super::{diagnostic::Faults, reader::Table, rule_weights};
use crate::{
    spam::{RULES, Settings, classifier, spamassassin},
    verdict::Points,
};
use std::path::PathBuf;

/// Reads `[spam]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let mut table = root.section("spam", faults);
    let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    let (overrides, disabled) = rule_weights::read(&mut table, "content", &ids, faults);
    let mut settings = Settings { overrides, disabled, ..Settings::default() };
    classifier(&mut settings.classifier, &mut table, faults);
    spamassassin(&mut settings.spamassassin, &mut table, faults);
    table.finish(faults);
    settings
}

/// `[spam.spamassassin]`.
fn spamassassin(settings: &mut spamassassin::Settings, spam: &mut Table<'_>, faults: &mut Faults<'_>) {
    let mut table = spam.section("spamassassin", faults);
    let path = |text: &str| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
    let rules = table.parsed_list("rules", "an absolute path of a rule file or a folder of rule files", path, faults);
    settings.rules = rules.unwrap_or_default();
    let place = table.place("scale");
    let scale = table.points("scale", settings.scale, faults);
    match place {
        Some(place) if scale < Points::ZERO => {
            faults.at(place, format!("spam.spamassassin.scale is {scale}, must be 0 or more"));
        }
        _ => settings.scale = scale,
    }
    signed(&mut settings.max, "max", true, &mut table, faults);
    signed(&mut settings.min, "min", false, &mut table, faults);
    let is_language = |text: &str| {
        let known = (2..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
        known.then(|| text.to_owned())
    };
    if let Some(language) = table.parsed("language", "a language such as \"en\" or \"de_AT\"", is_language, faults) {
        settings.language = language;
    }
    table.finish(faults);
}

/// A bound that must not have the other sign.
fn signed(bound: &mut Points, key: &'static str, positive: bool, table: &mut Table<'_>, faults: &mut Faults<'_>) {
    let place = table.place(key);
    let points = table.points(key, *bound, faults);
    match place {
        Some(place) if (points > Points::ZERO) != positive && points != Points::ZERO => {
            let sign = if positive { "0 or more" } else { "0 or less" };
            faults.at(place, format!("{} is {points}, must be {sign}", table.path_of(key)));
        }
        _ => *bound = points,
    }
}

/// Largest `classifier_after`. Unit: messages. Source: our own limit, far beyond what makes a difference.
const MOST_AFTER: u64 = 100_000;

fn classifier(settings: &mut classifier::Settings, table: &mut Table<'_>, faults: &mut Faults<'_>) {
    settings.enabled = table.boolean("classifier", settings.enabled, faults);
    let bounds = &mut settings.bounds;
    bounds.base = table.boolean("classifier_base", bounds.base, faults);
    bounds.after = table.integer("classifier_after", 1..=MOST_AFTER, bounds.after, faults);
    signed(&mut bounds.spam, "classifier_max", true, table, faults);
    signed(&mut bounds.ham, "classifier_min", false, table, faults);
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
    fn rule_files_of_spamassassin_are_named_with_their_bounds() {
        let text = "[spam.spamassassin]\nrules = [\"/usr/share/spamassassin\"]\nscale = 0.5\nmax = 3\nmin = 0\nlanguage = \"de\"\n";
        let (settings, faults) = read_text(text, read);
        assert_eq!(faults, [""; 0]);
        let expected = spamassassin::Settings {
            rules: vec!["/usr/share/spamassassin".into()],
            scale: Points::hundredths(50),
            max: Points::hundredths(300),
            min: Points::ZERO,
            language: "de".to_owned(),
        };
        assert_eq!(settings.spamassassin, expected);
        let text =
            "[spam.spamassassin]\nrules = \"rules\"\nscale = -1\nmax = -2\nmin = 2\nlanguage = \"\"\nscales = 1\n";
        let (settings, faults) = read_text(text, read);
        assert_eq!(settings, Settings::default());
        assert_eq!(
            faults,
            [
                "test.toml:2:9: spam.spamassassin.rules is \"rules\", must be an absolute path of a rule file or a folder of rule files",
                "test.toml:3:9: spam.spamassassin.scale is -1.00, must be 0 or more",
                "test.toml:4:7: spam.spamassassin.max is -2.00, must be 0 or more",
                "test.toml:5:7: spam.spamassassin.min is 2.00, must be 0 or less",
                "test.toml:6:12: spam.spamassassin.language is \"\", must be a language such as \"en\" or \"de_AT\"",
                "test.toml:7:1: unknown key \"scales\"; did you mean \"scale\"?",
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
