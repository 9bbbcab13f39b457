//! The configuration file: raw text to checked settings, with diagnostics. Each room owns its own settings struct; the
//! readers here give every key one owner.

mod authentication;
mod batv;
mod bounces;
mod dha;
pub mod diagnostic;
mod directory;
mod dns;
mod greylist;
mod learned;
mod malware;
pub mod metrics;
mod outbound;
mod policy;
mod quarantine;
mod rates;
pub mod reader;
mod reputation;
mod score;
pub mod sections;
mod shadow;
mod spam;
mod state;
#[cfg(test)]
pub(crate) mod testing;

use crate::session::Limits;
use diagnostic::{Diagnostic, Faults, SourceText};
use reader::Table;
use sections::{Deadlines, LogSettings, MilterSettings};
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// A commented configuration file to start from: what `mailward config init` writes. It changes no default.
pub const TEMPLATE: &str = include_str!("template.toml");

/// All settings, checked. `Config::default()` is what the empty file gives.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// `[milter]`.
    pub milter: MilterSettings,
    /// `[log]`.
    pub log: LogSettings,
    /// `[metrics]`.
    pub metrics: metrics::MetricsSettings,
    /// `[state]`.
    pub state: crate::store::Settings,
    /// `[deadlines]`.
    pub deadlines: Deadlines,
    /// `[limits]`.
    pub limits: Limits,
    /// `[dns]`.
    pub dns: crate::lookup::dns::DnsSettings,
    /// `[networks]` and `[reputation]`.
    pub reputation: crate::reputation::Settings,
    /// `[rates]`.
    pub rates: crate::reputation::rates::Settings,
    /// `[correspondents]`.
    pub correspondents: crate::reputation::correspondents::Settings,
    /// `[directory]`.
    pub directory: crate::recipients::directory::Settings,
    /// `[dha]`.
    pub dha: crate::recipients::dha::Settings,
    /// `[greylist]`.
    pub greylist: crate::recipients::greylist::Settings,
    /// `[batv]`.
    pub batv: crate::recipients::batv::Settings,
    /// `[bounces]`.
    pub bounces: crate::recipients::bounces::Settings,
    /// `[authentication]`.
    pub authentication: crate::authentication::Settings,
    /// `[outbound]` without its keys.
    pub outbound: crate::outbound::Settings,
    /// `[[outbound.dkim]]`.
    pub dkim_keys: Vec<crate::authentication::signing::KeySettings>,
    /// `[outbound.arc]`.
    pub arc: Option<crate::authentication::signing::SealSettings>,
    /// `[malware]`.
    pub malware: crate::malware::Settings,
    /// `[spam]`.
    pub spam: crate::spam::Settings,
    /// `[score]`.
    pub score: crate::score::Settings,
    /// `[[policy]]`, `[[settings]]`, `[trial]` and what belongs to them.
    pub policy: crate::policy::Settings,
    /// `[quarantine]`.
    pub quarantine: crate::quarantine::Settings,
    /// `[submission]`.
    pub submission: crate::lookup::submission::SubmissionSettings,
    /// `[notices]`.
    pub notices: crate::notices::Settings,
    /// `[shadow]`: the file of the configuration that judges beside this one.
    pub shadow: Option<PathBuf>,
}

/// Reads and checks a configuration file.
///
/// # Errors
///
/// All faults of the file, in its order.
pub fn load(path: &Path) -> Result<Config, Vec<Diagnostic>> {
    read(&source(path)?).0
}

/// Checks a configuration that is given as text; `name` stands in the faults where a file's name would.
///
/// # Errors
///
/// All faults of the text, in its order.
pub fn parse(name: &str, text: &str) -> Result<Config, Vec<Diagnostic>> {
    read(&SourceText { name: name.to_owned(), text: text.to_owned() }).0
}

