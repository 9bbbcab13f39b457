//! Recipients that want different things, and one SMTP reply with one set of edits for all of them.

use super::{
    MixedRefusal, QUARANTINE_DAYS,
    strip::TakenOff,
    wish::{Cause, Wish},
};
use crate::{
    session::Address,
    verdict::{Action, Disposition, Host, Points, Reply, Tag},
};

/// What happens to the message and, in the order of the wishes, to each recipient.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reconciled {
    pub(super) action: Action,
    pub(super) dispositions: Vec<Disposition>,
    /// The replies of those who hear their own.
    pub(super) replies: Vec<Option<Reply>>,
    /// What the host cannot do for each.
    pub(super) cannot: Vec<Option<&'static str>>,
    /// What the message gets, filled in: headers that anyone wants; all else only if everybody wants the same.
    pub(super) tag: Tag,
    /// Files that are taken off, by the same rule.
    pub(super) taken_off: TakenOff,
    /// Whether some want files taken off that others want to get.
    pub(super) files_differ: bool,
    /// Who gets a blind copy.
    pub(super) copies: Vec<Address>,
    /// Index of the wish for which the message is held.
    pub(super) held_for: Option<usize>,
}

/// Reconciles the recipients' wishes; the result does not depend on their order. `total` fills marks in.
///
/// 1. Malware that is refused for one recipient is refused for all: it is judged once. So are files that cannot be taken off,
///    as else another recipient would bring them in, and what is too large for a policy that keeps it.
/// 2. Any deferral defers the message.
/// 3. Recipients who discard get no copy, nor do those whose copy is kept in the quarantine, nor those who redirect: others do
///    in their place. If no copy remains, the message is dropped.
/// 4. A refusal of all who remain refuses the message (and so also for those who would have discarded it).
/// 5. A refusal of some becomes what `mixed` says, for them. If nobody would get a copy but for that, theirs is kept in the
///    quarantine with the others'.
/// 6. The MTA's quarantine keeps a message for all its recipients: if one who remains holds, all wait.
/// 7. Header marks are added if any copy that remains is to have them. Everything else is done to the message only if all of
///    these want the same: subject, banner, disclaimer, headers that are set or removed, files that are taken off.
///
/// A host that answers for each recipient refuses and defers for those alone who want it: of the rules 2, 4 and 5 only
/// that is left, and of rule 1 malware. Where a host cannot hold a message, take a recipient off it or add one, the recipient gets it, marked as far
/// as his policies mark it.
pub(super) fn reconcile(wishes: &[Wish], mixed: MixedRefusal, total: Points, host: Host) -> Reconciled {
    let refused_as_malware = |w: &&Wish| w.cause == Cause::Malware && w.disposition == Disposition::Reject;
    if wishes.iter().any(|w| refused_as_malware(&w)) {
        let reply = first_reply(wishes.iter().filter(refused_as_malware));
        return all(wishes, Disposition::Reject, reply);
    }
    if host.reply_by_recipient {
        return by_recipient(wishes, total, host);
    }
    let refused_for_all = |w: &&Wish| w.refused_for_all && w.disposition == Disposition::Reject;
    if wishes.iter().any(|w| refused_for_all(&w)) {
        return all(wishes, Disposition::Reject, first_reply(wishes.iter().filter(refused_for_all)));
    }
    let deferring = || wishes.iter().filter(|w| w.disposition == Disposition::Defer);
    if deferring().next().is_some() {
        return all(wishes, Disposition::Defer, first_reply(deferring()));
    }
    let remaining = || wishes.iter().filter(|w| w.disposition != Disposition::Discard);
    if remaining().next().is_none() && !wishes.is_empty() {
        return Reconciled { action: Action::Discard, ..taken(vec![Disposition::Discard; wishes.len()]) };
    }
    if !wishes.is_empty() && remaining().all(|w| w.disposition == Disposition::Reject) {
        return all(wishes, Disposition::Reject, first_reply(remaining()));
    }
    let nobody_gets_it =
        |w: &Wish| is_kept(&w.disposition) || matches!(w.disposition, Disposition::Discard | Disposition::Reject);
    let holds = mixed == MixedRefusal::Hold && host.hold;
    let is_refused = |w: &Wish| w.disposition == Disposition::Reject;
    if !wishes.is_empty() && wishes.iter().all(nobody_gets_it) && !(holds && wishes.iter().any(is_refused)) {
        let kept = |w: &Wish| if is_refused(w) { KEPT } else { w.disposition.clone() };
        return Reconciled { action: Action::Discard, ..taken(wishes.iter().map(kept).collect()) };
    }
    accept(wishes, |wish| take_refused(wish, mixed, total, host), total, host)
}

