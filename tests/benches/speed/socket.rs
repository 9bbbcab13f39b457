//! Every filter through its milter socket at 1, 4 and 16 messages at a time, in rounds that take turns.

use std::time::Instant;

use mailward_tests::milter::Parts;
use mailward_tests::nxdomain::NxDomain;
use mailward_tests::scratch::Scratch;
use serde_json::{Value, json};

use crate::corpus::Sample;
use crate::load::{self, Verdicts};
use crate::peers::{self, BAYES, OURS, Peer, RULES};
use crate::report::{median, range, rounded, save};

/// Messages under way at a time.
const CONCURRENCY: [usize; 3] = [1, 4, 16];
/// Times that everything is measured. Unit: rounds.
const ROUNDS: usize = 3;
/// Messages sent to each filter before anything is measured.
const WARM_UP: usize = 200;

/// One filter at one concurrency in one round.
struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
    end_p50: f64,
    end_p99: f64,
    cpu: f64,
    pss: f64,
}

/// What the rounds of one filter at one concurrency come to.
struct Row {
    peer: &'static str,
    concurrency: usize,
    median: Measured,
    rates: (f64, f64),
    verdicts: Verdicts,
}

pub(crate) fn measure(sample: &Sample) {
    let parts: Vec<Parts> = sample.messages.iter().map(|message| Parts::of(message)).collect();
    let scratch = Scratch::new();
    let dns = NxDomain::start();
    let peers = peers::start(&scratch, &dns, sample, true);
    for peer in &peers {
        let started = Instant::now();
        load::run(&peer.socket, &parts[..1], 1, 1);
        println!(
            "{:<19} {}, first verdict after {:.0} ms",
            peer.name,
            peer.note,
            started.elapsed().as_secs_f64() * 1e3
        );
        load::run(&peer.socket, &parts, 4, WARM_UP);
    }
    let mut rows: Vec<(&Peer, usize, Vec<Measured>, Verdicts)> = Vec::new();
    for concurrency in CONCURRENCY {
        rows.extend(peers.iter().map(|peer| (peer, concurrency, Vec::new(), Verdicts::default())));
    }
    for _ in 0..ROUNDS {
        for (peer, concurrency, measured, verdicts) in &mut rows {
            let (one, ends) = once(peer, &parts, *concurrency);
            measured.push(one);
            *verdicts = verdicts.and(ends);
        }
    }
    let rows: Vec<Row> =
        rows.into_iter().map(|(peer, at, measured, verdicts)| row(peer, at, &measured, verdicts)).collect();
    print(&rows);
    let figures: Vec<Value> = rows.iter().map(Row::json).collect();
    let notes: serde_json::Map<String, Value> = peers.iter().map(|p| (p.name.to_owned(), json!(p.note))).collect();
    save(
        "socket",
        json!({ "sample": sample.source, "messages": parts.len(), "rounds": ROUNDS, "peers": notes,
        "rows": figures, "ratios": ratios(&rows) }),
    );
}

fn once(peer: &Peer, parts: &[Parts], concurrency: usize) -> (Measured, Verdicts) {
    let before = peer.cpu();
    let mut run = load::run(&peer.socket, parts, concurrency, parts.len());
    let cpu = (peer.cpu() - before) / parts.len() as f64;
    let (p50, p99) = run.percentiles(|timing| timing.whole);
    let (end_p50, end_p99) = run.percentiles(|timing| timing.end);
    let rate = run.timings.len() as f64 / run.wall.as_secs_f64();
    (Measured { rate, p50, p99, end_p50, end_p99, cpu, pss: peer.pss() }, run.verdicts)
}

fn row(peer: &Peer, concurrency: usize, measured: &[Measured], verdicts: Verdicts) -> Row {
    let of = |field: fn(&Measured) -> f64| median(measured.iter().map(field).collect());
    let rates: Vec<f64> = measured.iter().map(|m| m.rate).collect();
    let median = Measured {
        rate: of(|m| m.rate),
        p50: of(|m| m.p50),
        p99: of(|m| m.p99),
        end_p50: of(|m| m.end_p50),
        end_p99: of(|m| m.end_p99),
        cpu: of(|m| m.cpu),
        pss: of(|m| m.pss),
    };
    Row { peer: peer.name, concurrency, median, rates: range(&rates), verdicts }
}

fn print(rows: &[Row]) {
    println!(
        "\n{:<19} {:>7} {:>17} {:>7} {:>7} {:>8} {:>8} {:>7} {:>9} {:>8}  verdicts",
        "filter", "at once", "messages/s", "p50 ms", "p99 ms", "end p50", "end p99", "CPU ms", "per CPU s", "PSS MiB"
    );
    for row in rows {
        let m = &row.median;
        let rate = format!("{:.0} ({:.0}-{:.0})", m.rate, row.rates.0, row.rates.1);
        let v = row.verdicts;
        println!(
            "{:<19} {:>7} {rate:>17} {:>7.2} {:>7.2} {:>8.2} {:>8.2} {:>7.2} {:>9.0} {:>8.1}  {} taken, {} refused, {} deferred, {} errors",
            row.peer,
            row.concurrency,
            m.p50,
            m.p99,
            m.end_p50,
            m.end_p99,
            m.cpu,
            1e3 / m.cpu,
            m.pss,
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
    let find = |peer: &str, at: usize| rows.iter().find(|row| row.peer == peer && row.concurrency == at);
    let mut ratios = serde_json::Map::new();
    for at in CONCURRENCY {
        let Some(ours) = find(OURS, at) else { continue };
        for peer in [RULES, BAYES] {
            let Some(theirs) = find(peer, at) else { continue };
            let work = rounded(theirs.median.cpu / ours.median.cpu);
            let wait = rounded(ours.median.p99 / theirs.median.p99);
            ratios.insert(format!("messages per CPU second, ours to {peer}, at {at}"), json!(work));
            ratios.insert(format!("p99, ours to {peer}, at {at}"), json!(wait));
        }
    }
    Value::Object(ratios)
}

impl Row {
    fn json(&self) -> Value {
        let (m, v) = (&self.median, self.verdicts);
        json!({
            "peer": self.peer, "concurrency": self.concurrency, "messages_per_s": rounded(m.rate),
            "messages_per_s_lowest": rounded(self.rates.0), "messages_per_s_highest": rounded(self.rates.1),
            "p50_ms": rounded(m.p50), "p99_ms": rounded(m.p99), "end_p50_ms": rounded(m.end_p50),
            "end_p99_ms": rounded(m.end_p99), "cpu_ms_per_message": (m.cpu * 1e3).round() / 1e3, "pss_mib": rounded(m.pss),
            "taken": v.taken, "refused": v.refused, "deferred": v.deferred, "errors": v.errors,
        })
    }
}
