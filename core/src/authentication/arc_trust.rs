//! What lifts a DMARC failure: an honest forwarder that broke it (RFC 7960).

use super::{ArcResult, DkimResult, Results, Settings};

/// Who vouches for a message although DMARC fails, if anybody does: a trusted ARC sealer that saw DMARC pass, or a known
/// mailing list that has signed it.
pub(super) fn vouched_by(settings: &Settings, results: &Results) -> Option<String> {
    trusted_sealer(settings, results).or_else(|| mailing_list(settings, results))
}

/// The newest seals are walked while they are trusted: behind a seal that is not, everything may be invented.
fn trusted_sealer(settings: &Settings, results: &Results) -> Option<String> {
    if results.arc.result != ArcResult::Pass {
        return None;
    }
    let trusted =
        results.arc.sets.iter().rev().take_while(|set| is_or_below(&set.sealer, &settings.trusted_arc_sealers));
    trusted.into_iter().find(|set| set.dmarc_passed).map(|set| format!("ARC seal of {}", set.sealer))
}

fn mailing_list(settings: &Settings, results: &Results) -> Option<String> {
    results
        .signatures
        .iter()
        .filter(|signature| signature.result == DkimResult::Pass)
        .find(|signature| is_or_below(&signature.domain, &settings.mailing_lists))
        .map(|signature| format!("signature of mailing list {}", signature.domain))
}

fn is_or_below(domain: &str, known: &[String]) -> bool {
    known.iter().any(|known| {
        let prefix = domain.strip_suffix(known.as_str());
        prefix.is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
    })
}
