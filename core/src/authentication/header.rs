//! The Authentication-Results field that we add (RFC 8601).

use super::{ArcResult, Authenticator, DkimResult, DmarcResult, Results, SpfResults};
use crate::reputation::ReverseDns;
use std::{fmt::Write, net::IpAddr};

/// What the field tells about.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Our name, see [`Authenticator::authserv_id`].
    pub authserv_id: &'a str,
    /// Address of the client.
    pub client_ip: Option<IpAddr>,
    /// Reverse DNS of the client.
    pub reverse: &'a ReverseDns,
    /// SPF, if it was checked.
    pub spf: Option<&'a SpfResults>,
    /// The message's own results, if it was verified.
    pub results: Option<&'a Results>,
}

/// Longest value that the field repeats. Unit: characters. Source: RFC 1035 §2.3.4, names; and well under the 998 of a line
/// (RFC 5322 §2.1.1).
const VALUE_CHARS: usize = 255;

impl Authenticator {
    /// The value of the field: one result a line, folded by LF and tab. Whatever bytes the message or client chose, it
    /// has no other line ends, and every value is a token or a quoted string.
    pub fn header_value(&self, facts: &Facts<'_>) -> String {
        let mut results = Vec::new();
        if let Some(spf) = facts.spf {
            spf_results(spf, &mut results);
        }
        if let Some(message) = facts.results {
            dkim_results(message, &mut results);
            arc_result(message, facts, &mut results);
            self.dmarc_result(message, &mut results);
        }
        if let (Some(iprev), Some(ip)) = (facts.reverse.iprev(), facts.client_ip) {
            let name = match facts.reverse {
                ReverseDns::Confirmed { name } => format!(" ({})", comment(name)),
                _ => String::new(),
            };
            results.push(format!("iprev={iprev} policy.iprev={}{name}", value(&ip.to_string())));
        }
        if results.is_empty() {
            results.push("none".to_owned());
        }
        results.insert(0, value(facts.authserv_id));
        results.join(";\n\t")
    }

    fn dmarc_result(&self, message: &Results, results: &mut Vec<String>) {
        let dmarc = &message.dmarc;
        let mut text = format!("dmarc={}", dmarc.result.word());
        if dmarc.result == DmarcResult::Fail {
            let (applied, _) = self.applied_policy(message);
            let _ = write!(text, " (p={} applied={})", dmarc.policy.word(), applied.word());
        }
        if !dmarc.domain.is_empty() {
            let _ = write!(text, " header.from={}", value(&dmarc.domain));
        }
        results.push(text);
    }
}

fn spf_results(spf: &SpfResults, results: &mut Vec<String>) {
    if let Some(mail) = &spf.mail {
        results.push(format!("spf={} smtp.mailfrom={}", mail.result.word(), value(&mail.identity)));
    }
    if let Some(helo) = &spf.helo {
        results.push(format!("spf={} smtp.helo={}", helo.result.word(), value(&helo.identity)));
    }
    if spf.mail.is_none() && spf.helo.is_none() {
        results.push("spf=none".to_owned());
    }
}

fn dkim_results(message: &Results, results: &mut Vec<String>) {
    for signature in &message.signatures {
        let mut text = format!("dkim={}", signature.result.word());
        if let Some(reason) = signature.reason.as_ref().filter(|_| signature.result != DkimResult::Pass) {
            let _ = write!(text, " reason={}", quoted(reason));
        }
        for (property, of) in [("d", &signature.domain), ("s", &signature.selector), ("b", &signature.b)] {
            if !of.is_empty() {
                let _ = write!(text, "\n\t header.{property}={}", value(of));
            }
        }
        results.push(text);
    }
    if message.signatures.is_empty() {
        results.push("dkim=none".to_owned());
    }
}

fn arc_result(message: &Results, facts: &Facts<'_>, results: &mut Vec<String>) {
    let result = match message.arc.result {
        // RFC 8617 knows no word for "DNS did not answer", and no chain needs no word.
        ArcResult::None | ArcResult::Temperror => return,
        other => other.word(),
    };
    let ip = facts.client_ip.map(|ip| format!(" smtp.remote-ip={}", value(&ip.to_string()))).unwrap_or_default();
    let sealer = message.arc.sets.last().map(|set| format!(" (sealed by {})", comment(&set.sealer)));
    results.push(format!("arc={result}{ip}{}", sealer.unwrap_or_default()));
}

/// A value of RFC 8601 §2.2: as it is if it is a token or an address of plain words, else quoted.
fn value(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-._^`{|}~".contains(c);
    let (local, domain) = text.rsplit_once('@').unwrap_or(("x", text));
    let fits = text.len() <= VALUE_CHARS && !local.is_empty() && !domain.is_empty();
    if fits && local.chars().all(is_plain) && domain.chars().all(is_plain) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars().take(VALUE_CHARS) {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => out.push('?'),
        }
    }
    out.push('"');
    out
}

fn comment(text: &str) -> String {
    text.chars()
        .take(VALUE_CHARS)
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '?' })
        .collect()
}
