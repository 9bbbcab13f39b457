//! Postfix: does it ask us, and does it wait longer than we may take.

use super::report::Check;
use mailward_core::config::{Config, sections::ListenAddress};
use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const AREA: &str = "postfix";
const NAMES: [&str; 7] = [
    "smtpd_milters",
    "non_smtpd_milters",
    "milter_default_action",
    "milter_protocol",
    "milter_command_timeout",
    "milter_content_timeout",
    "queue_directory",
];

pub(super) fn check(config: &Config, folder: Option<&Path>) -> Vec<Check> {
    let mut command = Command::new("postconf");
    if let Some(folder) = folder {
        command.arg("-c").arg(folder);
    }
    // -x: with the values of the parameters that a value names.
    let output = match command.arg("-xh").args(NAMES).output() {
        Ok(output) => output,
        Err(_) if folder.is_none() => return vec![Check::skipped(AREA, "there is no postconf here")],
        Err(error) => return vec![Check::problem(AREA, format!("postconf: {error}"), "install Postfix, or see PATH")],
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let values: Vec<&str> = text.lines().map(str::trim).collect();
    let (true, Ok(values)) = (output.status.success(), <[&str; NAMES.len()]>::try_from(values)) else {
        let why = String::from_utf8_lossy(&output.stderr);
        let why = why.lines().next().unwrap_or("an answer that is not understood").to_owned();
        if folder.is_none() && why.contains("main.cf: No such file") {
            return vec![Check::skipped(AREA, "Postfix is installed, but not configured")];
        }
        return vec![Check::problem(AREA, why, "see \"postfix check\"")];
    };
    let mut checks = judge(config, &values);
    let mut command = Command::new("postconf");
    if let Some(folder) = folder {
        command.arg("-c").arg(folder);
    }
    if let Ok(output) = command.args(["-Px", "*/inet/smtpd_milters"]).output() {
        checks.extend(judge_services(config, &String::from_utf8_lossy(&output.stdout), Path::new(values[6])));
    }
    checks
}

/// Services of master.cf for strangers that set milters of their own: `smtp/inet/smtpd_milters = …`. Others, such as the
/// way back from a content filter, may well go without.
fn judge_services(config: &Config, listing: &str, queue: &Path) -> Vec<Check> {
    let own = listing.lines().filter_map(|line| line.split_once("/inet/smtpd_milters ="));
    let public = own.filter(|(service, _)| matches!(service.rsplit(':').next(), Some("smtp" | "25")));
    let unfiltered = public.filter(|(_, value)| {
        let listeners = &config.milter.listeners;
        !milters(value).iter().any(|m| listeners.iter().any(|l| same_socket(m.socket, &l.address, queue)))
    });
    unfiltered
        .map(|(service, value)| {
            Check::problem(
                AREA,
                format!("service {service} has smtpd_milters ={value}, without Mailward: its mail passes unfiltered"),
                "take \"-o smtpd_milters=...\" out of that service in master.cf",
            )
        })
        .collect()
}

/// One entry of `smtpd_milters`, with what it sets for itself in braces.
struct Milter<'a> {
    socket: &'a str,
    own: Vec<(&'a str, &'a str)>,
}

impl<'a> Milter<'a> {
    fn setting(&self, name: &str, general: &'a str) -> &'a str {
        self.own.iter().find(|(own, _)| *own == name).map_or(general, |&(_, value)| value)
    }
}

/// Splits a list at commas and blanks outside of braces.
fn milters(text: &str) -> Vec<Milter<'_>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let end = match rest.strip_prefix('{') {
            Some(inner) => inner.find('}').map_or(rest.len(), |at| at + 2),
            None => rest.find([' ', '\t', ',']).unwrap_or(rest.len()),
        };
        let (entry, behind) = rest.split_at(end.min(rest.len()));
        let mut words = entry.trim_matches(['{', '}']).split([',', ' ', '\t']).filter(|word| !word.is_empty());
        if let Some(socket) = words.next() {
            found.push(Milter { socket, own: words.filter_map(|word| word.split_once('=')).collect() });
        }
        rest = behind.trim_start_matches([' ', '\t', ',']);
    }
    found
}

