//! `mailward test`: cases of a policy, played without network, and what came out otherwise than expected.

mod bless;
mod case;
mod configuration;
mod differences;
mod expect;
mod file;
mod given;
mod junit;
mod play;
mod show;

use super::{exit, fail};
use case::{ANSWERS, Case};
use differences::Difference;
use indicatif::{ProgressBar, ProgressStyle};
use play::Outcome;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

/// How often `--watch` looks at the files. Unit: time. Source: our own limit; people do not wait for it.
const LOOK: Duration = Duration::from_millis(300);

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  mailward test policies/                            all cases below a folder\n  \
    mailward --config next.toml test policies/         the same of another configuration\n  \
    mailward test policies/finance.cases.toml --filter macros --watch\n  \
    mailward test policies/ --junit results.xml        for CI\n\n\
    Cases are files that end in .cases.toml, or folders with a case.toml; docs/testing.md says what they hold.\n\
    Nothing is asked of the network: DNS knows the names of the case and no others, the directory knows every recipient \
    unless the case names them, and clamd finds nothing unless the case says so.")]
pub(super) struct Arguments {
    /// Files of cases, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Play only the cases whose name or file holds this text; case does not matter.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Play no further cases once one has failed.
    #[arg(long, conflicts_with = "bless")]
    fail_fast: bool,
    /// Write what came out into the files, as what is expected from now on.
    #[arg(long, conflicts_with = "watch")]
    bless: bool,
    /// Print one JSON object a line for each case.
    #[arg(long)]
    json: bool,
    /// Write the results to this file as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Play the cases again whenever one of their files changes.
    #[arg(long)]
    watch: bool,
    /// Print the whole explanation of every case that fails.
    #[arg(long, short)]
    verbose: bool,
}

/// A case and what came out.
struct Result {
    case: Case,
    /// Or why it could not be played.
    outcome: std::result::Result<Outcome, Vec<String>>,
    differences: Vec<Difference>,
    /// How long it took. Unit: ms.
    ms: f64,
}

impl Result {
    fn passed(&self) -> bool {
        self.outcome.is_ok() && self.differences.is_empty()
    }
}

pub(super) fn run(arguments: Arguments, config: Option<PathBuf>) -> ExitCode {
    if !arguments.watch {
        return once(&arguments, config.as_deref());
    }
    loop {
        let before = stamps(&arguments, config.as_deref());
        once(&arguments, config.as_deref());
        eprintln!("mailward: waiting for a change; Ctrl-C ends");
        while stamps(&arguments, config.as_deref()) == before {
            thread::sleep(LOOK);
        }
        eprintln!();
    }
}

fn once(arguments: &Arguments, config: Option<&Path>) -> ExitCode {
    let started = Instant::now();
    let cases = match cases(arguments) {
        Ok(cases) => cases,
        Err(code) => return code,
    };
    let number = cases.len();
    let mut results = play_all(cases, config, arguments);
    // Other cases may ask for the answers of the file.
    let all_played = arguments.filter.is_none() && results.len() == number;
    note_unasked(&mut results, all_played);
    let mut shown = String::new();
    for result in &results {
        match arguments.json {
            true => shown += &(show::json(result) + "\n"),
            false if !result.passed() => shown += &show::failure(result, arguments.verbose),
            false => {}
        }
    }
    if let Some(path) = &arguments.junit
        && let Err(error) = std::fs::write(path, junit::xml(&results))
    {
        return fail(exit::USAGE, format!("cannot write {}: {error}", path.display()));
    }
    let failed = results.iter().filter(|result| !result.passed()).count();
    if arguments.bless && failed > 0 {
        let (blessed, left) = bless::bless(&results);
        left.iter().for_each(|why| eprintln!("mailward: {why}"));
        eprintln!("mailward: {blessed} cases expect now what came out; read the difference before you keep it");
        return ExitCode::from(if left.is_empty() { exit::OK } else { exit::NEGATIVE });
    }
    if !arguments.json {
        shown += &(show::totals(results.len() - failed, failed, started.elapsed()) + "\n");
    }
    // Who reads no further has what he wants.
    let _ = std::io::stdout().lock().write_all(shown.as_bytes());
    ExitCode::from(if failed == 0 { exit::OK } else { exit::NEGATIVE })
}

