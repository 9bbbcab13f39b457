//! Whether DNS publishes the keys by which outbound mail is signed and sealed.

use super::{QUICK, report::Check};
use mailward_core::{
    authentication::signing::{PrivateKey, Sealer, Signers},
    config::Config,
    lookup::{Deadline, Outcome, all, dns::Dns},
};
use std::{collections::BTreeSet, path::Path, sync::Arc};

const AREA: &str = "dkim";
/// How long before its last key runs out a domain is told. Unit: seconds. Source: our own limit; a new record needs days
/// until all see it.
const SOON: i64 = 14 * 86_400;

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
    let runs_out = runs_out(&signers, now);
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
    checks.extend(runs_out);
    checks
}

/// Domains of authors whose mail leaves without a signature, or will soon.
fn runs_out(signers: &Signers, now: i64) -> Vec<Check> {
    let named = signers
        .all()
        .iter()
        .flat_map(|signer| [&signer.settings().domain].into_iter().chain(&signer.settings().domains));
    let domains: BTreeSet<&String> = named.collect();
    let advice = "make a new key (\"mailward dkim generate\"), publish it, and add an entry for it";
    let one = |domain: &String| match (signers.of_author(domain, now), signers.of_author(domain, now + SOON)) {
        (now, _) if now.is_empty() => {
            Some(Check::problem(AREA, format!("no key for {domain} is in force; its mail leaves unsigned"), advice))
        }
        (_, soon) if soon.is_empty() => {
            Some(Check::warning(AREA, format!("the last key for {domain} ends within two weeks"), advice))
        }
        _ => None,
    };
    domains.into_iter().filter_map(one).collect()
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

#[cfg(test)]
mod tests {
    use super::{super::report::State, *};
    use mailward_core::{authentication::signing::generate_ed25519, config};
    use std::os::unix::fs::PermissionsExt;

    const DAY: i64 = 86_400;
    /// 2026-09-01.
    const END: i64 = 1_788_220_800;

    #[test]
    fn a_domain_is_told_before_and_after_its_last_key_runs_out() {
        let key = std::env::temp_dir().join(format!("mailward-doctor-dkim-{}.pem", std::process::id()));
        std::fs::write(&key, generate_ed25519().expect("a key")).expect("written");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("closed");
        let entry = |domain: &str, selector: &str, more: &str| {
            format!(
                "[[outbound.dkim]]\ndomain = \"{domain}\"\nselector = \"{selector}\"\nkey = \"{}\"\n{more}\n",
                key.display()
            )
        };
        let until = "until = \"2026-09-01\"";
        let signers = |entries: &[String]| {
            let config = config::parse("test.toml", &entries.concat()).unwrap_or_else(|faults| panic!("{faults:?}"));
            Signers::load(config.dkim_keys).expect("keys")
        };
        let ending =
            signers(&[entry("x.test", "a", &format!("{until}\ndomains = [\"y.test\"]")), entry("z.test", "a", "")]);
        let states =
            |signers: &Signers, now| runs_out(signers, now).iter().map(|check| check.state).collect::<Vec<_>>();
        assert_eq!(states(&ending, END - 15 * DAY), []);
        assert_eq!(states(&ending, END - 14 * DAY), [State::Warning; 2]);
        assert_eq!(states(&ending, END), [State::Problem; 2]);
        let renewed = signers(&[entry("x.test", "a", until), entry("x.test", "b", "from = \"2026-09-01\"")]);
        assert_eq!(states(&renewed, END - DAY), []);
        assert_eq!(states(&renewed, END), []);
        let _ = std::fs::remove_file(key);
    }
}
