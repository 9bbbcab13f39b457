//! Faults of a configuration file, each with its place and its cure.

use std::{fmt, ops::Range};

/// A configuration text with its name, for turning offsets into lines.
#[derive(Debug, Clone)]
pub struct SourceText {
    /// Name shown in diagnostics: the path as given.
    pub name: String,
    /// The text.
    pub text: String,
}

impl SourceText {
    /// Line and column of a byte offset, both counted from 1; the column counts characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset.min(self.text.len())).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// One fault: `mailward.toml:14:13: …; did you mean …?`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Name of the file.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// Collects faults while a file is read, so that all are reported at once.
#[derive(Debug)]
pub struct Faults<'a> {
    source: &'a SourceText,
    found: Vec<(Range<usize>, String)>,
    effective: Vec<(String, Option<String>)>,
}

impl<'a> Faults<'a> {
    /// No faults yet.
    pub fn new(source: &'a SourceText) -> Self {
        Faults { source, found: Vec::new(), effective: Vec::new() }
    }

    /// Notes a fault at a place.
    pub fn at(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.found.push((span, message.into()));
    }

    /// Notes the value in force of a key, as TOML: what `mailward config show` prints. `None`: not set.
    pub fn effective(&mut self, path: String, value: Option<String>) {
        self.effective.push((path, value));
    }

    /// Every key that was read with its value in force, in the order of reading.
    pub fn take_effective(&mut self) -> Vec<(String, Option<String>)> {
        std::mem::take(&mut self.effective)
    }

    /// The line on which a place begins, counted from 1: for settings that explanations refer to.
    pub fn line_of(&self, span: &Range<usize>) -> usize {
        self.source.position(span.start).0
    }

    /// A place as diagnostics write it, for faults that show only when what the file names is loaded.
    pub fn place_of(&self, span: &Range<usize>) -> String {
        let (line, column) = self.source.position(span.start);
        format!("{}:{line}:{column}", self.source.name)
    }

    /// All faults in the order of the file.
    pub fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|(span, _)| span.start);
        self.found
            .into_iter()
            .map(|(span, message)| {
                let (line, column) = self.source.position(span.start);
                Diagnostic { file: self.source.name.clone(), line, column, message }
            })
            .collect()
    }
}

/// `; did you mean "x"?` if one of the known words is close to `word`, else nothing.
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| format!("; did you mean \"{candidate}\"?"))
        .unwrap_or_default()
}
