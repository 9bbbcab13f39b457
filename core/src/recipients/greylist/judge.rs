//! When an attempt is asked to try again: plain functions of what is known.

use super::{Attempt, Greylist, Subject};
use crate::{
    lookup::Outcome,
    verdict::{Finding, Judgement, Points, Reply},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How old the note of a known pair grows before it is written anew. Unit: seconds. Source: our own choice; it saves a
/// write for each message.
const REFRESH: i64 = 86_400;

/// What is remembered of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    /// Nothing.
    Never,
    /// It was first made then, in Unix seconds, and has not come back in time.
    Waiting(i64),
    /// It came back; the note was written then.
    Passed(i64),
}

/// What the counters say about an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// What is remembered.
    pub seen: Outcome<Seen>,
    /// How many attempts of this network or domain came back lately.
    pub passes: u64,
}

/// What is to be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// A first attempt.
    First,
    /// An attempt that came back.
    Passed,
    /// A known pair.
    Refresh,
}

/// What follows from an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruling {
    /// Findings, and the reply.
    pub judgement: Judgement,
    /// What is to be written down. A reply to a first attempt may be given only if this succeeded, else nobody would
    /// ever know that it came back.
    pub note: Option<Note>,
}

impl Greylist {
    /// The attempt as it is to be remembered; `None` if it is spared.
    pub fn subject(&self, attempt: &Attempt<'_>) -> Option<Subject> {
        let client = &attempt.client;
        let spared = attempt.recipient.is_postmaster_or_abuse()
            || client.on_allow_list
            || client.points < self.settings.from_points
            || self.exempt.contains(client.ip)
            || [client.spf_domain, client.confirmed_name].into_iter().flatten().any(|name| self.is_exempt(name));
        (!spared).then(|| Subject::of(client, attempt.sender, attempt.recipient))
    }

    /// Judges an attempt. `acts` is false for recipients outside the trial list: theirs is only found.
    pub fn judge(&self, subject: &Subject, answers: &Answers, acts: bool, now: i64) -> Ruling {
        let seen = match &answers.seen {
            Outcome::Done(seen) => *seen,
            trouble => return Ruling { judgement: untold(trouble.trouble().unwrap_or_default()), note: None },
        };
        if self.settings.passes > 0 && answers.passes >= self.settings.passes {
            return Ruling::default();
        }
        match seen {
            Seen::Passed(at) => {
                let note = (now.saturating_sub(at) >= REFRESH || at > now).then_some(Note::Refresh);
                Ruling { judgement: Judgement::default(), note }
            }
            // A clock that was set back leaves entries of the future; they begin anew.
            Seen::Waiting(since) if since <= now => {
                let waited = now.saturating_sub(since);
                let left = super::seconds(self.settings.delay).saturating_sub(waited);
                if left > 0 {
                    return Ruling { judgement: self.deferral(subject, left, acts), note: None };
                }
                let finding = Finding::new("greylist.passed", Points::ZERO, "greylist.delay");
                let finding = finding.fact(subject.who.to_string()).fact(format!("came back after {waited} s"));
                let judgement = Judgement { findings: vec![finding], reply: None };
                Ruling { judgement, note: Some(Note::Passed) }
            }
            Seen::Waiting(_) | Seen::Never => {
                let left = super::seconds(self.settings.delay);
                Ruling { judgement: self.deferral(subject, left, acts), note: Some(Note::First) }
            }
        }
    }

    fn deferral(&self, subject: &Subject, left: i64, acts: bool) -> Judgement {
        let enforced = acts && self.settings.mode == super::Mode::Enforce;
        let id = if enforced { "greylist.deferred" } else { "greylist.would-defer" };
        let finding = Finding::new(id, Points::ZERO, "greylist.delay");
        let finding = finding.fact(subject.who.to_string()).fact(format!("{left} s to wait"));
        Judgement { findings: vec![finding], reply: enforced.then(|| reply(left)) }
    }

    fn is_exempt(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.settings.exempt_domains.iter().any(|domain| {
            name.strip_suffix(domain.as_str()).is_some_and(|front| front.is_empty() || front.ends_with('.'))
        })
    }
}

/// What is found when the counters cannot be asked or written: mail goes on.
pub fn untold(why: String) -> Judgement {
    let finding = Finding::new("greylist.not-asked", Points::ZERO, "counters").fact(why);
    Judgement { findings: vec![finding], reply: None }
}

fn reply(left: i64) -> Reply {
    let left = Duration::from_secs(u64::try_from(left).unwrap_or(0));
    let when = match left.as_secs() {
        0..=1 => "in a moment".to_owned(),
        seconds @ 2..=119 => format!("in {seconds} seconds"),
        seconds => format!("in {} minutes", seconds.div_ceil(60)),
    };
    let text = format!("Greylisting: this sender is new to this recipient, please try again {when}");
    Reply::fixed(451, (4, 7, 1), &text)
}
