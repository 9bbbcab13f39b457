//! Allow and block lists of recipients.

use super::*;

fn set(patterns: &[&str]) -> Option<AddressSet> {
    Some(patterns.iter().map(|pattern| AddressPattern::parse(pattern).expect("a pattern")).collect())
}

fn settings_of(of: &str, allow: &[&str], block: &[&str]) -> ScopedSettings {
    ScopedSettings {
        name: of.to_owned(),
        line: Some(3),
        of: set(&[of]).unwrap_or_default(),
        allow: if allow.is_empty() { None } else { set(allow) },
        block: if block.is_empty() { None } else { set(block) },
        ..ScopedSettings::default()
    }
}

fn of_people(scoped: Vec<ScopedSettings>) -> Settings {
    Settings { scoped, ..Settings::default() }
}

fn from(spf: &str, dmarc: &str, author: &str) -> Case {
    Case {
        findings: vec![("spam.x", 2_000)],
        message: MessageFacts { from: vec![author.to_owned()], ..MessageFacts::default() },
        authentication: AuthenticationResults { spf: spf.into(), dmarc: dmarc.into(), ..Default::default() },
        ..Case::default()
    }
}

const ALLOWED: &str = "deliver by allowed by settings of bob@example.com (line 3)";
const BLOCKED: &str = "reject by blocked by settings of bob@example.com (line 3)";
const REFUSED: &str = "reject by threshold reject";

#[test]
fn an_allowed_sender_is_delivered_only_if_he_is_proved() {
    let site = of_people(vec![settings_of("bob@example.com", &["*@sender.test"], &[])]);
    for (spf, dmarc, author, expected) in [
        ("pass", "none", "x@other.test", ALLOWED),
        ("fail", "pass", "news@sender.test", ALLOWED),
        ("fail", "none", "alice@sender.test", REFUSED),
        ("softfail", "pass", "x@other.test", REFUSED),
        ("none", "fail", "alice@sender.test", REFUSED),
    ] {
        assert_eq!(from(spf, dmarc, author).first(&site), expected, "spf {spf}, dmarc {dmarc}, {author}");
    }
    let mut two = from("none", "pass", "alice@sender.test");
    two.message.from.push("x@other.test".into());
    assert_eq!(two.first(&site), REFUSED, "of two authors DMARC proves neither");
    let null = Case { sender: "<>", ..from("pass", "none", "x@other.test") };
    assert_eq!(null.first(&of_people(vec![settings_of("bob@example.com", &["<>"], &[])])), REFUSED);
}

#[test]
fn malware_trouble_and_policies_come_before_an_allow_list_and_checks_after() {
    let mut site = of_people(vec![settings_of("bob@example.com", &["*@sender.test"], &[])]);
    let allowed = || from("pass", "none", "x@other.test");
    assert_eq!(Case { early: dmarc(), ..allowed() }.first(&site), ALLOWED);
    assert_eq!(Case { early: trouble(), ..allowed() }.first(&site), "defer by a lookup is in trouble");
    let infected = Case { findings: vec![("malware.yara.x", 0)], ..allowed() };
    assert_eq!(infected.first(&site), "reject by malware.yara.x");
    site.policies.push(policy("nobody", Then::Discard));
    assert_eq!(allowed().first(&site), "discard by policy \"nobody\"");
}

#[test]
fn a_blocked_sender_is_refused_or_dropped_for_that_recipient() {
    let mut site = of_people(vec![settings_of("bob@example.com", &[], &["*@sender.test"])]);
    let clean = |author: &str| Case { findings: Vec::new(), ..from("pass", "pass", author) };
    assert_eq!(clean("x@other.test").first(&site), BLOCKED, "by the envelope");
    let elsewhere = Case { sender: "<bounce@list.test>", ..clean("eve@sender.test") };
    assert_eq!(elsewhere.first(&site), BLOCKED, "by From");
    let other = Case { sender: "<x@other.test>", ..clean("x@other.test") };
    assert_eq!(other.first(&site), "deliver by nothing against it");
    let eve = Case { recipients: vec!["<eve@example.com>"], ..clean("x@other.test") };
    assert_eq!(eve.first(&site), "deliver by nothing against it");
    assert_eq!(
        clean("x@other.test").decide(&site).notes[0].would_change,
        ["without that list: deliver (nothing against it)"]
    );
    site.scoped[0].blocked = Some(Blocked::Discard);
    assert_eq!(clean("x@other.test").first(&site), "discard by blocked by settings of bob@example.com (line 3)");
    let outbound = Case { direction: Direction::Outbound, ..clean("x@other.test") };
    assert_eq!(outbound.first(&site), "deliver by nothing against it");
}

#[test]
fn of_two_lists_the_nearer_counts_then_the_closer_then_the_block() {
    let case = || from("pass", "none", "x@other.test");
    let domain = |allow: &[&str], block: &[&str]| settings_of("*@example.com", allow, block);
    let own = |allow: &[&str], block: &[&str]| settings_of("bob@example.com", allow, block);
    let decided = |scoped: Vec<ScopedSettings>| {
        let told = case().first(&of_people(scoped));
        told.split(" by ").nth(1).expect("a cause").to_owned()
    };
    let sender = &["*@sender.test"][..];
    let alice = &["alice@sender.test"][..];
    assert_eq!(decided(vec![domain(alice, &[]), own(&[], sender)]), "blocked");
    assert_eq!(decided(vec![domain(&[], alice), own(sender, &[])]), "allowed");
    assert_eq!(decided(vec![own(alice, sender)]), "allowed");
    assert_eq!(decided(vec![own(sender, alice)]), "blocked");
    assert_eq!(decided(vec![own(sender, sender)]), "blocked");
    assert_eq!(
        decided(vec![domain(alice, &[]), own(&["x@y.test"], &[])]),
        "threshold reject",
        "the nearest list alone"
    );
}

#[test]
fn recipients_with_lists_of_their_own_are_of_another_class() {
    let mut site = of_people(vec![settings_of("bob@example.com", &[], &["*@sender.test"])]);
    site.differing_edits = DifferingEdits::DeferRecipient;
    let class = |address: &str| {
        let connection = Connection::default();
        let recipient = recipient(address);
        site.policy_class(Thresholds::default(), Direction::Inbound, &ReversePath::Null, &connection, None, &recipient)
    };
    assert_ne!(class("<bob@example.com>"), class("<eve@example.com>"));
    assert_eq!(class("<ann@example.com>"), class("<eve@example.com>"));
}
