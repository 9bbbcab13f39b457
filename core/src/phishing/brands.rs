//! Firms and authorities that are imitated: their names and their domains.

use super::fold;
use crate::spam::{has_cheap_suffix, registered, rows};
use std::collections::{HashMap, HashSet};

/// Most words of a name that are taken together. Unit: words. Source: the longest names of the table.
const WORDS: usize = 6;
/// Fewest characters of a name without blanks that is looked for inside longer words. Source: our own limit.
const INSIDE_CHARS: usize = 3;

/// Fewest characters of a name that is looked for inside a domain. Source: our own limit; shorter ones stand in words.
const NAMED_CHARS: usize = 5;

/// Words that a sender puts beside a brand to speak for it.
const SERVICE: &[&str] = &[
    "account",
    "accounts",
    "admin",
    "alert",
    "alerts",
    "app",
    "bank",
    "bill",
    "billing",
    "bonus",
    "card",
    "care",
    "center",
    "centre",
    "club",
    "co",
    "com",
    "corp",
    "crew",
    "customer",
    "customers",
    "delivery",
    "department",
    "desk",
    "digital",
    "email",
    "express",
    "fraud",
    "group",
    "gmbh",
    "help",
    "helpdesk",
    "id",
    "inc",
    "info",
    "kundenservice",
    "kundendienst",
    "limited",
    "llc",
    "ltd",
    "mail",
    "member",
    "members",
    "membership",
    "message",
    "no",
    "noreply",
    "notice",
    "notification",
    "notifications",
    "notify",
    "official",
    "offers",
    "online",
    "order",
    "orders",
    "parcel",
    "payment",
    "payments",
    "perks",
    "plus",
    "prime",
    "program",
    "promo",
    "protection",
    "rep",
    "reply",
    "reward",
    "rewards",
    "sa",
    "sale",
    "sales",
    "secure",
    "security",
    "service",
    "services",
    "servicio",
    "store",
    "stores",
    "subscription",
    "support",
    "survey",
    "system",
    "team",
    "the",
    "tm",
    "update",
    "updates",
    "us",
    "usa",
    "verification",
    "wallet",
    "web",
    "your",
    "atendimento",
    "cliente",
    "clientes",
    "client",
    "clients",
    "equipe",
    "equipo",
    "servico",
    "serviço",
    "soporte",
    "suporte",
    "kunden",
    "sicherheit",
    "sicherheitsteam",
    "klantenservice",
    "assistenza",
    "servizio",
    "oficial",
];

/// A firm or authority.
#[derive(Debug)]
pub(super) struct Brand {
    /// The first of its names.
    pub(super) name: String,
    domains: Vec<String>,
    /// Labels that are its own under `com` and the suffixes of countries.
    families: Vec<String>,
}

/// What a text says to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// Index of the brand.
    pub(super) brand: usize,
    /// Whether the text is nothing but the brand's name and words of service.
    pub(super) alone: bool,
    /// Whether the name means nothing else.
    pub(super) sure: bool,
    /// Whether words of service stand beside it.
    pub(super) serves: bool,
}

/// All brands.
#[derive(Debug, Default)]
pub(super) struct Brands {
    list: Vec<Brand>,
    /// Names without blanks, folded: brand, and whether the name means nothing else.
    names: HashMap<String, (usize, bool)>,
    /// Names that are written without blanks between words.
    unspaced: Vec<(String, usize)>,
    /// Domains of all brands.
    domains: HashSet<String>,
    /// Labels of all families.
    families: HashSet<String>,
}

impl Brands {
    /// The table, and brands of the site: name and domains of each.
    pub(super) fn load(extra: &[super::settings::Brand]) -> Self {
        let mut brands = Brands::default();
        for (_, row) in rows(include_str!("brands.txt")) {
            let Some((names, domains)) = row.split_once(" = ") else { continue };
            brands.add(names.split(',').map(str::trim), domains.split_whitespace());
        }
        for brand in extra {
            brands.add(std::iter::once(brand.name.as_str()), brand.domains.iter().map(String::as_str));
        }
        brands
    }

