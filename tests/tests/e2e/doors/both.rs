//! What two doors said about the same letters. They are told different facts of one message, so this is reported only.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::witnesses::Door;

/// How many explanations are equal, and in what the others differ.
pub(super) fn compare(one: &Door, other: &Door) -> String {
    let (first, second) = (one.by_helo(), other.by_helo());
    let mut kinds: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let (mut equal, mut all) = (0, 0);
    for (helo, here) in &first {
        let there = second.get(helo).map(Vec::as_slice).unwrap_or_default();
        all += here.len().max(there.len());
        let mut seen = BTreeSet::new();
        for (here, there) in here.iter().zip(there) {
            equal += usize::from(here == there);
            seen.extend(differing(here, there));
        }
        if here.len() != there.len() {
            seen.insert(format!("{} explanations and {}", here.len(), there.len()));
        }
        for kind in seen {
            kinds.entry(kind).or_insert((0, helo.clone())).0 += 1;
        }
    }
    let mut text = format!("{} and {}: {equal} of {all} explanations of the same mail are equal", one.name, other.name);
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (kind, (count, helo)) in kinds {
        text.push_str(&format!("\n  {count:>5}  {kind}, for instance {helo}"));
    }
    text
}

/// In which keys two explanations differ; of findings, in which.
fn differing(here: &Value, there: &Value) -> Vec<String> {
    let (here, there) = (here.as_object().expect("an object"), there.as_object().expect("an object"));
    let keys: BTreeSet<&String> =
        here.keys().chain(there.keys()).filter(|key| here.get(*key) != there.get(*key)).collect();
    let mut found = Vec::new();
    for key in keys {
        if key == "findings" {
            let (here, there) = (by_id(&here[key]), by_id(&there[key]));
            for id in here.keys().chain(there.keys()).collect::<BTreeSet<_>>() {
                match (here.get(id), there.get(id)) {
                    (Some(_), None) => found.push(format!("finding {id} at the first only")),
                    (None, Some(_)) => found.push(format!("finding {id} at the second only")),
                    (here, there) if here != there => found.push(format!("finding {id}")),
                    _ => {}
                }
            }
        } else if key != "points" {
            found.push(key.clone());
        }
    }
    found
}

fn by_id(findings: &Value) -> BTreeMap<String, Vec<&Value>> {
    let mut all: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for finding in findings.as_array().into_iter().flatten() {
        all.entry(finding["id"].as_str().unwrap_or_default().to_owned()).or_default().push(finding);
    }
    all
}
