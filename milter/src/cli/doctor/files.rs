//! Files that the configuration names: secrets nobody else may read, and lists and rules that go out of date.

use super::report::Check;
use mailward_core::{config::Config, lookup::ldap::Password, store::site_key};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Age at which lists of networks and recipients are old. Unit: days. Source: our own limit, a month.
const LISTS: u64 = 31;
/// The same for malware rules, which change more slowly. Unit: days.
const RULES: u64 = 180;

pub(super) fn secrets(config: &Config) -> Vec<Check> {
    const AREA: &str = "secrets";
    let password = match config.directory.ldap.as_ref().map(|ldap| &ldap.password) {
        Some(Password::File(path)) => Some(path),
        _ => None,
    };
    let own = Some(config.state.dir.join(site_key::FILE)).filter(|path| path.exists());
    let signing = config.dkim_keys.iter().map(|key| &key.key).chain(config.arc.iter().map(|arc| &arc.key));
    let files: Vec<&PathBuf> = password.into_iter().chain(&config.batv.keys).chain(signing).chain(&own).collect();
    if files.is_empty() {
        return vec![Check::skipped(AREA, "no file with a secret is configured")];
    }
    let one = |path: &&PathBuf| {
        let shown = path.display();
        let mode = match fs::metadata(path) {
            Ok(about) => about.permissions().mode(),
            Err(error) => {
                let advice = "make the file, and let the daemon's user read it";
                return Check::problem(AREA, format!("{shown}: {error}"), advice);
            }
        };
        match mode & 0o007 {
            0 => Check::ok(AREA, format!("{shown} is closed to others")),
            _ => Check::problem(
                AREA,
                format!("{shown} is open to everybody (mode {:03o})", mode & 0o777),
                format!("chmod o= {shown}, and change the secret if others have accounts here"),
            ),
        }
    };
    files.iter().map(one).collect()
}

pub(super) fn ages(config: &Config) -> Vec<Check> {
    const AREA: &str = "rules";
    let reputation = &config.reputation;
    let lists = reputation.allow_files.iter().chain(&reputation.deny_files).chain(&config.directory.files);
    let lists = lists.map(|path| (path, LISTS));
    let rules = config.malware.yara.iter().chain(&config.spam.spamassassin.rules).map(|path| (path, RULES));
    let mut checks: Vec<Check> = lists.chain(rules).filter_map(|(path, most)| age(AREA, path, most)).collect();
    if checks.is_empty() {
        checks.push(Check::skipped(AREA, "no files with lists or rules are configured"));
    }
    checks
}

/// A file that is not there is told with the configuration.
fn age(area: &'static str, path: &Path, most: u64) -> Option<Check> {
    let newest = match fs::read_dir(path) {
        Ok(entries) => entries.flatten().filter_map(|entry| entry.metadata().ok()?.modified().ok()).max()?,
        Err(_) => fs::metadata(path).ok()?.modified().ok()?,
    };
    let days = SystemTime::now().duration_since(newest).unwrap_or(Duration::ZERO).as_secs() / 86_400;
    let says = format!("{} was last changed {days} days ago", path.display());
    Some(match days > most {
        true => Check::warning(area, says, "see whether whatever renews it still runs"),
        false => Check::ok(area, says),
    })
}
