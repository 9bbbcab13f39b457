//! Decisions about whole messages.

mod conditions;
mod sender_lists;

use super::*;
use crate::{
    message::{AttachmentFacts, MessageFacts},
    score::{Overrides, Thresholds, add_up},
    session::{Address, Connection, Direction, Recipient, ReversePath},
    verdict::{Action, Card, Disposition, Edit, Finding, Host, Points, Reply},
};

/// A message with one recipient, changed by the tests as they need it.
struct Case {
    direction: Direction,
    sender: &'static str,
    recipients: Vec<&'static str>,
    findings: Vec<(&'static str, i32)>,
    message: MessageFacts,
    authentication: AuthenticationResults,
    connection: Connection,
    country: Option<&'static str>,
    time: i64,
    early: Option<Reply>,
    early_of_outbound: bool,
    host: Host,
}

impl Default for Case {
    fn default() -> Self {
        Case {
            direction: Direction::Inbound,
            sender: "<alice@sender.test>",
            recipients: vec!["<bob@example.com>"],
            findings: Vec::new(),
            message: MessageFacts::default(),
            authentication: AuthenticationResults::default(),
            connection: Connection::default(),
            country: None,
            time: 0,
            early: None,
            early_of_outbound: false,
            host: Host::default(),
        }
    }
}

impl Case {
    fn decide(&self, settings: &Settings) -> Decision {
        self.with_facts(|facts| decide(settings, Thresholds::default(), facts))
    }

