//! What a filter reaches on messages of which it is known what they are.

use mailward_core::spam::classifier::Class;
use serde::Serialize;
use std::collections::BTreeMap;

/// Shares of the ham that may be hit where the share of the spam that is caught is told.
pub(super) const ALLOWED: [f64; 3] = [0.0, 0.001, 0.01];
/// Share of the spam that must be caught where the share of the ham that is hit is told.
pub(super) const RECALL: f64 = 0.99;
/// How often the messages are drawn anew for the intervals. Source: the usual number for 95 %.
const DRAWS: usize = 1_000;
/// Most points of a curve that are kept. Source: our own limit; a plot shows no more.
const CURVE: usize = 400;

/// What a filter said about a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    pub(super) class: Class,
    /// The higher, the more it is spam.
    pub(super) score: f64,
    /// It is not delivered unmarked.
    pub(super) caught: bool,
    /// It does not arrive.
    pub(super) refused: bool,
    /// Number of its campaign.
    pub(super) campaign: usize,
}

/// A share in percent, with what it counts and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Measure {
    /// Unit: percent.
    pub(super) percent: f64,
    /// The middle 95 % of what other draws of the campaigns give. Unit: percent.
    pub(super) interval: [f64; 2],
    /// Messages, where it is they that are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) messages: Option<u64>,
}

/// All measures of a filter on a group. What needs a class that the group does not have is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Measures {
    /// Of the spam: not delivered unmarked.
    pub(super) caught: Option<Measure>,
    /// Of the spam: refused, discarded or held.
    pub(super) refused: Option<Measure>,
    /// Of the ham: not delivered unmarked.
    pub(super) ham_hit: Option<Measure>,
    /// Of the ham: refused, discarded or held.
    pub(super) ham_refused: Option<Measure>,
    /// Of all pairs of a ham and a spam: they stand the wrong way round; equal scores count half.
    pub(super) one_minus_auc: Option<Measure>,
    /// Of the spam, at the threshold where no more than each of [`ALLOWED`] of the ham is hit.
    pub(super) caught_at: [Option<Measure>; 3],
    /// Of the ham, at the threshold where [`RECALL`] of the spam is caught.
    pub(super) ham_hit_at_recall: Option<Measure>,
}

/// The plain numbers of one draw, as shares: caught, refused, ham hit, ham refused, 1-AUC, caught at three thresholds, ham hit
/// at [`RECALL`].
type Shares = [Option<f64>; 9];

impl Measures {
    /// Measures the messages; `seed` draws the campaigns for the intervals.
    pub(super) fn of(scored: &[Scored], seed: u64) -> Self {
        let sorted = sorted(scored);
        let campaigns = scored.iter().map(|scored| scored.campaign + 1).max().unwrap_or(0);
        let value = shares(&sorted, &vec![1; campaigns]);
        let present: Vec<usize> = {
            let mut present: Vec<usize> = scored.iter().map(|scored| scored.campaign).collect();
            present.sort_unstable();
            present.dedup();
            present
        };
        let mut draws: [Vec<f64>; 9] = Default::default();
        let mut random = SplitMix(seed);
        for _ in 0..DRAWS {
            let mut weights = vec![0_u32; campaigns];
            for _ in 0..present.len() {
                weights[present[random.below(present.len())]] += 1;
            }
            for (draws, share) in draws.iter_mut().zip(shares(&sorted, &weights)) {
                draws.extend(share);
            }
        }
        let counted = |class: Class, is: fn(&Scored) -> bool| {
            scored.iter().filter(|scored| scored.class == class && is(scored)).count() as u64
        };
        let messages = [
            Some(counted(Class::Spam, |scored| scored.caught)),
            Some(counted(Class::Spam, |scored| scored.refused)),
            Some(counted(Class::Ham, |scored| scored.caught)),
            Some(counted(Class::Ham, |scored| scored.refused)),
        ];
        let measure = |n: usize| {
            let messages = messages.get(n).copied().flatten();
            value[n].map(|share| Measure { percent: 100.0 * share, interval: middle(&draws[n]), messages })
        };
        Measures {
            caught: measure(0),
            refused: measure(1),
            ham_hit: measure(2),
            ham_refused: measure(3),
            one_minus_auc: measure(4),
            caught_at: [measure(5), measure(6), measure(7)],
            ham_hit_at_recall: measure(8),
        }
    }
}

/// The highest score first.
fn sorted(scored: &[Scored]) -> Vec<Scored> {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| b.score.total_cmp(&a.score));
    sorted
}