/// The cases that the arguments choose, or exit code 2 after all faults were printed.
fn cases(arguments: &Arguments) -> std::result::Result<Vec<Case>, ExitCode> {
    let mut cases = Vec::new();
    let mut faulty = false;
    let mut seen = BTreeSet::new();
    for path in &arguments.paths {
        let files = file::find(path).map_err(|error| fail(exit::USAGE, error))?;
        for file in files.into_iter().filter(|file| seen.insert(file.clone())) {
            match file::read(&file) {
                Ok(found) => cases.extend(found),
                Err(faults) => {
                    faulty = true;
                    faults.iter().for_each(|fault| eprintln!("{fault}"));
                }
            }
        }
    }
    if faulty {
        return Err(ExitCode::from(exit::USAGE));
    }
    if let Some(filter) = &arguments.filter {
        let filter = filter.to_lowercase();
        let fits = |text: &str| text.to_lowercase().contains(&filter);
        cases.retain(|case| fits(&case.name) || fits(&case.file.to_string_lossy()));
    }
    match cases.is_empty() {
        true => {
            Err(fail(exit::USAGE, "no case fits; cases are files that end in .cases.toml, or folders with a case.toml"))
        }
        false => Ok(cases),
    }
}

/// Plays all cases, as many at a time as there are processors; the results stand in the order of the cases.
fn play_all(cases: Vec<Case>, config: Option<&Path>, arguments: &Arguments) -> Vec<Result> {
    let bar = match std::io::stderr().is_terminal() && !arguments.json {
        true => ProgressBar::new(cases.len() as u64),
        false => ProgressBar::hidden(),
    };
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} cases");
    bar.set_style(style.unwrap_or(ProgressStyle::default_bar()));
    let threads = thread::available_parallelism().map_or(1, |n| n.get()).min(cases.len());
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(cases.len()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                for (at, case) in numbers.map_while(|at| Some((at, cases.get(at)?))) {
                    let started = Instant::now();
                    let outcome = match &runtime {
                        Ok(runtime) => runtime.block_on(play::play(case, config)),
                        Err(error) => Err(vec![format!("cannot start threads: {error}")]),
                    };
                    let differences =
                        outcome.as_ref().map_or(Vec::new(), |outcome| differences::between(&case.expect, outcome));
                    let ms = started.elapsed().as_secs_f64() * 1e3;
                    let result = Result { case: case.clone(), outcome, differences, ms };
                    if arguments.fail_fast && !result.passed() {
                        next.store(cases.len(), Ordering::Relaxed);
                    }
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// An answer of a case must be asked for by it; one of a file by at least one of its cases, if all were played.
fn note_unasked(results: &mut [Result], all_played: bool) {
    // By file and kind: the first case that has them, and those that nobody has asked for so far.
    type Inherited = (usize, BTreeSet<String>);
    let mut of_files: BTreeMap<(Arc<Path>, &str), Inherited> = BTreeMap::new();
    for (at, result) in results.iter_mut().enumerate() {
        let Ok(outcome) = &result.outcome else { continue };
        for place in ANSWERS {
            let unasked = outcome.unasked.iter().filter(|answer| answer.starts_with(place));
            if result.case.own.contains(&place) {
                result.differences.extend(unasked.map(|answer| differences::unasked(answer)));
                continue;
            }
            let unasked: BTreeSet<String> = unasked.cloned().collect();
            let (_, by_all) =
                of_files.entry((Arc::clone(&result.case.file), place)).or_insert_with(|| (at, unasked.clone()));
            by_all.retain(|answer| unasked.contains(answer));
        }
    }
    for (first, unasked) in of_files.into_values().filter(|_| all_played) {
        let of_file = |answer: &String| differences::unasked(&format!("{answer}, in no case of the file"));
        results[first].differences.extend(unasked.iter().map(of_file));
    }
}

/// When the files that decide were changed: those of the cases and all beside them, and the configurations.
fn stamps(arguments: &Arguments, config: Option<&Path>) -> Vec<(PathBuf, Option<SystemTime>)> {
    let mut files: BTreeSet<PathBuf> = config.map(Path::to_owned).into_iter().collect();
    for file in arguments.paths.iter().filter_map(|path| file::find(path).ok()).flatten() {
        files.extend(file::read(&file).unwrap_or_default().into_iter().filter_map(|case| case.config));
        let beside = std::fs::read_dir(file::folder_of(&file)).into_iter().flatten().flatten();
        files.extend(beside.map(|entry| entry.path()).filter(|path| path.is_file()));
        files.insert(file);
    }
    let changed = |path: &PathBuf| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    files.into_iter().map(|path| (path.clone(), changed(&path))).collect()
}
