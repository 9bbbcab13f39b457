//! Sendmail: is there a filter line for us, is it used, and does Sendmail wait longer than we may take.

use super::{postfix::same_socket, report::Check};
use mailward_core::config::Config;
use std::{fs, path::Path, time::Duration};

const AREA: &str = "sendmail";
/// Waits for an answer and for the end of a message when T= does not say (libmilter, installation.html).
const REPLY: Duration = Duration::from_secs(10);
const END: Duration = Duration::from_secs(300);

pub(super) fn check(config: &Config, file: &Path) -> Vec<Check> {
    match fs::read(file) {
        Ok(text) => judge(config, &String::from_utf8_lossy(&text)),
        Err(_) => vec![Check::skipped(AREA, format!("there is no {}", file.display()))],
    }
}

/// A line `Xname, S=socket, F=flags, T=C:..;S:..;R:..;E:..`.
struct Filter<'a> {
    name: &'a str,
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Filter<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut parts = line.strip_prefix('X')?.split(',').map(str::trim);
        let name = parts.next()?;
        Some(Filter { name, fields: parts.filter_map(|part| part.split_once('=')).collect() })
    }

    fn field(&self, name: &str) -> &'a str {
        self.fields.iter().find(|(field, _)| *field == name).map_or("", |&(_, value)| value)
    }

    fn wait(&self, which: &str, default: Duration) -> Option<Duration> {
        let given = self.field("T").split(';').find_map(|wait| wait.trim().strip_prefix(which)?.strip_prefix(':'));
        given.map_or(Some(default), time)
    }
}

fn judge(config: &Config, text: &str) -> Vec<Check> {
    let filters: Vec<Filter<'_>> = text.lines().filter_map(Filter::read).collect();
    let is_ours = |filter: &&Filter<'_>| {
        let listeners = &config.milter.listeners;
        listeners.iter().any(|listener| same_socket(filter.field("S"), &listener.address, Path::new("/")))
    };
    let Some(filter) = filters.iter().find(is_ours) else {
        return vec![Check::problem(
            AREA,
            "no filter line (X) of sendmail.cf names a socket of Mailward: mail passes unfiltered",
            "add the INPUT_MAIL_FILTER line that \"mailward milter --hints\" prints to sendmail.mc, and rebuild",
        )];
    };
    let name = filter.name;
    let mut checks = Vec::new();
    let used =
        text.lines().filter_map(|line| line.strip_prefix("O InputMailFilters=")).flat_map(|l| l.split([',', ';']));
    checks.push(match used.map(str::trim).any(|used| used == name) {
        true => Check::ok(AREA, format!("filter {name} is asked")),
        false => Check::problem(
            AREA,
            format!("filter {name} is defined, but InputMailFilters does not name it: mail passes unfiltered"),
            "use INPUT_MAIL_FILTER in sendmail.mc, not MAIL_FILTER",
        ),
    });
    checks.push(match filter.field("F") {
        "T" | "4" => Check::ok(AREA, "while Mailward does not answer, mail waits (F=T)"),
        other => Check::warning(
            AREA,
            format!(
                "while Mailward does not answer, mail {}",
                if other == "R" { "is refused" } else { "passes unfiltered" }
            ),
            "set F=T: senders keep their mail and try again",
        ),
    });
    for (which, default, ours, key) in
        [("R", REPLY, config.deadlines.reply, "reply"), ("E", END, config.deadlines.message, "message")]
    {
        checks.push(match filter.wait(which, default) {
            Some(wait) if wait > ours => {
                Check::ok(AREA, format!("T={which} is above our [deadlines] {key} of {ours:?}"))
            }
            _ => Check::problem(
                AREA,
                format!("T={which} is not above our [deadlines] {key} of {ours:?}"),
                format!(
                    "raise {which}: in T= of the filter, or lower [deadlines] {key}: else Sendmail gives up before us"
                ),
            ),
        });
    }
    checks
}

/// `10s`, `5m`, `1h`; a bare number is seconds (cf/README, Xfilter).
fn time(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let unit = match text.get(digits..)? {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return None,
    };
    number.checked_mul(unit).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::{super::report::State, *};

    const GOOD: &str = "O InputMailFilters=clam, mailward\nXclam, S=local:/run/clam.sock, F=, T=S:4m\n\
                        Xmailward, S=inet:8891@127.0.0.1, F=T, T=C:10s;S:10s;R:10s;E:1m\n";

    fn bad(text: &str) -> Vec<(State, String)> {
        let checks = judge(&Config::default(), text);
        checks.into_iter().filter(|c| c.state > State::Skipped).map(|c| (c.state, c.advice)).collect()
    }

    #[test]
    fn a_good_line_has_no_fault_and_each_fault_its_own_advice() {
        assert_eq!(bad(GOOD), []);
        for (from, to, state, advice) in [
            ("8891", "8892", State::Problem, "INPUT_MAIL_FILTER"),
            ("clam, mailward", "clam", State::Problem, "not MAIL_FILTER"),
            ("F=T", "F=", State::Warning, "F=T"),
            ("R:10s", "R:8s", State::Problem, "raise R:"),
            ("E:1m", "E:20s", State::Problem, "raise E:"),
        ] {
            let found = bad(&GOOD.replace(from, to));
            assert_eq!(found.len(), 1, "{to}: {found:?}");
            assert_eq!(found[0].0, state, "{to}");
            assert!(found[0].1.contains(advice), "{to}: {found:?}");
        }
        assert_eq!(bad("").len(), 1);
    }
}
