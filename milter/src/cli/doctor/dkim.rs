//! Whether DNS publishes the keys by which outbound mail is signed and sealed.

use super::{QUICK, report::Check};
use mailward_core::{
    authentication::signing::{PrivateKey, Sealer, Signers},
    config::Config,
    lookup::{Deadline, Outcome, all, dns::Dns},
};
use std::{path::Path, sync::Arc};

const AREA: &str = "dkim";

/// A key that must be in DNS.
struct Published<'k> {
    name: String,
    domain: &'k str,
    file: &'k Path,
    key: &'k PrivateKey,
    /// Whether it signs already.
    in_force: bool,
}

pub(super) async fn check(config: Arc<Config>, dns: Dns) -> Vec<Check> {
    if config.dkim_keys.is_empty() && config.arc.is_none() {
        return vec![Check::skipped(AREA, "neither [[outbound.dkim]] nor [outbound.arc] is configured")];
    }
    // What does not load is told with the configuration.
    let loaded = (Signers::load(config.dkim_keys.clone()), config.arc.clone().map(Sealer::load).transpose());
    let (Ok(signers), Ok(sealer)) = loaded else {
        return vec![Check::skipped(AREA, "the keys do not load")];
    };
    let now = crate::daemon::now();
    let (past, signing): (Vec<_>, Vec<_>) =
        signers.all().iter().partition(|signer| signer.settings().until.is_some_and(|until| until <= now));
    let signing = signing.into_iter().map(|signer| {
        let of = signer.settings();
        let in_force = of.in_force(now);
        Published { name: of.record_name(), domain: &of.domain, file: &of.key, key: signer.key(), in_force }
    });
    let sealing = sealer.iter().map(|sealer| {
        let of = sealer.settings();
        Published { name: of.record_name(), domain: &of.domain, file: &of.key, key: sealer.key(), in_force: true }
    });
    let mut checks = all(signing.chain(sealing).map(|published| one(published, &dns))).await;
    let over = |name: String| Check::skipped(AREA, format!("the key of {name} signs no more"));
    checks.extend(past.into_iter().map(|signer| over(signer.settings().record_name())));
    checks
}

async fn one(published: Published<'_>, dns: &Dns) -> Check {
    let Published { name, domain, file, key, in_force } = published;
    let file = file.display();
    let found = match dns.txt(&name, Deadline::after(QUICK)).await {
        Outcome::Done(records) => records,
        trouble => {
            let why = trouble.trouble().unwrap_or_default();
            return Check::problem(AREA, format!("{name}: {why}"), "see [dns] and the domain's name servers");
        }
    };
    let advice = format!("publish what \"mailward dkim record {domain}\" prints");
    let says = match found.as_slice() {
        [] => format!("{name} has no TXT record"),
        [record] => match key.fits(record) {
            Ok(()) => return Check::ok(AREA, format!("{name} publishes the key of {file}")),
            Err(why) => format!("{name} does not fit {file}: {why}"),
        },
        several => format!("{name} has {} TXT records, must have one", several.len()),
    };
    match in_force {
        true => Check::problem(AREA, format!("{says}; signatures fail at every verifier"), advice),
        false => Check::warning(AREA, format!("{says}; the key does not sign yet"), advice),
    }
}
