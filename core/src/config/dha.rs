//! `[dha]`: harvest protection.

use super::{diagnostic::Faults, reader::Table};
use crate::recipients::dha::Settings;

/// Largest count that makes sense as a limit. Unit: recipients, messages or networks.
const COUNT: u64 = 1_000_000;

/// Reads `[dha]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let default = Settings::default();
    let mut table = root.section("dha", faults);
    let mode = table.choice("mode", &["auto", "off", "observe", "enforce"], default.mode, faults);
    let observe_for = table.duration("observe_for", default.observe_for, faults);
    let session_delay = table.duration("session_delay", default.session_delay, faults);
    let window = table.duration("window", default.window, faults);
    let burst_window = table.duration("burst_window", default.burst_window, faults);
    let block = table.duration("block", default.block, faults);
    let block_max = table.duration("block_max", default.block_max.max(block), faults);
    let block_memory = table.duration("block_memory", default.block_memory, faults);
    let mut count = |key, default| table.integer(key, 1..=COUNT, default, faults);
    let settings = Settings {
        mode,
        observe_for,
        session_delay_from: count("session_delay_from", default.session_delay_from),
        session_delay,
        session_disconnect_unknown: count("session_disconnect_unknown", default.session_disconnect_unknown),
        session_disconnect_percent: default.session_disconnect_percent,
        window,
        window_unknown: count("window_unknown", default.window_unknown),
        window_percent: default.window_percent,
        burst_window,
        burst_unknown: count("burst_unknown", default.burst_unknown),
        burst_percent: default.burst_percent,
        messages: count("messages", default.messages),
        messages_percent: default.messages_percent,
        message_recipients: count("message_recipients", default.message_recipients),
        message_unknown: count("message_unknown", default.message_unknown),
        block,
        block_max,
        block_memory,
        trusted_factor: count("trusted_factor", default.trusted_factor),
        bad_percent: default.bad_percent,
        null_sender_factor: count("null_sender_factor", default.null_sender_factor),
        distributed_networks: count("distributed_networks", default.distributed_networks),
        distributed_unknown: count("distributed_unknown", default.distributed_unknown),
        distributed_percent: default.distributed_percent,
    };
    let mut percent = |key, default| table.integer(key, 1..=100, default, faults);
    let settings = Settings {
        session_disconnect_percent: percent("session_disconnect_percent", default.session_disconnect_percent),
        window_percent: percent("window_percent", default.window_percent),
        burst_percent: percent("burst_percent", default.burst_percent),
        messages_percent: percent("messages_percent", default.messages_percent),
        bad_percent: percent("bad_percent", default.bad_percent),
        distributed_percent: percent("distributed_percent", default.distributed_percent),
        ..settings
    };
    let span = table.span.clone();
    if settings.burst_window > settings.window {
        faults.at(span.clone(), "dha.burst_window is longer than dha.window, must be shorter");
    }
    if settings.block_max < settings.block {
        faults.at(span, "dha.block_max is shorter than dha.block, must be at least as long");
    }
    table.finish(faults);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::directory::tests::read_with, recipients::dha::Mode};
    use std::time::Duration;

    #[test]
    fn harvest_protection_is_read_and_its_faults_are_named() {
        let text = "[dha]\nmode = \"enforce\"\nwindow_unknown = 50\nwindow_percent = 40\nblock = \"1h\"\n";
        let (settings, faults) = read_with(text, read);
        let expected = Settings {
            mode: Mode::Enforce,
            window_unknown: 50,
            window_percent: 40,
            block: Duration::from_secs(3600),
            ..Settings::default()
        };
        assert_eq!((settings, faults), (expected, vec![]));
        let text = "[dha]\nmode = \"enforse\"\nwindow_percent = 101\nblok = \"1h\"\nburst_window = \"2h\"\nblock = \"3h\"\nblock_max = \"1h\"\n";
        let (_, faults) = read_with(text, read);
        assert_eq!(faults.len(), 5, "{faults:?}");
        assert!(faults.iter().any(|f| f.ends_with("did you mean \"enforce\"?")), "{faults:?}");
    }
}
