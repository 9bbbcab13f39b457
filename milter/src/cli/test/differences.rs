//! Expectation and outcome side by side.

use super::{
    case::{Expect, Pattern},
    play::Outcome,
};
use mailward_core::{
    explain::{Explanation, edit_text},
    message::{Bounds, parse},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// One thing that came out otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Difference {
    /// The key of `expect`, and the name below it where there is one.
    pub(super) key: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    pub(super) expected: String,
    pub(super) got: String,
}

/// What a key that is not an expectation is called: it cannot be blessed.
pub(super) const UNASKED: &str = "unused answer";
/// A session about which nothing was decided: whatever is expected of it holds for nothing.
pub(super) const UNDECIDED: &str = "decision";
/// A case that expects nothing.
pub(super) const EMPTY: &str = "expect";

/// What cannot be blessed, because it is no value of the key.
pub(super) const NO_COMMAND: &str = "no such command";
pub(super) const NO_RECIPIENT: &str = "not a recipient";
pub(super) const NO_MESSAGE: &str = "no message";
pub(super) const NOTHING: &str = "nothing";
/// What stands behind what decided, where it is not the same for all recipients.
const FOR: &str = " (for ";
/// Between the values of several fields of one name.
const AND: &str = " | ";
const THROUGH: &str = "no reply: it went through";

impl Difference {
    /// What came out, as a value that could be expected; `None`: there is none.
    pub(super) fn value(&self) -> Option<&str> {
        let is_value = ![NO_COMMAND, NO_RECIPIENT, NO_MESSAGE].contains(&self.got.as_str())
            && ![UNASKED, UNDECIDED].contains(&self.key)
            && (self.got != NOTHING || !["verdict", "stage"].contains(&self.key));
        let got = match self.key {
            "because" => self.got.rsplit_once(FOR).map_or(self.got.as_str(), |(because, _)| because),
            "headers" => self.got.split(AND).next().unwrap_or_default(),
            _ => self.got.as_str(),
        };
        is_value.then_some(got)
    }
}

/// All differences, in the order of the keys in the manual.
pub(super) fn between(expect: &Expect, outcome: &Outcome) -> Vec<Difference> {
    let mut found = Differences(Vec::new());
    if expect.is_empty() {
        found.add(EMPTY, None, "at least one expectation", "none; write one, or run with --bless");
    }
    let explanation = outcome.explanation.as_ref();
    if explanation.is_none() {
        found.add(UNDECIDED, None, "a decision", "none: the session ended before there was anything to decide");
    }
    let verdict = explanation.map_or(NOTHING, |explanation| &explanation.verdict);
    found.word("verdict", expect.verdict.as_deref(), verdict);
    found.word("stage", expect.stage.as_deref(), explanation.map_or(NOTHING, |explanation| explanation.stage.word()));
    if let Some(reply) = &expect.reply {
        let got = explanation.and_then(|explanation| explanation.reply.as_deref()).unwrap_or(THROUGH);
        found.text("reply", None, reply, got);
    }
    for (command, wanted) in &expect.replies {
        let heard = outcome.replies.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(command));
        match heard {
            Some((_, reply)) => found.text("replies", Some(command), wanted, reply.as_deref().unwrap_or(THROUGH)),
            None => found.add("replies", Some(command), &wanted.0, NO_COMMAND),
        }
    }
    recipients(expect, outcome, &mut found);
    findings(expect, explanation, &mut found);
    if let Some(points) = expect.points {
        let got = explanation.map(|explanation| explanation.points).unwrap_or_default();
        if !points.holds(got) {
            found.add("points", None, &points.to_string(), &got.to_string());
        }
    }
    headers(expect, outcome, &mut found);
    if let Some(wanted) = &expect.edits {
        let got: Vec<String> = outcome.edits().into_iter().map(edit_text).collect();
        found.list("edits", wanted, &got);
    }
    if let Some(wanted) = &expect.signed {
        let got = explanation.map(|explanation| explanation.signed.clone()).unwrap_or_default();
        found.list("signed", wanted, &got);
    }
    let message = String::from_utf8_lossy(outcome.message.as_deref().unwrap_or_default()).replace("\r\n", "\n");
    for text in expect.contains.iter().filter(|text| !message.contains(text.as_str())) {
        found.add("contains", None, text, if message.is_empty() { NO_MESSAGE } else { "not in the message" });
    }
    if let Some(wanted) = &expect.not_applied {
        let got = explanation.map(|explanation| explanation.not_applied.clone()).unwrap_or_default();
        found.list("not_applied", wanted, &got);
    }
    if let Some(wanted) = &expect.notices {
        let got = explanation.map(|explanation| explanation.notices.clone()).unwrap_or_default();
        found.list("notices", wanted, &got);
    }
    found.0
}

