//! `mailward directory import|sync|lookup`: what the command line does with the directory.

use super::{CACHE, Directory, FileFault, FileStats, Files, Membership, Settings, watch};
use crate::{
    lookup::{
        Deadline, Outcome,
        ldap::{Entry, Ldap},
    },
    session::Address,
    store::{Member, Store, StoreError},
};
use std::{collections::BTreeMap, path::PathBuf};

/// Why an import or sync has changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Lines of the files are faulty.
    #[error("{} faults in the files; nothing was imported", .0.len())]
    Faults(Vec<FileFault>),
    /// The server is in trouble, or gave no entry at all.
    #[error("directory server: {0}")]
    Server(String),
    /// The store refuses, or the directory would shrink too much.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a sync or import has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncReport {
    /// Addresses before.
    pub before: u64,
    /// Addresses now.
    pub after: u64,
    /// What the files held; zero for a sync.
    pub read: FileStats,
}

/// What is known about an address in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The place: `files`, `imported`, `cache`, `ldap`, `answer`.
    pub place: &'static str,
    /// What it says, for people.
    pub says: String,
}

/// Puts the recipients of CSV and LDIF files in the place of those imported before. One faulty line, and nothing
/// changes. `force`: even if more goes than [`Settings::shrink_percent`].
///
/// # Errors
///
/// If a line is faulty, the directory would shrink too much, or the store cannot be written.
pub async fn import(
    paths: &[PathBuf],
    settings: &Settings,
    store: &Store,
    force: bool,
) -> Result<SyncReport, ImportError> {
    let (files, faults) = Files::read(paths);
    if !faults.is_empty() {
        return Err(ImportError::Faults(faults));
    }
    let read = files.stats();
    replace(files.into_members(), read, settings, store, force).await
}

/// Puts all addresses of the LDAP directory in the place of those imported before.
///
/// # Errors
///
/// If the server is in trouble, the directory would shrink too much, or the store cannot be written.
pub async fn sync(
    ldap: &Ldap,
    settings: &Settings,
    store: &Store,
    force: bool,
    deadline: Deadline,
) -> Result<SyncReport, ImportError> {
    let entries = match ldap.all(deadline).await {
        Outcome::Done(entries) => entries,
        trouble => return Err(ImportError::Server(trouble.trouble().unwrap_or_default())),
    };
    let members = members_of(entries);
    if members.is_empty() && !force {
        return Err(ImportError::Server("it has no entry with an address".to_owned()));
    }
    replace(members, FileStats::default(), settings, store, force).await
}

async fn replace(
    members: Vec<Member>,
    read: FileStats,
    settings: &Settings,
    store: &Store,
    force: bool,
) -> Result<SyncReport, ImportError> {
    let before = store.replace_roster(members, (!force).then_some(settings.shrink_percent)).await?;
    Ok(SyncReport { before, after: store.roster_size().await?, read })
}

/// One member for each address of each entry.
fn members_of(entries: Vec<Entry>) -> Vec<Member> {
    let mut members = BTreeMap::new();
    for entry in entries {
        let canonical = if entry.mail.is_empty() { entry.addresses.first().cloned() } else { Some(entry.mail) };
        let Some(canonical) = canonical else { continue };
        for address in entry.addresses.iter().chain([&canonical]) {
            let Ok(address) = Address::parse(address.as_bytes()) else { continue };
            let address = address.key();
            let member =
                Member { address: address.clone(), canonical: canonical.clone(), groups: entry.groups.clone() };
            members.entry(address).or_insert(member);
        }
    }
    members.into_values().collect()
}

impl Directory {
    /// What every place says about an address, and last what the directory answers in all.
    pub async fn sightings(&self, address: &Address, now: i64, deadline: Deadline) -> Vec<Sighting> {
        let mut sightings = Vec::new();
        let candidates = self.candidates(address);
        for candidate in &candidates {
            if let Some(member) = self.files.find(candidate) {
                sightings.push(Sighting { place: "files", says: member_text(member) });
            }
            if let Outcome::Done(Some(value)) =
                self.counters.get(&format!("{CACHE}{}", candidate.key()), now, deadline).await
            {
                sightings.push(Sighting {
                    place: "cache",
                    says: format!("{}: {}", candidate.key(), watch::describe(&value)),
                });
            }
            if let Some(ldap) = &self.ldap {
                let says = match ldap.find(candidate, deadline).await {
                    Outcome::Done(Some(entry)) => {
                        format!("{}: {} [{}]", candidate.key(), entry.dn, entry.groups.join(", "))
                    }
                    Outcome::Done(None) => format!("{}: no entry", candidate.key()),
                    trouble => trouble.trouble().unwrap_or_default(),
                };
                sightings.push(Sighting { place: "ldap", says });
            }
        }
        match self.imported(&candidates, deadline).await {
            Ok(Some(member)) => sightings.push(Sighting { place: "imported", says: member_text(&member) }),
            Ok(None) => {}
            Err(says) => sightings.push(Sighting { place: "imported", says }),
        }
        let says = match self.lookup(address, now, deadline).await {
            Membership::NotOurs => "not checked: no domain of ours, or no directory".to_owned(),
            Membership::Known { canonical, groups, stale } => {
                let stale = if stale { ", from an old answer" } else { "" };
                format!("exists: {canonical} [{}]{stale}", groups.join(", "))
            }
            Membership::Unknown => "does not exist".to_owned(),
            Membership::Trouble { why, .. } => format!("cannot be told: {why}"),
        };
        sightings.push(Sighting { place: "answer", says });
        sightings
    }
}

fn member_text(member: &Member) -> String {
    format!("{}: {} [{}]", member.address, member.canonical, member.groups.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::counters::scratch;

    #[tokio::test]
    async fn an_import_replaces_all_and_refuses_faults_and_great_losses() {
        let dir = scratch("import");
        let store = Store::open(&dir, 30).expect("opened");
        let settings = Settings::default();
        let file = dir.join("people.csv");
        let write = |text: &str| std::fs::write(&file, text).expect("written");
        write("bob@x.test,Sales\neve@x.test\namy@x.test\n");
        let report = import(std::slice::from_ref(&file), &settings, &store, false).await.expect("imported");
        assert_eq!((report.before, report.after), (0, 3));
        write("bob@x.test\nnonsense\n");
        assert!(
            matches!(import(std::slice::from_ref(&file), &settings, &store, false).await, Err(ImportError::Faults(f)) if f.len() == 1)
        );
        write("bob@x.test\n");
        let refused = import(std::slice::from_ref(&file), &settings, &store, false).await;
        assert!(matches!(refused, Err(ImportError::Store(StoreError::Shrink(_)))));
        assert_eq!(store.roster_size().await.expect("read"), 3);
        assert_eq!(import(&[file], &settings, &store, true).await.expect("forced").after, 1);
        let _ = std::fs::remove_dir_all(dir);
    }

    #[test]
    fn every_address_of_an_entry_leads_to_its_main_one() {
        let entry = Entry {
            mail: "bob@x.test".to_owned(),
            addresses: vec!["b@x.test".to_owned(), "bob@x.test".to_owned(), "not an address".to_owned()],
            ..Entry::default()
        };
        let members = members_of(vec![entry, Entry::default()]);
        assert_eq!(members.iter().map(|m| m.address.as_str()).collect::<Vec<_>>(), ["b@x.test", "bob@x.test"]);
        assert!(members.iter().all(|m| m.canonical == "bob@x.test"));
    }
}
