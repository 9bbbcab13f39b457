//! Whom a policy means: addresses, domains, groups.

use crate::session::{Address, AddressError, Recipient, ReversePath};

/// Senders or recipients as configuration names them; compared in lower case, domains in ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressPattern {
    /// `*`: everybody, the null sender too.
    Any,
    /// `<>`: the null sender of bounces.
    Null,
    /// `bob@example.com`: this mailbox, with or without a detail (`bob+news@example.com`).
    Mailbox(String),
    /// `postmaster@*`: this local part in every domain.
    Local(String),
    /// `*@example.com`: everybody in this domain, not in domains below it.
    Domain(String),
    /// `*.example.com`: everybody in the domains below.
    Subdomains(String),
    /// `group:finance`: recipients whom the directory counts among this group.
    Group(String),
}

/// Why a text names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressPatternError {
    /// A domain or a name alone.
    #[error("has no \"@\"; for a whole domain write \"*@{0}\", for a group \"group:{0}\"")]
    NoAt(String),
    /// `group:` without a name, or a name with blanks around it.
    #[error("names no group; write \"group:finance\"")]
    Group,
    /// A star where none may stand.
    #[error("may have a star only as in \"*\", \"*@example.com\", \"*.example.com\" or \"postmaster@*\"")]
    Star,
    /// Not an address.
    #[error("is no address: {0}")]
    Address(#[from] AddressError),
}

/// How near a pattern is to one recipient; settings are inherited from the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// The mailbox itself.
    User,
    /// A group that holds it.
    Group,
    /// Its domain.
    Domain,
    /// A domain above its domain.
    ParentDomain,
    /// Everybody.
    Organisation,
}

impl AddressPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// If it is none; the error says what to write instead.
    pub fn parse(text: &str) -> Result<Self, AddressPatternError> {
        if let Some(group) = text.strip_prefix("group:") {
            let named = !group.is_empty() && group.trim() == group;
            return if named {
                Ok(AddressPattern::Group(group.to_lowercase()))
            } else {
                Err(AddressPatternError::Group)
            };
        }
        let domain_of = |domain: &str| -> Result<String, AddressPatternError> {
            if domain.contains('*') {
                return Err(AddressPatternError::Star);
            }
            Ok(Address::parse(format!("x@{domain}").as_bytes())?.domain)
        };
        match text {
            "*" => return Ok(AddressPattern::Any),
            "<>" => return Ok(AddressPattern::Null),
            _ => {}
        }
        if let Some(domain) = text.strip_prefix("*@").or_else(|| text.strip_prefix("*.")) {
            let domain = domain_of(domain)?;
            return Ok(match text.starts_with("*@") {
                true => AddressPattern::Domain(domain),
                false => AddressPattern::Subdomains(domain),
            });
        }
        if let Some(local) = text.strip_suffix("@*") {
            return match local.is_empty() || local.contains(['*', '@']) {
                true => Err(AddressPatternError::Star),
                false => Ok(AddressPattern::Local(local.to_lowercase())),
            };
        }
        if text.contains('*') {
            return Err(AddressPatternError::Star);
        }
        if !text.contains('@') {
            return Err(AddressPatternError::NoAt(text.to_owned()));
        }
        Ok(AddressPattern::Mailbox(Address::parse(text.as_bytes())?.key()))
    }

    /// Whether the sender is meant. Groups of senders are not known.
    pub fn matches_sender(&self, sender: &ReversePath) -> bool {
        match (self, sender) {
            (AddressPattern::Any, _) | (AddressPattern::Null, ReversePath::Null) => true,
            (_, ReversePath::Null) => false,
            (_, ReversePath::Mailbox(address)) => self.matches_address(address),
        }
    }

    /// Whether the recipient is meant.
    pub fn matches_recipient(&self, recipient: &Recipient) -> bool {
        match self {
            AddressPattern::Any => true,
            AddressPattern::Group(group) => recipient.groups.iter().any(|g| g.to_lowercase() == *group),
            _ => self.matches_address(&recipient.address),
        }
    }

    /// How near this pattern is to a recipient that it matches.
    pub fn nearness(&self) -> Nearness {
        match self {
            AddressPattern::Mailbox(_) | AddressPattern::Local(_) => Nearness::User,
            AddressPattern::Group(_) => Nearness::Group,
            AddressPattern::Domain(_) => Nearness::Domain,
            AddressPattern::Subdomains(_) => Nearness::ParentDomain,
            AddressPattern::Any | AddressPattern::Null => Nearness::Organisation,
        }
    }

    fn matches_address(&self, address: &Address) -> bool {
        match self {
            AddressPattern::Mailbox(key) => {
                address.key() == *key || address.without_detail('+').is_some_and(|bare| bare.key() == *key)
            }
            AddressPattern::Local(local) => address.local.to_lowercase() == *local,
            AddressPattern::Domain(domain) => address.domain == *domain,
            AddressPattern::Subdomains(domain) => {
                address.domain.strip_suffix(domain.as_str()).is_some_and(|head| head.len() > 1 && head.ends_with('.'))
            }
            AddressPattern::Any => true,
            AddressPattern::Null | AddressPattern::Group(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, address: &str) -> bool {
        let address = Address::parse(address.as_bytes()).expect("an address");
        let recipient = Recipient { address, groups: vec!["finance".into()] };
        AddressPattern::parse(pattern).expect("a pattern").matches_recipient(&recipient)
    }

    #[test]
    fn patterns_match_whom_they_name_and_nobody_else() {
        for (pattern, yes, no) in [
            ("Bob@Example.com", "bob+news@EXAMPLE.com", "bobby@example.com"),
            ("*@example.com", "x@example.com", "x@sub.example.com"),
            ("*.example.com", "x@a.b.example.com", "x@example.com"),
            ("*.example.com", "x@sub.example.com", "x@notexample.com"),
            ("postmaster@*", "Postmaster@x.test", "postman@x.test"),
            ("*@bücher.example", "x@xn--bcher-kva.example", "x@bucher.example"),
        ] {
            assert!(matches(pattern, yes), "{pattern} must match {yes}");
            assert!(!matches(pattern, no), "{pattern} must not match {no}");
        }
        assert!(matches("group:Finance", "x@y.test") && !matches("group:sales", "x@y.test"));
    }

    #[test]
    fn the_null_sender_is_named_by_its_brackets_only() {
        let null =
            |pattern: &str| AddressPattern::parse(pattern).expect("a pattern").matches_sender(&ReversePath::Null);
        assert!(null("<>") && null("*"));
        assert!(!null("*@example.com"));
    }

    #[test]
    fn a_text_that_names_nobody_is_refused_with_advice() {
        let error = |text: &str| AddressPattern::parse(text).expect_err(text).to_string();
        assert!(error("example.com").contains("\"*@example.com\""));
        assert!(error("group:").contains("group:finance"));
        assert!(error("*x@example.com").contains("star"));
        assert!(error("*@*.example.com").contains("star"));
        assert!(error("@example.com").contains("no address"));
        assert!(error("bob@ex ample").contains("no address"));
    }
}
