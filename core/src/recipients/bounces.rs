//! Bounces that nobody here caused: backscatter.
//!
//! A notification goes to the one mailbox that sent the original (RFC 5321 §4.5.5, §6.1), so a null sender with a
//! second recipient is refused there with 550 5.7.1 (RFC 3463 §3.8: not authorised). It is not 452 4.5.3, "too many
//! recipients", because that invites the client to bring the rest in another transaction. Bounces to one recipient
//! are rated; past the rate they are deferred, since among many false ones there may be a true one.

use crate::{
    lookup::{Deadline, Outcome},
    store::{Answer, Counters, Op, Window},
    verdict::{Finding, Judgement, Points, Reply},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is done about bounces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Refuse the second recipient of a null sender.
    pub single_recipient: bool,
    /// Most bounces to one recipient within `window`; 0: no limit. Unit: messages. Source: our own limit; a person
    /// whose mail to a large list bounces sees a few dozen.
    pub per_recipient: u64,
    /// The window of that rate.
    pub window: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { single_recipient: true, per_recipient: 30, window: Duration::from_secs(3600) }
    }
}

/// What the counters say about bounces to one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Bounces within the window, this one included.
    pub count: Outcome<u64>,
}

/// Counts a bounce to `recipient` (as `Address::key` gives it) and tells how many there were. To be asked once for
/// each existing recipient of a null sender.
pub async fn ask(settings: &Settings, counters: &Counters, recipient: &str, now: i64, deadline: Deadline) -> Answers {
    if settings.per_recipient == 0 {
        return Answers { count: Outcome::Done(0) };
    }
    let seconds = i64::try_from(settings.window.as_secs()).unwrap_or(i64::MAX);
    let window = Window { bucket: 60, keep: seconds.saturating_add(60) };
    let key = format!("bounce/{recipient}");
    let ops = vec![
        Op::Add { key: key.clone(), amount: 1, window },
        Op::Sum { key, since: now.saturating_sub(seconds), window },
    ];
    let count = counters.apply(now, ops, deadline).await;
    Answers { count: count.map(|answers| answers.get(1).map_or(0, Answer::number)) }
}

/// Judges one recipient of a null sender. `earlier`: recipients of the transaction accepted before it.
pub fn judge(settings: &Settings, earlier: usize, answers: &Answers) -> Judgement {
    let mut judgement = Judgement::default();
    if settings.single_recipient && earlier > 0 {
        judgement.reply = Some(Reply::fixed(550, (5, 7, 1), "A notification has one recipient"));
        judgement.findings.push(Finding::new("bounce.recipients", Points::ZERO, "RFC 5321 4.5.5"));
        return judgement;
    }
    match &answers.count {
        Outcome::Done(count) if settings.per_recipient > 0 && *count > settings.per_recipient => {
            judgement.reply = Some(Reply::fixed(450, (4, 7, 1), "Too many notifications, please try again later"));
            let finding = Finding::new("bounce.rate", Points::ZERO, "bounces.per_recipient");
            judgement.findings.push(finding.fact(format!("{count} within {} s", settings.window.as_secs())));
        }
        Outcome::Done(_) => {}
        trouble => {
            let why = trouble.trouble().unwrap_or_default();
            judgement.findings.push(Finding::new("bounce.not-counted", Points::ZERO, "counters").fact(why));
        }
    }
    judgement
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(count: u64) -> Answers {
        Answers { count: Outcome::Done(count) }
    }

    #[test]
    fn the_second_recipient_of_a_bounce_is_refused_for_good() {
        let settings = Settings::default();
        assert_eq!(judge(&settings, 0, &counted(1)), Judgement::default());
        let reply = judge(&settings, 1, &counted(1)).reply.expect("a reply");
        assert_eq!((reply.code(), reply.enhanced().as_str()), (550, "5.7.1"));
        let lax = Settings { single_recipient: false, ..Settings::default() };
        assert_eq!(judge(&lax, 1, &counted(1)), Judgement::default());
    }

    #[tokio::test]
    async fn the_thirty_first_bounce_of_an_hour_waits_and_other_recipients_do_not() {
        let (settings, counters) = (Settings::default(), Counters::in_memory());
        let deadline = || Deadline::after(Duration::from_secs(5));
        for i in 0..30 {
            let answers = ask(&settings, &counters, "bob@x.test", i * 10, deadline()).await;
            assert_eq!(judge(&settings, 0, &answers).reply, None, "bounce {i}");
        }
        let answers = ask(&settings, &counters, "bob@x.test", 300, deadline()).await;
        assert_eq!(judge(&settings, 0, &answers).reply.map(|r| r.code()), Some(450));
        let answers = ask(&settings, &counters, "eve@x.test", 300, deadline()).await;
        assert_eq!(judge(&settings, 0, &answers).reply, None);
        let answers = ask(&settings, &counters, "bob@x.test", 4000, deadline()).await;
        assert_eq!(judge(&settings, 0, &answers).reply, None, "an hour later");
    }

    #[test]
    fn counters_in_trouble_refuse_no_bounce() {
        let judgement = judge(&Settings::default(), 0, &Answers { count: Outcome::TimedOut });
        assert_eq!(judgement.reply, None);
        assert_eq!(judgement.findings.len(), 1);
    }
}
