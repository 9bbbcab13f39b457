//! Passwords that may open what is locked.

use crate::Candidate;
use std::cell::OnceCell;

/// Passwords that senders of malware and exchanges of samples use widely.
const COMMON: &[&str] = &[
    "infected", "1234", "12345", "123456", "password", "malware", "virus", "0000", "1111", "123", "2024", "2025",
    "2026",
];
/// Words that announce a password, lower case, in the languages of most mail.
const ANNOUNCERS: &[&str] = &[
    "password",
    "passwort",
    "passcode",
    "kennwort",
    "pass",
    "pwd",
    "pw",
    "pin",
    "code",
    "contraseña",
    "clave",
    "mot de passe",
    "senha",
    "пароль",
    "wachtwoord",
    "hasło",
];
/// How far behind an announcer a password stands. Unit: words. Source: our own limit.
const WORDS_BEHIND: usize = 4;
/// How far behind an announcer words are read. Unit: bytes. Source: our own limit.
const REACH: usize = 300;
/// Longest word tried. Unit: characters. Source: our own limit.
const LONGEST: usize = 40;
/// Most passwords of one message. Source: our own limit.
const MOST: usize = 24;

/// Passwords for the files of a message. Finding them reads all of its text, so they are asked for once, when something is locked.
pub(crate) struct Passwords<'p> {
    ask: &'p dyn Fn() -> Vec<Candidate>,
    told: OnceCell<Vec<Candidate>>,
}

impl<'p> Passwords<'p> {
    pub(crate) fn new(ask: &'p dyn Fn() -> Vec<Candidate>) -> Self {
        Passwords { ask, told: OnceCell::new() }
    }

    pub(crate) fn all(&self) -> &[Candidate] {
        self.told.get_or_init(self.ask)
    }
}

/// Passwords that a text tells, best first, then those that are widely used.
pub fn candidates(text: &str) -> Vec<Candidate> {
    let mut told: Vec<String> = Vec::new();
    let lower = text.to_lowercase();
    // Lower case may have another length: places in both agree only if it has not.
    let text = if lower.len() == text.len() { text } else { &lower };
    for announcer in ANNOUNCERS {
        for (at, _) in lower.match_indices(announcer).take(MOST) {
            let Some(behind) = text.get(at + announcer.len()..) else { continue };
            // Inside a word it announces nothing, but for endings such as in "passwords".
            let inside = lower[..at].chars().next_back().is_some_and(char::is_alphanumeric);
            if inside {
                continue;
            }
            let behind = &behind[..behind.floor_char_boundary(REACH)];
            for word in behind.split_whitespace().take(WORDS_BEHIND) {
                add(&mut told, word);
                add(&mut told, word.trim_matches(|c: char| !c.is_alphanumeric()));
                if let Some((_, value)) = word.split_once([':', '=']) {
                    add(&mut told, value);
                    add(&mut told, value.trim_matches(|c: char| !c.is_alphanumeric()));
                }
            }
        }
    }
    told.truncate(MOST);
    let common = COMMON.iter().filter(|common| !told.iter().any(|word| word == **common));
    let common: Vec<_> = common.map(|word| Candidate { word: (*word).to_owned(), told: false }).collect();
    told.into_iter().map(|word| Candidate { word, told: true }).chain(common).collect()
}

fn add(words: &mut Vec<String>, word: &str) {
    let has_letters = word.chars().any(char::is_alphanumeric);
    let is_known = words.iter().any(|known| known == word);
    if has_letters && !is_known && word.chars().count() <= LONGEST {
        words.push(word.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_behind_the_word_for_it() {
        for (text, password) in [
            ("Please open the file. Password: Rk-4711!", "Rk-4711!"),
            ("the archive's passwort ist \"sommer23\".", "sommer23"),
            ("PIN=9921", "9921"),
            ("Пароль: лето2026", "лето2026"),
        ] {
            let found = candidates(text);
            assert!(found.iter().any(|c| c.told && c.word == password), "{text}: {found:?}");
        }
        assert!(candidates("compassion for all").iter().all(|c| !c.told));
        assert!(candidates(&"pw x ".repeat(10_000)).len() <= MOST + COMMON.len());
    }
}
