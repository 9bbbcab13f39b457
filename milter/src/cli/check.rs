//! `mailward check`: judge messages from files and explain.

use super::{
    envelope::{envelope, wire_form},
    exit, fail,
    input::{self, Input, Kind},
    load,
    one_message::{self, Sent, finished},
    runtime,
};
use indicatif::{ProgressBar, ProgressStyle};
use mailward_core::{
    config::Config,
    engine::{Ended, Engine, Report, SessionOptions, Shared},
    explain::with_run,
    lookup::{Deadline, dns::Zone},
    session::Recording,
    verdict::Reference,
};
use std::{
    io::IsTerminal,
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long forgetting the counts of a message may take. Unit: time. Source: our own limit.
const FORGET: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  mailward check mail.eml --client-ip 192.0.2.7 --from a@example.net --to b@example.com\n  \
    mailward check --json archive.mbox maildir/ | jq .verdict\n  mailward check 3f5xk2.session      replay what the milter saw\n  \
    mailward check --why mail.eml      and tell why the policies that did not decide did not match"
)]
pub(super) struct Arguments {
    /// Messages, mbox files, recorded sessions, or directories of them; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Address of the client that sent the messages. Without it no check looks at the client.
    #[arg(long, value_name = "ADDRESS")]
    client_ip: Option<IpAddr>,
    /// Name that the client gave in HELO.
    #[arg(long, value_name = "NAME")]
    helo: Option<String>,
    /// Envelope sender; `<>` is the null sender. Without it: Return-Path, else From.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// Envelope recipient, may be repeated. Without it: Delivered-To, else To, else postmaster.
    #[arg(long, value_name = "ADDRESS")]
    to: Vec<String>,
    /// The client has authenticated as this user.
    #[arg(long, value_name = "USER")]
    login: Option<String>,
    /// Answer DNS from this file of `name TYPE value` lines instead of the network; other names do not exist.
    #[arg(long, value_name = "FILE")]
    dns: Option<PathBuf>,
    /// The clock of the session, in Unix seconds. Without it: now.
    #[arg(long, value_name = "SECONDS")]
    time: Option<i64>,
    /// Print one JSON object a line for each message.
    #[arg(long)]
    json: bool,
    /// Say for each recipient which policies did not match, and why.
    #[arg(long)]
    why: bool,
    /// Print only what is not delivered unmarked, and the totals.
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let config = match load(path.as_deref()) {
        Ok(config) => config,
        Err(code) => return code,
    };
    match runtime() {
        Ok(runtime) => runtime.block_on(check(arguments, config)),
        Err(code) => code,
    }
}

#[derive(Default)]
struct Totals {
    messages: u64,
    negative: u64,
    unreadable: u64,
}

async fn check(arguments: Arguments, config: Config) -> ExitCode {
    let zone = match arguments.dns.as_deref().map(read_zone).transpose() {
        Ok(zone) => zone,
        Err(problems) => return fail(exit::USAGE, problems),
    };
    let shared = Shared::in_memory(zone).with_model_of(&config.state.dir);
    let engine = match Engine::build(config, shared.clone()).await {
        Ok(engine) => engine,
        Err(problems) => return fail(exit::USAGE, problems.join("\nmailward: ")),
    };
    let bar = match std::io::stderr().is_terminal() && !std::io::stdout().is_terminal() {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    };
    bar.set_style(
        ProgressStyle::with_template("{spinner} {pos} messages, {per_sec}").unwrap_or(ProgressStyle::default_spinner()),
    );
    let mut totals = Totals::default();
    for file in &arguments.files {
        for input in input::walk(file) {
            bar.inc(1);
            match input {
                Ok(input) => {
                    judge(&engine, &arguments, input, &mut totals).await;
                    shared.forget_counts(crate::daemon::now(), Deadline::after(FORGET)).await;
                }
                Err(error) => {
                    totals.unreadable += 1;
                    eprintln!("mailward: {error}");
                }
            }
        }
    }
    bar.finish_and_clear();
    if !arguments.json && totals.messages > 1 {
        println!("{} messages, {} of them refused, deferred, discarded or held", totals.messages, totals.negative);
    }
    ExitCode::from(match totals {
        Totals { unreadable: 1.., .. } => exit::USAGE,
        Totals { negative: 1.., .. } => exit::NEGATIVE,
        _ => exit::OK,
    })
}

