//! A message against all rules.

use crate::{
    Facts, Hit, RuleSet,
    eval::Evaluation,
    matcher::Marks,
    message::Message,
    pattern::Pattern,
    rules::{Expression, Flags, Target, Test},
};
use std::collections::HashMap;

/// How often each rule has hit, by its number.
pub(crate) type Counts = Vec<f64>;

/// Deepest chain of metas. Unit: rules. Source: our own limit; rules that need each other in a ring never hit.
const CHAIN: usize = 100;

impl RuleSet {
    /// All rules that hit, by name.
    pub fn judge(&self, raw: &[u8], facts: &Facts<'_>) -> Vec<Hit<'_>> {
        let message = Message::read(raw, facts, &self.settings);
        let mut counts = vec![0.0; self.rules.len()];
        let mut captured = HashMap::new();
        let mut marks = Marks::default();
        self.fields(&message, &mut counts, &mut captured, &mut marks);
        let uris: Vec<&[u8]> = message.uris().into_iter().map(str::as_bytes).collect();
        let body: Vec<&[u8]> = message.texts.body.iter().map(Vec::as_slice).collect();
        let raw_body: Vec<&[u8]> = message.texts.raw_body.iter().map(Vec::as_slice).collect();
        let full = [message.tree.full()];
        for (target, texts) in
            [(Target::Body, &body[..]), (Target::RawBody, &raw_body), (Target::Uri, &uris), (Target::Full, &full)]
        {
            self.texts(target, texts, &mut counts, &mut marks);
            self.templates(target, texts, &captured, &mut counts);
        }
        self.parts(&message, &mut counts);
        let evaluation = Evaluation::of(&message);
        for number in &self.calls {
            if let Test::Eval(call) = &self.rules[*number].test
                && call.hits(&evaluation)
            {
                counts[*number] = 1.0;
            }
        }
        self.metas(&mut counts);
        self.hits(&counts)
    }

    fn hits(&self, counts: &Counts) -> Vec<Hit<'_>> {
        let hit = self.rules.iter().zip(counts).filter(|(_, count)| **count != 0.0);
        hit.map(|(rule, _)| Hit {
            name: &rule.name,
            score: rule.score,
            description: &rule.description,
            origin: &rule.origin,
        })
        .collect()
    }

    fn fields(
        &self,
        message: &Message<'_>,
        counts: &mut Counts,
        captured: &mut HashMap<String, Vec<Vec<u8>>>,
        marks: &mut Marks,
    ) {
        for field in &self.fields {
            let value = message.value(&field.request);
            for number in &field.exists {
                counts[*number] = f64::from(u8::from(value.is_some()));
            }
            if field.candidates.is_empty() {
                continue;
            }
            let Some(text) = value.as_deref() else {
                let absent = field.absent.get_or_init(|| field.rules.iter().map(|rule| self.absent(*rule)).collect());
                field.rules.iter().zip(absent).for_each(|(number, count)| counts[*number] = *count);
                continue;
            };
            field.candidates.find(text, field.candidates.bare(), marks);
            let mut possible = vec![false; field.rules.len()];
            marks.found.iter().for_each(|test| possible[*test as usize] = true);
            for (test, number) in field.rules.iter().enumerate() {
                let rule = &self.rules[*number];
                let Test::Header { negated, pattern, .. } = &rule.test else { continue };
                let count = if possible[test] { count(pattern, text, rule.flags) } else { 0 };
                counts[*number] = if *negated { f64::from(u8::from(count == 0)) } else { count as f64 };
                if rule.flags.captures && count > 0 {
                    for (name, value) in pattern.named_groups(text) {
                        captured.entry(name).or_default().push(value);
                    }
                }
            }
        }
    }

    /// What a rule over a field counts where there is none.
    fn absent(&self, number: usize) -> f64 {
        let rule = &self.rules[number];
        let Test::Header { negated, pattern, unset, .. } = &rule.test else { return 0.0 };
        let count = count(pattern, unset.as_deref().unwrap_or_default(), rule.flags);
        if *negated { f64::from(u8::from(count == 0)) } else { count as f64 }
    }

    fn texts(&self, target: Target, texts: &[&[u8]], counts: &mut Counts, marks: &mut Marks) {
        let group = &self.texts[target as usize];
        if group.candidates.is_empty() {
            return;
        }
        let bare = group.candidates.among(&texts.join(&b'\n'));
        for (index, text) in texts.iter().enumerate() {
            group.candidates.find(text, &bare, marks);
            for test in &marks.found {
                let number = group.rules[*test as usize];
                let rule = &self.rules[number];
                let Test::Text(_, pattern) = &rule.test else { continue };
                if rule.flags.no_subject && index == 0 && target == Target::Body {
                    continue;
                }
                let before = counts[number];
                match rule.flags.multiple {
                    None if before > 0.0 => {}
                    None => counts[number] = f64::from(u8::from(pattern.is_match(text))),
                    Some(most) if before < most as f64 => {
                        counts[number] += pattern.count(text, most - before as usize) as f64;
                    }
                    Some(_) => {}
                }
            }
        }
    }

