//! `mailward quarantine release`.

use super::{content, copies, exit, fail, find, trouble};
use crate::cli::open_store;
use mailward_core::{
    config::Config,
    engine::{Learner, Learnt, features},
    quarantine::{self, ReleaseError},
    spam::classifier::Class,
    store::{
        Quarantine, SiteKey,
        quarantine::{KeptRecipient, State},
    },
    verdict::Reference,
};
use std::process::ExitCode;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Its reference, as `list` prints it.
    id: Reference,
    /// To this recipient; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    to: Vec<String>,
    /// To all recipients whose copies wait.
    #[arg(long, conflicts_with = "to")]
    all: bool,
    /// Also copies that were released before.
    #[arg(long)]
    again: bool,
    /// Teach the classifier the message as ham.
    #[arg(long)]
    learn: bool,
}

pub(super) async fn run(arguments: &Arguments, quarantine: &Quarantine, config: &Config) -> Result<u8, ExitCode> {
    let id = arguments.id;
    let message = find(quarantine, id).await?;
    let may_go = |copy: &&KeptRecipient| match copy.state {
        // One that was begun and has not ended is somebody's, or lost its sender: the quarantine knows.
        State::Held | State::Releasing => true,
        State::Released => arguments.again,
        State::Deleted | State::Expired => false,
    };
    let chosen = copies(&message, &arguments.to)?;
    let going: Vec<&KeptRecipient> = chosen.iter().copied().filter(may_go).collect();
    for copy in chosen.iter().filter(|copy| !may_go(copy)) {
        let again = if copy.state == State::Released { "; --again releases it once more" } else { "" };
        eprintln!("mailward: {id} for {} is {}{again}", copy.address, copy.state.word());
    }
    if going.is_empty() {
        return Ok(exit::NEGATIVE);
    }
    if going.len() > 1 && arguments.to.is_empty() && !arguments.all {
        let names: Vec<&str> = going.iter().map(|copy| copy.address.as_str()).collect();
        let question = format!("{id} waits for {}; say which with --to, or --all", names.join(", "));
        return Err(fail(exit::USAGE, question));
    }
    let raw = content(quarantine, id).await?;
    let key = SiteKey::open(&config.state.dir).map_err(trouble)?;
    let mut failed = false;
    for copy in going {
        let now = crate::daemon::now();
        match quarantine::release(quarantine, &key, &config.submission, (&message, &raw), copy, now).await {
            Ok(()) => println!("{id} for {} released", copy.address),
            Err(error @ (ReleaseError::Unsent(_) | ReleaseError::InHand | ReleaseError::Unrecognised)) => {
                failed = true;
                eprintln!("mailward: {id} for {} is not released: {error}", copy.address);
            }
            Err(error) => return Err(trouble(format!("{id} for {}: {error}", copy.address))),
        }
    }
    if arguments.learn && !failed {
        learn(&raw, config).await?;
    }
    Ok(if failed { exit::TROUBLE } else { exit::OK })
}

async fn learn(raw: &[u8], config: &Config) -> Result<(), ExitCode> {
    let store = open_store(config)?;
    let now = crate::daemon::now();
    let mut learner = Learner::open(&config.state.dir, &store, now).await.map_err(trouble)?;
    let learnt = learner.learn(&[features(raw)], Class::Ham, false).await.map_err(trouble)?;
    learner.save(now).await.map_err(trouble)?;
    println!(
        "{}",
        match learnt.first() {
            Some(Learnt::Learned) => "learned as ham",
            Some(Learnt::Corrected) => "learned as ham; it was learned as spam before",
            Some(Learnt::Known) => "known as ham already",
            _ => "nothing to learn from it",
        }
    );
    Ok(())
}
