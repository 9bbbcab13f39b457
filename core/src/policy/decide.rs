//! From facts to a verdict.

use super::{
    Facts, MixedRefusal, QUARANTINE_DAYS, Settings,
    asked::Asked,
    edits::plan,
    not_matched::NotMatched,
    reconcile::reconcile,
    strip::TakenOff,
    wish::{Asker, Cause, LeftOut, Wish},
};
use crate::{
    message::{AttachmentFacts, Changes},
    score::{Level, Thresholds},
    session::Address,
    verdict::{Action, Disposition, Edit, Points, RecipientVerdict, Verdict},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A verdict, with what explains it.
#[must_use]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// What happens.
    pub verdict: Verdict,
    /// One note for each recipient, in the order of the verdict's.
    pub notes: Vec<RecipientNote>,
    /// What the policies ask for and the host cannot do, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_applied: Vec<String>,
    /// What is to change in the body, which is not the policies' to read.
    #[serde(skip)]
    pub changes: Changes,
    /// What somebody is to be told.
    #[serde(skip)]
    pub told: Vec<Told>,
}

impl Decision {
    /// A verdict that no policy has a part in.
    pub fn of(verdict: Verdict) -> Self {
        let changes = Changes::default();
        Decision { verdict, notes: Vec::new(), not_applied: Vec::new(), changes, told: Vec::new() }
    }
}

/// What a policy did for a recipient, of which it wants somebody told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Index of the policy.
    pub policy: usize,
    /// As the client wrote it, without brackets.
    pub recipient: String,
    /// The word of what happens.
    pub disposition: &'static str,
}

/// Why a recipient's disposition is what it is, and what would have changed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecipientNote {
    /// Sum of the findings that count for this recipient.
    pub points: Points,
    /// Thresholds of this recipient.
    pub thresholds: Thresholds,
    /// The policy that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyPlace>,
    /// Policies that marked the message and went on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<PolicyPlace>,
    /// Why the wanted disposition is not what happens: a trial, outbound mail, other recipients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// What would have changed the wanted disposition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub would_change: Vec<String>,
    /// Policies that were asked before one decided, and did not match: the first twenty. Only where it is shown at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_matched: Vec<NotMatched>,
}

/// Where a policy stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyPlace {
    /// Its name.
    pub name: String,
    /// Its line in the file, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

/// Decides about a message: a plain function of its arguments. `organisation` are the thresholds of recipients that
/// have none of their own.
pub fn decide(settings: &Settings, organisation: Thresholds, facts: &Facts<'_>) -> Decision {
    match facts.host.edit_header && facts.host.replace_body {
        true => decide_within(settings, organisation, facts, None),
        false => decide_unstripped(settings, organisation, facts, "the host cannot replace a body"),
    }
}

/// Decides where no files can be taken off, and says why not.
pub fn decide_unstripped(settings: &Settings, organisation: Thresholds, facts: &Facts<'_>, why: &str) -> Decision {
    decide_within(settings, organisation, facts, Some(why))
}

