//! A flood through the milter socket: 200 client addresses push ten times what the daemon can judge, beside ordinary
//! mail from other addresses. Printed are the waiting time of ordinary mail without and with the flood, what became of
//! the flood, the daemon's memory, and whether every message that was taken was judged exactly once.
//!
//!     MAILWARD_BIN=target/release/mailward cargo bench -p mailward-tests --bench flood
//!
//! What a machine can judge is measured first, with flood protection off and 16 messages at a time. Then seconds without
//! and seconds with a flood take turns (`FLOOD_ROUNDS`), so that both see the same machine, whatever else it does; each
//! flood comes from 200 addresses that were never seen, and begins while the daemon is calm. The flood is open
//! loop: each connection sends when its time has come, whatever became of the message before; who is late, because he
//! waits for an answer, goes on without pause. A deferred message is not repeated. An address keeps its connection for ten
//! messages, as bulk senders do, and connects again at once.
//!
//! Clients and daemon share the processors of one host. The flood runs in a process of its own, of one thread with
//! `nice -n 19`, so that the kernel does not take its cost from the daemon: on a real network it comes from elsewhere (`FLOOD_NICE` says
//! how nice it is). The daemon and the ordinary clients run with equal, ordinary priority. DNS answers NXDOMAIN at once. The daemon runs with its
//! defaults. `FLOOD_LOG=FILE` keeps its log.

#[path = "../../../core/benches/shared/corpus.rs"]
#[allow(dead_code, reason = "the sizes are another benchmark's")]
mod corpus;
#[path = "../speed/process.rs"]
#[allow(dead_code, reason = "waiting until all is quiet is another benchmark's")]
mod process;
mod sender;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::mailward::{Mailward, binary};
use mailward_tests::milter::Parts;
use mailward_tests::nxdomain::NxDomain;
use mailward_tests::scratch::Scratch;
use sender::{Outcome, Sender};

