//! Typed reading of TOML that reports every fault with its place instead of stopping at the first.

use super::diagnostic::{Faults, did_you_mean};
use crate::verdict::Points;
use serde::{Serialize, de::DeserializeOwned};
use std::{borrow::Cow, collections::BTreeMap, ops::Range, time::Duration};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// One table of the file. Keys are taken one by one; [`Table::finish`] reports those that nobody took.
///
/// Every reader method takes the key and the default and returns a usable value in any case: a fault is noted in
/// [`Faults`], and the default stands in so that reading can go on.
pub struct Table<'i> {
    /// Path of the table as it is written: `directory.ldap`.
    path: String,
    /// Where the table stands.
    pub span: Range<usize>,
    entries: BTreeMap<String, (Range<usize>, Spanned<DeValue<'i>>)>,
    asked: Vec<&'static str>,
}

impl<'i> Table<'i> {
    /// The root of the file.
    pub fn root(table: Spanned<DeTable<'i>>) -> Self {
        let span = table.span();
        Table::new(String::new(), span, table.into_inner())
    }

    fn new(path: String, span: Range<usize>, table: DeTable<'i>) -> Self {
        let entries = table
            .into_iter()
            .map(|(key, value)| {
                let span = key.span();
                (key.into_inner().into_owned(), (span, value))
            })
            .collect();
        Table { path, span, entries, asked: Vec::new() }
    }

    /// Path of a key of this table, for messages.
    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Whether the key is there and was not taken yet.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Where the value of a key stands.
    pub fn place(&self, key: &str) -> Option<Range<usize>> {
        self.entries.get(key).map(|(_, value)| value.span())
    }

    /// Whether no key is left.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes a raw value with its place.
    pub fn take(&mut self, key: &'static str) -> Option<(Range<usize>, DeValue<'i>)> {
        self.asked.push(key);
        let (_, value) = self.entries.remove(key)?;
        Some((value.span(), value.into_inner()))
    }

    /// Takes all remaining keys, for tables whose keys are free names: key, its place, the value's place, the value.
    pub fn take_rest(&mut self) -> Vec<(String, Range<usize>, Range<usize>, DeValue<'i>)> {
        std::mem::take(&mut self.entries)
            .into_iter()
            .map(|(key, (span, value))| (key, span, value.span(), value.into_inner()))
            .collect()
    }

    /// A string.
    pub fn string(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<Spanned<String>> {
        let found = self.take(key).and_then(|(span, value)| self.string_of(key, span, value, faults));
        faults.effective(self.path_of(key), found.as_ref().map(|s| toml_text(s.get_ref())));
        found
    }

    /// A list of strings; one string alone is a list of one.
    pub fn strings(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<Vec<Spanned<String>>> {
        let found = self.take(key).map(|(span, value)| match value {
            DeValue::Array(items) => items
                .into_iter()
                .filter_map(|item| {
                    let span = item.span();
                    self.string_of(key, span, item.into_inner(), faults)
                })
                .collect(),
            other => self.string_of(key, span, other, faults).into_iter().collect::<Vec<_>>(),
        });
        let text = found.as_ref().map(|items| {
            let items: Vec<String> = items.iter().map(|s| toml_text(s.get_ref())).collect();
            format!("[{}]", items.join(", "))
        });
        faults.effective(self.path_of(key), text);
        found
    }

    /// Each string of a list, parsed; those that do not parse are reported with `expected`.
    pub fn parsed_list<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
        faults: &mut Faults<'_>,
    ) -> Option<Vec<T>> {
        let items = self.strings(key, faults)?;
        Some(items.into_iter().filter_map(|item| self.parse_one(key, &item, expected, &parse, faults)).collect())
    }

    /// A string, parsed; reported with `expected` if it does not parse.
    pub fn parsed<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
        faults: &mut Faults<'_>,
    ) -> Option<T> {
        let item = self.string(key, faults)?;
        self.parse_one(key, &item, expected, &parse, faults)
    }

    /// One of a few words, read by serde: `choice("mode", &["off", "observe", "enforce"], default, …)`.
    pub fn choice<T: DeserializeOwned + Serialize>(
        &mut self,
        key: &'static str,
        words: &[&str],
        default: T,
        faults: &mut Faults<'_>,
    ) -> T {
        if !self.has(key) {
            self.asked.push(key);
            let word = serde_json::to_value(&default).ok().and_then(|v| v.as_str().map(toml_text));
            faults.effective(self.path_of(key), word);
            return default;
        }
        let Some(item) = self.string(key, faults) else { return default };
        let word = item.get_ref().as_str();
        if words.contains(&word)
            && let Ok(value) = serde_json::from_value(serde_json::Value::String(word.to_owned()))
        {
            return value;
        }
        let advice = did_you_mean(word, words.iter().copied());
        let message = format!("{} is \"{word}\", must be one of {}{advice}", self.path_of(key), quoted(words));
        faults.at(item.span(), message);
        default
    }