    fn with_facts<T>(&self, f: impl FnOnce(&Facts<'_>) -> T) -> T {
        let recipients: Vec<Recipient> = self.recipients.iter().map(|r| recipient(r)).collect();
        let card = card(&self.findings);
        f(&Facts {
            direction: self.direction,
            sender: &ReversePath::parse(self.sender.as_bytes()).expect("a sender"),
            connection: &self.connection,
            country: self.country,
            time: self.time,
            recipients: &recipients,
            card: &card,
            message: &self.message,
            authentication: &self.authentication,
            early: self.early.as_ref(),
            early_of_outbound: self.early_of_outbound,
            host: self.host,
        })
    }

    /// Disposition and cause of the first recipient.
    fn first(&self, settings: &Settings) -> String {
        let decision = self.decide(settings);
        let r = &decision.verdict.recipients[0];
        format!("{} by {}", r.disposition.word(), r.because)
    }
}

fn card(findings: &[(&'static str, i32)]) -> Card {
    let findings = findings.iter().map(|(id, points)| Finding::new(*id, Points::hundredths(*points), "test"));
    add_up(findings.collect(), &Overrides::default())
}

fn recipient(text: &str) -> Recipient {
    let address = Address::parse(text.as_bytes()).expect("an address");
    let groups = if text.contains("cfo") { vec!["finance".to_owned()] } else { Vec::new() };
    Recipient { address, groups }
}

fn policy(name: &str, then: Then) -> Policy {
    Policy {
        name: name.to_owned(),
        line: Some(7),
        direction: Some(Direction::Inbound),
        from: AddressSet::default(),
        to: AddressSet::default(),
        when: Conditions::default(),
        then,
        strip: None,
    }
}

fn to(mut policy: Policy, pattern: &str) -> Policy {
    policy.to.push(AddressPattern::parse(pattern).expect("a pattern"));
    policy
}

fn site(policies: Vec<Policy>) -> Settings {
    Settings { policies, ..Settings::default() }
}

fn finding(pattern: &str) -> crate::score::FindingPattern {
    crate::score::FindingPattern::parse(pattern).expect("a pattern")
}

fn dmarc() -> Option<Reply> {
    Reply::new(550, (5, 7, 1), "DMARC").ok()
}

fn trouble() -> Option<Reply> {
    Reply::new(451, (4, 7, 1), "later").ok()
}

#[test]
fn without_policies_the_thresholds_decide() {
    for (points, expected) in [
        (499, "deliver by nothing against it"),
        (500, "tag by threshold tag"),
        (1499, "tag by threshold tag"),
        (1500, "reject by threshold reject"),
    ] {
        let case = Case { findings: vec![("spam.x", points)], ..Case::default() };
        assert_eq!(case.first(&site(Vec::new())), expected, "{points}");
    }
}

#[test]
fn the_first_policy_that_matches_decides() {
    let reply = Reply::fixed(550, (5, 7, 1), "no");
    let policies = vec![
        to(policy("others", Then::Hold), "eve@example.com"),
        to(policy("first", Then::Reject(reply)), "*@example.com"),
        policy("second", Then::Deliver),
    ];
    assert_eq!(Case::default().first(&site(policies)), "reject by policy \"first\"");
}

#[test]
fn a_policy_that_continues_marks_and_leaves_the_decision_to_the_next() {
    let marks = Marks { headers: vec![("X-List".into(), "yes".into())], ..Marks::none() };
    let settings = site(vec![policy("mark", Then::TagAndContinue(marks))]);
    let decision = Case::default().decide(&settings);
    assert_eq!(decision.verdict.recipients[0].because, "marks of policies");
    assert_eq!(decision.notes[0].passed[0].name, "mark");
    assert_eq!(decision.verdict.edits, [Edit::AddHeader { name: "X-List".into(), value: "yes".into() }]);
    let spam = Case { findings: vec![("spam.x", 1600)], ..Case::default() };
    assert_eq!(spam.first(&settings), "reject by threshold reject");
}

#[test]
fn an_allowing_policy_overrides_points_and_dmarc_but_not_trouble_or_malware() {
    let settings = site(vec![policy("allow", Then::Deliver)]);
    let case = |findings: &[(&'static str, i32)], early| Case { findings: findings.to_vec(), early, ..Case::default() };
    assert_eq!(case(&[("spam.x", 9000)], None).first(&settings), "deliver by policy \"allow\"");
    assert_eq!(case(&[("dmarc.fail", 0)], dmarc()).first(&settings), "deliver by policy \"allow\"");
    assert_eq!(case(&[], trouble()).first(&settings), "defer by a lookup is in trouble");
    assert_eq!(case(&[("malware.yara.x", 0)], None).first(&settings), "reject by malware.yara.x");
}

#[test]
fn a_policy_that_names_the_malware_decides_on_it() {
    let mut laboratory = policy("laboratory", Then::Deliver);
    laboratory.when.findings = vec![finding("malware.yara.*")];
    let settings = site(vec![laboratory]);
    let yara = Case { findings: vec![("malware.yara.x", 0)], ..Case::default() };
    assert_eq!(yara.first(&settings), "deliver by policy \"laboratory\"");
    let clamd = Case { findings: vec![("malware.clamd.x", 0)], ..Case::default() };
    assert_eq!(clamd.first(&settings), "reject by malware.clamd.x");
}

#[test]
fn malware_known_for_certain_is_refused_even_when_a_lookup_is_in_trouble() {
    let case = Case { findings: vec![("malware.yara.x", 0)], early: trouble(), ..Case::default() };
    let decision = case.decide(&site(Vec::new()));
    assert!(matches!(&decision.verdict.action, Action::Reply(reply) if reply.code() == 550));
}

#[test]
fn malware_is_refused_for_all_though_a_policy_spares_one_recipient() {
    let mut laboratory = to(policy("laboratory", Then::Deliver), "cfo@example.com");
    laboratory.when.findings = vec![finding("malware.*")];
    let case = Case {
        recipients: vec!["<cfo@example.com>", "<bob@example.com>"],
        findings: vec![("malware.yara.x", 0)],
        ..Case::default()
    };
    let decision = case.decide(&site(vec![laboratory]));
    assert!(matches!(decision.verdict.action, Action::Reply(_)));
    assert_eq!(decision.verdict.recipients[0].wanted, Disposition::Deliver);
    assert_eq!(decision.verdict.recipients[0].disposition, Disposition::Reject);
    assert_eq!(decision.notes[0].instead.as_deref(), Some("recipients differ"));
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
fn policies_are_for_inbound_mail_unless_they_say_otherwise() {
    let mut out = policy("out", Then::Hold);
    out.direction = Some(Direction::Outbound);
    let both = Policy { direction: None, ..policy("both", Then::Discard) };
    let settings = site(vec![policy("in", Then::Deliver), out, both]);
    let outbound = Case { direction: Direction::Outbound, ..Case::default() };
    assert_eq!(outbound.first(&settings), "hold by policy \"out\"");
    assert_eq!(Case::default().first(&settings), "deliver by policy \"in\"");
}

#[test]
fn outbound_mail_is_only_recorded_unless_it_is_filtered() {
    let case = Case { direction: Direction::Outbound, findings: vec![("malware.yara.x", 0)], ..Case::default() };
    let decision = case.decide(&site(Vec::new()));
    assert_eq!(decision.verdict.action, Action::Accept);
    assert_eq!(decision.verdict.recipients[0].wanted, Disposition::Reject);
    assert!(decision.notes[0].instead.as_deref().is_some_and(|why| why.contains("outbound.filter")));
    let filtered = Settings { filter_outbound: true, ..Settings::default() };
    assert!(matches!(case.decide(&filtered).verdict.action, Action::Reply(_)));
}

#[test]
fn a_refusal_for_the_rights_of_a_user_acts_on_outbound_mail_that_is_not_filtered() {
    let reply = Some(Reply::fixed(550, (5, 7, 1), "not as this author"));
    let case = |early_of_outbound| Case {
        direction: Direction::Outbound,
        early: reply.clone(),
        early_of_outbound,
        findings: vec![("malware.yara.x", 0)],
        ..Case::default()
    };
    assert_eq!(case(false).decide(&site(Vec::new())).verdict.action, Action::Accept);
    let refused = case(true).decide(&site(Vec::new())).verdict;
    assert_eq!(Some(refused.action), reply.clone().map(Action::Reply));
    let mut pass = policy("pass", Then::Deliver);
    pass.direction = None;
    assert_eq!(
        case(true).decide(&site(vec![pass])).verdict.action,
        Action::Accept,
        "policies of the site decide first"
    );
}

#[test]
fn outside_the_trial_verdicts_are_only_recorded() {
    let trial = Trial { acting: AddressPattern::parse("*@pilot.test").into_iter().collect() };
    let settings = Settings { trial: Some(trial), ..Settings::default() };
    let spam = |recipients| Case { recipients, findings: vec![("spam.x", 2000)], ..Case::default() };
    let outside = spam(vec!["<bob@example.com>"]).decide(&settings);
    assert_eq!((outside.verdict.action, outside.verdict.edits.len()), (Action::Accept, 0));
    assert_eq!(outside.verdict.recipients[0].wanted, Disposition::Reject);
    let inside = spam(vec!["<bob@pilot.test>"]).decide(&settings);
    assert!(matches!(inside.verdict.action, Action::Reply(_)));
    let mixed = spam(vec!["<bob@pilot.test>", "<bob@example.com>"]).decide(&settings);
    let words: Vec<_> = mixed.verdict.recipients.iter().map(|r| r.disposition.word()).collect();
    assert_eq!(words, ["tag", "deliver"], "the refusal does not hold for all");
    assert!(mixed.notes[1].instead.as_deref().is_some_and(|why| why.contains("trial")));
}

#[test]
fn three_recipients_with_three_outcomes_get_one_message_with_the_right_edits() {
    let tag =
        Marks { headers: vec![("X-Mark".into(), "{points}".into())], subject: Some("[x]".into()), ..Marks::none() };
    let settings = site(vec![
        to(policy("drop", Then::Discard), "bob+news@example.com"),
        to(policy("mark", Then::Tag(tag)), "group:finance"),
        to(policy("plain", Then::Deliver), "*"),
    ]);
    let case = Case {
        recipients: vec!["<Bob+News@example.com>", "<cfo@example.com>", "<eve@example.com>"],
        findings: vec![("spam.x", 720)],
        ..Case::default()
    };
    let verdict = case.decide(&settings).verdict;
    let words: Vec<_> = verdict.recipients.iter().map(|r| r.disposition.word()).collect();
    assert_eq!(words, ["discard", "tag", "deliver"]);
    assert_eq!(
        verdict.edits,
        [
            Edit::AddHeader { name: "X-Mark".into(), value: "7.20".into() },
            Edit::RemoveRecipient { address: "<Bob+News@example.com>".into() },
        ],
        "the subject mark is left out: eve does not want it"
    );
}

#[test]
fn the_subject_is_marked_once_and_encoded_words_stay() {
    let marks = Marks { subject: Some("[SPAM]".into()), ..Marks::none() };
    let settings = site(vec![policy("mark", Then::Tag(marks))]);
    let edits = |headers: &[(&str, &str)], subject: &str| {
        let message = MessageFacts {
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            subject: subject.to_owned(),
            ..MessageFacts::default()
        };
        Case { message, ..Case::default() }.decide(&settings).verdict.edits
    };
    let value = "[SPAM] =?utf-8?Q?caf=C3=A9?=".to_owned();
    assert_eq!(
        edits(&[("SUBJECT", " =?utf-8?Q?caf=C3=A9?=\r\n")], "café"),
        [Edit::ChangeHeader { name: "Subject".into(), occurrence: 1, value }]
    );
    assert_eq!(edits(&[("Subject", "[SPAM] x")], "[SPAM] x"), []);
    assert_eq!(edits(&[("Subject", "=?utf-8?Q?=5BSPAM=5D_x?=")], "[SPAM] x"), []);
    assert_eq!(edits(&[], ""), [Edit::AddHeader { name: "Subject".into(), value: "[SPAM]".into() }]);
}

#[test]
fn marks_that_came_with_the_message_are_removed_from_the_bottom_up() {
    let headers = ["x-mailward-flag", "Subject", "X-MAILWARD-FLAG"].map(|n| (n.to_owned(), "no".to_owned()));
    let case =
        Case { message: MessageFacts { headers: headers.to_vec(), ..MessageFacts::default() }, ..Case::default() };
    let remove = |occurrence| Edit::RemoveHeader { name: "x-mailward-flag".into(), occurrence };
    assert_eq!(case.decide(&site(Vec::new())).verdict.edits, [remove(2), remove(1)]);
}

#[test]
fn a_held_message_keeps_its_reason_and_waits_for_all() {
    let settings = site(vec![to(policy("prüfen", Then::Hold), "cfo@example.com")]);
    let case = Case { recipients: vec!["<bob@example.com>", "<cfo@example.com>"], ..Case::default() };
    let decision = case.decide(&settings);
    assert!(decision.verdict.recipients.iter().all(|r| r.disposition == Disposition::Hold));
    assert_eq!(decision.verdict.edits, [Edit::Hold { reason: "policy \"pr?fen\"".into() }]);
    assert_eq!(decision.notes[0].instead.as_deref(), Some("recipients differ"));
}

#[test]
fn what_would_have_changed_it_is_said() {
    let changes = |case: &Case, settings: &Settings| case.decide(settings).notes[0].would_change.clone();
    let none = site(Vec::new());
    let points = |points| Case { findings: vec![("spam.x", points)], ..Case::default() };
    assert_eq!(changes(&points(260), &none), ["2.40 points more: marked", "12.40 points more: refused"]);
    assert_eq!(changes(&points(720), &none), ["7.80 points more: refused", "2.21 points fewer: no mark"]);
    assert_eq!(changes(&points(1500), &none), ["0.01 points fewer: no refusal"]);
    assert_eq!(
        changes(&points(720), &site(vec![policy("allow", Then::Deliver)])),
        ["without policy \"allow\": tag (threshold tag)"]
    );
    let malware = Case { findings: vec![("malware.a.x", 0), ("malware.b.y", 0)], ..Case::default() };
    assert_eq!(changes(&malware, &none), ["without malware.a.x, malware.b.y: deliver (nothing against it)"]);
    let refused = Case { early: dmarc(), ..Case::default() };
    assert_eq!(changes(&refused, &none), ["without that refusal: deliver (nothing against it)"]);
    let learned = Case { findings: vec![("spam.classifier", 2000), ("spam.x", 100)], ..Case::default() };
    assert_eq!(
        changes(&learned, &none),
        [
            "learned points alone never refuse; 4.00 points of other findings more: refused",
            "16.01 points fewer: no mark"
        ]
    );
}

#[test]
fn recipients_of_another_class_are_told_apart_only_where_the_site_asks() {
    let mut settings = site(vec![to(policy("finance", Then::Hold), "group:finance")]);
    let class = |settings: &Settings, address: &str| {
        let connection = Connection::default();
        let (sender, recipient) = (ReversePath::Null, recipient(address));
        settings.policy_class(Thresholds::default(), Direction::Inbound, &sender, &connection, None, &recipient)
    };
    assert_eq!(class(&settings, "<bob@example.com>"), None);
    settings.differing_edits = DifferingEdits::DeferRecipient;
    let bob = class(&settings, "<bob@example.com>");
    assert!(bob.is_some());
    assert_eq!(bob, class(&settings, "<eve@example.com>"));
    assert_ne!(bob, class(&settings, "<cfo@example.com>"));
}

#[test]
fn who_gets_copies_or_redirected_mail_is_of_another_class_where_such_a_policy_may_match() {
    let differs = |then: Then, other: &str| {
        let mut settings = site(vec![policy("elsewhere", then)]);
        settings.differing_edits = DifferingEdits::DeferRecipient;
        let class = |settings: &Settings, address: &str| {
            let connection = Connection::default();
            let (sender, recipient) = (ReversePath::Null, recipient(address));
            settings.policy_class(Thresholds::default(), Direction::Inbound, &sender, &connection, None, &recipient)
        };
        let apart = class(&settings, "<bob@example.com>") != class(&settings, other);
        settings.policies[0] = to(settings.policies[0].clone(), "group:finance");
        assert_eq!(class(&settings, "<bob@example.com>"), class(&settings, other), "the policy is for neither");
        apart
    };
    let desk = || Then::Redirect(vec![address("desk@example.com")]);
    let archive = || Then::TagAndContinue(copy_to(&["archive@example.com"]));
    assert!(differs(desk(), "<desk@example.com>") && differs(archive(), "<archive@example.com>"));
    assert!(!differs(desk(), "<eve@example.com>") && !differs(archive(), "<eve@example.com>"));
}

#[test]
fn a_host_that_cannot_edit_headers_is_told_what_is_missing() {
    let mut case = Case { findings: vec![("spam.x", 700)], ..Case::default() };
    let with = case.decide(&Settings::default());
    assert!(!with.verdict.edits.is_empty() && with.not_applied.is_empty());
    case.host.edit_header = false;
    let without = case.decide(&Settings::default());
    assert_eq!(without.verdict.edits, []);
    assert_eq!(without.not_applied.len(), with.verdict.edits.len());
    assert_eq!(without.not_applied[0], "header X-Mailward-Flag: the host cannot edit headers");
}

fn address(text: &str) -> Address {
    Address::parse(text.as_bytes()).expect("an address")
}

fn copy_to(addresses: &[&str]) -> Marks {
    Marks { copies: addresses.iter().map(|text| address(text)).collect(), ..Marks::none() }
}

/// What is done to the envelope, in words.
fn envelope(case: &Case, settings: &Settings) -> Vec<String> {
    let edits = case.decide(settings).verdict.edits;
    let word = |edit: &Edit| match edit {
        Edit::RemoveRecipient { address } => Some(format!("-{address}")),
        Edit::AddRecipient { address, blind } => Some(format!("{}{address}", if *blind { "copy " } else { "+" })),
        _ => None,
    };
    edits.iter().filter_map(word).collect()
}

fn to_all(recipients: &[&'static str]) -> Case {
    Case { recipients: recipients.to_vec(), ..Case::default() }
}

#[test]
fn a_redirect_takes_the_recipient_off_and_adds_the_others_once() {
    let there = Then::Redirect(vec![address("security@example.com"), address("eve@example.com")]);
    let settings = site(vec![to(policy("look", there), "bob@example.com"), policy("others", Then::Deliver)]);
    let case = to_all(&["<Bob@example.com>", "<eve@example.com>"]);
    assert_eq!(envelope(&case, &settings), ["-<Bob@example.com>", "+<security@example.com>"], "eve has it anyway");
    let verdict = case.decide(&settings).verdict;
    assert_eq!(verdict.recipients[0].disposition.word(), "redirect");
    assert_eq!(verdict.action, Action::Accept);
    let swap = site(vec![
        to(policy("bob to eve", Then::Redirect(vec![address("eve@example.com")])), "bob@example.com"),
        to(policy("eve is dropped", Then::Discard), "eve@example.com"),
    ]);
    let expected = ["-<Bob@example.com>", "-<eve@example.com>", "+<eve@example.com>"];
    assert_eq!(envelope(&case, &swap), expected, "first off, then on");
}

#[test]
fn a_redirect_keeps_the_marks_of_policies_before_it() {
    let mark = Marks { headers: vec![("X-Why".into(), "odd".into())], subject: Some("[look]".into()), ..Marks::none() };
    let settings = site(vec![
        policy("mark", Then::TagAndContinue(mark)),
        policy("look", Then::Redirect(vec![address("security@example.com")])),
    ]);
    let edits = Case::default().decide(&settings).verdict.edits;
    assert_eq!(edits[0], Edit::AddHeader { name: "Subject".into(), value: "[look]".into() });
    assert_eq!(edits[1], Edit::AddHeader { name: "X-Why".into(), value: "odd".into() });
}

#[test]
fn copies_go_to_each_once_and_to_nobody_who_has_it() {
    let settings = site(vec![
        policy("archive", Then::TagAndContinue(copy_to(&["archive@example.com", "eve@example.com"]))),
        to(policy("drop", Then::Discard), "group:finance"),
        policy("again", Then::Tag(copy_to(&["archive@EXAMPLE.com"]))),
    ]);
    assert_eq!(
        envelope(&to_all(&["<bob@example.com>", "<eve@example.com>"]), &settings),
        ["copy <archive@EXAMPLE.com>"]
    );
    assert_eq!(envelope(&to_all(&["<cfo@example.com>"]), &settings), [""; 0], "nothing is left to copy");
    let decision = Case::default().decide(&settings);
    assert_eq!(decision.verdict.recipients[0].disposition, Disposition::Deliver, "a copy is no mark");
    assert_eq!(decision.notes[0].policy.as_ref().expect("it decides").name, "again");
}

#[test]
fn who_is_refused_alone_still_gets_what_is_redirected_or_copied_to_him() {
    let redirect = to(policy("look", Then::Redirect(vec![address("eve@example.com")])), "bob@example.com");
    let copy = to(policy("archive", Then::Tag(copy_to(&["eve@example.com"]))), "bob@example.com");
    let mut case = to_all(&["<bob@example.com>", "<eve@example.com>"]);
    case.host.reply_by_recipient = true;
    for refusal in
        [Then::Reject(Reply::fixed(550, (5, 7, 1), "no")), Then::Defer(Reply::fixed(451, (4, 7, 1), "later"))]
    {
        let eve = to(policy("eve", refusal), "eve@example.com");
        assert_eq!(
            envelope(&case, &site(vec![redirect.clone(), eve.clone()])),
            ["-<bob@example.com>", "+<eve@example.com>"]
        );
        assert_eq!(envelope(&case, &site(vec![copy.clone(), eve])), ["copy <eve@example.com>"]);
    }
}

#[test]
fn who_discards_is_given_no_copy_either() {
    let settings = site(vec![
        to(policy("drop", Then::Discard), "archive@example.com"),
        policy("archive", Then::Tag(copy_to(&["archive@example.com"]))),
    ]);
    let case = to_all(&["<bob@example.com>", "<archive@example.com>"]);
    assert_eq!(envelope(&case, &settings), ["-<archive@example.com>"]);
}

#[test]
fn copies_and_redirects_that_come_back_make_no_others() {
    let settings = site(vec![
        policy("first archive", Then::TagAndContinue(copy_to(&["a@example.com"]))),
        policy("second archive", Then::TagAndContinue(copy_to(&["b@example.com"]))),
        policy("look", Then::Redirect(vec![address("security@example.com")])),
    ]);
    let all = ["-<bob@example.com>", "+<security@example.com>", "copy <a@example.com>", "copy <b@example.com>"];
    assert_eq!(envelope(&Case::default(), &settings), all);
    for end in ["<a@example.com>", "<B+x@example.com>"] {
        assert_eq!(envelope(&to_all(&[end]), &settings), [""; 0], "{end}");
    }
    let security = to_all(&["<security@example.com>"]);
    assert_eq!(envelope(&security, &settings), ["copy <a@example.com>", "copy <b@example.com>"]);
    assert_eq!(security.first(&settings), "deliver by policy \"look\"");
}

#[test]
fn headers_are_removed_and_set_wherever_they_stand() {
    let marks = Marks {
        set: vec![("Reply-To".into(), "list@example.com".into()), ("X-New".into(), "{points}".into())],
        removed: vec!["X-Original-IP".into()],
        ..Marks::none()
    };
    let settings = site(vec![policy("tidy", Then::Tag(marks))]);
    let names = ["x-original-ip", "REPLY-TO", "Subject", "Reply-To", "X-Original-IP"];
    let headers = names.map(|name| (name.to_owned(), "x".to_owned())).to_vec();
    let message = MessageFacts { headers, ..MessageFacts::default() };
    let case = Case { message, ..Case::default() };
    let remove = |name: &str, occurrence| Edit::RemoveHeader { name: name.into(), occurrence };
    assert_eq!(
        case.decide(&settings).verdict.edits,
        [
            remove("x-original-ip", 2),
            remove("x-original-ip", 1),
            remove("Reply-To", 2),
            Edit::ChangeHeader { name: "Reply-To".into(), occurrence: 1, value: "list@example.com".into() },
            Edit::AddHeader { name: "X-New".into(), value: "0.00".into() },
        ]
    );
}

fn macros() -> Strip {
    Strip {
        attachment: AttachmentCondition { macros: Some(true), ..AttachmentCondition::default() },
        note: None,
        otherwise: Otherwise::Reject,
    }
}

fn with_macro() -> Case {
    let file = |part, name: &str, macros| AttachmentFacts { part, name: name.into(), macros, ..Default::default() };
    let attachments = vec![file(1, "a.pdf", false), file(2, "b.docm", true)];
    Case { message: MessageFacts { attachments, ..MessageFacts::default() }, ..Case::default() }
}

fn strip(name: &str, then: Then, otherwise: Otherwise) -> Policy {
    Policy { strip: Some(Strip { otherwise, ..macros() }), ..policy(name, then) }
}

#[test]
fn files_are_taken_off_by_place_and_only_messages_with_such_files_are_meant() {
    let settings = site(vec![strip("no macros", Then::Tag(Marks::none()), Otherwise::Reject)]);
    let decision = with_macro().decide(&settings);
    assert_eq!(decision.changes.notices.keys().collect::<Vec<_>>(), [&2]);
    assert!(decision.changes.notices[&2].contains("b.docm"));
    let stripped = Disposition::Tag(crate::verdict::Tag { stripped: 1, ..Default::default() });
    assert_eq!(decision.verdict.recipients[0].disposition, stripped);
    let spam = Case { findings: vec![("spam.x", 2000)], ..Case::default() };
    assert_eq!(spam.first(&settings), "reject by threshold reject", "without such a file the policy is not asked");
}

#[test]
fn where_files_cannot_be_taken_off_the_policy_says_what_happens() {
    let decide = |otherwise, then: Then| {
        let settings = site(vec![strip("no macros", then, otherwise)]);
        let recipients = [recipient("<bob@example.com>")];
        let (case, card) = (with_macro(), card(&[]));
        let facts = Facts {
            direction: case.direction,
            sender: &ReversePath::Null,
            connection: &case.connection,
            country: None,
            time: 0,
            recipients: &recipients,
            card: &card,
            message: &case.message,
            authentication: &case.authentication,
            early: None,
            early_of_outbound: false,
            host: case.host,
        };
        let decision = decide_unstripped(&settings, Thresholds::default(), &facts, "it is signed");
        assert_eq!(decision.not_applied, ["strip: it is signed"]);
        assert!(decision.changes.is_empty());
        decision.verdict.recipients[0].disposition.word()
    };
    let tag = || Then::Tag(Marks::none());
    assert_eq!(decide(Otherwise::Reject, tag()), "reject");
    assert_eq!(decide(Otherwise::Hold, tag()), "hold");
    assert_eq!(decide(Otherwise::Deliver, tag()), "deliver");
    assert_eq!(decide(Otherwise::Reject, Then::TagAndContinue(Marks::none())), "reject");
    assert_eq!(decide(Otherwise::Deliver, Then::TagAndContinue(Marks::none())), "deliver");
}

#[test]
fn a_host_that_cannot_strip_and_recipients_who_do_not_all_want_it_are_otherwise() {
    let settings =
        |otherwise| site(vec![to(strip("no macros", Then::Tag(Marks::none()), otherwise), "bob@example.com")]);
    let mut case = with_macro();
    case.host.replace_body = false;
    let decision = case.decide(&settings(Otherwise::Hold));
    assert_eq!(decision.verdict.recipients[0].disposition, Disposition::Hold);
    assert_eq!(decision.not_applied, ["strip: the host cannot replace a body"]);
    let both = Case { recipients: vec!["<bob@example.com>", "<eve@example.com>"], ..with_macro() };
    let words = |otherwise| {
        let decision = both.decide(&settings(otherwise));
        assert_eq!(decision.not_applied, ["strip: not all recipients want it"]);
        assert!(decision.changes.is_empty());
        decision.verdict.recipients.iter().map(|r| r.disposition.word()).collect::<Vec<_>>()
    };
    assert_eq!(words(Otherwise::Reject), ["reject", "reject"], "another recipient does not bring the file in");
    assert_eq!(words(Otherwise::Hold), ["hold", "hold"]);
    assert_eq!(words(Otherwise::Deliver), ["deliver", "deliver"]);
}

#[test]
fn a_refusal_of_files_that_stay_holds_for_all_unless_each_hears_his_own() {
    let stripping = to(strip("no macros", Then::Tag(Marks::none()), Otherwise::Reject), "bob@example.com");
    let words = |case: &Case, more: Then| {
        let settings = site(vec![stripping.clone(), to(policy("eve", more), "eve@example.com")]);
        let decision = case.decide(&settings);
        let words: Vec<_> = decision.verdict.recipients.iter().map(|r| r.disposition.word()).collect();
        (words.join(" "), matches!(decision.verdict.action, Action::Reply(_)))
    };
    let mut case = Case { recipients: vec!["<bob@example.com>", "<eve@example.com>"], ..with_macro() };
    for more in [Then::Deliver, Then::Hold, Then::Redirect(vec![address("security@example.com")])] {
        assert_eq!(words(&case, more.clone()), ("reject reject".to_owned(), true), "{more:?}");
    }
    // Of a refusal for other reasons nothing changes.
    let continues = strip("no macros", Then::TagAndContinue(Marks::none()), Otherwise::Deliver);
    let refuse = to(policy("no", Then::Reject(Reply::fixed(550, (5, 7, 1), "no"))), "bob@example.com");
    let decision = case.decide(&site(vec![to(continues, "bob@example.com"), refuse]));
    assert_eq!(decision.verdict.recipients[0].disposition.word(), "tag");
    case.host.reply_by_recipient = true;
    assert_eq!(words(&case, Then::Deliver), ("reject deliver".to_owned(), false), "bob gets no copy");
}

#[test]
fn a_file_for_each_of_a_thousand_parts_and_recipients_is_noted_once() {
    let note = Some("x".repeat(2_000));
    let all = |continues: bool| {
        let then = if continues { Then::TagAndContinue(Marks::none()) } else { Then::Tag(Marks::none()) };
        let strip =
            Strip { attachment: AttachmentCondition::default(), note: note.clone(), otherwise: Otherwise::Reject };
        Policy { strip: Some(strip), ..policy("all", then) }
    };
    let attachments = (0..1_000).map(|part| AttachmentFacts { part, ..AttachmentFacts::default() }).collect();
    let message = MessageFacts { attachments, ..MessageFacts::default() };
    let decision = Case { recipients: vec!["<bob@example.com>"; 1_000], message, ..Case::default() }
        .decide(&site(vec![all(true), all(true), all(false)]));
    assert_eq!((decision.changes.notices.len(), decision.verdict.recipients.len()), (1_000, 1_000));
    assert!(decision.changes.notices.values().all(|notice| notice.len() > 2_000));
}

#[test]
fn a_host_that_cannot_add_recipients_is_told_what_is_missing() {
    let mut case = Case::default();
    case.host.add_recipient = false;
    let decision = case.decide(&site(vec![policy("archive", Then::Tag(copy_to(&["archive@example.com"])))]));
    assert_eq!(decision.verdict.edits, []);
    assert_eq!(decision.not_applied, ["copy to <archive@example.com>: the host cannot add a recipient"]);
    let decision = case.decide(&site(vec![policy("look", Then::Redirect(vec![address("s@example.com")]))]));
    assert_eq!(decision.verdict.recipients[0].disposition, Disposition::Deliver);
    assert!(decision.not_applied[0].starts_with("redirect for <bob@example.com>: the host cannot"));
}
