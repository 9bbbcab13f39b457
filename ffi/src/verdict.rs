//! `mw_verdict_t`: plain data of the caller, without ties to its session.

use crate::{error::quiet, text::Text};
use bytes::Bytes;
use mailward_core::{
    engine::{Ended, Judged, Refusal, Replayed},
    explain::Explanation,
    verdict::{Action, Disposition, Edit, Evidence, Reference, Reply},
};
use std::{sync::OnceLock, time::Duration};

const ACCEPT: i32 = 0;
const DISCARD: i32 = 1;
const REPLY: i32 = 2;

fn number(disposition: &Disposition) -> i32 {
    match disposition {
        Disposition::Deliver => 1,
        Disposition::Tag(_) => 2,
        Disposition::Hold => 3,
        Disposition::Discard => 4,
        Disposition::Reject => 5,
        Disposition::Defer => 6,
        Disposition::Redirect { .. } => 7,
        Disposition::Quarantine { .. } => 8,
    }
}

const ADD_HEADER: i32 = 1;
const CHANGE_HEADER: i32 = 2;
const REMOVE_HEADER: i32 = 3;
const REMOVE_RECIPIENT: i32 = 4;
const HOLD: i32 = 5;
const REPLACE_BODY: i32 = 6;
const ADD_RECIPIENT: i32 = 7;
const CHANGE_SENDER: i32 = 8;

/// `mw_verdict_t`.
#[derive(Debug)]
pub struct Verdict {
    action: i32,
    code: i32,
    enhanced: String,
    text: String,
    reference: String,
    delay_ms: u32,
    edits: Vec<FlatEdit>,
    recipients: Vec<FlatRecipient>,
    points: i32,
    findings: Vec<FlatFinding>,
    not_applied: Vec<String>,
    why: Option<Explanation>,
    /// [`Verdict::why`] in words, once somebody has asked for them.
    explanation: OnceLock<String>,
    explanation_text: OnceLock<String>,
}

/// What becomes of the message for one recipient.
#[derive(Debug)]
struct FlatRecipient {
    address: String,
    disposition: i32,
    wanted: i32,
    because: String,
    code: i32,
    enhanced: String,
    text: String,
}

#[derive(Debug)]
struct FlatFinding {
    id: String,
    points: i32,
    evidence: String,
}

/// An edit with the same four members for every kind.
#[derive(Debug)]
struct FlatEdit {
    kind: i32,
    name: String,
    value: Bytes,
    occurrence: u32,
}

fn words(evidence: &Evidence) -> &str {
    match evidence {
        Evidence::Fact(words) | Evidence::Text(words) => words,
    }
}

impl Verdict {
    pub(crate) fn of_message(judged: Judged) -> Self {
        let (report, verdict) = (judged.report, judged.verdict);
        let (action, reply) = match verdict.action {
            Action::Reply(reply) => (REPLY, Some(reply)),
            Action::Accept => (ACCEPT, None),
            Action::Discard => (DISCARD, None),
        };
        let recipients = verdict.recipients.into_iter().map(|recipient| {
            let told = recipient.reply.as_ref().or(reply.as_ref());
            FlatRecipient {
                address: recipient.address,
                disposition: number(&recipient.disposition),
                wanted: number(&recipient.wanted),
                because: recipient.because,
                code: told.map_or(250, |reply| reply.code().into()),
                enhanced: told.map_or_else(|| "2.0.0".to_owned(), Reply::enhanced),
                text: told.map(|reply| reply.text_with(report.reference)).unwrap_or_default(),
            }
        });
        let recipients = recipients.collect();
        let decided = match &reply {
            Some(reply) => Self::of_refusal(reply, report.reference, Duration::ZERO, Some(report.explanation)),
            None => Self::plain(report.reference, Some(report.explanation)),
        };
        Verdict { action, recipients, edits: verdict.edits.into_iter().map(FlatEdit::of).collect(), ..decided }
    }

    pub(crate) fn of_refusal(
        reply: &Reply,
        reference: Reference,
        delay: Duration,
        explanation: Option<Explanation>,
    ) -> Self {
        Verdict {
            action: REPLY,
            code: reply.code().into(),
            enhanced: reply.enhanced(),
            text: reply.text_with(reference),
            delay_ms: u32::try_from(delay.as_millis()).unwrap_or(u32::MAX),
            ..Self::plain(reference, explanation)
        }
    }

