//! The state directory: there, writable, with room, and owned by who runs the daemon.

use super::report::Check;
use mailward_core::config::Config;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

const AREA: &str = "state";
/// Room below which it gets tight. Unit: KiB. Source: our own limit; counters.db alone may grow to 1 GiB.
const TIGHT: u64 = 1 << 20;
/// Room below which writes will fail soon. Unit: KiB.
const FULL: u64 = 50 << 10;

pub(super) fn check(config: &Config) -> Vec<Check> {
    let dir = &config.state.dir;
    let shown = dir.display();
    let Ok(about) = fs::metadata(dir) else {
        let advice = "it is made when the daemon starts, if its user may; else make it and give it to that user";
        return vec![Check::warning(AREA, format!("{shown} is not there"), advice)];
    };
    let mut checks = Vec::new();
    let probe = dir.join(format!(".doctor-{}", super::random_word()));
    let written = fs::write(&probe, b"x");
    let _ = fs::remove_file(&probe);
    checks.push(match written {
        Ok(()) => Check::ok(AREA, format!("{shown} can be written")),
        Err(error) => Check::problem(
            AREA,
            format!("{shown} cannot be written: {error}"),
            "run the doctor as the user of the daemon; if it fails there too, give that user the directory",
        ),
    });
    checks.extend(room(dir));
    checks.push(owners(dir, &about));
    if about.permissions().mode() & 0o002 != 0 {
        checks.push(Check::problem(AREA, format!("{shown} may be written by everybody"), format!("chmod o-w {shown}")));
    }
    checks
}

/// Free disk space, as df(1) tells it.
fn room(dir: &Path) -> Option<Check> {
    let output = Command::new("df").arg("-Pk").arg(dir).env("LC_ALL", "C").output().ok()?;
    let free = free_of(&String::from_utf8_lossy(&output.stdout))?;
    let says = format!("{} MiB free in {}", free >> 10, dir.display());
    let full = "free some: without room nothing is counted, and messages that must be stored are deferred";
    Some(if free <= FULL {
        Check::problem(AREA, says, full)
    } else if free <= TIGHT {
        Check::warning(AREA, says, "free some: the counters alone may need 1 GiB")
    } else {
        Check::ok(AREA, says)
    })
}

/// The fourth field of the second line (POSIX, df -P).
fn free_of(output: &str) -> Option<u64> {
    output.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

/// Files of another user appear when a command was run as root.
fn owners(dir: &Path, about: &fs::Metadata) -> Check {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let strange: Vec<String> = entries
        .filter(|entry| {
            entry.metadata().is_ok_and(|file| {
                let shared = file.gid() == about.gid() && file.permissions().mode() & 0o060 == 0o060;
                file.is_file() && file.uid() != about.uid() && !shared
            })
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let shown = dir.display();
    if strange.is_empty() {
        return Check::ok(AREA, format!("the files in {shown} belong to the owner of the directory"));
    }
    Check::problem(
        AREA,
        format!("{} in {shown} belong to another user than the directory", strange.join(", ")),
        format!("chown --reference={shown} {shown}/*; run Mailward's commands as the user of the daemon"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_read_from_df() {
        let text = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n\
                    /dev/vda         263112772 42953204 220000000      17% /\n";
        assert_eq!(free_of(text), Some(220_000_000));
        assert_eq!(free_of("df: no such file"), None);
    }
}
