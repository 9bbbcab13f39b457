//! Edits of a verdict as milter actions.

use indymilter::{ActionError, ContextActions, EomActions};
use mailward_core::verdict::Edit;
use std::ffi::{CString, NulError};

#[derive(Debug)]
pub(super) enum EditError {
    Action(ActionError),
    Nul(NulError),
}

impl std::fmt::Display for EditError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EditError::Action(error) => error.fmt(f),
            EditError::Nul(error) => error.fmt(f),
        }
    }
}

impl From<ActionError> for EditError {
    fn from(error: ActionError) -> Self {
        EditError::Action(error)
    }
}

impl From<NulError> for EditError {
    fn from(error: NulError) -> Self {
        EditError::Nul(error)
    }
}

/// Sends all edits. Changes by occurrence go first and from the highest occurrence down, as indexes shift with each
/// removal; then added headers, sender, recipients, and the quarantine last, as it is no final verdict.
pub(super) async fn apply(actions: &EomActions, edits: &[Edit], leading_space: bool) -> Result<(), EditError> {
    let blank = if leading_space { " " } else { "" };
    let mut by_occurrence: Vec<(&str, u32, Option<&str>)> = edits
        .iter()
        .filter_map(|edit| match edit {
            Edit::ChangeHeader { name, occurrence, value } => Some((name.as_str(), *occurrence, Some(value.as_str()))),
            Edit::RemoveHeader { name, occurrence } => Some((name.as_str(), *occurrence, None)),
            _ => None,
        })
        .collect();
    by_occurrence.sort_by_key(|&(_, occurrence, _)| std::cmp::Reverse(occurrence));
    for (name, occurrence, value) in by_occurrence {
        let index = i32::try_from(occurrence).unwrap_or(i32::MAX);
        let value = value.map(|v| CString::new(format!("{blank}{v}"))).transpose()?;
        actions.change_header(CString::new(name)?, index, value).await?;
    }
    for edit in edits {
        match edit {
            Edit::AddHeader { name, value } => {
                let value = CString::new(format!("{blank}{value}"))?;
                actions.insert_header(0, CString::new(name.as_str())?, value).await?;
            }
            Edit::ReplaceBody { body, .. } => actions.replace_body(body).await?,
            Edit::ChangeSender { address } => {
                actions.change_sender(CString::new(address.as_str())?, None::<CString>).await?
            }
            Edit::RemoveRecipient { address } => actions.delete_recipient(CString::new(address.as_str())?).await?,
            Edit::AddRecipient { address, blind } => {
                add_recipient(actions, CString::new(address.as_str())?, *blind).await?
            }
            Edit::Hold { reason } => actions.quarantine(CString::new(reason.as_str())?).await?,
            Edit::ChangeHeader { .. } | Edit::RemoveHeader { .. } => {}
        }
    }
    Ok(())
}

/// Adds a recipient. A failure to deliver a blind copy must not tell the sender of it, where the MTA can be asked for that
/// (RFC 3461 §4.1).
async fn add_recipient(actions: &EomActions, address: CString, blind: bool) -> Result<(), ActionError> {
    if blind {
        match actions.add_recipient_ext(address.clone(), Some(c"NOTIFY=NEVER")).await {
            Err(ActionError::NotAvailable) => {}
            done => return done,
        }
    }
    actions.add_recipient(address).await
}