    /// A boolean.
    pub fn boolean(&mut self, key: &'static str, default: bool, faults: &mut Faults<'_>) -> bool {
        let value = match self.take(key) {
            None => default,
            Some((_, DeValue::Boolean(value))) => value,
            Some((span, other)) => {
                self.wrong_type(key, span, "true or false", &other, faults);
                default
            }
        };
        faults.effective(self.path_of(key), Some(value.to_string()));
        value
    }

    /// A whole number within a range.
    pub fn integer(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<u64>,
        default: u64,
        faults: &mut Faults<'_>,
    ) -> u64 {
        let Some((span, value)) = self.take(key) else { return default };
        let number = value.as_integer().and_then(|i| u64::from_str_radix(&i.as_str().replace('_', ""), i.radix()).ok());
        match number {
            Some(number) if range.contains(&number) => number,
            _ => {
                let expected = format!("a whole number from {} to {}", range.start(), range.end());
                self.wrong_type(key, span, &expected, &value, faults);
                default
            }
        }
    }

    /// Points: a decimal or whole number.
    pub fn points(&mut self, key: &'static str, default: Points, faults: &mut Faults<'_>) -> Points {
        let points = match self.take(key) {
            None => default,
            Some((span, value)) => points_of(&value).unwrap_or_else(|| {
                self.wrong_type(key, span, "a number of points such as 2.5", &value, faults);
                default
            }),
        };
        faults.effective(self.path_of(key), Some(points.to_string()));
        points
    }

    /// A duration such as `"8s"`, `"10m"`, `"1h"`, `"30d"`, `"500ms"`.
    pub fn duration(&mut self, key: &'static str, default: Duration, faults: &mut Faults<'_>) -> Duration {
        const FORM: &str = "a duration such as \"500ms\", \"8s\", \"10m\", \"1h\" or \"30d\"";
        if !self.has(key) {
            self.asked.push(key);
            faults.effective(self.path_of(key), Some(toml_text(&duration_text(default))));
            return default;
        }
        self.parsed(key, FORM, parse_duration, faults).unwrap_or(default)
    }

    /// A size such as `"50 MiB"`, or a whole number of bytes.
    pub fn size(&mut self, key: &'static str, default: usize, faults: &mut Faults<'_>) -> usize {
        self.size_from(1, key, default, faults)
    }

    /// The same where 0 means no limit.
    pub fn size_or_none(&mut self, key: &'static str, default: usize, faults: &mut Faults<'_>) -> usize {
        self.size_from(0, key, default, faults)
    }

    fn size_from(&mut self, least: usize, key: &'static str, default: usize, faults: &mut Faults<'_>) -> usize {
        let size = match self.take(key) {
            None => default,
            Some((span, value)) => {
                let size = match &value {
                    DeValue::Integer(i) => usize::from_str_radix(&i.as_str().replace('_', ""), i.radix()).ok(),
                    DeValue::String(text) => parse_size(text),
                    _ => None,
                };
                size.filter(|&s| s >= least).unwrap_or_else(|| {
                    self.wrong_type(key, span, "a size such as \"50 MiB\", or a number of bytes", &value, faults);
                    default
                })
            }
        };
        faults.effective(self.path_of(key), Some(toml_text(&size_text(size))));
        size
    }

    /// A table below this one, empty if the file does not have it: all its keys then read as their defaults.
    pub fn section(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Table<'i> {
        self.table(key, faults)
            .unwrap_or_else(|| Table::new(self.path_of(key), self.span.start..self.span.start, DeTable::new()))
    }

    /// A table below this one.
    pub fn table(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<Table<'i>> {
        let (span, value) = self.take(key)?;
        self.table_of(key, span, value, faults)
    }

    /// A list of tables (`[[policy]]`).
    pub fn tables(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Vec<Table<'i>> {
        let Some((span, value)) = self.take(key) else { return Vec::new() };
        match value {
            DeValue::Array(items) => items
                .into_iter()
                .filter_map(|item| {
                    let span = item.span();
                    self.table_of(key, span, item.into_inner(), faults)
                })
                .collect(),
            other => {
                let expected = format!("a list of tables, each headed [[{}]]", self.path_of(key));
                self.wrong_type(key, span, &expected, &other, faults);
                Vec::new()
            }
        }
    }

    /// Reports every key that nobody took as unknown, with advice. Call it after all keys were read.
    pub fn finish(self, faults: &mut Faults<'_>) {
        for (key, (span, _)) in &self.entries {
            let advice = did_you_mean(key, self.asked.iter().copied());
            let place = if self.path.is_empty() { "here".to_owned() } else { format!("in [{}]", self.path) };
            let advice = match advice.is_empty() {
                true => format!("; known {place}: {}", self.asked.join(", ")),
                false => advice,
            };
            faults.at(span.clone(), format!("unknown key \"{key}\"{advice}"));
        }
    }

