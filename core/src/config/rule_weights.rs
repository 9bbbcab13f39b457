//! `disabled` and `points` of the tables whose findings come from rules.

use super::{
    diagnostic::{Faults, did_you_mean},
    reader::{Table, points_of},
};
use crate::verdict::Points;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// Points by rule id that replace those of the rules, and rules that do not run.
pub(super) type Weights = (BTreeMap<String, Points>, BTreeSet<String>);

/// Reads `disabled` and `points`. `kind`: what the rules are called in faults; `ids`: all there are.
pub(super) fn read(table: &mut Table<'_>, kind: &str, ids: &[&str], faults: &mut Faults<'_>) -> Weights {
    let (mut overrides, mut disabled) = Weights::default();
    for id in table.strings("disabled", faults).unwrap_or_default() {
        if is_rule(id.get_ref(), id.span(), kind, ids, faults) {
            disabled.insert(id.into_inner());
        }
    }
    if let Some(mut points) = table.table("points", faults) {
        let rows = points.take_rest();
        for (id, place, span, value) in rows {
            match points_of(&value) {
                Some(weight) if is_rule(&id, place, kind, ids, faults) => drop(overrides.insert(id, weight)),
                Some(_) => {}
                None => points.wrong_type(&id, span, "a number of points such as 2.5", &value, faults),
            }
        }
    }
    (overrides, disabled)
}

fn is_rule(id: &str, place: Range<usize>, kind: &str, ids: &[&str], faults: &mut Faults<'_>) -> bool {
    let known = ids.contains(&id);
    if !known {
        let advice = did_you_mean(id, ids.iter().copied());
        faults.at(place, format!("no {kind} rule is named \"{id}\"{advice}"));
    }
    known
}
