//! How much one user may send.

use super::{
    account::Usage,
    settings::{Mode, RateSettings},
};
use crate::verdict::{Finding, Points, Reply};

/// A limit that the next message or recipient would pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess {
    key: &'static str,
    count: u64,
    limit: u64,
}

/// What is past its limit. `of_messages`: whether a message is about to come, else a recipient.
pub fn excess(settings: &RateSettings, usage: &Usage, of_messages: bool) -> Option<Excess> {
    let limits = match of_messages {
        true => [
            ("messages_per_hour", usage.messages_hour, settings.messages_per_hour),
            ("messages_per_day", usage.messages_day, settings.messages_per_day),
        ],
        false => [
            ("recipients_per_hour", usage.recipients_hour, settings.recipients_per_hour),
            ("recipients_per_day", usage.recipients_day, settings.recipients_per_day),
        ],
    };
    let past = limits.into_iter().find(|(_, count, limit)| *limit > 0 && count >= limit)?;
    let (key, count, limit) = past;
    (settings.mode != Mode::Off).then_some(Excess { key, count, limit })
}

impl Excess {
    /// The finding, with the figures.
    pub fn finding(&self, login: &str) -> Finding {
        let id = if self.key.starts_with("messages") { "outbound.rate-messages" } else { "outbound.rate-recipients" };
        let finding = Finding::new(id, Points::ZERO, format!("[outbound.rates] {}", self.key));
        finding.fact(login).fact(format!("{} so far, limit {}", self.count, self.limit))
    }

    /// What the user hears.
    pub fn reply(&self) -> Reply {
        let text = match self.key.starts_with("messages") {
            true => "This account has sent too many messages, please try again later",
            false => "This account has written to too many recipients, please try again later",
        };
        Reply::fixed(450, (4, 7, 1), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_past_a_limit_is_found_and_no_limit_means_none() {
        let settings = RateSettings {
            mode: Mode::Enforce,
            messages_per_hour: 3,
            recipients_per_day: 0,
            ..RateSettings::default()
        };
        let usage = |messages_hour| Usage { messages_hour, recipients_day: 1_000_000, ..Usage::default() };
        assert_eq!(excess(&settings, &usage(2), true), None);
        assert_eq!(excess(&settings, &usage(2), false), None);
        let found = excess(&settings, &usage(3), true).expect("one too many");
        assert_eq!((found.reply().code(), found.reply().enhanced()), (450, "4.7.1".to_owned()));
        let finding = found.finding("alice");
        assert_eq!(
            (finding.id.as_ref(), finding.source.as_ref()),
            ("outbound.rate-messages", "[outbound.rates] messages_per_hour")
        );
        let off = RateSettings { mode: Mode::Off, ..settings };
        assert_eq!(excess(&off, &usage(3), true), None);
    }

    #[test]
    fn each_limit_is_looked_at() {
        let settings = RateSettings { mode: Mode::Observe, ..RateSettings::default() };
        let usages = [
            (Usage { messages_hour: 200, ..Usage::default() }, true, "messages_per_hour"),
            (Usage { messages_day: 1_000, ..Usage::default() }, true, "messages_per_day"),
            (Usage { recipients_hour: 500, ..Usage::default() }, false, "recipients_per_hour"),
            (Usage { recipients_day: 2_000, ..Usage::default() }, false, "recipients_per_day"),
        ];
        for (usage, of_messages, key) in usages {
            assert_eq!(excess(&settings, &usage, of_messages).map(|found| found.key), Some(key));
            assert_eq!(excess(&settings, &usage, !of_messages), None, "{key}");
        }
    }
}
