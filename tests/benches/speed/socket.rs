//! Every filter through its milter socket at 1, 4 and 16 messages at a time, in rounds that take turns.

use std::ops::Range;
use std::time::Instant;

use mailward_tests::milter::Parts;
use mailward_tests::nxdomain::NxDomain;
use mailward_tests::scratch::Scratch;
use serde_json::{Value, json};

use crate::corpus::Sample;
use crate::load::{self, Timing, Verdicts};
use crate::peers::{self, BAYES, OURS, Peer, RULES};
use crate::report::{median, range, rounded, save};

/// Messages under way at a time.
const CONCURRENCY: [usize; 3] = [1, 4, 16];
/// Times that everything is measured. Many short turns, so that whatever else the host does falls on every filter alike.
/// Unit: rounds.
const ROUNDS: usize = 16;
/// Messages of one turn; the next round goes on in the sample where this one ended.
const TURN: usize = 250;
/// Messages sent to each filter before anything is measured.
const WARM_UP: usize = 200;

/// One filter at one concurrency, all its rounds together.
struct Row<'a> {
    peer: &'a Peer,
    concurrency: usize,
    timings: Vec<Timing>,
    verdicts: Verdicts,
    /// Unit: s.
    wall: f64,
    /// Of the rounds. Unit: messages a second.
    rates: Vec<f64>,
    /// Of the rounds. Unit: ms of CPU time a message.
    cpu: Vec<f64>,
    /// Of the rounds. Unit: MiB.
    pss: Vec<f64>,
}

pub(crate) fn measure(sample: &Sample) {
    let parts: Vec<Parts> = sample.messages.iter().map(|message| Parts::of(message)).collect();
    let scratch = Scratch::new();
    let dns = NxDomain::start();
    let peers = peers::start(&scratch, &dns, sample, true);
    for peer in &peers {
        let started = Instant::now();
        load::run(&peer.socket, &parts, 1, 0..1);
        println!(
            "{:<19} {}, first verdict after {:.0} ms",
            peer.name,
            peer.note,
            started.elapsed().as_secs_f64() * 1e3
        );
        load::run(&peer.socket, &parts, 4, 0..WARM_UP);
    }
    let mut rows: Vec<Row> =
        CONCURRENCY.iter().flat_map(|&at| peers.iter().map(move |peer| Row::of(peer, at))).collect();
    for round in 0..ROUNDS {
        for row in &mut rows {
            row.measure(&parts, round * TURN..(round + 1) * TURN);
        }
    }
    print(&rows);
    let figures: Vec<Value> = rows.iter().map(Row::json).collect();
    let notes: serde_json::Map<String, Value> = peers.iter().map(|p| (p.name.to_owned(), json!(p.note))).collect();
    save(
        "socket",
        json!({ "sample": sample.source, "messages": parts.len(), "rounds": ROUNDS, "turn": TURN, "peers": notes,
        "rows": figures, "ratios": ratios(&rows) }),
    );
}

impl<'a> Row<'a> {
    fn of(peer: &'a Peer, concurrency: usize) -> Self {
        Row {
            peer,
            concurrency,
            timings: Vec::new(),
            verdicts: Verdicts::default(),
            wall: 0.0,
            rates: Vec::new(),
            cpu: Vec::new(),
            pss: Vec::new(),
        }
    }

    fn measure(&mut self, parts: &[Parts], numbers: Range<usize>) {
        let (before, count) = (self.peer.cpu(), numbers.len());
        let run = load::run(&self.peer.socket, parts, self.concurrency, numbers);
        self.cpu.push((self.peer.cpu() - before) / count as f64);
        self.pss.push(self.peer.pss());
        self.rates.push(run.timings.len() as f64 / run.wall.as_secs_f64());
        self.wall += run.wall.as_secs_f64();
        self.verdicts = self.verdicts.and(run.verdicts);
        self.timings.extend(run.timings);
    }

