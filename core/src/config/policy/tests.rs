use super::*;
use crate::{
    config::diagnostic::SourceText,
    policy::{Marks, Otherwise},
};
use toml::de::DeTable;

fn load(text: &str) -> (Settings, Vec<String>) {
    let source = SourceText { name: "mailward.toml".into(), text: text.into() };
    let mut faults = Faults::new(&source);
    let mut root = Table::root(DeTable::parse(&source.text).expect("TOML"));
    let notices = notices();
    let site = Site { thresholds: Thresholds::default(), knows_countries: true, notices: &notices };
    let settings = read(&mut root, &site, &mut faults);
    // It has a reader of its own.
    root.take("outbound");
    root.finish(&mut faults);
    (settings, faults.into_diagnostics().iter().map(ToString::to_string).collect())
}

const GOOD: &str = r#"
[outbound]
filter = true

[trial]
recipients = ["bob@example.com", "group:it"]
domains = ["pilot.example.com", "*.lab.example.com"]

[policy_defaults]
mixed_refusal = "hold"
differing_edits = "defer-recipient"
tag = { header = { X-Spam-Flag = "YES" }, subject = "[SPAM]" }

[[settings]]
for = ["group:sales", "info@example.com"]
reject = 20
skip = ["phishing.*"]

[[policy]]
name = "partners may send archives"
from = ["*@partner.example", "<>"]
to = "*.example.com"
when = { attachment = { encrypted = true, name = "*.zip", type = "application/*", kind = ["zip", "7Z"] }, dmarc = "pass" }
then = "deliver"

[[policy]]
name = "mark newsletters"
when = { header = { name = "List-Id", present = true }, size_over = "10 MiB", tls = true, authenticated = false }
then = { tag = { header = { X-List = "yes" } } }
continue = true

[[policy]]
name = "no clear text from there"
direction = "both"
when = { finding = ["dnsbl.*", "spf.fail"], points_at_least = 3.5, points_below = 9, client = ["192.0.2.0/24", "2001:db8::1"] }
then = { reject = "Talk to us encrypted" }

[[policy]]
name = "later"
when = { header = { name = "Subject", matches = "(?i)^test" }, spf = ["fail", "softfail"], dkim = "none", arc = "pass" }
then = { defer = "Not now" }

[[policy]]
name = "programs go to the desk"
when = { attachment = { executable = true } }
then = { redirect = ["desk@example.com", "DESK@example.com"] }

[[policy]]
name = "all edits at once"
then = { tag = { set_header = { Reply-To = "list@example.com" }, remove_header = ["X-Ip"], disclaimer = "Ours." }, copy = "archive@example.com", strip = { attachment = { macro = true }, note = "Ask us.", otherwise = "hold" } }
continue = true
"#;

#[test]
fn a_full_file_is_read_without_faults() {
    let (settings, faults) = load(GOOD);
    assert_eq!(faults, [""; 0]);
    assert_eq!(settings.trial.expect("a trial").acting.len(), 4);
    assert_eq!(settings.mixed_refusal, MixedRefusal::Hold);
    assert_eq!(settings.differing_edits, DifferingEdits::DeferRecipient);
    assert_eq!(settings.marks.subject.as_deref(), Some("[SPAM]"));
    assert_eq!(settings.scoped[0].reject, Some(Points::hundredths(2000)));
    let policies = settings.policies;
    assert_eq!(
        policies.iter().map(|p| p.line).collect::<Vec<_>>(),
        [Some(19), Some(26), Some(32), Some(38), Some(43), Some(48)]
    );
    assert_eq!(policies[0].direction, Some(Direction::Inbound), "the default");
    assert_eq!(policies[2].direction, None);
    assert!(matches!(&policies[1].then, Then::TagAndContinue(marks) if marks.headers[0].0 == "X-List"));
    assert!(matches!(&policies[2].then, Then::Reject(reply) if reply.to_string() == "550 5.7.1 Talk to us encrypted"));
    assert!(matches!(&policies[3].then, Then::Defer(reply) if reply.to_string() == "451 4.7.1 Not now"));
    assert!(matches!(&policies[4].then, Then::Redirect(to) if to.len() == 1 && to[0].raw == "desk@example.com"));
    let Then::TagAndContinue(marks) = &policies[5].then else { panic!("{:?}", policies[5].then) };
    assert_eq!((marks.set[0].1.as_str(), marks.removed[0].as_str()), ("list@example.com", "X-Ip"));
    assert_eq!((marks.disclaimer.as_deref(), marks.copies[0].raw.as_str()), (Some("Ours."), "archive@example.com"));
    let strip = policies[5].strip.as_ref().expect("files are taken off");
    assert_eq!((strip.note.as_deref(), strip.otherwise), (Some("Ask us."), Otherwise::Hold));
}

