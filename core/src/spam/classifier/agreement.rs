//! Whether what the message says of its sender agrees: name, address, links, pictures and text.
//!
//! Honest bulk mail comes from the domain that it links to and names; what pretends does so at most in its words.

use super::features::{Builder, Kind};
use crate::{
    message::{LinkKind, Message},
    spam::hosts,
};
use aho_corasick::AhoCorasick;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// Most links that are looked at. Unit: links. Source: our own limit.
const LINKS: usize = 200;
/// How much text is searched for names. Unit: bytes. Source: our own limit.
const TEXT_BYTES: usize = 24 << 10;
/// Shortest label that is searched for. Unit: letters. Source: our own limit; shorter ones stand in any text.
const LABEL: usize = 3;

/// What the small print of bulk mail offers, by word.
const SMALL_PRINT: &[(&str, &[&str])] = &[
    (
        "unsubscribe",
        &[
            "unsubscribe",
            "opt out",
            "opt-out",
            "abmelden",
            "désabonner",
            "désinscri",
            "darse de baja",
            "cancelar",
            "配信停止",
            "退订",
            "отписаться",
        ],
    ),
    ("view in browser", &["in your browser", "in a browser", "in browser", "view online", "web version"]),
    ("privacy", &["privacy policy", "privacy notice", "privacy statement"]),
    ("copyright", &["\u{a9}", "copyright", "all rights reserved"]),
    ("preferences", &["preferences", "email settings"]),
    ("address", &[" suite ", " street", " avenue", " blvd", " floor", "p.o. box", "po box"]),
    ("order", &["order number", "order #", "invoice #", "receipt", "confirmation number"]),
];

static FINDER: LazyLock<Option<(AhoCorasick, Vec<usize>)>> = LazyLock::new(|| {
    let rows = SMALL_PRINT.iter().enumerate().flat_map(|(row, (_, words))| words.iter().map(move |word| (row, *word)));
    let (rows, words): (Vec<usize>, Vec<&str>) = rows.unzip();
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok().map(|finder| (finder, rows))
});

/// Parts of an address that roles have, not people.
const ROLES: &[&str] = &[
    "noreply",
    "no-reply",
    "donotreply",
    "do-not-reply",
    "info",
    "support",
    "hello",
    "news",
    "newsletter",
    "contact",
    "admin",
    "service",
    "reply",
    "marketing",
    "email",
    "sales",
    "offers",
    "notifications",
    "orders",
    "team",
    "help",
    "alerts",
];

/// Notes how sender, links and text agree.
pub(super) fn note(message: &Message<'_>, builder: &mut Builder) {
    let text = message.text.visible();
    let text = &text[..text.floor_char_boundary(TEXT_BYTES)];
    small_print(text, builder);
    let Some(from) = message.from.first() else { return };
    let domain = from.domain();
    let site = hosts::registered(&domain).to_owned();
    let label = site.split('.').next().unwrap_or_default();
    let flat = flattened(text);
    links(message, &domain, &site, label, &from.name, &flat, builder);
    if label.len() >= LABEL {
        builder.note(Kind::Agreement, &["text names domain ", yes(flat.contains(label))]);
    }
    name(&from.name, &from.address, &domain, &flat, builder);
    address(&from.address, &domain, &site, label, builder);
    let id = message.message_id().unwrap_or_default().to_lowercase();
    if let Some((_, host)) = id.trim_end_matches('>').rsplit_once('@') {
        let same = if hosts::registered(host) == site {
            "same"
        } else if host.contains('.') {
            "other"
        } else {
            "local"
        };
        builder.note(Kind::Agreement, &["id of ", same]);
    }
    if let Some(reply) = message.reply_to.first() {
        let same = hosts::registered(&reply.domain()) == site;
        builder.note(Kind::Agreement, &["reply to ", if same { "same" } else { "other" }]);
    }
}

fn small_print(text: &str, builder: &mut Builder) {
    let mut found = [false; SMALL_PRINT.len()];
    if let Some((finder, rows)) = &*FINDER {
        for hit in finder.find_iter(text) {
            found[rows[hit.pattern().as_usize()]] = true;
        }
    }
    for ((word, _), found) in SMALL_PRINT.iter().zip(found) {
        builder.note(Kind::Agreement, &["small print ", word, " ", yes(found)]);
    }
}

