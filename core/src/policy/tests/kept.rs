//! Messages that are kept, and who is told.

use super::*;

fn keeping() -> Settings {
    let mut keep = to(policy("keep", Then::Quarantine(7)), "bob@example.com");
    keep.notify.administrator = true;
    site(vec![keep, to(policy("refuse", Then::Reject(dmarc().expect("a reply"))), "eve@example.com")])
}

fn words(decision: &Decision) -> Vec<&str> {
    decision.verdict.recipients.iter().map(|recipient| recipient.disposition.word()).collect()
}

#[test]
fn what_is_cut_off_is_held_or_refused_and_not_kept() {
    let settings = keeping();
    assert_eq!(Case::default().first(&settings), "quarantine by policy \"keep\"");
    let cut_off = Case { complete: false, ..Case::default() };
    assert_eq!(cut_off.first(&settings), "hold by policy \"keep\"");
    let no_hold = Case { complete: false, host: Host { hold: false, ..Host::default() }, ..Case::default() };
    assert_eq!(no_hold.first(&settings), "reject by policy \"keep\"");

    let mixed = Settings { mixed_refusal: MixedRefusal::Quarantine, ..keeping() };
    let both = to_all(&["<eve@example.com>", "<carol@example.com>"]);
    assert_eq!(words(&both.decide(&mixed)), ["quarantine", "deliver"]);
    let no_hold = Host { hold: false, ..Host::default() };
    let nobody = Case { complete: false, host: no_hold, ..to_all(&["<eve@example.com>", "<carol@example.com>"]) };
    assert_eq!(words(&nobody.decide(&mixed)), ["reject", "reject"], "nobody gets it");
    let kept = Case { complete: false, host: no_hold, ..to_all(&["<bob@example.com>", "<carol@example.com>"]) };
    assert_eq!(words(&kept.decide(&keeping())), ["reject", "reject"], "nobody gets it past the policy");
    assert_eq!(words(&Case { complete: false, ..both }.decide(&mixed)), ["hold", "hold"]);
}

#[test]
fn somebody_is_told_of_what_acts_and_is_settled() {
    let told = |case: &Case, settings: &Settings| {
        let told = case.decide(settings).told.into_iter();
        told.map(|told| format!("{} {} {}", told.policy, told.recipient, told.disposition)).collect::<Vec<_>>()
    };
    let both = to_all(&["<bob@example.com>", "<carol@example.com>"]);
    assert_eq!(told(&both, &keeping()), ["0 bob@example.com quarantine"]);
    let waits = Case { early: trouble(), ..Case::default() };
    assert_eq!(told(&waits, &keeping()), [""; 0], "it comes again");
    let trial = Settings { trial: Some(Trial::default()), ..keeping() };
    assert_eq!(told(&both, &trial), [""; 0], "nothing acts");
    let decision = both.decide(&keeping());
    let edits: Vec<String> =
        decision.verdict.edits.iter().filter_map(|edit| edit.recipient().map(str::to_owned)).collect();
    assert_eq!(edits, ["<bob@example.com>"]);
}
