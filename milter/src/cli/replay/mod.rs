//! `mailward replay`: past mail, judged by one configuration or two.

mod csv;
mod html;
mod names;
mod row;
mod sources;
mod summary;
mod text;

use super::{
    envelope::wire_form,
    exit, fail,
    input::{self, Input, Kind},
    load, one_message, runtime,
};
use crate::compared::{Judged, causes};
use indicatif::{ProgressBar, ProgressStyle};
use mailward_core::{
    config::{self, Config},
    engine::{Ended, Engine, Replayed, SessionOptions, Shared},
    lookup::{Deadline, dns::Zone},
    session::Recording,
};
use names::Names;
use row::Row;
use sources::Sources;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufWriter, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};
use summary::Summary;

/// Messages that wait for a judge. Bounds the memory. Unit: messages.
const WAITING: usize = 64;
/// How long forgetting the counts of a message may take. Source: our own limit.
const FORGET: Duration = Duration::from_secs(1);
/// Most changed messages that a report keeps. Unit: messages. Source: our own limit; nobody reads more on a page.
const KEPT: usize = 1_000;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  mailward replay archive/                                        what would be done to past mail\n  \
    mailward --config now.toml replay archive/ --against next.toml --html report.html\n  \
    mailward replay Maildir/ archive.mbox --log /var/log/mail.log --dns names.txt\n\n\
    Client, envelope and clock come from --list, else from --log, else from the header: Received, Return-Path, Delivered-To. \
    Folders called ham and spam say what their messages are.\n\
    Messages are judged apart from each other: rates, greylisting and learned reputation see each as the first."
)]
pub(super) struct Arguments {
    /// Messages, mbox files, maildirs, recorded sessions, or directories of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Judge by this configuration too, and tell what it changes.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Keep the answers of DNS in this file, and answer from it the next time.
    #[arg(long, value_name = "FILE")]
    dns: Option<PathBuf>,
    /// Ask no name server: names that --dns does not know do not exist.
    #[arg(long)]
    offline: bool,
    /// One JSON object a line: file, and as far as known client, client_name, helo, user, from, to, time, label.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Log of Postfix: client, login, sender and recipients by message id.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Messages judged at a time. Without it: the number of processors.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: Option<u8>,
    /// Print every message, not only those that change or, without --against, none.
    #[arg(long)]
    all: bool,
    /// Print one JSON object a line for each message, and one for the whole.
    #[arg(long)]
    json: bool,
    /// Write a line for each message to this file, as comma separated values.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write a report with plots to this file: one page that needs no other.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let replayed = load(path.as_deref()).and_then(|a| {
        let b = arguments
            .against
            .as_deref()
            .map(config::load)
            .transpose()
            .map_err(|faults| super::print_faults(&faults))?;
        let name =
            |path: &Option<PathBuf>| path.as_ref().map_or("built-in defaults".to_owned(), |p| p.display().to_string());
        let titles = (name(&path), arguments.against.as_ref().map(|_| name(&arguments.against)));
        let runtime = runtime()?;
        replay(&arguments, a, b, titles, &runtime)
    });
    match replayed {
        Ok(()) => ExitCode::from(exit::OK),
        Err(code) => code,
    }
}

/// What the messages are judged by.
struct Judges {
    a: Config,
    b: Option<Config>,
    /// Answers DNS; `None`: as the configurations say, or nobody.
    names: Option<Names>,
    offline: bool,
    sources: Sources,
    now: i64,
}

