//! Marks and other edits of the header, and holds.

use super::*;

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
