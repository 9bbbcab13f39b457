//! `[outbound]`: what leaves the site.

mod dkim;

use super::{diagnostic::Faults, directory::domain, reader::Table};
use crate::{
    authentication::signing::{KeySettings, SealSettings},
    lookup::ldap::LdapSettings,
    outbound::{AlarmMode, AlarmSettings, Mode, RateSettings, RightsSettings, Settings},
};
use std::time::Duration;

/// Largest limit that makes sense. Unit: messages, recipients or places.
const COUNT: u64 = 1_000_000_000;
/// Longest time that an alarm stands. Longer ones belong to the account itself.
const BLOCK: Duration = Duration::from_secs(30 * 86_400);

/// All that `[outbound]` holds.
pub(super) struct Outbound {
    /// Whether outbound mail is filtered as inbound mail is.
    pub(super) filter: bool,
    pub(super) settings: Settings,
    pub(super) dkim_keys: Vec<KeySettings>,
    pub(super) arc: Option<SealSettings>,
}

/// Reads `[outbound]`. `has_ldap`: whether there is a directory server to ask.
pub(super) fn read(root: &mut Table<'_>, has_ldap: bool, faults: &mut Faults<'_>) -> Outbound {
    let mut table = root.section("outbound", faults);
    let filter = table.boolean("filter", false, faults);
    let login = |text: &str| (!text.trim().is_empty()).then(|| text.to_lowercase());
    let bulk_users = table.parsed_list("bulk_users", "a login name", login, faults).unwrap_or_default();
    let settings = Settings {
        bulk_users,
        rights: rights(table.section("rights", faults), has_ldap, faults),
        rates: rates(table.section("rates", faults), faults),
        alarm: alarm(table.section("alarm", faults), faults),
    };
    let dkim_keys = dkim::read(&mut table, faults);
    let arc = dkim::read_arc(&mut table, faults);
    table.finish(faults);
    Outbound { filter, settings, dkim_keys, arc }
}

const MODES: &[&str] = &["off", "observe", "enforce"];

fn rights(mut table: Table<'_>, has_ldap: bool, faults: &mut Faults<'_>) -> RightsSettings {
    let default = RightsSettings::default();
    let filter_at = table.place("ldap_filter");
    let form = "an LDAP filter (RFC 4515) with {login}, and {address} or {local}, such as \
                \"(&(uid={login})(mail={address}))\"";
    let (mode_at, named) = (table.place("mode"), ["map", "login_domain", "ldap_filter"].map(|key| table.has(key)));
    let filter = |text: &str| LdapSettings::is_filter_of_user(text).then(|| text.to_owned());
    let settings = RightsSettings {
        mode: table.choice("mode", MODES, Mode::Off, faults),
        map: table.parsed("map", "a path", |text| (!text.is_empty()).then(|| text.into()), faults),
        login_domain: table.parsed("login_domain", "a domain such as \"example.com\"", domain, faults),
        ldap_filter: table.parsed("ldap_filter", form, filter, faults),
        on_trouble: table.choice("on_trouble", &["skip", "defer"], default.on_trouble, faults),
    };
    if let Some(span) = mode_at.filter(|_| settings.mode == Mode::Enforce && !named.contains(&true)) {
        let message = "outbound.rights.mode is \"enforce\", but nothing says who may send as whom; write login_domain = \
                       \"example.com\" (also where logins are whole addresses), map or ldap_filter";
        faults.at(span, message);
    }
    if let Some(span) = filter_at.filter(|_| settings.ldap_filter.is_some() && !has_ldap) {
        faults.at(span, "outbound.rights.ldap_filter needs a directory server; configure [directory.ldap]");
    }
    table.finish(faults);
    settings
}

fn rates(mut table: Table<'_>, faults: &mut Faults<'_>) -> RateSettings {
    let default = RateSettings::default();
    let mut count = |key, default| table.integer(key, 0..=COUNT, default, faults);
    let settings = RateSettings {
        messages_per_hour: count("messages_per_hour", default.messages_per_hour),
        messages_per_day: count("messages_per_day", default.messages_per_day),
        recipients_per_hour: count("recipients_per_hour", default.recipients_per_hour),
        recipients_per_day: count("recipients_per_day", default.recipients_per_day),
        mode: table.choice("mode", MODES, Mode::Off, faults),
    };
    table.finish(faults);
    settings
}

fn alarm(mut table: Table<'_>, faults: &mut Faults<'_>) -> AlarmSettings {
    let default = AlarmSettings::default();
    let block_at = table.place("block").unwrap_or(table.span.clone());
    let settings = AlarmSettings {
        mode: table.choice("mode", &["off", "observe", "defer"], AlarmMode::Off, faults),
        recipients: table.integer("recipients", 0..=COUNT, default.recipients, faults),
        factor: table.integer("factor", 1..=1_000, default.factor, faults),
        refused: table.integer("refused", 0..=COUNT, default.refused, faults),
        networks: table.integer("networks", 0..=COUNT, default.networks, faults),
        block: table.duration("block", default.block, faults),
    };
    if settings.block < Duration::from_secs(60) || settings.block > BLOCK {
        faults.at(block_at, format!("outbound.alarm.block is {:?}, must be \"1m\" to \"30d\"", settings.block));
    }
    table.finish(faults);
    settings
}

#[cfg(test)]
mod tests;
