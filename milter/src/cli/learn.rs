//! `mailward learn`: messages into the classifier's model.

use super::{
    exit, fail,
    input::{self, Kind},
    open_store, prepare,
};
use indicatif::{ProgressBar, ProgressStyle};
use mailward_core::{
    config::Config,
    engine::{Learner, LearningError, Learnt, features},
    spam::classifier::{Class, Features},
};
use std::{io::IsTerminal, path::PathBuf, process::ExitCode, time::Instant};

/// Messages that are taken apart together. Unit: messages.
const BATCH: usize = 512;
/// Most bytes of them. Unit: bytes. Source: our own limit; bounds the memory.
const BATCH_BYTES: usize = 32 << 20;
/// After so many changes the model is saved on the way. Unit: messages. Source: our own limit, some seconds of work.
const SAVE_EVERY: usize = 20_000;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  mailward learn spam ~/Maildir/.Junk\n  mailward learn ham archive.mbox\n  \
    mailward learn --forget spam mistake.eml\n\nThe classifier judges when it has learned enough of both, 50 of each by \
    default. Running daemons take up what was learned within seconds.")]
pub(super) struct Arguments {
    /// What the messages are.
    class: Word,
    /// Messages, mbox files, maildirs, or directories of them; `-` is standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Take back what was learned of these messages as this class.
    #[arg(long)]
    forget: bool,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Word {
    Spam,
    Ham,
}

#[derive(Default)]
struct Totals {
    learned: u64,
    known: u64,
    corrected: u64,
    forgotten: u64,
    unknown: u64,
    empty: u64,
    unreadable: u64,
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let (config, runtime) = match prepare(path.as_deref()) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    match runtime.block_on(learn(&arguments, &config)) {
        Ok(code) | Err(code) => code,
    }
}

async fn learn(arguments: &Arguments, config: &Config) -> Result<ExitCode, ExitCode> {
    let started = Instant::now();
    let store = open_store(config)?;
    let mut learner = Learner::open(&config.state.dir, &store, crate::daemon::now()).await.map_err(trouble)?;
    let bar = match std::io::stderr().is_terminal() {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    };
    bar.set_style(
        ProgressStyle::with_template("{spinner} {pos} messages, {per_sec}").unwrap_or(ProgressStyle::default_spinner()),
    );
    let mut totals = Totals::default();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for input in arguments.paths.iter().flat_map(|path| input::walk(path)) {
        match input {
            Ok(input) if matches!(input.kind, Kind::Message) => {
                bytes += input.bytes.len();
                batch.push(input.bytes);
            }
            Ok(input) => unreadable(&mut totals, &format!("{} is a recorded session, no message", input.name)),
            Err(error) => unreadable(&mut totals, &error),
        }
        if batch.len() >= BATCH || bytes >= BATCH_BYTES {
            bar.inc(batch.len() as u64);
            bytes = 0;
            take(&mut learner, std::mem::take(&mut batch), arguments, &mut totals).await?;
        }
    }
    take(&mut learner, batch, arguments, &mut totals).await?;
    learner.save(crate::daemon::now()).await.map_err(trouble)?;
    bar.finish_and_clear();
    print(arguments, config, &learner, &totals, started);
    Ok(ExitCode::from(if totals.unreadable > 0 { exit::USAGE } else { exit::OK }))
}

fn unreadable(totals: &mut Totals, why: &str) {
    totals.unreadable += 1;
    eprintln!("mailward: {why}");
}

async fn take(
    learner: &mut Learner<'_>,
    batch: Vec<Vec<u8>>,
    arguments: &Arguments,
    totals: &mut Totals,
) -> Result<(), ExitCode> {
    let class = match arguments.class {
        Word::Spam => Class::Spam,
        Word::Ham => Class::Ham,
    };
    let batch = taken_apart(&batch);
    for learnt in learner.learn(&batch, class, arguments.forget).await.map_err(trouble)? {
        *match learnt {
            Learnt::Learned => &mut totals.learned,
            Learnt::Known => &mut totals.known,
            Learnt::Corrected => &mut totals.corrected,
            Learnt::Forgotten => &mut totals.forgotten,
            Learnt::Unknown => &mut totals.unknown,
            Learnt::Empty => &mut totals.empty,
        } += 1;
    }
    if learner.unsaved() >= SAVE_EVERY {
        learner.save(crate::daemon::now()).await.map_err(trouble)?;
    }
    Ok(())
}

/// The features of each message, by as many threads as there are processors. A message whose parsing panics is empty.
fn taken_apart(batch: &[Vec<u8>]) -> Vec<Features> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let share = batch.len().div_ceil(threads).max(1);
    let work = |raw: &Vec<u8>| std::panic::catch_unwind(|| features(raw)).unwrap_or_default();
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            batch.chunks(share).map(|chunk| scope.spawn(move || chunk.iter().map(work).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    })
}

fn print(arguments: &Arguments, config: &Config, learner: &Learner<'_>, totals: &Totals, started: Instant) {
    let [ham, spam] = learner.model().about.learned;
    let after = config.spam.classifier.bounds.after;
    if arguments.json {
        let object = serde_json::json!({
            "schema": 1,
            "learned": totals.learned, "known": totals.known, "corrected": totals.corrected,
            "forgotten": totals.forgotten, "unknown": totals.unknown, "empty": totals.empty,
            "unreadable": totals.unreadable,
            "model": { "ham": ham, "spam": spam, "generation": learner.model().about.generation },
            "ms": started.elapsed().as_millis() as u64,
        });
        println!("{object}");
        return;
    }
    match arguments.forget {
        true => println!("forgotten {}, not learned before {}", totals.forgotten, totals.unknown),
        false => {
            println!("learned {}, already known {}, corrected {}", totals.learned, totals.known, totals.corrected);
        }
    }
    if totals.empty + totals.unreadable > 0 {
        println!("without content {}, unreadable {}", totals.empty, totals.unreadable);
    }
    println!("the model has learned {ham} ham and {spam} spam");
    if ham.min(spam) < after {
        println!("what was learned counts from {after} of each on ([spam] classifier_after)");
    }
}

fn trouble(error: LearningError) -> ExitCode {
    fail(exit::TROUBLE, format!("nothing more was learned: {error}"))
}
