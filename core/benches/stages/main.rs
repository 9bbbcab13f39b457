//! What a message costs inside the engine, stage by stage, what a connection costs whose client is known, and what many
//! policies cost.
//!
//!     make bench PART=stages [MAILWARD_CORPUS=DIR]
//!     make bench PART=connect
//!     make bench PART=policies
//!
//! Plain timing on one thread, the middle of several rounds. DNS is scripted and knows nothing, except for
//! `connect`, where a real server answers NXDOMAIN and the resolver's cache does the rest.

mod connect;
#[path = "../shared/corpus.rs"]
mod corpus;
mod cpu;
mod nxdomain;
mod policies;
mod stages;

use mailward_core::{
    config,
    engine::{Engine, Shared},
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};

/// The clock of all sessions. Unit: Unix seconds.
const NOW: i64 = 1_770_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` starts benchmarks too, without this word.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let parts: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    if is_wanted("stages") {
        println!("\n== stages");
        stages::measure(&corpus::sample());
    }
    if is_wanted("connect") {
        println!("\n== connect");
        connect::measure();
    }
    if is_wanted("policies") {
        println!("\n== policies");
        policies::measure();
    }
}

/// A folder for state that goes with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("mailward-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The configuration that the benchmark of the milter socket uses too: every layer on, apart from clamd.
fn configuration(folder: &Folder, dns: Option<SocketAddr>) -> config::Config {
    let path = |name: &str| folder.0.join(name);
    let write = |name: &str, text: &str| std::fs::write(path(name), text).expect("a file can be written");
    write("recipients.csv", "address\nalice@rig.test\nbob@rig.test\n");
    let servers = dns.map(|address| format!("[dns]\nservers = [\"{address}\"]\n")).unwrap_or_default();
    let text = format!(
        "[[reputation.dnsbl]]\nname = \"list\"\nzone = \"dnsbl.test\"\nrefuse = [\"127.0.0.2\"]\n\
         [directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n[dha]\nmode = \"enforce\"\n[state]\ndir = \"{}\"\n{servers}",
        path("recipients.csv").display(),
        folder.0.display()
    );
    write("mailward.toml", &text);
    config::load(&path("mailward.toml")).unwrap_or_else(|faults| panic!("the configuration is sound: {faults:?}"))
}

async fn engine(config: config::Config, shared: Shared) -> Arc<Engine> {
    Engine::build(config, shared).await.unwrap_or_else(|problems| panic!("the engine can be built: {problems:?}"))
}

/// The middle value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
