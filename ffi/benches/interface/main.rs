//! What the C interface costs:
//!
//! - `interface`: messages a second through it, on one and two threads, beside the Rust core in the same rounds;
//! - `open`: opening an engine in a fresh process, its memory, and a C program that opens, judges one message and exits.
//!
//! To run: `make bench PART=interface [MAILWARD_CORPUS=DIR]`, `make bench PART=open`.
//!
//! DNS is scripted and knows nothing, state is in memory; all else has its defaults, without rates.

#[path = "../../../core/benches/shared/corpus.rs"]
mod corpus;
mod host;
mod open;

use corpus::Sample;
use host::{CHost, Host, RustHost};
use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

/// Threads that judge at a time.
const THREADS: [usize; 2] = [1, 2];
/// Times that everything is measured, hosts taking turns. Unit: rounds.
const ROUNDS: usize = 9;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--open") {
        return open::in_this_process();
    }
    // `cargo test --all-targets` starts benchmarks too, without this word.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let parts: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    if is_wanted("interface") {
        println!("\n== interface");
        interface(&corpus::sample());
    }
    if is_wanted("open") {
        println!("\n== open");
        open::measure();
    }
}

/// A folder that goes with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("mailward-interface-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn interface(sample: &Sample) {
    let folder = Folder::new();
    let zone = folder.0.join("zone");
    std::fs::write(&zone, "").expect("a file can be written");
    let (c, rust) = (CHost::open(&zone), RustHost::open());
    println!("messages   {} from {}, {ROUNDS} rounds", sample.messages.len(), sample.source);
    println!("{:>8} {:>15} {:>15} {:>22}", "threads", "C messages/s", "Rust messages/s", "C takes more time by");
    for threads in THREADS {
        run(&c, sample, threads);
        run(&rust, sample, threads);
        // The first of a pair has no advantage over many rounds: they take turns.
        let rounds: Vec<(f64, f64)> = (0..ROUNDS)
            .map(|round| {
                if round % 2 == 0 {
                    let c = run(&c, sample, threads);
                    (c, run(&rust, sample, threads))
                } else {
                    let rust = run(&rust, sample, threads);
                    (run(&c, sample, threads), rust)
                }
            })
            .collect();
        let middle = |of: fn(&(f64, f64)) -> f64| median(rounds.iter().map(of).collect());
        let more: Vec<f64> = rounds.iter().map(|(c, rust)| (rust / c - 1.0) * 100.0).collect();
        let (least, most) = more.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| (low.min(x), high.max(x)));
        let shown = format!("{:.1} % ({least:.1} to {most:.1})", median(more));
        println!("{threads:>8} {:>15.0} {:>15.0} {shown:>22}", middle(|round| round.0), middle(|round| round.1));
    }
}

/// Messages a second.
fn run(host: &impl Host, sample: &Sample, threads: usize) -> f64 {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(message) = sample.messages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    host.judge(message);
                }
            });
        }
    });
    sample.messages.len() as f64 / started.elapsed().as_secs_f64()
}

/// The middle value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
