//! Conditions, alone and combined.

use super::*;
use crate::{
    message::Script,
    session::{Login, Tls},
};

fn glob(text: &str) -> Vec<Glob> {
    Glob::parse(text).into_iter().collect()
}

fn when(change: impl FnOnce(&mut Conditions)) -> Conditions {
    let mut conditions = Conditions::default();
    change(&mut conditions);
    conditions
}

fn holds(conditions: &Conditions, case: &Case) -> bool {
    let tested = Policy { when: conditions.clone(), ..policy("tested", Then::Hold) };
    case.first(&site(vec![tested])) == "hold by policy \"tested\""
}

/// A message in Russian from a client in Chile, sent by alice over TLS 1.2 on a Monday at noon in UTC.
fn case() -> Case {
    Case {
        message: MessageFacts {
            from: vec!["not an address".into(), "boss@partner.example".into()],
            texts: vec!["Please  make the\r\nWire transfer today".into(), "<shown>".into()],
            link_hosts: ["a.example.com", "bit.example"].map(str::to_owned).into(),
            charsets: ["koi8-r".to_owned()].into(),
            script: Some(Script::Cyrillic),
            language: Some("ru".into()),
            attachments: vec![
                AttachmentFacts { name: "a.pdf".into(), ..AttachmentFacts::default() },
                AttachmentFacts { name: "b.PDF".into(), ..AttachmentFacts::default() },
                AttachmentFacts { name: "c.txt".into(), ..AttachmentFacts::default() },
            ],
            ..MessageFacts::default()
        },
        connection: Connection {
            login: Some(Login { name: "Alice@example.com".into(), mechanism: "PLAIN".into() }),
            tls: Some(Tls { version: "TLSv1.2".into(), cipher: String::new() }),
            ..Connection::default()
        },
        country: Some("CL"),
        time: 1_795_392_000 + 12 * 3_600,
        ..Case::default()
    }
}

