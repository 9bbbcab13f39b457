//! The directory: can it be asked, does it tell known from unknown, and how many asked-for recipients are unknown.

use super::{QUICK, report::Check};
use mailward_core::{
    config::Config,
    lookup::{
        Deadline, Outcome,
        ldap::{Ldap, LdapSettings},
    },
    recipients::directory::{self, Directory},
    session::Address,
    store::{Counters, Op, counters},
};
use std::sync::Arc;

const AREA: &str = "directory";
/// From so many answers on their share of unknown recipients says something. Unit: recipients. Source: our own limit.
const ENOUGH: u64 = 100;
/// Share of unknown recipients that wants an explanation. Unit: percent. Source: our own limit.
const MANY: u64 = 70;

pub(super) async fn check(config: Arc<Config>) -> Vec<Check> {
    let settings = &config.directory;
    if settings.domains.is_empty() {
        return vec![Check::skipped(AREA, "no [directory] domains: no recipient is checked")];
    }
    let mut checks = Vec::new();
    match &settings.ldap {
        Some(ldap) => checks.extend(ask_server(ldap, settings).await),
        None => checks.push(of_files(settings)),
    }
    checks.extend(share_of_unknown(&config).await);
    checks
}

async fn ask_server(ldap: &LdapSettings, settings: &directory::Settings) -> Vec<Check> {
    let server = Ldap::new(ldap.clone());
    let deadline = Deadline::after(QUICK);
    let urls = ldap.urls.join(", ");
    match server.has_any(deadline).await {
        Outcome::Done(true) => {}
        Outcome::Done(false) => {
            let advice = "see [directory.ldap] base and filter, and what the bind_dn may read; until then every \
                          recipient is deferred";
            return vec![Check::problem(
                AREA,
                format!("{urls} answers, but knows nobody below \"{}\"", ldap.base),
                advice,
            )];
        }
        trouble => {
            let why = trouble.trouble().unwrap_or_default();
            return vec![Check::problem(AREA, format!("{urls} cannot be asked: {why}"), advice_for(&why))];
        }
    }
    let mut checks = vec![Check::ok(AREA, format!("{urls} answers and has entries below \"{}\"", ldap.base))];
    for domain in &settings.domains {
        let nobody = format!("mailward-{}@{domain}", super::random_word());
        let Ok(address) = Address::parse(nobody.as_bytes()) else { continue };
        checks.push(match server.find(&address, deadline).await {
            Outcome::Done(None) => Check::ok(AREA, format!("nobody@{domain} is unknown, as it must be")),
            Outcome::Done(Some(entry)) => Check::problem(
                AREA,
                format!("an address of chance at {domain} is found: {}", entry.dn),
                "the filter of [directory.ldap] matches everybody; it must compare {address} or {local}",
            ),
            trouble => Check::problem(
                AREA,
                format!(
                    "the search for an unknown recipient at {domain} fails: {}",
                    trouble.trouble().unwrap_or_default()
                ),
                "the server must say \"no entry\", not an error: see the rights of the bind_dn and the filter",
            ),
        });
        if let Ok(desk) = Address::parse(format!("postmaster@{domain}").as_bytes())
            && let Outcome::Done(None) = server.find(&desk, deadline).await
        {
            let advice = "mail to it is accepted all the same (RFC 5321 §4.5.1): see that your server delivers it";
            checks.push(Check::warning(AREA, format!("postmaster@{domain} is not in the directory"), advice));
        }
    }
    checks
}

fn advice_for(why: &str) -> &'static str {
    if why.contains("name or password") {
        "correct bind_dn, or the password in bind_password_file"
    } else if why.contains("base does not exist") {
        "correct [directory.ldap] base; a directory without its base counts as trouble, and mail is deferred"
    } else if why.contains("certificate") || why.contains("CA ") {
        "name the authority that signed the server's certificate in [directory.ldap] ca_file, and the server as its \
         certificate does"
    } else if why.contains("not allowed") {
        "the server wants a bind: set bind_dn and bind_password_file, or grant it the right to search"
    } else {
        "see [directory.ldap] url, and whether the server runs and its port is open; mail to recipients that no cache \
         knows is deferred meanwhile"
    }
}

fn of_files(settings: &directory::Settings) -> Check {
    let (directory, faults) = Directory::open(settings.clone(), Counters::in_memory(), None);
    drop(directory);
    match faults.first() {
        Some(fault) => Check::warning(
            AREA,
            format!(
                "{fault}{}",
                if faults.len() > 1 { format!(" and {} more faults", faults.len() - 1) } else { String::new() }
            ),
            "correct the file; a line with a fault is left out",
        ),
        None if settings.files.is_empty() => {
            Check::skipped(AREA, "no LDAP server and no files; recipients come from \"mailward directory import\"")
        }
        None => Check::ok(AREA, format!("{} files without a fault", settings.files.len())),
    }
}

/// What the cache of the daemon remembers. The file is opened only if it is there.
async fn share_of_unknown(config: &Config) -> Option<Check> {
    if config.directory.ldap.is_none() || !config.state.dir.join(counters::FILE).exists() {
        return None;
    }
    let sample =
        |mark: &str| Op::Sample { prefix: "directory/".to_owned(), value_prefix: mark.to_owned(), limit: 1000 };
    let counters = Counters::open(&config.state.dir);
    let answers = counters.apply(crate::daemon::now(), vec![sample("k"), sample("u")], Deadline::after(QUICK)).await;
    let Outcome::Done(answers) = answers else { return None };
    let [known, unknown] = answers.try_into().ok()?;
    let (known, unknown) = (known.into_entries().len() as u64, unknown.into_entries().len() as u64);
    let all = known + unknown;
    if all < ENOUGH {
        return None;
    }
    let percent = unknown * 100 / all;
    let says = format!("{percent} % of the recipients asked for lately are unknown");
    Some(match percent {
        MANY.. => Check::warning(
            AREA,
            says,
            "either harvests (see \"mailward dha list\"), or the filter misses aliases and groups: try \"mailward \
             directory lookup ADDRESS\"",
        ),
        _ => Check::ok(AREA, says),
    })
}
