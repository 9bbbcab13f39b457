//! `[rates]`: floods.

use super::{diagnostic::Faults, reader::Table};
use crate::reputation::rates::{Counts, Settings};
use std::time::Duration;

/// Largest count that makes sense as a limit. Unit: connections, messages or recipients.
const COUNT: u64 = 1_000_000_000;
/// Longest window. Longer ones belong to blocks, not to rates.
const WINDOW: Duration = Duration::from_secs(86_400);

/// Reads `[rates]` and `[rates.site]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let default = Settings::default();
    let mut table = root.section("rates", faults);
    let network = counts(&mut table, default.network, faults);
    let mut of_site = table.section("site", faults);
    let site = counts(&mut of_site, default.site, faults);
    let site_at_once = of_site.integer("at_once", 0..=COUNT, default.site_at_once, faults);
    of_site.finish(faults);
    let settings = Settings {
        mode: table.choice("mode", &["off", "observe", "enforce"], default.mode, faults),
        window: table.duration("window", default.window, faults),
        network,
        network_at_once: table.integer("at_once", 0..=COUNT, default.network_at_once, faults),
        site,
        site_at_once,
        trusted_factor: table.integer("trusted_factor", 1..=1_000_000, default.trusted_factor, faults),
        delay: table.duration("delay", default.delay, faults),
    };
    if settings.window < Duration::from_secs(1) || settings.window > WINDOW {
        let message = format!("rates.window is {:?}, must be \"1s\" to \"1d\"", settings.window);
        faults.at(table.span.clone(), message);
    }
    table.finish(faults);
    settings
}

fn counts(table: &mut Table<'_>, default: Counts, faults: &mut Faults<'_>) -> Counts {
    Counts {
        connections: table.integer("connections", 0..=COUNT, default.connections, faults),
        messages: table.integer("messages", 0..=COUNT, default.messages, faults),
        recipients: table.integer("recipients", 0..=COUNT, default.recipients, faults),
        bytes: table.size_or_none("bytes", usize::try_from(default.bytes).unwrap_or(usize::MAX), faults) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::testing::read_text, reputation::rates::Mode};

    #[test]
    fn rates_are_read_and_their_faults_are_named() {
        let text = "[rates]\nmode = \"observe\"\nwindow = \"10m\"\nmessages = 100\nbytes = \"1 MiB\"\nat_once = 0\n\
                    [rates.site]\nconnections = 5\nat_once = 9\n";
        let (settings, faults) = read_text(text, read);
        let default = Settings::default();
        let expected = Settings {
            mode: Mode::Observe,
            window: Duration::from_secs(600),
            network: Counts { messages: 100, bytes: 1 << 20, ..default.network },
            network_at_once: 0,
            site: Counts { connections: 5, ..default.site },
            site_at_once: 9,
            ..default
        };
        assert_eq!((settings, faults), (expected, vec![]));
        let (_, faults) =
            read_text("[rates]\nmode = \"of\"\nwindow = \"0s\"\nmesages = 1\n[rates.site]\nbytes = -1\n", read);
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(faults.iter().any(|fault| fault.contains("did you mean \"off\"?")), "{faults:?}");
        assert_eq!(read_text("", read), (default, vec![]));
    }
}
