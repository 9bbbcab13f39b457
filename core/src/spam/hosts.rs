//! Tables of hosts, and what domains belong together.

use super::tables;
pub(crate) use crate::session::registered;
use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// What is known of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Freemail,
    Shortener,
    Rewriter,
    FreeSite,
    Storage,
    Messenger,
}

const KINDS: [(&str, Kind); 6] = [
    ("freemail", Kind::Freemail),
    ("shortener", Kind::Shortener),
    ("rewriter", Kind::Rewriter),
    ("free-site", Kind::FreeSite),
    ("storage", Kind::Storage),
    ("messenger", Kind::Messenger),
];

struct Tables {
    hosts: HashMap<&'static str, Kind>,
    redirectors: Vec<(&'static str, &'static str)>,
    cheap_suffixes: HashSet<&'static str>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut tables = Tables { hosts: HashMap::new(), redirectors: Vec::new(), cheap_suffixes: HashSet::new() };
    for (section, entry) in tables::rows(include_str!("hosts.txt")) {
        match KINDS.iter().find(|(word, _)| *word == section) {
            Some((_, kind)) => drop(tables.hosts.insert(entry, *kind)),
            None if section == "redirector" => tables.redirectors.extend(entry.split_once('/')),
            None => drop(tables.cheap_suffixes.insert(entry)),
        }
    }
    tables
});

/// Most labels of a host that are looked up. Source: our own limit; names of hostile depth stay cheap.
const LABELS: usize = 8;

/// What is known of the host, or of a domain above it.
pub(crate) fn kind(host: &str) -> Option<Kind> {
    let labels = host.match_indices('.').map(|(at, _)| &host[at + 1..]).take(LABELS);
    std::iter::once(host).chain(labels).find_map(|name| TABLES.hosts.get(name).copied())
}

/// Whether the domain gives addresses to anybody.
pub(crate) fn is_freemail(domain: &str) -> bool {
    TABLES.hosts.get(domain) == Some(&Kind::Freemail)
}

/// Whether the host is of a service that rewrites the links of passing mail.
pub(crate) fn is_rewriter(host: &str) -> bool {
    kind(host) == Some(Kind::Rewriter) || registered(host) == "outlook.com"
}

/// Whether names below the last label of the host cost next to nothing.
pub(crate) fn has_cheap_suffix(host: &str) -> bool {
    host.rsplit_once('.').is_some_and(|(_, suffix)| TABLES.cheap_suffixes.contains(suffix))
}

/// Whether this page of a well-known site sends its visitors anywhere.
pub(crate) fn is_redirector(host: &str, path: &str) -> bool {
    TABLES.redirectors.iter().any(|(site, start)| {
        let below = host.strip_suffix(site).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        below && path.trim_start_matches('/').starts_with(start)
    })
}

/// Whether a label of the host mixes alphabets that look alike, as Cyrillic letters in a Latin word do.
pub(crate) fn mixes_alphabets(host: &str) -> bool {
    if !host.contains("xn--") {
        return false;
    }
    let (unicode, _) = idna::domain_to_unicode(host);
    unicode.split('.').filter(|label| !label.is_ascii()).any(|label| {
        let latin = label.chars().any(|c| c.is_ascii_alphabetic() || ('\u{c0}'..='\u{24f}').contains(&c));
        let other =
            label.chars().any(|c| matches!(c, '\u{370}'..='\u{3ff}' | '\u{400}'..='\u{52f}' | '\u{530}'..='\u{58f}'));
        // A word made of nothing but Cyrillic letters that look Latin is as bad as a mixed one.
        let disguised = label.chars().all(|c| "асеорхуіјѕԁһкмтв-0123456789".contains(c));
        latin && other || disguised
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_belong_to_the_entry_above_them() {
        assert_eq!(kind("bit.ly"), Some(Kind::Shortener));
        assert_eq!(kind("my-site.pages.dev"), Some(Kind::FreeSite));
        assert_eq!(kind("notbit.ly.example.com"), None);
        assert!(is_freemail("gmail.com") && !is_freemail("x.gmail.com"));
        assert!(is_redirector("www.google.com", "/url?q=x") && !is_redirector("www.google.com", "/maps"));
        assert!(is_redirector("a-b-c.translate.goog", "/x") && !is_redirector("notgoogle.com", "/url"));
        assert!(has_cheap_suffix("win.top") && !has_cheap_suffix("top"));
    }

    #[test]
    fn each_section_is_known_and_no_host_stands_twice() {
        let mut seen = HashSet::new();
        for (section, entry) in tables::rows(include_str!("hosts.txt")) {
            let known =
                KINDS.iter().any(|(word, _)| *word == section) || ["redirector", "cheap-suffix"].contains(&section);
            assert!(known, "{section}");
            assert!(seen.insert(entry) && entry == entry.to_lowercase(), "{entry}");
        }
    }

    #[test]
    fn look_alike_labels_are_seen_and_honest_international_names_are_not() {
        let ascii = |host: &str| idna::domain_to_ascii(host).expect("a host");
        assert!(mixes_alphabets(&ascii("p\u{430}ypal.example")), "Latin with a Cyrillic a");
        assert!(mixes_alphabets(&ascii("\u{441}\u{43e}\u{440}\u{435}.example")), "all Cyrillic, reads as cope");
        assert!(!mixes_alphabets(&ascii("b\u{fc}cher.example")));
        assert!(!mixes_alphabets(&ascii("\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.example")));
        assert!(!mixes_alphabets("example.com"));
    }
}