const CONDITIONS: &str = r#"
[[list]]
name = "Partners"
file = "/etc/mailward/partners.txt"

[trial]
recipients = ["list:partners"]

[[settings]]
for = ["list:partners", "bob@example.com"]
allow = ["*@friends.example", "list:PARTNERS"]
block = []
blocked = "discard"

[[policy]]
name = "everything"
from = "list:partners"
to = ["list:partners", "*@example.com"]
then = "hold"
[policy.when]
user = ["alice", "*@example.com"]
country = ["ru", "CL"]
text = { contains = "Wire  (transfer)" }
link = ["*.example.com", "*.bücher.example", "bit.ly"]
header_from = ["list:partners", "<>"]
charset = "koi8-*"
script = ["Cyrillic", "han"]
tls = { version_at_least = "TLSv1.2" }
time = { days = ["mon-fri", "sun"], from = "18:00", to = "08:00", zone = "+09:00" }
attachment = { count_over = 3 }
all = [{ spf = "pass" }, { any = [{ dkim = "pass" }, { not = { arc = "fail" } }] }]
any = { size_over = "1 MiB" }
not = { text = [{ contains = "a" }, { matches = "(?i)b" }], time = { days = "sat", zone = "UTC" } }
"#;

#[test]
fn further_conditions_and_lists_are_read_without_faults() {
    let (settings, faults) = load(CONDITIONS);
    assert_eq!(faults, [""; 0]);
    assert_eq!(settings.lists[0].name, "partners");
    assert_eq!(settings.trial.expect("a trial").acting.len(), 1);
    let scoped = &settings.scoped[0];
    assert_eq!((scoped.name.as_str(), scoped.line, scoped.blocked), ("list:partners", Some(9), Some(Blocked::Discard)));
    assert_eq!(scoped.allow.as_ref().map(AddressSet::len), Some(2));
    assert_eq!(scoped.block.as_ref().map(AddressSet::len), Some(0), "an empty list hides those further away");
    let when = &settings.policies[0].when;
    assert_eq!(when.country, ["RU", "CL"]);
    assert!(when.text[0].is_match("WIRE\r\n (transfer)") && !when.text[0].is_match("wire transfer"));
    assert!(when.link[1].fits("www.xn--bcher-kva.example") && !when.link[2].fits("rabbit.ly"));
    let hours = when.time.as_ref().expect("hours");
    assert_eq!((hours.days, hours.window), ([true, true, true, true, true, false, true], (1_080, 480)));
    assert_eq!((when.all.len(), when.any.len()), (2, 1));
    assert_eq!(when.not.as_ref().map(|not| not.text.len()), Some(2));
    assert_eq!(when.not.as_ref().and_then(|not| Some(not.time.as_ref()?.window)), Some((0, 1_440)));
    assert_eq!(when.attachment.as_ref().and_then(|a| a.count_over), Some(3));
}

#[test]
fn lists_have_names_files_and_no_namesakes() {
    let (_, faults) = load(
        "[[list]]\nname = \"a b\"\nfile = \"x\"\n[[list]]\nname = \"a\"\n[[list]]\nname = \"b\"\nfile = \"x\"\n\
         [[list]]\nname = \"B\"\nfile = \"y\"\nfiel = \"z\"\n[trial]\nrecipients = [\"list:c\"]\n",
    );
    let expected = [
        "1:1: a list needs a name and a file",
        "2:8: list.name is \"a b\", must be a word without blanks",
        "4:1: a list needs a name and a file",
        "9:1: two lists are named \"b\"",
        "12:1: unknown key \"fiel\"; did you mean \"file\"?",
        "14:15: trial.recipients: there is no list \"c\"; did you mean \"b\"?",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(&format!("mailward.toml:{expected}")), "{fault}\n{expected}");
    }
}