fn replay(
    arguments: &Arguments,
    a: Config,
    b: Option<Config>,
    titles: (String, Option<String>),
    runtime: &tokio::runtime::Runtime,
) -> Result<(), ExitCode> {
    let usage = |why: String| fail(exit::USAGE, why);
    let mut sources = Sources::default();
    arguments.list.as_deref().map_or(Ok(()), |path| sources.read_list(path)).map_err(usage)?;
    arguments.log.as_deref().map_or(Ok(()), |path| sources.read_log(path)).map_err(usage)?;
    let live = (!arguments.offline).then_some(&a.dns);
    let names =
        arguments.dns.as_deref().map(|file| runtime.block_on(Names::start(file, live))).transpose().map_err(usage)?;
    let compares = b.is_some();
    let judges = Judges { a, b, names, offline: arguments.offline, sources, now: crate::daemon::now() };
    let mut out = Out::open(arguments, compares).map_err(usage)?;
    let started = Instant::now();
    let threads = arguments.jobs.map_or_else(|| thread::available_parallelism().map_or(1, |n| n.get()), usize::from);
    let outcome = thread::scope(|scope| {
        let (inputs, waiting) = sync_channel::<(usize, Input)>(WAITING);
        let (results, rows) = sync_channel::<Judging>(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads {
            let (waiting, results, judges) = (Arc::clone(&waiting), results.clone(), &judges);
            scope.spawn(move || judge(judges, &waiting, &results));
        }
        drop(waiting);
        let paths = &arguments.paths;
        scope.spawn(move || feed(paths, &inputs, &results));
        out.take(&rows)
    });
    outcome.map_err(usage)?;
    if let (Some(names), Some(file)) = (&judges.names, &arguments.dns) {
        names.save(file).map_err(|error| usage(format!("cannot write {}: {error}", file.display())))?;
        eprintln!("mailward: {} questions went to name servers; {} has the answers", names.asked(), file.display());
    }
    out.finish(&titles, started.elapsed()).map_err(usage)?;
    match out.unreadable {
        0 => Ok(()),
        _ => Err(ExitCode::from(exit::USAGE)),
    }
}

/// What a judging thread hands over.
enum Judging {
    /// The judge could not be made ready.
    Failed(String),
    /// The message of this number; several where a session had several, none where nothing was decided.
    Done(usize, Vec<Row>),
    Unreadable(String),
}

fn feed(paths: &[PathBuf], inputs: &SyncSender<(usize, Input)>, results: &SyncSender<Judging>) {
    let mut number = 0;
    for input in paths.iter().flat_map(|path| input::walk(path)) {
        match input {
            Ok(input) => {
                if inputs.send((number, input)).is_err() {
                    return;
                }
                number += 1;
            }
            Err(error) => drop(results.send(Judging::Unreadable(error))),
        }
    }
}

/// A thread's work: engines of its own, so that the counts of one message are never those of another.
fn judge(judges: &Judges, waiting: &Mutex<Receiver<(usize, Input)>>, results: &SyncSender<Judging>) {
    let failed = |why: String| drop(results.send(Judging::Failed(why)));
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(format!("cannot start threads: {error}")),
    };
    runtime.block_on(async {
        let a = match engine(judges, &judges.a).await {
            Ok(engine) => engine,
            Err(why) => return failed(why),
        };
        let b = match &judges.b {
            None => None,
            Some(config) => match engine(judges, config).await {
                Ok(engine) => Some(engine),
                Err(why) => return failed(why),
            },
        };
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((number, input)) = next else { return };
            let done = match rows(judges, &a, b.as_ref(), &input).await {
                Ok(rows) => Judging::Done(number, rows),
                Err(why) => {
                    let _ = results.send(Judging::Unreadable(why));
                    Judging::Done(number, Vec::new())
                }
            };
            if results.send(done).is_err() {
                return;
            }
        }
    });
}

async fn engine(judges: &Judges, config: &Config) -> Result<Arc<Engine>, String> {
    let mut config = config.clone();
    let zone = match &judges.names {
        Some(names) => {
            config.dns.servers = vec![names.address()];
            None
        }
        None => judges.offline.then(Zone::default),
    };
    let shared = Shared::in_memory(zone).with_model_of(&config.state.dir);
    Engine::build(config, shared).await.map_err(|problems| problems.join("\nmailward: "))
}

async fn rows(judges: &Judges, a: &Arc<Engine>, b: Option<&Arc<Engine>>, input: &Input) -> Result<Vec<Row>, String> {
    let mut before = verdicts(judges, a, input).await?;
    let mut after = match b {
        Some(b) => verdicts(judges, b, input).await?,
        None => BTreeMap::new(),
    };
    let label = judges.sources.label(&input.name);
    let transactions: BTreeSet<usize> = before.keys().chain(after.keys()).copied().collect();
    let row = |transaction: usize| {
        let a = before.remove(&transaction).unwrap_or_else(Judged::goes_on);
        let b = b.map(|_| after.remove(&transaction).unwrap_or_else(Judged::goes_on));
        let recipient = a.recipients.first().map(|(address, _)| address.as_str()).unwrap_or_default();
        let domain = recipient.rsplit_once('@').map(|(_, domain)| domain.to_lowercase()).unwrap_or_default();
        let mut row = Row { file: input.name.clone(), label, domain, a, b, changed_by: Vec::new() };
        if row.is_changed() {
            row.changed_by = row.b.as_ref().map(|b| causes(&row.a, b)).unwrap_or_default();
        }
        row
    };
    Ok(transactions.into_iter().map(row).collect())
}

