//! What Linux tells about a process.

use std::fs;
use std::process::Command;
use std::time::Duration;

/// CPU time so far, all threads, user and system (proc(5), `stat`, fields 14 and 15).
pub(crate) fn cpu(id: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("the daemon runs");
    let (_, fields) = stat.rsplit_once(") ").expect("the name stands in brackets");
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    Duration::from_secs_f64(ticks as f64 / ticks_per_second())
}

fn ticks_per_second() -> f64 {
    let output = Command::new("getconf").arg("CLK_TCK").output().expect("getconf is part of libc-bin");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

/// Memory, shared pages divided among those who share them. Unit: MiB.
pub(crate) fn pss(id: u32) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).expect("the daemon runs");
    let kilobytes = rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB"));
    kilobytes.expect("a Pss line").trim().parse::<f64>().expect("a number") / 1024.0
}
