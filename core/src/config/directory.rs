//! `[directory]`: which recipients exist.

use super::{diagnostic::Faults, reader::Table};
use crate::{
    lookup::ldap::{LdapSettings, Password, Schema},
    recipients::directory::Settings,
    session::Address,
};
use std::path::PathBuf;
use toml::Spanned;

/// Reads `[directory]` with `[directory.ldap]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let mut settings = Settings::default();
    let mut table = root.section("directory", faults);
    settings.domains =
        table.parsed_list("domains", "a domain such as \"example.com\"", domain, faults).unwrap_or_default();
    settings.files = paths(&mut table, faults);
    if let Some(delimiter) =
        table.parsed("delimiter", "one character such as \"+\", or \"\" for none", delimiter, faults)
    {
        settings.delimiter = delimiter;
    }
    settings.shrink_percent = table.integer("shrink_percent", 1..=100, settings.shrink_percent, faults);
    let sources_at = table.span.clone();
    if let Some(mut ldap) = table.table("ldap", faults) {
        cache(&mut ldap, &mut settings, faults);
        settings.on_trouble = ldap.choice("on_trouble", &["skip", "defer"], settings.on_trouble, faults);
        settings.ldap = Some(server(&mut ldap, faults));
        ldap.finish(faults);
    }
    if settings.domains.is_empty() && (settings.ldap.is_some() || !settings.files.is_empty()) {
        faults.at(sources_at, "directory.domains is empty, must name the domains whose recipients are checked");
    }
    table.finish(faults);
    settings
}

fn cache(ldap: &mut Table<'_>, settings: &mut Settings, faults: &mut Faults<'_>) {
    let mut cache = ldap.section("cache", faults);
    settings.valid = cache.duration("valid", settings.valid, faults);
    settings.unknown = cache.duration("unknown", settings.unknown, faults);
    settings.stale_valid = cache.duration("stale_valid", settings.stale_valid, faults);
    cache.finish(faults);
}

fn server(table: &mut Table<'_>, faults: &mut Faults<'_>) -> LdapSettings {
    let schema = table.choice("schema", &["openldap", "active-directory"], Schema::default(), faults);
    let mut ldap = LdapSettings::for_schema(schema);
    let expected = "an address such as \"ldaps://ldap.example.com\"";
    ldap.urls = table.parsed_list("url", expected, url, faults).unwrap_or_default();
    ldap.start_tls = table.boolean("start_tls", ldap.start_tls, faults);
    ldap.ca_file = table.string("ca_file", faults).map(|file| PathBuf::from(file.into_inner()));
    text(table, "bind_dn", &mut ldap.bind_dn, faults);
    ldap.password = password(table, &ldap.bind_dn, faults);
    text(table, "base", &mut ldap.base, faults);
    for (key, value) in [("filter", &mut ldap.filter), ("group_filter", &mut ldap.group_filter)] {
        let expected = "an LDAP filter (RFC 4515) such as \"(mail={address})\" or \"(member={dn})\"";
        let parse = |text: &str| LdapSettings::is_filter(text).then(|| text.to_owned());
        if let Some(filter) = table.parsed(key, expected, parse, faults) {
            *value = filter;
        }
    }
    text(table, "group_base", &mut ldap.group_base, faults);
    text(table, "mail_attribute", &mut ldap.mail_attribute, faults);
    text(table, "group_attribute", &mut ldap.group_attribute, faults);
    if let Some(names) = table.strings("address_attributes", faults) {
        ldap.address_attributes = names.into_iter().map(Spanned::into_inner).collect();
    }
    ldap.ignore_references = table.boolean("ignore_references", ldap.ignore_references, faults);
    ldap.timeout = table.duration("timeout", ldap.timeout, faults);
    ldap.connect_timeout = table.duration("connect_timeout", ldap.connect_timeout, faults);
    if ldap.urls.is_empty() {
        faults
            .at(table.span.clone(), "directory.ldap.url is missing, must be one such as \"ldaps://ldap.example.com\"");
    }
    ldap
}

fn password(table: &mut Table<'_>, bind_dn: &str, faults: &mut Faults<'_>) -> Password {
    let file = table.string("bind_password_file", faults);
    let variable = table.string("bind_password_env", faults);
    match (file, variable) {
        (Some(_), Some(second)) => {
            faults.at(second.span(), "both bind_password_file and bind_password_env are set, must be one of them");
            Password::None
        }
        (Some(file), None) => Password::File(PathBuf::from(file.into_inner())),
        (None, Some(variable)) => Password::Environment(variable.into_inner()),
        (None, None) => {
            if !bind_dn.is_empty() {
                let advice = "directory.ldap.bind_dn is set, must come with bind_password_file or bind_password_env";
                faults.at(table.span.clone(), advice);
            }
            Password::None
        }
    }
}

