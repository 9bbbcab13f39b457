//! Rules over conversations that a message claims to belong to.

use super::{
    case::Case,
    rules::{Rule, rule},
};
use crate::{spam::Seen, verdict::Attack};

pub(super) const RULES: &[Rule] = &[rule(
    "phishing.borrowed-thread",
    150,
    Attack::ThreadHijack,
    "MITRE ATT&CK T1566: mail that was stolen is answered from elsewhere",
    "The message quotes mail of the site's own people, and is no answer to any of it.",
    borrowed_thread,
)];

/// Most of the text in which quoted mail is looked for. Unit: bytes. Source: our own limit.
const QUOTED_BYTES: usize = 64 << 10;
/// Most addresses of quoted mail that are compared. Source: our own limit.
const QUOTED_ADDRESSES: usize = 64;
/// Words before the sender of quoted mail, as mail programs write them.
const FROM: &[&str] =
    &["from:", "von:", "de :", "de:", "da:", "van:", "od:", "от:", "från:", "fra:", "差出人:", "发件人:", "发件人："];
/// Words that stand after the sender of quoted mail.
const WROTE: &[&str] =
    &["wrote:", "schrieb:", "a écrit", "escribió:", "escreveu:", "ha scritto:", "schreef", "написал"];

fn borrowed_thread(case: &Case<'_, '_>) -> Option<Seen> {
    let facts = case.facts;
    if case.answers || facts.has("Thread-Index") || facts.is_list || case.is_ours(&facts.from_domain) {
        return None;
    }
    let from = facts.from?.address.to_lowercase();
    let text = facts.message.text.visible();
    let text = &text[..text.floor_char_boundary(QUOTED_BYTES)];
    let quoted = text.lines().map(str::trim_start).filter(|line| is_attribution(line));
    let addresses = quoted.flat_map(addresses).take(QUOTED_ADDRESSES);
    let mut ours = None;
    for address in addresses {
        // Who is quoted takes part.
        if address == from {
            return None;
        }
        let domain = address.rsplit_once('@').map(|(_, domain)| domain)?;
        if ours.is_none() && case.is_ours(domain) {
            ours = Some(address);
        }
    }
    ours.map(|address| Seen::Fact(format!("{address} is quoted by {from}")))
}

fn is_attribution(line: &str) -> bool {
    let line = line.trim_start_matches(['>', ' ', '*']);
    let lower = line[..line.floor_char_boundary(300)].to_lowercase();
    FROM.iter().any(|word| lower.starts_with(word))
        || lower.contains('@') && WROTE.iter().any(|word| lower.contains(word))
}

fn addresses(line: &str) -> impl Iterator<Item = String> {
    let words = line.split(|c: char| c.is_whitespace() || "<>()[]:;,\"'*".contains(c));
    words.filter(|word| word.len() < 255 && word.contains('@')).map(str::to_lowercase)
}