/// The file with the default of every key that it does not set, as TOML; keys without a value are named at the end.
///
/// # Errors
///
/// All faults of the file, in its order.
pub fn show(path: Option<&Path>) -> Result<String, Vec<Diagnostic>> {
    let source = match path {
        Some(path) => source(path)?,
        None => SourceText { name: "built-in defaults".to_owned(), text: String::new() },
    };
    let (config, effective) = read(&source);
    config?;
    let mut table: toml::Table = source.text.parse().unwrap_or_default();
    let mut unset = Vec::new();
    for (path, value) in effective {
        match value {
            Some(value) => insert_default(&mut table, &path, &value),
            None => unset.push(path),
        }
    }
    let of_entries = ["policy.", "settings.", "list.", "outbound.dkim."];
    unset.retain(|path| !of_entries.iter().any(|list| path.starts_with(list)));
    let text = toml::to_string(&table).unwrap_or_default();
    Ok(format!("# {}\n\n{text}\n# Not set: {}\n", source.name, unset.join(", ")))
}

/// Puts a default where the file says nothing. Lists of tables are the file's own: their entries need no defaults shown.
fn insert_default(table: &mut toml::Table, path: &str, value: &str) {
    let Some((first, rest)) = path.split_once('.') else {
        let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut t| t.remove("v"));
        if let (false, Some(parsed)) = (table.contains_key(path), parsed) {
            table.insert(path.to_owned(), parsed);
        }
        return;
    };
    let below = table.entry(first).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if let toml::Value::Table(below) = below {
        insert_default(below, rest, value);
    }
}

fn source(path: &Path) -> Result<SourceText, Vec<Diagnostic>> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(SourceText { name, text }),
        Err(error) => {
            Err(vec![Diagnostic { file: name, line: 1, column: 1, message: format!("cannot read: {error}") }])
        }
    }
}

type Effective = Vec<(String, Option<String>)>;

/// Reads all sections, whatever faults are found on the way.
fn read(source: &SourceText) -> (Result<Config, Vec<Diagnostic>>, Effective) {
    let mut faults = Faults::new(source);
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        faults.at(span, error.message().to_owned());
    }
    let mut root = Table::root(document);
    let reputation = reputation::read(&mut root, &mut faults);
    let score = score::read(&mut root, &mut faults);
    let notices = quarantine::read_notices(&mut root, &mut faults);
    let knows_countries = reputation.countries.is_some();
    let site = policy::Site { thresholds: score.thresholds, knows_countries, notices: &notices };
    let mut policy = policy::read(&mut root, &site, &mut faults);
    let directory = directory::read(&mut root, &mut faults);
    let outbound = outbound::read(&mut root, directory.ldap.is_some(), &mut faults);
    policy.filter_outbound = outbound.filter;
    let config = Config {
        milter: sections::milter(&mut root, &mut faults),
        log: sections::log(&mut root, &mut faults),
        metrics: metrics::read(&mut root, &mut faults),
        state: state::read(&mut root, &mut faults),
        deadlines: sections::deadlines(&mut root, &mut faults),
        limits: sections::limits(&mut root, &mut faults),
        dns: dns::read(&mut root, &mut faults),
        reputation,
        rates: rates::read(&mut root, &mut faults),
        correspondents: learned::read_correspondents(&mut root, &mut faults),
        directory,
        dha: dha::read(&mut root, &mut faults),
        greylist: greylist::read(&mut root, &mut faults),
        batv: batv::read(&mut root, &mut faults),
        bounces: bounces::read(&mut root, &mut faults),
        authentication: authentication::read(&mut root, &mut faults),
        outbound: outbound.settings,
        dkim_keys: outbound.dkim_keys,
        arc: outbound.arc,
        malware: malware::read(&mut root, &mut faults),
        spam: spam::read(&mut root, &mut faults),
        score,
        policy,
        quarantine: quarantine::read(&mut root, &mut faults),
        submission: quarantine::read_submission(&mut root, &mut faults),
        notices,
        shadow: shadow::read(&mut root, &mut faults),
    };
    root.finish(&mut faults);
    let effective = faults.take_effective();
    let diagnostics = faults.into_diagnostics();
    (if diagnostics.is_empty() { Ok(config) } else { Err(diagnostics) }, effective)
}
