//! A scripted DNS: what policy cases and unit tests answer with instead of the network.

use crate::lookup::Outcome;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// Names with their records, read from text. One line is one record; `#` starts a comment line:
///
/// ```text
/// example.com A 192.0.2.1
/// example.com MX 10 mx.example.com
/// example.com TXT v=spf1 ip4:192.0.2.0/24 -all
/// 192.0.2.1 PTR mail.example.com
/// *.list.example A 127.0.0.2
/// broken.example SERVFAIL
/// slow.example TIMEOUT
/// * SERVFAIL
/// ```
///
/// A name that is not listed does not exist, unless a last line `* SERVFAIL` or `* TIMEOUT` says otherwise. A wildcard
/// `*.x` answers for all names below `x`; SPF, DKIM and DMARC do not see wildcards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone {
    names: BTreeMap<String, Entry>,
    pointers: BTreeMap<IpAddr, Pointer>,
    unlisted: Option<Trouble>,
    asked: Asked,
}

/// Which answers of a script were asked for. Clones note it in one place.
#[derive(Debug, Clone, Default)]
pub struct Asked(Arc<Mutex<BTreeSet<String>>>);

impl PartialEq for Asked {
    /// What was asked is no part of what a zone says.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Asked {}

impl Asked {
    /// Notes the name of an answer: that in DNS stands without the final dot.
    pub fn note(&self, name: &str) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked.contains(name) {
            asked.insert(name.to_owned());
        }
    }

    pub(in crate::lookup) fn has(&self, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }
}

/// The records of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// IPv4 addresses.
    pub a: Vec<Ipv4Addr>,
    /// IPv6 addresses.
    pub aaaa: Vec<Ipv6Addr>,
    /// Texts.
    pub txt: Vec<String>,
    /// Mail exchangers with their preference.
    pub mx: Vec<(u16, String)>,
    /// Set if every question for this name fails.
    pub trouble: Option<Trouble>,
}

/// The names of one address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pointer {
    /// Host names.
    pub names: Vec<String>,
    /// Set if the question fails.
    pub trouble: Option<Trouble>,
}

/// How a scripted question fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The server says that it failed.
    ServFail,
    /// No answer comes; the script does not wait for it.
    Timeout,
}

/// What a zone knows about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'z> {
    /// It has this entry.
    Listed(&'z Entry),
    /// It does not exist.
    Absent,
    /// The question fails.
    Trouble(Trouble),
}

impl Trouble {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "SERVFAIL" => Some(Trouble::ServFail),
            "TIMEOUT" => Some(Trouble::Timeout),
            _ => None,
        }
    }

    pub(in crate::lookup) fn outcome<T>(self) -> Outcome<T> {
        match self {
            Trouble::ServFail => Outcome::Unavailable { why: "scripted SERVFAIL".to_owned() },
            Trouble::Timeout => Outcome::TimedOut,
        }
    }
}

impl Found<'_> {
    pub(super) fn records<T>(self, of: impl Fn(&Entry) -> Vec<T>) -> Outcome<Vec<T>> {
        match self {
            Found::Trouble(trouble) => trouble.outcome(),
            Found::Listed(entry) => entry.trouble.map_or_else(|| Outcome::Done(of(entry)), Trouble::outcome),
            Found::Absent => Outcome::Done(Vec::new()),
        }
    }
}

impl Zone {
    /// Reads a zone.
    ///
    /// # Errors
    ///
    /// One message for each line that is not understood, with its number.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let mut zone = Zone::default();
        let mut faults = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty()
                && !line.starts_with('#')
                && let Err(why) = zone.add(line)
            {
                faults.push(format!("line {}: {why}", index + 1));
            }
        }
        if faults.is_empty() { Ok(zone) } else { Err(faults) }
    }

    /// What is known about a name.
    pub fn find(&self, name: &str) -> Found<'_> {
        let name = normal(name);
        if let Some(entry) = self.names.get(&name) {
            self.asked.note(&name);
            return Found::Listed(entry);
        }
        let mut rest = name.as_str();
        while let Some((_, parent)) = rest.split_once('.') {
            let wildcard = format!("*.{parent}");
            if let Some(entry) = self.names.get(&wildcard) {
                self.asked.note(&wildcard);
                return Found::Listed(entry);
            }
            rest = parent;
        }
        self.unlisted.map_or(Found::Absent, Found::Trouble)
    }

    /// All names with their entries, in order; lower case without the final dot.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.names.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// All addresses that have names.
    pub fn pointers(&self) -> impl Iterator<Item = (IpAddr, &Pointer)> {
        self.pointers.iter().map(|(&ip, pointer)| (ip, pointer))
    }

    /// The names and addresses that have an entry for which nobody has asked.
    pub fn unasked(&self) -> Vec<String> {
        let names = self.names.keys().cloned();
        names.chain(self.pointers.keys().map(IpAddr::to_string)).filter(|name| !self.asked.has(name)).collect()
    }

    /// Where it is noted what was asked.
    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// What happens to questions for names that are not listed; `None`: they do not exist.
    pub fn unlisted(&self) -> Option<Trouble> {
        self.unlisted
    }

    pub(super) fn pointer(&self, ip: IpAddr) -> Outcome<Vec<String>> {
        match self.pointers.get(&ip) {
            Some(pointer) => {
                self.asked.note(&ip.to_string());
                pointer.trouble.map_or_else(|| Outcome::Done(pointer.names.clone()), Trouble::outcome)
            }
            None => self.unlisted.map_or(Outcome::Done(Vec::new()), Trouble::outcome),
        }
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let (name, rest) = line.split_once(char::is_whitespace).ok_or("expected: name TYPE value")?;
        let (kind, value) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
        let value = value.trim();
        let trouble = Trouble::parse(kind);
        if name == "*" {
            self.unlisted = Some(trouble.ok_or("only SERVFAIL or TIMEOUT may follow *")?);
            return Ok(());
        }
        if let Ok(ip) = name.parse::<IpAddr>() {
            let pointer = self.pointers.entry(ip).or_default();
            match (kind, trouble) {
                (_, Some(_)) => pointer.trouble = trouble,
                ("PTR", _) if !value.is_empty() => pointer.names.push(normal(value)),
                _ => return Err("an address takes PTR with a name, SERVFAIL or TIMEOUT".to_owned()),
            }
            return Ok(());
        }
        let entry = self.names.entry(normal(name)).or_default();
        match (kind, trouble) {
            (_, Some(_)) => entry.trouble = trouble,
            ("A", _) => entry.a.push(value.parse().map_err(|_| format!("\"{value}\" is not an IPv4 address"))?),
            ("AAAA", _) => entry.aaaa.push(value.parse().map_err(|_| format!("\"{value}\" is not an IPv6 address"))?),
            ("TXT", _) => entry.txt.push(unquoted(value)),
            ("MX", _) => {
                let (preference, host) = value.split_once(char::is_whitespace).ok_or("expected: name MX 10 host")?;
                let preference = preference.parse().map_err(|_| format!("\"{preference}\" is not a preference"))?;
                entry.mx.push((preference, normal(host.trim())));
            }
            _ => {
                return Err(format!(
                    "\"{kind}\" is not one of A, AAAA, MX, PTR (of an address), TXT, SERVFAIL, TIMEOUT"
                ));
            }
        }
        Ok(())
    }
}

fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// `"one" "two"` is `onetwo`; text without quotes stands for itself.
fn unquoted(value: &str) -> String {
    if !value.starts_with('"') {
        return value.to_owned();
    }
    value.split('"').skip(1).step_by(2).collect()
}