/// The shares of sorted messages, each counted as often as its campaign weighs.
fn shares(sorted: &[Scored], weights: &[u32]) -> Shares {
    let weigh = |those: &mut dyn Iterator<Item = &Scored>| {
        those.map(|scored| u64::from(weights[scored.campaign])).sum::<u64>() as f64
    };
    let total = |class: Class| weigh(&mut sorted.iter().filter(|s| s.class == class));
    let [all_ham, all_spam] = [Class::Ham, Class::Spam].map(total);
    let share = |class: Class, all: f64, is: fn(&Scored) -> bool| {
        let those = weigh(&mut sorted.iter().filter(|s| s.class == class && is(s)));
        (all > 0.0).then(|| those / all)
    };
    let mut shares: Shares = [None; 9];
    shares[0] = share(Class::Spam, all_spam, |s| s.caught);
    shares[1] = share(Class::Spam, all_spam, |s| s.refused);
    shares[2] = share(Class::Ham, all_ham, |s| s.caught);
    shares[3] = share(Class::Ham, all_ham, |s| s.refused);
    if all_ham == 0.0 || all_spam == 0.0 {
        return shares;
    }
    let (mut ham, mut spam, mut wrong) = (0.0, 0.0, 0.0);
    let mut caught_at = [0.0; 3];
    let mut at_recall = None;
    for same in sorted.chunk_by(|a, b| a.score == b.score) {
        let of = |class: Class| weigh(&mut same.iter().filter(|s| s.class == class));
        let [more_ham, more_spam] = [Class::Ham, Class::Spam].map(of);
        // Ham above this spam is wrong, ham beside it half.
        wrong += more_spam * (ham + more_ham / 2.0);
        (ham, spam) = (ham + more_ham, spam + more_spam);
        for (caught, allowed) in caught_at.iter_mut().zip(ALLOWED) {
            if ham <= allowed * all_ham {
                *caught = spam / all_spam;
            }
        }
        if at_recall.is_none() && spam >= RECALL * all_spam {
            at_recall = Some(ham / all_ham);
        }
    }
    shares[4] = Some(wrong / (all_ham * all_spam));
    for (share, caught) in shares[5..8].iter_mut().zip(caught_at) {
        *share = Some(caught);
    }
    shares[8] = at_recall;
    shares
}

/// (1-AUC) in percent; `None` if a class is missing.
pub(super) fn missed_area(scored: &[Scored]) -> Option<f64> {
    let campaigns = scored.iter().map(|scored| scored.campaign + 1).max().unwrap_or(0);
    shares(&sorted(scored), &vec![1; campaigns])[4].map(|share| 100.0 * share)
}

/// The receiver operating characteristic: share of the ham that is hit and share of the spam that is caught at each threshold, from
/// the highest to the lowest.
pub(super) fn roc(scored: &[Scored]) -> Vec<[f64; 2]> {
    let count = |class: Class| scored.iter().filter(|s| s.class == class).count() as f64;
    let [all_ham, all_spam] = [Class::Ham, Class::Spam].map(count);
    if all_ham == 0.0 || all_spam == 0.0 {
        return Vec::new();
    }
    let (mut ham, mut spam) = (0.0, 0.0);
    let mut curve = vec![[0.0, 0.0]];
    for same in sorted(scored).chunk_by(|a, b| a.score == b.score) {
        let more = same.iter().filter(|s| s.class == Class::Ham).count() as f64;
        (ham, spam) = (ham + more, spam + same.len() as f64 - more);
        curve.push([ham / all_ham, spam / all_spam]);
    }
    // On a straight line up or to the right the ends say all.
    let is_corner =
        |w: &[[f64; 2]]| !(w[0][0] == w[1][0] && w[1][0] == w[2][0] || w[0][1] == w[1][1] && w[1][1] == w[2][1]);
    let mut corners: Vec<[f64; 2]> = curve.windows(3).filter(|w| is_corner(w)).map(|w| w[1]).collect();
    corners.insert(0, curve[0]);
    corners.extend(curve.last().filter(|_| curve.len() > 1));
    let every = corners.len().div_ceil(CURVE).max(1);
    let last = corners.len() - 1;
    corners.into_iter().enumerate().filter(|(n, _)| n % every == 0 || *n == last).map(|(_, point)| point).collect()
}