fn judge(config: &Config, values: &[&str; NAMES.len()]) -> Vec<Check> {
    let &[smtpd, local, default_action, protocol, command, content, queue] = values;
    let is_ours = |milter: &Milter<'_>| {
        config.milter.listeners.iter().any(|listener| same_socket(milter.socket, &listener.address, Path::new(queue)))
    };
    let listens: Vec<String> = config.milter.listeners.iter().map(|l| l.address.to_string()).collect();
    let listens = listens.join(", ");
    let asked = milters(smtpd);
    let Some(milter) = asked.iter().find(|milter| is_ours(milter)) else {
        let says = match smtpd {
            "" => "smtpd_milters is empty: mail passes unfiltered".to_owned(),
            other => format!("smtpd_milters is {other}, but Mailward listens on {listens}: mail passes unfiltered"),
        };
        let advice = format!("add Mailward to smtpd_milters in main.cf as postfix-conf/main.cf does, for {listens}");
        return vec![Check::problem(AREA, says, advice)];
    };
    let mut checks = vec![Check::ok(AREA, format!("smtpd_milters names {}", milter.socket))];
    let action = milter.setting("default_action", default_action);
    checks.push(match action {
        "tempfail" | "shutdown" | "quarantine" => {
            Check::ok(AREA, format!("while Mailward does not answer, mail waits ({action})"))
        }
        "accept" => Check::warning(
            AREA,
            "while Mailward does not answer, mail passes unfiltered (default_action accept)",
            "set default_action=tempfail: senders keep their mail and try again",
        ),
        other => Check::warning(
            AREA,
            format!("while Mailward does not answer, mail is lost to its senders (default_action {other})"),
            "set default_action=tempfail: senders keep their mail and try again",
        ),
    });
    match milter.setting("protocol", protocol).parse::<u32>() {
        Ok(6..) => {}
        _ => checks.push(Check::problem(
            AREA,
            format!("milter_protocol is {protocol}"),
            "set milter_protocol = 6: older versions do not report refused recipients and change headers",
        )),
    }
    let waits = [
        ("command_timeout", command, config.deadlines.reply, "reply"),
        ("content_timeout", content, config.deadlines.message, "message"),
    ];
    for (name, general, ours, key) in waits {
        let theirs = milter.setting(name, general);
        checks.push(match seconds(theirs) {
            Some(wait) if wait > ours => {
                Check::ok(AREA, format!("{name} is {theirs}, above our [deadlines] {key} of {ours:?}"))
            }
            _ => Check::problem(
                AREA,
                format!("{name} is {theirs}, not above our [deadlines] {key} of {ours:?}"),
                format!("raise milter_{name} in main.cf, or lower [deadlines] {key}: else Postfix gives up before us"),
            ),
        });
    }
    if milters(local).iter().any(is_ours) {
        checks.push(Check::warning(
            AREA,
            "non_smtpd_milters names Mailward: mail of local programs is judged too",
            "leave it empty unless you want that; no recipient can be refused there (MILTER_README)",
        ));
    }
    checks
}

/// A time of postconf(5): a number with s, m, h, d or w; seconds by default here.
fn seconds(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let unit = match text.get(digits..)?.trim() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    number.checked_mul(unit).map(Duration::from_secs)
}

/// Whether an MTA's name of a socket (`inet:host:port`, `inet:port@host`, `unix:path`, `local:path`) leads to a listener.
/// Relative paths begin at `root`; so may absolute ones, where the MTA is locked into it.
pub(super) fn same_socket(name: &str, listener: &ListenAddress, root: &Path) -> bool {
    let path = name.strip_prefix("unix:").or_else(|| name.strip_prefix("local:")).unwrap_or(name);
    match listener {
        ListenAddress::Unix(ours) => {
            let theirs: PathBuf = root.join(path);
            theirs == *ours || root.join(path.trim_start_matches('/')) == *ours
        }
        ListenAddress::Inet(ours) => {
            let Some(ListenAddress::Inet(theirs)) = ListenAddress::parse(name) else { return false };
            if theirs == *ours {
                return true;
            }
            let (theirs, ours) = (addresses(&theirs), addresses(ours));
            theirs.iter().any(|a| ours.iter().any(|b| a == b || (a.port() == b.port() && b.ip().is_unspecified())))
        }
    }
}

