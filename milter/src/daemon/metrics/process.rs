//! What the kernel knows about this process, from `/proc`.

use std::{fs, time::Duration};

/// Ticks of `/proc/PID/stat`. Unit: ticks a second. Source: proc(5); USER_HZ is 100 on every architecture that Rust's
/// Linux targets of tier 1 and 2 run on.
const TICKS: u64 = 100;

/// Use of resources now. What cannot be read is 0.
#[derive(Debug, Default)]
pub(super) struct Process {
    /// User and system time.
    pub(super) cpu: Duration,
    /// Resident memory. Unit: bytes.
    pub(super) resident: u64,
    /// Open file descriptors.
    pub(super) descriptors: u64,
    /// Most file descriptors.
    pub(super) descriptor_limit: u64,
    /// Threads.
    pub(super) threads: u64,
}

impl Process {
    /// Reads it.
    pub(super) fn now() -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let status = read("status");
        Process {
            cpu: cpu(&read("stat")),
            resident: field(&status, "VmRSS:") * 1_024,
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
            descriptor_limit: field(&read("limits"), "Max open files"),
            threads: field(&status, "Threads:"),
        }
    }
}

/// User and system time of a line of `/proc/PID/stat`; the name of the program may hold blanks and brackets.
fn cpu(stat: &str) -> Duration {
    let Some((_, rest)) = stat.rsplit_once(')') else { return Duration::ZERO };
    let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1_000 / TICKS)
}

/// The first number behind a name.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_named_with_brackets_is_read_right() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 1 1 1";
        assert_eq!(cpu(stat), Duration::from_secs(3));
        assert_eq!(cpu("garbage"), Duration::ZERO);
    }

    #[test]
    fn this_process_uses_memory_descriptors_and_threads() {
        let now = Process::now();
        assert!(now.resident > 1 << 20 && now.descriptors > 2 && now.threads >= 1, "{now:?}");
        assert!(now.descriptor_limit >= now.descriptors, "{now:?}");
    }
}