fn decide_within(settings: &Settings, organisation: Thresholds, facts: &Facts<'_>, obstacle: Option<&str>) -> Decision {
    let asked = Asked::new(settings, facts);
    let askers: Vec<Asker<'_>> =
        facts.recipients.iter().map(|r| Asker::new(settings, organisation, &asked, r, obstacle)).collect();
    let wanted: Vec<Wish> = askers.iter().map(|asker| asker.wish(LeftOut::default())).collect();
    let acting: Vec<Acting> = askers.iter().zip(&wanted).map(|(asker, wish)| act(asker, wish)).collect();
    let mut effective: Vec<Wish> = acting.iter().map(|a| a.wish.clone()).collect();
    let mixed_refusal = match settings.mixed_refusal {
        // What is cut off could not be released. Where nobody can hold it either, nobody gets it.
        MixedRefusal::Quarantine if !facts.complete => {
            effective.iter_mut().for_each(|wish| wish.refused_for_all |= !facts.host.hold);
            MixedRefusal::Hold
        }
        other => other,
    };
    keep_redirected(facts, mixed_refusal, &mut effective);
    let outcome = reconcile(&effective, mixed_refusal, facts.card.total, facts.host);
    if outcome.files_differ {
        return decide_unstripped(settings, organisation, facts, "not all recipients want it");
    }
    let reason = outcome.held_for.map(|i| because(settings, facts, &effective[i])).unwrap_or_default();
    let mut edits = plan(settings, facts, &outcome, &reason, acting.iter().any(|a| a.on_trial.is_none()));
    let mut not_applied = Vec::new();
    if !facts.host.edit_header {
        let of_header = |edit: &mut Edit| edit.header().is_some();
        let left_out = edits.extract_if(.., of_header).filter_map(|edit| edit.header().map(str::to_owned));
        not_applied.extend(left_out.map(|name| format!("header {name}: the host cannot edit headers")));
    }
    if !facts.host.add_recipient {
        let added = |edit: &mut Edit| matches!(edit, Edit::AddRecipient { .. });
        let left_out = edits.extract_if(.., added).filter_map(|edit| edit.recipient().map(str::to_owned));
        not_applied.extend(left_out.map(|address| format!("copy to {address}: the host cannot add a recipient")));
    }
    if let Some(why) = obstacle.filter(|_| effective.iter().any(|wish| wish.unstripped)) {
        not_applied.push(format!("strip: {why}"));
    }
    let mut recipients = Vec::new();
    let mut notes = Vec::new();
    for (i, asker) in askers.iter().enumerate() {
        let (wish, disposition) = (&wanted[i], outcome.dispositions[i].clone());
        let differ = || (disposition != effective[i].disposition).then(|| "recipients differ".to_owned());
        notes.push(RecipientNote {
            points: asker.standing.total,
            thresholds: asker.effective.thresholds,
            policy: match wish.cause {
                Cause::Policy(index) => Some(place(settings, index)),
                _ => None,
            },
            passed: wish.passed.iter().map(|&index| place(settings, index)).collect(),
            instead: outcome.cannot[i]
                .map(str::to_owned)
                .or_else(differ)
                .or_else(|| acting[i].on_trial.clone())
                .or_else(|| acting[i].idle.clone()),
            would_change: would_change(settings, facts, asker, wish),
            not_matched: Vec::new(),
        });
        not_applied
            .extend(outcome.cannot[i].map(|why| {
                format!("{} for <{}>: {why}", effective[i].disposition.word(), asker.recipient.address.raw)
            }));
        recipients.push(RecipientVerdict {
            address: asker.recipient.address.raw.clone(),
            wanted: wish.disposition.clone(),
            disposition,
            because: because(settings, facts, wish),
            reply: outcome.replies[i].clone(),
        });
    }
    let mut changes = Changes {
        banner: outcome.tag.banner,
        disclaimer: outcome.tag.disclaimer,
        notices: notices(settings, facts, &outcome.taken_off),
    };
    if !(facts.host.replace_body && facts.host.edit_header) {
        not_applied.extend(changes.texts().map(|text| format!("{text}: the host cannot replace a body")));
        changes = Changes::default();
    }
    let verdict = Verdict { action: outcome.action, recipients, edits };
    let told = told(&verdict, &acting);
    Decision { verdict, notes, not_applied, changes, told }
}

/// Mail that is redirected to who has his own copy kept is kept as well: else it would reach him past his policies.
fn keep_redirected(facts: &Facts<'_>, mixed_refusal: MixedRefusal, wishes: &mut [Wish]) {
    let keeps_refused = mixed_refusal == MixedRefusal::Quarantine && !facts.host.reply_by_recipient;
    let kept_for = |wish: &Wish| match wish.disposition {
        Disposition::Quarantine { days } => Some(days),
        Disposition::Reject if keeps_refused => Some(QUARANTINE_DAYS),
        _ => None,
    };
    let kept: BTreeMap<String, u32> = facts
        .recipients
        .iter()
        .zip(wishes.iter())
        .filter_map(|(recipient, wish)| Some((recipient.address.key(), kept_for(wish)?)))
        .collect();
    for wish in wishes {
        let Disposition::Redirect { to } = &mut wish.disposition else { continue };
        let days_of = |raw: &String| kept.get(&Address::parse(raw.as_bytes()).ok()?.key()).copied();
        let days = to.iter().filter_map(days_of).max();
        to.retain(|raw| days_of(raw).is_none());
        if let Some(days) = days.filter(|_| to.is_empty()) {
            wish.disposition = Disposition::Quarantine { days };
        }
    }
}

/// What somebody is to be told. Of a message that comes again nobody is told yet.
fn told(verdict: &Verdict, acting: &[Acting]) -> Vec<Told> {
    if matches!(&verdict.action, Action::Reply(reply) if reply.is_temporary()) {
        return Vec::new();
    }
    let of = |(recipient, acting): (&RecipientVerdict, &Acting)| {
        let (recipient, disposition) = (recipient.address.clone(), recipient.disposition.word());
        let policies = acting.wish.notify.clone();
        policies.into_iter().map(move |policy| Told { policy, recipient: recipient.clone(), disposition })
    };
    verdict.recipients.iter().zip(acting).filter(|(r, _)| r.disposition != Disposition::Defer).flat_map(of).collect()
}

/// The notes in place of the files, by their place.
fn notices(settings: &Settings, facts: &Facts<'_>, taken_off: &TakenOff) -> BTreeMap<usize, String> {
    let of = |file: &AttachmentFacts| {
        let policy = settings.policies.get(*taken_off.files.get(&file.part)?)?;
        Some((file.part, policy.strip.as_ref()?.notice(file)))
    };
    facts.message.attachments.iter().filter_map(of).collect()
}

/// What of a recipient's wish acts.
struct Acting {
    wish: Wish,
    on_trial: Option<String>,
    idle: Option<String>,
}

