//! What a policy asks about a message.

use super::{AuthenticationResults, Facts, glob::Glob};
use crate::{
    message::{AttachmentFacts, MessageFacts},
    score::FindingPattern,
    session::Connection,
    verdict::Points,
};
use ipnet::IpNet;
use regex::Regex;

/// The `when` of a policy. All that is set must hold; nothing set holds always.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// One of these findings is on the card.
    pub findings: Vec<FindingPattern>,
    /// The recipient's total is at least this.
    pub points_at_least: Option<Points>,
    /// The recipient's total is below this.
    pub points_below: Option<Points>,
    /// One attachment is like this.
    pub attachment: Option<AttachmentCondition>,
    /// The message is larger than this. Unit: bytes.
    pub size_over: Option<usize>,
    /// A header field is like this.
    pub header: Option<HeaderCondition>,
    /// The client's connection is encrypted, or is not.
    pub tls: Option<bool>,
    /// The client has logged in, or has not.
    pub authenticated: Option<bool>,
    /// The result of SPF is one of these.
    pub spf: Vec<String>,
    /// The result of one DKIM signature is one of these; a message without signature has the result `none`.
    pub dkim: Vec<String>,
    /// The result of ARC is one of these.
    pub arc: Vec<String>,
    /// The result of DMARC is one of these.
    pub dmarc: Vec<String>,
    /// The client's address is in one of these networks.
    pub client: Vec<IpNet>,
}

/// What one attachment must be; all that is set must hold for the same attachment.
#[derive(Debug, Clone, Default)]
pub struct AttachmentCondition {
    /// Carries macros, or does not.
    pub macros: Option<bool>,
    /// Is a program or script, or is not.
    pub executable: Option<bool>,
    /// Is encrypted, or is not.
    pub encrypted: Option<bool>,
    /// One of these fits its file name.
    pub names: Vec<Glob>,
    /// One of these fits its content type as declared.
    pub types: Vec<Glob>,
    /// Its kind by content is one of these, in lower case.
    pub kinds: Vec<String>,
    /// It is larger than this. Unit: bytes, decoded.
    pub size_over: Option<usize>,
}

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

impl Conditions {
    /// Whether all holds for a recipient with this total.
    pub(super) fn hold(&self, facts: &Facts<'_>, points: Points) -> bool {
        self.session_holds(facts.connection)
            && (self.findings.is_empty() || self.finds(facts).is_some())
            && self.points_at_least.is_none_or(|least| points >= least)
            && self.points_below.is_none_or(|bound| points < bound)
            && self.size_over.is_none_or(|bound| facts.message.size > bound)
            && self.attachment.as_ref().is_none_or(|a| facts.message.attachments.iter().any(|f| a.holds(f)))
            && self.header.as_ref().is_none_or(|h| h.holds(facts.message))
            && self.authentication_holds(facts.authentication)
    }

    /// What can be said before the message is there: TLS, login, client network.
    pub(super) fn session_holds(&self, connection: &Connection) -> bool {
        let in_networks = |nets: &[IpNet]| {
            connection.client_ip.is_some_and(|ip| nets.iter().any(|net| net.contains(&ip.to_canonical())))
        };
        self.tls.is_none_or(|tls| tls == connection.tls.is_some())
            && self.authenticated.is_none_or(|login| login == connection.login.is_some())
            && (self.client.is_empty() || in_networks(&self.client))
    }

    /// Whether the policy asks for a malware finding by name, and the card has it: only then may it decide on malware.
    pub(super) fn names_malware_found(&self, facts: &Facts<'_>) -> bool {
        let named = |p: &&FindingPattern| p.names_malware();
        self.findings.iter().filter(named).any(|p| facts.card.findings.iter().any(|f| p.matches(&f.id)))
    }

    fn finds<'f>(&self, facts: &Facts<'f>) -> Option<&'f str> {
        let found = |f: &&crate::verdict::Finding| self.findings.iter().any(|p| p.matches(&f.id));
        facts.card.findings.iter().find(found).map(|f| f.id.as_ref())
    }

    fn authentication_holds(&self, results: &AuthenticationResults) -> bool {
        let one = |wanted: &[String], result: &str| {
            let result = if result.is_empty() { "none" } else { result };
            wanted.is_empty() || wanted.iter().any(|w| w.eq_ignore_ascii_case(result))
        };
        one(&self.spf, &results.spf)
            && one(&self.arc, &results.arc)
            && one(&self.dmarc, &results.dmarc)
            && match results.dkim.is_empty() {
                true => one(&self.dkim, "none"),
                false => results.dkim.iter().any(|result| one(&self.dkim, result)),
            }
    }
}

impl AttachmentCondition {
    pub(super) fn holds(&self, facts: &AttachmentFacts) -> bool {
        self.macros.is_none_or(|wanted| wanted == facts.macros)
            && self.executable.is_none_or(|wanted| wanted == facts.executable)
            && self.encrypted.is_none_or(|wanted| wanted == facts.encrypted)
            && (self.names.is_empty() || self.names.iter().any(|glob| glob.fits(&facts.name)))
            && (self.types.is_empty() || self.types.iter().any(|glob| glob.fits(&facts.content_type)))
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind.eq_ignore_ascii_case(&facts.kind)))
            && self.size_over.is_none_or(|bound| facts.size > bound)
    }
}

impl HeaderCondition {
    fn holds(&self, message: &MessageFacts) -> bool {
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
}

/// The body of a field on one line (RFC 5322 §2.2.3).
fn unfolded(body: &str) -> String {
    body.replace(['\r', '\n'], "").trim().to_owned()
}
