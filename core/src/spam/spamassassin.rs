//! SpamAssassin rule files of the site: their hits as findings. The language itself is that of `mailward-spamassassin`.

use super::AtEnd;
use crate::{
    session::{Connection, ReversePath},
    verdict::{Finding, Points},
};
use mailward_spamassassin::{Client, Facts, Hit, RuleSet};
use std::path::{Path, PathBuf};

/// What stands before the name of a rule in the id of its finding.
pub const PREFIX: &str = "sa.";
/// The finding that takes back what the rules give beyond their bounds.
const BOUNDED: &str = "sa.bounded";

/// `[spam.spamassassin]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Rule files, and folders of `*.pre` and `*.cf` files, in the order in which they are read. None: no rules.
    pub rules: Vec<PathBuf>,
    /// Points for a score of 1.
    pub scale: Points,
    /// Most points that all rules together give.
    pub max: Points,
    /// Fewest points that all rules together give.
    pub min: Points,
    /// Language of descriptions, `en` or `de_AT`.
    pub language: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            rules: Vec::new(),
            scale: Points::hundredths(100),
            // Below the default mark for spam, which is 5: these rules look at what our own look at too, so a message is
            // marked when something else agrees.
            max: Points::hundredths(400),
            // Anybody can write what earns negative scores.
            min: Points::hundredths(-100),
            language: "en".to_owned(),
        }
    }
}

/// The rules of the site, loaded.
#[derive(Debug)]
pub struct Rules {
    settings: Settings,
    set: RuleSet,
    faults: Vec<String>,
}

impl Rules {
    /// Loads the rules, if there are any.
    ///
    /// # Errors
    ///
    /// If a file or folder that the configuration names is not there or holds no rules. What is wrong inside a rule file
    /// is a warning: the other rules hold.
    pub fn load(settings: &Settings) -> Result<Option<Self>, Vec<String>> {
        if settings.rules.is_empty() {
            return Ok(None);
        }
        let missing: Vec<String> = settings.rules.iter().filter_map(|path| problem(path)).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let (set, faults) = RuleSet::load(&settings.rules, &settings.language);
        let faults = faults.iter().map(|fault| format!("SpamAssassin rules: {fault}")).collect();
        Ok(Some(Rules { settings: settings.clone(), set, faults }))
    }

    /// What is wrong inside the rule files, each with file and line.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// How many rules the files define, and how many of them were understood.
    pub fn counts(&self) -> (usize, usize) {
        self.set.counts()
    }

    /// All rules that give points, by name: id, points, description and place.
    pub fn list(&self) -> impl Iterator<Item = (String, Points, String, String)> {
        self.set.rules().filter(|rule| !rule.is_part()).map(|rule| {
            let place = format!("{}:{}", rule.origin.file.display(), rule.origin.line);
            (format!("{PREFIX}{}", rule.name), self.points(&rule), rule.description.to_owned(), place)
        })
    }

    /// Findings of the rules that hit, by name; a last one keeps their sum within bounds.
    pub fn judge(&self, at_end: &AtEnd<'_>) -> Vec<Finding> {
        let facts = facts(at_end.connection, at_end.sender);
        let hits = self.set.judge(at_end.message.raw, &facts);
        let mut findings = Vec::new();
        let mut total = Points::ZERO;
        for hit in hits.iter().filter(|hit| !hit.is_part()) {
            let points = self.points(hit);
            if points == Points::ZERO {
                continue;
            }
            total = total.plus(points);
            let source = if hit.description.is_empty() { "a SpamAssassin rule of this site" } else { hit.description };
            findings.push(Finding::new(format!("{PREFIX}{}", hit.name), points, source.to_owned()));
        }
        let bounded = total.clamp(self.settings.min, self.settings.max);
        if bounded != total {
            let correction = Points::hundredths(bounded.as_hundredths() - total.as_hundredths());
            let finding =
                Finding::new(BOUNDED, correction, "together these rules give no more: [spam.spamassassin] max, min");
            findings.push(finding.fact(format!("{total} became {bounded}")));
        }
        findings
    }

    fn points(&self, hit: &Hit<'_>) -> Points {
        let points = hit.score * f64::from(self.settings.scale.as_hundredths());
        // A cast of a float saturates.
        Points::hundredths(points.round().clamp(-1e6, 1e6) as i32)
    }
}

