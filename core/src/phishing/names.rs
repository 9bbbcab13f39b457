//! People in whose name others might write, and names of the organisation.

use super::{Settings, fold};
use std::collections::HashMap;

/// Most words of a display name that are compared. Unit: words. Source: our own limit; names of people have fewer.
const WORDS: usize = 12;
/// Words beside a name that say nothing about who it is.
const TITLES: &[&str] = &[
    "ceo",
    "cfo",
    "coo",
    "cto",
    "chairman",
    "chief",
    "director",
    "dr",
    "executive",
    "geschäftsführer",
    "geschaftsfuhrer",
    "herr",
    "frau",
    "head",
    "jr",
    "managing",
    "md",
    "mr",
    "mrs",
    "ms",
    "officer",
    "phd",
    "president",
    "prof",
    "professor",
    "sr",
    "via",
    "vp",
    "先生",
    "社長",
    "様",
];

/// People and the organisation, by the words of their names.
#[derive(Debug, Default)]
pub(super) struct People {
    people: Vec<Known>,
    /// People by each word of their names.
    by_word: HashMap<String, Vec<usize>>,
    /// Squashed names of the organisation.
    organisation: Vec<String>,
}

#[derive(Debug)]
struct Known {
    name: String,
    words: Vec<String>,
    squashed: String,
    addresses: Vec<String>,
}

impl People {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut known = People {
            organisation: settings.organisation.iter().map(|name| fold::squashed(name)).collect(),
            ..People::default()
        };
        for (index, person) in settings.people.iter().enumerate() {
            let words = words(&person.name);
            let squashed = words.concat();
            for word in words.iter().chain([&squashed]) {
                known.by_word.entry(word.clone()).or_default().push(index);
            }
            let addresses = person.addresses.clone();
            known.people.push(Known { name: person.name.clone(), words, squashed, addresses });
        }
        known
    }

    /// Whose name this is, from an address that is not theirs.
    pub(super) fn imitated(&self, name: &str, address: &str) -> Option<&str> {
        if self.people.is_empty() {
            return None;
        }
        let shown = words(name);
        let whole = shown.concat();
        let mut candidates: Vec<usize> =
            shown.iter().chain([&whole]).filter_map(|word| self.by_word.get(word)).flatten().copied().collect();
        candidates.sort_unstable();
        candidates.dedup();
        let people = candidates.into_iter().filter_map(|index| self.people.get(index));
        let mut named = people.filter(|person| person.squashed == whole || is_name_of(&shown, &person.words));
        let first = named.next()?;
        let own = |person: &Known| person.addresses.iter().any(|own| own.eq_ignore_ascii_case(address));
        (!own(first) && !named.any(own)).then_some(first.name.as_str())
    }

    /// Whether the name is the organisation's, alone or beside other words.
    pub(super) fn names_organisation(&self, name: &str) -> bool {
        let words = words(name);
        self.organisation.iter().any(|own| {
            (0..words.len()).any(|start| (start + 1..=words.len()).any(|end| words[start..end].concat() == *own))
        })
    }
}

/// The words of a name, without titles.
fn words(name: &str) -> Vec<String> {
    let folded = fold::letters(name);
    let words = folded.split(|c: char| !c.is_alphanumeric() && c != '\'');
    words
        .map(|word| word.replace('\'', ""))
        .filter(|word| !word.is_empty() && !TITLES.contains(&word.as_str()))
        .take(WORDS)
        .collect()
}

/// Whether a name with so many words means the person: every word is one of the person's or the first letter of one, in
/// any order, and at least the longest of them is written out.
fn is_name_of(shown: &[String], person: &[String]) -> bool {
    if shown.len() < 2 || person.len() < 2 || shown.len() > person.len() {
        return false;
    }
    let mut left: Vec<&String> = person.iter().collect();
    let longest = person.iter().map(|word| word.chars().count()).max().unwrap_or_default();
    let (mut written_out, mut has_longest) = (0, false);
    for word in shown {
        let chars = word.chars().count();
        let whole = left.iter().position(|own| *own == word);
        let initial = || (chars == 1).then(|| left.iter().position(|own| own.starts_with(word.as_str()))).flatten();
        let Some(place) = whole.or_else(initial) else { return false };
        left.remove(place);
        written_out += usize::from(whole.is_some());
        has_longest |= whole.is_some() && chars == longest;
    }
    written_out > 1 || has_longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phishing::Person;

    fn people() -> People {
        let person = |name: &str, address: &str| Person { name: name.into(), addresses: vec![address.into()] };
        People::new(&Settings {
            people: vec![person("Anna Maria Beispiel", "anna@example.com"), person("山田 太郎", "taro@example.com")],
            organisation: vec!["Example Rockets".into()],
            ..Settings::default()
        })
    }

    #[test]
    fn names_are_compared_as_readers_do() {
        let people = people();
        for name in [
            "Anna Beispiel",
            "Beispiel, Anna",
            "ANNA MARIA BEISPIEL (CEO)",
            "A. Beispiel",
            "Anna M. Beispiel",
            "\u{410}nna B\u{435}ispiel",
            "An\u{200b}na Beispiel",
            "Dr. Anna Beispiel",
            "AnnaMariaBeispiel",
        ] {
            assert_eq!(people.imitated(name, "x@evil.example"), Some("Anna Maria Beispiel"), "{name}");
            assert_eq!(people.imitated(name, "Anna@example.com"), None, "{name}: her own address");
        }
        assert_eq!(people.imitated("太郎 山田", "x@evil.example"), Some("山田 太郎"));
        for name in ["Anna", "Beispiel", "Anna Other", "Peter Beispiel", "Anna B.", "A. M.", "", "Anna Beispiel Bakery"]
        {
            assert_eq!(people.imitated(name, "x@evil.example"), None, "{name}");
        }
    }

    #[test]
    fn the_organisation_is_found_beside_other_words() {
        let people = people();
        assert!(people.names_organisation("Example Rockets IT Help"));
        assert!(people.names_organisation("HR - ExampleRockets"));
        assert!(!people.names_organisation("Example") && !people.names_organisation("Rockets"));
    }
}
