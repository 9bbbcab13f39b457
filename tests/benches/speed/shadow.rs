//! What a shadow costs: CPU time of the daemon with and without a second configuration beside it, in turns.

use mailward_tests::milter::Parts;
use mailward_tests::nxdomain::NxDomain;
use mailward_tests::scratch::Scratch;
use serde_json::json;

use crate::corpus::Sample;
use crate::load::{self, Verdicts};
use crate::peers::{self, Peer};
use crate::report::{rounded, save};

/// Turns of each. Unit: rounds.
const ROUNDS: usize = 12;
/// Messages of a turn.
const TURN: usize = 250;
/// Messages under way at a time.
const AT_ONCE: usize = 4;
/// What the shadow does otherwise: it marks sooner, so that its verdicts differ.
const NEXT: &str = "[score]\ntag = 2\n";

pub(crate) fn measure(sample: &Sample) {
    let parts: Vec<Parts> = sample.messages.iter().map(|message| Parts::of(message)).collect();
    let (alone, beside) = (Scratch::new(), Scratch::new());
    let dns = NxDomain::start();
    let next = peers::configuration(&beside, &dns) + NEXT;
    let next = beside.file("next.toml", next);
    let shadow = format!("[shadow]\nconfig = \"{}\"\n", next.display());
    let peers = [peers::ours(&alone, &dns, sample, ""), peers::ours(&beside, &dns, sample, &shadow)];
    let mut totals = [(0.0, Verdicts::default()); 2];
    for peer in &peers {
        load::run(&peer.socket, &parts, AT_ONCE, 0..TURN);
        peer.settle();
    }
    for round in 0..ROUNDS {
        for (peer, (cpu, verdicts)) in peers.iter().zip(&mut totals) {
            let (spent, ends) = turn(peer, &parts, round * TURN..(round + 1) * TURN);
            *cpu += spent;
            *verdicts = verdicts.and(ends);
        }
    }
    let [(without, same), (with, as_well)] = totals.map(|(cpu, verdicts)| (cpu / (ROUNDS * TURN) as f64, verdicts));
    let more = 100.0 * (with / without - 1.0);
    println!("without    {without:.3} CPU ms a message");
    println!("with       {with:.3} CPU ms a message, {more:.0} % more");
    println!(
        "verdicts   {} and {} taken, {} and {} refused: {}",
        same.taken,
        as_well.taken,
        same.refused,
        as_well.refused,
        if same == as_well { "the same" } else { "THEY DIFFER" }
    );
    save(
        "shadow",
        json!({ "without_cpu_ms": rounded(without), "with_cpu_ms": rounded(with), "more_percent": rounded(more), "same_verdicts": same == as_well }),
    );
}

/// CPU time in ms, what the shadow does after the last answer included.
fn turn(peer: &Peer, parts: &[Parts], numbers: std::ops::Range<usize>) -> (f64, Verdicts) {
    let before = peer.cpu();
    let run = load::run(&peer.socket, parts, AT_ONCE, numbers);
    peer.settle();
    (peer.cpu() - before, run.verdicts)
}
