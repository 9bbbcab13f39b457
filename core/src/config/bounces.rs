//! `[bounces]`: notifications that nobody here caused.

use super::{diagnostic::Faults, reader::Table};
use crate::recipients::bounces::Settings;

/// Reads `[bounces]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let default = Settings::default();
    let mut table = root.section("bounces", faults);
    let settings = Settings {
        single_recipient: table.boolean("single_recipient", default.single_recipient, faults),
        per_recipient: table.integer("per_recipient", 0..=1_000_000, default.per_recipient, faults),
        window: table.duration("window", default.window, faults),
    };
    table.finish(faults);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::directory::tests::read_with;
    use std::time::Duration;

    #[test]
    fn bounces_are_read_and_their_faults_are_named() {
        let text = "[bounces]\nsingle_recipient = false\nper_recipient = 5\nwindow = \"10m\"\n";
        let (settings, faults) = read_with(text, read);
        let expected = Settings { single_recipient: false, per_recipient: 5, window: Duration::from_secs(600) };
        assert_eq!((settings, faults.len()), (expected, 0));
        let (settings, faults) = read_with("[bounces]\nper_recipient = \"many\"\nper_recipent = 3\n", read);
        assert_eq!((settings, faults.len()), (Settings::default(), 2), "{faults:?}");
    }
}
