//! Speed beside rspamd, in the same run, driven by the same client:
//!
//! - `socket`: messages a second, waiting time, CPU time and memory through the milter socket;
//! - `size`: cost against the size of a message;
//! - `postfix`: a real Postfix with and without a filter;
//! - `exim`: a real Exim, likewise;
//! - `shadow`: what a second configuration beside costs.
//!
//!     make bench MAILWARD_CORPUS=DIR [PART=socket]
//!
//! A small MTA's side of the protocol sends each message on a connection of its own, as Postfix does, over the unix
//! socket. DNS answers NXDOMAIN at once, so waiting on the network is left out. The client runs on the same host and
//! takes its share of the processors; CPU time is that of the filter's own processes. docs/benchmarks.md tells more.

#[path = "../../../core/benches/shared/corpus.rs"]
mod corpus;
mod exim;
mod load;
mod mta;
mod peers;
mod postfix;
mod process;
mod report;
mod rspamd;
mod shadow;
mod size;
mod socket;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` starts benchmarks too, without this word.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let parts: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect();
    let measures = [
        ("socket", socket::measure as fn(&corpus::Sample)),
        ("size", size::measure),
        ("postfix", postfix::measure),
        ("exim", exim::measure),
        ("shadow", shadow::measure),
    ];
    let wanted: Vec<_> = measures.iter().filter(|(part, _)| parts.is_empty() || parts.contains(part)).collect();
    if wanted.is_empty() {
        return; // parts of the other benchmark
    }
    let sample = corpus::sample();
    let bytes: usize = sample.messages.iter().map(Vec::len).sum();
    println!("machine    {}", report::machine());
    println!("daemon     {}", mailward_tests::mailward::binary().display());
    println!(
        "messages   {} from {}, {:.1} KiB on average; {} ham and {} spam to learn from",
        sample.messages.len(),
        sample.source,
        bytes as f64 / sample.messages.len() as f64 / 1024.0,
        sample.ham.len(),
        sample.spam.len()
    );
    for (part, measure) in wanted {
        println!("\n== {part}");
        measure(&sample);
    }
}