    fn add<'t>(&mut self, names: impl Iterator<Item = &'t str>, domains: impl Iterator<Item = &'t str>) {
        let index = self.list.len();
        let mut brand = Brand { name: String::new(), domains: Vec::new(), families: Vec::new() };
        for name in names {
            let sure = !name.starts_with('~');
            let name = name.trim_start_matches('~');
            if brand.name.is_empty() {
                name.clone_into(&mut brand.name);
            }
            let squashed = fold::squashed(name);
            if !squashed.is_ascii() && squashed.chars().count() >= INSIDE_CHARS {
                self.unspaced.push((squashed.clone(), index));
            }
            self.names.entry(squashed).or_insert((index, sure));
        }
        for domain in domains {
            match domain.strip_suffix(".*") {
                Some(label) => {
                    self.families.insert(label.to_owned());
                    brand.families.push(label.to_owned());
                }
                None => {
                    self.domains.insert(domain.to_owned());
                    brand.domains.push(domain.to_owned());
                }
            }
        }
        self.list.push(brand);
    }

    pub(super) fn get(&self, index: usize) -> Option<&Brand> {
        self.list.get(index)
    }

    /// The names that can be looked for in domains: index of the brand, the name, and whether it means nothing else.
    pub(super) fn ascii_names(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        let names = self.names.iter().filter(|(name, _)| name.is_ascii());
        names.map(|(name, (index, sure))| (*index, name.as_str(), *sure))
    }

    /// Whether the host is of this brand.
    pub(super) fn owns(&self, brand: usize, host: &str) -> bool {
        let Some(brand) = self.list.get(brand) else { return false };
        let below = |domain: &String| {
            host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        brand.domains.iter().any(below) || brand.families.iter().any(|label| is_family(label, host))
    }

    /// Whether the first label of the registered domain holds the brand's name.
    pub(super) fn is_named_in(&self, brand: usize, site: &str) -> bool {
        let label: String =
            site.split('.').next().unwrap_or_default().chars().filter(|c| c.is_alphanumeric()).collect();
        let name = self.list.get(brand).map(|brand| fold::squashed(&brand.name)).unwrap_or_default();
        name.len() >= NAMED_CHARS && label.contains(&name)
    }

    /// Whether the registered domain is one of any brand.
    pub(super) fn knows(&self, site: &str) -> bool {
        let label = site.split('.').next().unwrap_or_default();
        self.domains.contains(site) || self.families.contains(label) && is_family(label, site)
    }

    /// Whom a display name or subject names. What stands in brackets is left out: people write there for whom they work.
    pub(super) fn claim(&self, text: &str) -> Option<Claim> {
        let folded = fold::letters(text);
        let outside = folded.split('(').next().unwrap_or_default();
        let words: Vec<String> =
            outside.split(|c: char| c.is_whitespace() || "-_/|:;,<>[]{}\"@#*!.~™®©".contains(c)).map(plain).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).take(40).collect();
        let mut found: Option<Claim> = None;
        let (mut beside, mut serves) = (0, false);
        let mut at = 0;
        while at < words.len() {
            let longest = WORDS.min(words.len() - at);
            let named = (1..=longest).rev().find_map(|length| {
                let name = words[at..at + length].concat();
                self.names.get(&name).map(|(brand, sure)| (length, *brand, *sure))
            });
            match named {
                Some((length, brand, sure)) => {
                    // Two words that mean other things are a name of somebody: Tim Chase.
                    beside += usize::from(found.is_some_and(|found| !found.sure && !sure && found.brand != brand));
                    if found.is_none_or(|found| !found.sure && sure) {
                        found = Some(Claim { brand, alone: false, sure, serves: false });
                    }
                    at += length;
                }
                None => {
                    let noise = words[at].chars().any(|c| c.is_ascii_digit()) || words[at].chars().count() < 2;
                    let service = is_service(words[at]);
                    beside += usize::from(!noise && !service);
                    serves |= service;
                    at += 1;
                }
            }
        }
        if found.is_none() && !outside.is_ascii() {
            let all: String = words.concat();
            let named = self.unspaced.iter().filter(|(name, _)| all.contains(name.as_str()));
            let longest = named.max_by_key(|(name, _)| name.len())?;
            return Some(Claim { brand: longest.1, alone: true, sure: true, serves });
        }
        found.map(|claim| Claim { alone: beside == 0, serves, ..claim })
    }
}

