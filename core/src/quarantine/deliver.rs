//! A message on its way out of the quarantine.

use super::release::{LIFETIME, Permit};
use crate::{
    lookup::submission::{SubmissionSettings, Unsent, submit},
    store::{
        Quarantine, SiteKey, StoreError,
        quarantine::{KeptMessage, KeptRecipient, State},
        random,
    },
    verdict::Reference,
};

/// Why a copy was not released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The mail server has not taken it; it waits as before.
    #[error("{0}")]
    Unsent(#[from] Unsent),
    /// The mail server has it, but the quarantine could not note that: it seems to wait still.
    #[error("it was delivered, but the quarantine could not note that: {0}")]
    Unnoted(StoreError),
    /// There are no random numbers.
    #[error("no name for the release: {0}")]
    Nameless(std::io::Error),
}

/// Hands the message to the mail server for one of its recipients, as it came, with the field that lets it pass. Each try has
/// its own permission: what was lost on its way can be sent again. `now`: Unix seconds.
///
/// # Errors
///
/// If it was not taken, or it cannot be noted that it was.
pub async fn release(
    quarantine: &Quarantine,
    key: &SiteKey,
    submission: &SubmissionSettings,
    (message, raw): (&KeptMessage, &[u8]),
    recipient: &KeptRecipient,
    now: i64,
) -> Result<(), ReleaseError> {
    let mut name = [0; 8];
    random::fill(&mut name).map_err(ReleaseError::Nameless)?;
    let id = Reference::from_random(u64::from_le_bytes(name));
    let permit = Permit::issue(key, id.as_str(), now + LIFETIME, &message.sender, &recipient.address, raw);
    let sent = [permit.field().as_bytes(), raw].concat();
    submit(submission, &message.sender, &recipient.address, &sent).await?;
    let noted = quarantine.set_state(&message.reference, &recipient.key, State::Released, now).await;
    noted.map(|_| ()).map_err(ReleaseError::Unnoted)
}
