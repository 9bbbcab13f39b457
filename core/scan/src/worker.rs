//! A process that scans: rules first, then the lock, then messages.

use crate::{exit, fail, message_bytes, sandbox};
use mailward_core::{
    config::Config,
    lookup::scan::answer_requests,
    malware::{ScanAnswer, Scanner, WarmScanner},
    message::{self, Bounds},
};
use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitCode,
};

pub(crate) fn run(config: &Config) -> ExitCode {
    let stream = match io::stdin().as_fd().try_clone_to_owned() {
        Ok(stdin) => UnixStream::from(stdin),
        Err(error) => return fail(exit::TROUBLE, &format!("no socket to answer on: {error}")),
    };
    let scanner = match load(config) {
        Ok(scanner) => scanner,
        Err(code) => return code,
    };
    let mut warm = match locked_in(&scanner, message_bytes(config)) {
        Ok(warm) => warm,
        Err(why) => return fail(exit::TROUBLE, &why),
    };
    let bounds = Bounds::default();
    let answered = answer_requests(stream, message_bytes(config), |raw| {
        let answer: ScanAnswer = Ok(warm.scan(&message::parse(raw, &bounds)));
        serde_json::to_vec(&answer).unwrap_or_default()
    });
    match answered {
        Ok(()) => ExitCode::from(exit::OK),
        Err(error) => fail(exit::TROUBLE, &error.to_string()),
    }
}

/// The rules, or the code to end with.
pub(crate) fn load(config: &Config) -> Result<Scanner, ExitCode> {
    Scanner::load(&config.malware).map_err(|faults| fail(exit::USAGE, &faults.join("\n")))
}

/// A scanner that has scanned once, in a process that can do nothing else any more. YARA-X starts a thread at its first scan,
/// so that comes between the two locks.
pub(crate) fn locked_in(scanner: &Scanner, message_bytes: u64) -> Result<WarmScanner<'_>, String> {
    if let Err(why) = sandbox::close_files_and_network() {
        // Kernels before 5.13 have no Landlock; the calls are closed in any case.
        eprintln!("mailward-scan: Landlock is not in force: {why}");
    }
    let mut warm = scanner.warm();
    warm.scan(&message::parse(b"Subject: first\r\n\r\n", &Bounds::default()));
    sandbox::bound_resources(message_bytes)?;
    sandbox::close_calls()?;
    Ok(warm)
}
