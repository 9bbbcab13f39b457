//! Patterns as rule files write them, and their matching.

mod class;
mod literals;
mod perl;

pub(crate) use perl::Flags;
use perl::Translated;
use regex_syntax::hir::{Hir, HirKind};
use std::{collections::BTreeSet, sync::OnceLock};

/// A pattern. It is compiled when it is first needed: most never are, as their literals never occur.
#[derive(Debug)]
pub(crate) struct Pattern {
    translated: Translated,
    /// Literals of which every match holds one, in lower case. None: it may match anything.
    pub(crate) literals: Option<BTreeSet<Vec<u8>>>,
    is_shape: bool,
    matcher: OnceLock<Matcher>,
    /// Tells what groups hold, where the matcher cannot.
    groups: OnceLock<Option<pcre2::bytes::Regex>>,
}

#[derive(Debug)]
enum Matcher {
    /// Time grows with the text alone.
    Linear(regex::bytes::Regex),
    /// Tried where the loose pattern matches, if there is one that can be had.
    Backtracking(Option<regex::bytes::Regex>, pcre2::bytes::Regex),
    /// No matcher takes it.
    Never,
}

/// Largest compiled pattern. Unit: bytes. Source: our own limit; what is larger goes to the backtracking matcher.
const COMPILED: usize = 2 << 20;
/// Most memory of the automaton that a linear matcher builds while it matches. Unit: bytes. Source: measured; twice as much takes
/// 16 MB more over all rules, and half of messages no less time.
pub(crate) const AUTOMATON: usize = 2 << 20;
/// Most steps of a backtracking matcher for a text. Unit: steps. Source: our own limit; ordinary mail needs some thousand.
const STEPS: u32 = 100_000;
/// Most memory of a backtracking matcher. Unit: KiB. Source: our own limit.
const BACKTRACKING_KIB: u32 = 4_096;
/// Deepest nesting of a pattern. Unit: levels. Source: our own limit.
const NEST: u32 = 220;
/// Most matches counted in a text. Unit: matches. Source: our own limit.
const MATCHES: usize = 1_000;

impl Pattern {
    /// Reads `/pattern/flags`, `m{pattern}flags` and the like.
    pub(crate) fn delimited(written: &[u8]) -> Result<Pattern, String> {
        let (pattern, flags) = split(written)?;
        Pattern::new(pattern, flags)
    }

    /// Reads a pattern without delimiters.
    pub(crate) fn new(pattern: &[u8], flags: Flags) -> Result<Pattern, String> {
        let translated = perl::translate(pattern, flags)?;
        let hir = regex_syntax::ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .nest_limit(NEST)
            .build()
            .parse(&translated.loose);
        let literals = match &hir {
            Ok(hir) => literals::required(hir),
            Err(_) => None,
        };
        let is_shape = hir
            .as_ref()
            .is_ok_and(|hir| is_small(hir) && hir.properties().minimum_len().is_some_and(|length| length > 1));
        let (matcher, groups) = (OnceLock::new(), OnceLock::new());
        let pattern = Pattern { translated, literals, is_shape, matcher, groups };
        // What only the backtracking matcher takes is compiled at once: nothing else knows whether it is right.
        if !pattern.translated.is_linear || hir.is_err() {
            let compiled = pattern.backtracking()?;
            drop(pattern.matcher.set(compiled));
        }
        Ok(pattern)
    }

    fn matcher(&self) -> &Matcher {
        self.matcher.get_or_init(|| match self.linear() {
            Some(regex) if self.translated.is_linear => Matcher::Linear(regex),
            _ => self.backtracking().unwrap_or(Matcher::Never),
        })
    }

    fn linear(&self) -> Option<regex::bytes::Regex> {
        regex::bytes::RegexBuilder::new(&self.translated.loose)
            .unicode(false)
            .nest_limit(NEST)
            .size_limit(COMPILED)
            .dfa_size_limit(AUTOMATON)
            .build()
            .ok()
    }

    fn backtracking(&self) -> Result<Matcher, String> {
        // No JIT: the hardened unit and hosts of the C library have no memory that can be written and executed.
        let regex = pcre2::bytes::Regex::new(&self.limited()).map_err(|error| error.to_string())?;
        Ok(Matcher::Backtracking(self.linear(), regex))
    }

    fn limited(&self) -> String {
        let exact = &self.translated.exact;
        format!("(*LIMIT_MATCH={STEPS})(*LIMIT_DEPTH={STEPS})(*LIMIT_HEAP={BACKTRACKING_KIB}){exact}")
    }

