//! Greylisting: a sender that is new to a recipient is asked to try again a few minutes later. Mail servers do; much
//! that sends spam does not (RFC 6647). Off by default, because it delays mail.
//!
//! An attempt is remembered by who sends, the sender and the recipient ([`Subject`]). Who sends is a domain wherever one
//! is known, because large senders try again from another machine. Whoever came back a few times is asked no more.
//! One question to the counters decides; writing is left to first attempts and to those that came back.

mod judge;
mod settings;
mod subject;

pub use judge::{Answers, Note, Ruling, Seen, untold};
pub use settings::{Mode, Settings};
pub use subject::{Subject, Who};

use crate::{
    lookup::Deadline,
    reputation::NetworkSet,
    session::{Address, ReversePath},
    store::{Answer, Counters, Op, Window},
    verdict::Points,
};
use std::{net::IpAddr, time::Duration};

/// What is known of a client.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// Its address.
    pub ip: IpAddr,
    /// Its name, if that leads back to the address.
    pub confirmed_name: Option<&'a str>,
    /// The domain that it may send for by SPF.
    pub spf_domain: Option<&'a str>,
    /// What its address and HELO name weigh.
    pub points: Points,
    /// Whether a DNS allow list knows it.
    pub on_allow_list: bool,
}

/// A recipient of an inbound message.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Who sends.
    pub client: Client<'a>,
    /// Envelope sender.
    pub sender: &'a ReversePath,
    /// The recipient.
    pub recipient: &'a Address,
}

/// The greylist of a site.
#[derive(Debug)]
pub struct Greylist {
    settings: Settings,
    exempt: NetworkSet,
}

impl Greylist {
    /// With these settings.
    pub fn new(settings: Settings) -> Self {
        let exempt = settings.exempt_networks.iter().copied().collect();
        Greylist { settings, exempt }
    }

    /// Whether anything is asked at all.
    pub fn is_off(&self) -> bool {
        self.settings.mode == Mode::Off
    }

    /// Asks what is remembered of an attempt: one round trip.
    pub async fn ask(&self, subject: &Subject, counters: &Counters, now: i64, deadline: Deadline) -> Answers {
        let since = now.saturating_sub(seconds(self.settings.lifetime));
        let ops = vec![
            Op::Get { key: subject.key.clone() },
            Op::Sum { key: subject.passes.clone(), since, window: self.window() },
        ];
        let answers = counters.apply(now, ops, deadline).await;
        let passes = answers.done().and_then(|answers| answers.get(1)).map_or(0, Answer::number);
        let seen = answers.map(|answers| answers.first().and_then(Answer::value).map_or(Seen::Never, read));
        Answers { seen, passes }
    }

    /// Writes down what [`Greylist::judge`] wants noted; what went wrong, if anything did.
    pub async fn note(
        &self,
        note: Note,
        subject: &Subject,
        counters: &Counters,
        now: i64,
        deadline: Deadline,
    ) -> Option<String> {
        let (mark, keep) = match note {
            Note::First => (WAITING, self.settings.retry_window),
            Note::Passed | Note::Refresh => (PASSED, self.settings.lifetime),
        };
        let expires = now.saturating_add(seconds(keep));
        let mut ops = vec![Op::Put { key: subject.key.clone(), value: format!("{mark}{now}"), expires }];
        if note == Note::Passed {
            ops.push(Op::Add { key: subject.passes.clone(), amount: 1, window: self.window() });
        }
        counters.apply(now, ops, deadline).await.trouble()
    }

    fn window(&self) -> Window {
        Window { bucket: DAY, keep: seconds(self.settings.lifetime).saturating_add(DAY) }
    }
}

/// Mark of an attempt that has not come back.
const WAITING: char = 'w';
/// Mark of one that has.
const PASSED: char = 'p';
/// Bucket of those that came back. Unit: seconds.
const DAY: i64 = 86_400;

fn read(value: &str) -> Seen {
    let time = |mark| value.strip_prefix(mark).and_then(|time: &str| time.parse().ok());
    time(PASSED).map(Seen::Passed).or_else(|| time(WAITING).map(Seen::Waiting)).unwrap_or(Seen::Never)
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
