//! `mailward quarantine`.

mod key;
mod list;
mod release;

use super::{exit, fail, prepare};
use mailward_core::{
    config::Config,
    store::{
        Quarantine,
        quarantine::{Filter, KeptMessage, KeptRecipient, PrivateKeys, State},
    },
    verdict::Reference,
};
use std::{fmt::Display, fs, io::Write, os::unix::fs::OpenOptionsExt, path::PathBuf, process::ExitCode};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  mailward quarantine list --to '*@example.com' --since 2d\n  \
    mailward quarantine release k7q2m5x4dt --all\n\nMessages are sealed: reading or releasing one needs the private keys in \
    [quarantine] private_keys.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List messages, latest first.
    List(list::Arguments),
    /// Show a message's envelope, what became of each copy, and why it is here.
    Show {
        /// Its reference, as `list` prints it.
        id: Reference,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Write a message as it came to a file.
    Export {
        /// Its reference.
        id: Reference,
        /// The file, which must not exist; `-` is standard output.
        file: PathBuf,
    },
    /// Deliver a message after all, as it came, through the mail server of `[submission]`.
    Release(release::Arguments),
    /// Delete the copies of a message that wait.
    Delete {
        /// Its reference.
        id: Reference,
        /// Only those of these recipients.
        #[arg(long, value_name = "ADDRESS")]
        to: Vec<String>,
    },
    /// Erase what is past its time. The daemon does that every hour.
    Expire,
    /// List or change the keys to which messages are sealed.
    Key(key::Arguments),
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let (config, runtime) = match prepare(path.as_deref()) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let done = runtime.block_on(async {
        match arguments.command {
            Command::List(arguments) => list::run(&arguments, &existing(&config)?).await,
            Command::Show { id, json } => show(&existing(&config)?, id, json).await,
            Command::Export { id, file } => export(&existing(&config)?, id, &file).await,
            Command::Release(arguments) => release::run(&arguments, &existing(&config)?, &config).await,
            Command::Delete { id, to } => delete(&existing(&config)?, id, &to).await,
            Command::Expire => {
                let gone = existing(&config)?.expire(crate::daemon::now()).await.map_err(trouble)?;
                println!("{gone} messages erased");
                Ok(exit::OK)
            }
            Command::Key(arguments) => key::run(&arguments, &config).await,
        }
    });
    done.map_or_else(|code| code, ExitCode::from)
}

fn of(config: &Config) -> Quarantine {
    let dir = &config.state.dir;
    Quarantine::of(dir, PrivateKeys::of(dir, config.quarantine.private_keys.as_deref()))
}

/// The quarantine, if anything was ever kept.
fn existing(config: &Config) -> Result<Quarantine, ExitCode> {
    let quarantine = of(config);
    let why = || format!("nothing was ever kept in {}", config.state.dir.display());
    if quarantine.exists() { Ok(quarantine) } else { Err(fail(exit::NEGATIVE, why())) }
}

fn trouble(error: impl Display) -> ExitCode {
    fail(exit::TROUBLE, error)
}

async fn find(quarantine: &Quarantine, id: Reference) -> Result<KeptMessage, ExitCode> {
    let filter = Filter { reference: Some(id.to_string()), ..Filter::default() };
    let found = quarantine.list(filter).await.map_err(trouble)?;
    found.into_iter().next().ok_or_else(|| fail(exit::NEGATIVE, format!("no message {id} is in the quarantine")))
}

/// The copies of those who are named, or all.
fn copies<'m>(message: &'m KeptMessage, to: &[String]) -> Result<Vec<&'m KeptRecipient>, ExitCode> {
    let is_of =
        |copy: &KeptRecipient, name: &str| copy.address.eq_ignore_ascii_case(name) || copy.key == name.to_lowercase();
    if let Some(other) = to.iter().find(|name| !message.recipients.iter().any(|copy| is_of(copy, name))) {
        let known: Vec<&str> = message.recipients.iter().map(|copy| copy.address.as_str()).collect();
        return Err(fail(exit::USAGE, format!("no copy is for {other}; there are some for {}", known.join(", "))));
    }
    let wanted = |copy: &&KeptRecipient| to.is_empty() || to.iter().any(|name| is_of(copy, name));
    Ok(message.recipients.iter().filter(wanted).collect())
}

async fn show(quarantine: &Quarantine, id: Reference, json: bool) -> Result<u8, ExitCode> {
    let message = find(quarantine, id).await?;
    let summary = quarantine.summary(&message).map_err(trouble)?;
    match json {
        true => println!("{}", list::object(&message, Some(&summary), true)),
        false => print!("{}", list::text(&message, &summary)),
    }
    Ok(exit::OK)
}

async fn content(quarantine: &Quarantine, id: Reference) -> Result<Vec<u8>, ExitCode> {
    let found = quarantine.content(id.as_str()).await.map_err(trouble)?;
    found.ok_or_else(|| fail(exit::NEGATIVE, format!("no message {id} is in the quarantine")))
}

async fn export(quarantine: &Quarantine, id: Reference, file: &std::path::Path) -> Result<u8, ExitCode> {
    let raw = content(quarantine, id).await?;
    let written = match file.as_os_str() == "-" {
        true => std::io::stdout().write_all(&raw),
        false => fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)
            .and_then(|mut file| file.write_all(&raw)),
    };
    written.map_err(|error| fail(exit::USAGE, format!("{}: {error}", file.display())))?;
    Ok(exit::OK)
}

async fn delete(quarantine: &Quarantine, id: Reference, to: &[String]) -> Result<u8, ExitCode> {
    let message = find(quarantine, id).await?;
    let mut deleted = 0;
    for copy in copies(&message, to)? {
        let into = [State::Held, State::Deleted];
        let now = crate::daemon::now();
        if quarantine.set_state(&message.reference, &copy.key, into, now).await.map_err(trouble)? {
            println!("{id} for {} deleted", copy.address);
            deleted += 1;
        }
    }
    if deleted == 0 {
        return Err(fail(exit::NEGATIVE, format!("no copy of {id} waits")));
    }
    Ok(exit::OK)
}
