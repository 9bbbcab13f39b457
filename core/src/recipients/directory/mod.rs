//! Which recipients exist: from files, from what was imported, and from LDAP.
//!
//! Answers of LDAP are cached in the shared counters: a fresh one is used as it is, and a positive one that is no
//! longer fresh serves while the server is in trouble. An answer "unknown" is believed only from a directory that is
//! seen to know others; see `watch`.

mod admin;
mod files;
mod watch;

pub use admin::{ImportError, Sighting, SyncReport, import, sync};
pub use files::{FileFault, FileStats, Files};

use crate::{
    lookup::{
        Deadline, Meter, OnTrouble, Outcome, Script,
        ldap::{Entry, Ldap, LdapSettings},
    },
    session::Address,
    store::{Answer, Counters, Op, Store},
    verdict::{Finding, Judgement, Points, Reply},
};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// What is known of recipients, and how it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Domains whose recipients are checked, lower case ASCII; empty: none are.
    pub domains: Vec<String>,
    /// CSV and LDIF files with recipients.
    pub files: Vec<PathBuf>,
    /// The directory server, if there is one.
    pub ldap: Option<LdapSettings>,
    /// What separates the detail of an address (`bob+news`); `None`: there are no details.
    pub delimiter: Option<char>,
    /// How long a cached "exists" is used without asking.
    pub valid: Duration,
    /// How long a cached "does not exist" is.
    pub unknown: Duration,
    /// How long a cached "exists" serves while the directory is in trouble.
    pub stale_valid: Duration,
    /// What trouble means for a recipient that no cache knows.
    pub on_trouble: OnTrouble,
    /// Share of known addresses that may be gone at once before the directory is suspected. Unit: percent.
    pub shrink_percent: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            domains: Vec::new(),
            files: Vec::new(),
            ldap: None,
            delimiter: Some('+'),
            valid: Duration::from_secs(3600),
            unknown: Duration::from_secs(600),
            stale_valid: Duration::from_secs(7 * 86_400),
            on_trouble: OnTrouble::Defer,
            shrink_percent: 20,
        }
    }
}

/// Whether a recipient exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Membership {
    /// Of no domain whose recipients are checked.
    NotOurs,
    /// Exists.
    Known {
        /// Main address of the mailbox.
        canonical: String,
        /// Lower case, sorted.
        groups: Vec<String>,
        /// From an old answer, because the directory is in trouble.
        stale: bool,
    },
    /// Does not exist.
    Unknown,
    /// Cannot be told.
    Trouble {
        /// For the log.
        why: String,
        /// The directory answers, but is suspected to have lost its entries. Harvest protection must not count then.
        suspect: bool,
    },
}

impl Membership {
    fn known(canonical: String, groups: Vec<String>) -> Self {
        Membership::Known { canonical, groups, stale: false }
    }

    /// Groups of the recipient.
    pub fn groups(&self) -> &[String] {
        if let Membership::Known { groups, .. } = self { groups } else { &[] }
    }
}

/// What a membership means for the RCPT command.
pub fn judge(membership: &Membership, settings: &Settings) -> Judgement {
    let mut judgement = Judgement::default();
    match membership {
        Membership::NotOurs | Membership::Known { stale: false, .. } => {}
        Membership::Known { stale: true, canonical, .. } => {
            let finding = Finding::new("directory.stale", Points::ZERO, "directory.ldap.cache");
            judgement.findings.push(finding.fact(canonical.clone()));
        }
        Membership::Unknown => {
            judgement.reply = Some(Reply::fixed(550, (5, 1, 1), "No such recipient here"));
            judgement.findings.push(Finding::new("directory.unknown", Points::ZERO, "RFC 3463 3.2"));
        }
        Membership::Trouble { why, suspect } => {
            let finding = Finding::new("directory.trouble", Points::ZERO, "directory.ldap.on_trouble");
            judgement.findings.push(finding.fact(why.clone()));
            judgement.reply = match (suspect, settings.on_trouble) {
                (true, _) => Some(Reply::fixed(450, (4, 1, 1), "Recipient cannot be checked, please try again later")),
                (false, OnTrouble::Defer) => {
                    Some(Reply::fixed(451, (4, 3, 0), "Recipient cannot be checked, please try again later"))
                }
                (false, OnTrouble::Skip) => None,
            };
        }
    }
    judgement
}

/// The directory of a site.
#[derive(Debug)]
pub struct Directory {
    settings: Settings,
    files: Files,
    ldap: Option<Ldap>,
    counters: Counters,
    store: Option<Arc<Store>>,
    watch: watch::Watch,
}

