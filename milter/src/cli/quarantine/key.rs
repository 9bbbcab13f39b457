//! `mailward quarantine key`.

use super::{existing, exit, fail, of, trouble};
use mailward_core::{config::Config, store::quarantine::PrivateKeys};
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(
    after_help = "Messages stay sealed to the key that was in force when they came: keep its private half until the last \
    of them has expired. Move private halves to where only those may read them who look at mail, and name that folder there in \
    [quarantine] private_keys."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the keys, latest first: that one is in force.
    List {
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Make the first key. The daemon does that itself if a policy quarantines and there is none.
    Generate,
    /// Make a new key and seal to it from now on.
    Rotate,
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> Result<u8, ExitCode> {
    let first_only = match arguments.command {
        Command::List { json } => return list(config, json).await,
        Command::Generate => true,
        Command::Rotate => false,
    };
    std::fs::create_dir_all(&config.state.dir).map_err(trouble)?;
    let Some(id) = of(config).rotate_key(first_only).await.map_err(trouble)? else {
        return Err(fail(exit::NEGATIVE, "there is a key already; `mailward quarantine key rotate` makes another"));
    };
    let private_keys = PrivateKeys::of(&config.state.dir, config.quarantine.private_keys.as_deref());
    println!("key {id} is in force; its private half is in {}", private_keys.file(&id).display());
    Ok(exit::OK)
}

async fn list(config: &Config, json: bool) -> Result<u8, ExitCode> {
    for (place, key) in existing(config)?.keys().await.map_err(trouble)?.iter().enumerate() {
        let made = jiff::Timestamp::from_second(key.made).map(|t| t.to_string()).unwrap_or_default();
        let in_force = if place == 0 { ", in force" } else { "" };
        match json {
            true => println!("{}", serde_json::to_string(key).unwrap_or_default()),
            false => println!("{} made {made}, {} messages{in_force}", key.id, key.messages),
        }
    }
    Ok(exit::OK)
}