/// A scripted DNS out of a file; its faults stand with their places.
pub(super) fn read_zone(path: &Path) -> Result<Zone, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Zone::parse(&text).map_err(|faults| {
        faults.iter().map(|fault| format!("{}:{fault}", path.display())).collect::<Vec<_>>().join("\nmailward: ")
    })
}

async fn judge(engine: &Arc<Engine>, arguments: &Arguments, input: Input, totals: &mut Totals) {
    let started = Instant::now();
    match input.kind {
        Kind::Message => {
            let reports = judge_message(engine, arguments, &input.bytes).await;
            print(arguments, &input.name, reports, &[], started, totals);
        }
        Kind::Session => match Recording::read(&input.bytes[..]) {
            Ok(mut recording) => {
                let then = std::mem::take(&mut recording.explanations);
                let replayed = engine.replay(recording, options(arguments)).await;
                let reports = replayed.into_iter().map(|replayed| match replayed.ended {
                    Ended::Message(judged) => finished(judged),
                    Ended::Refused(refusal) => (refusal.report, true),
                });
                print(arguments, &input.name, reports.collect(), &then, started, totals);
            }
            Err(error) => {
                totals.unreadable += 1;
                eprintln!("mailward: {}: {error}", input.name);
            }
        },
    }
}

fn options(arguments: &Arguments) -> SessionOptions {
    SessionOptions { tell_not_matched: arguments.why, ..SessionOptions::default() }
}

/// Plays a session with this one message.
async fn judge_message(engine: &Arc<Engine>, arguments: &Arguments, bytes: &[u8]) -> Vec<(Report, bool)> {
    let raw = wire_form(bytes);
    let guessed = envelope(&raw);
    let sent = Sent {
        time: arguments.time.unwrap_or_else(crate::daemon::now),
        client_ip: arguments.client_ip,
        client_name: None,
        helo: arguments.helo.clone(),
        login: arguments.login.clone(),
        from: arguments.from.clone().or(guessed.sender).unwrap_or_default(),
        to: if arguments.to.is_empty() { guessed.recipient.into_iter().collect() } else { arguments.to.clone() },
    };
    one_message::judge(engine, options(arguments), &sent, &raw).await.into_iter().collect()
}

/// Prints the reports about one input; `then` is what a recording says was said about each.
fn print(
    arguments: &Arguments,
    name: &str,
    reports: Vec<(Report, bool)>,
    then: &[String],
    started: Instant,
    totals: &mut Totals,
) {
    let ms = (started.elapsed().as_secs_f64() * 100_000.0).round() / 100.0;
    for (index, (report, negative)) in reports.into_iter().enumerate() {
        totals.messages += 1;
        totals.negative += u64::from(negative);
        let explanation = report.explanation.json();
        let as_then = then.get(index).map(|then| *then == report.explanation.clone().without_not_matched().json());
        if arguments.json {
            println!("{}", with_run(&explanation, &run_object(name, &report, ms, as_then)));
        } else if !arguments.quiet || negative || report.is_marked() {
            let changed = if as_then == Some(false) { " (not as it was explained when it was recorded)" } else { "" };
            println!("{name}{changed}\n{}", report.explanation);
        }
    }
}

fn run_object(name: &str, report: &Report, ms: f64, as_then: Option<bool>) -> serde_json::Value {
    let reference: Reference = report.reference;
    let mut run = serde_json::json!({
        "file": name, "door": "check", "ref": reference.to_string(), "time": report.time, "ms": ms,
    });
    if let Some(as_then) = as_then {
        run["as_recorded"] = as_then.into();
    }
    run
}
