//! `[greylist]`: senders nobody knows are asked to try again.

use super::{diagnostic::Faults, directory::domain, reader::Table};
use crate::{
    recipients::greylist::{Mode, Settings},
    reputation::parse_network,
};

/// Reads `[greylist]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let default = Settings::default();
    let mut table = root.section("greylist", faults);
    let network = "an address or a network such as \"192.0.2.0/24\"";
    let settings = Settings {
        mode: table.choice("mode", &["off", "observe", "enforce"], Mode::Off, faults),
        delay: table.duration("delay", default.delay, faults),
        retry_window: table.duration("retry_window", default.retry_window, faults),
        lifetime: table.duration("lifetime", default.lifetime, faults),
        passes: table.integer("passes", 0..=1_000_000, default.passes, faults),
        from_points: table.points("from_points", default.from_points, faults),
        exempt_networks: table.parsed_list("exempt_networks", network, parse_network, faults).unwrap_or_default(),
        exempt_domains: table
            .parsed_list("exempt_domains", "a domain such as \"example.com\"", domain, faults)
            .unwrap_or_default(),
    };
    let span = table.span.clone();
    if settings.retry_window <= settings.delay {
        faults.at(
            span.clone(),
            "greylist.retry_window is not longer than greylist.delay: nobody could come back in time",
        );
    }
    if settings.lifetime < settings.retry_window {
        faults.at(span, "greylist.lifetime is shorter than greylist.retry_window, must be at least as long");
    }
    table.finish(faults);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::directory::tests::read_with, verdict::Points};
    use std::time::Duration;

    #[test]
    fn greylisting_is_read_and_its_faults_are_named() {
        let text = "[greylist]\nmode = \"enforce\"\ndelay = \"1m\"\npasses = 0\nfrom_points = 1.5\n\
                    exempt_networks = [\"192.0.2.0/24\"]\nexempt_domains = [\"Example.COM\"]\n";
        let (settings, faults) = read_with(text, read);
        let expected = Settings {
            mode: Mode::Enforce,
            delay: Duration::from_secs(60),
            passes: 0,
            from_points: Points::hundredths(150),
            exempt_networks: vec!["192.0.2.0/24".parse().expect("a network")],
            exempt_domains: vec!["example.com".into()],
            ..Settings::default()
        };
        assert_eq!((settings, faults), (expected, vec![]));
        let text = "[greylist]\nmode = \"on\"\ndelay = \"3d\"\nexempt_networks = [\"x\"]\nwindow = \"1d\"\nlifetime = \"1h\"\n";
        let (_, faults) = read_with(text, read);
        assert_eq!(faults.len(), 5, "{faults:?}");
        assert!(faults.iter().any(|f| f.contains("nobody could come back in time")), "{faults:?}");
    }
}
