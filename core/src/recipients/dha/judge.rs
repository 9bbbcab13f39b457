//! When asking for unknown recipients is a harvest: plain functions of counts.

use super::{Counts, Settings, Standing};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Whatever the allowance, so many unknown recipients are nobody's harvest. Unit: recipients. Source: our own limit, a
/// person's typing errors.
const FLOOR: u64 = 3;

/// Share of the allowances that a network gets. Unit: percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    percent: u64,
    trusted: bool,
}

impl Allowance {
    /// What these circumstances allow.
    pub fn of(standing: Standing, null_sender: bool, distributed: bool, settings: &Settings) -> Self {
        let trusted = standing == Standing::Trusted;
        let mut percent = match standing {
            Standing::Trusted => settings.trusted_factor.saturating_mul(100),
            Standing::Neutral => 100,
            Standing::Bad => settings.bad_percent,
        };
        if null_sender {
            percent = percent.saturating_mul(settings.null_sender_factor);
        }
        if distributed && !trusted {
            percent = percent.saturating_mul(settings.distributed_percent) / 100;
        }
        Allowance { percent, trusted }
    }

    fn applied(self, limit: u64) -> u64 {
        (limit.saturating_mul(self.percent) / 100).max(FLOOR)
    }
}

/// What a session gets for its unknown recipients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionAnswer {
    /// How long the reply waits.
    pub delay: Duration,
    /// Whether the session ends with 421.
    pub disconnect: bool,
}

/// Judges a session by its counts, the latest unknown recipient included.
pub fn judge_session(counts: &Counts, settings: &Settings, allowance: Allowance) -> SessionAnswer {
    let slow = counts.unknown >= allowance.applied(settings.session_delay_from);
    let disconnect = counts.unknown >= allowance.applied(settings.session_disconnect_unknown)
        && counts.unknown_percent() >= settings.session_disconnect_percent;
    SessionAnswer { delay: if slow { settings.session_delay } else { Duration::ZERO }, disconnect }
}

/// What a network has asked for lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// In the long window.
    pub hour: Counts,
    /// In the short window.
    pub burst: Counts,
    /// Messages in the long window.
    pub messages: u64,
    /// Those with many recipients of which many are unknown.
    pub bad_messages: u64,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lately, {} just now, {} of {} messages bad",
            self.hour, self.burst, self.bad_messages, self.messages
        )
    }
}

/// Which rule makes it a harvest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Many unknown recipients in the long window.
    Window,
    /// Many unknown recipients in the short window.
    Burst,
    /// Many messages with many unknown recipients.
    Messages,
}

impl Reason {
    /// The key of the configuration that sets the limit.
    pub fn key(self) -> &'static str {
        match self {
            Reason::Window => "dha.window_unknown",
            Reason::Burst => "dha.burst_unknown",
            Reason::Messages => "dha.messages",
        }
    }
}

/// Judges a network by what it has asked for.
///
/// Stale addresses of a list may stand together. So a burst counts only if the long window's share is high as well: a
/// sender that has just reached hundreds of people may meet ten stale addresses in a row. And for a trusted network
/// the burst rule does not hold at all, only the tenfold allowance of the long window. What cannot be told apart is
/// an unknown sender whose list begins with dozens of stale addresses; it is delayed, not refused.
pub fn judge_network(history: &History, settings: &Settings, allowance: Allowance) -> Option<Reason> {
    let high_share = history.hour.unknown_percent() >= settings.window_percent;
    if high_share && history.hour.unknown >= allowance.applied(settings.window_unknown) {
        return Some(Reason::Window);
    }
    if high_share
        && !allowance.trusted
        && history.burst.unknown >= allowance.applied(settings.burst_unknown)
        && history.burst.unknown_percent() >= settings.burst_percent
    {
        return Some(Reason::Burst);
    }
    let many = history.messages >= allowance.applied(settings.messages);
    (many && history.bad_messages.saturating_mul(100) > history.messages.saturating_mul(settings.messages_percent))
        .then_some(Reason::Messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neutral() -> Allowance {
        Allowance::of(Standing::Neutral, false, false, &Settings::default())
    }

    fn hour(unknown: u64, known: u64) -> History {
        History { hour: Counts { unknown, known }, ..History::default() }
    }

    #[test]
    fn a_session_slows_at_five_and_ends_at_twenty_of_forty() {
        let session = |unknown, known| judge_session(&Counts { unknown, known }, &Settings::default(), neutral());
        assert_eq!(session(4, 0), SessionAnswer::default());
        assert_eq!(session(5, 0), SessionAnswer { delay: Duration::from_secs(1), disconnect: false });
        assert!(!session(19, 0).disconnect);
        assert!(session(20, 20).disconnect);
        assert!(!session(20, 21).disconnect);
    }

    #[test]
    fn a_network_is_blocked_at_25_unknown_if_they_are_30_percent() {
        let judge = |history| judge_network(&history, &Settings::default(), neutral());
        assert_eq!(judge(hour(24, 0)), None);
        assert_eq!(judge(hour(25, 58)), Some(Reason::Window));
        assert_eq!(judge(hour(25, 59)), None);
        assert_eq!(judge(hour(100, 900)), None);
    }

    #[test]
    fn ten_at_once_are_a_burst_unless_many_were_reached_before() {
        let judge = |hour, burst| {
            judge_network(&History { hour, burst, ..History::default() }, &Settings::default(), neutral())
        };
        let ten = Counts { unknown: 10, known: 10 };
        assert_eq!(judge(ten, ten), Some(Reason::Burst));
        assert_eq!(judge(ten, Counts { unknown: 10, known: 11 }), None);
        assert_eq!(judge(Counts { unknown: 10, known: 450 }, ten), None);
    }

    #[test]
    fn more_than_a_fifth_of_100_messages_bad_is_a_harvest() {
        let judge = |messages, bad_messages| {
            judge_network(&History { messages, bad_messages, ..History::default() }, &Settings::default(), neutral())
        };
        assert_eq!(judge(100, 20), None);
        assert_eq!(judge(100, 21), Some(Reason::Messages));
        assert_eq!(judge(99, 99), None);
    }

    #[test]
    fn circumstances_move_the_allowance() {
        let settings = Settings::default();
        let blocked = |standing, null, distributed, unknown| {
            let allowance = Allowance::of(standing, null, distributed, &settings);
            judge_network(&hour(unknown, 0), &settings, allowance).is_some()
        };
        assert!(!blocked(Standing::Trusted, false, true, 249) && blocked(Standing::Trusted, false, true, 250));
        assert!(!blocked(Standing::Bad, false, false, 11) && blocked(Standing::Bad, false, false, 12));
        assert!(!blocked(Standing::Neutral, true, false, 99) && blocked(Standing::Neutral, true, false, 100));
        assert!(!blocked(Standing::Neutral, false, true, 9) && blocked(Standing::Neutral, false, true, 10));
        let harsh = Settings { bad_percent: 1, ..settings.clone() };
        let allowance = Allowance::of(Standing::Bad, false, true, &harsh);
        assert_eq!(judge_network(&hour(2, 0), &harsh, allowance), None, "two typing errors are nobody's harvest");
    }

    #[test]
    fn blocks_double_up_to_a_day() {
        let hours: Vec<i64> = (1..=6).map(|n| Settings::default().block_seconds(n) / 3600).collect();
        assert_eq!(hours, [3, 6, 12, 24, 24, 24]);
    }
}
