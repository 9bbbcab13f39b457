//! The clock: kept by a time service, and not behind what was written earlier. Signatures expire and entries age by it.
//!
//! No time server is asked: which one to trust is the site's choice, and its time service has made it.

use super::report::Check;
use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

const AREA: &str = "clock";
/// How far a clock may be off. Source: our own limit; DKIM and ARC times are judged with some minutes of grace.
const OFF: f64 = 60.0;
/// File that systemd-timesyncd makes once it has set the clock (systemd-timesyncd.service(8)).
const TIMESYNC: &str = "/run/systemd/timesync/synchronized";

pub(super) fn check(state: &Path) -> Vec<Check> {
    let mut checks = vec![service()];
    checks.extend(newer_than_now(state));
    checks
}

fn service() -> Check {
    if Path::new(TIMESYNC).exists() {
        return Check::ok(AREA, "systemd-timesyncd has set the clock");
    }
    let tracking = Command::new("chronyc").args(["-c", "tracking"]).output();
    match tracking {
        Ok(output) if output.status.success() => chrony(&String::from_utf8_lossy(&output.stdout)),
        Ok(_) => Check::warning(AREA, "chronyd does not answer", "start chronyd, or another time service"),
        Err(_) => Check::skipped(AREA, "not checked: neither systemd-timesyncd nor chrony keeps the clock here"),
    }
}

/// `chronyc -c tracking`: the fifth field is the offset in seconds, the last the leap status.
fn chrony(tracking: &str) -> Check {
    let fields: Vec<&str> = tracking.trim().split(',').collect();
    let offset = fields.get(4).and_then(|field| field.parse::<f64>().ok());
    match (fields.last(), offset) {
        (Some(&"Not synchronised"), _) => {
            Check::warning(AREA, "chronyd is not synchronised", "see \"chronyc sources\"")
        }
        (Some(_), Some(offset)) if offset.abs() < OFF => {
            Check::ok(AREA, format!("chronyd keeps the clock, {offset:.3} s off"))
        }
        (Some(_), Some(offset)) => Check::problem(
            AREA,
            format!("the clock is {offset:.0} s off, says chronyd"),
            "set it with \"chronyc makestep\": signatures and entries are judged by it",
        ),
        _ => Check::skipped(AREA, "not checked: chronyc gives no tracking data"),
    }
}

/// State that was written in the future tells of a clock that was set back.
fn newer_than_now(state: &Path) -> Option<Check> {
    let newest =
        fs::read_dir(state).ok()?.flatten().filter_map(|entry| entry.metadata().ok()?.modified().ok()).max()?;
    let ahead = newest.duration_since(SystemTime::now()).unwrap_or_default();
    (ahead > Duration::from_secs(OFF as u64)).then(|| {
        Check::problem(
            AREA,
            format!("a file in {} was written {} s in the future", state.display(), ahead.as_secs()),
            "the clock is or was wrong: see the time service; what was counted in the future counts until then",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{super::report::State, *};

    #[test]
    fn what_chrony_says_is_understood() {
        let tracking = |offset: &str, leap: &str| {
            format!("C0000201,192.0.2.1,3,1717400000.1,{offset},0.0001,0.0002,-1.5,0.001,0.02,0.01,0.02,64.2,{leap}\n")
        };
        assert_eq!(chrony(&tracking("0.000012", "Normal")).state, State::Ok);
        assert_eq!(chrony(&tracking("-75.5", "Normal")).state, State::Problem);
        assert_eq!(chrony(&tracking("0.0", "Not synchronised")).state, State::Warning);
        assert_eq!(chrony("506 Cannot talk to daemon").state, State::Skipped);
    }
}
