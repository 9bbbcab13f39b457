//! `when`: what a policy asks about a message.

use super::{
    inner, points,
    who::{Lists, list, senders},
};
use crate::{
    config::{
        diagnostic::{Faults, did_you_mean},
        reader::Table,
        score::finding_pattern,
    },
    message::{SCRIPTS, Script, languages},
    policy::{Conditions, Glob},
};
use ipnet::IpNet;
use std::net::IpAddr;
use toml::{Spanned, de::DeValue};

/// Results of SPF, DKIM, ARC and DMARC (RFC 8601 §2.7).
const RESULTS: &[&str] = &["pass", "fail", "softfail", "neutral", "none", "policy", "temperror", "permerror"];

/// Deepest nesting of `all`, `any` and `not`. Unit: levels. Source: our own limit; who needs more writes two policies.
const DEPTH: usize = 8;

/// Reads conditions, with what they need of other tables.
pub(super) struct Reader<'l> {
    pub(super) lists: &'l Lists,
    pub(super) knows_countries: bool,
}

impl Reader<'_> {
    /// Reads `when`.
    pub(super) fn read(&self, table: Table<'_>, faults: &mut Faults<'_>) -> Conditions {
        self.read_at(0, table, faults)
    }

    fn read_at(&self, depth: usize, mut table: Table<'_>, faults: &mut Faults<'_>) -> Conditions {
        let span = table.span.clone();
        if depth > DEPTH {
            faults.at(span, format!("conditions are nested more than {DEPTH} deep; write several policies"));
            return Conditions::default();
        }
        if table.is_empty() && depth == 0 {
            faults.at(span.clone(), "when is empty; leave it out if the policy is for every message");
        } else if table.is_empty() {
            faults.at(span.clone(), "this condition is empty; it would always hold, so leave it out");
        }
        let findings = list(&mut table, "finding", faults);
        let attachment = table.table("attachment", faults);
        let header = table.table("header", faults);
        let time = table.table("time", faults);
        let conditions = Conditions {
            findings: findings.iter().filter_map(|item| finding_pattern(item, faults)).collect(),
            points_at_least: points(&mut table, "points_at_least", faults),
            points_below: points(&mut table, "points_below", faults),
            size_over: size(&mut table, faults),
            attachment: attachment.map(|table| inner::attachments(table, faults)),
            header: header.and_then(|table| inner::header(table, faults)),
            text: tables(&mut table, "text", faults).into_iter().filter_map(|text| inner::text(text, faults)).collect(),
            link: parsed(&mut table, "link", "a host such as \"example.com\" or \"*.example.com\"", host, faults),
            header_from: senders(&mut table, "header_from", self.lists, faults),
            charset: parsed(&mut table, "charset", "a character set such as \"koi8-r\"", Glob::parse, faults),
            script: scripts(&mut table, faults),
            language: known_languages(&mut table, faults),
            time: time.and_then(|table| inner::time(table, faults)),
            tls: inner::tls(&mut table, faults),
            authenticated: boolean(&mut table, "authenticated", faults),
            user: parsed(&mut table, "user", "a login such as \"alice\" or \"*@example.com\"", Glob::parse, faults),
            spf: results(&mut table, "spf", faults),
            dkim: results(&mut table, "dkim", faults),
            arc: results(&mut table, "arc", faults),
            dmarc: results(&mut table, "dmarc", faults),
            client: parsed(&mut table, "client", "an address or network such as \"192.0.2.0/24\"", network, faults),
            country: self.countries(&mut table, faults),
            all: self.nested(depth, "all", &mut table, faults),
            any: self.nested(depth, "any", &mut table, faults),
            not: table.table("not", faults).map(|inner| Box::new(self.read_at(depth + 1, inner, faults))),
        };
        if let (Some(least), Some(below)) = (conditions.points_at_least, conditions.points_below)
            && least >= below
        {
            faults.at(span.clone(), format!("when can never hold: at least {least} and below {below} points"));
        }
        if conditions.authenticated == Some(false) && !conditions.user.is_empty() {
            faults.at(span, "when can never hold: a user who has not authenticated");
        }
        table.finish(faults);
        conditions
    }

    fn nested(
        &self,
        depth: usize,
        key: &'static str,
        table: &mut Table<'_>,
        faults: &mut Faults<'_>,
    ) -> Vec<Conditions> {
        tables(table, key, faults).into_iter().map(|inner| self.read_at(depth + 1, inner, faults)).collect()
    }

    fn countries(&self, table: &mut Table<'_>, faults: &mut Faults<'_>) -> Vec<String> {
        let place = table.place("country");
        if let Some(place) = place.filter(|_| !self.knows_countries) {
            let cure = "set [networks] countries = \"/usr/share/GeoIP/GeoLite2-Country.mmdb\"";
            faults.at(place, format!("{}: no database tells countries; {cure}", table.path_of("country")));
        }
        parsed(table, "country", "a country of ISO 3166-1 in two letters such as \"DE\"", country, faults)
    }
}

