//! Whom policies and settings are for: `from`, `to`, `for`, `[trial]`, and lists in files.

use crate::{
    config::{
        diagnostic::{Faults, did_you_mean},
        reader::Table,
    },
    policy::{AddressList, AddressPattern, AddressSet, Trial},
};
use std::{path::PathBuf, sync::Arc};
use toml::Spanned;

/// The `[[list]]` tables.
pub(super) type Lists = Vec<Arc<AddressList>>;

/// One entry of a list of patterns.
enum Entry {
    Pattern(AddressPattern),
    List(Arc<AddressList>),
}

/// Reads the `[[list]]` tables. Their files are read when the engine is built.
pub(super) fn lists(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Lists {
    let mut lists = Lists::new();
    for mut table in root.tables("list", faults) {
        let span = table.span.clone();
        let name = table.parsed("name", "a word without blanks such as \"partners\"", list_name, faults);
        let file = table.parsed("file", "a path", |text| (!text.is_empty()).then(|| PathBuf::from(text)), faults);
        table.finish(faults);
        let (Some(name), Some(file)) = (name, file) else {
            faults.at(span, "a list needs a name and a file; write name = \"partners\", file = \"/etc/…\"");
            continue;
        };
        match lists.iter().any(|list| list.name == name) {
            true => faults.at(span, format!("two lists are named \"{name}\"; names are unique")),
            false => lists.push(Arc::new(AddressList::new(name, file))),
        }
    }
    lists
}

/// Longest name of a list. Unit: bytes. Source: our own limit.
const NAME_BYTES: usize = 50;

fn list_name(text: &str) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!text.is_empty() && text.len() <= NAME_BYTES && text.chars().all(plain)).then(|| text.to_lowercase())
}

/// Senders: the directory tells groups of recipients only.
pub(super) fn senders(table: &mut Table<'_>, key: &'static str, lists: &Lists, faults: &mut Faults<'_>) -> AddressSet {
    let items = list(table, key, faults);
    senders_of(&table.path_of(key), &items, lists, faults)
}

/// The same for entries that were read already.
pub(super) fn senders_of(path: &str, items: &[Spanned<String>], lists: &Lists, faults: &mut Faults<'_>) -> AddressSet {
    let refused = |pattern: &AddressPattern| match pattern {
        AddressPattern::Group(_) => Some("groups of senders are not known; name addresses or domains"),
        _ => None,
    };
    set(path, items, lists, refused, faults)
}

/// Recipients.
pub(super) fn recipients(path: &str, items: &[Spanned<String>], lists: &Lists, faults: &mut Faults<'_>) -> AddressSet {
    let refused = |pattern: &AddressPattern| match pattern {
        AddressPattern::Null => Some("\"<>\" is a sender, never a recipient"),
        _ => None,
    };
    set(path, items, lists, refused, faults)
}

/// A list that narrows down: an empty one would mean all where the writer meant none, and is a fault.
pub(super) fn list(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Vec<Spanned<String>> {
    let items = table.strings(key, faults);
    if items.as_ref().is_some_and(Vec::is_empty) {
        faults.at(table.span.clone(), format!("{} is an empty list; leave it out to mean all", table.path_of(key)));
    }
    items.unwrap_or_default()
}

fn set(
    path: &str,
    items: &[Spanned<String>],
    lists: &Lists,
    refused: impl Fn(&AddressPattern) -> Option<&'static str>,
    faults: &mut Faults<'_>,
) -> AddressSet {
    let mut set = AddressSet::default();
    for item in items {
        match entry(path, item, lists, faults) {
            Some(Entry::List(list)) => set.push_list(list),
            Some(Entry::Pattern(pattern)) => match refused(&pattern) {
                Some(why) => faults.at(item.span(), format!("{path}: {why}")),
                None => set.push(pattern),
            },
            None => {}
        }
    }
    set
}

fn entry(path: &str, item: &Spanned<String>, lists: &Lists, faults: &mut Faults<'_>) -> Option<Entry> {
    if let Some(name) = item.get_ref().strip_prefix("list:") {
        let name = name.to_lowercase();
        let found = lists.iter().find(|list| list.name == name);
        if found.is_none() {
            let advice = match did_you_mean(&name, lists.iter().map(|list| list.name.as_str())) {
                none if none.is_empty() => "; write [[list]] with this name and a file".to_owned(),
                some => some,
            };
            faults.at(item.span(), format!("{path}: there is no list \"{name}\"{advice}"));
        }
        return found.map(|list| Entry::List(Arc::clone(list)));
    }
    match AddressPattern::parse(item.get_ref()) {
        Ok(pattern) => Some(Entry::Pattern(pattern)),
        Err(why) => {
            faults.at(item.span(), format!("{path}: \"{}\" {why}", item.get_ref()));
            None
        }
    }
}

/// `[trial]`: an empty or missing table means that verdicts act for everybody.
pub(super) fn trial(root: &mut Table<'_>, lists: &Lists, faults: &mut Faults<'_>) -> Option<Trial> {
    let mut table = root.table("trial", faults)?;
    let items = table.strings("recipients", faults).unwrap_or_default();
    let mut acting = recipients(&table.path_of("recipients"), &items, lists, faults);
    let path = table.path_of("domains");
    for item in table.strings("domains", faults).unwrap_or_default() {
        let domain = item.get_ref();
        let written = match domain.starts_with("*.") || domain.starts_with("*@") {
            true => domain.clone(),
            false => format!("*@{domain}"),
        };
        match AddressPattern::parse(&written) {
            Ok(pattern @ (AddressPattern::Domain(_) | AddressPattern::Subdomains(_))) => acting.push(pattern),
            _ => faults.at(
                item.span(),
                format!("{path}: \"{domain}\" is no domain; write \"example.com\" or \"*.example.com\""),
            ),
        }
    }
    table.finish(faults);
    (!acting.is_empty()).then_some(Trial { acting })
}
