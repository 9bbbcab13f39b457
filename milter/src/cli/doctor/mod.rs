//! `mailward doctor`: whether all that Mailward leans on works, with advice.

mod clamd;
mod clock;
mod directory;
mod dkim;
mod files;
mod listener;
mod lists;
mod names;
mod postfix;
mod reach;
mod report;
mod scan;
mod sendmail;
mod state;

use super::{DEFAULT_CONFIG, exit, runtime, state_dir};
use mailward_core::{
    authentication::Resolver,
    config::{self, Config, diagnostic::Diagnostic},
    engine::{Engine, Shared},
    lookup::{Deadline, Outcome},
    store,
};
use report::{Check, State};
use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

/// Longest wait for one check. Unit: time. Source: our own limit; a test file of clamd's largest size takes seconds.
const CHECK: Duration = Duration::from_secs(20);
/// Longest wait for a service that should answer at once.
const QUICK: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 no problem (perhaps warnings); 1 at least one problem; 2 wrong arguments or faulty \
configuration.\n\nExample: mailward doctor --json | jq 'select(.state != \"ok\")'"
)]
pub(super) struct Arguments {
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    /// Folder of Postfix's main.cf, if it is not the one that postconf knows.
    #[arg(long, value_name = "DIR")]
    postfix_config: Option<PathBuf>,
    /// Sendmail's configuration.
    #[arg(long, value_name = "FILE", default_value = "/etc/mail/sendmail.cf")]
    sendmail_config: PathBuf,
}

type Job = Pin<Box<dyn Future<Output = Vec<Check>> + Send>>;

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let config = match load(path.as_deref()) {
        Ok(config) => Arc::new(config),
        Err(faults) => {
            let advice = "correct the file; \"mailward config init\" prints a commented one";
            let checks: Vec<_> =
                faults.iter().map(|fault| Check::problem("configuration", fault.to_string(), advice)).collect();
            print(&checks, arguments.json);
            return ExitCode::from(exit::USAGE);
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let checks = runtime.block_on(examine(&config, path.as_deref(), &arguments));
    // A check that hangs in a system call must not keep the program.
    runtime.shutdown_background();
    print(&checks, arguments.json);
    let sick = checks.iter().any(|check| check.state == State::Problem);
    ExitCode::from(if sick { exit::NEGATIVE } else { exit::OK })
}

/// The configuration of the daemon. Unlike the other commands this one writes nothing, so it does not try where state
/// could be kept.
fn load(path: Option<&Path>) -> Result<Config, Vec<Diagnostic>> {
    let mut config = path.map(config::load).transpose()?.unwrap_or_default();
    let default = store::Settings::default().dir;
    if config.state.dir == default && !default.exists() {
        config.state.dir = state_dir().unwrap_or(default);
    }
    Ok(config)
}

fn print(checks: &[Check], json: bool) {
    match json {
        true => report::print_json(checks),
        false => report::print_text(checks),
    }
}

/// All checks at once; their results in a fixed order.
async fn examine(config: &Arc<Config>, path: Option<&Path>, arguments: &Arguments) -> Vec<Check> {
    let mut jobs: Vec<(&'static str, Job)> = vec![
        ("configuration", Box::pin(configuration(Arc::clone(config), path.map(Path::to_owned)))),
        ("state", blocking(config, state::check)),
        ("clock", blocking(config, |config| clock::check(&config.state.dir))),
        ("secrets", blocking(config, files::secrets)),
        ("rules", blocking(config, files::ages)),
        ("dns", Box::pin(names::check(Arc::clone(config)))),
    ];
    match Resolver::open(&config.dns) {
        Ok(resolver) => {
            let dns = resolver.dns();
            jobs.push(("blocklist", Box::pin(lists::check(Arc::clone(config), dns.clone()))));
            jobs.push(("dkim", Box::pin(dkim::check(Arc::clone(config), dns.clone()))));
            jobs.push(("mx", Box::pin(reach::check(Arc::clone(config), dns))));
        }
        Err(why) => jobs.push(("dns", Box::pin(async move { vec![no_resolver(&why)] }))),
    }
    let (postfix, sendmail) = (arguments.postfix_config.clone(), arguments.sendmail_config.clone());
    jobs.extend([
        ("directory", Box::pin(directory::check(Arc::clone(config))) as Job),
        ("clamd", Box::pin(clamd::check(Arc::clone(config)))),
        ("scan", Box::pin(scan::check(Arc::clone(config)))),
        ("listener", Box::pin(listener::check(Arc::clone(config)))),
        ("mta", blocking(config, move |config| mta(config, postfix.as_deref(), &sendmail))),
    ]);
    let running: Vec<_> = jobs.into_iter().map(|(area, job)| (area, tokio::spawn(job))).collect();
    let deadline = Deadline::after(CHECK + QUICK);
    let mut checks = Vec::new();
    for (area, job) in running {
        match deadline.bound(job).await {
            Outcome::Done(Ok(found)) => checks.extend(found),
            Outcome::Done(Err(error)) => checks.push(Check::problem(area, error.to_string(), "report this as a bug")),
            _ => checks.push(Check::problem(area, "no end of the check in time", "see whether the host is overloaded")),
        }
    }
    checks
}

/// A check that reads files or runs a program.
fn blocking(config: &Arc<Config>, check: impl FnOnce(&Config) -> Vec<Check> + Send + 'static) -> Job {
    let config = Arc::clone(config);
    Box::pin(async move {
        match tokio::task::spawn_blocking(move || check(&config)).await {
            Ok(checks) => checks,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    })
}

/// Both MTAs. Where one asks us, the other is there for something else, or no more.
fn mta(config: &Config, postfix: Option<&Path>, sendmail: &Path) -> Vec<Check> {
    let (mut postfix, mut sendmail) = (postfix::check(config, postfix), sendmail::check(config, sendmail));
    let asks = |checks: &[Check]| checks.iter().any(|check| check.state == State::Ok);
    let faulty = |checks: &[Check]| !asks(checks) && checks.iter().any(|check| check.state > State::Skipped);
    match (asks(&postfix), asks(&sendmail)) {
        (true, _) if faulty(&sendmail) => {
            sendmail = vec![Check::skipped("sendmail", "Sendmail does not ask Mailward; Postfix does")]
        }
        (_, true) if faulty(&postfix) => {
            postfix = vec![Check::skipped("postfix", "Postfix does not ask Mailward; Sendmail does")]
        }
        _ => {}
    }
    [postfix, sendmail].concat()
}

fn no_resolver(why: &str) -> Check {
    Check::problem("dns", format!("no resolver: {why}"), "name working resolvers in [dns] servers")
}

/// What a start would stumble over: lists, rules, keys and files that the configuration names.
async fn configuration(config: Arc<Config>, path: Option<PathBuf>) -> Vec<Check> {
    let name = path.map_or_else(|| format!("built-in defaults (no {DEFAULT_CONFIG})"), |p| p.display().to_string());
    match Engine::build(Config::clone(&config), Shared::in_memory(None)).await {
        Ok(_) => vec![Check::ok("configuration", format!("{name} is valid; its lists, rules and keys load"))],
        Err(problems) => {
            let advice =
                "correct the file that is named; the daemon does not start with it, and a reload changes nothing";
            problems.into_iter().map(|problem| Check::problem("configuration", problem, advice)).collect()
        }
    }
}

/// A word that nobody has used before.
fn random_word() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:012x}", RandomState::new().hash_one(std::process::id()) >> 16)
}