#[test]
fn slips_in_lists_of_senders_are_reported() {
    let (_, faults) = load(
        "[[settings]]\nfor = \"bob@example.com\"\nallow = [\"*\", \"group:it\", \"list:x\"]\nblock = \"sender.test\"\n\
         blocked = \"drop\"\n",
    );
    let expected = [
        "1:1: settings.allow names everybody",
        "3:15: settings.allow: groups of senders are not known",
        "3:27: settings.allow: there is no list \"x\"; write [[list]] with this name and a file",
        "4:9: settings.block: \"sender.test\" has no \"@\"",
        "5:11: settings.blocked is \"drop\", must be one of \"reject\", \"discard\"",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(&format!("mailward.toml:{expected}")), "{fault}\n{expected}");
    }
}

#[test]
fn countries_need_a_database() {
    let text = "[[policy]]\nname = \"x\"\nthen = \"hold\"\nwhen = { not = { country = \"RU\" } }\n";
    let faults = |knows_countries| {
        let notices = notices();
        let site = Site { thresholds: Thresholds::default(), knows_countries, notices: &notices };
        crate::config::testing::read_text(text, |root, faults| read(root, &site, faults)).1
    };
    assert_eq!(faults(true), [""; 0]);
    assert_eq!(
        faults(false),
        ["test.toml:4:28: policy.when.not.country: no database tells countries; set [networks] countries = \
          \"/usr/share/GeoIP/GeoLite2-Country.mmdb\""]
    );
}

#[test]
fn the_empty_file_has_no_policy_and_acts_for_all() {
    let (settings, faults) = load("");
    assert!(faults.is_empty() && settings.policies.is_empty() && settings.trial.is_none());
}

