//! What the site allows its users.

use crate::lookup::OnTrouble;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// `[outbound]` with its tables, without keys of signatures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Logins that have neither rates nor alarm: newsletters, ticket systems. Lower case.
    pub bulk_users: Vec<String>,
    /// `[outbound.rights]`.
    pub rights: RightsSettings,
    /// `[outbound.rates]`.
    pub rates: RateSettings,
    /// `[outbound.alarm]`.
    pub alarm: AlarmSettings,
}

/// Whether a protection acts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing is asked.
    #[default]
    Off,
    /// Only findings are made.
    Observe,
    /// Mail is refused or deferred.
    Enforce,
}

/// Under whose names a user may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightsSettings {
    /// Whether rights act.
    pub mode: Mode,
    /// File with a login and an address or domain on each line.
    pub map: Option<PathBuf>,
    /// Domain of logins that have none. Lower case ASCII.
    pub login_domain: Option<String>,
    /// LDAP filter with `{login}`, `{address}`, `{local}` and `{domain}`, which finds an entry if the login may send as the
    /// address.
    pub ldap_filter: Option<String>,
    /// What it means that the directory does not answer.
    pub on_trouble: OnTrouble,
}

impl Default for RightsSettings {
    fn default() -> Self {
        RightsSettings {
            mode: Mode::Off,
            map: None,
            login_domain: None,
            ldap_filter: None,
            on_trouble: OnTrouble::Defer,
        }
    }
}

/// How much one user may send; 0: no limit. Source of the defaults: our own limits; large providers allow a mailbox
/// between 500 and 2000 recipients a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateSettings {
    /// Whether rates act.
    pub mode: Mode,
    /// Unit: messages.
    pub messages_per_hour: u64,
    /// Unit: messages.
    pub messages_per_day: u64,
    /// Unit: recipients.
    pub recipients_per_hour: u64,
    /// Unit: recipients.
    pub recipients_per_day: u64,
}

impl Default for RateSettings {
    fn default() -> Self {
        RateSettings {
            mode: Mode::Off,
            messages_per_hour: 200,
            messages_per_day: 1_000,
            recipients_per_hour: 500,
            recipients_per_day: 2_000,
        }
    }
}

/// Whether an alarm acts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlarmMode {
    /// Accounts are not watched.
    #[default]
    Off,
    /// An alarm is found, logged and counted.
    Observe,
    /// And the account's mail is deferred for a time.
    Defer,
}

/// What makes an account look as if somebody else used it. Limits of 0 are not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmSettings {
    /// Whether an alarm acts.
    pub mode: AlarmMode,
    /// More recipients than this within an hour, and more than `factor` times those of the user's busiest day. Unit:
    /// recipients. Source: our own limit; people write to fewer.
    pub recipients: u64,
    /// How many times the busiest of the last 30 days an hour may bring.
    pub factor: u64,
    /// So many recipients that were refused within an hour. Unit: recipients. Source: our own limit; a list with a few
    /// stale addresses has fewer.
    pub refused: u64,
    /// Mail from so many places within an hour: autonomous systems where the site has a database of them, else networks
    /// (IPv4 /16, IPv6 /32). Unit: places. Source: our own limit; a person has a desk, a home and a telephone.
    pub networks: u64,
    /// How long an alarm stands.
    pub block: Duration,
}

impl Default for AlarmSettings {
    fn default() -> Self {
        AlarmSettings {
            mode: AlarmMode::Off,
            recipients: 100,
            factor: 3,
            refused: 20,
            networks: 5,
            block: Duration::from_secs(3_600),
        }
    }
}