/// How long each part of a round takes, unless `FLOOD_SECONDS` says otherwise.
const SECONDS: u64 = 10;
/// Rounds, each with a part without and a part with the flood, unless `FLOOD_ROUNDS` says otherwise.
const ROUNDS: usize = 6;
/// Between a flood and the next round.
const PAUSE: Duration = Duration::from_secs(5);
/// Client addresses of the flood.
const ADDRESSES: usize = 200;
/// Connections of each at a time, unless `FLOOD_CONNECTIONS` says otherwise.
const CONNECTIONS: usize = 1;
/// What the flood pushes, in times of what the daemon can judge.
const TIMES: f64 = 10.0;
/// Client addresses of ordinary mail.
const ORDINARY: usize = 50;
/// Ordinary mail, as a share of what the daemon can judge.
const ORDINARY_SHARE: f64 = 0.1;
/// When a flood has settled. Unit: seconds.
const SETTLED: f64 = 2.0;
/// Messages under way at a time while the capacity is measured.
const AT_ONCE: usize = 16;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--flood-from") {
        return child(&arguments[at + 1..]);
    }
    // `cargo test --all-targets` starts benchmarks too, without this word.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let time = Duration::from_secs(number("FLOOD_SECONDS", SECONDS));
    let rounds = number("FLOOD_ROUNDS", ROUNDS);
    let connections = number("FLOOD_CONNECTIONS", CONNECTIONS);
    let (source, parts) = mail();
    println!("daemon     {}", binary().display());
    println!("messages   {} from {source}", parts.len());
    let capacity = capacity(Duration::from_secs(10));
    println!("capacity   {capacity:.0} messages/s, {AT_ONCE} at a time, flood protection off");

    let scratch = Scratch::new();
    let dns = NxDomain::start();
    let (socket, mut daemon) = start(&scratch, &dns, "");
    let rate = (capacity * ORDINARY_SHARE).clamp(5.0, 50.0);
    println!(
        "ordinary   {rate:.0} messages/s from {ORDINARY} addresses; {ADDRESSES} addresses flood; {rounds} rounds of {} s \
         without and with them",
        time.as_secs()
    );
    let mut ids: Vec<String> = Vec::new();
    ordinary(&socket, &parts, "w", rate, Duration::from_secs(3), &mut ids);
    let memory = process::pss(&[daemon.process_id()]);
    let (mut calm, mut flooded) = (Vec::new(), Vec::new());
    let (mut flood, mut cpu, mut most) = ([0; 5], 0.0, 0.0_f64);
    println!(
        "{:>22} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}",
        "ordinary mail", "p50 ms", "p99 ms", "most ms", "taken", "deferred", "stolen %"
    );
    for round in 1..=rounds {
        let before = ordinary(&socket, &parts, &format!("a{round}-"), rate, time, &mut ids);
        let pushed = Pushed::begin(&scratch, &socket, round, connections, capacity * TIMES, time);
        let watched = thread::spawn({
            let id = daemon.process_id();
            move || {
                let ends = Instant::now() + time;
                let mut most = 0.0_f64;
                while Instant::now() < ends {
                    most = most.max(process::pss(&[id]));
                    thread::sleep(Duration::from_millis(500));
                }
                most
            }
        });
        let used = process::cpu(&[daemon.process_id()]);
        let during = ordinary(&socket, &parts, &format!("b{round}-"), rate, time, &mut ids);
        cpu += (process::cpu(&[daemon.process_id()]) - used).as_secs_f64();
        most = most.max(watched.join().expect("memory is watched to the end"));
        flood.iter_mut().zip(pushed.end(&mut ids)).for_each(|(sum, count)| *sum += count);
        before.print(&format!("{round} without the flood"));
        during.print(&format!("{round} with the flood"));
        calm.extend(before.messages);
        flooded.extend(during.messages);
        thread::sleep(PAUSE);
    }
    let (calm, flooded) = (Run::of(calm), Run::of(flooded));
    let settled = flooded.after(SETTLED);
    calm.print("all without the flood");
    flooded.print("all with the flood");
    settled.print("from its 3rd second on");
    println!(
        "ratio      {:.2} of p99, {:.2} of p50; from the 3rd second on {:.2} of p99",
        flooded.at(99.0) / calm.at(99.0),
        flooded.at(50.0) / calm.at(50.0),
        settled.at(99.0) / calm.at(99.0)
    );
    let [attempts, taken, deferred, refused, broken] = flood;
    let seconds = time.as_secs_f64() * rounds as f64;
    println!(
        "flood      {TIMES} times the capacity offered over {} connections, {:.1} times answered: {attempts} messages, {taken} \
         taken, {deferred} deferred, {refused} refused, {broken} broken off",
        ADDRESSES * connections,
        attempts as f64 / seconds / capacity
    );
    println!("daemon     {:.2} processors, {most:.1} MiB PSS at most, {memory:.1} before", cpu / seconds);
    let twice = account(&daemon, &ids);
    if let Some(file) = std::env::var_os("FLOOD_LOG") {
        std::fs::write(file, daemon.output()).expect("the log can be kept");
    }
    println!("account    {} messages taken, {} of them judged exactly once", ids.len(), ids.len() - twice);
    assert!(daemon.terminate().success(), "the daemon ends well");
    assert_eq!((twice, broken), (0, 0), "every message taken is judged once, and nobody is left without an answer");
}

