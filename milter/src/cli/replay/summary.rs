//! What a whole replay comes to.

use super::row::{Label, Row};
use crate::compared::Judged;
use serde::Serialize;
use std::collections::BTreeMap;

/// Counts of a replay. They grow with what is told apart (findings, policies, domains), never with the messages.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    pub(super) messages: u64,
    pub(super) ham: u64,
    pub(super) spam: u64,
    pub(super) changed: u64,
    pub(super) a: Side,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) b: Option<Side>,
    /// Changes by what they do: `deliver -> tag`, with what did it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) changes: BTreeMap<String, Change>,
}

/// What one configuration does.
#[derive(Debug, Default, Serialize)]
pub(super) struct Side {
    pub(super) verdicts: BTreeMap<String, Tally>,
    /// By what decided.
    pub(super) because: BTreeMap<String, Tally>,
    /// By the domain of the first recipient: messages that do not go through unmarked.
    pub(super) domains: BTreeMap<String, Tally>,
    pub(super) findings: BTreeMap<String, Tally>,
    /// Messages of each whole number of points, from [`LEAST`] to [`MOST`].
    pub(super) points: BTreeMap<i32, Tally>,
    /// Messages that do not go through unmarked.
    pub(super) flagged: Tally,
}

/// Messages, and of how many it is known what they are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    pub(super) messages: u64,
    pub(super) ham: u64,
    pub(super) spam: u64,
}

/// One kind of change.
#[derive(Debug, Default, Serialize)]
pub(super) struct Change {
    pub(super) messages: Tally,
    /// How often something did it.
    pub(super) causes: BTreeMap<String, u64>,
}

/// The ends of the histogram: what lies beyond is counted there. Unit: points.
pub(super) const LEAST: i32 = -10;
pub(super) const MOST: i32 = 30;
/// Most domains and causes told apart; the rest is counted together. Source: our own limit, so that memory stays flat.
const TOLD_APART: usize = 10_000;
const OTHERS: &str = "(others)";

impl Tally {
    fn add(&mut self, label: Option<Label>) {
        self.messages += 1;
        match label {
            Some(Label::Ham) => self.ham += 1,
            Some(Label::Spam) => self.spam += 1,
            None => {}
        }
    }

    /// Of the messages known to be one or the other, the share that is spam.
    pub(super) fn precision(self) -> Option<f64> {
        let known = self.ham + self.spam;
        (known > 0).then(|| self.spam as f64 / known as f64)
    }

    /// The share of all spam that is among these.
    pub(super) fn recall(self, spam: u64) -> Option<f64> {
        (spam > 0).then(|| self.spam as f64 / spam as f64)
    }
}

impl Summary {
    pub(super) fn new(compares: bool) -> Self {
        Summary { b: compares.then(Side::default), ..Summary::default() }
    }

    pub(super) fn add(&mut self, row: &Row) {
        self.messages += 1;
        match row.label {
            Some(Label::Ham) => self.ham += 1,
            Some(Label::Spam) => self.spam += 1,
            None => {}
        }
        self.a.add(&row.a, row);
        if let (Some(side), Some(b)) = (&mut self.b, &row.b) {
            side.add(b, row);
        }
        let Some(b) = row.b.as_ref().filter(|_| row.is_changed()) else { return };
        self.changed += 1;
        let change = self.changes.entry(format!("{} -> {}", row.a.verdict, b.verdict)).or_default();
        change.messages.add(row.label);
        for cause in &row.changed_by {
            *place(&mut change.causes, cause) += 1;
        }
    }
}

impl Side {
    fn add(&mut self, judged: &Judged, row: &Row) {
        place(&mut self.verdicts, &judged.verdict).add(row.label);
        place(&mut self.because, &judged.because).add(row.label);
        for (id, _) in &judged.findings {
            place(&mut self.findings, id).add(row.label);
        }
        let points = judged.points.as_hundredths().div_euclid(100).clamp(LEAST, MOST);
        self.points.entry(points).or_default().add(row.label);
        if judged.is_flagged() {
            self.flagged.add(row.label);
            place(&mut self.domains, &row.domain).add(row.label);
        }
    }
}

/// The place of a name; past the bound all share one.
fn place<'m, T: Default>(map: &'m mut BTreeMap<String, T>, name: &str) -> &'m mut T {
    let name = if map.len() < TOLD_APART || map.contains_key(name) { name } else { OTHERS };
    map.entry(name.to_owned()).or_default()
}

/// The entries of a map with the most messages first.
pub(super) fn by_size(map: &BTreeMap<String, Tally>) -> Vec<(&str, Tally)> {
    let mut entries: Vec<(&str, Tally)> = map.iter().map(|(name, tally)| (name.as_str(), *tally)).collect();
    entries.sort_by_key(|(name, tally)| (std::cmp::Reverse(tally.messages), *name));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_and_recall_come_from_labels_alone() {
        let tally = Tally { messages: 10, ham: 1, spam: 3 };
        assert_eq!((tally.precision(), tally.recall(12)), (Some(0.75), Some(0.25)));
        let unknown = Tally { messages: 10, ham: 0, spam: 0 };
        assert_eq!((unknown.precision(), unknown.recall(0)), (None, None));
    }

    #[test]
    fn names_without_end_share_one_place() {
        let mut map: BTreeMap<String, u64> = BTreeMap::new();
        for number in 0..TOLD_APART + 5 {
            *place(&mut map, &number.to_string()) += 1;
        }
        *place(&mut map, "7") += 1;
        assert_eq!((map.len(), map[OTHERS], map["7"]), (TOLD_APART + 1, 5, 2));
    }
}
