//! Names of findings as configuration writes them: a whole id, or a family with a star.

use std::{cmp::Ordering, fmt};

/// First parts of finding ids that the rooms use. A pattern outside these is a slip of the pen.
pub const FAMILIES: &[&str] = &[
    "arc",
    "archive",
    "attachment",
    "batv",
    "body",
    "bounce",
    "clamd",
    "correspondent",
    "dha",
    "directory",
    "dkim",
    "dmarc",
    "dnsbl",
    "dnswl",
    "from",
    "graymail",
    "greylist",
    "hashbl",
    "header",
    "helo",
    "html",
    "learned",
    "limit",
    "link",
    "malware",
    "message",
    "mime",
    "outbound",
    "phishing",
    "quarantine",
    "rates",
    "rdns",
    "recipient",
    "reputation",
    "scan",
    "sender",
    "spam",
    "spf",
    "subject",
    "uribl",
];

/// One finding id, or all that begin with certain parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingPattern {
    /// `spf.fail`: this id alone.
    Exact(String),
    /// `dnsbl.*`: every id below; held with its last dot.
    Under(String),
}

/// Why a text is no pattern of finding ids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Empty parts, blanks, or a star elsewhere than at the end.
    #[error("must be an id such as \"spf.fail\" or a family such as \"dnsbl.*\"")]
    Syntax,
    /// No room reports such findings.
    #[error("names no known family of findings")]
    Family,
}

impl fmt::Display for FindingPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FindingPattern::Exact(id) => f.write_str(id),
            FindingPattern::Under(prefix) => write!(f, "{prefix}*"),
        }
    }
}

impl FindingPattern {
    /// Reads a pattern; case does not matter.
    ///
    /// # Errors
    ///
    /// If it is malformed or its first part is none of [`FAMILIES`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let lower = text.to_lowercase();
        let parts: Vec<&str> = lower.split('.').collect();
        let (last, head) = parts.split_last().ok_or(PatternError::Syntax)?;
        let plain = |part: &&str| !part.is_empty() && !part.contains(|c: char| c == '*' || c.is_whitespace());
        if head.is_empty() || !head.iter().all(plain) || !(*last == "*" || plain(last)) {
            return Err(PatternError::Syntax);
        }
        if !FAMILIES.contains(&head[0]) {
            return Err(PatternError::Family);
        }
        Ok(match lower.strip_suffix('*') {
            Some(prefix) => FindingPattern::Under(prefix.to_owned()),
            None => FindingPattern::Exact(lower),
        })
    }

    /// Whether the finding `id` is meant; case does not matter (rule names inside ids keep theirs).
    pub fn matches(&self, id: &str) -> bool {
        match self {
            FindingPattern::Exact(own) => id.eq_ignore_ascii_case(own),
            FindingPattern::Under(prefix) => {
                id.len() > prefix.len() && id.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
            }
        }
    }

    /// Whether it names one id.
    pub fn is_exact(&self) -> bool {
        matches!(self, FindingPattern::Exact(_))
    }

    /// Whether it names malware, wholly or in part.
    pub fn names_malware(&self) -> bool {
        match self {
            FindingPattern::Exact(text) | FindingPattern::Under(text) => text.starts_with("malware."),
        }
    }

    /// The more specific pattern is the greater: a whole id over a family, a long family over a short one.
    pub(super) fn cmp_specific(&self, other: &Self) -> Ordering {
        let rank = |p: &Self| match p {
            FindingPattern::Exact(_) => (1, 0),
            FindingPattern::Under(prefix) => (0, prefix.len()),
        };
        rank(self).cmp(&rank(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_covers_its_members_and_not_itself_or_its_neighbours() {
        let family = FindingPattern::parse("DNSBL.*").expect("a pattern");
        assert!(family.matches("dnsbl.zen") && family.matches("dnsbl.zen.sbl"));
        assert!(!family.matches("dnsbl.") && !family.matches("dnsblx.zen") && !family.matches("dn"));
        let rule = FindingPattern::parse("malware.yara.Eicar_Test").expect("a pattern");
        assert!(rule.matches("malware.yara.EICAR_Test"));
    }

    #[test]
    fn slips_of_the_pen_are_refused() {
        for text in ["", "*", "spf", "spf.", ".spf", "spf.*.x", "s*.x", "spf. fail"] {
            assert_eq!(FindingPattern::parse(text), Err(PatternError::Syntax), "{text}");
        }
        assert_eq!(FindingPattern::parse("dsnbl.zen"), Err(PatternError::Family));
    }

    #[test]
    fn families_are_sorted_and_unique() {
        assert!(FAMILIES.is_sorted_by(|a, b| a < b));
    }

    /// Every `.rs` file below a folder.
    fn sources(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(std::fs::read_to_string(path).expect("a source file"));
            }
        }
    }

    #[test]
    fn every_family_that_a_room_reports_is_known() {
        let mut files = Vec::new();
        sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
        let id = regex::Regex::new(r#"Finding::new\(\s*(?:format!\(\s*)?"([a-z]+)\."#).expect("a regex");
        let reported: std::collections::BTreeSet<&str> =
            files.iter().flat_map(|f| id.captures_iter(f)).filter_map(|c| Some(c.get(1)?.as_str())).collect();
        assert!(reported.contains("spam"), "the scan finds something");
        let unknown: Vec<_> = reported.into_iter().filter(|f| !FAMILIES.contains(f) && *f != "x").collect();
        assert!(unknown.is_empty(), "add to FAMILIES: {unknown:?}");
    }
}
