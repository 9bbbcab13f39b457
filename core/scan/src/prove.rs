//! `--prove`: does the lock hold on this kernel, and do the rules find what they must?

use crate::{
    exit, fail, message_bytes,
    worker::{load, locked_in},
};
use mailward_core::{
    config::Config,
    malware::test_file,
    message::{self, Bounds},
};
use std::{
    fs::{self, File},
    io,
    net::{TcpListener, UdpSocket},
    os::unix::net::UnixStream,
    process::{Command, ExitCode},
    thread,
};

pub(crate) fn run(config: &Config) -> ExitCode {
    let scanner = match load(config) {
        Ok(scanner) => scanner,
        Err(code) => return code,
    };
    let mut warm = match locked_in(&scanner, message_bytes(config)) {
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
    let holds = denials.iter().all(|(_, outcome)| outcome == "denied") && !found.is_empty();
    ExitCode::from(if holds && report.trouble.is_none() { exit::OK } else { exit::NOT_PROVED })
}
