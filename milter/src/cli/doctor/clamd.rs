//! clamd: does it answer, how old are its signatures, does it find the test file, and does it take what we send.

use super::{CHECK, QUICK, report::Check};
use jiff::civil::DateTime;
use mailward_core::{
    config::Config,
    lookup::{
        Deadline, Outcome, all,
        clamd::{Clamd, ClamdAddress, ClamdAnswer},
    },
    malware,
};
use std::sync::Arc;

const AREA: &str = "clamd";
/// Age from which signatures are old. Unit: days. Source: ClamAV publishes daily; freshclam asks several times a day.
const OLD: i64 = 3;

pub(super) async fn check(config: Arc<Config>) -> Vec<Check> {
    if config.malware.clamd.is_empty() {
        return vec![Check::skipped(AREA, "no [malware] clamd is configured")];
    }
    let limit = config.malware.clamd_stream_max;
    all(config.malware.clamd.iter().map(|address| examine(address, limit))).await.concat()
}

async fn examine(address: &ClamdAddress, limit: usize) -> Vec<Check> {
    match Clamd::command(address, "PING", Deadline::after(QUICK)).await {
        Outcome::Done(answer) if answer == "PONG" => {}
        Outcome::Done(answer) => {
            let advice = "see whether [malware] clamd names the socket of clamd";
            return vec![Check::problem(AREA, format!("{address} answers {answer:?}, not PONG"), advice)];
        }
        trouble => {
            let advice = "start clamd, or correct [malware] clamd; the socket must be open to Mailward's user. Mail is \
                          deferred while no clamd answers";
            let why = trouble.trouble().unwrap_or_default();
            return vec![Check::problem(AREA, format!("{address} does not answer: {why}"), advice)];
        }
    }
    let mut checks = vec![Check::ok(AREA, format!("{address} answers"))];
    let version = Clamd::command(address, "VERSION", Deadline::after(QUICK)).await;
    checks.push(age(address, version.done().map_or("", String::as_str)));
    let clamd = |stream_max| Clamd { addresses: vec![address.clone()], stream_max };
    let test = malware::test_file();
    checks.push(match clamd(limit.max(test.len())).scan(test.as_bytes(), Deadline::after(CHECK)).await {
        Outcome::Done(ClamdAnswer::Found { signature }) => {
            Check::ok(AREA, format!("{address} finds the EICAR test file ({signature})"))
        }
        Outcome::Done(_) => Check::problem(
            AREA,
            format!("{address} does not find the EICAR test file"),
            "it has no signatures, or not the official ones: run freshclam and restart clamd",
        ),
        trouble => not_scanned(address, &trouble.trouble().unwrap_or_default()),
    });
    // A message of the largest size that we would send.
    checks.push(match clamd(limit).scan(&vec![b' '; limit], Deadline::after(CHECK)).await {
        Outcome::Done(ClamdAnswer::Clean) => Check::ok(AREA, format!("{address} takes messages of {limit} bytes")),
        Outcome::Done(ClamdAnswer::Found { signature }) => Check::warning(
            AREA,
            format!("{address} says {signature} to {limit} blanks"),
            "raise MaxScanSize and MaxFileSize in clamd.conf to [malware] clamd_stream_max at least",
        ),
        Outcome::Done(_) => too_small(address, limit),
        // clamd may close so early that its answer is lost.
        Outcome::Unavailable { why } if why.contains("closed") || why.contains("pipe") || why.contains("reset") => {
            too_small(address, limit)
        }
        trouble => not_scanned(address, &trouble.trouble().unwrap_or_default()),
    });
    checks
}

fn too_small(address: &ClamdAddress, limit: usize) -> Check {
    Check::problem(
        AREA,
        format!("{address} does not take messages of {limit} bytes; they would be deferred"),
        "raise StreamMaxLength in clamd.conf, or lower [malware] clamd_stream_max to it",
    )
}

fn not_scanned(address: &ClamdAddress, why: &str) -> Check {
    Check::problem(AREA, format!("{address} did not scan: {why}"), "see the log of clamd")
}

/// `ClamAV 1.0.7/27300/Mon Jun  3 08:20:30 2024`: program, number and time of the signatures.
fn age(address: &ClamdAddress, version: &str) -> Check {
    let mut parts = version.splitn(3, '/');
    let program = parts.next().unwrap_or_default();
    let time = parts.nth(1).map(|time| time.split_whitespace().collect::<Vec<_>>().join(" "));
    let parsed = time.and_then(|time| DateTime::strptime("%a %b %d %H:%M:%S %Y", time).ok());
    let Some(made) = parsed.and_then(|made| made.to_zoned(jiff::tz::TimeZone::UTC).ok()) else {
        return Check::skipped(AREA, format!("{address} is {program} and does not tell the age of its signatures"));
    };
    let days = (crate::daemon::now() - made.timestamp().as_second()) / 86_400;
    let says = format!("{address} is {program}; its signatures are {days} days old");
    match days {
        ..=OLD => Check::ok(AREA, says),
        _ => Check::warning(AREA, says, "see whether freshclam runs and reaches its mirror"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::report::State, *};

    #[test]
    fn old_signatures_are_noticed_and_missing_dates_are_said() {
        let address: ClamdAddress = "unix:/run/clamd.ctl".parse().expect("an address");
        let old = age(&address, "ClamAV 1.0.7/27300/Mon Jun  3 08:20:30 2024");
        assert_eq!(old.state, State::Warning, "{old:?}");
        assert!(old.says.contains("ClamAV 1.0.7") && old.advice.contains("freshclam"), "{old:?}");
        let now = jiff::Timestamp::now().strftime("%a %b %e %H:%M:%S %Y").to_string();
        assert_eq!(age(&address, &format!("ClamAV 1.0.7/27300/{now}")).state, State::Ok, "{now}");
        for odd in ["ClamAV 1.0.7", "ClamAV 1.0.7/27300/yesterday", ""] {
            assert_eq!(age(&address, odd).state, State::Skipped, "{odd}");
        }
    }
}
