//! Counts by labels that are not all known beforehand, without a lock and within bounds.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Places in the table. Unit: label sets. Source: our own limit; a site with all rules has a few hundred finding ids.
const PLACES: usize = 2_048;
/// Places tried for one label set before it counts as "other".
const TRIES: usize = 32;
/// Longest label that is kept. Unit: bytes. Source: our own limit; ids are below 60.
const LONGEST: usize = 120;
/// What counts under a label set that finds no place.
const OTHER: &str = "other";

/// A table of counts by `N` labels.
#[derive(Debug)]
pub(super) struct LabelCounts<const N: usize> {
    places: Box<[Place<N>]>,
    other: AtomicU64,
}

#[derive(Debug)]
struct Place<const N: usize> {
    labels: OnceLock<[Box<str>; N]>,
    count: AtomicU64,
}

impl<const N: usize> Place<N> {
    fn counted(&self) -> Option<([&str; N], u64)> {
        let labels = self.labels.get()?;
        Some((std::array::from_fn(|i| &*labels[i]), self.count.load(Relaxed)))
    }
}

impl<const N: usize> Default for LabelCounts<N> {
    fn default() -> Self {
        let place = || Place { labels: OnceLock::new(), count: AtomicU64::new(0) };
        LabelCounts { places: (0..PLACES).map(|_| place()).collect(), other: AtomicU64::new(0) }
    }
}

impl<const N: usize> LabelCounts<N> {
    /// Counts one.
    pub(super) fn add(&self, labels: [&str; N]) {
        if labels.iter().any(|label| label.len() > LONGEST) {
            self.other.fetch_add(1, Relaxed);
            return;
        }
        let hash = labels.iter().fold(0, |hash: u64, label| hash.rotate_left(17) ^ super::fnv1a(label.as_bytes()));
        for attempt in 0..TRIES {
            let place = &self.places[(hash as usize).wrapping_add(attempt) % PLACES];
            let found = place.labels.get_or_init(|| labels.map(Box::from));
            if found.iter().zip(labels).all(|(found, label)| **found == *label) {
                place.count.fetch_add(1, Relaxed);
                return;
            }
        }
        self.other.fetch_add(1, Relaxed);
    }

    /// All counts. Labels are as they were given; those past the bounds are together under "other".
    pub(super) fn all(&self) -> Vec<([&str; N], u64)> {
        let mut all: Vec<_> = self.places.iter().filter_map(Place::counted).collect();
        let other = self.other.load(Relaxed);
        if other > 0 {
            all.push(([OTHER; N], other));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_without_end_are_counted_within_bounds() {
        let counts = LabelCounts::default();
        for number in 0..10_000 {
            counts.add([&format!("rule-{number}")]);
        }
        counts.add([&"x".repeat(LONGEST + 1)]);
        let all = counts.all();
        assert!(all.len() <= PLACES + 1, "{}", all.len());
        assert_eq!(all.iter().map(|(_, count)| count).sum::<u64>(), 10_001, "each is counted somewhere");
        assert!(all.iter().any(|(labels, _)| labels == &[OTHER]));
    }

    #[test]
    fn threads_that_count_the_same_labels_lose_none() {
        let counts = LabelCounts::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|i| counts.add(["stage", ["a", "b"][i % 2]])));
            }
        });
        let mut all = counts.all();
        all.sort();
        assert_eq!(all, [(["stage", "a"], 2_000), (["stage", "b"], 2_000)]);
    }
}
