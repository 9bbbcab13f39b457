//! The fields of one log line.

use super::{Explanation, text::clean};
use crate::session::Direction;

/// Most recipients and findings that a log line names. Unit: entries. Source: our own limit; syslog lines end near
/// 1,000 characters (RFC 5424 §6.1 grants 480 and recommends 2,048).
const ENTRIES: usize = 8;

impl Explanation {
    /// The decision as fields for a structured log: facts only, no words of the message. Fields that are empty are
    /// left out; the caller adds reference, queue id and time.
    pub fn log_line(&self) -> Vec<(&'static str, String)> {
        let client = &self.client;
        let direction = self.direction.map(|d| match d {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        });
        let recipients = self.recipients.iter().map(|r| format!("<{}>={}", r.address, r.disposition.word()));
        let because = match &self.because {
            Some(because) => because.clone(),
            None => {
                let mut all: Vec<&str> = self.recipients.iter().map(|r| r.because.as_str()).collect();
                all.sort_unstable();
                all.dedup();
                joined(all.into_iter().map(str::to_owned))
            }
        };
        let wanted = self.recipients.iter().filter(|r| r.wanted.word() != r.disposition.word());
        let fields = [
            ("stage", Some(self.stage.word().to_owned())),
            ("verdict", Some(self.verdict.clone())),
            ("points", Some(self.points.to_string())),
            ("direction", direction.map(str::to_owned)),
            ("client", client.ip.map(|ip| ip.to_string())),
            ("name", client.name.clone()),
            ("helo", client.helo.clone()),
            ("login", client.login.clone()),
            ("from", self.sender.as_ref().map(|s| format!("<{s}>"))),
            ("to", Some(joined(recipients))),
            ("because", Some(because)),
            ("wanted", Some(joined(wanted.map(|r| format!("<{}>={}", r.address, r.wanted.word()))))),
            ("findings", Some(joined(self.findings.iter().map(|f| format!("{}:{}", f.id, f.points))))),
            ("reply", self.reply.clone()),
        ];
        let filled = fields.into_iter().filter_map(|(key, value)| Some((key, clean(&value?))));
        filled.filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// Entries joined with commas, bounded; the number of those left out stands at the end.
fn joined(mut entries: impl Iterator<Item = String>) -> String {
    let mut named: Vec<String> = entries.by_ref().take(ENTRIES).collect();
    let more = entries.count();
    if more > 0 {
        named.push(format!("+{more}"));
    }
    named.join(",")
}
