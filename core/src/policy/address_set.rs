//! Whom a list of patterns means, found by hash and not by a walk.

use super::{AddressList, AddressPattern};
use crate::session::{Address, Recipient, ReversePath};
use std::{collections::HashSet, sync::Arc};

/// How near a pattern is to an address that it matches; settings are inherited from the nearest.
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

/// Senders or recipients, by patterns of the configuration and by lists in files.
#[derive(Debug, Clone, Default)]
pub struct AddressSet {
    patterns: Patterns,
    lists: Vec<Arc<AddressList>>,
}

/// Patterns by what they name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Patterns {
    count: usize,
    any: bool,
    null: bool,
    mailboxes: HashSet<String>,
    locals: HashSet<String>,
    groups: HashSet<String>,
    domains: HashSet<String>,
    /// Domains of which those below are meant.
    parents: HashSet<String>,
}

/// A sender or recipient in the forms in which patterns name him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// `None` for the null sender.
    mailbox: Option<Mailbox>,
    /// In lower case.
    groups: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mailbox {
    key: String,
    /// The key without a detail, if there is one.
    bare: Option<String>,
    local: String,
    domain: String,
}

impl Who {
    /// A sender. The directory tells groups of recipients only.
    pub fn sender(sender: &ReversePath) -> Self {
        Who { mailbox: sender.mailbox().map(Mailbox::of), groups: Vec::new() }
    }

    /// A recipient.
    pub fn recipient(recipient: &Recipient) -> Self {
        let groups = recipient.groups.iter().map(|group| group.to_lowercase()).collect();
        Who { mailbox: Some(Mailbox::of(&recipient.address)), groups }
    }

    /// An address of the header; `None` if it is none.
    pub fn author(address: &str) -> Option<Self> {
        let address = Address::parse(address.as_bytes()).ok()?;
        Some(Who { mailbox: Some(Mailbox::of(&address)), groups: Vec::new() })
    }
}

impl Mailbox {
    fn of(address: &Address) -> Self {
        Mailbox {
            key: address.key(),
            bare: address.without_detail('+').map(|bare| bare.key()),
            local: address.local.to_lowercase(),
            domain: address.domain.clone(),
        }
    }
}

impl Patterns {
    /// Adds a pattern.
    pub(super) fn push(&mut self, pattern: AddressPattern) {
        self.count += 1;
        let (names, name) = match pattern {
            AddressPattern::Any => return self.any = true,
            AddressPattern::Null => return self.null = true,
            AddressPattern::Mailbox(key) => (&mut self.mailboxes, key),
            AddressPattern::Local(local) => (&mut self.locals, local),
            AddressPattern::Group(group) => (&mut self.groups, group),
            AddressPattern::Domain(domain) => (&mut self.domains, domain),
            AddressPattern::Subdomains(domain) => (&mut self.parents, domain),
        };
        names.insert(name);
    }

    /// Number of patterns, equal ones counted each.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How near the nearest pattern is that means him; `None` if none does.
    pub(super) fn nearest(&self, who: &Who) -> Option<Nearness> {
        let has = |names: &HashSet<String>, name: &str| !names.is_empty() && names.contains(name);
        let Some(mailbox) = &who.mailbox else { return (self.null || self.any).then_some(Nearness::Organisation) };
        let is_named = has(&self.mailboxes, &mailbox.key)
            || mailbox.bare.as_deref().is_some_and(|bare| has(&self.mailboxes, bare))
            || has(&self.locals, &mailbox.local);
        if is_named {
            return Some(Nearness::User);
        }
        if who.groups.iter().any(|group| has(&self.groups, group)) {
            return Some(Nearness::Group);
        }
        if has(&self.domains, &mailbox.domain) {
            return Some(Nearness::Domain);
        }
        if !self.parents.is_empty() && parents(&mailbox.domain).any(|parent| self.parents.contains(parent)) {
            return Some(Nearness::ParentDomain);
        }
        self.any.then_some(Nearness::Organisation)
    }
}

/// The domains above a domain, the nearest first.
fn parents(domain: &str) -> impl Iterator<Item = &str> {
    domain.match_indices('.').filter(|(at, _)| *at > 0).map(|(at, _)| &domain[at + 1..])
}

