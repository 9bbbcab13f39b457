//! Decisions about whole messages.

mod classes;
mod conditions;
mod edits;
mod envelope;
mod files;
mod kept;
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
    complete: bool,
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
            complete: true,
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
            complete: self.complete,
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
        notify: Default::default(),
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

fn address(text: &str) -> Address {
    Address::parse(text.as_bytes()).expect("an address")
}

fn copy_to(addresses: &[&str]) -> Marks {
    Marks { copies: addresses.iter().map(|text| address(text)).collect(), ..Marks::none() }
}

fn to_all(recipients: &[&'static str]) -> Case {
    Case { recipients: recipients.to_vec(), ..Case::default() }
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
