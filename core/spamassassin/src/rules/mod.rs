//! Rule files to rules.

mod draft;
mod expression;
mod files;
mod replace;
pub(crate) mod settings;

pub(crate) use draft::Target;
pub(crate) use expression::{Expression, Word, parse as parse_expression};
pub use files::{Fault, Origin};

use crate::{
    eval::{self, Call, Known, fits},
    pattern::Pattern,
};
use draft::{Draft, Test as Written};
use settings::Settings;
use std::{collections::HashMap, path::PathBuf};

/// A rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) score: f64,
    pub(crate) description: String,
    pub(crate) test: Test,
    pub(crate) flags: Flags,
    pub(crate) origin: Origin,
}

/// What a rule looks for.
#[derive(Debug)]
pub(crate) enum Test {
    Header {
        request: String,
        negated: bool,
        pattern: Pattern,
        unset: Option<Vec<u8>>,
    },
    Exists(String),
    Text(Target, Pattern),
    /// A pattern with `%{NAME}` in it, for what a rule before has captured.
    Template(Template),
    Part {
        field: String,
        raw: bool,
        negated: bool,
        pattern: Pattern,
        unset: Option<Vec<u8>>,
    },
    Meta(Expression<usize>),
    Eval(Call),
    /// Asks the network, or what SpamAssassin has learned.
    Elsewhere,
}

/// A pattern that is whole only with what a message holds.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) target: Target,
    pub(crate) text: Vec<u8>,
    /// The pattern with anything in the place of what was captured.
    pub(crate) loose: Pattern,
}

/// What `tflags` say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flags {
    /// Most hits that count; none if one is enough.
    pub(crate) multiple: Option<usize>,
    /// Whether the subject is left out of the text.
    pub(crate) no_subject: bool,
    /// Whether the pattern captures what others look for.
    pub(crate) captures: bool,
}

/// Everything that the files say.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) rules: Vec<Rule>,
    pub(crate) settings: Settings,
    /// How many rules the files define, those with a score of 0 left out.
    pub(crate) defined: usize,
}

/// Reads the files.
pub(crate) fn load(paths: &[PathBuf], language: &str, faults: &mut Vec<Fault>) -> Rules {
    let directives = files::directives(paths, language, faults);
    let mut draft = Draft::of(directives, faults);
    let mut rules: Vec<Rule> = Vec::with_capacity(draft.tests.len());
    let mut metas = Vec::new();
    let mut defined = 0;
    let tests = std::mem::take(&mut draft.tests);
    for (name, (written, origin)) in tests {
        let flags_text = draft.flags.get(&name).cloned().unwrap_or_default();
        let flag = |wanted: &str| flags_text.split_whitespace().any(|flag| flag == wanted);
        let default = match (name.starts_with("T_"), flag("nice")) {
            (true, nice) => {
                if nice {
                    -0.01
                } else {
                    0.01
                }
            }
            (false, true) => -1.0,
            (false, false) => 1.0,
        };
        let score = draft.scores.get(&name).copied().unwrap_or(default);
        if score == 0.0 {
            continue;
        }
        defined += 1;
        let most = flags_text.split_whitespace().find_map(|flag| flag.strip_prefix("maxhits=")?.parse().ok());
        let flags = Flags {
            multiple: flag("multiple").then_some(most.unwrap_or(usize::MAX)),
            no_subject: flag("nosubject"),
            captures: captures(&written),
        };
        let replaced = draft.replaced.contains(&name);
        let meta = if let Written::Meta(text) = &written { Some(text.clone()) } else { None };
        match compile(written, replaced, &draft) {
            Ok(test) => {
                if let Some(text) = meta {
                    metas.push((rules.len(), text));
                }
                let description = draft.descriptions.get(&name).cloned().unwrap_or_default();
                rules.push(Rule { name, score, description, test, flags, origin });
            }
            Err(message) => faults.push(Fault { origin: Some(origin), message: format!("{name}: {message}") }),
        }
    }
    let by_name: HashMap<String, usize> = rules.iter().enumerate().map(|(at, rule)| (rule.name.clone(), at)).collect();
    let mut broken = Vec::new();
    for (at, text) in metas {
        match resolve(&text, &rules[at].name, &by_name, &rules) {
            Ok(expression) => rules[at].test = Test::Meta(expression),
            Err(message) => {
                broken.push(at);
                let message = format!("{}: {message}", rules[at].name);
                faults.push(Fault { origin: Some(rules[at].origin.clone()), message });
            }
        }
    }
    // A rule that cannot be read never hits; its place stays, as others refer to it.
    for at in broken {
        rules[at].test = Test::Meta(Expression::Number(0.0));
    }
    Rules { rules, settings: draft.settings, defined }
}

