//! What a case is: a session, the answers it meets, the policy under test, and what must come out.

use mailward_core::{
    lookup::{Listed, Outcome, clamd::ClamdAnswer, dns::Zone},
    score::FindingPattern,
    session::{Login, RefuseAt, Tls},
    verdict::{Finding, Host, Points},
};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// One case.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// A sentence; unique in its file.
    pub(super) name: String,
    pub(super) file: Arc<Path>,
    /// Where it begins, counted from 1.
    pub(super) line: usize,
    /// Its place among the `[[case]]` of the file; `None`: the file is one case.
    pub(super) index: Option<usize>,
    /// The configuration under test; `None`: that of the command, else the built-in defaults.
    pub(super) config: Option<PathBuf>,
    /// Keys that differ in this case, as TOML: those of the file, then its own.
    pub(super) set: Vec<toml_edit::Table>,
    pub(super) given: Given,
    /// Whose scripted answers are its own, and not those of the file: each of them must be asked for.
    pub(super) own: Vec<&'static str>,
    pub(super) expect: Expect,
}

/// The keys of scripted answers; what nobody asked for begins with them.
pub(super) const ANSWERS: [&str; 4] = ["dns", "directory", "clamd", "files"];

/// The session and the answers of its script.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// A recorded session in place of all that follows.
    pub(super) recording: Option<PathBuf>,
    /// Unix seconds.
    pub(super) time: i64,
    pub(super) client: Option<IpAddr>,
    pub(super) client_name: Option<String>,
    pub(super) mta_name: Option<String>,
    pub(super) local: bool,
    pub(super) refuse_at: RefuseAt,
    pub(super) host: Host,
    pub(super) helo: Option<String>,
    pub(super) tls: Option<Tls>,
    pub(super) login: Option<Login>,
    /// With or without brackets; `<>` is the null sender.
    pub(super) from: String,
    pub(super) to: Vec<String>,
    /// As written; `None`: a short plain message is made.
    pub(super) message: Option<Vec<u8>>,
    /// A shorter message is filled up to this. Unit: bytes.
    pub(super) size: usize,
    pub(super) zone: Zone,
    pub(super) directory: Option<BTreeMap<String, Listed>>,
    pub(super) clamd: Option<Outcome<ClamdAnswer>>,
    pub(super) findings: Vec<Finding>,
    /// Files in the place of those that the configuration names, by its names for them.
    pub(super) files: BTreeMap<String, PathBuf>,
}

/// Monday, 2026-01-05 12:00:00 UTC: the clock of a case that names no time.
const NOON: i64 = 1_767_614_400;

impl Default for Given {
    fn default() -> Self {
        Given {
            recording: None,
            time: NOON,
            client: Some([192, 0, 2, 1].into()),
            client_name: None,
            mta_name: None,
            local: false,
            refuse_at: RefuseAt::default(),
            host: Host::default(),
            helo: None,
            tls: None,
            login: None,
            from: "sender@sender.example".to_owned(),
            to: vec!["recipient@example.com".to_owned()],
            message: None,
            size: 0,
            zone: Zone::default(),
            directory: None,
            clamd: None,
            findings: Vec::new(),
            files: BTreeMap::new(),
        }
    }
}

/// What must come out. Nothing is asked of what is not set.
#[derive(Debug, Clone, Default)]
pub(super) struct Expect {
    pub(super) verdict: Option<String>,
    pub(super) stage: Option<String>,
    pub(super) reply: Option<Pattern>,
    /// By command (`connect`, `mail`, `message`) or recipient.
    pub(super) replies: BTreeMap<String, Pattern>,
    /// Disposition by recipient.
    pub(super) recipients: BTreeMap<String, String>,
    /// What decided, by recipient; `*` for all.
    pub(super) because: BTreeMap<String, Pattern>,
    pub(super) findings: Vec<FindingPattern>,
    pub(super) no_findings: Vec<FindingPattern>,
    pub(super) points: Option<PointsRange>,
    /// Fields of the message as its recipients get it; `None`: there is no such field.
    pub(super) headers: BTreeMap<String, Option<Pattern>>,
    /// All edits but those of Authentication-Results.
    pub(super) edits: Option<Vec<Pattern>>,
    /// Keys that have signed.
    pub(super) signed: Option<Vec<Pattern>>,
    /// Texts that the message as its recipients get it holds, header and body.
    pub(super) contains: Vec<String>,
    pub(super) not_applied: Option<Vec<Pattern>>,
    pub(super) notices: Option<Vec<Pattern>>,
}

impl Expect {
    /// Whether nothing is asked.
    pub(super) fn is_empty(&self) -> bool {
        let Expect { verdict, stage, reply, replies, recipients, because, .. } = self;
        let Expect { findings, no_findings, points, headers, edits, signed, contains, not_applied, notices, .. } = self;
        verdict.is_none()
            && stage.is_none()
            && reply.is_none()
            && replies.is_empty()
            && recipients.is_empty()
            && because.is_empty()
            && findings.is_empty()
            && no_findings.is_empty()
            && points.is_none()
            && headers.is_empty()
            && edits.is_none()
            && signed.is_none()
            && contains.is_empty()
            && not_applied.is_none()
            && notices.is_none()
    }
}

/// A total that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PointsRange {
    pub(super) at_least: Option<Points>,
    pub(super) below: Option<Points>,
    pub(super) exactly: Option<Points>,
}

impl PointsRange {
    pub(super) fn holds(self, points: Points) -> bool {
        self.at_least.is_none_or(|least| points >= least)
            && self.below.is_none_or(|bound| points < bound)
            && self.exactly.is_none_or(|exactly| points == exactly)
    }
}

impl std::fmt::Display for PointsRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [("", self.exactly), ("at least ", self.at_least), ("below ", self.below)];
        let parts: Vec<String> =
            parts.into_iter().filter_map(|(word, points)| Some(format!("{word}{}", points?))).collect();
        f.write_str(&parts.join(" and "))
    }
}

/// A text in which `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(pub(super) String);

impl Pattern {
    /// Whether the whole text fits.
    pub(super) fn fits(&self, text: &str) -> bool {
        let mut pieces = self.0.split('*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let Some(last) = pieces.next_back() else { return rest.is_empty() };
        for piece in pieces {
            let Some((_, after)) = rest.split_once(piece) else { return false };
            rest = after;
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, yes, no) in [
            ("550 5.7.1 *", "550 5.7.1 No", "451 4.7.1 No"),
            ("*spam*", "a spam b", "ham"),
            ("a*b*c", "a-b-b-c", "a-c-b"),
            ("exact", "exact", "exactly"),
            ("*", "", "never"),
            ("ab*ba", "ab-ba", "aba"),
        ] {
            assert!(Pattern(pattern.into()).fits(yes), "{pattern} fits {yes}");
            assert!(no == "never" || !Pattern(pattern.into()).fits(no), "{pattern} does not fit {no}");
        }
    }

    #[test]
    fn a_range_says_what_it_is() {
        let range = |at_least, below, exactly| PointsRange { at_least, below, exactly };
        let five = Some(Points::hundredths(500));
        let eight = Some(Points::hundredths(800));
        assert_eq!(range(five, eight, None).to_string(), "at least 5.00 and below 8.00");
        assert!(range(five, eight, None).holds(Points::hundredths(500)));
        assert!(!range(five, eight, None).holds(Points::hundredths(800)));
        assert!(!range(None, None, five).holds(Points::hundredths(501)));
    }
}
