//! `[phishing]`: people, organisation and domains in whose name others might write, and weights of the rules.

use super::{diagnostic::Faults, directory::domain, reader::Table, rule_weights};
use crate::{
    phishing::{Brand, Person, RULES, Settings},
    session::Address,
};

const DOMAIN: &str = "a domain such as \"example.com\"";

/// Reads `[phishing]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let mut table = root.section("phishing", faults);
    let own_domains = table.parsed_list("own_domains", DOMAIN, domain, faults).unwrap_or_default();
    let expected = "a name such as \"Example Ltd\"";
    let organisation = table.parsed_list("organisation", expected, name, faults).unwrap_or_default();
    let people = table.tables("people", faults).into_iter().filter_map(|entry| person(entry, faults)).collect();
    let brands = table.tables("brands_extra", faults).into_iter().filter_map(|entry| brand(entry, faults)).collect();
    let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    let (overrides, disabled) = rule_weights::read(&mut table, "phishing", &ids, faults);
    table.finish(faults);
    Settings { people, organisation, own_domains, brands, overrides, disabled }
}

fn person(mut entry: Table<'_>, faults: &mut Faults<'_>) -> Option<Person> {
    let span = entry.span.clone();
    let name = entry.parsed("name", "a first and a last name", full_name, faults);
    let expected = "an address such as \"anna@example.com\"";
    let addresses = entry.parsed_list("addresses", expected, address, faults).unwrap_or_default();
    if name.is_none() || addresses.is_empty() {
        faults.at(span, "a person of [phishing] needs name = \"First Last\" and addresses = [\"first@example.com\"]");
    }
    entry.finish(faults);
    Some(Person { name: name?, addresses })
}

fn brand(mut entry: Table<'_>, faults: &mut Faults<'_>) -> Option<Brand> {
    let span = entry.span.clone();
    let name = entry.parsed("name", "a name of three letters or more", name, faults);
    let domains = entry.parsed_list("domains", DOMAIN, domain, faults).unwrap_or_default();
    if name.is_none() || domains.is_empty() {
        faults.at(span, "an entry of phishing.brands_extra needs name = \"Firm\" and domains = [\"firm.example\"]");
    }
    entry.finish(faults);
    Some(Brand { name: name?, domains })
}

fn name(text: &str) -> Option<String> {
    (text.chars().filter(|c| c.is_alphanumeric()).count() > 2).then(|| text.trim().to_owned())
}

/// One word is a name that too many have; East Asian names need no blank.
fn full_name(text: &str) -> Option<String> {
    let words = text.split_whitespace().count();
    (words > 1 || words == 1 && !text.is_ascii()).then(|| text.trim().to_owned())
}

fn address(text: &str) -> Option<String> {
    Address::parse(text.as_bytes()).ok().filter(|address| !address.domain.is_empty()).map(|address| address.key())
}

#[cfg(test)]
mod tests {
    use super::{super::testing::read_text, *};
    use crate::verdict::Points;

    #[test]
    fn a_good_table_is_read() {
        let text = "[phishing]\nown_domains = [\"Example.com\"]\norganisation = \"Example Rockets\"\n\
                    people = [{ name = \"Anna Beispiel\", addresses = [\"Anna@example.com\"] }]\n\
                    brands_extra = [{ name = \"Acme\", domains = [\"acme.example\"] }]\n\
                    disabled = [\"phishing.little-text\"]\n[phishing.points]\n\"phishing.person\" = 5\n";
        let (settings, faults) = read_text(text, read);
        assert_eq!(faults, [""; 0]);
        assert_eq!(settings.own_domains, ["example.com"]);
        assert_eq!(settings.organisation, ["Example Rockets"]);
        assert_eq!(settings.people[0].name, "Anna Beispiel");
        assert_eq!(settings.people[0].addresses, ["anna@example.com"]);
        assert_eq!(settings.brands[0].domains, ["acme.example"]);
        assert!(settings.disabled.contains("phishing.little-text"));
        assert_eq!(settings.overrides.get("phishing.person"), Some(&Points::hundredths(500)));
        assert_eq!(read_text("", read).0, Settings::default());
    }

    #[test]
    fn every_slip_is_named_with_its_cure() {
        let text = "[phishing]\nown_domains = [\"not a domain\"]\norganisation = \"x\"\n\
                    people = [{ name = \"Anna\" }]\nbrands_extra = [{ name = \"Acme\", domain = \"acme.example\" }]\n\
                    disabled = [\"phishing.persn\"]\nperson = 1\n[phishing.points]\n\"phishing.person\" = \"much\"\n";
        let (_, faults) = read_text(text, read);
        assert_eq!(
            faults,
            [
                "test.toml:2:16: phishing.own_domains is \"not a domain\", must be a domain such as \"example.com\"",
                "test.toml:3:16: phishing.organisation is \"x\", must be a name such as \"Example Ltd\"",
                "test.toml:4:11: a person of [phishing] needs name = \"First Last\" and addresses = [\"first@example.com\"]",
                "test.toml:4:20: phishing.people.name is \"Anna\", must be a first and a last name",
                "test.toml:5:17: an entry of phishing.brands_extra needs name = \"Firm\" and domains = [\"firm.example\"]",
                "test.toml:5:34: unknown key \"domain\"; did you mean \"domains\"?",
                "test.toml:6:13: no phishing rule is named \"phishing.persn\"; did you mean \"phishing.person\"?",
                "test.toml:7:1: unknown key \"person\"; known in [phishing]: own_domains, organisation, people, brands_extra, disabled, points",
                "test.toml:9:21: phishing.points.phishing.person is \"much\", must be a number of points such as 2.5",
            ]
        );
    }
}
