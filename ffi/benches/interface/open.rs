//! Opening an engine, and living for one message.

use crate::{Folder, median};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    ptr,
    time::Instant,
};

/// Fresh processes of each kind.
const PROCESSES: usize = 30;
const MESSAGE: &str = "From: Anna <anna@example.net>\nTo: bob@example.com\nSubject: lunch\n\
    Date: Sun, 1 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.net>\n\nShall we?\n";

pub(crate) fn measure() {
    let own = std::env::current_exe().expect("a process knows its program");
    let told: Vec<(f64, f64)> = (0..PROCESSES).map(|_| opened_by(&own)).collect();
    let of = |which: fn(&(f64, f64)) -> f64| median(told.iter().map(which).collect());
    println!(
        "engine     opens in {:.1} ms, then has {:.1} MiB PSS ({PROCESSES} fresh processes)",
        of(|t| t.0),
        of(|t| t.1)
    );

    let folder = Folder::new();
    let mail = folder.0.join("mail");
    fs::write(&mail, MESSAGE).expect("a file can be written");
    let program = compile(&folder.0, &own);
    let (before, mut walls) = (cpu_of_children(), Vec::new());
    for _ in 0..PROCESSES {
        let started = Instant::now();
        let status = Command::new(&program).arg(&mail).stdout(Stdio::null()).status().expect("the program starts");
        walls.push(started.elapsed().as_secs_f64() * 1e3);
        assert!(status.success(), "the message is accepted");
    }
    let cpu = (cpu_of_children() - before) / PROCESSES as f64;
    println!(
        "process    of C, one message: {:.1} ms, of a processor {cpu:.1} ms ({PROCESSES} processes)",
        median(walls)
    );
}

/// What a fresh process says: ms to open, and MiB.
fn opened_by(own: &Path) -> (f64, f64) {
    let output = Command::new(own).arg("--open").output().expect("this program starts again");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [ms, mib] => (ms, mib),
        _ => panic!("{said} {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// What the process does that [`opened_by`] starts.
pub(crate) fn in_this_process() {
    let mut engine = ptr::null_mut();
    let started = Instant::now();
    // SAFETY: NULL is allowed where it is given, and the place may be written.
    let status = unsafe { mailward::mw_engine_open(ptr::null(), ptr::null(), &mut engine, ptr::null_mut()) };
    let ms = started.elapsed().as_secs_f64() * 1e3;
    assert_eq!(status, 0, "the engine opens");
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").expect("Linux has it");
    let pss =
        rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    println!("{ms} {}", pss.expect("a figure") / 1024.0);
    // SAFETY: it was opened above.
    unsafe { mailward::mw_engine_free(engine) };
}

/// The example of a C program, against the library that was built with this benchmark.
fn compile(folder: &Path, own: &Path) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = own.ancestors().skip(1).take(2).map(|folder| folder.join("libmailward.so"));
    let library = built
        .filter(|file| file.exists())
        .max_by_key(|file| file.metadata().and_then(|metadata| metadata.modified()).ok())
        .expect("libmailward.so was built");
    let program = folder.join("check_message");
    let status = Command::new("cc")
        .args(["-std=c99", "-O2", "-I"])
        .arg(package.join("include"))
        .arg(package.join("../examples/c/check_message.c"))
        .arg(&library)
        .arg(format!("-Wl,--disable-new-dtags,-rpath,{}", library.parent().expect("a folder").display()))
        .arg("-o")
        .arg(&program)
        .status();
    assert!(status.expect("a C compiler").success());
    program
}

/// CPU time of the ended children, user and system (proc(5), `stat`, fields 16 and 17). Unit: ms; clock ticks of 10 ms.
fn cpu_of_children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux has it");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("a name in brackets").1.split(' ').collect();
    fields[13..15].iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10.0
}