fn links(message: &Message<'_>, domain: &str, site: &str, label: &str, name: &str, flat: &str, builder: &mut Builder) {
    let (mut links, mut images) = (Vec::new(), Vec::new());
    for link in message.links.iter().filter(|link| !link.host.is_empty()).take(LINKS) {
        let of = if link.kind == LinkKind::Image { &mut images } else { &mut links };
        of.push(hosts::registered(&link.host));
    }
    let same = |hosts: &[&str]| hosts.iter().filter(|host| **host == site).count();
    builder.note(Kind::Agreement, &["links to sender ", share(same(&links), links.len())]);
    builder.note(Kind::Agreement, &["pictures of sender ", share(same(&images), images.len())]);
    let is_kin = |host: &&&str| {
        let other = host.split('.').next().unwrap_or_default();
        **host == site || label.len() > LABEL && host.contains(label) || other.len() > LABEL && site.contains(other)
    };
    builder.note(Kind::Agreement, &["links to kin ", share(links.iter().filter(is_kin).count(), links.len())]);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    links.iter().for_each(|host| *counts.entry(host).or_default() += 1);
    builder.note(Kind::Agreement, &["linked domains ", magnitude(counts.len())]);
    builder.note(Kind::Agreement, &["links ", magnitude(links.len())]);
    builder.note(Kind::Agreement, &["pictures ", magnitude(images.len())]);
    let linked: BTreeSet<&str> = links.iter().copied().collect();
    let among = images.iter().filter(|host| linked.contains(*host)).count();
    builder.note(Kind::Agreement, &["pictures of linked ", share(among, images.len())]);
    let Some((most, count)) = counts.iter().max_by_key(|(host, count)| (**count, **host)) else { return };
    builder.note(Kind::Agreement, &["most linked has ", share(*count, links.len())]);
    let most = most.split('.').next().unwrap_or_default();
    if most.len() >= LABEL {
        let named = domain.contains(most) || flattened(name).contains(most);
        builder.note(Kind::Agreement, &["sender names most linked ", yes(named)]);
        builder.note(Kind::Agreement, &["text names most linked ", yes(flat.contains(most))]);
    }
}

fn name(name: &str, address: &str, domain: &str, flat: &str, builder: &mut Builder) {
    let lower = name.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= LABEL).take(8).collect();
    if words.is_empty() {
        return builder.note(Kind::Agreement, &["no name"]);
    }
    let local = address.split('@').next().unwrap_or_default().to_lowercase();
    for (place, text) in [("domain", domain), ("address", local.as_str()), ("text", flat)] {
        let count = words.iter().filter(|word| text.contains(**word)).count();
        builder.note(Kind::Agreement, &["name in ", place, " ", share(count, words.len())]);
    }
}

fn address(address: &str, domain: &str, site: &str, label: &str, builder: &mut Builder) {
    builder.note(Kind::Agreement, &["label length ", &(label.len() / 4).to_string()]);
    builder.note(Kind::Agreement, &["label digits ", yes(label.bytes().any(|b| b.is_ascii_digit()))]);
    builder.note(Kind::Agreement, &["label hyphen ", yes(label.contains('-'))]);
    builder.note(Kind::Agreement, &["domain depth ", magnitude(domain.matches('.').count())]);
    let is_consonant = |b: u8| b.is_ascii_lowercase() && !matches!(b, b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
    let longest = label.as_bytes().split(|b| !is_consonant(*b)).map(<[u8]>::len).max().unwrap_or_default();
    builder.note(Kind::Agreement, &["label consonants ", &longest.min(9).to_string()]);
    if let Some(below) = domain.strip_suffix(site).and_then(|below| below.split('.').next()).filter(|b| !b.is_empty()) {
        builder.note(Kind::Agreement, &["below domain ", below]);
    }
    let local = address.split('@').next().unwrap_or_default().to_ascii_lowercase();
    match ROLES.contains(&local.as_str()) {
        true => builder.note(Kind::Agreement, &["role ", &local]),
        false => {
            let mut form = String::new();
            for c in local.chars() {
                let class = if c.is_ascii_digit() {
                    '0'
                } else if c.is_alphabetic() {
                    'a'
                } else {
                    c
                };
                if !form.ends_with(class) && form.len() < 12 {
                    form.push(class);
                }
            }
            builder.note(Kind::Agreement, &["address form ", &form]);
        }
    }
}

/// Letters and digits alone, lower case: names are found whether written as one word or several.
fn flattened(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// The order of magnitude of a number.
fn magnitude(number: usize) -> &'static str {
    match number {
        0 => "0",
        1 => "1",
        2 => "2",
        3..=4 => "3",
        5..=8 => "5",
        9..=16 => "9",
        17..=32 => "17",
        33..=64 => "33",
        _ => "65",
    }
}

/// A share in steps.
fn share(part: usize, whole: usize) -> &'static str {
    match (part, whole) {
        (_, 0) => "of none",
        (0, _) => "none",
        _ if part == whole => "all",
        _ if part * 5 < whole => "few",
        _ if part * 5 < whole * 3 => "some",
        _ => "many",
    }
}
