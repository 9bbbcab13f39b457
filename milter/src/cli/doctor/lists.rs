//! DNS block lists: do their test entries answer as they must (RFC 5782 §5).

use super::{QUICK, report::Check};
use mailward_core::{
    config::Config,
    lookup::{Deadline, Outcome, dns::Dns},
    reputation::{Health, Reputation},
};
use std::sync::Arc;

const AREA: &str = "blocklist";

pub(super) async fn check(config: Arc<Config>, dns: Dns) -> Vec<Check> {
    if config.reputation.dnsbl.is_empty() {
        return vec![Check::skipped(AREA, "no [[reputation.dnsbl]] is configured")];
    }
    // What the files of the lists are worth is told with the configuration.
    let settings = mailward_core::reputation::Settings {
        allow_files: Vec::new(),
        deny_files: Vec::new(),
        ..config.reputation.clone()
    };
    let Ok(reputation) = Reputation::load(settings) else { return Vec::new() };
    let examined = reputation.examine(&dns, Deadline::after(QUICK)).await;
    examined.into_iter().map(|(name, health)| told(name, health)).collect()
}

fn told(name: &str, health: Outcome<Health>) -> Check {
    match health {
        Outcome::Done(Health::Sound | Health::Unprobed) => {
            Check::ok(AREA, format!("{name} lists 127.0.0.2 and not 127.0.0.1, as it must"))
        }
        Outcome::Done(Health::Refuses) => Check::problem(
            AREA,
            format!("{name} refuses our questions"),
            "lists refuse public resolvers and who asks too much: run a resolver of your own, see the terms of the \
             list, or enter its access key in the zone",
        ),
        Outcome::Done(Health::ListsEverything) => Check::problem(
            AREA,
            format!("{name} lists 127.0.0.1, which no list may: it is not believed"),
            "the list was shut down, or the resolver forges answers; take it out of the configuration",
        ),
        Outcome::Done(Health::ListsNothing) => Check::warning(
            AREA,
            format!("{name} does not list its test entry 127.0.0.2"),
            "see whether the zone is spelled right and the list is still kept",
        ),
        trouble => Check::problem(
            AREA,
            format!("{name} cannot be asked: {}", trouble.trouble().unwrap_or_default()),
            "see whether the resolver reaches the list; some lists answer only registered users",
        ),
    }
}
