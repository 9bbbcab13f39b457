//! A message on its way out of the quarantine.

use super::release::{LIFETIME, Permit};
use crate::{
    lookup::submission::{MailServer, SubmissionSettings, Unsent, submit},
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
    /// Somebody else has it in hand, or has released or deleted it.
    #[error("somebody else is releasing or deleting it; look again")]
    InHand,
    /// The mail server has not taken it; it waits as before.
    #[error("{0}")]
    Unsent(#[from] Unsent),
    /// The mail server has taken it, and the mail path here has seen no release pass.
    #[error(
        "the mail server has taken it, but no release passed here: that server does not ask this Mailward, has put it into a queue \
         before, or has changed it, so that it is judged as any other; look whether it was delivered or kept again"
    )]
    Unrecognised,
    /// The quarantine cannot be read or written.
    #[error("the quarantine: {0}")]
    Store(#[from] StoreError),
    /// There are no random numbers.
    #[error("no name for the release: {0}")]
    Nameless(std::io::Error),
}

/// Hands the message to the mail server for one of its recipients, as it came, with the field that lets it pass. Each try has
/// its own permission: what was lost on its way can be sent again. Nobody else releases the copy meanwhile. `now`: Unix seconds.
///
/// # Errors
///
/// If it was not taken, or did not pass, or it cannot be noted that it was: it waits as before then.
pub async fn release(
    quarantine: &Quarantine,
    key: &SiteKey,
    submission: &SubmissionSettings,
    (message, raw): (&KeptMessage, &[u8]),
    recipient: &KeptRecipient,
    now: i64,
) -> Result<(), ReleaseError> {
    let outbound = quarantine.summary(message)?.outbound;
    let before = if recipient.state == State::Released { State::Released } else { State::Held };
    let into = |from_to: [State; 2]| quarantine.set_state(&message.reference, &recipient.key, from_to, now);
    if !into([before, State::Releasing]).await? {
        return Err(ReleaseError::InHand);
    }
    let sent = match submission.server {
        // What comes to a mailbox at once passes no mail path, where a field would be taken off.
        MailServer::Lmtp(_) | MailServer::LmtpSocket(_) => {
            submit(submission, &message.sender, &recipient.address, raw).await.map_err(ReleaseError::from)
        }
        MailServer::Smtp(_) => {
            let envelope = [message.sender.as_str(), &recipient.address];
            send_with_permit(quarantine, key, submission, envelope, (outbound, raw), now).await
        }
    };
    into([State::Releasing, if sent.is_ok() { State::Released } else { before }]).await?;
    sent
}

async fn send_with_permit(
    quarantine: &Quarantine,
    key: &SiteKey,
    submission: &SubmissionSettings,
    [sender, recipient]: [&str; 2],
    (outbound, raw): (bool, &[u8]),
    now: i64,
) -> Result<(), ReleaseError> {
    let mut name = [0; 8];
    random::fill(&mut name).map_err(ReleaseError::Nameless)?;
    let id = Reference::from_random(u64::from_le_bytes(name));
    let permit = Permit::issue(key, (id.as_str(), now + LIFETIME), outbound, [sender, recipient], raw);
    submit(submission, sender, recipient, &[permit.field().as_bytes(), raw].concat()).await?;
    match quarantine.has_passed(id.as_str()).await? {
        true => Ok(()),
        false => Err(ReleaseError::Unrecognised),
    }
}
