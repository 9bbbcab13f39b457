use super::*;
use crate::{
    authentication::signing::{Canonicalization, SIGNED},
    config::testing::read_text,
    lookup::OnTrouble,
};

fn load(text: &str) -> (Outbound, Vec<String>) {
    read_text(text, |root, faults| read(root, true, faults))
}

const GOOD: &str = r#"
[outbound]
filter = true
bulk_users = ["Newsletter"]

[outbound.rights]
mode = "enforce"
map = "/etc/mailward/senders"
login_domain = "Example.com"
ldap_filter = "(&(uid={login})(mail={address}))"
on_trouble = "skip"

[outbound.rates]
mode = "observe"
messages_per_hour = 10
recipients_per_day = 0

[outbound.alarm]
mode = "defer"
recipients = 50
factor = 2
refused = 5
networks = 0
block = "2h"

[outbound.arc]
domain = "example.com"
selector = "arc"
key = "/etc/mailward/rsa.pem"
inbound = true

[[outbound.dkim]]
domain = "Example.com"
selector = "2026A"
key = "/etc/mailward/rsa.pem"

[[outbound.dkim]]
domain = "example.com"
selector = "ed.2026"
key = "/etc/mailward/ed.pem"
domains = ["bücher.example"]
headers = ["From", "To", "from", "X-Ticket"]
canonicalization = "simple/relaxed"
expire = "10d"
from = "2026-03-01"
until = "2026-09-01"
"#;

#[test]
fn a_full_section_is_read_without_faults() {
    let (outbound, faults) = load(GOOD);
    assert_eq!(faults, [""; 0]);
    assert!(outbound.filter);
    let Settings { bulk_users, rights, rates, alarm } = outbound.settings;
    assert_eq!(bulk_users, ["newsletter"]);
    assert_eq!((rights.mode, rights.login_domain.as_deref()), (Mode::Enforce, Some("example.com")));
    assert_eq!((rights.on_trouble, rights.ldap_filter.is_some()), (OnTrouble::Skip, true));
    assert_eq!((rates.mode, rates.messages_per_hour, rates.messages_per_day), (Mode::Observe, 10, 1_000));
    assert_eq!((rates.recipients_per_hour, rates.recipients_per_day), (500, 0));
    let block = Duration::from_secs(7_200);
    let expected = AlarmSettings { mode: AlarmMode::Defer, recipients: 50, factor: 2, refused: 5, networks: 0, block };
    assert_eq!(alarm, expected);
    let arc = outbound.arc.expect("a sealer");
    assert_eq!((arc.domain.as_str(), arc.selector.as_str(), arc.inbound), ("example.com", "arc", true));
    let [rsa, ed] = outbound.dkim_keys.as_slice() else { panic!("two keys") };
    assert_eq!((rsa.record_name().as_str(), rsa.place.as_str()), ("2026a._domainkey.example.com", "test.toml:35:7"));
    assert_eq!((rsa.headers.len(), rsa.expire, rsa.from, rsa.until), (SIGNED.len(), None, None, None));
    assert_eq!(rsa.canonicalization, (Canonicalization::Relaxed, Canonicalization::Relaxed));
    assert_eq!(ed.domains, ["xn--bcher-kva.example"]);
    assert_eq!(ed.headers, ["From", "To", "X-Ticket"]);
    assert_eq!(ed.canonicalization, (Canonicalization::Simple, Canonicalization::Relaxed));
    assert_eq!(ed.expire, Some(Duration::from_secs(864_000)));
    assert_eq!((ed.from, ed.until), (Some(1_772_323_200), Some(1_788_220_800)));
}

#[test]
fn without_the_section_all_is_off() {
    let (outbound, faults) = load("");
    assert_eq!(faults, [""; 0]);
    assert!(!outbound.filter && outbound.dkim_keys.is_empty());
    assert_eq!(outbound.settings, Settings::default());
    let Settings { rights, rates, alarm, .. } = outbound.settings;
    assert_eq!((rights.mode, rates.mode, alarm.mode), (Mode::Off, Mode::Off, AlarmMode::Off));
}

