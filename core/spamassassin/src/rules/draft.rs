//! Directives to what they define, before any pattern is compiled: what is written last counts.

use super::{
    files::{Directive, Fault, Origin, split_word},
    replace::Tags,
    settings::Settings,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A test as written.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// Field with modifiers, whether it must not match, pattern, and what counts if the field is missing.
    Header { field: String, negated: bool, pattern: Vec<u8>, unset: Option<Vec<u8>> },
    /// A field that must be there.
    Exists(String),
    /// A pattern over some text of the message.
    Text(Target, Vec<u8>),
    /// A field of any MIME part.
    Part { field: String, negated: bool, pattern: Vec<u8>, unset: Option<Vec<u8>> },
    /// An expression over other rules.
    Meta(String),
    /// Function and arguments.
    Eval(String, Vec<String>),
    /// A question to a service on the network.
    Network,
}

/// What a pattern is matched against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Paragraphs of the text as shown, the subject first.
    Body,
    /// The text parts with their markup.
    RawBody,
    /// Addresses of links.
    Uri,
    /// The whole message.
    Full,
}

/// Everything that the files say.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) tests: BTreeMap<String, (Test, Origin)>,
    pub(super) scores: HashMap<String, f64>,
    pub(super) descriptions: HashMap<String, String>,
    pub(super) flags: HashMap<String, String>,
    pub(super) replaced: HashSet<String>,
    pub(super) tags: Tags,
    pub(super) settings: Settings,
}

/// Longest name of a rule. Unit: bytes. Source: SpamAssassin.
const NAME: usize = 100;

impl Draft {
    pub(super) fn of(directives: Vec<Directive>, faults: &mut Vec<Fault>) -> Draft {
        let mut draft = Draft::default();
        for directive in directives {
            let origin = directive.origin.clone();
            if let Err(message) = draft.take(directive) {
                faults.push(Fault { origin: Some(origin), message });
            }
        }
        draft
    }

    fn take(&mut self, directive: Directive) -> Result<(), String> {
        let Directive { origin, key, value } = directive;
        let (name, rest) = split_word(&value);
        let name = String::from_utf8_lossy(name).into_owned();
        let text = || String::from_utf8_lossy(rest).into_owned();
        match key.as_str() {
            "header" | "body" | "rawbody" | "uri" | "full" | "meta" | "mimeheader" | "uri_detail" => {
                let test = test(&key, rest).map_err(|message| format!("{key} {name}: {message}"))?;
                self.define(name, test, origin)
            }
            "askdns" | "urirhssub" | "uridnssub" | "urirhsbl" | "uridnsbl" | "urinssub" | "urinsrhssub"
            | "urinsrhsbl" => self.define(name, Test::Network, origin),
            "score" => self.score(name, &text()),
            "describe" => {
                self.descriptions.insert(name, text());
                Ok(())
            }
            "tflags" => {
                self.flags.insert(name, text());
                Ok(())
            }
            "replace_rules" => {
                self.replaced.extend(String::from_utf8_lossy(&value).split_whitespace().map(str::to_owned));
                Ok(())
            }
            "replace_tag" | "replace_pre" | "replace_inter" | "replace_post" => {
                let map = match key.as_str() {
                    "replace_tag" => &mut self.tags.tags,
                    "replace_pre" => &mut self.tags.before,
                    "replace_inter" => &mut self.tags.between,
                    _ => &mut self.tags.after,
                };
                map.insert(name, rest.to_vec());
                Ok(())
            }
            "replace_start" | "replace_end" if name.is_empty() => Err(format!("{key} needs a sign")),
            "replace_start" => {
                self.tags.start = name;
                Ok(())
            }
            "replace_end" => {
                self.tags.end = name;
                Ok(())
            }
            _ => self.settings.take(&key, &String::from_utf8_lossy(&value)),
        }
    }

    fn define(&mut self, name: String, test: Test, origin: Origin) -> Result<(), String> {
        let is_name = name.len() <= NAME
            && !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name {
            return Err(format!("{name:?} is no name of a rule: letters, digits and _, at most {NAME}"));
        }
        self.tests.insert(name, (test, origin));
        Ok(())
    }

