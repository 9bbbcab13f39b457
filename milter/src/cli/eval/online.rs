//! Mail as it comes: each message judged by what the ones before it taught, then learned.

use super::{
    facts::Facts,
    judging::{self, Judge},
    mail::Labelled,
    measures::{Measures, Scored, missed_area},
    peers::{Bogofilter, Folder},
    workers::bar,
};
use crate::cli::envelope::wire_form;
use mailward_core::{
    engine::{Lessons, features},
    spam::classifier::{LiveModel, Model},
};
use serde::Serialize;
use std::{collections::BTreeMap, thread};

/// After so many messages the curve has a point. Unit: messages.
const POINTS: [usize; 12] = [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000];
/// The weights are found anew when the messages learned have grown by one in so many, as a site does that learns now and then.
/// Source: our own limit; the whole takes as long as learning all of them fifty times.
const TAUGHT_EACH: usize = 50;

/// The mail of one group, in its order.
#[derive(Debug, Serialize)]
pub(super) struct Stream {
    pub(super) group: String,
    /// `time`; `hash` where no message has a time, as files stand one class after the other.
    pub(super) order: &'static str,
    /// Messages without a time, where others have one: they are left out.
    pub(super) timeless: usize,
    pub(super) curves: Vec<Curve>,
}

/// How a filter did.
#[derive(Debug, Serialize)]
pub(super) struct Curve {
    pub(super) filter: &'static str,
    pub(super) points: Vec<Point>,
    /// Over all messages.
    #[serde(flatten)]
    pub(super) measures: Measures,
}

/// A place on a learning curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Point {
    pub(super) messages: usize,
    /// (1-AUC) of all messages up to here; `None` while a class is missing. Unit: percent.
    pub(super) so_far: Option<f64>,
    /// (1-AUC) of the messages since the point before. Unit: percent.
    pub(super) since: Option<f64>,
}

/// Plays the groups one after the other, each from nothing. `model` is that of the judge. With a folder, bogofilter plays beside.
///
/// # Errors
///
/// If bogofilter fails.
pub(super) fn play(
    judge: &Judge,
    model: &LiveModel,
    mail: &[Labelled],
    facts: &[Facts],
    campaigns: &[usize],
    bogofilter: Option<&Folder>,
    (seed, now): (u64, i64),
) -> Result<Vec<Stream>, String> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, labelled) in mail.iter().enumerate() {
        groups.entry(&labelled.group).or_default().push(number);
    }
    let bar = bar("online", mail.len());
    let mut streams = Vec::new();
    for (group, mut numbers) in groups {
        let all = numbers.len();
        let has_times = numbers.iter().any(|&n| facts[n].time.is_some());
        numbers.retain(|&n| facts[n].time.is_some() || !has_times);
        numbers.sort_by_key(|&n| (facts[n].time, &facts[n].hash, n));
        model.change(|model| *model = Model::empty(0, 0));
        let (ours, theirs) = thread::scope(|scope| {
            let theirs = bogofilter.map(|folder| scope.spawn(|| theirs(folder, mail, campaigns, &numbers)));
            let (mut lessons, mut learned, mut taught) = (Lessons::default(), 0, 0);
            let ours = numbers.iter().filter_map(|&n| {
                bar.inc(1);
                let raw = mail[n].place.read().ok()?;
                let wire = wire_form(&raw);
                let verdict = judge.judge(&judging::sent(&mail[n], facts[n].time, &wire, now), &wire);
                let features = std::panic::catch_unwind(|| features(&raw)).unwrap_or_default();
                model.change(|model| {
                    lessons.learn(model, &features, mail[n].class);
                    learned += 1;
                    if (learned - taught) * TAUGHT_EACH >= learned {
                        lessons.teach(model);
                        taught = learned;
                    }
                });
                (!verdict.is_deferred()).then(|| verdict.scored(mail[n].class, campaigns[n]))
            });
            let ours: Vec<Scored> = ours.collect();
            let failed = || Err("bogofilter cannot be played beside".to_owned());
            (ours, theirs.map(|thread| thread.join().unwrap_or_else(|_| failed())))
        });
        let mut curves = vec![Curve::of("mailward", &ours, seed)];
        if let Some(theirs) = theirs {
            curves.push(Curve::of("bogofilter", &theirs?, seed));
        }
        let order = if has_times { "time" } else { "hash" };
        streams.push(Stream { group: group.to_owned(), order, timeless: all - numbers.len(), curves });
    }
    bar.finish_and_clear();
    Ok(streams)
}

fn theirs(folder: &Folder, mail: &[Labelled], campaigns: &[usize], numbers: &[usize]) -> Result<Vec<Scored>, String> {
    let bogofilter = Bogofilter::new(folder)?;
    let mut scored = Vec::with_capacity(numbers.len());
    let mut begun = false;
    for &n in numbers {
        let Ok(raw) = mail[n].place.read() else { continue };
        // Before it has learned anything, it does not judge.
        if begun && let Some(said) = bogofilter.judge_one(&raw)? {
            scored.push(said.scored(mail[n].class, campaigns[n]));
        }
        bogofilter.learn_one(&raw, mail[n].class)?;
        begun = true;
    }
    Ok(scored)
}

impl Curve {
    fn of(filter: &'static str, scored: &[Scored], seed: u64) -> Self {
        Curve { filter, points: points(scored), measures: Measures::of(scored, seed) }
    }
}

fn points(scored: &[Scored]) -> Vec<Point> {
    let ends = POINTS.into_iter().filter(|&end| end < scored.len()).chain([scored.len()]);
    let mut before = 0;
    ends.map(|end| {
        let since = std::mem::replace(&mut before, end);
        Point { messages: end, so_far: missed_area(&scored[..end]), since: missed_area(&scored[since..end]) }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::spam::classifier::Class;

    #[test]
    fn a_curve_has_points_at_round_numbers_and_at_the_end() {
        // The first hundred tell nothing, the next are all right.
        let of = |n: usize| {
            let class = if n.is_multiple_of(2) { Class::Ham } else { Class::Spam };
            let score = if n < 100 { 0.0 } else { class as usize as f64 * 9.0 };
            Scored { class, score, caught: false, refused: false, campaign: n }
        };
        let points = points(&(0..250).map(of).collect::<Vec<_>>());
        let ends: Vec<usize> = points.iter().map(|point| point.messages).collect();
        assert_eq!(ends, [100, 200, 250]);
        assert_eq!((points[0].so_far, points[1].since, points[2].since), (Some(50.0), Some(0.0), Some(0.0)));
        assert!(points[2].so_far < points[1].so_far && points[1].so_far < Some(50.0));
    }
}
