//! The text for people.

use super::{Explanation, RecipientExplained, Stage};
use crate::{
    policy::NotMatched,
    session::Direction,
    verdict::{Edit, Evidence, Finding, Points},
};
use std::fmt::{self, Write};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(false))
    }
}

/// Column of the evidence. Unit: characters. Source: most ids are shorter.
const ID_WIDTH: usize = 24;

impl Explanation {
    /// The text, with colours for a terminal if `paint`. It ends with a line feed.
    pub fn text(&self, paint: bool) -> String {
        let mut out = Out { text: String::new(), paint };
        out.painted_line(&format!("{:<9}{}", "verdict", self.headline(paint)));
        if let Some(reply) = &self.reply {
            out.line("reply", reply);
        }
        out.line("client", &self.client_text());
        if let Some(sender) = &self.sender {
            out.line("from", &format!("<{sender}>"));
        }
        let (common, several) = (self.common_thresholds(), self.recipients.len() > 1);
        for recipient in &self.recipients {
            let own_points = recipient.note.as_ref().is_some_and(|note| note.points != self.points);
            out.recipient(recipient, own_points || (several && common.is_none()));
        }
        if !self.findings.is_empty() {
            out.raw("findings");
            self.findings.iter().for_each(|finding| out.finding(finding));
            let thresholds = match common {
                Some(t) => format!("total; tag at {}, reject at {}", t.tag, t.reject),
                None => "total".to_owned(),
            };
            out.raw(&format!("  {} {thresholds}", weight(self.points)));
        } else if let (Stage::Message, Some(t)) = (self.stage, common) {
            out.line("findings", &format!("none; tag at {}, reject at {}", t.tag, t.reject));
        }
        if !self.edits.is_empty() {
            out.raw("edits");
            self.edits.iter().for_each(|edit| out.raw(&format!("  {}", edit_text(edit))));
        }
        for signature in &self.signed {
            out.line("signed", signature);
        }
        if !self.not_applied.is_empty() {
            out.raw("not applied");
            self.not_applied.iter().for_each(|what| out.raw(&format!("  {what}")));
        }
        for notice in &self.notices {
            out.line("notice", notice);
        }
        out.text
    }

    fn headline(&self, paint: bool) -> String {
        let mut headline = painted(&clean(&self.verdict), paint);
        let _ = match self.stage {
            Stage::Message => write!(headline, ", {} points", self.points),
            stage => write!(headline, " at {}", stage.word()),
        };
        if let Some(because) = &self.because {
            let _ = write!(headline, ", because: {}", clean(because));
        }
        headline
    }

    fn client_text(&self) -> String {
        let client = &self.client;
        let mut text = client.ip.map_or("local".to_owned(), |ip| ip.to_string());
        let parts = [("", &client.name), ("helo ", &client.helo), ("tls ", &client.tls), ("login ", &client.login)];
        for (label, value) in parts {
            if let Some(value) = value {
                let _ = write!(text, ", {label}{value}");
            }
        }
        match self.direction {
            Some(Direction::Inbound) => text.push_str(", inbound"),
            Some(Direction::Outbound) => text.push_str(", outbound"),
            None => {}
        }
        text
    }
}

struct Out {
    text: String,
    paint: bool,
}

impl Out {
    /// A line whose parts are clean already: painted words hold escape sequences of our own.
    fn painted_line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn raw(&mut self, line: &str) {
        self.painted_line(&clean(line));
    }

    fn line(&mut self, label: &str, value: &str) {
        self.raw(&format!("{label:<9}{value}"));
    }

    fn recipient(&mut self, recipient: &RecipientExplained, own_settings: bool) {
        let disposition = painted(recipient.disposition.word(), self.paint);
        let mut value =
            format!("<{}>: {disposition}, because: {}", clean(&recipient.address), clean(&recipient.because));
        let note = recipient.note.as_ref();
        if let Some(line) = note.and_then(|n| n.policy.as_ref()?.line) {
            let _ = write!(value, " (line {line})");
        }
        self.painted_line(&format!("{:<9}{value}", "to"));
        if recipient.wanted.word() != recipient.disposition.word() {
            let why = note.and_then(|n| n.instead.as_deref()).unwrap_or("recipients differ");
            self.raw(&format!("           wanted {}; {why}", recipient.wanted.word()));
        }
        let Some(note) = note else { return };
        if own_settings {
            let (points, t) = (note.points, note.thresholds);
            self.raw(&format!("           own settings: {points} points; tag at {}, reject at {}", t.tag, t.reject));
        }
        for passed in &note.passed {
            let line = passed.line.map(|line| format!(" (line {line})")).unwrap_or_default();
            self.raw(&format!("           marked by policy \"{}\"{line}", passed.name));
        }
        for change in &note.would_change {
            self.raw(&format!("           {change}"));
        }
        for NotMatched { policy, why } in &note.not_matched {
            let line = policy.line.map(|line| format!(" (line {line})")).unwrap_or_default();
            self.raw(&format!("           not policy \"{}\"{line}: {why}", policy.name));
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let evidence: Vec<String> = finding
            .evidence
            .iter()
            .map(|e| match e {
                Evidence::Fact(fact) => fact.clone(),
                Evidence::Text(text) => format!("\"{text}\""),
            })
            .collect();
        let mut line = format!("  {} {:<ID_WIDTH$} {}", weight(finding.points), finding.id, evidence.join(", "));
        if !finding.source.is_empty() {
            let _ = write!(line, "  [{}]", finding.source);
        }
        self.raw(&line);
    }
}

fn weight(points: Points) -> String {
    format!("{:>7}", points.to_string())
}

/// An edit in a few words, on one line.
pub fn edit_text(edit: &Edit) -> String {
    let one_line = |value: &str| value.replace('\n', " ");
    match edit {
        Edit::AddHeader { name, value } => format!("add {name}: {}", one_line(value)),
        Edit::ChangeHeader { name, occurrence, value } if value.is_empty() => format!("change {name} {occurrence}"),
        Edit::ChangeHeader { name, occurrence, value } => format!("change {name} {occurrence}: {}", one_line(value)),
        Edit::RemoveHeader { name, occurrence } => format!("remove {name} {occurrence}"),
        Edit::ReplaceBody { with, .. } => format!("replace body: with {with}"),
        Edit::ChangeSender { address } => format!("change sender {address}"),
        Edit::RemoveRecipient { address } => format!("remove recipient {address}"),
        Edit::AddRecipient { address, blind: false } => format!("add recipient {address}"),
        Edit::AddRecipient { address, blind: true } => format!("add recipient {address}: blind copy"),
        Edit::Hold { reason } => format!("hold: {reason}"),
    }
}

/// Hostile text must not be able to move the cursor, turn the direction of writing, or begin a line of its own.
fn harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Hostile text made fit for a terminal: without characters that move the cursor, turn the writing or end the line.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// The word of a disposition in its colour (ECMA-48 SGR): green, yellow or red.
fn painted(word: &str, paint: bool) -> String {
    let colour = match word {
        _ if !paint => return word.to_owned(),
        "deliver" => "32",
        "tag" | "redirect" | "hold" | "defer" => "33",
        _ => "31",
    };
    format!("\u{1b}[{colour}m{word}\u{1b}[0m")
}