/// Messages of each class (ham, spam) by whole points.
pub(super) fn histogram(scored: &[Scored]) -> BTreeMap<i32, [u64; 2]> {
    let mut bins: BTreeMap<i32, [u64; 2]> = BTreeMap::new();
    for scored in scored {
        bins.entry(scored.score.floor() as i32).or_default()[scored.class as usize] += 1;
    }
    bins
}

/// The middle 95 %.
fn middle(draws: &[f64]) -> [f64; 2] {
    let mut draws = draws.to_vec();
    draws.sort_by(f64::total_cmp);
    let at = |share: f64| draws.get(((draws.len() as f64 - 1.0) * share).round() as usize).copied().unwrap_or(f64::NAN);
    [100.0 * at(0.025), 100.0 * at(0.975)]
}

/// Random numbers that are the same on every machine. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(class: Class, score: f64, campaign: usize) -> Scored {
        Scored { class, score, caught: score >= 5.0, refused: score >= 15.0, campaign }
    }

    /// Ham 0, 1, 5, 5; spam 5, 9, 16, -1: of 16 pairs 4 (the spam of -1) are wrong, and 2 are equal.
    fn messages() -> Vec<Scored> {
        let ham = [0.0, 1.0, 5.0, 5.0].into_iter().map(|score| (Class::Ham, score));
        let spam = [5.0, 9.0, 16.0, -1.0].into_iter().map(|score| (Class::Spam, score));
        ham.chain(spam).enumerate().map(|(n, (class, score))| scored(class, score, n)).collect()
    }

    #[test]
    fn measures_are_those_found_by_hand_and_ties_count_half() {
        let measures = Measures::of(&messages(), 1);
        let percent = |measure: Option<Measure>| measure.map(|measure| (measure.percent, measure.messages));
        assert_eq!(percent(measures.caught), Some((75.0, Some(3))));
        assert_eq!(percent(measures.refused), Some((25.0, Some(1))));
        assert_eq!(percent(measures.ham_hit), Some((50.0, Some(2))));
        assert_eq!(percent(measures.ham_refused), Some((0.0, Some(0))));
        assert_eq!(percent(measures.one_minus_auc), Some((100.0 * 5.0 / 16.0, None)));
        assert_eq!(measures.caught_at.map(|at| at.map(|at| at.percent)), [Some(50.0); 3]);
        assert_eq!(percent(measures.ham_hit_at_recall), Some((100.0, None)));
        assert_eq!(missed_area(&messages()), Some(31.25));
    }

    #[test]
    fn a_group_of_one_class_has_no_curve() {
        let ham: Vec<Scored> = messages().into_iter().filter(|m| m.class == Class::Ham).collect();
        let measures = Measures::of(&ham, 1);
        assert!(measures.caught.is_none() && measures.one_minus_auc.is_none() && measures.caught_at == [None; 3]);
        assert_eq!(measures.ham_hit.map(|hit| hit.percent), Some(50.0));
        assert!(roc(&ham).is_empty());
    }

    #[test]
    fn order_means_nothing_and_intervals_come_again() {
        let mut reversed = messages();
        reversed.reverse();
        assert_eq!(Measures::of(&messages(), 7), Measures::of(&reversed, 7));
        let of_seed = |seed| Measures::of(&messages(), seed).caught.map(|caught| caught.interval);
        assert_eq!(of_seed(7), of_seed(7));
        let [low, high] = of_seed(7).expect("spam");
        assert!(low < 75.0 && 75.0 < high, "{low} {high}");
    }

    #[test]
    fn copies_of_one_campaign_make_no_surer() {
        let spread = |campaigns: usize| {
            let of = |n: usize| scored(Class::Spam, if n.is_multiple_of(2) { 9.0 } else { 0.0 }, n % campaigns);
            let spam: Vec<Scored> = (0..400).map(of).collect();
            let [low, high] = Measures::of(&spam, 3).caught.expect("spam").interval;
            high - low
        };
        assert!(spread(400) < 15.0 && spread(4) > 50.0, "{} {}", spread(400), spread(4));
    }

    #[test]
    fn the_curve_has_the_corners() {
        assert_eq!(roc(&messages()), [[0.0, 0.0], [0.0, 0.5], [0.5, 0.75], [1.0, 0.75], [1.0, 1.0]]);
        assert_eq!(
            histogram(&messages()),
            BTreeMap::from([(-1, [0, 1]), (0, [1, 0]), (1, [1, 0]), (5, [2, 1]), (9, [0, 1]), (16, [0, 1])])
        );
    }
}
