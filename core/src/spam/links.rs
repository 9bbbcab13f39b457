//! Rules over links.

use super::{
    Rule, Seen,
    facts::{Facts, Followed},
    hosts::{self, Kind},
    rules::rule,
};
use crate::message::LinkKind;

pub(super) const RULES: &[Rule] = &[
    rule(
        "link.address-in-fragment",
        150,
        "RFC 3986 §3.5: the fragment is for the page itself; our own observation: it fills in the victim's name",
        "A link carries the recipient's address behind a #.",
        address_in_fragment,
    ),
    rule(
        "link.cheap-suffix",
        50,
        "our own observation: names under these top-level domains are bought by the thousand",
        "A link leads to a top-level domain whose names cost next to nothing.",
        cheap_suffix,
    ),
    rule(
        "link.disguised",
        200,
        "RFC 3986 §7.6: semantic attacks by user information",
        "A link has a user part before its host, which readers take for the host.",
        disguised,
    ),
    rule(
        "link.domain-inside-host",
        150,
        "RFC 3986 §7.6: readers take the first domain that they see for the site",
        "A host holds another domain, as in bank.com.example.net.",
        domain_inside_host,
    ),
    rule(
        "link.free-site",
        50,
        "our own observation: pages that anybody puts up without a name",
        "A link leads to pages that anybody may put up.",
        free_site,
    ),
    rule(
        "link.lookalike",
        250,
        "Unicode Technical Standard 39 §5.1: mixed scripts",
        "A link leads to a host whose name mixes alphabets that look alike.",
        lookalike,
    ),
    rule(
        "link.many-labels",
        50,
        "our own observation: names are made by program to hide the registered one",
        "A link leads to a host with five labels or more below its registered domain.",
        many_labels,
    ),
    rule(
        "link.messenger",
        30,
        "our own observation: offers that shun mail continue in a chat",
        "A link from a stranger begins a chat.",
        messenger,
    ),
    rule(
        "link.obscured",
        200,
        "WHATWG URL §3.5: notations that browsers accept and readers do not know",
        "A link writes its host as a number or as percent codes.",
        obscured,
    ),
    rule(
        "link.other-host",
        125,
        "the shown address is not where the link leads",
        "A link shows an address of one domain and leads to another.",
        other_host,
    ),
    rule(
        "link.port",
        75,
        "RFC 9110 §4.2: public sites use the default ports",
        "A link leads to a port other than those of the web.",
        port,
    ),
    rule(
        "link.redirector",
        75,
        "MITRE ATT&CK T1566.002: a well-known name in front of a site that is not",
        "A link leads through a well-known site to another.",
        redirector,
    ),
    rule(
        "link.script",
        200,
        "no web address at all",
        "A link runs a script, opens a file or holds a page in itself.",
        script,
    ),
    rule(
        "link.shortened",
        50,
        "the shortener hides where the link leads",
        "A link goes through a URL shortener.",
        shortened,
    ),
    rule(
        "link.storage",
        75,
        "our own observation: pages in stores for files bear the provider's good name",
        "A link leads to a page in a public store for files.",
        storage,
    ),
    rule("link.to-address", 200, "public sites have names", "A link leads to a host without a name.", to_address),
];