/// What becomes of a refusal that cannot be sent, where the quarantine takes it.
const KEPT: Disposition = Disposition::Quarantine { days: QUARANTINE_DAYS };

/// Everybody gets the same, with this reply to the client.
fn all(wishes: &[Wish], disposition: Disposition, reply: Option<Reply>) -> Reconciled {
    let reply = reply.unwrap_or_else(|| Reply::fixed(451, (4, 3, 0), "Temporary failure, please try again later"));
    Reconciled { action: Action::Reply(reply), ..taken(vec![disposition; wishes.len()]) }
}

fn taken(dispositions: Vec<Disposition>) -> Reconciled {
    let replies = vec![None; dispositions.len()];
    let cannot = vec![None; dispositions.len()];
    Reconciled {
        action: Action::Accept,
        dispositions,
        replies,
        cannot,
        tag: Tag::default(),
        taken_off: TakenOff::default(),
        files_differ: false,
        copies: Vec::new(),
        held_for: None,
    }
}

/// Each recipient hears what is meant for him. Of those who are not refused, who discards gets no copy.
fn by_recipient(wishes: &[Wish], total: Points, host: Host) -> Reconciled {
    let is_refused = |w: &&Wish| is_refusal(&w.disposition);
    let mut outcome = if wishes.iter().all(|w| is_refused(&w)) {
        let first = |wanted: Disposition| first_reply(wishes.iter().filter(|w| w.disposition == wanted));
        let reply = first(Disposition::Defer).or_else(|| first(Disposition::Reject));
        let dispositions = wishes.iter().map(|w| w.disposition.clone()).collect();
        Reconciled { dispositions, ..all(wishes, Disposition::Reject, reply) }
    } else if wishes.iter().all(|w| is_refused(&w) || is_taken_off_for_good(&w.disposition)) {
        let dispositions = wishes.iter().map(|w| w.disposition.clone()).collect();
        Reconciled { action: Action::Discard, ..taken(dispositions) }
    } else {
        accept(wishes, |wish| within(wish, total, host), total, host)
    };
    for (reply, wish) in outcome.replies.iter_mut().zip(wishes).filter(|(_, wish)| is_refused(wish)) {
        *reply = wish.reply.clone();
    }
    outcome
}

fn is_refusal(disposition: &Disposition) -> bool {
    matches!(disposition, Disposition::Reject | Disposition::Defer)
}

fn is_kept(disposition: &Disposition) -> bool {
    matches!(disposition, Disposition::Quarantine { .. })
}

fn is_taken_off_for_good(disposition: &Disposition) -> bool {
    *disposition == Disposition::Discard || is_kept(disposition)
}

/// The reply of the strongest cause; of equal causes the replies are equal too, except for a policy's own.
fn first_reply<'w>(wishes: impl Iterator<Item = &'w Wish>) -> Option<Reply> {
    wishes.min_by_key(|w| w.cause).and_then(|w| w.reply.clone())
}

