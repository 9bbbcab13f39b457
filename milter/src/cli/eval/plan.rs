//! Who is learned and who is judged: the rounds of an evaluation.

use super::{facts::Facts, mail::Labelled};
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How mail that both trains and is judged is divided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Split {
    /// By the first hexadecimal digit of SHA-256: 0 to 7 is learned, 8 to f judged.
    Hash,
    /// This share of the mail, the older one, is learned; the newer one judged.
    Time(f64),
    /// In so many rounds: each judges its part and learns the others.
    Folds(usize),
}

/// What is held together when mail is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Unit {
    /// Each message for itself.
    Message,
    /// Near duplicates: what is learned has none among what is judged.
    Campaign,
}

/// What the command line asks for.
#[derive(Debug)]
pub(super) struct Protocol {
    /// Sets and groups that are learned; `None`: all.
    pub(super) train: Option<BTreeSet<String>>,
    /// Sets and groups that are judged; `None`: all.
    pub(super) judge: Option<BTreeSet<String>>,
    pub(super) split: Split,
    pub(super) by: Unit,
    /// Each set is judged by what all others teach.
    pub(super) leave_one_set_out: bool,
    /// Draws the folds.
    pub(super) seed: u64,
}

/// A model, and what it judges. Numbers are those of the messages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) name: String,
    /// In the order of their hashes, so that the order of the files means nothing.
    pub(super) train: Vec<usize>,
    pub(super) judge: Vec<usize>,
}

impl Protocol {
    /// The rounds; together they judge each message that is to be judged at most once.
    pub(super) fn rounds(&self, mail: &[Labelled], facts: &[Facts]) -> Vec<Round> {
        let all = || 0..mail.len();
        let trains: BTreeSet<usize> = all().filter(|&n| self.trains(&mail[n])).collect();
        let judged: BTreeSet<usize> = all().filter(|&n| self.judges(&mail[n])).collect();
        let mut rounds = if self.leave_one_set_out {
            left_out(mail, facts, &trains, &judged)
        } else if let Split::Folds(folds) = self.split {
            self.folds(folds, facts, &trains, &judged)
        } else {
            let learned = self.learned_part(facts, &trains.intersection(&judged).copied().collect::<Vec<_>>());
            let train = trains.iter().copied().filter(|n| !judged.contains(n) || learned.contains(n)).collect();
            let judge = judged.iter().copied().filter(|n| !learned.contains(n)).collect();
            vec![Round { name: "all".to_owned(), train, judge }]
        };
        for round in &mut rounds {
            round.train.sort_by(|&a, &b| (&facts[a].hash, a).cmp(&(&facts[b].hash, b)));
        }
        rounds.retain(|round| !round.judge.is_empty());
        rounds
    }

    /// Whether a message may be learned.
    pub(super) fn trains(&self, message: &Labelled) -> bool {
        is_named(self.train.as_ref(), message)
    }

    /// Whether a message may be judged.
    pub(super) fn judges(&self, message: &Labelled) -> bool {
        is_named(self.judge.as_ref(), message)
    }

    /// By what a message is told from others when mail is divided.
    fn unit<'f>(&self, fact: &'f Facts) -> &'f str {
        match self.by {
            Unit::Message => &fact.hash,
            Unit::Campaign => &fact.campaign,
        }
    }

    fn folds(&self, folds: usize, facts: &[Facts], trains: &BTreeSet<usize>, judged: &BTreeSet<usize>) -> Vec<Round> {
        let units: BTreeSet<&str> = trains.union(judged).map(|&n| self.unit(&facts[n])).collect();
        let mut units: Vec<&str> = units.into_iter().collect();
        // Drawn by lot and dealt in turn: folds of one size, whatever the names are.
        units.sort_by_cached_key(|unit| (xxh3_64_with_seed(unit.as_bytes(), self.seed), unit.to_string()));
        let fold: BTreeMap<&str, usize> = units.into_iter().enumerate().map(|(n, unit)| (unit, n % folds)).collect();
        let fold_of = |n: &usize| fold[self.unit(&facts[*n])];
        (0..folds)
            .map(|number| Round {
                name: format!("fold {}", number + 1),
                train: trains.iter().copied().filter(|n| fold_of(n) != number).collect(),
                judge: judged.iter().copied().filter(|n| fold_of(n) == number).collect(),
            })
            .collect()
    }

    /// Of mail that both trains and is judged, what trains.
    fn learned_part(&self, facts: &[Facts], both: &[usize]) -> BTreeSet<usize> {
        match self.split {
            Split::Time(share) => {
                // Who has no time is learned: judged, it might be older than what it is judged by.
                let mut times: Vec<i64> = both.iter().filter_map(|&n| facts[n].time).collect();
                times.sort_unstable();
                let newer = times.get((times.len() as f64 * share).round() as usize).copied().unwrap_or(i64::MAX);
                both.iter().copied().filter(|&n| facts[n].time.is_none_or(|time| time < newer)).collect()
            }
            _ => {
                let digit = |n: usize| match self.by {
                    Unit::Message => facts[n].hash.bytes().next(),
                    Unit::Campaign => Some(b"0123456789abcdef"[campaign_digit(&facts[n].campaign)]),
                };
                both.iter().copied().filter(|&n| digit(n).is_some_and(|digit| (b'0'..=b'7').contains(&digit))).collect()
            }
        }
    }
}

/// Whether the set or the group of a message is among these.
fn is_named(names: Option<&BTreeSet<String>>, message: &Labelled) -> bool {
    names.is_none_or(|names| names.contains(&message.set) || names.contains(&message.group))
}

