//! Cost against the size of a message: plain text, and an attachment.

use mailward_tests::milter::Parts;
use mailward_tests::nxdomain::NxDomain;
use mailward_tests::scratch::Scratch;
use serde_json::{Value, json};

use crate::corpus::{self, Sample};
use crate::load;
use crate::peers::{self, Peer};
use crate::report::{rounded, save};

/// Sizes of messages. Unit: KiB.
const SIZES: [usize; 8] = [1, 4, 16, 64, 256, 1_024, 4_096, 25_600];
/// What is sent of each size, as far as the bounds below allow. Unit: bytes.
const VOLUME: usize = 64 << 20;
/// Fewest and most messages of a size.
const COUNTS: (usize, usize) = (4, 400);

pub(crate) fn measure(sample: &Sample) {
    let scratch = Scratch::new();
    let dns = NxDomain::start();
    let peers = peers::start(&scratch, &dns, sample, false);
    println!(
        "\n{:<19} {:<10} {:>9} {:>7} {:>9} {:>9} {:>9} {:>9}",
        "filter", "kind", "KiB", "sent", "p50 ms", "p99 ms", "CPU ms", "MiB/CPU s"
    );
    let mut figures = Vec::new();
    for (kind, of) in [("text", corpus::plain_of as fn(usize) -> Vec<u8>), ("attachment", corpus::attachment_of)] {
        for kilobytes in SIZES {
            let message = of(kilobytes << 10);
            let parts = [Parts::of(&message)];
            for peer in &peers {
                figures.push(one(peer, kind, message.len(), &parts));
            }
        }
    }
    save("size", json!({ "rows": figures }));
}

/// One message at a time.
fn one(peer: &Peer, kind: &str, bytes: usize, parts: &[Parts]) -> Value {
    let count = (VOLUME / bytes).clamp(COUNTS.0, COUNTS.1);
    load::run(&peer.socket, parts, 1, 0..2);
    let before = peer.cpu();
    let run = load::run(&peer.socket, parts, 1, 0..count);
    let cpu = (peer.cpu() - before) / count as f64;
    let (p50, p99) = load::percentiles(&run.timings, |timing| timing.whole);
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    println!(
        "{:<19} {kind:<10} {:>9.1} {count:>7} {p50:>9.2} {p99:>9.2} {cpu:>9.2} {:>9.1}{}",
        peer.name,
        bytes as f64 / 1024.0,
        mebibytes / cpu * 1e3,
        if run.verdicts.taken == count { String::new() } else { format!("  {:?}", run.verdicts) }
    );
    json!({ "peer": peer.name, "kind": kind, "bytes": bytes, "messages": count, "p50_ms": rounded(p50),
        "p99_ms": rounded(p99), "cpu_ms_per_message": rounded(cpu), "pss_mib": rounded(peer.pss()),
        "taken": run.verdicts.taken })
}