    /// Of a transaction of which nothing came.
    pub(crate) fn of_report(refusal: Refusal) -> Self {
        let Refusal { reply, report } = refusal;
        Self::of_refusal(&reply, report.reference, Duration::ZERO, Some(report.explanation))
    }

    pub(crate) fn of_replayed(replayed: Replayed) -> Self {
        match replayed.ended {
            Ended::Message(judged) => Self::of_message(judged),
            Ended::Refused(refusal) => Self::of_report(refusal),
        }
    }

    fn plain(reference: Reference, explanation: Option<Explanation>) -> Self {
        let why = explanation.as_ref();
        let findings = why.iter().flat_map(|explanation| &explanation.findings).map(|finding| FlatFinding {
            id: finding.id.to_string(),
            points: finding.points.as_hundredths(),
            evidence: finding.evidence.iter().map(words).collect::<Vec<_>>().join("; "),
        });
        Verdict {
            action: ACCEPT,
            code: 250,
            enhanced: "2.0.0".to_owned(),
            text: String::new(),
            reference: reference.to_string(),
            delay_ms: 0,
            edits: Vec::new(),
            recipients: Vec::new(),
            points: why.map_or(0, |explanation| explanation.points.as_hundredths()),
            findings: findings.collect(),
            not_applied: why.map(|explanation| explanation.not_applied.clone()).unwrap_or_default(),
            why: explanation,
            explanation: OnceLock::new(),
            explanation_text: OnceLock::new(),
        }
    }

    /// The explanation as `mailward check --json` prints it.
    fn explanation(&self) -> &str {
        self.explanation.get_or_init(|| self.why.as_ref().map(Explanation::json).unwrap_or_default())
    }

    fn explanation_text(&self) -> &str {
        self.explanation_text.get_or_init(|| self.why.as_ref().map(|why| why.text(false)).unwrap_or_default())
    }

    fn recipient(&self, index: usize) -> Option<&FlatRecipient> {
        self.recipients.get(index)
    }

    fn edit(&self, index: usize) -> Option<&FlatEdit> {
        self.edits.get(index)
    }
}

impl FlatEdit {
    fn of(edit: Edit) -> Self {
        let (kind, name, value, occurrence) = match edit {
            Edit::AddHeader { name, value } => (ADD_HEADER, name, value.into(), 0),
            Edit::ChangeHeader { name, occurrence, value } => (CHANGE_HEADER, name, value.into(), occurrence),
            Edit::RemoveHeader { name, occurrence } => (REMOVE_HEADER, name, Bytes::new(), occurrence),
            Edit::ReplaceBody { with, body } => (REPLACE_BODY, with, body, 0),
            Edit::ChangeSender { address } => (CHANGE_SENDER, String::new(), address.into(), 0),
            Edit::RemoveRecipient { address } => (REMOVE_RECIPIENT, String::new(), address.into(), 0),
            Edit::AddRecipient { address, blind } => {
                (ADD_RECIPIENT, if blind { "copy" } else { "redirect" }.to_owned(), address.into(), 0)
            }
            Edit::Hold { reason } => (HOLD, String::new(), reason.into(), 0),
        };
        FlatEdit { kind, name, value, occurrence }
    }
}

/// What `of` tells about a verdict; `otherwise` for NULL.
///
/// # Safety
///
/// `verdict` is NULL or a verdict that is not freed before this function returns.
unsafe fn tell<T>(verdict: *const Verdict, otherwise: T, of: impl FnOnce(&Verdict) -> Option<T>) -> T
where
    T: Copy,
{
    // SAFETY: the caller of this function promises it.
    quiet(otherwise, || unsafe { verdict.as_ref() }.and_then(of).unwrap_or(otherwise))
}

/// A function of the header that tells one thing about a verdict.
macro_rules! accessor {
    ($(#[doc = $doc:literal] $name:ident($verdict:ident $(, $index:ident)?) -> $type:ty = $otherwise:expr, $value:expr;)*) => {$(
        #[doc = $doc]
        ///
        /// # Safety
        ///
        /// As the header says.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(verdict: *const Verdict $(, $index: usize)?) -> $type {
            // SAFETY: the header asks for NULL or a verdict that was not freed.
            unsafe { tell(verdict, $otherwise, |$verdict| $value) }
        }
    )*};
}