    /// Turns a value taken by [`Table::take_rest`] into a table, or reports it.
    pub fn table_of(
        &self,
        key: &str,
        span: Range<usize>,
        value: DeValue<'i>,
        faults: &mut Faults<'_>,
    ) -> Option<Table<'i>> {
        match value {
            DeValue::Table(table) => Some(Table::new(self.path_of(key), span, table)),
            other => {
                self.wrong_type(key, span, "a table", &other, faults);
                None
            }
        }
    }

    /// Turns a value taken by [`Table::take_rest`] into a string, or reports it.
    pub fn string_of(
        &self,
        key: &str,
        span: Range<usize>,
        value: DeValue<'i>,
        faults: &mut Faults<'_>,
    ) -> Option<Spanned<String>> {
        match value {
            DeValue::String(text) => Some(Spanned::new(span, Cow::into_owned(text))),
            other => {
                self.wrong_type(key, span, "a string", &other, faults);
                None
            }
        }
    }

    /// Reports that a value is not what was expected.
    pub fn wrong_type(
        &self,
        key: &str,
        span: Range<usize>,
        expected: &str,
        found: &DeValue<'_>,
        faults: &mut Faults<'_>,
    ) {
        let found = match found {
            DeValue::String(text) => format!("\"{text}\""),
            DeValue::Integer(i) => i.as_str().to_owned(),
            DeValue::Float(f) => f.as_str().to_owned(),
            other => format!("of type {}", other.type_str()),
        };
        faults.at(span, format!("{} is {found}, must be {expected}", self.path_of(key)));
    }

    fn parse_one<T>(
        &self,
        key: &str,
        item: &Spanned<String>,
        expected: &str,
        parse: &impl Fn(&str) -> Option<T>,
        faults: &mut Faults<'_>,
    ) -> Option<T> {
        let parsed = parse(item.get_ref());
        if parsed.is_none() {
            let message = format!("{} is \"{}\", must be {expected}", self.path_of(key), item.get_ref());
            faults.at(item.span(), message);
        }
        parsed
    }
}

/// Points from a number value.
pub fn points_of(value: &DeValue<'_>) -> Option<Points> {
    let text = match value {
        DeValue::Integer(i) if i.radix() == 10 => i.as_str(),
        DeValue::Float(f) => f.as_str(),
        _ => return None,
    };
    text.replace('_', "").parse().ok().and_then(Points::from_decimal)
}

/// Reads `"500ms"`, `"8s"`, `"10m"`, `"1h"`, `"30d"`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).filter(|&at| at > 0)?;
    let number: u64 = text[..digits].parse().ok()?;
    let millis = match text[digits..].trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).filter(|&ms| ms <= 3_650 * 86_400_000).map(Duration::from_millis)
}

/// Reads `"50 MiB"`, `"64 KiB"`, `"1 GiB"`, `"10MB"`, `"512"`.
pub fn parse_size(text: &str) -> Option<usize> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: usize = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(unit)
}

fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis > 0 && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

fn size_text(bytes: usize) -> String {
    for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= size && bytes.is_multiple_of(size) {
            return format!("{} {unit}", bytes / size);
        }
    }
    format!("{bytes} B")
}

fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{super::diagnostic::SourceText, *};

    #[test]
    fn every_fault_is_reported_with_its_place_and_advice() {
        let text = "[dha]\nmode = \"enforse\"\nwindwo = \"1h\"\nlimit = -1\nwait = \"soon\"\n";
        let source = SourceText { name: "mailward.toml".into(), text: text.into() };
        let mut faults = Faults::new(&source);
        let (root, errors) = DeTable::parse_recoverable(&source.text);
        assert!(errors.is_empty());
        let mut root = Table::root(root);
        let mut dha = root.table("dha", &mut faults).expect("a table");
        let mode: String = dha.choice("mode", &["observe", "enforce"], "observe".into(), &mut faults);
        dha.duration("window", Duration::ZERO, &mut faults);
        dha.integer("limit", 1..=10, 5, &mut faults);
        dha.duration("wait", Duration::ZERO, &mut faults);
        dha.finish(&mut faults);
        root.finish(&mut faults);
        assert_eq!(mode, "observe", "the default stands in");
        let messages: Vec<String> = faults.into_diagnostics().iter().map(ToString::to_string).collect();
        assert_eq!(
            messages,
            [
                "mailward.toml:2:8: dha.mode is \"enforse\", must be one of \"observe\", \"enforce\"; did you mean \"enforce\"?",
                "mailward.toml:3:1: unknown key \"windwo\"; did you mean \"window\"?",
                "mailward.toml:4:9: dha.limit is -1, must be a whole number from 1 to 10",
                "mailward.toml:5:8: dha.wait is \"soon\", must be a duration such as \"500ms\", \"8s\", \"10m\", \"1h\" or \"30d\"",
            ]
        );
    }

    #[test]
    fn durations_and_sizes_read_with_units_only() {
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("30d"), Some(Duration::from_secs(30 * 86_400)));
        assert_eq!(parse_duration("8"), None);
        assert_eq!(parse_duration("99999999999999999999d"), None);
        assert_eq!(parse_size("50 MiB"), Some(50 << 20));
        assert_eq!(parse_size("x"), None);
    }
}
