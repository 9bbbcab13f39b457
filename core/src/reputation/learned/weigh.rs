//! From counts to points.

use super::{History, Known, Settings};
use crate::{store::Buckets, verdict::Points};

/// How many good messages one bad message weighs. Source: our own limit: a sender of a quarter of spam is neutral.
const BAD_WEIGHT: f64 = 3.0;

/// What one identity contributes.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed<'h> {
    /// The identity and its counts.
    pub known: &'h Known,
    /// Bad messages that are still remembered, not decayed.
    pub bad: u64,
    /// Good ones.
    pub good: u64,
    /// How sure the counts are, from 0 to 1.
    pub confidence: f64,
    /// Its part of the points.
    pub points: Points,
}

/// Weighs all identities of one sender, the most specific first.
pub(super) fn weigh<'h>(settings: &Settings, histories: &[&'h History]) -> Vec<Weighed<'h>> {
    let mut all: Vec<(&Known, i64)> =
        histories.iter().flat_map(|history| history.known.iter().map(|known| (known, history.asked))).collect();
    all.sort_by_key(|(known, _)| known.identity.kind);
    let mut left = 1.0;
    let weigh_one = |(known, now): (&'h Known, i64)| {
        let (bad, good) = (decayed(settings, &known.bad, now), decayed(settings, &known.good, now));
        let kind = known.identity.kind;
        let confidence = confidence(settings, kind.caution(), bad + good);
        let lean = lean(bad, good);
        let part = left * kind.share(lean) * confidence;
        left -= part;
        let bound = if lean > 0.0 { settings.max_points } else { settings.min_points };
        // Cut, not rounded: so the sum cannot pass the bound.
        let points = (part * lean.abs() * f64::from(bound.as_hundredths())).trunc();
        let since = now.saturating_sub(seconds(settings.remember));
        Weighed {
            known,
            bad: known.bad.since(since),
            good: known.good.since(since),
            confidence,
            points: Points::hundredths(points as i32),
        }
    };
    all.into_iter().map(weigh_one).collect()
}

/// How sure so many messages make: 0 for none, one half for `confidence` of them, towards 1. The square keeps the first
/// few from saying anything.
fn confidence(settings: &Settings, caution: f64, messages: f64) -> f64 {
    let half = settings.confidence.max(1) as f64 * caution;
    messages * messages / (messages * messages + half * half)
}

/// From -1, all good, to 1, all bad.
fn lean(bad: f64, good: f64) -> f64 {
    let bad = BAD_WEIGHT * bad;
    if bad + good > 0.0 { (bad - good) / (bad + good) } else { 0.0 }
}

/// The amounts, each halved for every half-life since its bucket began.
fn decayed(settings: &Settings, buckets: &Buckets, now: i64) -> f64 {
    let since = now.saturating_sub(seconds(settings.remember));
    let half_life = seconds(settings.half_life).max(1);
    let kept = buckets.0.iter().filter(|(start, _)| *start >= since);
    kept.map(|&(start, amount)| amount as f64 * weight(now.saturating_sub(start).max(0), half_life)).sum()
}

/// `0.5^(age / half_life)`, straight between two halvings: nothing but exact operations, so that a replay on another
/// machine gives the same bits.
fn weight(age: i64, half_life: i64) -> f64 {
    let halvings = (age / half_life).min(62);
    let rest = (age % half_life) as f64 / half_life as f64;
    (1.0 - rest / 2.0) / (1_u64 << halvings) as f64
}

fn seconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
