//! `[reputation.learned]` and `[correspondents]`: what the site's own mail has taught.

use super::{diagnostic::Faults, reader::Table};
use crate::{
    reputation::{correspondents, learned},
    verdict::Points,
};
use std::{path::PathBuf, time::Duration};

/// Shortest times: counts are kept by the day.
const DAY: Duration = Duration::from_secs(86_400);

/// Reads `[reputation.learned]`.
pub(super) fn read(table: &mut Table<'_>, faults: &mut Faults<'_>) -> learned::Settings {
    let default = learned::Settings::default();
    let enabled = table.boolean("enabled", default.enabled, faults);
    let span = table.span.clone();
    let half_life = table.duration("half_life", default.half_life, faults);
    let remember = table.duration("remember", default.remember.max(half_life), faults);
    if half_life < DAY || remember < half_life {
        let message = "reputation.learned.half_life must be at least \"1d\", and remember at least half_life";
        faults.at(span.clone(), message.to_owned());
    }
    let confidence = table.integer("confidence", 1..=1_000_000, default.confidence, faults);
    let max_points = table.points("max_points", default.max_points, faults);
    let min_points = table.points("min_points", default.min_points, faults);
    if max_points < Points::ZERO || min_points > Points::ZERO {
        let message = "reputation.learned.max_points must not be negative, and min_points not positive";
        faults.at(span, message.to_owned());
    }
    let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    let asn_database = table.parsed("asn_database", "a path", path, faults);
    learned::Settings { enabled, half_life, remember, confidence, max_points, min_points, asn_database }
}

/// Reads `[correspondents]`.
pub(super) fn read_correspondents(root: &mut Table<'_>, faults: &mut Faults<'_>) -> correspondents::Settings {
    let default = correspondents::Settings::default();
    let mut table = root.section("correspondents", faults);
    let enabled = table.boolean("enabled", default.enabled, faults);
    let span = table.span.clone();
    let remember = table.duration("remember", default.remember, faults);
    if remember < DAY {
        faults.at(span, "correspondents.remember must be at least \"1d\"".to_owned());
    }
    let mut points = table.section("points", faults);
    let settings = correspondents::Settings {
        enabled,
        remember,
        recipient_points: points.points("recipient", default.recipient_points, faults),
        site_points: points.points("site", default.site_points, faults),
        domain_points: points.points("domain", default.domain_points, faults),
    };
    points.finish(faults);
    table.finish(faults);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::read_text;

    fn read_learned(text: &str) -> (learned::Settings, Vec<String>) {
        read_text(text, |root, faults| {
            let mut table = root.section("learned", faults);
            let settings = read(&mut table, faults);
            table.finish(faults);
            settings
        })
    }

    #[test]
    fn learned_reputation_is_read_and_its_faults_are_named() {
        let (settings, faults) = read_learned(
            "[learned]\nhalf_life = \"7d\"\nremember = \"20d\"\nconfidence = 5\nmax_points = 2.5\nmin_points = -1\n\
             asn_database = \"/srv/asn.mmdb\"\n",
        );
        assert_eq!(faults, [""; 0]);
        let expected = learned::Settings {
            enabled: true,
            half_life: 7 * DAY,
            remember: 20 * DAY,
            confidence: 5,
            max_points: Points::hundredths(250),
            min_points: Points::hundredths(-100),
            asn_database: Some("/srv/asn.mmdb".into()),
        };
        assert_eq!(settings, expected);
        assert_eq!(read_learned("").0, learned::Settings::default());
        let (long, faults) = read_learned("[learned]\nhalf_life = \"60d\"\n");
        assert_eq!((long.remember, faults.len()), (60 * DAY, 0), "counts live at least as long as their half-life");
        let bad = "[learned]\nhalf_life = \"1h\"\nconfidence = 0\nmax_points = -1\nasn_databse = \"x\"\n";
        let (_, faults) = read_learned(bad);
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(faults.iter().any(|fault| fault.contains("did you mean \"asn_database\"?")), "{faults:?}");
    }

    #[test]
    fn correspondents_are_read_and_their_faults_are_named() {
        let (settings, faults) = read_text(
            "[correspondents]\nremember = \"30d\"\n[correspondents.points]\nrecipient = -3\ndomain = 0\n",
            read_correspondents,
        );
        assert_eq!(faults, [""; 0]);
        let expected = correspondents::Settings {
            remember: 30 * DAY,
            recipient_points: Points::hundredths(-300),
            domain_points: Points::ZERO,
            ..correspondents::Settings::default()
        };
        assert_eq!(settings, expected);
        let bad = "[correspondents]\nenabled = \"yes\"\nremember = \"1h\"\n[correspondents.points]\nuser = 1\n";
        assert_eq!(read_text(bad, read_correspondents).1.len(), 3);
    }
}
