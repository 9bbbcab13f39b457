//! Whether DNS publishes the keys by which outbound mail is signed.

use super::{QUICK, report::Check};
use mailward_core::{
    authentication::signing::{Signer, Signers},
    config::Config,
    lookup::{Deadline, Outcome, all, dns::Dns},
};
use std::sync::Arc;

const AREA: &str = "dkim";

pub(super) async fn check(config: Arc<Config>, dns: Dns) -> Vec<Check> {
    if config.dkim_keys.is_empty() {
        return vec![Check::skipped(AREA, "no [[outbound.dkim]] is configured")];
    }
    // What does not load is told with the configuration.
    let signers = match Signers::load(config.dkim_keys.clone()) {
        Ok(signers) => signers,
        Err(_) => return vec![Check::skipped(AREA, "the keys do not load")],
    };
    all(signers.all().iter().map(|signer| one(signer, &dns))).await
}

async fn one(signer: &Signer, dns: &Dns) -> Check {
    let settings = signer.settings();
    let (name, now) = (settings.record_name(), crate::daemon::now());
    if settings.until.is_some_and(|until| until <= now) {
        return Check::skipped(AREA, format!("the key of {name} signs no more"));
    }
    let found = match dns.txt(&name, Deadline::after(QUICK)).await {
        Outcome::Done(records) => records,
        trouble => {
            let why = trouble.trouble().unwrap_or_default();
            return Check::problem(AREA, format!("{name}: {why}"), "see [dns] and the domain's name servers");
        }
    };
    let advice = format!("publish what \"mailward dkim record {}\" prints", settings.domain);
    let says = match found.as_slice() {
        [] => format!("{name} has no TXT record"),
        [record] => match signer.key().fits(record) {
            Ok(()) => return Check::ok(AREA, format!("{name} publishes the key of {}", settings.key.display())),
            Err(why) => format!("{name} does not fit {}: {why}", settings.key.display()),
        },
        several => format!("{name} has {} TXT records, must have one", several.len()),
    };
    match settings.in_force(now) {
        true => Check::problem(AREA, format!("{says}; signatures fail at every verifier"), advice),
        false => Check::warning(AREA, format!("{says}; the key does not sign yet"), advice),
    }
}