    /// Patterns over what other rules have captured.
    fn templates(
        &self,
        target: Target,
        texts: &[&[u8]],
        captured: &HashMap<String, Vec<Vec<u8>>>,
        counts: &mut Counts,
    ) {
        for number in &self.templates {
            let Test::Template(template) = &self.rules[*number].test else { continue };
            if template.target != target || !texts.iter().any(|text| template.loose.may_match(text)) {
                continue;
            }
            let Some(pattern) = filled(&template.text, captured).and_then(|pattern| Pattern::delimited(&pattern).ok())
            else {
                continue;
            };
            counts[*number] = f64::from(u8::from(texts.iter().any(|text| pattern.is_match(text))));
        }
    }

    fn parts(&self, message: &Message<'_>, counts: &mut Counts) {
        let order = message.tree.all();
        for (field, rules) in &self.parts {
            let values: Vec<[Option<Vec<u8>>; 2]> = order
                .iter()
                .map(|part| {
                    let fields = &message.tree.parts[*part].fields;
                    if field == "ALL" {
                        return [Some(fields.text()), Some(fields.text())];
                    }
                    let last = fields.all(field).last();
                    let decoded = last.map(|field| [field.decoded(), b"\n".to_vec()].concat());
                    [decoded, last.map(|field| field.raw.clone())]
                })
                .collect();
            for number in rules {
                let rule = &self.rules[*number];
                let Test::Part { raw, negated, pattern, unset, .. } = &rule.test else { continue };
                let mut hits = 0;
                for value in &values {
                    let value = value[usize::from(*raw)].as_deref().or(unset.as_deref()).unwrap_or_default();
                    hits += count(pattern, value, rule.flags);
                }
                let most = rule.flags.multiple.unwrap_or(1);
                counts[*number] = if *negated { f64::from(u8::from(hits == 0)) } else { hits.min(most) as f64 };
            }
        }
    }

    /// What metas count when no other rule hits.
    pub(crate) fn idle_counts(&self) -> Counts {
        let mut counts = vec![0.0; self.rules.len()];
        let mut states = vec![State::Unknown; self.rules.len()];
        for number in &self.metas {
            self.meta(*number, &mut counts, &mut states, 0);
        }
        counts
    }

    /// Metas: only those that a hit can change are worked out.
    fn metas(&self, counts: &mut Counts) {
        let mut states = vec![State::Known; self.rules.len()];
        let mut changed: Vec<usize> = (0..counts.len()).filter(|number| counts[*number] != 0.0).collect();
        for number in &self.metas {
            counts[*number] = self.idle[*number];
        }
        let mut affected = Vec::new();
        while let Some(number) = changed.pop() {
            for user in &self.users[number] {
                if states[*user] == State::Known {
                    states[*user] = State::Unknown;
                    counts[*user] = 0.0;
                    affected.push(*user);
                    changed.push(*user);
                }
            }
        }
        affected.sort_unstable();
        for number in affected {
            self.meta(number, counts, &mut states, 0);
        }
    }

    fn meta(&self, number: usize, counts: &mut Counts, states: &mut [State], depth: usize) -> f64 {
        let Test::Meta(expression) = &self.rules[number].test else { return counts[number] };
        if states[number] != State::Unknown || depth > CHAIN {
            return counts[number];
        }
        states[number] = State::Open;
        let value = self.value(expression, counts, states, depth);
        states[number] = State::Known;
        counts[number] = match value {
            value if value > 0.0 => value,
            value if value < 0.0 => 1.0,
            _ => 0.0,
        };
        counts[number]
    }

    fn value(&self, expression: &Expression<usize>, counts: &mut Counts, states: &mut [State], depth: usize) -> f64 {
        expression.value(&mut |number| self.meta(*number, counts, states, depth + 1))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unknown,
    Open,
    Known,
}

fn count(pattern: &Pattern, text: &[u8], flags: Flags) -> usize {
    match flags.multiple {
        Some(most) => pattern.count(text, most),
        None => usize::from(pattern.is_match(text)),
    }
}

/// Most values of a name that a template takes. Unit: values. Source: our own limit.
const VALUES: usize = 20;

/// A template with what was captured in it; none if a name holds nothing.
fn filled(template: &[u8], captured: &HashMap<String, Vec<Vec<u8>>>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some(at) = memchr::memmem::find(rest, b"%{") {
        let end = memchr::memchr(b'}', &rest[at..])? + at;
        let name = std::str::from_utf8(&rest[at + 2..end]).ok()?;
        out.extend_from_slice(&rest[..at]);
        let values = captured.get(name)?;
        out.extend_from_slice(b"(?:");
        for (index, value) in values.iter().take(VALUES).enumerate() {
            if index > 0 {
                out.push(b'|');
            }
            value.iter().for_each(|byte| out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()));
        }
        out.push(b')');
        rest = &rest[end + 1..];
    }
    out.extend_from_slice(rest);
    Some(out)
}
