//! Whom a policy means: addresses, domains, groups.

use crate::session::{Address, AddressError};

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
}

#[cfg(test)]
mod tests {
    use super::*;

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