/// What happens, and what the host cannot do.
type Done = (Disposition, Option<&'static str>);

const CANNOT_HOLD: &str = "the host cannot hold a message";
const CANNOT_REMOVE: &str = "the host cannot take off a recipient";
const CANNOT_REDIRECT: &str = "the host cannot take off a recipient and add another";

/// A refusal that cannot be sent, because others take the message.
fn take_refused(wish: &Wish, mixed: MixedRefusal, total: Points, host: Host) -> Done {
    match (&wish.disposition, mixed) {
        (Disposition::Reject, MixedRefusal::Hold) if host.hold => (Disposition::Hold, None),
        (Disposition::Reject, MixedRefusal::Hold) => (wish.delivered(total), Some(CANNOT_HOLD)),
        (Disposition::Reject, MixedRefusal::Tag) => (Disposition::Tag(wish.tag(total)), None),
        (Disposition::Reject, MixedRefusal::Quarantine) => (KEPT, None),
        _ => within(wish, total, host),
    }
}

/// The wish, as far as the host can hold.
fn within(wish: &Wish, total: Points, host: Host) -> Done {
    match &wish.disposition {
        Disposition::Hold if !host.hold => (wish.delivered(total), Some(CANNOT_HOLD)),
        other => (other.clone(), None),
    }
}

/// The message is taken. If one who remains is held, all are; the marks they would have got stay with it.
fn accept(wishes: &[Wish], done: impl Fn(&Wish) -> Done, total: Points, host: Host) -> Reconciled {
    let (mut dispositions, mut cannot): (Vec<_>, Vec<_>) = wishes.iter().map(done).unzip();
    for ((disposition, cannot), wish) in dispositions.iter_mut().zip(&mut cannot).zip(wishes) {
        let missing = match disposition {
            Disposition::Discard | Disposition::Quarantine { .. } if !host.remove_recipient => CANNOT_REMOVE,
            Disposition::Redirect { .. } if !(host.remove_recipient && host.add_recipient) => CANNOT_REDIRECT,
            _ => continue,
        };
        (*disposition, *cannot) = (wish.delivered(total), Some(missing));
    }
    let held = wishes.iter().zip(&dispositions).enumerate().filter(|(_, (_, d))| **d == Disposition::Hold);
    let held_for = held.min_by_key(|(_, (wish, _))| wish.cause).map(|(index, _)| index);
    // Each copy that remains, with what it would carry if it were alone.
    let copies: Vec<(&Wish, Tag)> = wishes
        .iter()
        .zip(&dispositions)
        .filter_map(|(wish, disposition)| match disposition {
            Disposition::Tag(tag) => Some((wish, tag.clone())),
            Disposition::Redirect { .. } => Some((wish, wish.tag(total))),
            Disposition::Deliver | Disposition::Hold => Some((wish, Tag::default())),
            Disposition::Quarantine { .. } | Disposition::Discard | Disposition::Reject | Disposition::Defer => None,
        })
        .collect();
    let mut tag = in_common(copies.iter().map(|(_, tag)| tag));
    // Notes may differ in their words; those of the strongest cause are taken.
    let strongest = copies.iter().map(|(wish, _)| *wish).min_by_key(|wish| (wish.cause, &wish.taken_off.policies));
    let taken_off = strongest.map(|wish| wish.taken_off.clone()).unwrap_or_default();
    let files_differ = copies.iter().any(|(wish, _)| !wish.taken_off.is_same_as(&taken_off));
    let taken_off = if files_differ { TakenOff::default() } else { taken_off };
    tag.stripped = taken_off.files.len();
    let mut blind: Vec<Address> = copies.iter().flat_map(|(wish, _)| &wish.marks_if_taken.copies).cloned().collect();
    blind.sort_by_key(|address| (address.key(), address.raw.clone()));
    blind.dedup_by_key(|address| address.key());
    for disposition in &mut dispositions {
        match disposition {
            off if off.takes_off() || is_refusal(off) => {}
            other if held_for.is_some() => *other = Disposition::Hold,
            Disposition::Tag(own) => *own = Tag { headers: std::mem::take(&mut own.headers), ..tag.clone() },
            _ => {}
        }
    }
    Reconciled { cannot, tag, taken_off, files_differ, copies: blind, held_for, ..taken(dispositions) }
}

/// What one message can carry of what its copies would: headers that any has, and of the rest what all have.
fn in_common<'t>(mut tags: impl Iterator<Item = &'t Tag>) -> Tag {
    let Some(mut common) = tags.next().cloned() else { return Tag::default() };
    for tag in tags {
        common.headers.extend(tag.headers.iter().cloned());
        common.set.retain(|set| tag.set.contains(set));
        common.removed.retain(|name| tag.removed.contains(name));
        common.subject = common.subject.filter(|subject| tag.subject.as_ref() == Some(subject));
        common.banner = common.banner.filter(|banner| tag.banner.as_ref() == Some(banner));
        common.disclaimer = common.disclaimer.filter(|disclaimer| tag.disclaimer.as_ref() == Some(disclaimer));
    }
    common.headers.sort();
    common.headers.dedup();
    common
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Marks;
    use std::{collections::BTreeMap, sync::Arc};

    const WORDS: [&str; 8] = ["deliver", "tag", "redirect", "hold", "quarantine", "discard", "reject", "defer"];

    fn wish(word: &str, policy: usize) -> Wish {
        let mark = || vec![("X-Mark".to_owned(), "yes".to_owned())];
        let tag = Tag { headers: mark(), subject: Some("[x]".into()), ..Tag::default() };
        let (disposition, reply) = match word {
            "deliver" => (Disposition::Deliver, None),
            "tag" => (Disposition::Tag(tag), None),
            "redirect" => (Disposition::Redirect { to: vec!["else@x.test".into()] }, None),
            "hold" => (Disposition::Hold, None),
            "quarantine" => (Disposition::Quarantine { days: 7 }, None),
            "discard" => (Disposition::Discard, None),
            "reject" => (Disposition::Reject, Some(Reply::fixed(550, (5, 7, 1), &format!("no {policy}")))),
            "defer" => (Disposition::Defer, Some(Reply::fixed(451, (4, 7, 1), &format!("later {policy}")))),
            other => panic!("{other}"),
        };
        let marks_if_taken = match word {
            "reject" | "defer" => Marks { headers: vec![("X-Refused".into(), "yes".into())], ..Marks::none() },
            "tag" | "redirect" => Marks { headers: mark(), subject: Some("[x]".into()), ..Marks::none() },
            _ => Marks::none(),
        };
        Wish { cause: Cause::Policy(policy), disposition, reply, marks_if_taken, ..Wish::none() }
    }

    /// The outcome in words: action, dispositions, header marks, subject mark.
    fn outcome(wishes: &[Wish], mixed: MixedRefusal) -> String {
        let out = reconcile(wishes, mixed, Points::ZERO, Host::default());
        let action = match &out.action {
            Action::Accept => "accept".to_owned(),
            Action::Discard => "discard".to_owned(),
            Action::Reply(reply) => reply.to_string(),
        };
        let words: Vec<&str> = out.dispositions.iter().map(Disposition::word).collect();
        let headers: Vec<&str> = out.tag.headers.iter().map(|(name, _)| name.as_str()).collect();
        format!("{action}: {} / {} / {}", words.join(" "), headers.join(" "), out.tag.subject.unwrap_or_default())
    }

    /// What becomes of a pair: the first wishes with policy 0, the second with policy 1.
    #[rustfmt::skip]
    const PAIRS: [(&str, &str, &str); 36] = [
        ("deliver",  "deliver",  "accept: deliver deliver /  / "),
        ("deliver",  "tag",      "accept: deliver tag / X-Mark / "),
        ("deliver",  "redirect", "accept: deliver redirect / X-Mark / "),
        ("deliver",  "hold",     "accept: hold hold /  / "),
        ("deliver",  "discard",  "accept: deliver discard /  / "),
        ("deliver",  "reject",   "accept: deliver tag / X-Refused / "),
        ("deliver",  "defer",    "451 4.7.1 later 1: defer defer /  / "),
        ("tag",      "tag",      "accept: tag tag / X-Mark / [x]"),
        ("tag",      "redirect", "accept: tag redirect / X-Mark / [x]"),
        ("tag",      "hold",     "accept: hold hold / X-Mark / "),
        ("tag",      "discard",  "accept: tag discard / X-Mark / [x]"),
        ("tag",      "reject",   "accept: tag tag / X-Mark X-Refused / "),
        ("tag",      "defer",    "451 4.7.1 later 1: defer defer /  / "),
        ("redirect", "redirect", "accept: redirect redirect / X-Mark / [x]"),
        ("redirect", "hold",     "accept: redirect hold / X-Mark / "),
        ("redirect", "discard",  "accept: redirect discard / X-Mark / [x]"),
        ("redirect", "reject",   "accept: redirect tag / X-Mark X-Refused / "),
        ("redirect", "defer",    "451 4.7.1 later 1: defer defer /  / "),
        ("hold",     "hold",     "accept: hold hold /  / "),
        ("hold",     "discard",  "accept: hold discard /  / "),
        ("hold",     "reject",   "accept: hold hold / X-Refused / "),
        ("hold",     "defer",    "451 4.7.1 later 1: defer defer /  / "),
        ("deliver",  "quarantine", "accept: deliver quarantine /  / "),
        ("tag",      "quarantine", "accept: tag quarantine / X-Mark / [x]"),
        ("redirect", "quarantine", "accept: redirect quarantine / X-Mark / [x]"),
        ("hold",     "quarantine", "accept: hold quarantine /  / "),
        ("quarantine", "quarantine", "discard: quarantine quarantine /  / "),
        ("quarantine", "discard", "discard: quarantine discard /  / "),
        ("quarantine", "reject", "discard: quarantine quarantine /  / "),
        ("quarantine", "defer",  "451 4.7.1 later 1: defer defer /  / "),
        ("discard",  "discard",  "discard: discard discard /  / "),
        ("discard",  "reject",   "550 5.7.1 no 1: reject reject /  / "),
        ("discard",  "defer",    "451 4.7.1 later 1: defer defer /  / "),
        ("reject",   "reject",   "550 5.7.1 no 0: reject reject /  / "),
        ("reject",   "defer",    "451 4.7.1 later 1: defer defer /  / "),
        ("defer",    "defer",    "451 4.7.1 later 0: defer defer /  / "),
    ];

    #[test]
    fn every_pair_of_dispositions_is_reconciled_the_same_in_both_orders() {
        let mut seen = std::collections::BTreeSet::new();
        for (a, b, expected) in PAIRS {
            seen.extend([(a, b), (b, a)]);
            assert_eq!(outcome(&[wish(a, 0), wish(b, 1)], MixedRefusal::Tag), expected, "{a} then {b}");
            let (action, rest) = expected.split_once(": ").expect("an action");
            let (words, marks) = rest.split_once(" / ").expect("dispositions");
            let (first, second) = words.split_once(' ').expect("two");
            let turned = format!("{action}: {second} {first} / {marks}");
            assert_eq!(outcome(&[wish(b, 1), wish(a, 0)], MixedRefusal::Tag), turned, "{b} then {a}");
        }
        assert_eq!(seen.len(), WORDS.len() * WORDS.len(), "all ordered pairs");
    }

    #[test]
    fn a_mixed_refusal_can_be_held_instead_of_marked() {
        let both = [wish("deliver", 0), wish("reject", 1)];
        assert_eq!(outcome(&both, MixedRefusal::Hold), "accept: hold hold /  / ");
        let alone = [wish("reject", 0), wish("reject", 1)];
        assert_eq!(outcome(&alone, MixedRefusal::Hold), "550 5.7.1 no 0: reject reject /  / ", "it is not mixed");
        let beside = [wish("quarantine", 0), wish("reject", 1)];
        assert_eq!(outcome(&beside, MixedRefusal::Hold), "accept: quarantine hold /  / ");
    }

    #[test]
    fn a_mixed_refusal_can_be_kept_instead_of_marked() {
        let both = [wish("deliver", 0), wish("reject", 1)];
        assert_eq!(outcome(&both, MixedRefusal::Quarantine), "accept: deliver quarantine /  / ");
        let dropped = [wish("discard", 0), wish("reject", 1)];
        assert_eq!(outcome(&dropped, MixedRefusal::Quarantine), "550 5.7.1 no 1: reject reject /  / ");
        let three = [wish("deliver", 0), wish("reject", 1), wish("quarantine", 2)];
        assert_eq!(outcome(&three, MixedRefusal::Tag), "accept: deliver tag quarantine / X-Refused / ");
    }

    #[test]
    fn a_host_that_answers_for_each_recipient_gives_each_his_own() {
        let host = Host { reply_by_recipient: true, ..Host::default() };
        let each = |words: &[&str]| {
            let wishes: Vec<Wish> = words.iter().enumerate().map(|(i, word)| wish(word, i)).collect();
            let out = reconcile(&wishes, MixedRefusal::Tag, Points::ZERO, host);
            let action = match &out.action {
                Action::Accept => "accept".to_owned(),
                Action::Discard => "discard".to_owned(),
                Action::Reply(reply) => reply.to_string(),
            };
            let of = |(d, r): (&Disposition, &Option<Reply>)| match r {
                Some(reply) => reply.to_string(),
                None => d.word().to_owned(),
            };
            let all: Vec<String> = out.dispositions.iter().zip(&out.replies).map(of).collect();
            format!("{action}: {}", all.join(", "))
        };
        assert_eq!(each(&["deliver", "reject", "defer"]), "accept: deliver, 550 5.7.1 no 1, 451 4.7.1 later 2");
        assert_eq!(each(&["discard", "reject"]), "discard: discard, 550 5.7.1 no 1");
        assert_eq!(each(&["quarantine", "discard", "reject"]), "discard: quarantine, discard, 550 5.7.1 no 2");
        assert_eq!(each(&["deliver", "quarantine"]), "accept: deliver, quarantine");
        assert_eq!(each(&["reject", "defer"]), "451 4.7.1 later 1: 550 5.7.1 no 0, 451 4.7.1 later 1");
        assert_eq!(each(&["reject", "hold"]), "accept: 550 5.7.1 no 0, hold", "who is refused does not wait");
    }

    #[test]
    fn what_a_host_cannot_do_is_delivered_and_said() {
        let told = |words: [&str; 2], host, mixed| {
            let out = reconcile(&[wish(words[0], 0), wish(words[1], 1)], mixed, Points::ZERO, host);
            let words: Vec<&str> = out.dispositions.iter().map(Disposition::word).collect();
            (words.join(" "), out.cannot)
        };
        let no_hold = Host { hold: false, ..Host::default() };
        let hold = Some("the host cannot hold a message");
        assert_eq!(told(["deliver", "hold"], no_hold, MixedRefusal::Tag), ("deliver deliver".into(), vec![None, hold]));
        assert_eq!(told(["deliver", "reject"], no_hold, MixedRefusal::Hold), ("deliver tag".into(), vec![None, hold]));
        let no_removal = Host { remove_recipient: false, ..Host::default() };
        let remove = Some("the host cannot take off a recipient");
        assert_eq!(
            told(["deliver", "discard"], no_removal, MixedRefusal::Tag),
            ("deliver deliver".into(), vec![None, remove])
        );
        assert_eq!(
            told(["deliver", "quarantine"], no_removal, MixedRefusal::Tag),
            ("deliver deliver".into(), vec![None, remove])
        );
        assert_eq!(
            told(["quarantine", "quarantine"], no_removal, MixedRefusal::Tag),
            ("quarantine quarantine".into(), vec![None, None])
        );
        assert_eq!(
            told(["discard", "discard"], no_removal, MixedRefusal::Tag),
            ("discard discard".into(), vec![None, None]),
            "the whole message goes"
        );
        let no_addition = Host { add_recipient: false, ..Host::default() };
        let redirect = Some("the host cannot take off a recipient and add another");
        for host in [no_removal, no_addition] {
            assert_eq!(
                told(["deliver", "redirect"], host, MixedRefusal::Tag),
                ("deliver tag".into(), vec![None, redirect])
            );
        }
    }

    #[test]
    fn three_recipients_get_three_outcomes() {
        let three = [wish("discard", 0), wish("reject", 1), wish("deliver", 2)];
        assert_eq!(outcome(&three, MixedRefusal::Tag), "accept: discard tag deliver / X-Refused / ");
    }

    #[test]
    fn three_recipients_are_reconciled_the_same_in_every_order() {
        let part = |word: &str, index| wish(word, index);
        for a in WORDS {
            for b in WORDS {
                for c in WORDS {
                    let wishes = [part(a, 0), part(b, 1), part(c, 2)];
                    let straight = reconcile(&wishes, MixedRefusal::Tag, Points::ZERO, Host::default());
                    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                        let turned: Vec<Wish> = order.iter().map(|&i| wishes[i].clone()).collect();
                        let other = reconcile(&turned, MixedRefusal::Tag, Points::ZERO, Host::default());
                        assert_eq!(
                            (&other.action, &other.tag, &other.copies),
                            (&straight.action, &straight.tag, &straight.copies)
                        );
                        for (at, &i) in order.iter().enumerate() {
                            assert_eq!(other.dispositions[at], straight.dispositions[i], "{a} {b} {c}: {order:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn malware_refused_for_one_is_refused_for_all() {
        let mut malware = wish("reject", 0);
        malware.cause = Cause::Malware;
        for word in WORDS {
            let out = outcome(&[wish(word, 1), malware.clone()], MixedRefusal::Tag);
            assert_eq!(out, "550 5.7.1 no 0: reject reject /  / ", "{word}");
        }
    }

    #[test]
    fn what_changes_the_message_for_all_must_be_what_all_want() {
        let tagged = |tag: Tag| Wish { disposition: Disposition::Tag(tag), ..wish("tag", 1) };
        let full = |subject: &str| Tag {
            set: vec![("Reply-To".into(), "a@x.test".into())],
            removed: vec!["x-ip".into(), "x-other".into()],
            subject: Some(subject.into()),
            banner: Some("before".into()),
            disclaimer: Some("after".into()),
            ..Tag::default()
        };
        let common = |other: Tag| {
            let out =
                reconcile(&[tagged(full("[x]")), tagged(other)], MixedRefusal::Tag, Points::ZERO, Host::default());
            out.tag
        };
        assert_eq!(common(full("[x]")), full("[x]"));
        assert_eq!(common(full("[y]")), Tag { subject: None, ..full("") });
        let fewer = Tag { removed: vec!["x-ip".into()], banner: None, ..full("[x]") };
        assert_eq!(common(fewer.clone()), fewer);
        assert_eq!(common(Tag::default()), Tag::default());
    }

    #[test]
    fn files_are_taken_off_only_if_every_copy_wants_that() {
        let strip = |policy| Wish {
            taken_off: TakenOff { policies: vec![policy], files: Arc::new(BTreeMap::from([(2, policy)])) },
            ..wish("tag", policy)
        };
        let of = |wishes: &[Wish]| {
            let out = reconcile(wishes, MixedRefusal::Tag, Points::ZERO, Host::default());
            (out.taken_off.policies, out.files_differ)
        };
        assert_eq!(of(&[strip(1), strip(0)]), (vec![0], false));
        assert_eq!(of(&[strip(0), wish("discard", 1)]), (vec![0], false));
        for other in ["deliver", "redirect", "hold"] {
            assert_eq!(of(&[strip(0), wish(other, 1)]), (Vec::new(), true), "{other}");
        }
    }

    #[test]
    fn copies_are_made_for_all_who_remain_and_each_once() {
        let copied = |word: &str, policy, to: &[&str]| {
            let mut wish = wish(word, policy);
            wish.marks_if_taken.copies = to.iter().map(|a| Address::parse(a.as_bytes()).expect("an address")).collect();
            wish
        };
        let wishes = [
            copied("tag", 0, &["b@x.test", "A@x.test"]),
            copied("redirect", 1, &["a@X.test"]),
            copied("discard", 2, &["c@x.test"]),
            copied("reject", 3, &["d@x.test"]),
        ];
        let out = reconcile(&wishes, MixedRefusal::Tag, Points::ZERO, Host::default());
        assert_eq!(out.copies.iter().map(Address::key).collect::<Vec<_>>(), ["a@x.test", "b@x.test", "d@x.test"]);
    }
}