accessor! {
    /// What becomes of the message or command.
    mw_verdict_action(verdict) -> i32 = REPLY, Some(verdict.action);
    /// The reply code.
    mw_verdict_code(verdict) -> i32 = 451, Some(verdict.code);
    /// The enhanced status code.
    mw_verdict_enhanced(verdict) -> Text = Text::EMPTY, Some(Text::of(&verdict.enhanced));
    /// The text of the reply.
    mw_verdict_text(verdict) -> Text = Text::EMPTY, Some(Text::of(&verdict.text));
    /// The name of the decision.
    mw_verdict_reference(verdict) -> Text = Text::EMPTY, Some(Text::of(&verdict.reference));
    /// How long the host should wait before it replies.
    mw_verdict_delay_ms(verdict) -> u32 = 0, Some(verdict.delay_ms);
    /// Number of edits.
    mw_verdict_edit_count(verdict) -> usize = 0, Some(verdict.edits.len());
    /// What an edit changes.
    mw_verdict_edit_kind(verdict, index) -> i32 = 0, verdict.edit(index).map(|edit| edit.kind);
    /// Name of the header field, of what is new in a body, or why a recipient is added.
    mw_verdict_edit_name(verdict, index) -> Text = Text::EMPTY, verdict.edit(index).map(|edit| Text::of(&edit.name));
    /// The new body of the field or message, a recipient, or a reason.
    mw_verdict_edit_value(verdict, index) -> Text = Text::EMPTY, verdict.edit(index).map(|edit| Text::of_bytes(&edit.value));
    /// Which of the fields of this name.
    mw_verdict_edit_occurrence(verdict, index) -> u32 = 0, verdict.edit(index).map(|edit| edit.occurrence);
    /// Number of recipients.
    mw_verdict_recipient_count(verdict) -> usize = 0, Some(verdict.recipients.len());
    /// A recipient.
    mw_verdict_recipient_address(verdict, index) -> Text = Text::EMPTY, verdict.recipient(index).map(|one| Text::of(&one.address));
    /// What becomes of the message for a recipient.
    mw_verdict_recipient_disposition(verdict, index) -> i32 = 0, verdict.recipient(index).map(|one| one.disposition);
    /// What the policies of a recipient ask for.
    mw_verdict_recipient_wanted(verdict, index) -> i32 = 0, verdict.recipient(index).map(|one| one.wanted);
    /// What decided about a recipient.
    mw_verdict_recipient_because(verdict, index) -> Text = Text::EMPTY, verdict.recipient(index).map(|one| Text::of(&one.because));
    /// Reply code for a recipient.
    mw_verdict_recipient_code(verdict, index) -> i32 = 0, verdict.recipient(index).map(|one| one.code);
    /// Enhanced status code for a recipient.
    mw_verdict_recipient_enhanced(verdict, index) -> Text = Text::EMPTY, verdict.recipient(index).map(|one| Text::of(&one.enhanced));
    /// Text of the reply for a recipient.
    mw_verdict_recipient_text(verdict, index) -> Text = Text::EMPTY, verdict.recipient(index).map(|one| Text::of(&one.text));
    /// Sum of the findings.
    mw_verdict_points(verdict) -> i32 = 0, Some(verdict.points);
    /// Number of findings.
    mw_verdict_finding_count(verdict) -> usize = 0, Some(verdict.findings.len());
    /// Name of a finding.
    mw_verdict_finding_id(verdict, index) -> Text = Text::EMPTY, verdict.findings.get(index).map(|one| Text::of(&one.id));
    /// Weight of a finding.
    mw_verdict_finding_points(verdict, index) -> i32 = 0, verdict.findings.get(index).map(|one| one.points);
    /// What was seen.
    mw_verdict_finding_evidence(verdict, index) -> Text = Text::EMPTY, verdict.findings.get(index).map(|one| Text::of(&one.evidence));
    /// How much the host cannot do.
    mw_verdict_not_applied_count(verdict) -> usize = 0, Some(verdict.not_applied.len());
    /// Something that the host cannot do.
    mw_verdict_not_applied(verdict, index) -> Text = Text::EMPTY, verdict.not_applied.get(index).map(|one| Text::of(one));
    /// Why, in words.
    mw_verdict_explanation_text(verdict) -> Text = Text::EMPTY, Some(Text::of(verdict.explanation_text()));
    /// Why, as JSON.
    mw_verdict_explanation(verdict) -> Text = Text::EMPTY, Some(Text::of(verdict.explanation()));
}

/// Frees a verdict.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mw_verdict_free(verdict: *mut Verdict) {
    quiet((), || {
        if !verdict.is_null() {
            // SAFETY: it came from `Box::into_raw` in `give`, and the caller gives it up.
            drop(unsafe { Box::from_raw(verdict) });
        }
    });
}
