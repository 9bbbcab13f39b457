//! What is known about the client's network: lists of the site, DNS lists, reverse DNS, names that lie in HELO,
//! and what this site has seen of senders before.

mod answer;
mod ask;
pub mod content;
pub mod correspondents;
mod country;
mod database;
mod health;
mod helo;
mod judge;
pub mod learned;
mod networks;
pub mod rates;
mod recent;
mod sender;
mod settings;

pub use answer::AnswerPattern;
pub use ask::{Answers, ListAnswer, ReverseDns};
pub use health::Health;
pub use networks::{NetworkSet, parse_network};
pub use sender::{SenderAnswers, SenderQuestion, ask_sender};
pub use settings::{Dnsbl, Dnswl, HeloPoints, ReversePoints, Settings};

use country::Countries;
use health::HealthCell;
use recent::Recent;
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, path::Path};

/// The room with its lists loaded.
#[derive(Debug)]
pub struct Reputation {
    settings: Settings,
    internal: NetworkSet,
    relays: NetworkSet,
    countries: Option<Countries>,
    allow: Vec<Source>,
    deny: Vec<Source>,
    /// One for each DNS block list, in the order of the settings.
    health: Vec<HealthCell>,
    recent: Recent,
    learned: learned::Learned,
}

#[derive(Debug)]
struct Source {
    name: String,
    networks: NetworkSet,
}

/// How the site itself regards a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// One of our own networks: its mail is outbound and never blocked.
    Internal,
    /// A secondary MX or gateway of ours: never blocked or counted; the true client is in its Received line.
    Relay,
    /// On an allow list of the site.
    Allowed,
    /// On a deny list of the site.
    Denied {
        /// The list and the range that matched, for the log.
        by: String,
    },
    /// On no list of the site.
    Unlisted,
}

impl Reputation {
    /// Loads the list files of the settings.
    ///
    /// # Errors
    ///
    /// What is wrong with the files, each as `file:line: …`; of one file the first few faults.
    pub fn load(settings: Settings) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let allow = sources("reputation.allow", &settings.allow, &settings.allow_files, &mut faults);
        let deny = sources("reputation.deny", &settings.deny, &settings.deny_files, &mut faults);
        let learned = learned::Learned::load(settings.learned.clone()).map_err(|fault| faults.push(fault));
        let countries = settings.countries.as_deref().map(Countries::open).transpose();
        let countries = countries.map_err(|fault| faults.push(fault));
        let (true, Ok(learned), Ok(countries)) = (faults.is_empty(), learned, countries) else { return Err(faults) };
        Ok(Reputation {
            internal: settings.internal.iter().copied().collect(),
            relays: settings.relays.iter().copied().collect(),
            countries,
            allow,
            deny,
            health: settings.dnsbl.iter().map(|_| HealthCell::default()).collect(),
            recent: Recent::default(),
            learned,
            settings,
        })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What this site has seen of senders before.
    pub fn learned(&self) -> &learned::Learned {
        &self.learned
    }

    /// The country of an address by ISO 3166-1, two capital letters; `None` if there is no database or it does not know.
    pub fn country(&self, ip: IpAddr) -> Option<String> {
        self.countries.as_ref()?.find(ip)
    }

    /// What the site's own lists say. A client without address (a local socket) is internal. Where lists disagree, the
    /// order is internal, relay, allowed, denied.
    pub fn standing(&self, ip: Option<IpAddr>) -> Standing {
        let Some(ip) = ip.map(|ip| ip.to_canonical()) else { return Standing::Internal };
        if self.internal.contains(ip) {
            return Standing::Internal;
        }
        if self.relays.contains(ip) {
            return Standing::Relay;
        }
        if self.allow.iter().any(|source| source.networks.contains(ip)) {
            return Standing::Allowed;
        }
        let denied = self.deny.iter().find_map(|source| {
            let (first, last) = source.networks.find(ip)?;
            Some(format!("{}: {first} to {last}", source.name))
        });
        denied.map_or(Standing::Unlisted, |by| Standing::Denied { by })
    }
}

fn sources(
    name: &str,
    networks: &[ipnet::IpNet],
    files: &[std::path::PathBuf],
    faults: &mut Vec<String>,
) -> Vec<Source> {
    let mut sources = Vec::new();
    if !networks.is_empty() {
        sources.push(Source { name: name.to_owned(), networks: networks.iter().copied().collect() });
    }
    for file in files {
        match read(file) {
            Ok(networks) => sources.push(Source { name: file.display().to_string(), networks }),
            Err(more) => faults.extend(more),
        }
    }
    sources
}

fn read(file: &Path) -> Result<NetworkSet, Vec<String>> {
    let name = file.display();
    let bytes = std::fs::read(file).map_err(|why| vec![format!("{name}: cannot be read: {why}")])?;
    let text = String::from_utf8_lossy(&bytes);
    NetworkSet::parse(&text).map_err(|faults| faults.iter().map(|fault| format!("{name}:{fault}")).collect())
}

#[cfg(test)]
mod tests;