impl AddressSet {
    /// Adds a pattern.
    pub fn push(&mut self, pattern: AddressPattern) {
        self.patterns.push(pattern);
    }

    /// Adds a list in a file.
    pub fn push_list(&mut self, list: Arc<AddressList>) {
        self.lists.push(list);
    }

    /// Whether it names nobody: no pattern, and no list even if that is empty.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty() && self.lists.is_empty()
    }

    /// Number of patterns and lists.
    pub fn len(&self) -> usize {
        self.patterns.len() + self.lists.len()
    }

    /// Whether everybody is meant by a pattern of its own.
    pub fn has_everybody(&self) -> bool {
        self.patterns.any
    }

    /// Whether he is meant.
    pub fn holds(&self, who: &Who) -> bool {
        self.patterns.nearest(who).is_some() || self.lists.iter().any(|list| list.nearest(who).is_some())
    }

    /// How near the nearest pattern is that means him; `None` if none does.
    pub fn nearest(&self, who: &Who) -> Option<Nearness> {
        let of_lists = self.lists.iter().filter_map(|list| list.nearest(who)).min();
        [self.patterns.nearest(who), of_lists].into_iter().flatten().min()
    }
}

impl FromIterator<AddressPattern> for AddressSet {
    fn from_iter<I: IntoIterator<Item = AddressPattern>>(patterns: I) -> Self {
        let mut set = AddressSet::default();
        patterns.into_iter().for_each(|pattern| set.push(pattern));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(patterns: &[&str]) -> AddressSet {
        patterns.iter().map(|pattern| AddressPattern::parse(pattern).expect("a pattern")).collect()
    }

    fn recipient(address: &str) -> Who {
        let address = Address::parse(address.as_bytes()).expect("an address");
        Who::recipient(&Recipient { address, groups: vec!["Finance".into()] })
    }

    #[test]
    fn patterns_mean_whom_they_name_and_nobody_else() {
        for (pattern, yes, no) in [
            ("Bob@Example.com", "bob+news@EXAMPLE.com", "bobby@example.com"),
            ("*@example.com", "x@example.com", "x@sub.example.com"),
            ("*.example.com", "x@a.b.example.com", "x@example.com"),
            ("*.example.com", "x@sub.example.com", "x@notexample.com"),
            ("postmaster@*", "Postmaster@x.test", "postman@x.test"),
            ("*@bücher.example", "x@xn--bcher-kva.example", "x@bucher.example"),
        ] {
            assert!(set(&[pattern]).holds(&recipient(yes)), "{pattern} must mean {yes}");
            assert!(!set(&[pattern]).holds(&recipient(no)), "{pattern} must not mean {no}");
        }
        assert!(set(&["group:finance"]).holds(&recipient("x@y.test")));
        assert!(!set(&["group:sales"]).holds(&recipient("x@y.test")));
    }

    #[test]
    fn the_null_sender_is_named_by_its_brackets_only() {
        let null = |pattern: &str| set(&[pattern]).holds(&Who::sender(&ReversePath::Null));
        assert!(null("<>") && null("*"));
        assert!(!null("*@example.com"));
        assert!(!set(&["<>"]).holds(&recipient("x@y.test")));
    }

    #[test]
    fn the_nearest_of_several_patterns_counts() {
        let nearest = |patterns: &[&str]| set(patterns).nearest(&recipient("bob@a.example.com"));
        assert_eq!(nearest(&["*", "*.example.com", "*@a.example.com", "bob@a.example.com"]), Some(Nearness::User));
        assert_eq!(nearest(&["*", "*.com", "group:finance"]), Some(Nearness::Group));
        assert_eq!(nearest(&["*", "*.example.com", "*@a.example.com"]), Some(Nearness::Domain));
        assert_eq!(nearest(&["*", "*.com"]), Some(Nearness::ParentDomain));
        assert_eq!(nearest(&["*"]), Some(Nearness::Organisation));
        assert_eq!(nearest(&["eve@a.example.com"]), None);
    }

    #[test]
    fn authors_that_are_no_addresses_are_nobody() {
        assert_eq!(Who::author("no address"), None);
        assert!(set(&["*@example.com"]).holds(&Who::author("Alice@Example.COM").expect("an address")));
    }
}
