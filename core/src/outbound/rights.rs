//! May this user send under that name.

use super::settings::{Mode, RightsSettings};
use crate::{
    lookup::{Deadline, Outcome},
    recipients::directory::Directory,
    session::Address,
    verdict::{Finding, Points, Reply},
};
use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

/// Every user, in the map.
const EVERYBODY: &str = "*";

/// The rights of all users.
#[derive(Debug, Default)]
pub struct Rights {
    settings: RightsSettings,
    granted: HashMap<String, Names>,
}

/// Under which names a user may send.
#[derive(Debug, Default)]
struct Names {
    any: bool,
    /// As [`Address::key`] gives them.
    addresses: HashSet<String>,
    domains: HashSet<String>,
    /// Domains whose subdomains are meant.
    parents: HashSet<String>,
}

impl Rights {
    /// Reads the map.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with file and line.
    pub fn load(settings: RightsSettings) -> Result<Self, Vec<String>> {
        let granted = match &settings.map {
            Some(file) if settings.mode != Mode::Off => read(file)?,
            _ => HashMap::new(),
        };
        Ok(Rights { settings, granted })
    }

    /// The settings.
    pub fn settings(&self) -> &RightsSettings {
        &self.settings
    }

    /// Whether a user may send as an address: it is his login, the map says so, or the directory does.
    pub async fn ask(
        &self,
        directory: &Directory,
        login: &str,
        address: &Address,
        deadline: Deadline,
    ) -> Outcome<bool> {
        let candidates = directory.candidates(address);
        if self.knows(login, &candidates) {
            return Outcome::Done(true);
        }
        for candidate in &candidates {
            let Some(filter) = &self.settings.ldap_filter else { break };
            match directory.may_send_as(filter, login, candidate, deadline).await {
                Outcome::Done(false) => {}
                other => return other,
            }
        }
        Outcome::Done(false)
    }

    /// Whether login or map allow an address, given with and without its detail.
    fn knows(&self, login: &str, candidates: &[Address]) -> bool {
        let login = login.to_lowercase();
        let keys: Vec<String> = candidates.iter().map(Address::key).collect();
        let is_login = |key: &String| {
            *key == login
                || self.settings.login_domain.as_ref().is_some_and(|domain| *key == format!("{login}@{domain}"))
        };
        keys.iter().any(is_login)
            || [login.as_str(), EVERYBODY].into_iter().filter_map(|user| self.granted.get(user)).any(|names| {
                names.any
                    || keys.iter().any(|key| names.addresses.contains(key))
                    || candidates
                        .iter()
                        .any(|of| names.domains.contains(&of.domain) || names.holds_parent_of(&of.domain))
            })
    }

    /// What follows for a message of which not the whole header is here, so that not all authors are known. `limit` is what
    /// was crossed, `reply` what the client hears if the rights are enforced.
    pub fn judge_unseen(&self, limit: &str, reply: Reply) -> (Finding, Option<Reply>) {
        let finding = Finding::new("outbound.rights-trouble", Points::ZERO, "[outbound.rights]").fact(limit);
        (finding, (self.settings.mode == Mode::Enforce).then_some(reply))
    }

    /// What follows for a command or message that names an address: a finding, and a reply if the rights are enforced.
    /// `what` is the end of the finding's name.
    pub fn judge(
        &self,
        what: Named,
        login: &str,
        address: &str,
        allowed: &Outcome<bool>,
    ) -> Option<(Finding, Option<Reply>)> {
        let enforced = self.settings.mode == Mode::Enforce;
        let finding = |id: &'static str| Finding::new(id, Points::ZERO, "[outbound.rights]");
        match allowed {
            Outcome::Done(true) => None,
            Outcome::Done(false) => {
                let (id, text) = match what {
                    Named::Sender => ("outbound.sender-not-allowed", "This account may not send from this address"),
                    Named::Author => ("outbound.author-not-allowed", "This account may not write as this author"),
                };
                let finding = finding(id).fact(format!("{login} as {address}"));
                Some((finding, enforced.then(|| Reply::fixed(550, (5, 7, 1), text))))
            }
            trouble => {
                let finding = finding("outbound.rights-trouble").fact(trouble.trouble().unwrap_or_default());
                let defer = enforced && self.settings.on_trouble == crate::lookup::OnTrouble::Defer;
                let text = "Sender address cannot be checked, please try again later";
                Some((finding, defer.then(|| Reply::fixed(451, (4, 3, 0), text))))
            }
        }
    }
}