/// Each policy alone, with the fault that it must give.
const BAD: &[(&str, &str)] = &[
    ("then = \"reject\"", "1:1: this policy has no name"),
    ("name = \"x\"", "1:1: this policy does nothing"),
    ("name = \"x\"\nthen = \"rejekt\"", "3:8: then is \"rejekt\", must be one of"),
    ("name = \"x\"\nthen = \"rejekt\"", "did you mean \"reject\"?"),
    ("name = \"x\"\nthen = \"quarantin\"", "did you mean \"quarantine\"?"),
    ("name = \"x\"\nthen = { quarantine = \"31d\" }", "3:23: policy.then.quarantine is kept for whole days, \"1d\" to"),
    ("name = \"x\"\nthen = { quarantine = \"12h\" }", "3:23: policy.then.quarantine is kept for whole days, \"1d\" to"),
    ("name = \"x\"\nthen = { quarantine = \"0s\" }", "3:23: policy.then.quarantine is kept for whole days, \"1d\" to"),
    ("name = \"x\"\nthen = { quarantine = 30 }", "3:23: policy.then.quarantine is 30, must be a string"),
    ("name = \"x\"\nthen = { quarantine = \"7d\", reject = \"no\" }", "3:8: then names several actions"),
    (
        "name = \"x\"\nthen = { quarantine = \"7d\" }\ncontinue = true",
        "4:12: continue = true goes with tag, copy, strip",
    ),
    ("name = \"x\"\nthen = \"notify\"", "3:8: then = \"notify\" names nobody; write then = { notify ="),
    ("name = \"x\"\nthen = { notify = \"sendr\" }", "did you mean \"sender\"?"),
    ("name = \"x\"\nthen = { notify = \"*@a.test\" }", "3:19: policy.then.notify: \"*@a.test\" must be \"sender\","),
    ("name = \"x\"\nthen = { notify = [] }", "3:19: policy.then.notify must name 1 to 20 of"),
    ("name = \"x\"\nthen = \"redirect\"", "3:8: then = \"redirect\" names no address; write then = { redirect ="),
    ("name = \"x\"\nthen = \"strip\"", "3:8: then = \"strip\" says not which files"),
    ("name = \"x\"\nthen = { redirect = \"desk\" }", "3:21: policy.then.redirect: \"desk\" is no address"),
    ("name = \"x\"\nthen = { copy = [\"*@a.test\"] }", "3:18: policy.then.copy: \"*@a.test\" is no address"),
    (
        "name = \"x\"\nthen = { copy = \"gr\u{fc}n@a.test\" }",
        "3:17: policy.then.copy: \"gr\u{fc}n@a.test\" is no address",
    ),
    ("name = \"x\"\nthen = { copy = [] }", "3:8: policy.then.copy must name 1 to 20 addresses"),
    ("name = \"x\"\nthen = { copy = \"a@b.test\", discard = true }", "3:29: unknown key \"discard\""),
    ("name = \"x\"\nthen = { copy = \"a@b.test\", reject = \"no\" }", "3:8: then names several actions"),
    ("name = \"x\"\nthen = { redirect = \"a@b.test\" }\ncontinue = true", "4:12: continue = true goes with tag"),
    ("name = \"x\"\nthen = { strip = { note = \"x\" } }", "3:18: strip says not which files"),
    ("name = \"x\"\nthen = { strip = { attachment = {} } }", "3:33: attachment is empty"),
    (
        "name = \"x\"\nthen = { strip = { attachment = { macro = true }, otherwise = \"drop\" } }",
        "3:63: policy.then.strip.otherwise is \"drop\", must be one of \"deliver\", \"hold\", \"reject\"",
    ),
    (
        "name = \"x\"\nthen = { strip = { attachment = { macro = true }, note = \"\\u0007\" } }",
        "3:58: note must be 1 to 2000 bytes of text",
    ),
    ("name = \"x\"\nthen = { tag = { disclaimer = \" \" } }", "3:31: disclaimer must be 1 to 2000 bytes of text"),
    ("name = \"x\"\nthen = { tag = { banner = \"\" } }", "3:27: banner must be 1 to 2000 bytes of text"),
    (
        "name = \"x\"\nthen = { tag = { remove_header = \"Received\" } }",
        "3:34: header \"Received\" cannot be removed: the message needs it",
    ),
    (
        "name = \"x\"\nthen = { tag = { remove_header = [\"Content-Language\"] } }",
        "3:35: header \"Content-Language\" cannot be removed: the message needs it",
    ),
    (
        "name = \"x\"\nthen = { tag = { remove_header = \"DomainKey-Signature\" } }",
        "3:34: header \"DomainKey-Signature\" cannot be removed: the message needs it",
    ),
    (
        "name = \"x\"\nthen = { tag = { set_header = { Resent-From = \"a\" } } }",
        "3:33: header \"Resent-From\" cannot be set: it says who wrote what to whom",
    ),
    ("name = \"x\"\nthen = { tag = { remove_header = [\"a b\"] } }", "3:35: header \"a b\" is no header name"),
    (
        "name = \"x\"\nthen = { tag = { set_header = { To = \"a\" } } }",
        "3:33: header \"To\" cannot be set: it says who wrote what to whom",
    ),
    (
        "name = \"x\"\nthen = { tag = { set_header = { Subject = \"a\" } } }",
        "3:33: header \"Subject\" cannot be set; write subject = \"[MARK]\"",
    ),
    (
        "name = \"x\"\nthen = { tag = { set_header = { X-A = \"1\" }, remove_header = \"x-a\" } }",
        "3:62: header \"x-a\" is named twice",
    ),
    ("name = \"x\"\nthen = {}", "3:8: then names no action"),
    ("name = \"x\"\nthen = { reject = \"a\", defer = \"b\" }", "3:8: then names several actions"),
    ("name = \"x\"\nthen = { reject = \"schön\" }", "3:19: reply text must be 1 to 440 printable ASCII characters"),
    ("name = \"x\"\nthen = { reject = \"550 no\" }", "3:19: write the text without codes"),
    ("name = \"x\"\nthen = { tag = { header = { From = \"a\" } } }", "3:29: header \"From\" belongs to the message"),
    ("name = \"x\"\nthen = { tag = { header = { X-A = \"a\\r\\nb\" } } }", "3:29: header \"X-A\" must be 1 to 200"),
    ("name = \"x\"\nthen = { tag = {} }", "3:16: tag has no marks"),
    (
        "name = \"x\"\nthen = \"hold\"\ncontinue = true",
        "4:12: continue = true goes with tag, copy, strip and notify only",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nto = \"example.com\"",
        "4:6: policy.to: \"example.com\" has no \"@\"; for a whole domain write \"*@example.com\"",
    ),
    ("name = \"x\"\nthen = \"hold\"\nto = []", "1:1: policy.to is an empty list"),
    ("name = \"x\"\nthen = \"hold\"\nto = \"<>\"", "4:6: policy.to: \"<>\" is a sender"),
    ("name = \"x\"\nthen = \"hold\"\nto = \"group: \"", "4:6: policy.to: \"group: \" names no group"),
    ("name = \"x\"\nthen = \"hold\"\nfrom = \"group:it\"", "4:8: policy.from: groups of senders are not known"),
    ("name = \"x\"\nthen = \"hold\"\nwhen = {}", "4:8: when is empty"),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { finding = \"dnbsl.*\" }",
        "4:20: \"dnbsl.*\" names no known family of findings; did you mean \"dnsbl\"?",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { spf = \"failed\" }",
        "4:16: policy.when.spf is \"failed\", must be one of",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { attachment = { macros = true } }",
        "4:25: unknown key \"macros\"; did you mean \"macro\"?",
    ),
    ("name = \"x\"\nthen = \"hold\"\nwhen = { attachment = {} }", "4:23: attachment is empty"),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { header = { name = \"A\", matches = \"(\" } }",
        "4:43: not a regular expression of the Rust regex crate: unclosed group",
    ),
    ("name = \"x\"\nthen = \"hold\"\nwhen = { header = { name = \"A\" } }", "4:19: header needs one of contains"),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { client = \"192.0.2.0/33\" }",
        "4:19: policy.when.client is \"192.0.2.0/33\", must be an address or network",
    ),
    ("name = \"x\"\nthen = \"hold\"\nwhen = { points_at_least = 9, points_below = 3 }", "4:8: when can never hold"),
    ("name = \"x\"\nthen = \"hold\"\ndirection = \"in\"", "4:13: policy.direction is \"in\", must be one of"),
    ("name = \"x\"\nthen = \"hold\"\nto = \"list:vip\"", "4:6: policy.to: there is no list \"vip\"; write [[list]]"),
    ("name = \"x\"\nthen = \"hold\"\nwhen = { user = [] }", "4:8: policy.when.user is an empty list"),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { user = \"\" }",
        "4:17: policy.when.user is \"\", must be a login such as",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { user = \"a\", authenticated = false }",
        "4:8: when can never hold: a user who has not authenticated",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { country = \"Russia\" }",
        "4:20: policy.when.country is \"Russia\", must be a country of ISO 3166-1 in two letters",
    ),
    ("name = \"x\"\nthen = \"hold\"\nwhen = { text = {} }", "4:17: text needs one of contains"),
    ("name = \"x\"\nthen = \"hold\"\nwhen = { text = { contains = \" \" } }", "4:17: text needs one of contains"),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { text = { contains = \"a\", matches = \"b\" } }",
        "4:17: text needs one of contains",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { text = [{ matches = \"[\" }] }",
        "4:30: not a regular expression of the Rust regex crate: unclosed character class",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { text = \"a\" }",
        "4:17: policy.when.text is \"a\", must be conditions such as",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { link = \"https://example.com/\" }",
        "4:17: policy.when.link is \"https://example.com/\", must be a host such as",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { header_from = \"example.com\" }",
        "4:24: policy.when.header_from: \"example.com\" has no \"@\"",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { header_from = \"group:it\" }",
        "4:24: policy.when.header_from: groups of senders are not known",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { charset = \"\" }",
        "4:20: policy.when.charset is \"\", must be a character set",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { script = \"cyrilic\" }",
        "4:19: policy.when.script is \"cyrilic\", must be one of arabic, armenian",
    ),
    ("name = \"x\"\nthen = \"hold\"\nwhen = { script = \"cyrilic\" }", "did you mean \"cyrillic\"?"),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { language = \"klingon\" }",
        "4:21: policy.when.language is \"klingon\", must be one of af, ak, am",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { tls = \"yes\" }",
        "4:16: policy.when.tls is \"yes\", must be true, false or {",
    ),
    ("name = \"x\"\nthen = \"hold\"\nwhen = { tls = {} }", "4:16: tls says nothing"),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { tls = { version_at_least = \"1.2\" } }",
        "4:37: policy.when.tls.version_at_least is \"1.2\", must be a version such as \"TLSv1.2\"",
    ),
    ("name = \"x\"\nthen = \"hold\"\nwhen = { time = { zone = \"UTC\" } }", "4:17: time says nothing"),
    ("name = \"x\"\nthen = \"hold\"\nwhen = { time = { days = \"mon\" } }", "4:17: time needs a zone"),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { time = { from = \"08:00\", zone = \"UTC\" } }",
        "4:17: time needs both from and to",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { time = { from = \"08:00\", to = \"08:00\", zone = \"UTC\" } }",
        "4:17: from and to are the same time",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { time = { from = \"8 am\", to = \"18:00\", zone = \"UTC\" } }",
        "4:26: policy.when.time.from is \"8 am\", must be a time of day",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { time = { days = \"weekend\", zone = \"UTC\" } }",
        "4:26: policy.when.time.days is \"weekend\", must be a day or days such as",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { time = { days = \"mon\", zone = \"Nowhere/City\" } }",
        "4:40: policy.when.time.zone: \"Nowhere/City\" is no time zone of this system",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { time = { days = \"mon\", zone = \"+9\" } }",
        "4:40: policy.when.time.zone: \"+9\" is no offset",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { attachment = { count_over = -1 } }",
        "4:38: policy.when.attachment.count_over is -1, must be a whole number from 0 to 1000",
    ),
    (
        "name = \"x\"\nthen = { strip = { attachment = { count_over = 1, macro = true } } }",
        "3:35: unknown key \"count_over\"",
    ),
    ("name = \"x\"\nthen = \"hold\"\nwhen = { all = [] }", "4:16: policy.when.all is an empty list"),
    ("name = \"x\"\nthen = \"hold\"\nwhen = { any = [{}] }", "4:17: this condition is empty"),
    ("name = \"x\"\nthen = \"hold\"\nwhen = { not = {} }", "4:16: this condition is empty"),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { not = true }",
        "4:16: policy.when.not is of type boolean, must be a table",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { any = [{ spf = \"passed\" }] }",
        "4:25: policy.when.any.spf is \"passed\", must be one of",
    ),
    (
        "name = \"x\"\nthen = \"hold\"\nwhen = { not.not.not.not.not.not.not.not.not = { tls = true } }",
        "conditions are nested more than 8 deep",
    ),
];

#[test]
fn each_fault_of_a_policy_is_reported_with_place_and_advice() {
    for (body, expected) in BAD {
        let (_, faults) = load(&format!("[[policy]]\n{body}\n"));
        let found = faults.iter().any(|f| {
            let place_and_message = f.strip_prefix("mailward.toml:").unwrap_or(f);
            place_and_message.starts_with(expected) || (!expected.starts_with(char::is_numeric) && f.contains(expected))
        });
        assert!(found, "{body}\nmust give: {expected}\ngives: {faults:#?}");
    }
}

#[test]
fn a_policy_that_only_says_tag_uses_the_marks_of_the_site() {
    let (settings, faults) =
        load("[policy_defaults]\ntag = { header = { X-Junk = \"1\" } }\n[[policy]]\nname = \"a\"\nthen = \"tag\"\n");
    assert_eq!(faults, [""; 0]);
    assert_eq!(settings.policies[0].then, Then::Tag(settings.marks.clone()));
    assert_eq!(settings.marks.headers, [("X-Junk".to_owned(), "1".to_owned())]);
}

#[test]
fn names_of_policies_are_unique() {
    let (_, faults) = load("[[policy]]\nname = \"A\"\nthen = \"hold\"\n[[policy]]\nname = \"a\"\nthen = \"hold\"\n");
    assert_eq!(faults, ["mailward.toml:5:8: name \"a\" is taken by the policy of line 1; names are unique"]);
}

#[test]
fn settings_for_nobody_or_with_malware_skipped_are_faults() {
    let (_, faults) = load(
        "[[settings]]\ntag = 1\n[[settings]]\nfor = \"*\"\ntag = 1\n[[settings]]\nfor = \"*@a.test\"\nskip = \"malware.*\"\n\
         [[settings]]\nfor = \"*@a.test\"\n[[settings]]\nfor = \"*@a.test\"\ntag = 16\n",
    );
    let expected = [
        "1:1: these settings are for nobody",
        "3:1: settings for \"*\" are those of the organisation",
        "8:8: malware is judged once for all recipients",
        "9:1: these settings set nothing",
        "11:1: tag (16.00) is above reject (15.00)",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(&format!("mailward.toml:{expected}")), "{fault}\n{expected}");
    }
}

#[test]
fn a_trial_names_domains_and_an_empty_one_is_none() {
    let (settings, faults) = load("[trial]\ndomains = []\nrecipients = []\n");
    assert!(faults.is_empty() && settings.trial.is_none());
    let (_, faults) = load("[trial]\ndomains = [\"bob@example.com\", \"\"]\n");
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[test]
fn the_examples_of_the_manual_are_read_without_faults() {
    let manual = include_str!("../../../../docs/policies.md");
    let mut examples = 0;
    for example in manual.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        if let Err(faults) = crate::config::parse("policies.md", example) {
            panic!("{example}\n{faults:#?}");
        }
        examples += 1;
    }
    assert!(examples >= 10, "the manual has examples");
}

#[test]
fn the_manual_shows_the_default_marks() {
    let manual = include_str!("../../../../docs/policies.md");
    let block = manual.split("```toml\n").find(|b| b.starts_with("[policy_defaults]")).expect("the defaults");
    let (settings, faults) = load(block.split("```").next().expect("its end"));
    assert_eq!(faults, [""; 0]);
    assert_eq!(settings.marks, Marks::default());
    assert_eq!(settings.mixed_refusal, MixedRefusal::default());
    assert_eq!(settings.differing_edits, DifferingEdits::default());
}

/// `[notices]` of the site of these tests.
fn notices() -> notices::Settings {
    let address = |text: &str| crate::session::Address::parse(text.as_bytes()).expect("an address");
    notices::Settings {
        from: Some(address("filter@example.com")),
        administrators: vec![address("postmaster@example.com")],
        ..notices::Settings::default()
    }
}

#[test]
fn quarantine_and_notices_are_read() {
    let text = "[policy_defaults]\nmixed_refusal = \"quarantine\"\n\
        [[policy]]\nname = \"a\"\nthen = \"quarantine\"\n\
        [[policy]]\nname = \"b\"\nthen = { quarantine = \"7d\", notify = [\"administrator\", \"Desk@x.test\"] }\n\
        [[policy]]\nname = \"c\"\nthen = { notify = \"sender\" }\ncontinue = true\n\
        [[policy]]\nname = \"d\"\nthen = { reject = \"no\", notify = \"sender\" }\n";
    let (settings, faults) = load(text);
    assert_eq!(faults, [""; 0]);
    assert_eq!(settings.mixed_refusal, MixedRefusal::Quarantine);
    let [a, b, c, d] = &settings.policies[..] else { panic!("{settings:?}") };
    assert_eq!((&a.then, &b.then), (&Then::Quarantine(30), &Then::Quarantine(7)));
    assert!(a.notify.is_empty() && b.notify.administrator && !b.notify.sender);
    assert_eq!(b.notify.addresses[0].raw, "Desk@x.test");
    assert_eq!(c.then, Then::TagAndContinue(Marks::none()));
    assert!(c.notify.sender && d.notify.sender && matches!(d.then, Then::Reject(_)));
}

#[test]
fn notices_need_a_sender_and_administrators() {
    let text = "[[policy]]\nname = \"a\"\nthen = { notify = \"administrator\" }\n";
    let faults = |more: &str| crate::config::parse("x.toml", &format!("{text}{more}")).map_or_else(|f| f, |_| vec![]);
    let said: Vec<String> = faults("").iter().map(ToString::to_string).collect();
    assert!(
        said[0].starts_with("x.toml:3:19: policy.then.notify needs a sender of notices; write [notices] from"),
        "{said:?}"
    );
    assert!(said[1].contains("there is none; write [notices] administrators = "), "{said:?}");
    let notices = "[notices]\nfrom = \"a@x.test\"\nadministrators = \"b@x.test\"\n";
    assert_eq!(faults(notices).len(), 0, "{:?}", faults(notices));
}
