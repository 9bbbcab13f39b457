//! Whether a message is from its envelope sender.

use super::{DkimResult, Results, SpfResult, SpfResults};
use crate::session::{Address, ReversePath, registered};

/// Whether SPF, or a signature of the sender's organisation under his own name in From, proves that the envelope sender is who it
/// says. A signature says nothing of the envelope: a signed message of somebody else can be sent under any sender.
pub fn proves_sender(
    sender: &ReversePath,
    from: &[String],
    spf: Option<&SpfResults>,
    results: Option<&Results>,
) -> bool {
    let Some(sender) = sender.mailbox() else { return false };
    let by_spf = spf.and_then(|spf| spf.mail.as_ref()).is_some_and(|mail| mail.result == SpfResult::Pass);
    let of_sender = registered(&sender.domain);
    let is_author =
        matches!(from, [author] if Address::parse(author.as_bytes()).is_ok_and(|a| a.key() == sender.key()));
    let signed = || {
        let mut signatures = results.iter().flat_map(|results| &results.signatures);
        signatures.any(|s| s.result == DkimResult::Pass && registered(&s.domain) == of_sender)
    };
    by_spf || (is_author && signed())
}
