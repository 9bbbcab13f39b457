//! Patterns over the same text, tried only where a literal of theirs occurs.

use crate::pattern::{AUTOMATON, Pattern};
use aho_corasick::{AhoCorasick, MatchKind};
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use std::{collections::BTreeMap, sync::OnceLock};

/// Which tests of a kind can match a text.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    literals: Option<AhoCorasick>,
    /// Tests that need each literal.
    owners: Vec<Vec<u32>>,
    /// Tests without literals.
    bare: Vec<u32>,
    /// What tells for all texts together which of them can match: small patterns, all in one pass.
    shapes: Option<RegexSet>,
    shaped: Vec<u32>,
    /// The others, each by itself.
    single: Vec<(u32, OnceLock<Option<Regex>>, String)>,
    tests: usize,
}

/// What was found for a text: marks of the text on tests, so that each is tried once.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    seen: Vec<u32>,
    text: u32,
    pub(crate) found: Vec<u32>,
}

/// Most memory of the automaton that tells of many patterns. Unit: bytes. Source: measured; less is built anew too often.
const SHARED: usize = 20 << 20;

impl Candidates {
    /// Takes patterns by the number of their test.
    pub(crate) fn of<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> Candidates {
        let mut by_literal: BTreeMap<&[u8], Vec<u32>> = BTreeMap::new();
        let mut candidates = Candidates::default();
        let mut shapes = Vec::new();
        for (number, pattern) in (0_u32..).zip(patterns) {
            candidates.tests += 1;
            match &pattern.literals {
                Some(literals) => {
                    for literal in literals {
                        by_literal.entry(literal).or_default().push(number);
                    }
                }
                None => {
                    candidates.bare.push(number);
                    if pattern.is_shape() {
                        candidates.shaped.push(number);
                        shapes.push(pattern.wide());
                    } else {
                        candidates.single.push((number, OnceLock::new(), pattern.wide()));
                    }
                }
            }
        }
        candidates.shapes = RegexSetBuilder::new(&shapes)
            .unicode(false)
            .multi_line(true)
            .size_limit(64 << 20)
            .dfa_size_limit(SHARED)
            .build()
            .ok()
            .filter(|_| !shapes.is_empty());
        candidates.literals = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(by_literal.keys())
            .ok()
            .filter(|_| !by_literal.is_empty());
        if candidates.literals.is_none() {
            candidates.bare.extend(by_literal.values().flatten());
        }
        candidates.owners = by_literal.into_values().collect();
        candidates
    }

    /// Whether there is nothing to try.
    pub(crate) fn is_empty(&self) -> bool {
        self.tests == 0
    }

    /// Tests without literals that may match one of these texts, which stand in lines of one.
    pub(crate) fn among(&self, joined: &[u8]) -> Vec<u32> {
        let mut found = Vec::new();
        match &self.shapes {
            Some(shapes) => found.extend(shapes.matches(joined).iter().map(|shape| self.shaped[shape])),
            None => found.extend(&self.shaped),
        }
        for (test, regex, pattern) in &self.single {
            let wide = regex.get_or_init(|| {
                RegexBuilder::new(pattern).unicode(false).multi_line(true).dfa_size_limit(AUTOMATON).build().ok()
            });
            if wide.as_ref().is_none_or(|wide| wide.is_match(joined)) {
                found.push(*test);
            }
        }
        if self.literals.is_none() {
            found.extend(self.owners.iter().flatten());
        }
        found
    }

    /// All tests without literals.
    pub(crate) fn bare(&self) -> &[u32] {
        &self.bare
    }

    /// Puts the tests that may match into `marks.found`: of those without literals these.
    pub(crate) fn find(&self, text: &[u8], bare: &[u32], marks: &mut Marks) {
        marks.begin(self.tests);
        bare.iter().for_each(|test| marks.add(*test));
        if let Some(literals) = &self.literals {
            for found in literals.find_overlapping_iter(text) {
                for test in &self.owners[found.pattern().as_usize()] {
                    marks.add(*test);
                }
            }
        }
    }
}

impl Marks {
    fn begin(&mut self, tests: usize) {
        self.found.clear();
        self.text += 1;
        if self.seen.len() < tests {
            self.seen.resize(tests, 0);
        }
    }

    fn add(&mut self, test: u32) {
        let seen = &mut self.seen[test as usize];
        if *seen != self.text {
            *seen = self.text;
            self.found.push(test);
        }
    }
}