/// Faults with the diagnostics that they must give.
const BAD: &[(&str, &str)] = &[
    ("[outbound]\nfliter = true", "test.toml:2:1: unknown key \"fliter\"; did you mean \"filter\"?"),
    (
        "[outbound.rights]\nmode = \"enforced\"",
        "test.toml:2:8: outbound.rights.mode is \"enforced\", must be one of \"off\", \"observe\", \"enforce\"; did you \
         mean \"enforce\"?",
    ),
    (
        "[outbound.rights]\nldap_filter = \"(mail={address})\"",
        "test.toml:2:15: outbound.rights.ldap_filter is \"(mail={address})\", must be an LDAP filter (RFC 4515) with \
         {login}, and {address} or {local}, such as \"(&(uid={login})(mail={address}))\"",
    ),
    (
        "[outbound.rights]\nldap_filter = \"(&(uid={login})(o={domain}))\"",
        "test.toml:2:15: outbound.rights.ldap_filter is \"(&(uid={login})(o={domain}))\", must be an LDAP filter (RFC 4515) \
         with {login}, and {address} or {local}, such as ",
    ),
    (
        "[outbound.rights]\nmode = \"enforce\"",
        "test.toml:2:8: outbound.rights.mode is \"enforce\", but nothing says who may send as whom; write login_domain = \
         \"example.com\" (also where logins are whole addresses), map or ldap_filter",
    ),
    (
        "[outbound.rights]\nlogin_domain = \"a b\"",
        "test.toml:2:16: outbound.rights.login_domain is \"a b\", must be a domain such as \"example.com\"",
    ),
    ("[outbound.rates]\nmessages = 5", "test.toml:2:1: unknown key \"messages\"; known in [outbound.rates]: "),
    (
        "[outbound.rates]\nmessages_per_day = -1",
        "test.toml:2:20: outbound.rates.messages_per_day is -1, must be a whole number from 0 to 1000000000",
    ),
    (
        "[outbound.alarm]\nmode = \"enforce\"",
        "test.toml:2:8: outbound.alarm.mode is \"enforce\", must be one of \"off\", \"observe\", \"defer\"",
    ),
    (
        "[outbound.alarm]\nfactor = 0",
        "test.toml:2:10: outbound.alarm.factor is 0, must be a whole number from 1 to 1000",
    ),
    ("[outbound.alarm]\nblock = \"1s\"", "test.toml:2:9: outbound.alarm.block is 1s, must be \"1m\" to \"30d\""),
    (
        "[outbound]\ndkim = { domain = \"x.test\" }",
        "test.toml:2:8: outbound.dkim is of type table, must be a list of tables, each headed [[outbound.dkim]]",
    ),
    (
        "[[outbound.dkim]]\nselector = \"a\"\nkey = \"/k\"",
        "test.toml:1:1: [[outbound.dkim]] has no domain; write domain = \"example.com\"",
    ),
    (
        "[[outbound.dkim]]\ndomain = \"x.test\"\nkey = \"/k\"",
        "test.toml:1:1: [[outbound.dkim]] has no selector; write selector = \"2026a\"",
    ),
    (
        "[[outbound.dkim]]\ndomain = \"x.test\"\nselector = \"a\"",
        "test.toml:1:1: [[outbound.dkim]] has no key; write key = \"/etc/mailward/dkim.pem\"",
    ),
    (
        "[outbound.arc]\ndomain = \"x.test\"\nselector = \"a\"",
        "test.toml:1:1: [outbound.arc] has no key; write key = \"/etc/mailward/dkim.pem\"",
    ),
    (
        "[[outbound.dkim]]\ndomain = \"x.test\"\nselector = \"a b\"\nkey = \"/k\"",
        "test.toml:3:12: outbound.dkim.selector is \"a b\", must be a selector such as \"2026a\"",
    ),
];

/// The same for faults of one more line of an entry that is good otherwise.
const BAD_LINES: &[(&str, &str)] = &[
    (
        "canonicalization = \"relaxed\"",
        "test.toml:5:20: outbound.dkim.canonicalization is \"relaxed\", must be \"relaxed/relaxed\", \
         \"relaxed/simple\", \"simple/simple\" or \"simple/relaxed\"",
    ),
    ("expire = \"5m\"", "test.toml:5:10: outbound.dkim.expire is 300s, must be at least \"1h\""),
    ("from = \"1.3.2026\"", "test.toml:5:8: outbound.dkim.from is \"1.3.2026\", must be a day such as \"2026-03-01\""),
    (
        "from = \"2026-03-01\"\nuntil = \"2026-03-01\"",
        "test.toml:6:9: outbound.dkim.until is not after outbound.dkim.from; the key would never sign",
    ),
    (
        "headers = [\"To\"]",
        "test.toml:5:11: outbound.dkim.headers has no \"From\", which every signature must cover (RFC 6376 §5.4)",
    ),
    (
        "headers = [\"From\", \"Received\"]",
        "test.toml:5:20: outbound.dkim.headers: Received changes on the way or is not the author's, and cannot be \
         signed; leave it out",
    ),
    ("headers = [\"From\", \"X Y\"]", "test.toml:5:20: outbound.dkim.headers: \"X Y\" is no name of a header field"),
    (
        "domains = [\"*.x.test\"]",
        "test.toml:5:12: outbound.dkim.domains is \"*.x.test\", must be a domain such as \"example.com\"",
    ),
    ("bits = 2048", "test.toml:5:1: unknown key \"bits\"; known in [outbound.dkim]: "),
    (
        "[[outbound.dkim]]\ndomain = \"X.test\"\nselector = \"A\"\nkey = \"/other\"",
        "test.toml:5:1: a._domainkey.x.test is named twice, first at test.toml:4:7; name each key once",
    ),
];

#[test]
fn each_fault_is_named_with_its_place_and_its_cure() {
    for (text, expected) in BAD {
        let (_, faults) = load(text);
        assert!(faults.len() == 1 && faults[0].starts_with(expected), "{text}\n{faults:?}\n{expected}");
    }
    for (line, expected) in BAD_LINES {
        let (_, faults) =
            load(&format!("[[outbound.dkim]]\ndomain = \"x.test\"\nselector = \"a\"\nkey = \"/k\"\n{line}"));
        assert!(faults.len() == 1 && faults[0].starts_with(expected), "{line}\n{faults:?}\n{expected}");
    }
}

#[test]
fn a_filter_without_a_directory_server_is_a_fault() {
    let text = "[outbound.rights]\nldap_filter = \"(&(uid={login})(mail={address}))\"";
    let (_, faults) = read_text(text, |root, faults| read(root, false, faults));
    let expected = "test.toml:2:15: outbound.rights.ldap_filter needs a directory server; configure [directory.ldap]";
    assert_eq!(faults, [expected]);
}

#[test]
fn the_examples_of_the_manual_are_read_without_faults() {
    let manual = include_str!("../../../../docs/outbound.md");
    let mut examples = 0;
    for example in manual.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        let (_, faults) = load(example);
        assert_eq!(faults, [""; 0], "{example}");
        examples += 1;
    }
    assert!(examples >= 6, "the manual has examples");
}