/// An answer of LDAP as it stands in the cache. `k` in front of the JSON marks one that exists, for sampling.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cached {
    asked: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry: Option<Found>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Found {
    canonical: String,
    groups: Vec<String>,
}

const CACHE: &str = "directory/";
/// Mark of a cached address that exists.
const EXISTS: &str = "k";
/// Mark of one that does not.
const MISSING: &str = "u";

impl Cached {
    fn read(value: &str) -> Option<Self> {
        serde_json::from_str(value.strip_prefix(EXISTS).or_else(|| value.strip_prefix(MISSING))?).ok()
    }

    fn op(&self, address: &str, settings: &Settings) -> Op {
        let (mark, keep) = match self.entry {
            Some(_) => (EXISTS, settings.stale_valid.max(settings.valid)),
            None => (MISSING, settings.unknown),
        };
        let json = serde_json::to_string(self).unwrap_or_default();
        let expires = self.asked.saturating_add(seconds(keep));
        Op::Put { key: format!("{CACHE}{address}"), value: format!("{mark}{json}"), expires }
    }

    fn is_fresh(&self, now: i64, settings: &Settings) -> bool {
        let age = now.saturating_sub(self.asked);
        age < seconds(if self.entry.is_some() { settings.valid } else { settings.unknown })
    }
}

impl Directory {
    /// Reads the files and makes ready to ask. Faults of the files are logged and given; lines without fault count.
    pub fn open(settings: Settings, counters: Counters, store: Option<Arc<Store>>) -> (Self, Vec<FileFault>) {
        let ldap = settings.ldap.clone().map(Ldap::new);
        Self::with_ldap(settings, ldap, counters, store)
    }

    /// A directory that a script answers for, in place of files and server.
    pub fn scripted(settings: Settings, script: Arc<Script>, counters: Counters) -> (Self, Vec<FileFault>) {
        let ldap = Ldap::scripted(move |key| script.entry(key));
        Self::with_ldap(Settings { files: Vec::new(), ..settings }, Some(ldap), counters, None)
    }

    /// The same with a directory server given, for tests.
    pub fn with_ldap(
        settings: Settings,
        ldap: Option<Ldap>,
        counters: Counters,
        store: Option<Arc<Store>>,
    ) -> (Self, Vec<FileFault>) {
        let (files, faults) = Files::read(&settings.files);
        for fault in &faults {
            tracing::warn!("directory: {fault}");
        }
        (Directory { settings, files, ldap, counters, store, watch: watch::Watch::default() }, faults)
    }

    /// Counts its questions to the server there.
    #[must_use]
    pub fn metered(self, meter: &Meter) -> Self {
        Directory { ldap: self.ldap.map(|ldap| ldap.metered(meter)), ..self }
    }

    /// Whether the recipient exists: the full address first, then without its detail.
    pub async fn lookup(&self, address: &Address, now: i64, deadline: Deadline) -> Membership {
        if address.domain.is_empty() {
            return Membership::known(address.key(), Vec::new());
        }
        if !self.settings.domains.contains(&address.domain) {
            return Membership::NotOurs;
        }
        let candidates = self.candidates(address);
        if let Some(member) = candidates.iter().find_map(|a| self.files.find(a)) {
            return Membership::known(member.canonical.clone(), member.groups.clone());
        }
        let always = address.is_postmaster_or_abuse();
        let found = match &self.ldap {
            // A place of twenty kilobytes, which sites without LDAP need not carry around.
            Some(ldap) => Box::pin(self.ask_ldap(ldap, &candidates, now, deadline)).await,
            None => self.without_ldap(&candidates, deadline).await,
        };
        match found {
            Membership::Known { .. } => found,
            _ if always => Membership::known(address.key(), Vec::new()),
            other => other,
        }
    }

    /// Why the directory is suspected to have lost its entries, if it is. To be asked before recipients that the MTA
    /// refused are counted as a harvest: the MTA may ask the same directory.
    pub async fn suspect(&self, now: i64, deadline: Deadline) -> Option<String> {
        match &self.ldap {
            Some(ldap) => Box::pin(self.check(ldap, false, now, deadline)).await,
            None => self.files.trouble(),
        }
    }

    /// Whether the directory server finds an entry by a filter that tells as what a user may send. Without a server: no.
    pub async fn may_send_as(&self, filter: &str, login: &str, address: &Address, deadline: Deadline) -> Outcome<bool> {
        match &self.ldap {
            Some(ldap) => Box::pin(ldap.may_send_as(filter, login, address, deadline)).await,
            None => Outcome::Done(false),
        }
    }

