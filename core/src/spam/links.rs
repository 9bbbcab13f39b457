//! Rules over links.

use super::{AtEnd, Seen, hosts};
use crate::message::{Link, LinkKind};

fn followed<'a>(facts: &AtEnd<'a>) -> impl Iterator<Item = &'a Link> {
    facts.message.links.iter().filter(|link| link.kind != LinkKind::Image)
}

pub(super) fn to_address(facts: &AtEnd<'_>) -> Option<Seen> {
    // In a plain text an address is often just talked about; behind a click it hides something.
    let link = followed(facts).find(|link| link.kind != LinkKind::Plain && link.host_is_address())?;
    let private = link.host.starts_with("127.") || link.host.starts_with("10.") || link.host.starts_with("192.168.");
    (!private).then(|| Seen::Fact(link.host.clone()))
}

pub(super) fn with_user(facts: &AtEnd<'_>) -> Option<Seen> {
    let link = followed(facts).find(|link| link.has_user && link.kind != LinkKind::Plain && link.scheme != "ftp")?;
    Some(Seen::Fact(link.host.clone()))
}

pub(super) fn lookalike(facts: &AtEnd<'_>) -> Option<Seen> {
    followed(facts).find(|link| hosts::mixes_alphabets(&link.host)).map(|link| Seen::Fact(link.host.clone()))
}

pub(super) fn shortened(facts: &AtEnd<'_>) -> Option<Seen> {
    followed(facts).find(|link| hosts::is_shortener(&link.host)).map(|link| Seen::Fact(link.url.clone()))
}

pub(super) fn script(facts: &AtEnd<'_>) -> Option<Seen> {
    let link = followed(facts).find(|link| match link.scheme.as_str() {
        "vbscript" | "file" => true,
        "data" => link.url.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("data:text/html")),
        _ => false,
    })?;
    Some(Seen::Fact(link.scheme.clone()))
}

pub(super) fn shows_other_host(facts: &AtEnd<'_>) -> Option<Seen> {
    let from = facts.message.from.first().map(|from| from.domain()).unwrap_or_default();
    followed(facts).filter(|link| link.kind == LinkKind::Anchor && !link.host.is_empty()).find_map(|link| {
        let shown = shown_host(&link.text)?;
        let (shown_domain, real_domain) = (hosts::registered(&shown), hosts::registered(&link.host));
        // A sender that counts clicks shows its own address or leads to its own tracker first; scanners rewrite links.
        let own = [shown_domain, real_domain].contains(&hosts::registered(&from)) || hosts::is_rewriter(&link.host);
        let same_name = name_of(shown_domain) == name_of(real_domain);
        (shown_domain != real_domain && !own && !same_name)
            .then(|| Seen::Fact(format!("{shown} leads to {}", link.host)))
    })
}

/// First label of a registered domain: `google` of `google.co.uk`.
fn name_of(domain: &str) -> &str {
    domain.split('.').next().unwrap_or(domain)
}

/// The host that a link's text names, if the text is nothing but an address.
fn shown_host(text: &str) -> Option<String> {
    let text = text.trim();
    if text.contains(char::is_whitespace) || text.contains('@') {
        return None;
    }
    let lower = text.to_lowercase();
    let rest = lower.split_once("://").map_or(lower.as_str(), |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', ':']).next()?.trim_end_matches(['.', '\u{2026}']);
    let known = psl::suffix(host.as_bytes()).is_some_and(|suffix| suffix.is_known());
    let named = lower.contains("://") || lower.starts_with("www.");
    // "main.rs" and "read.me" are words; with a scheme or www. in front they are addresses.
    (known && named && host.contains('.') && host.is_ascii()).then(|| host.to_owned())
}
