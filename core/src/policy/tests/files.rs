//! Files that are taken off, and what happens where they must stay.

use super::*;

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
            complete: true,
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