/// What is wrong with a path of the configuration.
fn problem(path: &Path) -> Option<String> {
    let of = |what: &str| Some(format!("[spam.spamassassin] rules: {}: {what}", path.display()));
    if path.is_file() {
        return None;
    }
    match std::fs::read_dir(path) {
        Err(error) => of(&error.to_string()),
        Ok(entries) => {
            let has_rules =
                entries.flatten().any(|entry| entry.path().extension().is_some_and(|e| e == "cf" || e == "pre"));
            if has_rules { None } else { of("holds no *.cf file; name the folder in which they stand") }
        }
    }
}

/// What the rules are told beside the message: its client, of whom no Received field tells yet. A message from a file without a
/// client tells all that by itself.
fn facts<'f>(connection: &'f Connection, sender: &'f ReversePath) -> Facts<'f> {
    let Some(ip) = connection.client_ip else { return Facts::default() };
    let client = Client {
        ip,
        name: connection.client_name.as_deref().unwrap_or_default(),
        helo: connection.helo.as_deref().unwrap_or_default(),
        by: connection.mta_name.as_deref().unwrap_or("localhost"),
        is_authenticated: connection.login.is_some(),
    };
    let envelope_from = match sender {
        ReversePath::Null => "",
        ReversePath::Mailbox(address) => address.raw.as_str(),
    };
    Facts { envelope_from: Some(envelope_from), client: Some(client) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        message::{self, Bounds},
        session::Direction,
    };

    fn judged(rules: &str, settings: Settings) -> Vec<(String, i32)> {
        let dir = std::env::temp_dir().join(format!("mailward-sa-{}-{:x}", std::process::id(), mark(rules)));
        std::fs::create_dir_all(&dir).expect("a folder");
        std::fs::write(dir.join("local.cf"), rules).expect("a rule file");
        let loaded = Rules::load(&Settings { rules: vec![dir.clone()], ..settings }).expect("rules").expect("some");
        std::fs::remove_dir_all(&dir).expect("the folder goes");
        let raw = b"From: a@example.com\r\nSubject: Hello pills\r\n\r\nBuy now\r\n";
        let message = message::parse(raw, &Bounds::default());
        let at_end = AtEnd {
            connection: &Connection { client_ip: Some([198, 51, 100, 7].into()), ..Connection::default() },
            sender: &ReversePath::Null,
            recipients: &[],
            direction: Direction::Inbound,
            message: &message,
            now: 0,
        };
        loaded.judge(&at_end).into_iter().map(|f| (f.id.into_owned(), f.points.as_hundredths())).collect()
    }

    fn mark(text: &str) -> u64 {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one(text)
    }

    const RULES: &str = "body BUY /buy now/i\nscore BUY 3\nheader PILLS Subject =~ /pills/\nscore PILLS 2.5\n\
                         header __FROM From =~ /example/\nmeta GOOD __FROM\nscore GOOD -0.5\n\
                         header FAR X-Spam-Relays-External =~ /ip=198\\.51\\.100\\.7/\nscore FAR 0.01\n";

    #[test]
    fn hits_give_points_within_bounds() {
        assert_eq!(
            judged(RULES, Settings::default()),
            [
                ("sa.BUY".to_owned(), 300),
                ("sa.FAR".to_owned(), 1),
                ("sa.GOOD".to_owned(), -50),
                ("sa.PILLS".to_owned(), 250),
                ("sa.bounded".to_owned(), -101),
            ]
        );
        let halved = Settings { scale: Points::hundredths(50), ..Settings::default() };
        assert_eq!(
            judged(RULES, halved),
            [
                ("sa.BUY".to_owned(), 150),
                ("sa.FAR".to_owned(), 1),
                ("sa.GOOD".to_owned(), -25),
                ("sa.PILLS".to_owned(), 125),
            ]
        );
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_a_bad_rule_is_not() {
        let settings = Settings { rules: vec!["/nonexistent/rules".into()], ..Settings::default() };
        let errors = Rules::load(&settings).expect_err("an error");
        assert!(errors[0].starts_with("[spam.spamassassin] rules: /nonexistent/rules: "), "{errors:?}");
        assert_eq!(judged("body BAD /(/\nbody BUY /Buy/\n", Settings::default()), [("sa.BUY".to_owned(), 100)]);
        assert!(Rules::load(&Settings::default()).expect("no error").is_none());
    }
}
