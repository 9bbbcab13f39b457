//! `make soak`: 10,000 messages through a whole site whose parts fail every few seconds, and an account of each.
//!
//!     make soak [MESSAGES=10000]

use std::process::ExitCode;
use std::time::Duration;

use mailward_tests::soak::{self, Plan};

fn main() -> ExitCode {
    // `cargo test --all-targets` starts benchmarks too, without this word.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let messages = std::env::var("MESSAGES").ok().and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let account = soak::run(Plan {
        messages,
        clients: 16,
        rate: 40.0,
        fault: (Duration::from_millis(500), Duration::from_secs(3)),
        pause: Duration::from_secs(1),
        settling: Duration::from_secs(180),
    });
    println!("{account}");
    if account.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