/// A list of which each entry is parsed; those that do not parse are reported with `expected`.
pub(super) fn parsed<T>(
    table: &mut Table<'_>,
    key: &'static str,
    expected: &str,
    parse: impl Fn(&str) -> Option<T>,
    faults: &mut Faults<'_>,
) -> Vec<T> {
    let items = list(table, key, faults);
    let mut found = Vec::new();
    for item in items {
        match parse(item.get_ref()) {
            Some(value) => found.push(value),
            None => {
                let message = format!("{} is \"{}\", must be {expected}", table.path_of(key), item.get_ref());
                faults.at(item.span(), message);
            }
        }
    }
    found
}

/// A list of tables in one line; one table alone is a list of one.
fn tables<'i>(table: &mut Table<'i>, key: &'static str, faults: &mut Faults<'_>) -> Vec<Table<'i>> {
    match table.take(key) {
        None => Vec::new(),
        Some((span, DeValue::Array(items))) => {
            if items.is_empty() {
                faults.at(span, format!("{} is an empty list; leave it out", table.path_of(key)));
            }
            let inner = items.into_iter().filter_map(|item| {
                let span = item.span();
                table.table_of(key, span, item.into_inner(), faults)
            });
            inner.collect()
        }
        Some((span, DeValue::Table(inner))) => {
            table.table_of(key, span, DeValue::Table(inner), faults).into_iter().collect()
        }
        Some((span, other)) => {
            table.wrong_type(key, span, "conditions such as [{ tls = true }, { spf = \"pass\" }]", &other, faults);
            Vec::new()
        }
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn country(text: &str) -> Option<String> {
    (text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic())).then(|| text.to_ascii_uppercase())
}

/// A host, or a glob of hosts. International names are compared in ASCII.
fn host(text: &str) -> Option<Glob> {
    let (stars, name) = text.split_at(text.len() - text.trim_start_matches(['*', '.']).len());
    let whole = !name.is_empty() && !name.contains(['/', ':', '@', ' ']);
    match name.is_ascii() {
        _ if !whole => None,
        true => Glob::parse(text),
        false => Glob::parse(&format!("{stars}{}", idna::domain_to_ascii(name).ok()?)),
    }
}

fn scripts(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Vec<Script> {
    let items = list(table, "script", faults);
    let path = table.path_of("script");
    let mut found = Vec::new();
    for item in items {
        let word = item.get_ref().to_lowercase();
        match SCRIPTS.iter().find(|(known, _)| *known == word) {
            Some((_, script)) => found.push(*script),
            None => faults.at(item.span(), not_one_of(&path, &item, SCRIPTS.iter().map(|(known, _)| *known))),
        }
    }
    found
}

fn known_languages(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Vec<String> {
    let items = list(table, "language", faults);
    let path = table.path_of("language");
    let mut found = Vec::new();
    for item in items {
        let code = item.get_ref().to_lowercase();
        if languages().any(|known| known == code) {
            found.push(code);
        } else {
            faults.at(item.span(), not_one_of(&path, &item, languages()));
        }
    }
    found
}

fn results(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Vec<String> {
    let items = list(table, key, faults);
    let path = table.path_of(key);
    let mut found = Vec::new();
    for item in items {
        let word = item.get_ref().to_lowercase();
        if RESULTS.contains(&word.as_str()) {
            found.push(word);
        } else {
            faults.at(item.span(), not_one_of(&path, &item, RESULTS.iter().copied()));
        }
    }
    found
}

fn not_one_of(path: &str, item: &Spanned<String>, known: impl Iterator<Item = &'static str> + Clone) -> String {
    let advice = did_you_mean(&item.get_ref().to_lowercase(), known.clone());
    let known: Vec<&str> = known.collect();
    format!("{path} is \"{}\", must be one of {}{advice}", item.get_ref(), known.join(", "))
}

pub(super) fn boolean(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Option<bool> {
    let present = table.has(key);
    let read = table.boolean(key, true, faults);
    present.then_some(read)
}

pub(super) fn size(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Option<usize> {
    let present = table.has("size_over");
    let read = table.size("size_over", usize::MAX, faults);
    present.then_some(read)
}