    /// Whether the pattern is small enough to share a pass with others: no repetition of more than a few signs.
    pub(crate) fn is_shape(&self) -> bool {
        self.is_shape
    }

    /// A pattern that matches some line of a text wherever this one matches that line.
    pub(crate) fn wide(&self) -> String {
        self.translated
            .loose
            .replace("(?:\\n?\\z)", "(?:)")
            .replace("\\z", "(?:)")
            .replace("\\A", "^")
            .replace("-m", "-")
    }

    /// Whether the text may hold a match, at little cost.
    pub(crate) fn may_match(&self, text: &[u8]) -> bool {
        match self.matcher() {
            Matcher::Linear(regex) => regex.is_match(text),
            Matcher::Backtracking(loose, _) => loose.as_ref().is_none_or(|loose| loose.is_match(text)),
            Matcher::Never => false,
        }
    }

    /// Whether the text holds a match. A match that takes too many steps is none.
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        match self.matcher() {
            Matcher::Linear(regex) => regex.is_match(text),
            Matcher::Backtracking(loose, regex) => {
                loose.as_ref().is_none_or(|loose| loose.is_match(text)) && regex.is_match(text).unwrap_or(false)
            }
            Matcher::Never => false,
        }
    }

    /// How many matches the text holds, at most this many.
    pub(crate) fn count(&self, text: &[u8], most: usize) -> usize {
        let most = most.min(MATCHES);
        match self.matcher() {
            Matcher::Linear(regex) => regex.find_iter(text).take(most).count(),
            Matcher::Backtracking(loose, regex) if loose.as_ref().is_none_or(|loose| loose.is_match(text)) => {
                regex.find_iter(text).take(most).take_while(Result::is_ok).count()
            }
            _ => 0,
        }
    }

    fn groups(&self) -> Option<&pcre2::bytes::Regex> {
        if let Matcher::Backtracking(_, regex) = self.matcher() {
            return Some(regex);
        }
        self.groups.get_or_init(|| pcre2::bytes::Regex::new(&self.limited()).ok()).as_ref()
    }

    /// What the first group holds at the first match.
    pub(crate) fn first_group(&self, text: &[u8]) -> Option<String> {
        if !self.is_match(text) {
            return None;
        }
        let captures = self.groups()?.captures(text).ok()??;
        Some(String::from_utf8_lossy(captures.get(1)?.as_bytes()).into_owned())
    }

    /// What the named groups hold at the first match.
    pub(crate) fn named_groups(&self, text: &[u8]) -> Vec<(String, Vec<u8>)> {
        let Some(regex) = self.groups() else { return Vec::new() };
        let Ok(Some(captures)) = regex.captures(text) else { return Vec::new() };
        let names = regex.capture_names().iter().enumerate();
        names
            .filter_map(|(index, name)| Some((name.clone()?, captures.get(index)?.as_bytes().to_vec())))
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }
}

/// The pattern between its delimiters, and the flags behind it.
pub(crate) fn split(written: &[u8]) -> Result<(&[u8], Flags), String> {
    let (end, rest) = match written {
        [b'/', rest @ ..] => (b'/', rest),
        [b'm', open, rest @ ..] | [b'q', b'r', open, rest @ ..] if !open.is_ascii_alphanumeric() && *open != b'_' => {
            let end = match open {
                b'{' => b'}',
                b'(' => b')',
                b'[' => b']',
                b'<' => b'>',
                b'\\' => return Err("a backslash cannot enclose a pattern".to_owned()),
                other => *other,
            };
            (end, rest)
        }
        _ => return Err("a pattern stands between slashes: /pattern/".to_owned()),
    };
    let at = rest.iter().rposition(|byte| *byte == end).ok_or("the pattern has no end")?;
    let mut flags = Flags::default();
    for flag in &rest[at + 1..] {
        match flag {
            b'i' => flags.i = true,
            b'm' => flags.m = true,
            b's' => flags.s = true,
            b'x' => flags.x = true,
            // How characters are read, and how often: bytes here, and tflags say how often.
            b'a' | b'd' | b'l' | b'u' | b'n' | b'p' | b'o' | b'g' => {}
            other => return Err(format!("unknown flag {:?} behind the pattern", char::from(*other))),
        }
    }
    Ok((&rest[..at], flags))
}

/// Most that a repetition may repeat in a pattern that shares a pass. Unit: times. Source: measured.
const REPEATED: u32 = 4;

fn is_small(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            repetition.max.is_some_and(|most| most <= REPEATED) && is_small(&repetition.sub)
        }
        HirKind::Capture(capture) => is_small(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(is_small),
        _ => true,
    }
}