/// Campaigns have names of any form.
fn campaign_digit(campaign: &str) -> usize {
    (xxh3_64_with_seed(campaign.as_bytes(), 0) >> 60) as usize
}

/// A round for each set: it judges the set, and learns the others but for what is nearly the same.
fn left_out(mail: &[Labelled], facts: &[Facts], trains: &BTreeSet<usize>, judged: &BTreeSet<usize>) -> Vec<Round> {
    let sets: BTreeSet<&str> = judged.iter().map(|&n| mail[n].set.as_str()).collect();
    let round = |set: &str| {
        let judge: Vec<usize> = judged.iter().copied().filter(|&n| mail[n].set == set).collect();
        let campaigns: BTreeSet<&str> = judge.iter().map(|&n| facts[n].campaign.as_str()).collect();
        let foreign = |n: &usize| mail[*n].set != set && !campaigns.contains(facts[*n].campaign.as_str());
        Round { name: format!("without {set}"), train: trains.iter().copied().filter(foreign).collect(), judge }
    };
    sets.into_iter().map(round).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::input::Place;
    use mailward_core::spam::classifier::Class;

    /// Messages `set campaign hash time`.
    fn mail(rows: &[(&str, &str, &str, i64)]) -> (Vec<Labelled>, Vec<Facts>) {
        let labelled = |set: &str| Labelled {
            name: String::new(),
            place: Place { file: "x".into(), span: None },
            class: Class::Ham,
            set: set.to_owned(),
            group: format!("group of {set}"),
            campaign: None,
            time: None,
            client_ip: None,
            helo: None,
            mail_from: None,
        };
        let facts = |&(_, campaign, hash, time): &(&str, &str, &str, i64)| Facts::made(hash, Some(time), campaign);
        (rows.iter().map(|row| labelled(row.0)).collect(), rows.iter().map(facts).collect())
    }

    fn protocol(split: Split) -> Protocol {
        Protocol { train: None, judge: None, split, by: Unit::Message, leave_one_set_out: false, seed: 1 }
    }

    fn names(names: &[&str]) -> Option<BTreeSet<String>> {
        Some(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn the_first_digit_of_the_hash_or_the_time_divides() {
        let (mail, facts) =
            mail(&[("a", "1", "8a", 40), ("a", "2", "7f", 30), ("a", "3", "0b", 10), ("a", "4", "fc", 20)]);
        let rounds = protocol(Split::Hash).rounds(&mail, &facts);
        assert_eq!(rounds, [Round { name: "all".into(), train: vec![2, 1], judge: vec![0, 3] }]);
        let rounds = protocol(Split::Time(0.5)).rounds(&mail, &facts);
        assert_eq!(rounds, [Round { name: "all".into(), train: vec![2, 3], judge: vec![0, 1] }]);
        let rounds = Protocol { train: names(&[]), ..protocol(Split::Hash) }.rounds(&mail, &facts);
        assert_eq!(rounds[0].judge, [0, 1, 2, 3], "where nothing is learned, all is judged");
    }

    #[test]
    fn folds_judge_each_message_once_and_hold_campaigns_together() {
        let rows: Vec<(String, String)> =
            (0..60).map(|n| (format!("{:02x}", n * 4), format!("campaign {}", n / 3))).collect();
        let rows: Vec<(&str, &str, &str, i64)> = rows
            .iter()
            .enumerate()
            .map(|(n, (hash, campaign))| (["a", "b"][n % 2], campaign.as_str(), hash.as_str(), 0))
            .collect();
        let (mail, facts) = mail(&rows);
        let rounds = Protocol { by: Unit::Campaign, ..protocol(Split::Folds(5)) }.rounds(&mail, &facts);
        assert_eq!(rounds.iter().map(|round| round.judge.len()).collect::<Vec<_>>(), [12; 5]);
        let mut judged: Vec<usize> = rounds.iter().flat_map(|round| round.judge.clone()).collect();
        judged.sort_unstable();
        assert_eq!(judged, (0..60).collect::<Vec<_>>());
        for round in &rounds {
            let campaigns =
                |numbers: &[usize]| numbers.iter().map(|&n| facts[n].campaign.clone()).collect::<BTreeSet<_>>();
            assert!(campaigns(&round.train).is_disjoint(&campaigns(&round.judge)));
            assert_eq!(round.train.len() + round.judge.len(), 60);
        }
        let cross =
            Protocol { by: Unit::Campaign, train: names(&["a"]), ..protocol(Split::Folds(5)) }.rounds(&mail, &facts);
        assert!(cross.iter().all(|round| round.train.iter().all(|&n| mail[n].set == "a")));
        assert_eq!(cross.iter().map(|round| round.judge.len()).sum::<usize>(), 60);
    }

    #[test]
    fn sets_judge_each_other_without_what_both_have() {
        let (mail, facts) = mail(&[("a", "1", "8a", 0), ("a", "2", "1f", 0), ("b", "2", "9b", 0), ("b", "3", "2c", 0)]);
        let cross = Protocol { train: names(&["a"]), judge: names(&["group of b"]), ..protocol(Split::Hash) };
        assert_eq!(cross.rounds(&mail, &facts), [Round { name: "all".into(), train: vec![1, 0], judge: vec![2, 3] }]);
        let left_out = Protocol { leave_one_set_out: true, ..protocol(Split::Hash) }.rounds(&mail, &facts);
        let expected = [
            Round { name: "without a".into(), train: vec![3], judge: vec![0, 1] },
            Round { name: "without b".into(), train: vec![0], judge: vec![2, 3] },
        ];
        assert_eq!(left_out, expected);
    }
}
