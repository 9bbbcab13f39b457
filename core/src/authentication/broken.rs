//! Signatures that our own edits break.

use super::{ArcResult, DkimResult, Results};
use crate::{
    message::MessageFacts,
    verdict::{Edit, Finding, Points},
};
use std::collections::HashMap;

/// Says which signatures that fit are broken by the edits. The one who gets the message here does not mind; a server to which it
/// is forwarded does.
pub fn broken_by(edits: &[Edit], message: &MessageFacts, results: &Results) -> Vec<Finding> {
    if edits.iter().all(Edit::is_of_envelope) {
        return Vec::new();
    }
    let there = counted(message.headers.iter().map(|(name, _)| name));
    let mut findings = Vec::new();
    let passed = results.signatures.iter().filter(|signature| signature.result == DkimResult::Pass);
    let signers = passed.filter_map(|signature| Some((&signature.domain, touched(edits, &there, &signature.signed)?)));
    findings.extend(finding(
        "edits.break-dkim",
        "RFC 6376 section 5.4: fails wherever the message is forwarded",
        signers,
    ));
    let sealer = results.arc.sets.last().filter(|_| results.arc.result == ArcResult::Pass);
    let sealer = sealer.and_then(|set| Some((&set.sealer, touched(edits, &there, &results.arc.signed)?)));
    let source = "RFC 8617 section 5.2: fails wherever the message is forwarded without a new seal";
    findings.extend(finding("edits.break-arc", source, sealer.into_iter()));
    findings
}

/// How often each name comes, in lower case.
fn counted<'a>(names: impl Iterator<Item = &'a String>) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for name in names {
        *counts.entry(name.trim_end().to_ascii_lowercase()).or_default() += 1;
    }
    counts
}

fn finding<'a>(
    id: &'static str,
    source: &'static str,
    broken: impl Iterator<Item = (&'a String, String)>,
) -> Option<Finding> {
    let facts: Vec<String> = broken.map(|(domain, what)| format!("{domain}: {what}")).collect();
    (!facts.is_empty()).then(|| facts.into_iter().fold(Finding::new(id, Points::ZERO, source), Finding::fact))
}

/// What of the edits a signature over these fields and the body covers, in words. Of several fields of a name it covers the
/// lowest, as many as it names; where it names more than there are, also that there is no other (RFC 6376 §5.4.2).
fn touched(edits: &[Edit], there: &HashMap<String, usize>, signed: &[String]) -> Option<String> {
    let signed = counted(signed.iter());
    let covers = |edit: &Edit, name: &str| {
        let name = name.to_ascii_lowercase();
        let of = |counts: &HashMap<String, usize>| counts.get(&name).copied().unwrap_or_default();
        match edit {
            Edit::ChangeHeader { occurrence, .. } | Edit::RemoveHeader { occurrence, .. } => {
                *occurrence as usize + of(&signed) > of(there)
            }
            _ => of(&signed) > of(there),
        }
    };
    let mut touched: Vec<&str> = edits
        .iter()
        .filter_map(|edit| match edit {
            Edit::ReplaceBody { .. } => Some("body"),
            other => other.header().filter(|name| covers(other, name)),
        })
        .collect();
    touched.sort_unstable();
    touched.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    (!touched.is_empty()).then(|| touched.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authentication::{Arc, ArcSet, Signature};

    fn broken(edit: Edit, signed: &[&str]) -> Vec<String> {
        let names = ["Received", "Received", "From", "Subject"];
        let headers = names.map(|name| (name.to_owned(), String::new())).to_vec();
        let message = MessageFacts { headers, ..MessageFacts::default() };
        let signed: Vec<String> = signed.iter().map(|name| (*name).to_owned()).collect();
        let signature = |result| Signature {
            domain: "author.test".into(),
            selector: "s".into(),
            b: String::new(),
            result,
            reason: None,
            aligned: true,
            signed: signed.clone(),
        };
        let results = Results {
            signatures: vec![signature(DkimResult::Pass), signature(DkimResult::Fail)],
            arc: Arc {
                result: ArcResult::Pass,
                reason: None,
                sets: vec![ArcSet { sealer: "list.test".into(), dmarc_passed: true }],
                signed: signed.clone(),
            },
            ..Results::default()
        };
        let findings = broken_by(&[edit], &message, &results);
        assert!(findings.iter().all(|finding| finding.points == Points::ZERO));
        findings.iter().map(|finding| format!("{} {:?}", finding.id, finding.evidence)).collect()
    }

    fn change(name: &str, occurrence: u32) -> Edit {
        Edit::ChangeHeader { name: name.into(), occurrence, value: "x".into() }
    }

    #[test]
    fn what_a_signature_covers_is_said_with_its_domain() {
        let both = |what: &str| {
            vec![
                format!("edits.break-dkim [Fact(\"author.test: {what}\")]"),
                format!("edits.break-arc [Fact(\"list.test: {what}\")]"),
            ]
        };
        let body = Edit::ReplaceBody { with: "banner".into(), body: bytes::Bytes::new() };
        assert_eq!(broken(body, &["From"]), both("body"));
        assert_eq!(broken(change("Subject", 1), &["from", "subject"]), both("Subject"));
        assert_eq!(broken(change("Subject", 1), &["From"]), [""; 0]);
    }

    #[test]
    fn of_several_fields_the_lowest_are_covered_and_absence_where_it_is_signed() {
        let remove = |occurrence| Edit::RemoveHeader { name: "Received".into(), occurrence };
        assert_eq!(broken(remove(1), &["Received"]), [""; 0]);
        assert_eq!(broken(remove(2), &["Received"]).len(), 2);
        assert_eq!(broken(remove(1), &["Received", "Received"]).len(), 2);
        let add = |name: &str| Edit::AddHeader { name: name.into(), value: "x".into() };
        assert_eq!(broken(add("Reply-To"), &["From"]), [""; 0]);
        assert_eq!(broken(add("Reply-To"), &["From", "Reply-To"]).len(), 2, "it is signed that there is none");
        assert_eq!(broken(Edit::RemoveRecipient { address: "<a@x.test>".into() }, &["From"]), [""; 0]);
    }
}
