//! CPU time of this process.

use std::{fs, time::Duration};

/// CPU time of all threads that live (proc(5), `schedstat`, first field: nanoseconds).
pub(crate) fn of_all_threads() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux has /proc").flatten();
    let spent = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}
