//! SpamAssassin rule files, read from where they are installed and matched all together.
//!
//! This crate ships no rules. It reads the language of SpamAssassin 4.0 ([`RuleSet::load`]) and judges messages by it
//! ([`RuleSet::judge`]) without network and without anything learned: rules that ask for these never hit.

mod eval;
mod judge;
mod matcher;
mod message;
mod pattern;
mod rules;

pub use rules::{Fault, Origin};

use matcher::Candidates;
use rules::{Rule, Rules, Target, Test, settings::Settings};
use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, sync::OnceLock};

/// Rules, ready to judge.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    settings: Settings,
    defined: usize,
    fields: Vec<FieldRules>,
    /// By [`Target`].
    texts: [TextRules; 4],
    templates: Vec<usize>,
    /// Rules over fields of MIME parts, by field.
    parts: BTreeMap<String, Vec<usize>>,
    calls: Vec<usize>,
    metas: Vec<usize>,
    /// By rule: metas that name it.
    users: Vec<Vec<usize>>,
    /// What each rule counts when no other hits: 0 unless it is a meta such as `!OTHER`.
    idle: Vec<f64>,
}

/// Rules over a field.
#[derive(Debug, Default)]
struct FieldRules {
    request: String,
    rules: Vec<usize>,
    candidates: Candidates,
    /// What each rule counts for a message without the field.
    absent: OnceLock<Vec<f64>>,
    exists: Vec<usize>,
}

/// Rules over a kind of text.
#[derive(Debug, Default)]
struct TextRules {
    rules: Vec<usize>,
    candidates: Candidates,
}

/// What is known of a message beside its bytes.
#[derive(Debug, Clone, Default)]
pub struct Facts<'f> {
    /// Envelope sender without angle brackets; none if only the message can tell.
    pub envelope_from: Option<&'f str>,
    /// Who handed the message over, if no Received field tells of it yet.
    pub client: Option<Client<'f>>,
}

/// The host that handed a message over.
#[derive(Debug, Clone)]
pub struct Client<'f> {
    /// Its address.
    pub ip: IpAddr,
    /// The name of the address; empty if it has none.
    pub name: &'f str,
    /// What it called itself.
    pub helo: &'f str,
    /// Our own name.
    pub by: &'f str,
    /// Whether it has logged in.
    pub is_authenticated: bool,
}

/// A rule that hit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit<'r> {
    /// Its name; with `__` in front it is only a part of others.
    pub name: &'r str,
    /// Its score without network and Bayes.
    pub score: f64,
    /// What `describe` says of it.
    pub description: &'r str,
    /// Where it stands.
    pub origin: &'r Origin,
}

impl Hit<'_> {
    /// Whether the rule only serves others.
    pub fn is_part(&self) -> bool {
        self.name.starts_with("__")
    }
}

impl RuleSet {
    /// Reads files and folders (`*.pre`, `*.cf`) in this order. What is wrong is left out and told.
    ///
    /// `language` chooses among descriptions, `en` or `de_AT`.
    pub fn load(paths: &[PathBuf], language: &str) -> (RuleSet, Vec<Fault>) {
        let mut faults = Vec::new();
        let Rules { rules, settings, defined } = rules::load(paths, language, &mut faults);
        (RuleSet::of(rules, settings, defined), faults)
    }

    fn of(rules: Vec<Rule>, settings: Settings, defined: usize) -> RuleSet {
        let mut by_request: BTreeMap<String, FieldRules> = BTreeMap::new();
        let mut texts: [TextRules; 4] = Default::default();
        let mut parts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let (mut templates, mut calls, mut metas) = (Vec::new(), Vec::new(), Vec::new());
        for (number, rule) in rules.iter().enumerate() {
            match &rule.test {
                Test::Header { request, .. } => by_request.entry(request.clone()).or_default().rules.push(number),
                Test::Exists(field) => by_request.entry(field.clone()).or_default().exists.push(number),
                Test::Text(target, _) => texts[*target as usize].rules.push(number),
                Test::Template(..) => templates.push(number),
                Test::Part { field, .. } => parts.entry(field.clone()).or_default().push(number),
                Test::Eval(_) => calls.push(number),
                Test::Meta(_) => metas.push(number),
                Test::Elsewhere => {}
            }
        }
        for text in &mut texts {
            text.candidates = Candidates::of(text.rules.iter().filter_map(|number| rules[*number].test.pattern()));
        }
        let fields = by_request.into_iter().map(|(request, mut field)| {
            field.candidates = Candidates::of(field.rules.iter().filter_map(|number| rules[*number].test.pattern()));
            FieldRules { request, ..field }
        });
        let fields = fields.collect();
        let mut users = vec![Vec::new(); rules.len()];
        for (number, rule) in rules.iter().enumerate() {
            if let Test::Meta(expression) = &rule.test {
                expression.atoms(&mut |named| users[*named].push(number));
            }
        }
        let mut set = RuleSet {
            idle: vec![0.0; rules.len()],
            rules,
            settings,
            defined,
            fields,
            texts,
            templates,
            parts,
            calls,
            metas,
            users,
        };
        set.idle = set.idle_counts();
        set
    }

    /// How many rules the files define, and how many of them were understood. A score of 0 takes a rule out.
    pub fn counts(&self) -> (usize, usize) {
        (self.defined, self.rules.len())
    }

    /// How many of the rules ask the network or what SpamAssassin has learned, and so never hit.
    pub fn elsewhere(&self) -> usize {
        self.rules.iter().filter(|rule| matches!(rule.test, Test::Elsewhere)).count()
    }

    /// Names, scores, descriptions and places of all rules, by name.
    pub fn rules(&self) -> impl Iterator<Item = Hit<'_>> {
        self.rules.iter().map(|rule| Hit {
            name: &rule.name,
            score: rule.score,
            description: &rule.description,
            origin: &rule.origin,
        })
    }
}

impl Test {
    fn pattern(&self) -> Option<&pattern::Pattern> {
        match self {
            Test::Header { pattern, .. } | Test::Text(_, pattern) | Test::Part { pattern, .. } => Some(pattern),
            _ => None,
        }
    }
}

/// The targets of patterns are numbered as `RuleSet::texts` holds them.
const _: () = assert!(Target::Full as usize == 3);

#[cfg(test)]
mod tests;
