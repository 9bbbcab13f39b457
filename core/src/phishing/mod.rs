//! Who does a message pretend to be, and what does it want of its reader?
//!
//! Names and domains of the site, of people whom its readers know and of firms that are often imitated make an index at
//! load; each message is asked once: whom does it name, where does it lead, what does it want.

mod brands;
mod case;
mod fold;
mod hosts;
mod links;
mod lookalike;
mod names;
mod pages;
mod rules;
mod sender;
mod settings;
mod thread;
mod wants;
mod wishes;

pub use rules::{RULES, Rule};
pub use settings::{Brand, Person, Settings};

use crate::{
    spam::{Facts, Seen},
    verdict::Finding,
};
use brands::Brands;
use case::Case;
use lookalike::Lookalikes;
use names::People;

/// The room with its index.
#[derive(Debug)]
pub struct Phishing {
    settings: Settings,
    brands: Brands,
    lookalikes: Lookalikes,
    people: People,
    /// Domains of the site, lower case.
    own: Vec<String>,
}

impl Phishing {
    /// Makes the index. `domains`: those of the directory.
    pub fn new<'d>(settings: Settings, domains: impl IntoIterator<Item = &'d str>) -> Self {
        let brands = Brands::load(&settings.brands);
        let mut own: Vec<String> = settings.own_domains.clone();
        own.extend(domains.into_iter().map(str::to_lowercase));
        own.sort_unstable();
        own.dedup();
        let lookalikes = Lookalikes::new(own.iter().map(String::as_str), &brands);
        let people = People::new(&settings);
        Phishing { settings, brands, lookalikes, people, own }
    }

    /// Runs all rules. The findings stand in the order of the table, which is sorted by id.
    pub fn judge(&self, facts: &Facts<'_>) -> Vec<Finding> {
        let case = Case::of(self, facts, &[]);
        let rules = RULES.iter().filter(|rule| !self.settings.disabled.contains(rule.id));
        rules.filter_map(|rule| Some(self.finding(rule, rule.run?(&case)?))).collect()
    }

    /// Whether an author of the site's own domain is proven by nothing. `proven`: whether DMARC, a signature or SPF proves the
    /// author's domain. Mail of lists comes back so.
    pub fn judge_author(&self, domains: &[String], proven: bool, is_list: bool) -> Option<Finding> {
        let rule = &sender::OWN_DOMAIN;
        let own = domains.iter().find(|domain| self.own.contains(domain))?;
        let enabled = !proven && !is_list && !self.settings.disabled.contains(rule.id);
        enabled.then(|| self.finding(rule, Seen::Fact(own.clone())))
    }

    fn finding(&self, rule: &Rule, seen: Seen) -> Finding {
        let weight = self.settings.overrides.get(rule.id).copied().unwrap_or(rule.weight);
        seen.beside(Finding::new(rule.id, weight, rule.source).of_attack(Some(rule.attack)))
    }
}

#[cfg(test)]
mod tests;