#[test]
fn every_condition_can_hold_and_fail() {
    type Change = fn(&mut Conditions);
    let message = MessageFacts {
        size: 100,
        headers: vec![("List-Id".into(), " <a.list.test>".into()), ("Subject".into(), "=?utf-8?Q?caf=C3=A9?=".into())],
        subject: "café".into(),
        attachments: vec![
            AttachmentFacts {
                name: "A.XLSM".into(),
                kind: "ooxml".into(),
                macros: true,
                size: 5,
                ..Default::default()
            },
            AttachmentFacts {
                name: "b.zip".into(),
                content_type: "application/zip".into(),
                kind: "zip".into(),
                encrypted: true,
                ..AttachmentFacts::default()
            },
        ],
        ..MessageFacts::default()
    };
    let conditions: &[(&str, bool, Change)] = &[
        ("finding", true, |c| c.findings = vec![finding("spf.*")]),
        ("other finding", false, |c| c.findings = vec![finding("dkim.*")]),
        ("points reached", true, |c| c.points_at_least = Some(Points::hundredths(200))),
        ("points not reached", false, |c| c.points_at_least = Some(Points::hundredths(201))),
        ("points below", true, |c| c.points_below = Some(Points::hundredths(201))),
        ("points not below", false, |c| c.points_below = Some(Points::hundredths(200))),
        ("larger", true, |c| c.size_over = Some(99)),
        ("not larger", false, |c| c.size_over = Some(100)),
        ("macro", true, |c| c.attachment = Some(AttachmentCondition { macros: Some(true), ..Default::default() })),
        ("program", false, |c| {
            c.attachment = Some(AttachmentCondition { executable: Some(true), ..Default::default() });
        }),
        ("macro and encrypted in one", false, |c| {
            c.attachment =
                Some(AttachmentCondition { macros: Some(true), encrypted: Some(true), ..Default::default() });
        }),
        ("name", true, |c| {
            c.attachment =
                Some(AttachmentCondition { names: Glob::parse("*.xlsm").into_iter().collect(), ..Default::default() });
        }),
        ("type and kind", true, |c| {
            c.attachment = Some(AttachmentCondition {
                types: Glob::parse("application/*").into_iter().collect(),
                kinds: vec!["zip".into()],
                ..Default::default()
            });
        }),
        ("attachment size", false, |c| {
            c.attachment = Some(AttachmentCondition { size_over: Some(5), ..Default::default() });
        }),
        ("header", true, |c| {
            c.header = Some(HeaderCondition { name: "list-id".into(), test: HeaderTest::Contains("a.list".into()) });
        }),
        ("no header", false, |c| {
            c.header = Some(HeaderCondition { name: "list-id".into(), test: HeaderTest::Present(false) });
        }),
        ("decoded subject", true, |c| {
            let regex = regex::Regex::new("^café$").expect("a regex");
            c.header = Some(HeaderCondition { name: "Subject".into(), test: HeaderTest::Matches(regex) });
        }),
        ("no tls", true, |c| c.tls = Some(TlsCondition::Encrypted(false))),
        ("login", false, |c| c.authenticated = Some(true)),
        ("client", true, |c| c.client = vec!["192.0.2.0/24".parse().expect("a network")]),
        ("other client", false, |c| c.client = vec!["198.51.100.0/24".parse().expect("a network")]),
        ("spf", true, |c| c.spf = vec!["fail".into(), "softfail".into()]),
        ("one of two signatures", true, |c| c.dkim = vec!["pass".into()]),
        ("dmarc", false, |c| c.dmarc = vec!["pass".into()]),
        ("no arc", true, |c| c.arc = vec!["none".into()]),
    ];
    for (what, holds, change) in conditions {
        let mut tested = policy("tested", Then::Hold);
        change(&mut tested.when);
        let case = Case {
            findings: vec![("spf.fail", 200)],
            message: message.clone(),
            authentication: AuthenticationResults {
                spf: "fail".into(),
                dkim: vec!["fail".into(), "pass".into()],
                ..AuthenticationResults::default()
            },
            connection: Connection { client_ip: "::ffff:192.0.2.7".parse().ok(), ..Connection::default() },
            ..Case::default()
        };
        let expected = if *holds { "hold by policy \"tested\"" } else { "deliver by nothing against it" };
        assert_eq!(case.first(&site(vec![tested])), expected, "{what}");
    }
}

#[test]
fn each_further_condition_can_hold_and_fail() {
    type Change = fn(&mut Conditions);
    let regex = |text: &str| vec![regex::Regex::new(text).expect("a regex")];
    let at_least = |version: &str| TlsVersion::parse(version).map(TlsCondition::AtLeast);
    let hours = |text: &str, from: &str, to: &str| Hours {
        days: days(text).expect("days"),
        window: (clock(from).expect("a time"), clock(to).expect("a time")),
        zone: zone("UTC").expect("a zone"),
    };
    let set = |text: &str| AddressPattern::parse(text).into_iter().collect::<AddressSet>();
    let attachments = |names: &str, count| AttachmentCondition {
        names: Glob::parse(names).into_iter().collect(),
        count_over: Some(count),
        ..AttachmentCondition::default()
    };
    let table: Vec<(&str, Conditions, Conditions)> = vec![
        ("user", when(|c| c.user = glob("*@EXAMPLE.com")), when(|c| c.user = glob("bob"))),
        ("country", when(|c| c.country = vec!["CL".into()]), when(|c| c.country = vec!["CN".into()])),
        ("tls", when(|c| c.tls = at_least("TLSv1.2")), when(|c| c.tls = at_least("TLSv1.3"))),
        ("text", when(|c| c.text = regex("(?i)wire\\s+TRANSFER")), when(|c| c.text = regex("^shown"))),
        ("link", when(|c| c.link = glob("*.example.com")), when(|c| c.link = glob("example.com"))),
        ("header_from", when(|c| c.header_from = set("*@partner.example")), when(|c| c.header_from = set("<>"))),
        ("charset", when(|c| c.charset = glob("KOI8-*")), when(|c| c.charset = glob("utf-8"))),
        ("script", when(|c| c.script = vec![Script::Cyrillic]), when(|c| c.script = vec![Script::Latin, Script::Han])),
        ("language", when(|c| c.language = vec!["ru".into()]), when(|c| c.language = vec!["uk".into(), "bg".into()])),
        (
            "time",
            when(|c| c.time = Some(hours("mon", "12:00", "13:00"))),
            when(|c| c.time = Some(hours("tue-sun", "00:00", "24:00"))),
        ),
        (
            "attachment",
            when(|c| c.attachment = Some(attachments("*.pdf", 1))),
            when(|c| c.attachment = Some(attachments("*.pdf", 2))),
        ),
    ];
    for (key, good, bad) in &table {
        assert!(holds(good, &case()), "{key} must hold");
        assert!(!holds(bad, &case()), "{key} must not hold");
    }
    // Facts that are not there make nothing true.
    let nothing: [(&str, Change); 5] = [
        ("user", |c| c.user = glob("*")),
        ("country", |c| c.country = vec!["CL".into()]),
        ("script", |c| c.script = vec![Script::Latin]),
        ("language", |c| c.language = vec!["en".into()]),
        ("text", |c| c.text = regex::Regex::new("").into_iter().collect()),
    ];
    for (key, change) in nothing {
        assert!(!holds(&when(change), &Case::default()), "{key}");
    }
}

