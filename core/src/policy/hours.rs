//! Times of day and days of the week at a site.

use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};
use std::path::Path;

/// Where systems keep the rules of time zones (tzfile(5)).
const ZONES: &str = "/usr/share/zoneinfo";

/// Words for days, Monday first.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// When a policy holds. A window that ends before it begins goes over midnight and belongs to the day of its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// Which days of the week, Monday first.
    pub days: [bool; 7],
    /// From when, and until before when. Unit: minutes after midnight. Both 0 to 1440, and never equal.
    pub window: (u16, u16),
    /// Whose clock.
    pub zone: TimeZone,
}

impl Hours {
    /// The whole day.
    pub const WHOLE_DAY: (u16, u16) = (0, DAY);

    /// Whether a moment lies within. Unix seconds.
    pub(super) fn hold(&self, time: i64) -> bool {
        let Some((day, minute)) = self.local(time) else { return false };
        let yesterday = (day + 6) % 7;
        match self.window {
            (from, to) if from < to => self.days[day] && (from..to).contains(&minute),
            (from, to) => (self.days[day] && minute >= from) || (self.days[yesterday] && minute < to),
        }
    }

    /// What the clock shows there, as in `tue 13:05`.
    pub(super) fn shown(&self, time: i64) -> String {
        match self.local(time) {
            Some((day, minute)) => format!("{} {:02}:{:02}", DAYS[day], minute / 60, minute % 60),
            None => "no time".to_owned(),
        }
    }

    /// Day of the week, Monday 0, and minute of the day.
    fn local(&self, time: i64) -> Option<(usize, u16)> {
        let time = Timestamp::from_second(time).ok()?;
        let local = self.zone.to_offset(time).to_datetime(time);
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).ok()?;
        let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).ok()?;
        Some((day, minute))
    }
}

/// Reads `"18:00"`: minutes after midnight, at most `"24:00"`.
pub fn clock(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| -> Option<u16> {
        (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= DAY).then_some(minutes)
}

/// Reads `"mon"` or `"mon-fri"`; `"sat-mon"` goes over the end of the week.
pub fn days(text: &str) -> Option<[bool; 7]> {
    let text = text.to_ascii_lowercase();
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    let number = |word: &str| DAYS.iter().position(|day| *day == word);
    let (first, last) = (number(first)?, number(last)?);
    let mut days = [false; 7];
    for step in 0..=(last + 7 - first) % 7 {
        days[(first + step) % 7] = true;
    }
    Some(days)
}

/// Reads `"+09:00"`, `"UTC"`, or a name of the system's time zones such as `"Europe/Berlin"`, whose rules are read now.
///
/// # Errors
///
/// What is wrong with it, and the cure.
pub fn zone(text: &str) -> Result<TimeZone, String> {
    if text == "UTC" {
        return Ok(TimeZone::UTC);
    }
    if text.starts_with(['+', '-']) {
        let seconds = clock(&text[1..]).map(|minutes| i32::from(minutes) * 60);
        let seconds = seconds.map(|seconds| if text.starts_with('-') { -seconds } else { seconds });
        let offset = seconds.and_then(|seconds| Offset::from_seconds(seconds).ok());
        return offset.map(TimeZone::fixed).ok_or_else(|| "is no offset; write it as in \"+09:00\"".to_owned());
    }
    let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+'));
    if !is_name {
        return Err("is no time zone; write \"+09:00\", \"UTC\" or a name such as \"Europe/Berlin\"".to_owned());
    }
    let unknown = |why: &dyn std::fmt::Display| {
        format!("is no time zone of this system ({ZONES}: {why}); write an offset such as \"+01:00\"")
    };
    let rules = std::fs::read(Path::new(ZONES).join(text)).map_err(|why| unknown(&why))?;
    TimeZone::tzif(text, &rules).map_err(|why| unknown(&why))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unix seconds of a moment of the week from Monday 2026-11-23 on, in UTC.
    fn moment(day: i64, hour: i64, minute: i64) -> i64 {
        1_795_392_000 + day * 86_400 + hour * 3_600 + minute * 60
    }

    fn hours(of: &str, from: &str, to: &str, at: &str) -> Hours {
        let window = (clock(from).expect("a time"), clock(to).expect("a time"));
        Hours { days: days(of).expect("days"), window, zone: zone(at).expect("a zone") }
    }

    #[test]
    fn a_window_holds_from_its_beginning_until_before_its_end() {
        let work = hours("mon-fri", "08:00", "18:00", "UTC");
        assert_eq!(work.shown(moment(0, 8, 5)), "mon 08:05");
        for (day, hour, minute, holds) in
            [(0, 7, 59, false), (0, 8, 0, true), (4, 17, 59, true), (4, 18, 0, false), (5, 12, 0, false)]
        {
            assert_eq!(work.hold(moment(day, hour, minute)), holds, "{day} {hour}:{minute}");
        }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = hours("fri", "18:00", "08:00", "UTC");
        for (day, hour, holds) in
            [(3, 20, false), (4, 7, false), (4, 18, true), (5, 7, true), (5, 8, false), (5, 20, false)]
        {
            assert_eq!(night.hold(moment(day, hour, 0)), holds, "{day} {hour}");
        }
        let sunday = hours("sun", "22:00", "06:00", "UTC");
        assert!(sunday.hold(moment(0, 5, 0)), "the night to Monday");
    }

    #[test]
    fn the_zone_moves_the_clock() {
        let tokyo = hours("tue", "00:00", "09:00", "+09:00");
        assert!(tokyo.hold(moment(0, 15, 0)) && !tokyo.hold(moment(0, 14, 59)));
        assert_eq!(hours("mon", "00:00", "24:00", "-05:30").shown(moment(0, 0, 0)), "sun 18:30");
        if Path::new(ZONES).join("Europe/Berlin").exists() {
            let berlin = hours("mon-sun", "00:00", "24:00", "Europe/Berlin");
            assert_eq!(berlin.shown(moment(0, 12, 0)), "mon 13:00", "winter");
            assert_eq!(berlin.shown(moment(0, 12, 0) + 210 * 86_400), "mon 14:00", "summer");
        }
    }

    #[test]
    fn slips_of_the_pen_are_refused() {
        for text in ["8:00", "24:01", "12:60", "12", "", "aa:bb", "+1:00"] {
            assert_eq!(clock(text), None, "{text}");
        }
        for text in ["", "monday", "mon-", "mon-fri-sun"] {
            assert_eq!(days(text), None, "{text}");
        }
        assert_eq!(days("SAT-mon"), Some([true, false, false, false, false, true, true]));
        for text in ["", "+9", "+99:00", "../../etc/passwd", "/etc/passwd", "Nowhere/City", "Europe"] {
            assert!(zone(text).is_err(), "{text}");
        }
    }
}