fn addresses(name: &str) -> Vec<SocketAddr> {
    name.to_socket_addrs().map(Iterator::collect).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{super::report::State, *};

    fn judged(values: [&str; 7]) -> Vec<Check> {
        judge(&Config::default(), &values)
    }

    const GOOD: [&str; 7] = ["inet:127.0.0.1:8891", "", "tempfail", "6", "30s", "300s", "/var/spool/postfix"];

    #[test]
    fn a_good_wiring_has_no_fault_in_either_notation() {
        let braces = "{ inet:localhost:8891, connect_timeout=10s, command_timeout=20s, content_timeout=60s, \
                      default_action=tempfail } inet:127.0.0.1:11332";
        for smtpd in [GOOD[0], "inet:127.0.0.1:11332, inet:localhost:8891", braces] {
            let [_, rest @ ..] = GOOD;
            let [local, action, protocol, command, content, queue] = rest;
            let checks = judged([smtpd, local, action, protocol, command, content, queue]);
            assert!(checks.iter().all(|check| check.state == State::Ok), "{smtpd}: {checks:?}");
        }
    }

    #[test]
    fn each_fault_has_its_own_advice() {
        let with = |index: usize, value: &'static str| {
            let mut values = GOOD;
            values[index] = value;
            let checks = judged(values);
            let bad: Vec<_> = checks.into_iter().filter(|check| check.state > State::Skipped).collect();
            assert_eq!(bad.len(), 1, "{value}: {bad:?}");
            (bad[0].state, bad[0].advice.clone())
        };
        for (index, value, state, advice) in [
            (0, "", State::Problem, "smtpd_milters"),
            (0, "inet:127.0.0.1:9999", State::Problem, "smtpd_milters"),
            (0, "{ inet:127.0.0.1:8891, default_action=accept }", State::Warning, "default_action=tempfail"),
            (0, "{ inet:127.0.0.1:8891, command_timeout=8s }", State::Problem, "milter_command_timeout"),
            (1, "inet:127.0.0.1:8891", State::Warning, "leave it empty"),
            (2, "reject", State::Warning, "default_action=tempfail"),
            (3, "2", State::Problem, "milter_protocol = 6"),
            (4, "5s", State::Problem, "deadlines] reply"),
            (5, "20s", State::Problem, "deadlines] message"),
        ] {
            let (found, says) = with(index, value);
            assert_eq!(found, state, "{value}");
            assert!(says.contains(advice), "{value}: {says}");
        }
    }

    #[test]
    fn service_for_strangers_that_goes_without_is_noticed() {
        let judged = |listing: &str| judge_services(&Config::default(), listing, Path::new("/var/spool/postfix"));
        let good = "smtp/inet/smtpd_milters = inet:localhost:8891\n127.0.0.1:10025/inet/smtpd_milters =\n";
        assert_eq!(judged(good), []);
        for bad in ["smtp/inet/smtpd_milters =\n", "192.0.2.1:25/inet/smtpd_milters = inet:localhost:11332\n"] {
            let found = judged(bad);
            assert_eq!(found.len(), 1, "{bad}");
            assert!(found[0].advice.contains("master.cf"), "{found:?}");
        }
    }

    #[test]
    fn sockets_are_the_same_in_every_notation() {
        let root = Path::new("/var/spool/postfix");
        let unix = ListenAddress::Unix("/var/spool/postfix/milter/mailward.sock".into());
        for name in
            ["unix:milter/mailward.sock", "unix:/milter/mailward.sock", "unix:/var/spool/postfix/milter/mailward.sock"]
        {
            assert!(same_socket(name, &unix, root), "{name}");
        }
        let any = ListenAddress::Inet("0.0.0.0:8891".into());
        assert!(same_socket("inet:8891@127.0.0.1", &any, root) && !same_socket("inet:8892@127.0.0.1", &any, root));
        assert!(!same_socket("inet:127.0.0.1:8891", &unix, root) && !same_socket("unix:x", &any, root));
    }
}
