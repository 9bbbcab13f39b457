//! `mailward accounts list|release`.

use super::{exit, fail, prepare};
use mailward_core::{
    lookup::{Deadline, Outcome},
    outbound::{self, Account, Alarm},
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
    /// List the accounts that somebody else seems to use.
    List {
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// End the alarm of accounts and forget what they sent lately. Change their passwords first.
    Release {
        /// Login names, as `list` prints them.
        #[arg(required = true, value_name = "LOGIN")]
        logins: Vec<String>,
    },
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let (config, runtime) = match prepare(path.as_deref()) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let counters = Counters::open(&config.state.dir);
    match arguments.command {
        Command::List { json } => runtime.block_on(list(&counters, json)),
        Command::Release { logins } => {
            let domain = config.outbound.rights.login_domain.as_deref();
            let accounts: Vec<Account> = logins.iter().map(|login| Account::new(login, domain)).collect();
            runtime.block_on(release(&counters, &accounts))
        }
    }
}

async fn list(counters: &Counters, json: bool) -> ExitCode {
    let now = crate::daemon::now();
    let alarms = match outbound::list(counters, now, Deadline::after(WAIT)).await {
        Outcome::Done(alarms) => alarms,
        trouble => return fail(exit::TROUBLE, trouble.trouble().unwrap_or_default()),
    };
    for alarm in &alarms {
        match json {
            true => println!("{}", serde_json::to_string(alarm).unwrap_or_default()),
            false => println!("{}", line(alarm, now)),
        }
    }
    if alarms.is_empty() && !json {
        println!("no account raises an alarm");
    }
    ExitCode::SUCCESS
}

fn line(alarm: &Alarm, now: i64) -> String {
    let minutes = (alarm.until - now + 59) / 60;
    let state = if alarm.deferred { "stopped" } else { "would be stopped" };
    format!("{:<24} {state} for {}h{:02}m more: {}", alarm.login, minutes / 60, minutes % 60, alarm.reasons.join("; "))
}

async fn release(counters: &Counters, accounts: &[Account]) -> ExitCode {
    let mut missing = false;
    for account in accounts {
        let login = &account.login;
        match outbound::release(counters, account, crate::daemon::now(), Deadline::after(WAIT)).await {
            Outcome::Done(true) => println!("{login} released; running daemons notice within a second"),
            Outcome::Done(false) => {
                missing = true;
                println!("{login} raised no alarm");
            }
            trouble => return fail(exit::TROUBLE, trouble.trouble().unwrap_or_default()),
        }
    }
    ExitCode::from(if missing { exit::NEGATIVE } else { exit::OK })
}