#[test]
fn all_any_and_not_combine_and_stand_beside_plain_keys() {
    let yes = || when(|c| c.country = vec!["CL".into()]);
    let no = || when(|c| c.country = vec!["CN".into()]);
    let nested = |all: Vec<Conditions>, any: Vec<Conditions>, not: Option<Conditions>| Conditions {
        all,
        any,
        not: not.map(Box::new),
        ..Conditions::default()
    };
    for (conditions, expected) in [
        (nested(vec![yes(), yes()], vec![], None), true),
        (nested(vec![yes(), no()], vec![], None), false),
        (nested(vec![], vec![no(), yes()], None), true),
        (nested(vec![], vec![no(), no()], None), false),
        (nested(vec![], vec![], Some(no())), true),
        (nested(vec![], vec![], Some(yes())), false),
        (nested(vec![yes()], vec![no(), yes()], Some(no())), true),
        (nested(vec![yes()], vec![no(), yes()], Some(yes())), false),
        (nested(vec![nested(vec![], vec![no(), nested(vec![], vec![], Some(no()))], None)], vec![], None), true),
        (Conditions { authenticated: Some(false), ..nested(vec![yes()], vec![], None) }, false),
    ] {
        assert_eq!(holds(&conditions, &case()), expected, "{conditions:?}");
    }
}

#[test]
fn malware_named_within_all_or_any_is_named_and_within_not_is_not() {
    let named = || when(|c| c.findings = vec![finding("malware.yara.*")]);
    let infected = Case { findings: vec![("malware.yara.x", 0)], ..case() };
    let of = |conditions: Conditions| {
        infected.first(&site(vec![Policy { when: conditions, ..policy("laboratory", Then::Deliver) }]))
    };
    let spared = "deliver by policy \"laboratory\"";
    assert_eq!(of(Conditions { all: vec![named()], ..Conditions::default() }), spared);
    assert_eq!(of(Conditions { any: vec![named(), when(|c| c.size_over = Some(1))], ..Conditions::default() }), spared);
    let never = Conditions { size_over: Some(1_000), ..named() };
    let other = when(|c| c.country = vec!["CL".into()]);
    assert_eq!(
        of(Conditions { any: vec![never, other], ..Conditions::default() }),
        "reject by malware.yara.x",
        "the branch that names it does not hold"
    );
    let not = Some(Box::new(when(|c| c.findings = vec![finding("malware.clamd.*")])));
    assert_eq!(of(Conditions { not, ..Conditions::default() }), "reject by malware.yara.x");
}

