//! `mailward batv tag|check`.

use super::{exit, fail, load};
use mailward_core::{
    recipients::batv::{Batv, Tag},
    session::Address,
};
use std::{path::PathBuf, process::ExitCode};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Print addresses with a fresh tag, one a line, for an MTA that rewrites its senders.
    #[command(after_help = "Example: mailward batv tag alice@example.com")]
    Tag {
        /// Addresses of the domains in `[batv]`.
        #[arg(required = true, value_name = "ADDRESS")]
        addresses: Vec<String>,
    },
    /// Tell what the tags of addresses are worth; exit code 1 if one is not valid.
    #[command(after_help = "Example: mailward batv check prvs=0840ca76ae=alice@example.com")]
    Check {
        /// Addresses as a bounce was sent to them.
        #[arg(required = true, value_name = "ADDRESS")]
        addresses: Vec<String>,
    },
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let config = match load(path.as_deref()) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let batv = match Batv::load(config.batv) {
        Ok(batv) => batv,
        Err(faults) => return fail(exit::USAGE, faults.join("\n")),
    };
    if batv.settings().domains.is_empty() || batv.settings().keys.is_empty() {
        return fail(exit::USAGE, "[batv] names no domains and keys: set both");
    }
    let now = crate::daemon::now();
    let mut worst = exit::OK;
    let (Command::Tag { addresses } | Command::Check { addresses }) = &arguments.command;
    for text in addresses {
        let address = match Address::parse(text.as_bytes()) {
            Ok(address) => address,
            Err(error) => return fail(exit::USAGE, format!("{text}: {error}")),
        };
        match &arguments.command {
            Command::Tag { .. } => match batv.tag(&address, now) {
                Some(tagged) => println!("{tagged}"),
                None => return fail(exit::USAGE, format!("{text}: its domain is none of [batv] domains")),
            },
            Command::Check { .. } => {
                let tag = batv.check(&address, now);
                match tag {
                    Tag::Valid(days) => println!("{text}: valid for {days} more days"),
                    other => {
                        worst = exit::NEGATIVE;
                        println!("{text}: {}", other.word());
                    }
                }
            }
        }
    }
    ExitCode::from(worst)
}