fn paths(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Vec<PathBuf> {
    let parse = |text: &str| {
        let path = PathBuf::from(text);
        path.extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("csv") || e.eq_ignore_ascii_case("ldif"))
            .then_some(path)
    };
    table.parsed_list("files", "a file that ends in .csv or .ldif", parse, faults).unwrap_or_default()
}

fn text(table: &mut Table<'_>, key: &'static str, value: &mut String, faults: &mut Faults<'_>) {
    if let Some(text) = table.string(key, faults) {
        *value = text.into_inner();
    }
}

pub(super) fn domain(text: &str) -> Option<String> {
    let domain = Address::parse(format!("postmaster@{text}").as_bytes()).ok()?.domain;
    (!domain.is_empty() && !domain.starts_with('[')).then_some(domain)
}

fn delimiter(text: &str) -> Option<Option<char>> {
    let mut chars = text.chars();
    let first = chars.next();
    (chars.next().is_none() && first != Some('@')).then_some(first)
}

fn url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let host = rest.split('/').next().unwrap_or_default();
    let good = matches!(scheme, "ldap" | "ldaps" | "ldapi")
        && !host.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    good.then(|| text.to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{config::diagnostic::SourceText, lookup::OnTrouble};
    use std::time::Duration;
    use toml::de::DeTable;

    /// Reads a file with one reader; gives the settings and the faults as text.
    pub(in crate::config) fn read_with<T>(
        text: &str,
        read: impl Fn(&mut Table<'_>, &mut Faults<'_>) -> T,
    ) -> (T, Vec<String>) {
        let source = SourceText { name: "mailward.toml".into(), text: text.into() };
        let mut faults = Faults::new(&source);
        let (root, errors) = DeTable::parse_recoverable(&source.text);
        assert!(errors.is_empty(), "{errors:?}");
        let mut root = Table::root(root);
        let settings = read(&mut root, &mut faults);
        root.finish(&mut faults);
        (settings, faults.into_diagnostics().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_directory_is_read_with_all_its_keys() {
        let text = r#"
[directory]
domains = ["Example.com", "bücher.example"]
files = "people.csv"
delimiter = "-"
[directory.ldap]
url = ["ldaps://one.example.com", "ldapi://%2Frun%2Fldapi"]
schema = "active-directory"
base = "dc=example,dc=com"
bind_dn = "cn=reader"
bind_password_file = "secret"
cache = { valid = "2h", unknown = "5m", stale_valid = "3d" }
on_trouble = "skip"
timeout = "2s"
"#;
        let (settings, faults) = read_with(text, read);
        assert_eq!(faults, [""; 0]);
        assert_eq!(settings.domains, ["example.com", "xn--bcher-kva.example"]);
        assert_eq!((settings.delimiter, settings.on_trouble), (Some('-'), OnTrouble::Skip));
        assert_eq!((settings.valid, settings.unknown), (Duration::from_secs(7200), Duration::from_secs(300)));
        let ldap = settings.ldap.expect("a server");
        assert_eq!((ldap.urls.len(), ldap.password), (2, Password::File("secret".into())));
        assert!(ldap.filter.contains("proxyAddresses") && ldap.ignore_references);
        assert_eq!(read_with("", read).0, Settings::default());
    }

    #[test]
    fn every_fault_of_a_directory_is_named() {
        let text = r#"
[directory]
files = ["people.txt"]
delimiter = "++"
[directory.ldap]
url = "http://ldap.example.com"
filter = "(mail={adress})"
bind_dn = "cn=reader"
on_trouble = "pass"
basse = "dc=x"
"#;
        let (_, faults) = read_with(text, read);
        let begins: Vec<&str> = faults.iter().filter_map(|f| f.split(' ').nth(1)).collect();
        for key in [
            "directory.domains",
            "directory.files",
            "directory.delimiter",
            "directory.ldap.url",
            "directory.ldap.filter",
            "directory.ldap.bind_dn",
            "directory.ldap.on_trouble",
            "unknown",
        ] {
            assert!(begins.contains(&key), "{key}: {faults:?}");
        }
    }
}
