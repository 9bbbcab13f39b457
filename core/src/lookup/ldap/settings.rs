//! Where the directory is, who asks, and what is asked.

use super::{Entry, reply};
use crate::session::Address;
use ldap3::ldap_escape;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// How the directory lays out its entries; gives the defaults of filter and attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schema {
    /// `mail`, `mailLocalAddress` (OpenLDAP misc.schema), `mailAlternateAddress` (qmail.schema); groups by `memberOf`.
    #[default]
    Openldap,
    /// `proxyAddresses`, `mail`, `userPrincipalName`; groups by `memberOf`; disabled accounts are not there.
    ActiveDirectory,
}

/// Where the bind password comes from. It is read at each connect, so that it may change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Password {
    /// There is none: bind anonymously.
    #[default]
    None,
    /// The first line of a file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
}

/// Settings of one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapSettings {
    /// `ldap://`, `ldaps://` or `ldapi://`, tried in turn.
    pub urls: Vec<String>,
    /// Encrypt `ldap://` by StartTLS (RFC 4513 §3).
    pub start_tls: bool,
    /// Certificates that sign the servers'; `None`: those of the system.
    pub ca_file: Option<PathBuf>,
    /// Who asks; empty: anonymous.
    pub bind_dn: String,
    /// Their password.
    pub password: Password,
    /// Where the search begins; the whole subtree is searched.
    pub base: String,
    /// Layout of the entries.
    pub schema: Schema,
    /// Filter with `{address}`, `{local}` and `{domain}`, each escaped when it is put in.
    pub filter: String,
    /// Attribute of the main address.
    pub mail_attribute: String,
    /// Attributes with addresses of an entry; `smtp:` before a value is dropped, other kinds are left out.
    pub address_attributes: Vec<String>,
    /// Attribute whose values are groups.
    pub group_attribute: String,
    /// Filter with `{dn}` that finds the groups of an entry by a second search; empty: none.
    pub group_filter: String,
    /// Base of that search; empty: as `base`.
    pub group_base: String,
    /// Pass over search references (RFC 4511 §4.5.3). Active Directory always sends some for its own partitions.
    pub ignore_references: bool,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// Longest wait for one server to connect and bind, before the next is tried.
    pub connect_timeout: Duration,
}

impl Default for LdapSettings {
    fn default() -> Self {
        LdapSettings::for_schema(Schema::Openldap)
    }
}

impl LdapSettings {
    /// The recommended settings for a schema.
    pub fn for_schema(schema: Schema) -> Self {
        let (filter, addresses): (&str, &[&str]) = match schema {
            Schema::Openldap => (
                "(|(mail={address})(mailLocalAddress={address})(mailAlternateAddress={address}))",
                &["mail", "mailLocalAddress", "mailAlternateAddress"],
            ),
            // 1.2.840.113556.1.4.803 tests bits; 2 is ACCOUNTDISABLE. Groups and contacts have no userAccountControl.
            Schema::ActiveDirectory => (
                "(&(|(proxyAddresses=smtp:{address})(mail={address})(userPrincipalName={address}))\
                 (|(!(userAccountControl=*))(!(userAccountControl:1.2.840.113556.1.4.803:=2))))",
                &["mail", "proxyAddresses", "userPrincipalName"],
            ),
        };
        LdapSettings {
            urls: Vec::new(),
            start_tls: false,
            ca_file: None,
            bind_dn: String::new(),
            password: Password::None,
            base: String::new(),
            schema,
            filter: filter.to_owned(),
            mail_attribute: "mail".to_owned(),
            address_attributes: addresses.iter().map(ToString::to_string).collect(),
            group_attribute: "memberOf".to_owned(),
            group_filter: String::new(),
            group_base: String::new(),
            ignore_references: schema == Schema::ActiveDirectory,
            timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(1),
        }
    }

    /// Whether a filter is one, for the configuration check.
    pub fn is_filter(template: &str) -> bool {
        is_filter_of(template, &["address", "local", "domain", "dn"])
    }

    /// Whether a filter is one that tells what a user may send as.
    pub fn is_filter_of_user(template: &str) -> bool {
        let asks_for = |name: &str| template.contains(name);
        is_filter_of(template, &["login", "address", "local", "domain"])
            && asks_for("{login}")
            && (asks_for("{address}") || asks_for("{local}"))
    }

    /// That filter for one user and address.
    pub(super) fn filter_of_user(template: &str, login: &str, address: &Address) -> String {
        let (local, key) = (address.local.to_lowercase(), address.key());
        fill(template, |name| match name {
            "login" => Some(ldap_escape(login).into_owned()),
            "address" => Some(ldap_escape(key.as_str()).into_owned()),
            "local" => Some(ldap_escape(local.as_str()).into_owned()),
            "domain" => Some(ldap_escape(address.domain.as_str()).into_owned()),
            _ => None,
        })
    }

    /// The filter for one address. The detail is the caller's business.
    pub(super) fn filter_for(&self, address: &Address) -> String {
        let (local, key) = (address.local.to_lowercase(), address.key());
        fill(&self.filter, |name| match name {
            "address" => Some(ldap_escape(key.as_str()).into_owned()),
            "local" => Some(ldap_escape(local.as_str()).into_owned()),
            "domain" => Some(ldap_escape(address.domain.as_str()).into_owned()),
            _ => None,
        })
    }