    /// An address, and the same without its detail if it has one.
    pub fn candidates(&self, address: &Address) -> Vec<Address> {
        let plain = self.settings.delimiter.and_then(|d| address.without_detail(d));
        [Some(address.clone()), plain].into_iter().flatten().collect()
    }

    async fn without_ldap(&self, candidates: &[Address], deadline: Deadline) -> Membership {
        match self.imported(candidates, deadline).await {
            Ok(Some(member)) => Membership::known(member.canonical, member.groups),
            Ok(None) => match self.files.trouble() {
                Some(why) => Membership::Trouble { why, suspect: true },
                None if self.files.is_empty() && !self.has_imported(deadline).await => Membership::NotOurs,
                None => Membership::Unknown,
            },
            Err(why) => Membership::Trouble { why, suspect: false },
        }
    }

    async fn imported(
        &self,
        candidates: &[Address],
        deadline: Deadline,
    ) -> Result<Option<crate::store::Member>, String> {
        let Some(store) = &self.store else { return Ok(None) };
        let mut keys: Vec<String> = candidates.iter().map(Address::key).collect();
        keys.extend(candidates.first().map(|a| format!("@{}", a.domain)));
        match deadline.bound(store.find_member(keys)).await {
            Outcome::Done(Ok(found)) => Ok(found),
            Outcome::Done(Err(error)) => Err(error.to_string()),
            trouble => Err(trouble.trouble().unwrap_or_default()),
        }
    }

    async fn has_imported(&self, deadline: Deadline) -> bool {
        match &self.store {
            Some(store) => matches!(deadline.bound(store.roster_size()).await, Outcome::Done(Ok(size)) if size > 0),
            None => false,
        }
    }

    async fn ask_ldap(&self, ldap: &Ldap, candidates: &[Address], now: i64, deadline: Deadline) -> Membership {
        let cached = self.cached(candidates, now, deadline).await;
        let mut flipped = false;
        let mut trouble = None;
        let mut missing = Vec::new();
        for (address, cached) in candidates.iter().zip(&cached) {
            if let Some(cached) = cached.as_ref().filter(|c| c.is_fresh(now, &self.settings)) {
                match &cached.entry {
                    Some(found) => return Membership::known(found.canonical.clone(), found.groups.clone()),
                    None => continue,
                }
            }
            match ldap.find(address, deadline).await {
                Outcome::Done(Some(entry)) => {
                    let found = self.remember(address, entry, now, deadline).await;
                    return Membership::known(found.canonical, found.groups);
                }
                Outcome::Done(None) => {
                    flipped |= cached.as_ref().is_some_and(|c| c.entry.is_some());
                    missing.push(address);
                }
                other => trouble = trouble.or(other.trouble()),
            }
        }
        let suspicion = match &trouble {
            None => self.check(ldap, flipped, now, deadline).await,
            Some(_) => None,
        };
        let suspect = suspicion.is_some();
        let Some(why) = suspicion.or(trouble) else {
            self.forget(&missing, now, deadline).await;
            return Membership::Unknown;
        };
        if let Some(found) = cached.into_iter().flatten().find_map(|c| c.entry) {
            return Membership::Known { canonical: found.canonical, groups: found.groups, stale: true };
        }
        match self.imported(candidates, deadline).await {
            Ok(Some(member)) => Membership::Known { canonical: member.canonical, groups: member.groups, stale: true },
            _ => Membership::Trouble { why, suspect },
        }
    }

    async fn cached(&self, addresses: &[Address], now: i64, deadline: Deadline) -> Vec<Option<Cached>> {
        let ops = addresses.iter().map(|a| Op::Get { key: format!("{CACHE}{}", a.key()) }).collect();
        match self.counters.apply(now, ops, deadline).await {
            Outcome::Done(answers) => answers.iter().map(|a| Answer::value(a).and_then(Cached::read)).collect(),
            _ => vec![None; addresses.len()],
        }
    }

    async fn remember(&self, address: &Address, entry: Entry, now: i64, deadline: Deadline) -> Found {
        let canonical = if entry.mail.is_empty() { address.key() } else { entry.mail };
        let found = Found { canonical, groups: entry.groups };
        let cached = Cached { asked: now, entry: Some(found.clone()) };
        self.counters.apply(now, vec![cached.op(&address.key(), &self.settings)], deadline).await;
        found
    }

    async fn forget(&self, addresses: &[&Address], now: i64, deadline: Deadline) {
        if addresses.is_empty() {
            return;
        }
        let cached = Cached { asked: now, entry: None };
        let ops = addresses.iter().map(|a| cached.op(&a.key(), &self.settings)).collect();
        self.counters.apply(now, ops, deadline).await;
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
