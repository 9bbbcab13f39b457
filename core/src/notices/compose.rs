//! The text of a notice.

use super::{Notice, Settings};
use crate::{
    policy,
    store::SiteKey,
    verdict::{Card, Reference},
};

/// The field that marks a notice of this site, signed with its body: about a notice nobody is told, whichever way it comes back.
const FIELD: &str = "X-Mailward-Notice";

/// Longest subject, and longest address, that is repeated. Unit: characters. Source: our own limit, two lines.
const CHARS: usize = 150;
/// Most recipients and findings that are named. Unit: entries. Source: our own limit, a screen.
const ENTRIES: usize = 20;
/// Longest body that may be a notice. Unit: bytes. Source: the entries at their longest.
const NOTICE_BYTES: usize = 64 << 10;

/// The message that a notice is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// By which `mailward explain` finds the decision.
    pub reference: Reference,
    /// Unix seconds.
    pub time: i64,
    /// Subject, decoded.
    pub subject: &'a str,
    /// Envelope sender; empty for the null sender.
    pub sender: &'a str,
    /// Address of the client, or a word.
    pub client: &'a str,
    /// What was found.
    pub card: &'a Card,
}

/// The whole notice in wire form.
pub fn compose(
    settings: &Settings,
    policies: &policy::Settings,
    key: &SiteKey,
    notice: &Notice,
    about: &About<'_>,
) -> Vec<u8> {
    let from = settings.from.as_ref().map(|address| address.raw.as_str()).unwrap_or_default();
    let domain = from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let date = jiff::Timestamp::from_second(about.time).unwrap_or_default().strftime("%a, %d %b %Y %H:%M:%S +0000");
    let (what, introduction) = match notice.is_for_sender {
        true => ("Your message", "The mail policy of this site has acted on a message that you sent."),
        false => ("A message", "A policy that asks for this notice has acted on a message."),
    };
    let header = [
        format!("From: <{from}>"),
        format!("To: <{}>", notice.to),
        format!("Subject: {what} met a policy [ref {}]", about.reference),
        format!("Date: {date}"),
        // One for each recipient: it is another text.
        format!("Message-ID: <{}.{:016x}@{domain}>", about.reference, xxhash_rust::xxh3::xxh3_64(notice.to.as_bytes())),
        // RFC 3834 §5.2.
        "Auto-Submitted: auto-replied".to_owned(),
        "MIME-Version: 1.0".to_owned(),
        "Content-Type: text/plain; charset=utf-8".to_owned(),
        "Content-Transfer-Encoding: 8bit".to_owned(),
    ];
    let mut lines = vec![
        introduction.to_owned(),
        String::new(),
        format!("  Subject:   {}", shown(about.subject)),
        format!("  Reference: {}", about.reference),
        format!("  Time:      {date}"),
    ];
    if !notice.is_for_sender {
        lines.push(format!("  From:      <{}>", shown(about.sender)));
        lines.push(format!("  Client:    {}", shown(about.client)));
    }
    lines.push(String::new());
    for told in notice.told.iter().take(ENTRIES) {
        let policy = policies.policies.get(told.policy).map(|policy| format!(", by policy \"{}\"", policy.name));
        let policy = policy.filter(|_| !notice.is_for_sender).unwrap_or_default();
        lines.push(format!("  For <{}>: {}{policy}", shown(&told.recipient), outcome(told.disposition)));
    }
    if notice.told.len() > ENTRIES {
        lines.push(format!("  and {} more", notice.told.len() - ENTRIES));
    }
    lines.push(String::new());
    if notice.is_for_sender {
        lines.push("To ask about it, name the reference to the postmaster of the recipient.".to_owned());
    } else {
        lines.push(format!("Findings, {} points in all:", about.card.total));
        lines.extend(about.card.findings.iter().take(ENTRIES).map(|f| format!("  {} {}", f.points, f.id)));
        lines.push(String::new());
        lines.push(format!("More about it: mailward explain {}", about.reference));
    }
    lines.push(String::new());
    let body = lines.join("\r\n");
    format!("{}\r\n{FIELD}: {}\r\n\r\n{body}", header.join("\r\n"), signature(key, &body)).into_bytes()
}

/// Whether a message is a notice of this site.
pub fn is_ours(key: &SiteKey, raw: &[u8]) -> bool {
    let Some(end) = memchr::memmem::find(raw, b"\r\n\r\n").filter(|end| raw.len() - end <= NOTICE_BYTES) else {
        return false;
    };
    let (header, body) = (String::from_utf8_lossy(&raw[..end]), String::from_utf8_lossy(&raw[end + 4..]));
    let mut fields = header.lines().filter_map(|line| line.split_once(':'));
    let field = fields.find(|(name, _)| name.trim_end().eq_ignore_ascii_case(FIELD));
    field.is_some_and(|(_, value)| key.knows(&[FIELD, body.trim_end()], value.trim()))
}

fn signature(key: &SiteKey, body: &str) -> String {
    key.pseudonym(&[FIELD, body.trim_end()])
}

fn outcome(disposition: &str) -> &'static str {
    match disposition {
        "quarantine" => "kept in the quarantine",
        "hold" => "held for a look",
        "discard" => "not delivered",
        "reject" => "refused",
        "redirect" => "delivered to somebody else",
        "tag" => "delivered with marks",
        _ => "delivered",
    }
}

/// Hostile text on one line, bounded.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(CHARS).is_some() {
        shown.push('…');
    }
    shown
}