fn first<'f, 'a>(facts: &'f Facts<'a>, is: impl Fn(&Followed<'a>) -> bool) -> Option<&'f Followed<'a>> {
    facts.links.iter().find(|followed| is(followed))
}

fn host(followed: &Followed<'_>) -> Seen {
    Seen::Fact(followed.link.host.clone())
}

fn to_address(facts: &Facts<'_>) -> Option<Seen> {
    // In a plain text an address is often just talked about; behind a click it hides something.
    let link = first(facts, |f| f.link.kind != LinkKind::Plain && f.link.host_is_address())?.link;
    let private = link.host.starts_with("127.") || link.host.starts_with("10.") || link.host.starts_with("192.168.");
    (!private).then(|| Seen::Fact(link.host.clone()))
}

fn disguised(facts: &Facts<'_>) -> Option<Seen> {
    first(facts, |f| f.link.has_user && f.link.kind != LinkKind::Plain && f.link.scheme != "ftp").map(host)
}

fn obscured(facts: &Facts<'_>) -> Option<Seen> {
    first(facts, |f| f.link.obscured && f.link.kind != LinkKind::Plain).map(host)
}

fn lookalike(facts: &Facts<'_>) -> Option<Seen> {
    first(facts, |f| hosts::mixes_alphabets(&f.link.host)).map(host)
}

fn shortened(facts: &Facts<'_>) -> Option<Seen> {
    let followed = first(facts, |f| f.kind == Some(Kind::Shortener) && f.path().len() > 1)?;
    (!facts.is_list).then(|| Seen::Fact(followed.link.url.clone()))
}

fn free_site(facts: &Facts<'_>) -> Option<Seen> {
    let followed = first(facts, |f| f.kind == Some(Kind::FreeSite) && f.site != facts.from_site)?;
    (!facts.is_list).then(|| host(followed))
}

fn storage(facts: &Facts<'_>) -> Option<Seen> {
    let followed = first(facts, |f| f.kind == Some(Kind::Storage) && f.link.kind != LinkKind::Plain)?;
    (!facts.is_list).then(|| host(followed))
}

fn messenger(facts: &Facts<'_>) -> Option<Seen> {
    let followed = first(facts, |f| f.kind == Some(Kind::Messenger) && f.path().len() > 1)?;
    (!facts.is_list).then(|| Seen::Fact(followed.link.url.clone()))
}

fn redirector(facts: &Facts<'_>) -> Option<Seen> {
    let followed = first(facts, |f| {
        let away = f.link.kind != LinkKind::Plain && f.site != facts.from_site;
        away && hosts::is_redirector(&f.link.host, f.path())
    })?;
    Some(host(followed))
}

fn cheap_suffix(facts: &Facts<'_>) -> Option<Seen> {
    let followed = first(facts, |f| hosts::has_cheap_suffix(&f.link.host) && f.site != facts.from_site)?;
    (!facts.is_list).then(|| host(followed))
}

/// Fewest labels below the registered domain that count. Source: our own limit.
const LABELS: usize = 5;

fn many_labels(facts: &Facts<'_>) -> Option<Seen> {
    let followed = first(facts, |f| {
        let below = f.link.host.strip_suffix(f.site).unwrap_or_default();
        below.bytes().filter(|b| *b == b'.').count() >= LABELS && !f.link.host_is_address()
    })?;
    Some(host(followed))
}

/// Labels that readers take for the end of a domain.
const ENDS: [&str; 6] = ["com", "net", "org", "gov", "edu", "co"];

fn domain_inside_host(facts: &Facts<'_>) -> Option<Seen> {
    let followed = first(facts, |f| {
        let below = f.link.host.strip_suffix(f.site).unwrap_or_default().trim_end_matches('.');
        let mut labels = below.split('.');
        let begins = labels.next().is_some_and(|label| !label.is_empty());
        // Gateways and rewriters put the host that they stand for before their own name.
        let gateway = f.kind == Some(Kind::Rewriter) || f.link.host.ends_with(".translate.goog");
        begins && !gateway && labels.any(|label| ENDS.contains(&label))
    })?;
    (!facts.is_list).then(|| host(followed))
}

fn port(facts: &Facts<'_>) -> Option<Seen> {
    let followed = first(facts, |f| {
        let rest = f.link.url.split_once("://").map_or("", |(_, rest)| rest);
        let port = rest.strip_prefix(f.link.host.as_str()).and_then(|r| r.strip_prefix(':')).unwrap_or_default();
        let port = port.split('/').next().unwrap_or_default();
        f.link.kind != LinkKind::Plain && !matches!(port, "" | "80" | "443")
    })?;
    (!facts.is_list).then(|| Seen::Fact(followed.link.url.clone()))
}

fn address_in_fragment(facts: &Facts<'_>) -> Option<Seen> {
    let keys: Vec<String> = facts.recipients.iter().map(|to| to.address.key()).filter(|k| k.contains('@')).collect();
    let followed = facts.web_links().find(|f| {
        let fragment = f.link.url.split_once('#').map_or("", |(_, fragment)| fragment);
        if fragment.len() < 6 {
            return false;
        }
        let plain = fragment.to_lowercase().replace("%40", "@");
        keys.iter().any(|key| plain.contains(key) || holds_base64(fragment, key))
    })?;
    Some(host(followed))
}

/// Whether the text holds the address in base64.
fn holds_base64(text: &str, key: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '+').filter(|word| word.len() * 3 / 4 + 1 >= key.len()).any(
        |word| {
            let mut bits = 0_u32;
            let mut count = 0;
            let mut out = Vec::with_capacity(word.len());
            for byte in word.bytes() {
                let value = match byte {
                    b'A'..=b'Z' => byte - b'A',
                    b'a'..=b'z' => byte - b'a' + 26,
                    b'0'..=b'9' => byte - b'0' + 52,
                    _ => 62,
                };
                bits = bits << 6 | u32::from(value);
                count += 6;
                if count >= 8 {
                    count -= 8;
                    out.push((bits >> count & 255) as u8);
                }
            }
            out.eq_ignore_ascii_case(key.as_bytes())
        },
    )
}

fn script(facts: &Facts<'_>) -> Option<Seen> {
    let followed = first(facts, |f| match f.link.scheme.as_str() {
        "vbscript" | "file" => true,
        "data" => f.link.url.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("data:text/html")),
        _ => false,
    })?;
    Some(Seen::Fact(followed.link.scheme.clone()))
}

fn other_host(facts: &Facts<'_>) -> Option<Seen> {
    let anchors = facts.web_links().filter(|f| f.link.kind == LinkKind::Anchor);
    anchors.into_iter().find_map(|followed| {
        let shown = shown_host(&followed.link.text)?;
        let (shown_domain, real_domain) = (hosts::registered(&shown), followed.site);
        // A sender that counts clicks shows its own address or leads to its own tracker first; scanners rewrite links.
        let own =
            [shown_domain, real_domain].contains(&facts.from_site.as_str()) || hosts::is_rewriter(&followed.link.host);
        let same_name = name_of(shown_domain) == name_of(real_domain);
        (shown_domain != real_domain && !own && !same_name)
            .then(|| Seen::Fact(format!("{shown} leads to {}", followed.link.host)))
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
    let named = lower.contains("://") || lower.starts_with("www.");
    if !named {
        // "main.rs" and "read.me" are words; with a scheme or www. in front they are addresses.
        return None;
    }
    let rest = lower.split_once("://").map_or(lower.as_str(), |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', ':']).next()?.trim_end_matches(['.', '\u{2026}']);
    let known = psl::suffix(host.as_bytes()).is_some_and(|suffix| suffix.is_known());
    (known && host.contains('.') && host.is_ascii()).then(|| host.to_owned())
}
