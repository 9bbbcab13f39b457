//! A process that scans: locks, rules, locks, then messages. It reads no file.

use crate::{exit, fail, loaded::Loaded, sandbox};
use mailward_core::{
    lookup::scan::{answer_requests, read_first},
    malware::{ScanAnswer, Scanner, WarmScanner},
    message::{self, Bounds},
};
use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitCode,
};

pub(crate) fn run() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::from(exit::OK),
        Err(why) => fail(exit::TROUBLE, &why),
    }
}

fn serve() -> Result<(), String> {
    sandbox::end_with_the_service();
    let text = |error: io::Error| format!("the socket to answer on: {error}");
    let mut stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().map_err(text)?);
    let loaded = Loaded::of_frames(read_first(&mut stream).map_err(text)?)?;
    // Kernels before 5.13 have no Landlock; the calls are closed in any case.
    let _ = sandbox::close_files_and_network();
    let scanner = loaded.scanner()?;
    let mut warm = locked_in(&scanner, loaded.message_bytes())?;
    let bounds = Bounds::default();
    let answer = |raw: &[u8]| {
        let answer: ScanAnswer = Ok(warm.scan(&message::parse(raw, &bounds)));
        serde_json::to_vec(&answer).unwrap_or_default()
    };
    answer_requests(stream, loaded.message_bytes(), answer).map_err(text)
}

/// A scanner that has scanned once, in a process that can do nothing else any more. YARA-X starts a thread at its first scan,
/// so that comes before the last lock.
pub(crate) fn locked_in(scanner: &Scanner, message_bytes: u64) -> Result<WarmScanner<'_>, String> {
    let mut warm = scanner.warm();
    warm.scan(&message::parse(b"Subject: first\r\n\r\n", &Bounds::default()));
    sandbox::bound_resources(message_bytes)?;
    sandbox::close_calls()?;
    Ok(warm)
}
