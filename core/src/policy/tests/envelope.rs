//! Recipients that are taken off and added: redirects and copies.

use super::*;

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

#[test]
fn what_is_redirected_to_who_keeps_his_copy_is_kept_too() {
    let redirect = |to_whom: &[&str]| {
        let to_whom = to_whom.iter().map(|one| address(one)).collect();
        to(policy("look", Then::Redirect(to_whom)), "bob@example.com")
    };
    let keep = to(policy("keep", Then::Quarantine(7)), "eve@example.com");
    let words = |policies: Vec<Policy>| {
        let verdict = to_all(&["<bob@example.com>", "<eve@example.com>"]).decide(&site(policies)).verdict;
        let words: Vec<&str> = verdict.recipients.iter().map(|r| r.disposition.word()).collect();
        (words.join(" "), verdict.edits.iter().filter(|edit| matches!(edit, Edit::AddRecipient { .. })).count())
    };
    assert_eq!(words(vec![redirect(&["Eve@example.com"]), keep.clone()]), ("quarantine quarantine".to_owned(), 0));
    let both = redirect(&["eve@example.com", "dan@example.com"]);
    assert_eq!(words(vec![both, keep]), ("redirect quarantine".to_owned(), 1));
}
