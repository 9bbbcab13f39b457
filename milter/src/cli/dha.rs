//! `mailward dha list|release`.

use super::{exit, fail, prepare};
use mailward_core::{
    lookup::{Deadline, Outcome},
    recipients::dha::{Block, Dha, network_named},
    store::Counters,
};
use std::{path::PathBuf, process::ExitCode, time::Duration};

const WAIT: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the networks that are blocked, or would be.
    List {
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// End the block of networks and forget what was counted about them.
    Release {
        /// Addresses or networks, as `list` prints them.
        #[arg(required = true)]
        networks: Vec<String>,
    },
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let (config, runtime) = match prepare(path.as_deref()) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let dha = Dha::new(config.dha, Counters::open(&config.state.dir));
    match arguments.command {
        Command::List { json } => runtime.block_on(list(&dha, json)),
        Command::Release { networks } => runtime.block_on(release(&dha, &networks)),
    }
}

async fn list(dha: &Dha, json: bool) -> ExitCode {
    let now = crate::daemon::now();
    let blocks = match dha.list(now, Deadline::after(WAIT)).await {
        Outcome::Done(blocks) => blocks,
        trouble => return fail(exit::TROUBLE, trouble.trouble().unwrap_or_default()),
    };
    for block in &blocks {
        match json {
            true => println!("{}", serde_json::to_string(block).unwrap_or_default()),
            false => println!("{}", line(block, now)),
        }
    }
    if blocks.is_empty() && !json {
        println!("no network is blocked");
    }
    ExitCode::SUCCESS
}

fn line(block: &Block, now: i64) -> String {
    let minutes = (block.until - now + 59) / 60;
    let state = if block.enforced { "blocked" } else { "would be blocked" };
    format!(
        "{:<24} {state} for {}h{:02}m more, time no. {}, by {}",
        block.network,
        minutes / 60,
        minutes % 60,
        block.strikes,
        block.reason.key()
    )
}

async fn release(dha: &Dha, networks: &[String]) -> ExitCode {
    let mut missing = false;
    for text in networks {
        let Some(network) = network_named(text) else {
            return fail(
                exit::USAGE,
                format!("\"{text}\" is no address or network, such as 192.0.2.7 or 2001:db8:1:2::/64"),
            );
        };
        match dha.release(network, crate::daemon::now(), Deadline::after(WAIT)).await {
            Outcome::Done(true) => println!("{network} released; running daemons notice within ten seconds"),
            Outcome::Done(false) => {
                missing = true;
                println!("{network} was not blocked");
            }
            trouble => return fail(exit::TROUBLE, trouble.trouble().unwrap_or_default()),
        }
    }
    ExitCode::from(if missing { exit::NEGATIVE } else { exit::OK })
}
