//! Asking an LDAP directory who an address belongs to (RFC 4511).
//!
//! One multiplexed connection serves all lookups; it is opened at first use, opened again after it broke, and moved to
//! the next URL when a server does not answer. Only a clean "success" with or without an entry is an answer:
//! noSuchObject, referrals, size limits and garbage are trouble, because a directory that was moved or emptied says
//! the same.

mod connection;
mod reply;
mod settings;

pub use reply::group_name;
pub use settings::{LdapSettings, Password, Schema};

use super::{Deadline, Meter, Outcome, meter::Service};
use crate::session::Address;
use connection::Connections;
use ldap3::{Scope, SearchOptions, SearchResult, adapters::EntriesOnly, adapters::PagedResults, ldap_escape};
use reply::Found;
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// Most entries read for one address. Unit: entries. Source: our own limit; more than a few means a wrong filter.
const ENTRIES: i32 = 20;
/// Entries of a page when the whole directory is read. Source: Active Directory gives at most 1,000 (MaxPageSize).
const PAGE: i32 = 500;

/// A mailbox or list in the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Distinguished name.
    pub dn: String,
    /// Main address, lower case; empty if the entry has none.
    pub mail: String,
    /// Names of its groups, lower case, sorted.
    pub groups: Vec<String>,
    /// All its addresses, lower case, sorted.
    pub addresses: Vec<String>,
}

/// Handle of a directory; clones share one connection.
#[derive(Clone)]
pub struct Ldap(Arc<Kind>, Meter);

type Script = dyn Fn(&str) -> Outcome<Option<Entry>> + Send + Sync;

enum Kind {
    Live(Box<Connections>),
    Scripted(Box<Script>),
}

impl fmt::Debug for Ldap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self.0 {
            Kind::Live(_) => "Ldap",
            Kind::Scripted(_) => "Ldap(scripted)",
        })
    }
}

impl Ldap {
    /// A directory server. Nothing is connected before the first question.
    pub fn new(settings: LdapSettings) -> Self {
        Ldap(Arc::new(Kind::Live(Box::new(Connections::new(settings)))), Meter::default())
    }

    /// Counts its questions there.
    #[must_use]
    pub fn metered(self, meter: &Meter) -> Self {
        Ldap(self.0, meter.clone())
    }

    /// A directory that answers from `script`, which gets the address in the form of [`Address::key`], `*` when it
    /// is asked for any entry at all, or the filter when it is asked what a user may send as.
    pub fn scripted(script: impl Fn(&str) -> Outcome<Option<Entry>> + Send + Sync + 'static) -> Self {
        Ldap(Arc::new(Kind::Scripted(Box::new(script))), Meter::default())
    }

    /// The entry that an address belongs to.
    pub async fn find(&self, address: &Address, deadline: Deadline) -> Outcome<Option<Entry>> {
        match &*self.0 {
            Kind::Scripted(script) => script(&address.key()),
            Kind::Live(connections) => {
                let filter = connections.settings.filter_for(address);
                let search = connections.ask(deadline, |ldap| search(&connections.settings, ldap, &filter, ENTRIES));
                self.1.ask(Service::Ldap, search).await
            }
        }
    }

    /// Whether the directory has any entry with an address: how an emptied one is told from one without this address.
    pub async fn has_any(&self, deadline: Deadline) -> Outcome<bool> {
        match &*self.0 {
            Kind::Scripted(script) => script("*").map(|entry| entry.is_some()),
            Kind::Live(connections) => {
                let filter = connections.settings.filter_for_all();
                let search = connections.ask(deadline, |ldap| any(&connections.settings, ldap, &filter));
                self.1.ask(Service::Ldap, search).await
            }
        }
    }

    /// Whether an entry passes a filter that is filled in for a login and an address.
    pub async fn may_send_as(
        &self,
        template: &str,
        login: &str,
        address: &Address,
        deadline: Deadline,
    ) -> Outcome<bool> {
        let filter = LdapSettings::filter_of_user(template, login, address);
        match &*self.0 {
            Kind::Scripted(script) => script(&filter).map(|entry| entry.is_some()),
            Kind::Live(connections) => {
                let search = connections.ask(deadline, |ldap| any(&connections.settings, ldap, &filter));
                self.1.ask(Service::Ldap, search).await
            }
        }
    }

    /// All entries with an address, for `mailward directory sync`.
    pub async fn all(&self, deadline: Deadline) -> Outcome<Vec<Entry>> {
        match &*self.0 {
            Kind::Scripted(_) => Outcome::Unavailable { why: "a scripted directory cannot be listed".to_owned() },
            Kind::Live(connections) => {
                let filter = connections.settings.filter_for_all();
                connections.ask_long(deadline, |ldap| list(connections.settings.clone(), ldap, filter.clone())).await
            }
        }
    }
}