#[test]
fn what_policies_ask_for_is_known_at_load_however_deep_it_stands() {
    let deep = Conditions {
        not: Some(Box::new(Conditions {
            any: vec![when(|c| c.country = vec!["CL".into()]), when(|c| c.link = glob("x"))],
            ..Conditions::default()
        })),
        ..when(|c| c.script = vec![Script::Han])
    };
    let asks = site(vec![policy("plain", Then::Hold), Policy { when: deep, ..policy("deep", Then::Hold) }]).asks();
    assert!(asks.country && asks.message.link_hosts && asks.message.script);
    assert!(!asks.message.texts && !asks.message.charsets);
    assert_eq!(Settings::default().asks(), Asks::default());
}

#[test]
fn policies_that_did_not_match_say_which_key_failed() {
    let failing = |name: &str, conditions: Conditions| Policy { when: conditions, ..policy(name, Then::Hold) };
    let outbound = Policy { direction: Some(Direction::Outbound), ..policy("out", Then::Hold) };
    let mut from = policy("from", Then::Hold);
    from.from.push(AddressPattern::parse("*@other.example").expect("a pattern"));
    let settings = site(vec![
        outbound,
        from,
        to(policy("to", Then::Hold), "eve@example.com"),
        failing("points", when(|c| c.points_at_least = Some(Points::hundredths(800)))),
        failing(
            "files",
            when(|c| c.attachment = Some(AttachmentCondition { macros: Some(true), ..Default::default() })),
        ),
        failing("land", when(|c| c.country = vec!["CN".into()])),
        failing(
            "deep",
            Conditions {
                all: vec![when(|c| c.authenticated = Some(true)), when(|c| c.spf = vec!["pass".into()])],
                ..Conditions::default()
            },
        ),
        failing("not", Conditions { not: Some(Box::default()), ..Conditions::default() }),
        policy("last", Then::Discard),
        policy("never asked", Then::Hold),
    ]);
    let told = case().why(&settings);
    let expected = [
        ("out", "direction: the message is inbound"),
        ("from", "from: the sender is not in the list"),
        ("to", "to: the recipient is not in the list"),
        ("points", "when.points_at_least: 3.20 < 8.00"),
        ("files", "when.attachment: none is like this"),
        ("land", "when.country: it is CL"),
        ("deep", "when.all[2].spf: it is none"),
        ("not", "when.not: it holds"),
    ];
    assert_eq!(told, expected.map(|(name, why)| (name.to_owned(), why.to_owned())));
    let many = site((0..50).map(|n| to(policy(&n.to_string(), Then::Hold), "eve@example.com")).collect());
    assert_eq!(case().why(&many).len(), 20);
}

#[test]
fn a_policy_that_malware_overrules_says_so() {
    let settings = site(vec![policy("all mail", Then::Deliver)]);
    let infected = Case { findings: vec![("malware.yara.x", 0)], ..Case::default() };
    let expected = ("all mail".to_owned(), "when.finding: it does not name the malware".to_owned());
    assert_eq!(infected.why(&settings), [expected]);
}

impl Case {
    /// Names of the policies that did not match for the first recipient, and why, with 3.20 points unless said otherwise.
    fn why(mut self, settings: &Settings) -> Vec<(String, String)> {
        if self.findings.is_empty() {
            self.findings.push(("spam.x", 320));
        }
        self.with_facts(|facts| {
            let mut decision = decide(settings, Thresholds::default(), facts);
            assert!(decision.notes[0].not_matched.is_empty(), "the mail path does not find out");
            add_not_matched(settings, Thresholds::default(), facts, &mut decision);
            let told = decision.notes.swap_remove(0).not_matched.into_iter();
            told.map(|NotMatched { policy, why }| (policy.name, why)).collect()
        })
    }
}
