//! The scanning service: YARA in sandboxed processes, asked over a unix socket.
//!
//! One process serves the socket and judges nothing. It starts the others (itself, with `--worker`), hands each a message
//! at a time, ends those that take too long and replaces those that end. They get configuration and rules from it and lock themselves
//! in: no files, no network, no programs, no new threads, bounded memory.

mod loaded;
mod prove;
mod sandbox;
mod service;
mod worker;

use clap::{CommandFactory, Parser};
use loaded::Loaded;
use mailward_core::lookup::scan::SERVICE;
use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};
use tracing_subscriber::EnvFilter;

const DEFAULT_CONFIG: &str = "/etc/mailward/mailward.toml";

const AFTER_HELP: &str = "\
Whoever may write to the socket may have messages scanned: its mode is 0660, so run this service with the group of those who \
ask. SIGHUP reads configuration and rules again; with faults the old ones stay. SIGTERM ends it when the scans under way are \
done.

Exit codes: 0 ended as asked, or proved; 1 --prove: something is not as it should be; 2 wrong arguments or a faulty \
configuration; 3 the socket or the processes cannot be had.";

/// Scans messages for mail servers on this host: YARA in sandboxed processes, asked over a unix socket.
#[derive(Parser)]
#[command(name = "mailward-scan", version, after_help = AFTER_HELP)]
struct Arguments {
    /// Configuration file; its tables "malware", "limits" and "log" count here. Without it /etc/mailward/mailward.toml is
    /// read if it exists, else the built-in defaults hold.
    #[arg(long, short, value_name = "FILE", env = "MAILWARD_CONFIG")]
    config: Option<PathBuf>,
    /// The socket to listen on.
    #[arg(long, value_name = "PATH", default_value = SERVICE)]
    listen: PathBuf,
    /// How many messages are scanned at a time, each in its process. Without it, as many as there are processors.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    processes: Option<u16>,
    /// Lock this process in as those that scan are, try what it should not be able to do, scan the EICAR test file, and
    /// tell.
    #[arg(long, conflicts_with_all = ["listen", "processes"])]
    prove: bool,
    /// Answer requests on standard input, locked in.
    #[arg(long, hide = true)]
    worker: bool,
    /// Print the manual page.
    #[arg(long, hide = true)]
    man: bool,
}

mod exit {
    pub(crate) const OK: u8 = 0;
    pub(crate) const NOT_PROVED: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const TROUBLE: u8 = 3;
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.man {
        return man();
    }
    let path = arguments.config.or_else(|| Path::new(DEFAULT_CONFIG).exists().then(|| DEFAULT_CONFIG.into()));
    if arguments.worker {
        return worker::run();
    }
    let loaded = match Loaded::read(path.as_deref()) {
        Ok(loaded) => loaded,
        Err(faults) => return fail(exit::USAGE, &faults),
    };
    if arguments.prove {
        return prove::run(&loaded);
    }
    let config = &loaded.config;
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("warn,mailward_scan={0},mailward_core={0}", config.log.level)));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let place = service::Place { config: path, listen: arguments.listen };
    service::run(place, &loaded, arguments.processes.map_or(processors, u32::from))
}

fn man() -> ExitCode {
    match clap_mangen::Man::new(Arguments::command()).render(&mut io::stdout()) {
        Ok(()) => ExitCode::from(exit::OK),
        Err(error) => fail(exit::TROUBLE, &error.to_string()),
    }
}

fn fail(code: u8, why: &str) -> ExitCode {
    for line in why.lines() {
        eprintln!("mailward-scan: {line}");
    }
    ExitCode::from(code)
}
