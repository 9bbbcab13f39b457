//! Accounts that somebody else seems to use: far more recipients than the user ever wrote to, many that do not exist, or
//! logins from all over the world within an hour.

use super::{
    account::{Account, DAY, HABIT, Usage, What},
    settings::{AlarmMode, AlarmSettings},
};
use crate::{
    lookup::{Deadline, Outcome},
    store::{Answer, Counters, Ledger, Op},
    verdict::{Finding, Points, Reply},
};
use serde::{Deserialize, Serialize};

const ALARMS: &str = "outbound.alarm/";
/// Most alarms listed. Unit: accounts.
const LISTED: u32 = 10_000;

/// An alarm that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Whose account it is.
    pub login: String,
    /// Unix seconds.
    pub since: i64,
    /// Unix seconds.
    pub until: i64,
    /// What raised it.
    pub reasons: Vec<String>,
    /// Whether the account's mail is deferred meanwhile.
    pub deferred: bool,
}

impl AlarmSettings {
    /// What speaks for an alarm: nothing if the list is empty. `next` is the recipient or message about to come.
    pub fn reasons(&self, usage: &Usage) -> Vec<String> {
        if self.mode == AlarmMode::Off {
            return Vec::new();
        }
        let mut reasons = Vec::new();
        let habit = usage.busiest_day.saturating_mul(self.factor).max(self.recipients);
        if self.recipients > 0 && usage.recipients_hour >= habit {
            let day = usage.busiest_day;
            reasons.push(format!("{} recipients within an hour, {day} on the busiest day", usage.recipients_hour));
        }
        if self.refused > 0 && usage.refused_hour >= self.refused {
            reasons.push(format!("{} refused recipients within an hour", usage.refused_hour));
        }
        if self.networks > 0 && usage.places >= self.networks {
            reasons.push(format!("mail from {} places within an hour", usage.places));
        }
        reasons
    }

    /// The finding of an alarm.
    pub fn finding(&self, login: &str, reasons: &[String]) -> Finding {
        let finding = Finding::new("outbound.account-alarm", Points::ZERO, "[outbound.alarm]").fact(login);
        reasons.iter().fold(finding, |finding, reason| finding.fact(reason))
    }

    /// What the user hears while an alarm stands.
    pub fn reply(&self) -> Option<Reply> {
        let text = "This account is stopped for now, please ask your administrator";
        (self.mode == AlarmMode::Defer).then(|| Reply::fixed(450, (4, 7, 1), text))
    }
}

/// Raises an alarm. What went wrong, if it could not be kept.
pub async fn sound(
    counters: &Counters,
    settings: &AlarmSettings,
    account: &Account,
    reasons: &[String],
    now: i64,
    deadline: Deadline,
) -> Option<String> {
    let until = now.saturating_add(i64::try_from(settings.block.as_secs()).unwrap_or(i64::MAX));
    let alarm = Alarm {
        login: account.login.clone(),
        since: now,
        until,
        reasons: reasons.to_vec(),
        deferred: settings.mode == AlarmMode::Defer,
    };
    let value = serde_json::to_string(&alarm).unwrap_or_default();
    counters.put(&key(account), &value, until, now, deadline).await.trouble()
}

/// All alarms that stand, by login.
pub async fn list(counters: &Counters, now: i64, deadline: Deadline) -> Outcome<Vec<Alarm>> {
    let entries = counters.list(ALARMS, LISTED, now, deadline).await;
    entries.map(|entries| entries.iter().filter_map(|entry| read(&entry.value)).filter(|a| a.until > now).collect())
}

/// Ends the alarm of an account and forgets what was counted of it lately: what a thief sent today and yesterday is no habit
/// of the user. Tells whether there was an alarm. Other processes notice within a second.
pub async fn release(counters: &Counters, account: &Account, now: i64, deadline: Deadline) -> Outcome<bool> {
    let days = account.counter(What::Days);
    // The ledger knows what waits for the file, too.
    let habit = Ledger::new(counters.clone()).read(std::slice::from_ref(&days), now, deadline).await;
    let kept: Vec<(i64, u64)> = match habit {
        Outcome::Done(habit) => {
            let of_the_user = |(start, _): &(i64, u64)| start.saturating_add(2 * DAY) <= now;
            habit.into_iter().flat_map(|days| days.0).filter(of_the_user).collect()
        }
        trouble => return trouble.map(|_| false),
    };
    let mut ops =
        vec![Op::Get { key: key(account) }, Op::Delete { key: key(account) }, Op::Clear { prefix: days.clone() }];
    ops.extend(kept.into_iter().map(|(bucket, amount)| Op::AddTo { key: days.clone(), bucket, amount, window: HABIT }));
    let lately = [What::Messages, What::Recipients, What::Refused];
    ops.extend(lately.map(|what| Op::Clear { prefix: account.counter(what) }));
    let places = counters.list(&account.places(), LISTED, now, deadline).await;
    let places = places.done().cloned().unwrap_or_default();
    ops.extend(places.into_iter().map(|place| Op::Delete { key: place.key }));
    let answers = counters.apply(now, ops, deadline).await;
    answers.map(|answers| answers.first().is_some_and(|answer| Answer::value(answer).is_some()))
}

