//! Patterns over the same text, tried only where a literal of theirs occurs.

use crate::pattern::Pattern;
use aho_corasick::{AhoCorasick, MatchKind};
use regex::bytes::{RegexSet, RegexSetBuilder};
use std::collections::BTreeMap;

/// Which tests of a kind can match a text.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    literals: Option<AhoCorasick>,
    /// Tests that need each literal.
    owners: Vec<Vec<u32>>,
    /// Patterns without literals, all tried in one pass.
    shapes: Option<RegexSet>,
    shaped: Vec<u32>,
    /// Tests that any text may match.
    always: Vec<u32>,
    tests: usize,
}

/// What was found for a text: marks of the text on tests, so that each is tried once.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    seen: Vec<u32>,
    text: u32,
    pub(crate) found: Vec<u32>,
}

/// Most patterns without literals that share a pass. Unit: patterns. Source: measured; with more the shared automaton grows too fast.
const SHAPES: usize = 64;

impl Candidates {
    /// Takes patterns by the number of their test.
    pub(crate) fn of<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> Candidates {
        let mut by_literal: BTreeMap<&[u8], Vec<u32>> = BTreeMap::new();
        let (mut always, mut shaped, mut shapes) = (Vec::new(), Vec::new(), Vec::new());
        let mut tests = 0;
        for (number, pattern) in (0_u32..).zip(patterns) {
            tests += 1;
            match &pattern.literals {
                Some(literals) => {
                    for literal in literals {
                        by_literal.entry(literal).or_default().push(number);
                    }
                }
                None if pattern.is_shape() && shapes.len() < SHAPES => {
                    shaped.push(number);
                    shapes.push(pattern.loose());
                }
                None => always.push(number),
            }
        }
        let set = if shapes.len() > 3 {
            RegexSetBuilder::new(&shapes).unicode(false).size_limit(64 << 20).dfa_size_limit(4 << 20).build().ok()
        } else {
            None
        };
        if set.is_none() {
            always.append(&mut shaped);
        }
        let literals = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(by_literal.keys())
            .ok()
            .filter(|_| !by_literal.is_empty());
        if literals.is_none() {
            always.extend(by_literal.values().flatten());
        }
        Candidates { literals, owners: by_literal.into_values().collect(), shapes: set, shaped, always, tests }
    }

    /// Whether there is nothing to try.
    pub(crate) fn is_empty(&self) -> bool {
        self.tests == 0
    }

    /// Puts the tests that may match into `marks.found`.
    pub(crate) fn find(&self, text: &[u8], marks: &mut Marks) {
        marks.begin(self.tests);
        for test in &self.always {
            marks.add(*test);
        }
        if let Some(literals) = &self.literals {
            for found in literals.find_overlapping_iter(text) {
                for test in &self.owners[found.pattern().as_usize()] {
                    marks.add(*test);
                }
            }
        }
        if let Some(shapes) = &self.shapes {
            for shape in shapes.matches(text) {
                marks.add(self.shaped[shape]);
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