/// Why an operation gave no answer.
enum Trouble {
    /// The connection is of no more use.
    Broken(String),
    /// The server has answered, but with something that is no answer.
    Refused(String),
}

impl From<ldap3::LdapError> for Trouble {
    fn from(error: ldap3::LdapError) -> Self {
        match error {
            ldap3::LdapError::FilterParsing => Trouble::Refused("the search filter is not valid".to_owned()),
            other => Trouble::Broken(other.to_string()),
        }
    }
}

async fn search(
    settings: &LdapSettings,
    mut ldap: ldap3::Ldap,
    filter: &str,
    limit: i32,
) -> Result<Option<Entry>, Trouble> {
    let found = query(settings, &mut ldap, &settings.base, filter, settings.attributes(), limit).await?;
    let Some(mut entry) = settings.entry_of(found) else { return Ok(None) };
    add_groups(settings, &mut ldap, &mut entry).await?;
    Ok(Some(entry))
}

/// Finds the groups of an entry by the group filter, if there is one.
async fn add_groups(settings: &LdapSettings, ldap: &mut ldap3::Ldap, entry: &mut Entry) -> Result<(), Trouble> {
    if settings.group_filter.is_empty() {
        return Ok(());
    }
    let filter = settings.group_filter.replace("{dn}", &ldap_escape(entry.dn.as_str()));
    let base = if settings.group_base.is_empty() { &settings.base } else { &settings.group_base };
    let found = query(settings, ldap, base, &filter, vec!["cn".to_owned()], 0).await?;
    entry.groups.extend(found.iter().filter_map(Found::name));
    entry.groups.sort();
    entry.groups.dedup();
    Ok(())
}

async fn any(settings: &LdapSettings, mut ldap: ldap3::Ldap, filter: &str) -> Result<bool, Trouble> {
    let options = SearchOptions::new().sizelimit(1);
    let result = ldap.with_search_options(options).search(&settings.base, Scope::Subtree, filter, vec!["1.1"]).await?;
    let SearchResult(entries, result) = result;
    match (entries.is_empty(), result.rc) {
        (false, _) => Ok(true),
        (true, 0) => Ok(false),
        (true, _) => Err(Trouble::Refused(reply::result_text(&result))),
    }
}

async fn query(
    settings: &LdapSettings,
    ldap: &mut ldap3::Ldap,
    base: &str,
    filter: &str,
    attributes: Vec<String>,
    limit: i32,
) -> Result<Vec<Found>, Trouble> {
    let seconds = i32::try_from(settings.timeout.as_secs().max(1)).unwrap_or(i32::MAX);
    let options = SearchOptions::new().sizelimit(limit).timelimit(seconds);
    let mut stream =
        ldap.with_search_options(options).streaming_search(base, Scope::Subtree, filter, attributes).await?;
    let (mut found, mut referred) = (Vec::new(), false);
    while let Some(item) = stream.next().await? {
        if item.is_ref() {
            referred = true;
        } else if !item.is_intermediate() {
            found.push(Found::read(item).ok_or_else(|| Trouble::Broken("an entry is not understood".to_owned()))?);
        }
    }
    let result = stream.finish().await;
    if result.rc != 0 {
        return Err(Trouble::Refused(reply::result_text(&result)));
    }
    if referred && found.is_empty() && !settings.ignore_references {
        return Err(Trouble::Refused(
            "the server refers to another server; set base to what it holds itself".to_owned(),
        ));
    }
    Ok(found)
}

/// Runs as a task of its own: ldap3 panics on some malformed paging controls.
async fn list(settings: LdapSettings, mut ldap: ldap3::Ldap, filter: String) -> Result<Vec<Entry>, Trouble> {
    let task = tokio::spawn(async move {
        let adapters: Vec<Box<dyn ldap3::adapters::Adapter<'_, _, _>>> =
            vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(PAGE))];
        let mut stream = ldap
            .streaming_search_with(adapters, &settings.base, Scope::Subtree, &filter, settings.attributes())
            .await?;
        let mut entries = Vec::new();
        while let Some(item) = stream.next().await? {
            let found = Found::read(item).ok_or_else(|| Trouble::Broken("an entry is not understood".to_owned()))?;
            entries.extend(settings.entry_of(vec![found]));
        }
        let result = stream.finish().await;
        if result.rc != 0 {
            return Err(Trouble::Refused(reply::result_text(&result)));
        }
        for entry in &mut entries {
            add_groups(&settings, &mut ldap, entry).await?;
        }
        Ok(entries)
    });
    task.await.unwrap_or_else(|_| Err(Trouble::Broken("the server's answer is not understood".to_owned())))
}