/// Where an address was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// In MAIL.
    Sender,
    /// In the From field.
    Author,
}

impl Names {
    fn holds_parent_of(&self, domain: &str) -> bool {
        !self.parents.is_empty()
            && domain.match_indices('.').any(|(at, _)| domain.get(at + 1..).is_some_and(|d| self.parents.contains(d)))
    }

    /// Adds what stands on a line: `*`, `alice@example.com`, `example.com`, `*@example.com` or `*.example.com`.
    fn add(&mut self, name: &str) -> bool {
        let domain = |text: &str| Address::parse(format!("x@{text}").as_bytes()).ok().map(|address| address.domain);
        if name == "*" {
            self.any = true;
            return true;
        }
        if let Some(parent) = name.strip_prefix("*.") {
            return domain(parent).map(|domain| self.parents.insert(domain)).is_some();
        }
        let whole = name.strip_prefix("*@").or_else(|| name.strip_prefix('@'));
        if let Some(whole) = whole.or_else(|| (!name.contains('@')).then_some(name)) {
            return domain(whole).map(|domain| self.domains.insert(domain)).is_some();
        }
        Address::parse(name.as_bytes()).map(|address| self.addresses.insert(address.key())).is_ok()
    }
}

fn read(file: &Path) -> Result<HashMap<String, Names>, Vec<String>> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| vec![format!("outbound.rights.map: {shown}: {error}")])?;
    let mut granted: HashMap<String, Names> = HashMap::new();
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
        if line.is_empty() {
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        let (Some(login), Some(name), None) = (words.next(), words.next(), words.next()) else {
            let form = "must be a login, blanks, and an address or domain, such as \"alice sales@example.com\"";
            faults.push(format!("{shown}:{}: {form}", number + 1));
            continue;
        };
        if !granted.entry(login.to_lowercase()).or_default().add(name) {
            let form = "must be an address, a domain, \"*.example.com\" or \"*\"";
            faults.push(format!("{shown}:{}: \"{name}\" {form}", number + 1));
        }
    }
    if faults.is_empty() { Ok(granted) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        lookup::{
            OnTrouble,
            ldap::{Entry, Ldap},
        },
        recipients::directory,
        store::{Counters, counters::scratch},
    };
    use std::time::Duration;

    type LdapAnswer = Outcome<Option<Entry>>;

    fn rights(mode: Mode, map: &str) -> Rights {
        let file = scratch("rights").join("map");
        std::fs::write(&file, map).expect("written");
        let settings =
            RightsSettings { mode, map: Some(file), login_domain: Some("x.test".into()), ..RightsSettings::default() };
        Rights::load(settings).expect("a map")
    }

    #[test]
    fn users_may_send_as_themselves_and_as_the_map_says() {
        let rights = rights(
            Mode::Enforce,
            "# who may send as whom\nalice sales@x.test # shared\nAlice *@y.test\ncarol z.test\ndave *.w.test\nroot *\n\
             * noreply@x.test\n",
        );
        let directory = directory(Some('+'), |_| Outcome::Done(None));
        let may = |login: &str, address: &str| {
            rights.knows(login, &directory.candidates(&Address::parse(address.as_bytes()).expect("an address")))
        };
        for (login, address) in [
            ("alice", "Alice@X.test"),
            ("alice", "alice+news@x.test"),
            ("bob@y.test", "bob@y.test"),
            ("ALICE", "Sales@x.test"),
            ("alice", "sales+q3@x.test"),
            ("alice", "anyone@y.test"),
            ("carol", "anyone@z.test"),
            ("dave", "x@a.b.w.test"),
            ("root", "x@anywhere.test"),
            ("bob", "noreply@x.test"),
        ] {
            assert!(may(login, address), "{login} as {address}");
        }
        for (login, address) in [
            ("alice", "bob@x.test"),
            ("bob", "sales@x.test"),
            ("alice", "x@sub.y.test"),
            ("dave", "x@w.test"),
            ("dave", "x@notw.test"),
            ("bob@y.test", "bob@x.test"),
            ("mallory", "alice@x.test"),
        ] {
            assert!(!may(login, address), "{login} as {address}");
        }
    }

    fn directory(delimiter: Option<char>, script: impl Fn(&str) -> LdapAnswer + Send + Sync + 'static) -> Directory {
        let settings = directory::Settings { delimiter, ..directory::Settings::default() };
        Directory::with_ldap(settings, Some(Ldap::scripted(script)), Counters::in_memory(), None).0
    }

    #[tokio::test]
    async fn the_directory_is_asked_for_the_address_and_then_without_its_detail() {
        let filter = "(&(uid={login})(mail={address}))".to_owned();
        let settings = RightsSettings { mode: Mode::Enforce, ldap_filter: Some(filter), ..RightsSettings::default() };
        let rights = Rights::load(settings).expect("no map");
        let ask = async |delimiter, address: &str| {
            let directory = directory(delimiter, |filter| match filter {
                "(&(uid=alice)(mail=alice@x.test))" => Outcome::Done(Some(Entry::default())),
                "(&(uid=alice)(mail=late@x.test))" => Outcome::TimedOut,
                _ => Outcome::Done(None),
            });
            let address = Address::parse(address.as_bytes()).expect("an address");
            rights.ask(&directory, "alice", &address, Deadline::after(Duration::from_secs(5))).await
        };
        for (delimiter, address, allowed) in [
            (Some('+'), "alice@x.test", Outcome::Done(true)),
            (Some('+'), "alice+news@x.test", Outcome::Done(true)),
            (Some('+'), "alice-news@x.test", Outcome::Done(false)),
            (Some('-'), "alice-news@x.test", Outcome::Done(true)),
            (Some('-'), "alice+news@x.test", Outcome::Done(false)),
            (None, "alice+news@x.test", Outcome::Done(false)),
            (Some('+'), "boss+news@x.test", Outcome::Done(false)),
            (Some('+'), "late+news@x.test", Outcome::TimedOut),
        ] {
            assert_eq!(ask(delimiter, address).await, allowed, "{delimiter:?} {address}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_found_and_refused_only_when_enforced() {
        let no = Outcome::Done(false);
        let judged = |mode, what, allowed: &Outcome<bool>| {
            let judged = rights(mode, "").judge(what, "alice", "boss@x.test", allowed);
            judged.map(|(finding, reply)| (finding.id.to_string(), reply.map(|reply| reply.code())))
        };
        let id = |id: &str, code| Some((id.to_owned(), code));
        assert_eq!(judged(Mode::Enforce, Named::Sender, &no), id("outbound.sender-not-allowed", Some(550)));
        assert_eq!(judged(Mode::Enforce, Named::Author, &no), id("outbound.author-not-allowed", Some(550)));
        assert_eq!(judged(Mode::Observe, Named::Sender, &no), id("outbound.sender-not-allowed", None));
        assert_eq!(judged(Mode::Enforce, Named::Sender, &Outcome::Done(true)), None);
        let late = Outcome::TimedOut;
        assert_eq!(judged(Mode::Enforce, Named::Sender, &late), id("outbound.rights-trouble", Some(451)));
        let settings = RightsSettings { on_trouble: OnTrouble::Skip, mode: Mode::Enforce, ..RightsSettings::default() };
        let lenient = Rights::load(settings).expect("no map");
        assert_eq!(lenient.judge(Named::Sender, "a", "b", &late).map(|(_, reply)| reply), Some(None));
    }

    #[test]
    fn faults_of_the_map_are_named_with_their_line() {
        let file = scratch("rights-faults").join("map");
        std::fs::write(&file, "alice\nalice a b\nalice a@b@c\n").expect("written");
        let load = |map| Rights::load(RightsSettings { mode: Mode::Observe, map: Some(map), ..Default::default() });
        let faults = load(file.clone()).expect_err("faults");
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults.iter().zip(1..).all(|(fault, line)| fault.contains(&format!("map:{line}: "))), "{faults:?}");
        assert!(load(file.with_file_name("none")).expect_err("no file")[0].contains("outbound.rights.map"));
    }
}