/// Whether a sender puts the word beside a brand to speak for it.
pub(super) fn is_service(word: &str) -> bool {
    SERVICE.contains(&word)
}

/// A word without signs inside it: `lowe's` is `lowes`.
fn plain(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Whether the host is the label under `com` or the suffix of a country, or below.
fn is_family(label: &str, host: &str) -> bool {
    let site = registered(host);
    let Some((first, suffix)) = site.split_once('.') else { return false };
    let last = suffix.rsplit('.').next().unwrap_or_default();
    first == label && (suffix == "com" || last.len() == 2) && !has_cheap_suffix(site)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(text: &str) -> Option<(String, bool, bool)> {
        let brands = Brands::load(&[]);
        let claim = brands.claim(text)?;
        Some((brands.get(claim.brand)?.name.clone(), claim.alone, claim.sure))
    }

    #[test]
    fn names_are_found_as_they_are_disguised() {
        for text in ["PayPal", "PAYPAL Security Team", "P\u{430}yP\u{430}l", "Pay Pal support 4711", "~PayPal~ Service"]
        {
            assert_eq!(claim(text), Some(("paypal".to_owned(), true, true)), "{text}");
        }
        assert_eq!(claim("三井住友カードお客様センター").map(|c| c.0), Some("三井住友".to_owned()));
        assert_eq!(claim("Bank of America Alerts"), Some(("bank of america".to_owned(), true, true)));
    }

    #[test]
    fn people_are_no_brands() {
        assert_eq!(claim("Tim Chase"), Some(("chase".to_owned(), false, false)));
        assert_eq!(claim("Masami Hiramatsu (Google)"), None);
        assert_eq!(claim("Anna Example"), None);
        assert_eq!(claim(""), None);
    }

    #[test]
    fn domains_belong_to_their_brand() {
        let brands = Brands::load(&[]);
        let amazon = brands.claim("Amazon").expect("a brand").brand;
        for host in ["amazon.de", "www.amazon.co.jp", "amazon.com", "email.amazon.com"] {
            assert!(brands.owns(amazon, host), "{host}");
        }
        for host in ["amazon.top", "amazon-login.com", "notamazon.com", "amazon.com.evil.example", "amazon.evil.com"] {
            assert!(!brands.owns(amazon, host), "{host}");
        }
        assert!(brands.knows("paypal.com") && brands.knows("amazon.fr") && !brands.knows("example.com"));
    }

    #[test]
    fn every_row_has_names_and_domains_that_exist() {
        let brands = Brands::load(&[]);
        assert!(brands.list.len() > 250, "{}", brands.list.len());
        for brand in &brands.list {
            assert!(!brand.name.is_empty() && brand.domains.len() + brand.families.len() > 0, "{brand:?}");
            for domain in &brand.domains {
                let known = psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.is_known());
                assert!(known, "{}: {domain}", brand.name);
            }
        }
    }

    #[test]
    fn brands_of_the_site_are_added() {
        let own = super::super::settings::Brand { name: "Acme Rockets".into(), domains: vec!["acme.example".into()] };
        let brands = Brands::load(&[own]);
        let claim = brands.claim("acme rockets billing").expect("a brand");
        assert!(claim.alone && brands.owns(claim.brand, "mail.acme.example"));
    }
}
