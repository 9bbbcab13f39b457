//! The command line: one file a subcommand.

mod accounts;
mod batv;
mod check;
mod config;
mod dha;
mod directory;
mod dkim;
mod doctor;
mod envelope;
mod eval;
mod explain;
mod input;
mod learn;
mod manual;
mod milter;
mod model;
mod one_message;
mod quarantine;
mod replay;
mod report;
mod reputation;
mod rules;
mod test;

use clap::{Parser, Subcommand};
use mailward_core::{
    config::{Config, diagnostic::Diagnostic},
    store::{self, Store},
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Exit codes of every subcommand, also told in `--help`.
pub(crate) mod exit {
    /// Done; `check`: every message is delivered, perhaps with marks.
    pub(crate) const OK: u8 = 0;
    /// `check`: a message is refused, deferred, quarantined, discarded or held; `test`: a case failed; `lookup`: the recipient is unknown; `batv check`: a tag is not
    /// valid.
    pub(crate) const NEGATIVE: u8 = 1;
    /// Wrong arguments, a faulty configuration, or a file that cannot be read.
    pub(crate) const USAGE: u8 = 2;
    /// A service that is needed cannot be reached, or does not answer in time.
    pub(crate) const TROUBLE: u8 = 3;
}

const EXIT_CODES: &str = "Exit codes: 0 done (check: delivered); 1 negative (check: a message is refused, deferred, \
quarantined, discarded or held; test: a case failed; lookup: unknown recipient; batv check: no valid tag); 2 wrong arguments, faulty configuration or unreadable file; \
3 a service is unreachable.";

/// The configuration that is read when `--config` is not given.
pub(crate) const DEFAULT_CONFIG: &str = "/etc/mailward/mailward.toml";

/// Mail filter for Postfix and Sendmail: refuses bad senders early, stops directory harvests, verifies SPF, DKIM, ARC
/// and DMARC, finds spam and malware, and applies the site's policies.
#[derive(Parser)]
#[command(name = "mailward", version, after_help = EXIT_CODES)]
struct Arguments {
    /// Configuration file. Without it /etc/mailward/mailward.toml is read if it exists, else the built-in defaults hold.
    #[arg(long, short, global = true, value_name = "FILE", env = "MAILWARD_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the milter daemon.
    Milter(milter::Arguments),
    /// Judge messages and explain the verdict; nothing is delivered, stored or counted.
    Check(check::Arguments),
    /// Play the cases of a policy, without network, and tell what came out otherwise than expected.
    Test(test::Arguments),
    /// Judge past mail by a configuration, or by two, and tell what changes and why.
    Replay(replay::Arguments),
    /// Measure how well labelled ham and spam are told apart, beside other filters.
    Eval(eval::Arguments),
    /// Check, show or write the configuration.
    Config(config::Arguments),
    /// Import, synchronise or query the recipient directory.
    Directory(directory::Arguments),
    /// List or release networks blocked for directory harvesting.
    Dha(dha::Arguments),
    /// List, show, release or delete messages that policies keep, and change the keys to which they are sealed.
    Quarantine(quarantine::Arguments),
    /// Teach the classifier messages as spam or ham, or have it forget them.
    Learn(learn::Arguments),
    /// Show, export, import or reset what the classifier has learned.
    Model(model::Arguments),
    /// Make keys of DKIM, or print the DNS records that publish them.
    Dkim(dkim::Arguments),
    /// List or release accounts that somebody else seems to use.
    Accounts(accounts::Arguments),
    /// Tag senders, or check the tag of a bounce's recipient (BATV).
    Batv(batv::Arguments),
    /// Check that all that Mailward leans on works, and advise: DNS, block lists, directory, clamd, MTA, sockets, files.
    Doctor(doctor::Arguments),
    /// Show or forget what this site has learned of senders.
    Reputation(reputation::Arguments),
    /// Explain a past verdict by the reference of its reply or log line.
    Explain(explain::Arguments),
    /// List the content rules.
    Rules(rules::Arguments),
    /// Print the completions of a shell.
    Completions(manual::Completions),
    /// Write the manual pages.
    #[command(hide = true)]
    Man(manual::Man),
}

/// Runs the command line of this process.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let path = arguments.config.or_else(|| Path::new(DEFAULT_CONFIG).exists().then(|| DEFAULT_CONFIG.into()));
    match arguments.command {
        Command::Milter(command) => milter::run(command, path),
        Command::Check(command) => check::run(command, path),
        Command::Test(command) => test::run(command, path),
        Command::Replay(command) => replay::run(command, path),
        Command::Eval(command) => eval::run(command, path),
        Command::Config(command) => config::run(command, path),
        Command::Directory(command) => directory::run(command, path),
        Command::Dha(command) => dha::run(command, path),
        Command::Quarantine(command) => quarantine::run(command, path),
        Command::Learn(command) => learn::run(command, path),
        Command::Model(command) => model::run(command, path),
        Command::Dkim(command) => dkim::run(command, path),
        Command::Accounts(command) => accounts::run(command, path),
        Command::Batv(command) => batv::run(command, path),
        Command::Doctor(command) => doctor::run(command, path),
        Command::Reputation(command) => reputation::run(command, path),
        Command::Explain(command) => explain::run(command, path),
        Command::Rules(command) => rules::run(command, path),
        Command::Completions(command) => manual::completions(&command),
        Command::Man(command) => manual::man(&command),
    }
}