    /// `score NAME 1.5`, or four: without network and Bayes, with network, with Bayes, with both. The first is ours.
    fn score(&mut self, name: String, text: &str) -> Result<(), String> {
        let mut numbers = Vec::new();
        for word in text.split_whitespace() {
            let (word, relative) = match word.strip_prefix('(').and_then(|word| word.strip_suffix(')')) {
                Some(inner) => (inner, true),
                None => (word, false),
            };
            let number: f64 = word.parse().map_err(|_| format!("score {name}: {word:?} is no number"))?;
            if !number.is_finite() {
                return Err(format!("score {name}: {word:?} is no number"));
            }
            numbers.push((number, relative));
        }
        let ([(number, relative)] | [(number, relative), _, _, _]) = numbers[..] else {
            return Err(format!("score {name} takes one number or four, not {}", numbers.len()));
        };
        let before = if relative { self.scores.get(&name).copied().unwrap_or(0.0) } else { 0.0 };
        self.scores.insert(name, before + number);
        Ok(())
    }
}

fn test(key: &str, value: &[u8]) -> Result<Test, String> {
    if value.is_empty() {
        return Err("what does it look for?".to_owned());
    }
    if let Some(call) = value.strip_prefix(b"eval:") {
        return eval(&String::from_utf8_lossy(call));
    }
    match key {
        "header" => {
            if let Some(field) = value.strip_prefix(b"exists:") {
                let field = String::from_utf8_lossy(field).trim_end_matches(':').to_owned();
                return if is_field(&field) {
                    Ok(Test::Exists(field))
                } else {
                    Err(format!("{field:?} is no field name"))
                };
            }
            let (field, negated, pattern, unset) = field_test(value)?;
            let mut parts = field.split(':');
            if !parts.next().is_some_and(is_field) {
                return Err(format!("{field:?} is no field name"));
            }
            if let Some(unknown) = parts.find(|modifier| !MODIFIERS.contains(modifier)) {
                return Err(format!("{unknown:?} is no modifier of a field: {}", MODIFIERS.join(", ")));
            }
            Ok(Test::Header { field, negated, pattern, unset })
        }
        "mimeheader" => {
            let (field, negated, pattern, unset) = field_test(value)?;
            Ok(Test::Part { field, negated, pattern, unset })
        }
        "body" => Ok(Test::Text(Target::Body, value.to_vec())),
        "rawbody" => Ok(Test::Text(Target::RawBody, value.to_vec())),
        "uri" => Ok(Test::Text(Target::Uri, value.to_vec())),
        "full" => Ok(Test::Text(Target::Full, value.to_vec())),
        "meta" => Ok(Test::Meta(String::from_utf8_lossy(value).into_owned())),
        _ => Err("rules of this kind are not read".to_owned()),
    }
}

/// What may stand behind a field name.
const MODIFIERS: &[&str] = &["raw", "addr", "name", "host", "domain", "ip", "revip", "first", "last"];

fn is_field(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

type FieldTest = (String, bool, Vec<u8>, Option<Vec<u8>>);

/// `Subject =~ /pattern/ [if-unset: text]`.
fn field_test(value: &[u8]) -> Result<FieldTest, String> {
    let at = value.windows(2).position(|pair| pair == b"=~" || pair == b"!~");
    let at = at.ok_or("write it as: Field =~ /pattern/")?;
    let field = String::from_utf8_lossy(value[..at].trim_ascii()).trim_end_matches(':').to_owned();
    let mut pattern = value[at + 2..].trim_ascii();
    let mut unset = None;
    if let Some(open) = memchr::memmem::rfind(pattern, b"[if-unset:")
        && let Some(text) = pattern[open + "[if-unset:".len()..].strip_suffix(b"]")
    {
        unset = Some(text.trim_ascii().to_vec());
        pattern = pattern[..open].trim_ascii();
    }
    Ok((field, value[at] == b'!', pattern.to_vec(), unset))
}

/// `function('one', "two", 3)`.
fn eval(call: &str) -> Result<Test, String> {
    let (function, rest) = call.trim().split_once('(').ok_or("write it as: eval:function(arguments)")?;
    let mut rest = rest.trim().strip_suffix(')').ok_or("the bracket is not closed")?.trim();
    let mut arguments = Vec::new();
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let (argument, behind) = match quote {
            Some(quote) => rest[1..].split_once(quote).ok_or("an argument is not closed")?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim_end(), &rest[end..])
            }
        };
        arguments.push(argument.to_owned());
        let behind = behind.trim_start();
        rest = match behind.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if behind.is_empty() => "",
            None => return Err(format!("a comma is missing before {behind:?}")),
        };
    }
    Ok(Test::Eval(function.trim().to_owned(), arguments))
}
