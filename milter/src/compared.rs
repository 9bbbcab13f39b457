//! What one configuration says about a message, and why another one says something else.

use mailward_core::{
    explain::{Explanation, edit_text},
    verdict::{Edit, Points},
};
use serde::Serialize;
use std::collections::BTreeSet;

/// A verdict in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Judged {
    pub(crate) verdict: String,
    pub(crate) stage: &'static str,
    pub(crate) points: Points,
    /// Each recipient with what becomes of the message for him.
    pub(crate) recipients: Vec<(String, String)>,
    /// What decided; of several recipients each thing once.
    pub(crate) because: String,
    pub(crate) findings: Vec<(String, Points)>,
    /// The SMTP reply, without reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply: Option<String>,
    /// What is changed, but for Authentication-Results; `{points}` stands for the total.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) edits: Vec<String>,
}

/// Most findings named as the cause of a change. Unit: findings. Source: our own limit, a line of text.
const CAUSES: usize = 5;

impl Judged {
    pub(crate) fn of(explanation: &Explanation) -> Self {
        let recipients = explanation.recipients.iter();
        let decided: BTreeSet<&str> = recipients.clone().map(|recipient| recipient.because.as_str()).collect();
        let because = match &explanation.because {
            Some(because) => because.clone(),
            None => decided.into_iter().collect::<Vec<_>>().join(", "),
        };
        Judged {
            verdict: explanation.verdict.clone(),
            stage: explanation.stage.word(),
            points: explanation.points,
            recipients: recipients.map(|r| (r.address.clone(), r.disposition.word().to_owned())).collect(),
            because,
            findings: explanation.findings.iter().map(|f| (f.id.to_string(), f.points)).collect(),
            reply: explanation.reply.clone(),
            edits: edits(explanation),
        }
    }

    /// A transaction that goes on where another configuration ended it.
    pub(crate) fn goes_on() -> Self {
        Judged {
            verdict: "goes on".to_owned(),
            stage: "rcpt",
            points: Points::ZERO,
            recipients: Vec::new(),
            because: "nothing".to_owned(),
            findings: Vec::new(),
            reply: None,
            edits: Vec::new(),
        }
    }

    /// Whether the message does not reach its recipients as it came.
    pub(crate) fn is_flagged(&self) -> bool {
        self.verdict != "deliver"
    }

    fn points_of(&self, id: &str) -> Option<Points> {
        self.findings.iter().find(|(own, _)| own == id).map(|(_, points)| *points)
    }

    /// Whether the other configuration does something else with the message.
    pub(crate) fn differs(&self, other: &Judged) -> bool {
        let what = |judged: &Judged| (judged.verdict.clone(), judged.recipients.clone(), judged.reply.clone());
        what(self) != what(other) || self.edits != other.edits
    }
}

fn edits(explanation: &Explanation) -> Vec<String> {
    let total = explanation.points.to_string();
    let ours = |edit: &&Edit| edit.header().is_none_or(|name| !name.eq_ignore_ascii_case("authentication-results"));
    explanation.edits.iter().filter(ours).map(|edit| edit_text(edit).replace(&total, "{points}")).collect()
}

/// What makes `b` do otherwise than `a`: the rule that decides, and findings that one has, or weighs, otherwise.
pub(crate) fn causes(a: &Judged, b: &Judged) -> Vec<String> {
    let mut causes = Vec::new();
    if a.because != b.because {
        causes.push(format!("{} instead of {}", b.because, a.because));
    }
    let ids: BTreeSet<&str> = a.findings.iter().chain(&b.findings).map(|(id, _)| id.as_str()).collect();
    let mut weights: Vec<(i32, String)> = Vec::new();
    for id in ids {
        let (before, after) = (a.points_of(id), b.points_of(id));
        let number = |points: Option<Points>| points.map_or(0, Points::as_hundredths);
        let text = match (before, after) {
            (None, Some(points)) => format!("+{id} {points}"),
            (Some(points), None) => format!("-{id} {points}"),
            (Some(before), Some(after)) if before != after => format!("{id} {before} -> {after}"),
            _ => continue,
        };
        weights.push((number(after).abs_diff(number(before)) as i32, text));
    }
    weights.sort_by(|a, b| (b.0, &a.1).cmp(&(a.0, &b.1)));
    causes.extend(weights.into_iter().take(CAUSES).map(|(_, text)| text));
    let only = |edits: &[String], others: &[String], sign: &str| {
        edits.iter().filter(|edit| !others.contains(edit)).map(|edit| format!("{sign}{edit}")).collect::<Vec<_>>()
    };
    let changes = only(&b.edits, &a.edits, "+").into_iter().chain(only(&a.edits, &b.edits, "-"));
    causes.extend(changes.take(CAUSES));
    if causes.is_empty() && a.because.starts_with("threshold") {
        causes.push("other thresholds".to_owned());
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(verdict: &str, because: &str, findings: &[(&str, i32)]) -> Judged {
        Judged {
            verdict: verdict.to_owned(),
            stage: "message",
            points: Points::hundredths(findings.iter().map(|(_, points)| points).sum()),
            recipients: vec![("a@b.test".to_owned(), verdict.to_owned())],
            because: because.to_owned(),
            findings: findings.iter().map(|(id, points)| ((*id).to_owned(), Points::hundredths(*points))).collect(),
            reply: None,
            edits: Vec::new(),
        }
    }

    #[test]
    fn the_cause_names_the_rule_and_the_heaviest_findings_first() {
        let a = judged("deliver", "nothing against it", &[("spf.fail", 100), ("dkim.none", 10), ("same", 5)]);
        let b = judged("reject", "policy \"x\"", &[("spf.fail", 350), ("link.new", 300), ("same", 5)]);
        assert_eq!(
            causes(&a, &b),
            [
                "policy \"x\" instead of nothing against it",
                "+link.new 3.00",
                "spf.fail 1.00 -> 3.50",
                "-dkim.none 0.10"
            ]
        );
        assert!(causes(&a, &a).is_empty());
        let elsewhere = |to: &str| Judged { edits: vec![format!("add recipient <{to}>")], ..a.clone() };
        assert!(elsewhere("one").differs(&elsewhere("two")), "the same word, and another end");
        assert_eq!(causes(&elsewhere("one"), &elsewhere("two")), ["+add recipient <two>", "-add recipient <one>"]);
        let tagged = judged("tag", "threshold tag", &[("same", 5)]);
        let refused = Judged { verdict: "reject".to_owned(), ..tagged.clone() };
        assert_eq!(causes(&tagged, &refused), ["other thresholds"]);
    }
}
