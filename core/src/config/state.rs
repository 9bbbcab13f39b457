//! `[state]`: where state is kept.

use super::{diagnostic::Faults, reader::Table};
use crate::store::Settings;
use std::path::PathBuf;

/// Reads `[state]`.
pub fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let default = Settings::default();
    let Some(mut table) = root.table("state", faults) else { return default };
    let dir =
        table.parsed("dir", "an absolute path", |text| text.starts_with('/').then(|| PathBuf::from(text)), faults);
    let days = table.integer("history_days", 1..=3650, default.history_days.into(), faults);
    table.finish(faults);
    Settings { dir: dir.unwrap_or(default.dir), history_days: u32::try_from(days).unwrap_or(default.history_days) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::directory::tests::read_with;

    #[test]
    fn state_is_read_and_its_faults_are_named() {
        let (settings, faults) = read_with("[state]\ndir = \"/srv/mail state\"\nhistory_days = 7\n", read);
        assert_eq!(settings, Settings { dir: "/srv/mail state".into(), history_days: 7 });
        assert_eq!(faults, [""; 0]);
        let (settings, faults) = read_with("[state]\ndir = \"here\"\nhistory_days = 0\nday = 1\n", read);
        assert_eq!(settings, Settings::default());
        assert_eq!(faults.len(), 3, "{faults:?}");
    }
}