fn captures(written: &Written) -> bool {
    let pattern = match written {
        Written::Header { pattern, .. } | Written::Text(_, pattern) | Written::Part { pattern, .. } => pattern,
        _ => return false,
    };
    let names = |open: &[u8]| {
        memchr::memmem::find_iter(pattern, open)
            .any(|at| pattern.get(at + open.len()).is_some_and(u8::is_ascii_uppercase))
    };
    names(b"(?<") || names(b"(?P<") || names(b"(?'")
}

fn compile(written: Written, replaced: bool, draft: &Draft) -> Result<Test, String> {
    let pattern = |text: &[u8]| -> Result<Pattern, String> {
        if !replaced {
            return Pattern::delimited(text);
        }
        let (inner, flags) = crate::pattern::split(text)?;
        Pattern::new(&draft.tags.replace(inner), flags)
    };
    Ok(match written {
        Written::Header { field, negated, pattern: text, unset } => {
            Test::Header { request: field, negated, pattern: pattern(&text)?, unset }
        }
        Written::Exists(field) => Test::Exists(field),
        Written::Text(target, text) if is_template(&text) => {
            let loose = pattern(&loosened(&text))?;
            Test::Template(Template { target, text, loose })
        }
        Written::Text(target, text) => Test::Text(target, pattern(&text)?),
        Written::Part { field, negated, pattern: text, unset } => {
            let (name, raw) = field.strip_suffix(":raw").map_or((field.as_str(), false), |name| (name, true));
            Test::Part { field: name.to_owned(), raw, negated, pattern: pattern(&text)?, unset }
        }
        // The expression is read when all names are known.
        Written::Meta(_) => Test::Meta(Expression::Number(0.0)),
        Written::Eval(name, arguments) => match eval::function(&name) {
            Some(Known::Here(function)) => Test::Eval(Call::of(&name, function, arguments)?),
            Some(Known::Elsewhere) => Test::Elsewhere,
            None => return Err(format!("there is no function {name}")),
        },
        Written::Network => Test::Elsewhere,
    })
}

fn is_template(pattern: &[u8]) -> bool {
    memchr::memmem::find_iter(pattern, b"%{").any(|at| pattern.get(at + 2).is_some_and(u8::is_ascii_uppercase))
}

/// A template with anything in the place of each name.
fn loosened(template: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = memchr::memmem::find(rest, b"%{")
        && let Some(end) = memchr::memchr(b'}', &rest[at..])
    {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"(?s:.+)");
        rest = &rest[at + end + 1..];
    }
    out.extend_from_slice(rest);
    out
}

/// An expression over numbers of rules. Rules that are not there never hit.
fn resolve(
    text: &str,
    own: &str,
    by_name: &HashMap<String, usize>,
    rules: &[Rule],
) -> Result<Expression<usize>, String> {
    let mut unknown = None;
    let expression = parse_expression(text)?.map(&mut |word| match word {
        Word::Name(name) if name == "local_tests_only" => Expression::Number(1.0),
        Word::Name(name) => by_name.get(&name).map_or(Expression::Number(0.0), |at| Expression::Atom(*at)),
        Word::Call(function, pattern) if function == "rules_matching" => {
            let pattern = pattern.into_bytes();
            let matching =
                rules.iter().enumerate().filter(|(_, rule)| rule.name != own && fits(&pattern, rule.name.as_bytes()));
            let sum = matching.map(|(at, _)| (expression::Operator::Plus, Expression::Atom(at))).collect();
            Expression::Chain(Box::new(Expression::Number(0.0)), sum)
        }
        Word::Call(function, _) => {
            unknown = Some(function);
            Expression::Number(0.0)
        }
    });
    match unknown {
        Some(function) => Err(format!("{function} is no function of expressions")),
        None => Ok(expression),
    }
}
