//! File names and types with stars.

use regex::{Regex, RegexBuilder};

/// A text in which `*` stands for any characters and `?` for one; case does not matter. It runs as a regular
/// expression of the `regex` crate, so in linear time.
#[derive(Debug, Clone)]
pub struct Glob(Regex);

/// Longest glob. Unit: bytes. Source: our own limit, the length of a file name on common systems.
const GLOB_BYTES: usize = 255;

impl Glob {
    /// Reads a glob; `None` if it is empty or too long.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > GLOB_BYTES {
            return None;
        }
        let inner = regex::escape(text).replace("\\*", ".*").replace("\\?", ".");
        let built = RegexBuilder::new(&format!("^{inner}$")).case_insensitive(true).dot_matches_new_line(true).build();
        built.ok().map(Glob)
    }

    /// Whether the whole text fits.
    pub fn fits(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_are_the_only_special_characters() {
        let fits = |glob: &str, text: &str| Glob::parse(glob).expect("a glob").fits(text);
        assert!(fits("*.iso", "Invoice.pdf.ISO") && !fits("*.iso", "invoice.iso.pdf"));
        assert!(fits("a?c", "abc") && !fits("a?c", "ac"));
        assert!(fits("(x).[exe]", "(x).[exe]") && !fits("a.c", "abc"));
        assert!(fits("*.exe", "two\nlines.exe"));
    }
}
