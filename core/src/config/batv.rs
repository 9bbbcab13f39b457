//! `[batv]`: tags of senders, by which true bounces are known.

use super::{diagnostic::Faults, directory::domain, reader::Table};
use crate::{
    recipients::batv::{MOST_DAYS, Mode, RefuseAt, Settings},
    reputation::parse_network,
    session::Address,
};

/// Reads `[batv]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let default = Settings::default();
    let mut table = root.section("batv", faults);
    let place = table.place("sign");
    let file = |text: &str| (!text.is_empty()).then(|| text.into());
    let recipient = |text: &str| Address::parse(text.as_bytes()).ok().map(|address| address.key());
    let network = "an address or a network such as \"192.0.2.0/24\"";
    let days = table.integer("days", 1..=MOST_DAYS.unsigned_abs(), default.days.unsigned_abs(), faults);
    let settings = Settings {
        sign: table.boolean("sign", default.sign, faults),
        mode: table.choice("mode", &["off", "observe", "enforce"], Mode::Off, faults),
        domains: table.parsed_list("domains", "a domain such as \"example.com\"", domain, faults).unwrap_or_default(),
        keys: table.parsed_list("keys", "a path", file, faults).unwrap_or_default(),
        days: i64::try_from(days).unwrap_or(default.days),
        refuse_at: table.choice("refuse_at", &["rcpt", "message"], RefuseAt::Rcpt, faults),
        exempt_recipients: table
            .parsed_list("exempt_recipients", "an address such as \"list@example.com\"", recipient, faults)
            .unwrap_or_default(),
        exempt_networks: table.parsed_list("exempt_networks", network, parse_network, faults).unwrap_or_default(),
    };
    if settings.sign && settings.mode == Mode::Off {
        let advice = "batv.sign is true and batv.mode is \"off\", must be \"observe\" or \"enforce\": bounces come back to tagged \
                      addresses, which are known without their tags only then";
        faults.at(place.unwrap_or_else(|| table.span.clone()), advice);
    }
    if settings.sign || settings.mode != Mode::Off {
        let span = table.span.clone();
        if settings.domains.is_empty() {
            faults.at(span.clone(), "batv.domains is empty, must name the domains whose senders are tagged");
        }
        if settings.keys.is_empty() {
            let advice = "batv.keys is empty, must name a file with a key; make one with: openssl rand -hex 20";
            faults.at(span, advice);
        }
    }
    table.finish(faults);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::directory::tests::read_with;

    #[test]
    fn batv_is_read_and_its_faults_are_named() {
        let text = "[batv]\nmode = \"enforce\"\nsign = true\ndomains = [\"Example.COM\"]\nkeys = [\"/new\", \"/old\"]\ndays = 5\n\
                    refuse_at = \"message\"\nexempt_recipients = [\"List@example.com\"]\nexempt_networks = [\"::1\"]\n";
        let (settings, faults) = read_with(text, read);
        let expected = Settings {
            sign: true,
            mode: Mode::Enforce,
            domains: vec!["example.com".into()],
            keys: vec!["/new".into(), "/old".into()],
            days: 5,
            refuse_at: RefuseAt::Message,
            exempt_recipients: vec!["list@example.com".into()],
            exempt_networks: vec!["::1/128".parse().expect("a network")],
        };
        assert_eq!((settings, faults), (expected, vec![]));
        let (_, faults) = read_with("[batv]\nmode = \"observe\"\ndays = 100\nkey = \"/x\"\n", read);
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(faults.iter().any(|f| f.contains("openssl rand")), "{faults:?}");
    }

    #[test]
    fn signing_needs_domains_keys_and_a_mode_that_knows_tags() {
        let faults = |text: &str| read_with(&format!("[batv]\n{text}"), read).1;
        let no_mode = "mailward.toml:2:8: batv.sign is true and batv.mode is \"off\", must be \"observe\" or \"enforce\": \
                       bounces come back to tagged addresses, which are known without their tags only then";
        let no_domains = "mailward.toml:1:1: batv.domains is empty, must name the domains whose senders are tagged";
        let no_keys = "mailward.toml:1:1: batv.keys is empty, must name a file with a key; make one with: openssl rand \
                       -hex 20";
        assert_eq!(faults("sign = true"), [no_domains, no_keys, no_mode]);
        let domains = "domains = [\"example.com\"]\n";
        assert_eq!(faults(&format!("sign = true\nmode = \"observe\"\n{domains}")), [no_keys]);
        assert_eq!(faults(&format!("sign = true\nkeys = [\"/k\"]\n{domains}")), [no_mode]);
        let misspelt = "mailward.toml:2:1: unknown key \"sing\"; did you mean \"sign\"?";
        assert_eq!(faults("sing = true"), [misspelt]);
        let no_boolean = "mailward.toml:2:8: batv.sign is \"yes\", must be true or false";
        assert_eq!(faults("sign = \"yes\""), [no_boolean]);
    }
}