pub(super) fn key(account: &Account) -> String {
    format!("{ALARMS}{}", account.key())
}

pub(super) fn read(value: &str) -> Option<Alarm> {
    serde_json::from_str(value).ok()
}

#[cfg(test)]
mod tests {
    use super::{
        super::account::{Books, note_recipient, usage},
        *,
    };
    use std::time::Duration;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(5))
    }

    fn settings(mode: AlarmMode) -> AlarmSettings {
        AlarmSettings { mode, ..AlarmSettings::default() }
    }

    #[test]
    fn each_sign_raises_an_alarm_and_a_habit_none() {
        let watch = settings(AlarmMode::Observe);
        let reasons = |usage: Usage| watch.reasons(&usage);
        assert!(reasons(Usage { recipients_hour: 99, refused_hour: 19, places: 4, ..Usage::default() }).is_empty());
        assert_eq!(reasons(Usage { recipients_hour: 100, ..Usage::default() }).len(), 1);
        let newsletter = |recipients_hour| Usage { recipients_hour, busiest_day: 500, ..Usage::default() };
        assert!(reasons(newsletter(1_499)).is_empty(), "he wrote to 500 on one day before");
        assert!(reasons(newsletter(1_500))[0].contains("500 on the busiest day"));
        assert_eq!(reasons(Usage { refused_hour: 20, places: 5, ..Usage::default() }).len(), 2);
        assert!(settings(AlarmMode::Off).reasons(&newsletter(9_999)).is_empty());
        let blind = AlarmSettings { recipients: 0, refused: 0, networks: 0, ..watch };
        let all = Usage { recipients_hour: 9_999, refused_hour: 9_999, places: 9_999, ..Usage::default() };
        assert!(blind.reasons(&all).is_empty());
    }

    #[test]
    fn only_a_deferring_alarm_stops_the_account() {
        assert_eq!(settings(AlarmMode::Observe).reply(), None);
        assert_eq!(settings(AlarmMode::Defer).reply().map(|reply| reply.code()), Some(450));
    }

    #[tokio::test]
    async fn an_alarm_stands_until_its_time_or_its_release() {
        let counters = Counters::in_memory();
        let ledger = Ledger::new(counters.clone());
        let (watch, alice) = (settings(AlarmMode::Defer), Account::new("Alice", None));
        note_recipient(&ledger, &alice, 0);
        assert_eq!(sound(&counters, &watch, &alice, &["because".into()], 0, soon()).await, None);
        let listed = |now| list(&counters, now, soon());
        assert_eq!(listed(3_599).await.done().map(Vec::len), Some(1));
        assert_eq!(listed(3_600).await.done().map(Vec::len), Some(0));
        let books = Books { ledger: &ledger, counters: &counters };
        let asked = async |now| usage(books, &alice, None, now, soon()).await.done().cloned().expect("an answer");
        assert_eq!((asked(1).await.alarm_until, asked(1).await.recipients_hour), (Some(3_600), 1));
        assert_eq!(release(&counters, &Account::new("ALICE", None), 1, soon()).await, Outcome::Done(true));
        assert_eq!((asked(1).await.alarm_until, asked(1).await.recipients_hour), (None, 0));
        assert_eq!(release(&counters, &alice, 1, soon()).await, Outcome::Done(false));
    }

    #[tokio::test]
    async fn after_a_release_the_thief_s_mail_is_no_habit_and_the_user_s_is() {
        let counters = Counters::in_memory();
        let ledger = Ledger::new(counters.clone());
        let (alice, now) = (Account::new("alice", None), 40 * DAY + DAY / 2);
        for (ago, recipients) in [(5, 20), (3, 10), (2, 30), (1, 900), (0, 500)] {
            (0..recipients).for_each(|_| note_recipient(&ledger, &alice, now - ago * DAY));
        }
        let books = Books { ledger: &ledger, counters: &counters };
        let busiest = async |now| usage(books, &alice, None, now, soon()).await.done().map(|usage| usage.busiest_day);
        assert_eq!(busiest(now).await, Some(900));
        assert!(release(&counters, &alice, now, soon()).await.done().is_some());
        assert_eq!((busiest(now).await, busiest(now + DAY).await), (Some(30), Some(30)));
    }
}
