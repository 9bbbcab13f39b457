//! What a message costs through the milter socket: messages a second, waiting time, CPU time and memory of the daemon.
//!
//!     MAILWARD_BIN=target/release/mailward [MAILWARD_CORPUS=DIR] cargo bench -p mailward-tests --bench milter_socket
//!
//! A small MTA's side of the protocol sends each message on a connection of its own, as Postfix does, over the unix
//! socket. DNS answers NXDOMAIN at once, so waiting on the network is left out. The daemon runs with its defaults. The
//! client runs on the same host and takes its share of the processors; CPU time is that of the daemon alone.

mod messages;
mod process;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mailward_tests::mailward::{Mailward, binary};
use mailward_tests::milter::{Answer, MilterClient, Parts};
use mailward_tests::nxdomain::NxDomain;
use mailward_tests::scratch::Scratch;

/// Messages sent before anything is measured.
const WARM_UP: usize = 50;
/// Messages under way at a time.
const CONCURRENCY: [usize; 3] = [1, 4, 16];

fn main() {
    // `cargo test --all-targets` starts benchmarks too, without this word.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let (source, messages) = messages::all();
    let bytes: usize = messages.iter().map(Vec::len).sum();
    let parts: Vec<Parts> = messages.iter().map(|message| Parts::of(message)).collect();
    println!("daemon     {}", binary().display());
    println!("messages   {} from {source}, {} KiB on average", parts.len(), bytes / parts.len() / 1024);

    let scratch = Scratch::new();
    let dns = NxDomain::start();
    let socket = scratch.path().join("milter.sock");
    let config =
        format!("[dns]\nservers = [\"{}\"]\n[state]\ndir = \"{}\"\n", dns.address(), scratch.dir("state").display());
    let started = Instant::now();
    let mut daemon = Mailward::builder().config(config).socket(&socket).start(&scratch);
    deliver(&socket, 0, &parts[0]);
    println!("cold start {:.0} ms from start to the first verdict", started.elapsed().as_secs_f64() * 1e3);

    let id = daemon.process_id();
    run(&socket, &parts, 4, WARM_UP);
    println!("memory     {:.1} MiB PSS after {WARM_UP} messages", process::pss(id));
    println!(
        "{:>7} {:>11} {:>9} {:>9} {:>9} {:>9} {:>13}",
        "at once", "messages/s", "p50 ms", "p99 ms", "end p50", "end p99", "CPU ms each"
    );
    for concurrency in CONCURRENCY {
        let before = process::cpu(id);
        let started = Instant::now();
        let mut timings = run(&socket, &parts, concurrency, parts.len());
        let wall = started.elapsed();
        let cpu = process::cpu(id) - before;
        let count = timings.len() as f64;
        let whole = percentiles(&mut timings, |timing| timing.whole);
        let end = percentiles(&mut timings, |timing| timing.end);
        println!(
            "{concurrency:>7} {:>11.0} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>13.2}",
            count / wall.as_secs_f64(),
            whole.0,
            whole.1,
            end.0,
            end.1,
            cpu.as_secs_f64() * 1e3 / count
        );
    }
    println!("memory     {:.1} MiB PSS in the end", process::pss(id));
    let taken = TAKEN.load(Ordering::Relaxed);
    println!("verdicts   {taken} taken, {} refused or deferred", SENT.load(Ordering::Relaxed) - taken);
    assert!(daemon.terminate().success(), "the daemon ends well");
}

static SENT: AtomicUsize = AtomicUsize::new(0);
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// How long one message took: from connecting to the verdict, and the verdict alone, from the first byte of the message.
#[derive(Clone, Copy)]
struct Timing {
    whole: Duration,
    end: Duration,
}

/// Sends `count` messages, so many at a time.
fn run(socket: &Path, parts: &[Parts], concurrency: usize, count: usize) -> Vec<Timing> {
    let next = AtomicUsize::new(0);
    let numbers = || std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|&n| n < count);
    thread::scope(|scope| {
        let client = || numbers().map(|n| deliver(socket, n, &parts[n % parts.len()])).collect::<Vec<_>>();
        let clients: Vec<_> = (0..concurrency).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client goes to its end")).collect()
    })
}

/// One message on a connection of its own.
fn deliver(socket: &Path, number: usize, parts: &Parts) -> Timing {
    let started = Instant::now();
    let last = Ipv4Addr::new(198, 51, 100, 1 + (number % 250) as u8);
    let talk = || -> std::io::Result<(Answer, Duration)> {
        let mut client = MilterClient::unix(socket)?;
        client.hello(IpAddr::V4(last), "mail.example.net")?;
        let mut answer = client.mail(&format!("sender{number}@d{}.example", number % 100))?;
        if answer.is_positive() {
            answer = client.rcpt("alice@rig.test")?;
        }
        let of_message = Instant::now();
        if answer.is_positive() {
            answer = client.message(parts)?;
        }
        let end = of_message.elapsed();
        client.quit()?;
        Ok((answer, end))
    };
    let (answer, end) = talk().unwrap_or_else(|error| panic!("message {number} got no verdict: {error}"));
    SENT.fetch_add(1, Ordering::Relaxed);
    TAKEN.fetch_add(usize::from(answer.is_positive()), Ordering::Relaxed);
    Timing { whole: started.elapsed(), end }
}

/// The 50th and 99th percentile in milliseconds.
fn percentiles(timings: &mut [Timing], of: impl Fn(&Timing) -> Duration) -> (f64, f64) {
    timings.sort_by_key(&of);
    let at = |percent: usize| of(&timings[(timings.len() - 1) * percent / 100]).as_secs_f64() * 1e3;
    (at(50), at(99))
}