    fn rate(&self) -> f64 {
        self.timings.len() as f64 / self.wall
    }

    /// Unit: ms a message.
    fn cpu(&self) -> f64 {
        self.cpu.iter().sum::<f64>() / self.cpu.len() as f64
    }

    fn p99(&self) -> f64 {
        load::percentiles(&self.timings, |timing| timing.whole).1
    }

    fn json(&self) -> Value {
        let (p50, p99) = load::percentiles(&self.timings, |timing| timing.whole);
        let (end_p50, end_p99) = load::percentiles(&self.timings, |timing| timing.end);
        let ((slowest, fastest), (least, most), v) = (range(&self.rates), range(&self.cpu), self.verdicts);
        let thousandths = |ms: f64| (ms * 1e3).round() / 1e3;
        json!({
            "peer": self.peer.name, "concurrency": self.concurrency, "messages_per_s": rounded(self.rate()),
            "messages_per_s_lowest": rounded(slowest), "messages_per_s_highest": rounded(fastest),
            "p50_ms": rounded(p50), "p99_ms": rounded(p99), "end_p50_ms": rounded(end_p50), "end_p99_ms": rounded(end_p99),
            "cpu_ms_per_message": thousandths(self.cpu()), "cpu_ms_per_message_lowest": thousandths(least),
            "cpu_ms_per_message_highest": thousandths(most), "pss_mib": rounded(median(self.pss.clone())),
            "taken": v.taken, "refused": v.refused, "deferred": v.deferred, "errors": v.errors,
        })
    }
}

fn print(rows: &[Row]) {
    println!(
        "\n{:<19} {:>7} {:>17} {:>7} {:>7} {:>8} {:>8} {:>18} {:>9} {:>8}  verdicts",
        "filter", "at once", "messages/s", "p50 ms", "p99 ms", "end p50", "end p99", "CPU ms", "per CPU s", "PSS MiB"
    );
    for row in rows {
        let (low, high) = range(&row.rates);
        let rate = format!("{:.0} ({low:.0}-{high:.0})", row.rate());
        let (low, high) = range(&row.cpu);
        let cpu = format!("{:.2} ({low:.2}-{high:.2})", row.cpu());
        let (p50, p99) = load::percentiles(&row.timings, |timing| timing.whole);
        let (end_p50, end_p99) = load::percentiles(&row.timings, |timing| timing.end);
        let v = row.verdicts;
        println!(
            "{:<19} {:>7} {rate:>17} {p50:>7.2} {p99:>7.2} {end_p50:>8.2} {end_p99:>8.2} {cpu:>18} {:>9.0} {:>8.1}  {} taken, {} refused, {} deferred, {} errors",
            row.peer.name,
            row.concurrency,
            1e3 / row.cpu(),
            median(row.pss.clone()),
            v.taken,
            v.refused,
            v.deferred,
            v.errors
        );
    }
    println!();
    for (name, value) in ratios(rows).as_object().into_iter().flatten() {
        println!("{name}: {value}");
    }
}

/// Ours held against theirs; the goals stand in docs/benchmarks.md.
fn ratios(rows: &[Row]) -> Value {
    let find = |peer: &str, at: usize| rows.iter().find(|row| row.peer.name == peer && row.concurrency == at);
    let mut ratios = serde_json::Map::new();
    for at in CONCURRENCY {
        let Some(ours) = find(OURS, at) else { continue };
        for peer in [RULES, BAYES] {
            let Some(theirs) = find(peer, at) else { continue };
            let work = rounded(theirs.cpu() / ours.cpu());
            let wait = rounded(ours.p99() / theirs.p99());
            ratios.insert(format!("messages per CPU second, ours to {peer}, at {at}"), json!(work));
            ratios.insert(format!("p99, ours to {peer}, at {at}"), json!(wait));
        }
    }
    Value::Object(ratios)
}
