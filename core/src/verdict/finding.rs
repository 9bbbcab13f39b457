//! One observation about a session or message.

use super::{Attack, Points};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Something observed, with its weight and what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable name such as `spf.fail`, `dnsbl.zen` or `malware.yara.<rule>`: lower case, parts joined by dots.
    pub id: Cow<'static, str>,
    /// Weight after configuration.
    pub points: Points,
    /// What was seen; may be empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Why this counts: an RFC section, a product manual, or the list that answered.
    pub source: Cow<'static, str>,
    /// The attack of which this is a sign, if it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attack: Option<Attack>,
}

impl Finding {
    /// A finding without evidence yet.
    pub fn new(id: impl Into<Cow<'static, str>>, points: Points, source: impl Into<Cow<'static, str>>) -> Self {
        Finding { id: id.into(), points, evidence: Vec::new(), source: source.into(), attack: None }
    }

    /// Adds a fact: an address, host, hash or rule name. Facts may be stored and logged.
    #[must_use]
    pub fn fact(mut self, fact: impl Into<String>) -> Self {
        self.evidence.push(Evidence::Fact(printable(fact.into())));
        self
    }

    /// Adds words of the message. They are shown only beside the message itself, never logged or stored.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.evidence.push(Evidence::Text(printable(text.into())));
        self
    }

    /// Names the attack of which this is a sign.
    #[must_use]
    pub fn of_attack(mut self, attack: Option<Attack>) -> Self {
        self.attack = attack;
        self
    }

    /// Whether this says that the message carries malware, which is refused whatever the points.
    pub fn is_malware(&self) -> bool {
        self.id.starts_with("malware.")
    }

    /// Drops words of the message, for logs and history.
    #[must_use]
    pub fn without_text(mut self) -> Self {
        self.evidence.retain(|e| matches!(e, Evidence::Fact(_)));
        self
    }
}

/// What proves a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// An address, host, hash or rule name: may be stored.
    Fact(String),
    /// Words of the message: shown only beside the message.
    Text(String),
}

/// Longest evidence that is kept. Unit: characters. Source: our own limit, one screen line or two.
const EVIDENCE_CHARS: usize = 160;

/// Hostile text made fit for a terminal and a log line: control characters replaced, length bounded.
fn printable(text: String) -> String {
    if text.len() <= EVIDENCE_CHARS && !text.chars().any(char::is_control) {
        return text;
    }
    let mut out: String =
        text.chars().take(EVIDENCE_CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(EVIDENCE_CHARS).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_evidence_is_cut_and_made_printable() {
        let finding = Finding::new("x.y", Points::ZERO, "test").fact("a\u{1b}[31m".to_owned() + &"b".repeat(1000));
        let Evidence::Fact(fact) = &finding.evidence[0] else { panic!("not a fact") };
        assert!(!fact.contains('\u{1b}'));
        assert_eq!(fact.chars().count(), EVIDENCE_CHARS + 1);
    }

    #[test]
    fn words_of_the_message_are_dropped_for_history() {
        let finding = Finding::new("x.y", Points::ZERO, "test").fact("host.example").text("dear friend");
        assert_eq!(finding.without_text().evidence, [Evidence::Fact("host.example".into())]);
    }
}