fn act(asker: &Asker<'_>, wanted: &Wish) -> Acting {
    if !asker.settings.acts_for(asker.recipient) {
        return Acting {
            wish: Wish::none(),
            on_trial: Some("recipient is not in the trial: only recorded".to_owned()),
            idle: None,
        };
    }
    let wish = match asker.idle() {
        nothing if nothing == LeftOut::default() => wanted.clone(),
        idle => asker.wish(idle),
    };
    let idle = (wish.disposition != wanted.disposition)
        .then(|| "outbound mail is not filtered (outbound.filter = false): only recorded".to_owned());
    Acting { wish, on_trial: None, idle }
}

pub(super) fn place(settings: &Settings, index: usize) -> PolicyPlace {
    settings
        .policies
        .get(index)
        .map_or(PolicyPlace { name: String::new(), line: None }, |p| PolicyPlace { name: p.name.clone(), line: p.line })
}

/// What decided, in a few words.
fn because(settings: &Settings, facts: &Facts<'_>, wish: &Wish) -> String {
    match wish.cause {
        Cause::Policy(index) => format!("policy \"{}\"", place(settings, index).name),
        Cause::Malware => match facts.card.findings.iter().find(|f| f.is_malware()) {
            Some(finding) => finding.id.to_string(),
            None => "malware".to_owned(),
        },
        Cause::Trouble => "a lookup is in trouble".to_owned(),
        Cause::Allowed(index) => format!("allowed by {}", settings.scope(index)),
        Cause::Blocked(index) => format!("blocked by {}", settings.scope(index)),
        Cause::Check => "a check refuses".to_owned(),
        Cause::ThresholdReject => "threshold reject".to_owned(),
        Cause::ThresholdTag => "threshold tag".to_owned(),
        Cause::Nothing if !wish.passed.is_empty() => "marks of policies".to_owned(),
        Cause::Nothing => "nothing against it".to_owned(),
    }
}

/// The smallest changes that would have led elsewhere.
fn would_change(settings: &Settings, facts: &Facts<'_>, asker: &Asker<'_>, wish: &Wish) -> Vec<String> {
    let without = |what: &str, out: LeftOut| {
        let other = asker.wish(out);
        (other.disposition != wish.disposition)
            .then(|| format!("without {what}: {} ({})", other.disposition.word(), because(settings, facts, &other)))
    };
    let mut changes = Vec::new();
    match wish.cause {
        Cause::Policy(index) => changes.extend(without(
            &format!("policy \"{}\"", place(settings, index).name),
            LeftOut { policy: Some(index), ..LeftOut::default() },
        )),
        Cause::Malware => {
            let names: Vec<&str> =
                facts.card.findings.iter().filter(|f| f.is_malware()).map(|f| f.id.as_ref()).collect();
            // The reply of the malware check goes with its finding.
            let early = facts.early.is_some_and(|reply| !reply.is_temporary());
            changes.extend(without(&list(&names), LeftOut { malware: true, early, ..LeftOut::default() }));
        }
        Cause::Trouble => {
            changes.extend(without("the trouble", LeftOut { early: true, ..LeftOut::default() }));
        }
        Cause::Allowed(_) | Cause::Blocked(_) => {
            changes.extend(without("that list", LeftOut { lists: true, ..LeftOut::default() }));
        }
        Cause::Check => {
            changes.extend(without("that refusal", LeftOut { early: true, ..LeftOut::default() }));
        }
        Cause::ThresholdReject | Cause::ThresholdTag | Cause::Nothing => changes.extend(distances(facts, asker)),
    }
    changes
}

/// How far the thresholds are.
fn distances(facts: &Facts<'_>, asker: &Asker<'_>) -> Vec<String> {
    let (total, thresholds) = (asker.standing.total, asker.effective.thresholds);
    let gap = |a: Points, b: Points| Points::hundredths(a.as_hundredths().saturating_sub(b.as_hundredths()));
    let cent = Points::hundredths(1);
    let to_tag = |changes: &mut Vec<String>| {
        if thresholds.tag < thresholds.reject {
            changes.push(format!("{} points fewer: no mark", gap(total, thresholds.tag).plus(cent)));
        }
    };
    let mut changes = Vec::new();
    match thresholds.level(asker.standing) {
        Level::Reject => {
            changes.push(format!("{} points fewer: no refusal", gap(total, thresholds.reject).plus(cent)));
        }
        Level::Tag if thresholds.spared_as_learned(asker.standing) => {
            let more = gap(thresholds.tag, asker.standing.without_learned);
            changes.push(format!("learned points alone never refuse; {more} points of other findings more: refused"));
            to_tag(&mut changes);
        }
        Level::Tag => {
            changes.push(format!("{} points more: refused", gap(thresholds.reject, total)));
            to_tag(&mut changes);
        }
        Level::Clean => {
            changes.push(format!("{} points more: marked", gap(thresholds.tag, total)));
            changes.push(format!("{} points more: refused", gap(thresholds.reject, total)));
        }
    }
    if total != facts.card.total {
        changes.push(format!("settings of the recipient leave out {} points", gap(facts.card.total, total)));
    }
    changes
}

/// Most names in a list. Unit: names. Source: our own limit, one line of text.
const NAMES: usize = 3;

fn list(names: &[&str]) -> String {
    match names.len().checked_sub(NAMES) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..NAMES].join(", ")),
    }
}