/// The checked configuration, or exit code 2 after all its faults were printed.
fn load(path: Option<&Path>) -> Result<Config, ExitCode> {
    let mut config =
        path.map(mailward_core::config::load).transpose().map_err(|faults| print_faults(&faults))?.unwrap_or_default();
    if config.state.dir == store::Settings::default().dir {
        config.state.dir = state_dir().unwrap_or(config.state.dir);
    }
    Ok(config)
}

/// Where state goes when the configuration does not say: what systemd gives; the default, if this user may write it;
/// else the user's own place (XDG base directories).
fn state_dir() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("STATE_DIRECTORY") {
        return Some(dir.into());
    }
    let default = store::Settings::default().dir;
    if std::fs::create_dir_all(&default).is_ok() && tempfile_in(&default) {
        return None;
    }
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or(home)?;
    Some(state.join("mailward"))
}

/// Whether a file can be made in the directory.
fn tempfile_in(dir: &Path) -> bool {
    let probe = dir.join(format!(".probe-{}", std::process::id()));
    let made = std::fs::File::create_new(&probe).is_ok();
    let _ = std::fs::remove_file(&probe);
    made
}

/// The durable store of the configuration, or exit code 3.
fn open_store(config: &Config) -> Result<Store, ExitCode> {
    let state = &config.state;
    std::fs::create_dir_all(&state.dir)
        .map_err(|error| error.to_string())
        .and_then(|()| Store::open(&state.dir, state.history_days).map_err(|error| error.to_string()))
        .map_err(|error| fail(exit::TROUBLE, format!("cannot open the state in {}: {error}", state.dir.display())))
}

fn print_faults(faults: &[Diagnostic]) -> ExitCode {
    for fault in faults {
        eprintln!("{fault}");
    }
    ExitCode::from(exit::USAGE)
}

fn fail(code: u8, message: impl std::fmt::Display) -> ExitCode {
    eprintln!("mailward: {message}");
    ExitCode::from(code)
}

/// Configuration and runtime of a command that waits on a service.
fn prepare(path: Option<&Path>) -> Result<(Config, tokio::runtime::Runtime), ExitCode> {
    Ok((load(path)?, runtime()?))
}

/// A runtime for commands that wait on the network.
fn runtime() -> Result<tokio::runtime::Runtime, ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| fail(exit::TROUBLE, format!("cannot start threads: {error}")))
}
