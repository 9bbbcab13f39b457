//! `mw_verdict_t`: plain data of the caller, without ties to its session.

use crate::{error::quiet, text::Text};
use mailward_core::{
    engine::Judged,
    explain::Explanation,
    verdict::{Action, Edit, Reference, Reply},
};
use std::time::Duration;

const ACCEPT: i32 = 0;
const DISCARD: i32 = 1;
const REPLY: i32 = 2;

const ADD_HEADER: i32 = 1;
const CHANGE_HEADER: i32 = 2;
const REMOVE_HEADER: i32 = 3;
const REMOVE_RECIPIENT: i32 = 4;
const HOLD: i32 = 5;

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
    explanation: String,
}

/// An edit with the same four members for every kind.
#[derive(Debug)]
struct FlatEdit {
    kind: i32,
    name: String,
    value: String,
    occurrence: u32,
}

/// The explanation as `mailward check --json` prints it.
pub(crate) fn json(explanation: &Explanation) -> String {
    serde_json::to_string(explanation).unwrap_or_default()
}

impl Verdict {
    pub(crate) fn of_message(judged: Judged) -> Self {
        let (report, verdict) = (judged.report, judged.verdict);
        let explanation = json(&report.explanation);
        let action = match verdict.action {
            Action::Reply(reply) => {
                return Self::of_refusal(&reply, report.reference, Duration::ZERO, explanation);
            }
            Action::Accept => ACCEPT,
            Action::Discard => DISCARD,
        };
        Verdict {
            action,
            code: 250,
            enhanced: "2.0.0".to_owned(),
            text: String::new(),
            reference: report.reference.to_string(),
            delay_ms: 0,
            edits: verdict.edits.into_iter().map(FlatEdit::of).collect(),
            explanation,
        }
    }

    pub(crate) fn of_refusal(reply: &Reply, reference: Reference, delay: Duration, explanation: String) -> Self {
        Verdict {
            action: REPLY,
            code: reply.code().into(),
            enhanced: reply.enhanced(),
            text: reply.text_with(reference),
            reference: reference.to_string(),
            delay_ms: u32::try_from(delay.as_millis()).unwrap_or(u32::MAX),
            edits: Vec::new(),
            explanation,
        }
    }

    fn edit(&self, index: usize) -> Option<&FlatEdit> {
        self.edits.get(index)
    }
}

impl FlatEdit {
    fn of(edit: Edit) -> Self {
        let (kind, name, value, occurrence) = match edit {
            Edit::AddHeader { name, value } => (ADD_HEADER, name, value, 0),
            Edit::ChangeHeader { name, occurrence, value } => (CHANGE_HEADER, name, value, occurrence),
            Edit::RemoveHeader { name, occurrence } => (REMOVE_HEADER, name, String::new(), occurrence),
            Edit::RemoveRecipient { address } => (REMOVE_RECIPIENT, String::new(), address, 0),
            Edit::Hold { reason } => (HOLD, String::new(), reason, 0),
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
    /// Name of the header field.
    mw_verdict_edit_name(verdict, index) -> Text = Text::EMPTY, verdict.edit(index).map(|edit| Text::of(&edit.name));
    /// The new body of the field, a recipient, or a reason.
    mw_verdict_edit_value(verdict, index) -> Text = Text::EMPTY, verdict.edit(index).map(|edit| Text::of(&edit.value));
    /// Which of the fields of this name.
    mw_verdict_edit_occurrence(verdict, index) -> u32 = 0, verdict.edit(index).map(|edit| edit.occurrence);
    /// Why, as JSON.
    mw_verdict_explanation(verdict) -> Text = Text::EMPTY, Some(Text::of(&verdict.explanation));
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
