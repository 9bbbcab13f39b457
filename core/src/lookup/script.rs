//! What a policy case answers with in place of the network: DNS, the directory and clamd, and what learned checks find.
//!
//! A script notes what was asked of it, so that an answer which nobody wanted can be told.

use super::{
    Outcome,
    clamd::ClamdAnswer,
    dns::{Asked, Trouble, Zone},
    ldap::Entry,
};
use crate::verdict::Finding;
use std::collections::BTreeMap;

/// The answers of one case. The default knows no name in DNS, every recipient, and no malware.
#[derive(Debug, Default)]
pub struct Script {
    /// DNS.
    pub zone: Zone,
    /// The directory by address, in the form of `Address::key`; `None`: every recipient exists and is in no group.
    pub directory: Option<BTreeMap<String, Listed>>,
    /// What clamd says about every message; `None`: nothing is found.
    pub clamd: Option<Outcome<ClamdAnswer>>,
    /// What checks find that judge by what a site has learned; it is put on the card of every message.
    pub findings: Vec<Finding>,
    /// What was asked of directory and clamd; the zone notes it itself.
    pub asked: Asked,
}

/// What a scripted directory says about an address. One that is not listed does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// It exists and is in these groups, in lower case.
    Known(Vec<String>),
    /// The question fails.
    Trouble(Trouble),
}

impl Script {
    /// The entry of an address; `*` asks for any entry at all.
    pub(crate) fn entry(&self, key: &str) -> Outcome<Option<Entry>> {
        let known = |groups: &[String]| {
            let groups = groups.to_vec();
            Outcome::Done(Some(Entry { mail: key.to_owned(), groups, ..Entry::default() }))
        };
        let Some(directory) = self.directory.as_ref().filter(|_| key != "*") else { return known(&[]) };
        self.asked.note(key);
        match directory.get(key) {
            Some(Listed::Known(groups)) => known(groups),
            Some(Listed::Trouble(trouble)) => trouble.outcome(),
            None => Outcome::Done(None),
        }
    }

    /// What clamd says.
    pub(crate) fn clamd(&self) -> Outcome<ClamdAnswer> {
        self.asked.note(CLAMD);
        self.clamd.clone().unwrap_or(Outcome::Done(ClamdAnswer::Clean))
    }

    /// The answers that nobody has asked for, each as `place: name`.
    pub fn unasked(&self) -> Vec<String> {
        let dns = self.zone.unasked().into_iter().map(|name| format!("dns: {name}"));
        let addresses = self.directory.iter().flat_map(BTreeMap::keys).filter(|key| !self.asked.has(key));
        let directory = addresses.map(|key| format!("directory: {key}"));
        let clamd = self.clamd.iter().filter(|_| !self.asked.has(CLAMD)).map(|_| CLAMD.to_owned());
        dns.chain(directory).chain(clamd).collect()
    }
}

/// No address is called so.
const CLAMD: &str = "clamd";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_nobody_asked_for_is_told() {
        let zone = Zone::parse("a.test A 192.0.2.1\n*.list.test A 127.0.0.2\n192.0.2.9 PTR b.test").expect("a zone");
        let bob = ("bob@a.test".to_owned(), Listed::Known(vec!["board".to_owned()]));
        let eve = ("eve@a.test".to_owned(), Listed::Trouble(Trouble::Timeout));
        let script =
            Script { zone, directory: Some([bob, eve].into()), clamd: Some(Outcome::TimedOut), ..Script::default() };
        let all =
            ["dns: *.list.test", "dns: a.test", "dns: 192.0.2.9", "directory: bob@a.test", "directory: eve@a.test"];
        assert_eq!(script.unasked(), all.iter().chain([&"clamd"]).map(ToString::to_string).collect::<Vec<_>>());

        assert_eq!(script.entry("eve@a.test"), Outcome::TimedOut);
        assert_eq!(script.entry("nobody@a.test"), Outcome::Done(None));
        assert!(matches!(script.entry("bob@a.test"), Outcome::Done(Some(entry)) if entry.groups == ["board"]));
        assert!(matches!(script.entry("*"), Outcome::Done(Some(_))), "it is not empty");
        assert_eq!(script.clamd(), Outcome::TimedOut);
        let _ = script.zone.find("2.0.0.127.list.test");
        assert_eq!(script.unasked(), ["dns: a.test", "dns: 192.0.2.9"]);
    }

    #[test]
    fn an_empty_script_knows_every_recipient_and_no_malware() {
        let script = Script::default();
        assert!(matches!(script.entry("bob@a.test"), Outcome::Done(Some(_))));
        assert_eq!(script.clamd(), Outcome::Done(ClamdAnswer::Clean));
        assert!(script.unasked().is_empty());
    }
}