/// A number of the environment, or what there is without it.
fn number<N: std::str::FromStr>(name: &str, default: N) -> N {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

fn mail() -> (String, Vec<Parts>) {
    let corpus::Sample { source, messages, .. } = corpus::sample();
    (source, messages.iter().map(|message| Parts::of(message)).collect())
}

fn start(scratch: &Scratch, dns: &NxDomain, config: &str) -> (PathBuf, Mailward) {
    let socket = scratch.path().join("milter.sock");
    let config = format!(
        "{config}[dns]\nservers = [\"{}\"]\n[state]\ndir = \"{}\"\n[log]\nformat = \"json\"\n",
        dns.address(),
        scratch.dir("state").display()
    );
    let daemon = Mailward::builder().config(config).socket(&socket).start(scratch);
    (socket, daemon)
}

/// Messages a second that are judged without flood protection.
fn capacity(time: Duration) -> f64 {
    let scratch = Scratch::new();
    let dns = NxDomain::start();
    let (socket, mut daemon) = start(&scratch, &dns, "[rates]\nmode = \"off\"\n");
    let pushed = |time| {
        let arguments = ["0".to_owned(), AT_ONCE.to_string(), "1".to_owned(), "1e9".to_owned()];
        Pushed::spawn(&scratch, &socket, &arguments, time).end(&mut Vec::new())
    };
    pushed(Duration::from_secs(2));
    let [_, taken, ..] = pushed(time);
    assert!(daemon.terminate().success(), "the daemon ends well");
    taken as f64 / time.as_secs_f64()
}

/// What became of ordinary mail.
struct Run {
    /// Sorted. Unit: milliseconds.
    timings: Vec<f64>,
    taken: usize,
    deferred: usize,
    /// Share of the processors that the host of this virtual machine gave to others meanwhile.
    stolen: f64,
    messages: Vec<Message>,
}

/// One message of ordinary mail.
#[derive(Clone)]
struct Message {
    /// When it was due. Unit: seconds.
    due: f64,
    /// From connecting to the verdict. Unit: milliseconds.
    took: f64,
    outcome: Outcome,
    /// As of [`Run`], for the part that it is of.
    stolen: f64,
    id: String,
}

impl Run {
    fn of(messages: Vec<Message>) -> Run {
        let mut timings: Vec<f64> = messages.iter().map(|message| message.took).collect();
        timings.sort_by(f64::total_cmp);
        let count = |wanted| messages.iter().filter(|message| message.outcome == wanted).count();
        let stolen = messages.iter().map(|message| message.stolen).sum::<f64>() / messages.len() as f64;
        Run { timings, taken: count(Outcome::Taken), deferred: count(Outcome::Deferred), stolen, messages }
    }

    fn after(&self, seconds: f64) -> Run {
        Run::of(self.messages.iter().filter(|message| message.due >= seconds).cloned().collect())
    }

    fn print(&self, name: &str) {
        let [half, most_of, all] = [50.0, 99.0, 100.0].map(|percent| self.at(percent));
        let (taken, deferred, stolen) = (self.taken, self.deferred, self.stolen * 100.0);
        println!("{name:>22} {half:>8.2} {most_of:>8.2} {all:>8.2} {taken:>9} {deferred:>9} {stolen:>9.1}");
    }

    fn at(&self, percent: f64) -> f64 {
        self.timings[((self.timings.len() - 1) as f64 * percent / 100.0).round() as usize]
    }
}

/// Sends at an even rate, each message on a connection of its own, as Postfix does, and from the next address. The time
/// runs from connecting to the verdict.
fn ordinary(socket: &Path, parts: &[Parts], run: &str, rate: f64, time: Duration, ids: &mut Vec<String>) -> Run {
    let started = Instant::now();
    let send = async |number: usize| {
        let due = Duration::from_secs_f64(number as f64 / rate);
        tokio::time::sleep(due.saturating_sub(started.elapsed())).await;
        let address = [203, 0, 113, 1 + (number % ORDINARY) as u8];
        let begun = Instant::now();
        let mut sender = Sender::new(socket, address.into());
        let id = format!("{run}{number}");
        let outcome = sender.send(&parts[number % parts.len()], &id).await;
        Message { due: due.as_secs_f64(), took: begun.elapsed().as_secs_f64() * 1e3, outcome, stolen: 0.0, id }
    };
    let all = (0..(rate * time.as_secs_f64()) as usize).map(send);
    let processors = thread::available_parallelism().expect("Linux tells the number of processors").get();
    let stolen_before = stolen_time();
    let mut messages: Vec<Message> = on_one_thread(futures_util::future::join_all(all));
    let stolen = (stolen_time() - stolen_before).as_secs_f64() / started.elapsed().as_secs_f64();
    messages.iter_mut().for_each(|message| message.stolen = stolen / processors as f64);
    assert!(messages.iter().all(|message| message.outcome != Outcome::Broken), "ordinary mail gets its answers");
    let taken = messages.iter().filter(|message| message.outcome == Outcome::Taken);
    ids.extend(taken.map(|message| message.id.clone()));
    Run::of(messages)
}

/// However many clients there are, the kernel sees one thread: their number does not weigh against the daemon's few.
fn on_one_thread<T>(clients: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(clients)
}

/// The flood, as a process of its own with the lowest priority.
struct Pushed {
    child: std::process::Child,
    report: PathBuf,
}

impl Pushed {
    fn begin(scratch: &Scratch, socket: &Path, round: usize, connections: usize, rate: f64, time: Duration) -> Pushed {
        let arguments = [round.to_string(), ADDRESSES.to_string(), connections.to_string(), rate.to_string()];
        Pushed::spawn(scratch, socket, &arguments, time)
    }

    fn spawn(scratch: &Scratch, socket: &Path, arguments: &[String; 4], time: Duration) -> Pushed {
        let report = scratch.path().join("flood-report");
        let niceness = std::env::var("FLOOD_NICE").unwrap_or_else(|_| "19".to_owned());
        let child = Command::new("nice")
            .args(["-n", &niceness])
            .arg(std::env::current_exe().expect("a process knows its program"))
            .arg("--flood-from")
            .args([socket, &report])
            .args(arguments)
            .arg(time.as_secs_f64().to_string())
            .spawn()
            .expect("nice is part of coreutils");
        Pushed { child, report }
    }

    /// Attempts, taken, deferred, refused, broken.
    fn end(mut self, ids: &mut Vec<String>) -> [usize; 5] {
        assert!(self.child.wait().expect("a child can be waited for").success(), "the flood ends well");
        let report = std::fs::read_to_string(&self.report).expect("the flood leaves a report");
        let (first, rest) = report.split_once('\n').expect("a first line");
        ids.extend(rest.lines().map(str::to_owned));
        let mut numbers = first.split(' ').map(|number| number.parse().expect("a number"));
        std::array::from_fn(|_| numbers.next().expect("five numbers"))
    }
}

/// `--flood-from SOCKET REPORT ROUND ADDRESSES CONNECTIONS RATE SECONDS`: the other process.
fn child(arguments: &[String]) {
    let [socket, report, round, addresses, connections, rate, seconds] = arguments else {
        panic!("seven arguments: {arguments:?}")
    };
    let round: u8 = round.parse().expect("a number");
    let addresses: usize = addresses.parse().expect("a number");
    let senders = addresses * connections.parse::<usize>().expect("a number");
    let each: f64 = rate.parse::<f64>().expect("a number") / senders as f64;
    let time = Duration::from_secs_f64(seconds.parse().expect("a number"));
    let (_, parts) = mail();
    let (parts, socket) = (&parts, Path::new(socket));
    let started = Instant::now();
    let flood = async |sender: usize| {
        let address = sender % addresses;
        let (mut counts, mut ids) = ([0_usize; 5], Vec::new());
        // Not all at the same moment.
        let offset = sender as f64 / senders as f64;
        let name = format!("f{round}-{sender}x");
        let mut sender = Sender::new(socket, [198, 18, round, 1 + address as u8].into());
        for number in 0.. {
            let due = Duration::from_secs_f64((number as f64 + offset) / each);
            tokio::time::sleep(due.saturating_sub(started.elapsed())).await;
            if started.elapsed() >= time {
                break;
            }
            let id = format!("{name}{number}");
            counts[0] += 1;
            match sender.send(&parts[(address * 7 + number) % parts.len()], &id).await {
                Outcome::Taken => {
                    counts[1] += 1;
                    ids.push(id);
                }
                Outcome::Deferred => counts[2] += 1,
                Outcome::Refused => counts[3] += 1,
                Outcome::Broken => counts[4] += 1,
            }
        }
        (counts, ids)
    };
    let (mut sum, mut lines) = ([0_usize; 5], String::new());
    for (counts, ids) in on_one_thread(futures_util::future::join_all((0..senders).map(flood))) {
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        ids.iter().for_each(|id| lines.extend([id.as_str(), "\n"]));
    }
    let head = sum.map(|number| number.to_string()).join(" ");
    std::fs::write(report, format!("{head}\n{lines}")).expect("the report can be written");
}

/// Time that the host of a virtual machine gave to others while this machine had work (proc(5), `stat`: steal), all
/// processors together, since the start.
fn stolen_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/stat").expect("Linux has /proc");
    let ticks = stat.lines().next().and_then(|line| line.split_whitespace().nth(8)?.parse::<u64>().ok());
    Duration::from_secs_f64(ticks.unwrap_or(0) as f64 / process::ticks_per_second())
}

/// How many of the messages taken were not judged exactly once, by the daemon's log.
fn account(daemon: &Mailward, ids: &[String]) -> usize {
    let judged = || {
        let mut judged: HashMap<String, usize> = HashMap::new();
        for line in daemon.log() {
            if let (Some("message"), Some(id)) = (line["stage"].as_str(), line["queue_id"].as_str()) {
                *judged.entry(id.to_owned()).or_default() += 1;
            }
        }
        judged
    };
    wait_until(PATIENCE, "the log is complete", || {
        let judged = judged();
        ids.iter().all(|id| judged.contains_key(id))
    });
    let judged = judged();
    ids.iter().filter(|id| judged.get(*id) != Some(&1)).count()
}
