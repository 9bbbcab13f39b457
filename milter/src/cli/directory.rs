//! `mailward directory import|sync|lookup`.

use super::{exit, fail, open_store, prepare};
use mailward_core::{
    config::Config,
    engine::Shared,
    lookup::{Deadline, ldap::Ldap},
    recipients::directory::{self, Directory, ImportError, Membership, SyncReport},
    session::Address,
    store::StoreError,
};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// How long a whole sync may take. Unit: time. Source: our own limit; 100,000 entries come in well under a minute.
const SYNC: Duration = Duration::from_secs(600);

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Replace the imported recipients by those of CSV (address,group,…) and LDIF files.
    Import {
        /// Files; which kind, their content says.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Import even if more than [directory] shrink_percent of the recipients would go.
        #[arg(long)]
        force: bool,
    },
    /// Replace the imported recipients by all addresses of the LDAP server, for lookups while it is down.
    Sync {
        /// Sync even if more than [directory] shrink_percent of the recipients would go.
        #[arg(long)]
        force: bool,
    },
    /// Tell what each place knows about recipients, and what a client would hear.
    Lookup {
        /// Addresses.
        #[arg(required = true)]
        addresses: Vec<String>,
    },
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let (config, runtime) = match prepare(path.as_deref()) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    match arguments.command {
        Command::Import { files, force } => runtime.block_on(import(config, &files, force)),
        Command::Sync { force } => runtime.block_on(sync(config, force)),
        Command::Lookup { addresses } => runtime.block_on(lookup(config, &addresses)),
    }
}

async fn import(config: Config, files: &[PathBuf], force: bool) -> ExitCode {
    let store = match open_store(&config) {
        Ok(store) => store,
        Err(code) => return code,
    };
    done(directory::import(files, &config.directory, &store, force).await)
}

async fn sync(config: Config, force: bool) -> ExitCode {
    let Some(settings) = config.directory.ldap.clone() else {
        return fail(exit::USAGE, "no [directory.ldap] is configured: there is nothing to sync from");
    };
    let store = match open_store(&config) {
        Ok(store) => store,
        Err(code) => return code,
    };
    let ldap = Ldap::new(settings);
    done(directory::sync(&ldap, &config.directory, &store, force, Deadline::after(SYNC)).await)
}

fn done(result: Result<SyncReport, ImportError>) -> ExitCode {
    match result {
        Ok(report) => {
            println!("{} recipients now, {} before", report.after, report.before);
            if report.read.repeated > 0 {
                println!("{} addresses stood more than once; the first counts", report.read.repeated);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            if let ImportError::Faults(faults) = &error {
                for fault in faults {
                    eprintln!("{fault}");
                }
            }
            let code = match &error {
                ImportError::Server(_) => exit::TROUBLE,
                _ => exit::USAGE,
            };
            let advice = match &error {
                ImportError::Store(StoreError::Shrink(_)) => "; --force does it all the same",
                _ => "",
            };
            fail(code, format!("{error}{advice}"))
        }
    }
}

async fn lookup(config: Config, addresses: &[String]) -> ExitCode {
    let deadline = Deadline::after(config.deadlines.reply);
    if config.directory.domains.is_empty() {
        return fail(exit::USAGE, "[directory] domains is empty: no recipient is checked");
    }
    let shared = match Shared::open(&config) {
        Ok(shared) => shared,
        Err(error) => return fail(exit::TROUBLE, error),
    };
    let (directory, _) = Directory::open(config.directory, shared.counters().clone(), shared.store().cloned());
    let mut worst = exit::OK;
    for text in addresses {
        let address = match Address::parse(text.as_bytes()) {
            Ok(address) => address,
            Err(error) => return fail(exit::USAGE, format!("{text}: {error}")),
        };
        println!("{text}");
        for sighting in directory.sightings(&address, crate::daemon::now(), deadline).await {
            println!("  {:<9} {}", sighting.place, sighting.says);
        }
        let code = match directory.lookup(&address, crate::daemon::now(), deadline).await {
            Membership::Known { .. } | Membership::NotOurs => exit::OK,
            Membership::Unknown => exit::NEGATIVE,
            Membership::Trouble { .. } => exit::TROUBLE,
        };
        worst = worst.max(code);
    }
    ExitCode::from(worst)
}