    /// The filter that any entry with an address passes.
    pub(super) fn filter_for_all(&self) -> String {
        fill(&self.filter, |name| matches!(name, "address" | "local" | "domain").then(|| "*".to_owned()))
            .replace("**", "*")
    }

    /// What a search asks for.
    pub(super) fn attributes(&self) -> Vec<String> {
        let mut names = vec![self.mail_attribute.clone(), self.group_attribute.clone()];
        names.extend(self.address_attributes.iter().cloned());
        names.retain(|name| !name.is_empty());
        names.sort_unstable();
        names.dedup();
        names
    }

    /// One entry of what was found. Several entries with one address are taken as one: the first by DN, with the groups of
    /// all.
    pub(super) fn entry_of(&self, mut found: Vec<reply::Found>) -> Option<Entry> {
        found.sort_by(|a, b| a.dn.cmp(&b.dn));
        let first = found.first()?;
        let mail = first.values(&self.mail_attribute).next().map(str::to_lowercase).unwrap_or_default();
        let mut groups: Vec<String> =
            found.iter().flat_map(|entry| entry.values(&self.group_attribute).filter_map(reply::group_name)).collect();
        let mut addresses: Vec<String> = found
            .iter()
            .flat_map(|entry| self.address_attributes.iter().flat_map(|name| entry.values(name)))
            .filter_map(smtp_address)
            .collect();
        for list in [&mut groups, &mut addresses] {
            list.sort_unstable();
            list.dedup();
        }
        Some(Entry { dn: first.dn.clone(), mail, groups, addresses })
    }
}

fn is_filter_of(template: &str, names: &[&str]) -> bool {
    let filled = fill(template, |name| names.contains(&name).then(|| "x".to_owned()));
    !filled.contains(['{', '}']) && ldap3::parse_filter(filled).is_ok()
}

/// Puts values in the place of `{name}`, in one pass, so that nothing in a value is taken for a name.
fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after.split_once('}').and_then(|(name, behind)| Some((value(name)?, behind))) {
            Some((value, behind)) => {
                out.push_str(&value);
                rest = behind;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}

/// The SMTP address of a value: `SMTP:a@b` and `a@b`, but not `x500:…` or `sip:…`.
fn smtp_address(value: &str) -> Option<String> {
    let address = match value.split_once(':') {
        Some((kind, address)) if kind.eq_ignore_ascii_case("smtp") => address,
        Some(_) => return None,
        None => value,
    };
    address.contains('@').then(|| address.trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(template: &str, address: &str) -> String {
        let settings = LdapSettings { filter: template.to_owned(), ..LdapSettings::default() };
        settings.filter_for(&Address::parse(address.as_bytes()).expect("an address"))
    }

    #[test]
    fn an_address_cannot_break_out_of_the_filter() {
        assert_eq!(filter("(mail={address})", "<\"*)(uid=\\\\*\"@x.test>"), "(mail=\\2a\\29\\28uid=\\5c\\2a@x.test)");
        assert_eq!(filter("(&(uid={local})(dc={domain}))", "<Bob@X.test>"), "(&(uid=bob)(dc=x.test))");
    }

    #[test]
    fn a_filter_of_users_names_the_login_and_nobody_breaks_out_of_it() {
        let template = "(&(uid={login})(mail={address}))";
        assert!(LdapSettings::is_filter_of_user(template));
        for bad in [
            "(mail={address})",
            "(uid={login}",
            "(&(uid={login})(dn={dn}))",
            "(uid={login})",
            "(&(uid={login})(o={domain}))",
        ] {
            assert!(!LdapSettings::is_filter_of_user(bad), "{bad}");
        }
        let address = Address::parse(b"<Bob@X.test>").expect("an address");
        let filter = LdapSettings::filter_of_user(template, "bob)(uid=*", &address);
        assert_eq!(filter, "(&(uid=bob\\29\\28uid=\\2a)(mail=bob@x.test))");
    }

    #[test]
    fn an_address_that_looks_like_a_placeholder_is_not_filled_in_again() {
        assert_eq!(
            filter("(|(mail={address})(uid={local}))", "<{local}@x.test>"),
            "(|(mail={local}@x.test)(uid={local}))"
        );
    }

    #[test]
    fn the_filters_of_both_schemas_are_valid_in_every_form() {
        for schema in [Schema::Openldap, Schema::ActiveDirectory] {
            let settings = LdapSettings::for_schema(schema);
            assert!(LdapSettings::is_filter(&settings.filter));
            assert!(ldap3::parse_filter(settings.filter_for_all()).is_ok(), "{}", settings.filter_for_all());
        }
        assert!(!LdapSettings::is_filter("(mail={address}"));
        assert!(!LdapSettings::is_filter("(mail={adress})"));
    }

    #[test]
    fn only_smtp_addresses_count() {
        assert_eq!(smtp_address("SMTP:Bob@X.test").as_deref(), Some("bob@x.test"));
        assert_eq!(smtp_address("bob@x.test").as_deref(), Some("bob@x.test"));
        assert_eq!(smtp_address("sip:bob@x.test"), None);
        assert_eq!(smtp_address("x500:/o=x"), None);
    }
}
