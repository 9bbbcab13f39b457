//! `--prove`: does the lock hold on this kernel, and do the rules find what they must?

use crate::{exit, fail, loaded::Loaded, sandbox, worker::locked_in};
use mailward_core::{
    malware::test_file,
    message::{self, Bounds},
};
use rustix::process::{getpid, test_kill_process};
use std::{
    fs::{self, File},
    io,
    net::{TcpListener, UdpSocket},
    os::unix::net::UnixStream,
    process::{Command, ExitCode},
    thread,
};

pub(crate) fn run(loaded: &Loaded) -> ExitCode {
    let landlock = sandbox::close_files_and_network().err().unwrap_or_else(|| "all of it".to_owned());
    let scanner = match loaded.scanner() {
        Ok(scanner) => scanner,
        Err(faults) => return fail(exit::USAGE, &faults),
    };
    let mut warm = match locked_in(&scanner, loaded.message_bytes()) {
        Ok(warm) => warm,
        Err(why) => return fail(exit::TROUBLE, &why),
    };
    let done = |what: io::Result<()>| match what {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => "denied".to_owned(),
        Err(error) => format!("NOT DENIED ({error})"),
        Ok(()) => "NOT DENIED".to_owned(),
    };
    let denials = [
        ("reading a file", done(File::open("/etc/passwd").map(drop))),
        ("listing a directory", done(fs::read_dir("/").map(drop))),
        ("writing a file", done(fs::write("/tmp/mailward-scan-prove", "x"))),
        ("TCP", done(TcpListener::bind("127.0.0.1:0").map(drop))),
        ("UDP", done(UdpSocket::bind("127.0.0.1:0").map(drop))),
        ("unix sockets", done(UnixStream::pair().map(drop))),
        ("another program", done(Command::new("/bin/true").spawn().map(drop))),
        ("another thread", done(thread::Builder::new().spawn(|| {}).map(drop))),
        ("signals", done(test_kill_process(getpid()).map_err(Into::into))),
    ];
    let mail = format!("Subject: test\r\n\r\n{}\r\n", test_file());
    let report = warm.scan(&message::parse(mail.as_bytes(), &Bounds::default()));
    let found: Vec<_> = report.hits.iter().map(|hit| hit.rule.as_str()).collect();
    for (what, outcome) in &denials {
        println!("{what:20} {outcome}");
    }
    println!(
        "{:20} {}",
        "the EICAR test file",
        if found.is_empty() { "NOT FOUND".to_owned() } else { found.join(", ") }
    );
    println!("{:20} {landlock}", "Landlock");
    let holds = denials.iter().all(|(_, outcome)| outcome == "denied") && !found.is_empty();
    ExitCode::from(if holds && report.trouble.is_none() { exit::OK } else { exit::NOT_PROVED })
}
