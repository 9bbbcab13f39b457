//! What Linux tells about groups of processes.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest wait for a program that does something after its start.
const SETTLING: Duration = Duration::from_secs(120);

/// CPU time so far of all processes of these groups and of their ended children, all threads, user and system (proc(5),
/// `stat`, fields 14 to 17).
pub(crate) fn cpu(groups: &[u32]) -> Duration {
    let ticks: u64 = members(groups).iter().map(|member| member.ticks).sum();
    Duration::from_secs_f64(ticks as f64 / ticks_per_second())
}

/// Memory of all processes of these groups, shared pages divided among those who share them. Unit: MiB.
pub(crate) fn pss(groups: &[u32]) -> f64 {
    let kilobytes = |id: u32| {
        let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB"));
        line?.trim().parse::<f64>().ok()
    };
    members(groups).iter().filter_map(|member| kilobytes(member.id)).sum::<f64>() / 1024.0
}

/// Waits until these groups do nothing any more: rspamd, for instance, compiles its patterns after its start.
pub(crate) fn settle(groups: &[u32]) {
    let started = Instant::now();
    let mut before = cpu(groups);
    while started.elapsed() < SETTLING {
        sleep(Duration::from_secs(1));
        let now = cpu(groups);
        if now - before <= Duration::from_millis(20) {
            return;
        }
        before = now;
    }
}

struct Member {
    id: u32,
    ticks: u64,
}

fn members(groups: &[u32]) -> Vec<Member> {
    let processes = fs::read_dir("/proc").expect("Linux has /proc").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let member = |id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let group: u32 = fields.get(2)?.parse().ok()?;
        let ticks = fields.get(11..15)?.iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        groups.contains(&group).then_some(Member { id, ticks })
    };
    ids.filter_map(member).collect()
}

/// The unit of times in /proc.
pub(crate) fn ticks_per_second() -> f64 {
    let output = Command::new("getconf").arg("CLK_TCK").output().expect("getconf is part of libc-bin");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}
