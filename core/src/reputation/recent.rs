//! What lists and reverse DNS said about clients a moment ago.

use super::ask::{Answers, ReverseDns};
use crate::lookup::Outcome;
use std::{
    collections::HashMap,
    mem,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long answers are kept. Source: our own limit. Shorter than the TTL of any list we know, so that the time a list gives
/// its answers is not stretched noticeably; long enough for a client that comes again and again, as in a flood or harvest.
const KEPT: Duration = Duration::from_secs(10);

/// Most clients of one generation; there are two. Unit: clients. Source: our own limit, some 3 MB.
const CLIENTS: usize = 8_192;

/// Complete answers by client. The resolver keeps each DNS answer for its TTL, but puts question and answer together
/// anew for each asker.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<IpAddr, (Instant, Answers)>,
    old: HashMap<IpAddr, (Instant, Answers)>,
    began: Option<Instant>,
}

impl Recent {
    pub(super) fn get(&self, ip: IpAddr, now: Instant) -> Option<Answers> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.turn(now);
        let (since, answers) = generations.young.get(&ip).or_else(|| generations.old.get(&ip))?;
        (now.saturating_duration_since(*since) < KEPT).then(|| answers.clone())
    }

    /// Keeps answers, if nothing is missing in them.
    pub(super) fn keep(&self, ip: IpAddr, answers: &Answers, now: Instant) {
        let answered = answers.lists.iter().all(|list| matches!(list.outcome, Outcome::Done(_)));
        if !answered || matches!(answers.reverse, ReverseDns::Trouble { .. }) {
            return;
        }
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.turn(now);
        generations.young.insert(ip, (now, answers.clone()));
    }
}

impl Generations {
    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(*self.began.get_or_insert(now));
        if age >= KEPT || self.young.len() >= CLIENTS {
            self.old = mem::take(&mut self.young);
            self.began = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Health, super::ask::ListAnswer, *};

    fn client(number: usize) -> IpAddr {
        IpAddr::from(u32::try_from(number).expect("few clients").to_be_bytes())
    }

    #[test]
    fn answers_are_forgotten_after_ten_seconds_at_most() {
        let (recent, start) = (Recent::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        recent.keep(client(1), &Answers::default(), at(0));
        assert_eq!(recent.get(client(1), at(4)), Some(Answers::default()));
        assert_eq!(recent.get(client(2), at(4)), None);
        recent.keep(client(2), &Answers::default(), at(4));
        assert!(recent.get(client(1), at(6)).is_some());
        assert_eq!(recent.get(client(1), at(11)), None);
        assert_eq!(recent.get(client(2), at(14)), None);
        recent.keep(client(3), &Answers::default(), at(20));
        assert!(recent.get(client(3), at(29)).is_some());
        assert_eq!(recent.get(client(3), at(30)), None, "whenever the generations turn");
        recent.keep(client(4), &Answers::default(), at(31));
        assert_eq!(recent.get(client(4), at(60)), None, "after a quiet time");
    }

    #[test]
    fn memory_is_bounded_and_holds_the_latest() {
        let (recent, now) = (Recent::default(), Instant::now());
        for number in 0..5 * CLIENTS {
            recent.keep(client(number), &Answers::default(), now);
        }
        let held = (0..5 * CLIENTS).filter(|&number| recent.get(client(number), now).is_some()).count();
        assert!((CLIENTS..=2 * CLIENTS).contains(&held), "{held}");
        assert!(recent.get(client(5 * CLIENTS - 1), now).is_some());
    }

    #[test]
    fn answers_with_something_missing_are_not_kept() {
        let recent = Recent::default();
        let silent = ListAnswer { list: "dnsbl.x".into(), outcome: Outcome::TimedOut, health: Health::Sound };
        recent.keep(client(1), &Answers { lists: vec![silent], ..Answers::default() }, Instant::now());
        let lost = ReverseDns::Trouble { why: "SERVFAIL".into() };
        recent.keep(client(2), &Answers { reverse: lost, ..Answers::default() }, Instant::now());
        assert_eq!((recent.get(client(1), Instant::now()), recent.get(client(2), Instant::now())), (None, None));
    }
}
