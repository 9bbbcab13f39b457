//! Whether a message is from its envelope sender.

use super::{DkimResult, Results, SpfResult, SpfResults};
use crate::session::{ReversePath, registered};

/// Whether SPF, or a signature of the sender's organisation, proves that the envelope sender is who it says.
pub fn proves_sender(sender: &ReversePath, spf: Option<&SpfResults>, results: Option<&Results>) -> bool {
    let Some(sender) = sender.mailbox() else { return false };
    let by_spf = spf.and_then(|spf| spf.mail.as_ref()).is_some_and(|mail| mail.result == SpfResult::Pass);
    let of_sender = registered(&sender.domain);
    let signed = || {
        let mut signatures = results.iter().flat_map(|results| &results.signatures);
        signatures.any(|s| s.result == DkimResult::Pass && registered(&s.domain) == of_sender)
    };
    by_spf || signed()
}