/// The decisions about each transaction of the input, by its number.
async fn verdicts(judges: &Judges, engine: &Arc<Engine>, input: &Input) -> Result<BTreeMap<usize, Judged>, String> {
    let verdicts = match input.kind {
        Kind::Message => {
            let raw = wire_form(&input.bytes);
            let sent = judges.sources.sent(&input.name, &raw, judges.now);
            let judged = one_message::judge(engine, SessionOptions::default(), &sent, &raw).await;
            judged.map(|(report, _)| (1, Judged::of(&report.explanation))).into_iter().collect()
        }
        Kind::Session => {
            let recording = Recording::read(&input.bytes[..]).map_err(|error| format!("{}: {error}", input.name))?;
            let explanation = |Replayed { transaction, ended }| match ended {
                Ended::Message(judged) => (transaction, Judged::of(&judged.report.explanation)),
                Ended::Refused(refusal) => (transaction, Judged::of(&refusal.report.explanation)),
            };
            engine.replay(recording, SessionOptions::default()).await.into_iter().map(explanation).collect()
        }
    };
    engine.shared().forget_counts(judges.now, Deadline::after(FORGET)).await;
    Ok(verdicts)
}

/// Where the results go.
struct Out<'a> {
    arguments: &'a Arguments,
    summary: Summary,
    csv: Option<BufWriter<File>>,
    /// Changed messages, for the report.
    kept: Vec<Row>,
    unreadable: u64,
    bar: ProgressBar,
}

impl<'a> Out<'a> {
    fn open(arguments: &'a Arguments, compares: bool) -> Result<Self, String> {
        let cannot = |path: &PathBuf, error: std::io::Error| format!("cannot write {}: {error}", path.display());
        let create = |path: &PathBuf| File::create(path).map(BufWriter::new).map_err(|error| cannot(path, error));
        let mut csv = arguments.csv.as_ref().map(create).transpose()?;
        if let (Some(csv), Some(path)) = (&mut csv, &arguments.csv) {
            csv.write_all(csv::HEAD.as_bytes()).map_err(|error| cannot(path, error))?;
        }
        if let Some(path) = &arguments.html {
            create(path)?;
        }
        let bar = match std::io::stderr().is_terminal() {
            true => ProgressBar::new_spinner(),
            false => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template("{spinner} {pos} messages, {per_sec}");
        bar.set_style(style.unwrap_or(ProgressStyle::default_spinner()));
        Ok(Out { arguments, summary: Summary::new(compares), csv, kept: Vec::new(), unreadable: 0, bar })
    }

    /// Takes all rows, in the order of the messages.
    fn take(&mut self, rows: &Receiver<Judging>) -> Result<(), String> {
        let mut early: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
        let mut next = 0;
        for judging in rows {
            match judging {
                Judging::Failed(why) => return Err(why),
                Judging::Unreadable(why) => {
                    self.unreadable += 1;
                    eprintln!("mailward: {why}");
                }
                Judging::Done(number, rows) => drop(early.insert(number, rows)),
            }
            while let Some(rows) = early.remove(&next) {
                next += 1;
                self.bar.inc(1);
                for row in rows {
                    self.put(row)?;
                }
            }
        }
        self.bar.finish_and_clear();
        Ok(())
    }

    fn put(&mut self, row: Row) -> Result<(), String> {
        self.summary.add(&row);
        if let Some(csv) = &mut self.csv {
            csv.write_all(csv::line(&row).as_bytes()).map_err(|error| format!("cannot write the CSV file: {error}"))?;
        }
        let line = match (self.arguments.json, row.is_changed() || self.arguments.all) {
            (true, _) => Some(serde_json::to_string(&row).unwrap_or_default()),
            (false, true) => Some(text::line(&row)),
            (false, false) => None,
        };
        if let Some(line) = line {
            self.bar.suspend(|| say(&line))?;
        }
        if row.is_changed() && self.kept.len() < KEPT && self.arguments.html.is_some() {
            self.kept.push(row);
        }
        Ok(())
    }

    fn finish(&mut self, titles: &(String, Option<String>), took: Duration) -> Result<(), String> {
        if let Some(csv) = &mut self.csv {
            csv.flush().map_err(|error| format!("cannot write the CSV file: {error}"))?;
        }
        if let Some(path) = &self.arguments.html {
            let page = html::page(&self.summary, titles, &self.kept);
            std::fs::write(path, page).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
        match self.arguments.json {
            true => say(&serde_json::json!({ "schema": 1, "summary": self.summary }).to_string()),
            false => say(text::summary(&self.summary, titles, took).trim_end()),
        }
    }
}

/// A line to standard output. Who reads no further has what he wants: the replay ends.
fn say(line: &str) -> Result<(), String> {
    writeln!(std::io::stdout().lock(), "{line}").map_err(|error| format!("the output is closed: {error}"))
}
