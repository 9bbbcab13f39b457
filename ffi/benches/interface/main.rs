//! What the C interface costs:
//!
//! - `interface`: messages a second through it, on one and two threads, beside the Rust core: each message goes through
//!   both, one right after the other, and "at their best" counts each message's shortest time of all rounds, which other
//!   work of the machine disturbs least;
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
/// Times that each message is judged by each host. Unit: rounds.
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
    println!(
        "{:>8} {:>15} {:>15} {:>21} {:>15}",
        "threads", "C messages/s", "Rust messages/s", "C takes more time by", "at their best"
    );
    for threads in THREADS {
        run(&c, &rust, sample, threads, 0);
        let rounds: Vec<Vec<[f64; 2]>> = (1..=ROUNDS).map(|round| run(&c, &rust, sample, threads, round)).collect();
        let all = sum(rounds.iter().flatten());
        let best: Vec<[f64; 2]> = (0..sample.messages.len())
            .map(|at| [0, 1].map(|host| rounds.iter().map(|round| round[at][host]).fold(f64::MAX, f64::min)))
            .collect();
        let rate = |seconds: f64| (threads * ROUNDS * sample.messages.len()) as f64 / seconds;
        let more = |[c, rust]: [f64; 2]| format!("{:.1} %", (c / rust - 1.0) * 100.0);
        let (c, rust) = (rate(all[0]), rate(all[1]));
        println!("{threads:>8} {c:>15.0} {rust:>15.0} {:>21} {:>15}", more(all), more(sum(best.iter())));
    }
}

/// Time of each message through C and through Rust, one right after the other, so that both meet the same machine. They take
/// turns in being first. Unit: seconds.
fn run(c: &CHost, rust: &RustHost, sample: &Sample, threads: usize, round: usize) -> Vec<[f64; 2]> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut timed = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(message) = sample.messages.get(at) else { return timed };
            let times = if (at + round).is_multiple_of(2) {
                let first = time(c, message);
                [first, time(rust, message)]
            } else {
                let first = time(rust, message);
                [time(c, message), first]
            };
            timed.push((at, times));
        }
    };
    let mut timed: Vec<(usize, [f64; 2])> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    timed.sort_by_key(|(at, _)| *at);
    timed.into_iter().map(|(_, times)| times).collect()
}

fn time(host: &impl Host, message: &[u8]) -> f64 {
    let started = Instant::now();
    host.judge(message);
    started.elapsed().as_secs_f64()
}

fn sum<'t>(times: impl Iterator<Item = &'t [f64; 2]>) -> [f64; 2] {
    times.fold([0.0, 0.0], |sum, time| [sum[0] + time[0], sum[1] + time[1]])
}

/// The middle value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
