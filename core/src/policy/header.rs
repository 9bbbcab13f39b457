//! What a policy asks about header fields.

use crate::message::MessageFacts;
use regex::Regex;

/// What a header field must be.
#[derive(Debug, Clone)]
pub struct HeaderCondition {
    /// Field name, compared without regard to case.
    pub name: String,
    /// What is asked of it.
    pub test: HeaderTest,
}

/// What is asked of the fields of one name. Bodies are compared unfolded; Subject also decoded.
#[derive(Debug, Clone)]
pub enum HeaderTest {
    /// There is one, or there is none.
    Present(bool),
    /// One holds this text, in lower case; case does not matter.
    Contains(String),
    /// One matches this expression.
    Matches(Regex),
}

impl HeaderCondition {
    pub(super) fn holds(&self, message: &MessageFacts) -> bool {
        let mut bodies = message.headers.iter().filter(|(name, _)| name.trim().eq_ignore_ascii_case(&self.name));
        let decoded = self.name.eq_ignore_ascii_case("subject").then_some(message.subject.as_str());
        match &self.test {
            HeaderTest::Present(wanted) => *wanted == bodies.next().is_some(),
            HeaderTest::Contains(text) => {
                let has = |body: &str| body.to_lowercase().contains(text);
                bodies.any(|(_, body)| has(&unfolded(body))) || decoded.is_some_and(has)
            }
            HeaderTest::Matches(regex) => {
                bodies.any(|(_, body)| regex.is_match(&unfolded(body))) || decoded.is_some_and(|d| regex.is_match(d))
            }
        }
    }

    /// In a few words why it does not hold.
    pub(super) fn why_not(&self) -> String {
        match self.test {
            HeaderTest::Present(false) => format!("{} is there", self.name),
            HeaderTest::Present(true) => format!("{} is not there", self.name),
            _ => format!("{} is not like this", self.name),
        }
    }
}

/// The body of a field on one line (RFC 5322 §2.2.3).
fn unfolded(body: &str) -> String {
    body.replace(['\r', '\n'], "").trim().to_owned()
}