/// A scripted answer that nobody asked for.
pub(super) fn unasked(answer: &str) -> Difference {
    let expected = "somebody asks for it".to_owned();
    Difference { key: UNASKED, name: None, expected, got: answer.to_owned() }
}

fn recipients(expect: &Expect, outcome: &Outcome, found: &mut Differences) {
    let explained = outcome.explanation.iter().flat_map(|explanation| &explanation.recipients);
    let explained: BTreeMap<&str, _> = explained.map(|recipient| (recipient.address.as_str(), recipient)).collect();
    let mut got = BTreeMap::new();
    for (name, reply) in &outcome.replies {
        if let Some(reply) = reply.as_ref().filter(|_| name.contains('@')) {
            got.insert(name.as_str(), if reply.starts_with('4') { "defer" } else { "reject" });
        }
    }
    got.extend(explained.iter().map(|(address, recipient)| (*address, recipient.disposition.word())));
    for (address, wanted) in &expect.recipients {
        match got.get(address.as_str()) {
            Some(word) if word == wanted => {}
            word => found.add("recipients", Some(address), wanted, word.unwrap_or(&NO_RECIPIENT)),
        }
    }
    for (address, wanted) in &expect.because {
        let decided: Vec<(&str, &str)> = match address.as_str() {
            "*" => explained.values().map(|r| (r.address.as_str(), r.because.as_str())).collect(),
            address => explained.get(address).iter().map(|r| (r.address.as_str(), r.because.as_str())).collect(),
        };
        let early = outcome.explanation.as_ref().and_then(|explanation| explanation.because.as_deref());
        match decided.iter().find(|(_, because)| !wanted.fits(because)) {
            Some((who, because)) => found.add("because", Some(address), &wanted.0, &format!("{because}{FOR}{who})")),
            None if decided.is_empty() => match early {
                Some(because) if wanted.fits(because) => {}
                because => found.add("because", Some(address), &wanted.0, because.unwrap_or(NO_RECIPIENT)),
            },
            None => {}
        }
    }
}

fn findings(expect: &Expect, explanation: Option<&Explanation>, found: &mut Differences) {
    let card = || explanation.iter().flat_map(|explanation| &explanation.findings);
    for wanted in expect.findings.iter().filter(|wanted| !card().any(|finding| wanted.matches(&finding.id))) {
        found.add("findings", None, &wanted.to_string(), "not found");
    }
    for unwanted in &expect.no_findings {
        if let Some(finding) = card().find(|finding| unwanted.matches(&finding.id)) {
            found.add("no_findings", None, &format!("no {unwanted}"), &format!("{} ({})", finding.id, finding.points));
        }
    }
}

fn headers(expect: &Expect, outcome: &Outcome, found: &mut Differences) {
    let raw = outcome.message.as_deref().unwrap_or_default();
    let message = parse(raw, &Bounds::default());
    for (name, wanted) in &expect.headers {
        let fields = message.headers.iter().filter(|field| field.name.trim_end().eq_ignore_ascii_case(name));
        let values: Vec<String> = fields.map(|field| field.decoded().trim().to_owned()).collect();
        let got = match values.as_slice() {
            _ if raw.is_empty() => NO_MESSAGE.to_owned(),
            [] => "no such field".to_owned(),
            values => values.join(AND),
        };
        match wanted {
            Some(wanted) if values.iter().any(|value| wanted.fits(value)) => {}
            Some(wanted) => found.add("headers", Some(name), &wanted.0, &got),
            None if values.is_empty() && !raw.is_empty() => {}
            None => found.add("headers", Some(name), "no such field", &got),
        }
    }
}

struct Differences(Vec<Difference>);

impl Differences {
    fn add(&mut self, key: &'static str, name: Option<&str>, expected: &str, got: &str) {
        let (expected, got) = (expected.to_owned(), got.to_owned());
        self.0.push(Difference { key, name: name.map(str::to_owned), expected, got });
    }

    fn word(&mut self, key: &'static str, wanted: Option<&str>, got: &str) {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != got) {
            self.add(key, None, wanted, got);
        }
    }

    fn text(&mut self, key: &'static str, name: Option<&str>, wanted: &Pattern, got: &str) {
        if !wanted.fits(got) {
            self.add(key, name, &wanted.0, got);
        }
    }

    /// A whole list, in its order.
    fn list(&mut self, key: &'static str, wanted: &[Pattern], got: &[String]) {
        let fits = wanted.len() == got.len() && wanted.iter().zip(got).all(|(wanted, got)| wanted.fits(got));
        if !fits {
            let lines = |lines: Vec<&str>| if lines.is_empty() { NOTHING.to_owned() } else { lines.join("\n") };
            let wanted = lines(wanted.iter().map(|pattern| pattern.0.as_str()).collect());
            self.add(key, None, &wanted, &lines(got.iter().map(String::as_str).collect()));
        }
    }
}
