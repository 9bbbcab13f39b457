//! DNS: does each resolver answer, and does it tell the truth about names that do not exist.

use super::{QUICK, report::Check};
use mailward_core::{
    authentication::Resolver,
    config::Config,
    lookup::{Deadline, Outcome, all, dns::DnsSettings},
};
use std::{net::SocketAddr, sync::Arc};

const AREA: &str = "dns";
/// A name that exists for good (RFC 2606 §3).
const KNOWN: &str = "example.com";
/// Resolvers that anybody may use, and that most block lists therefore do not answer.
const PUBLIC: [&str; 10] = [
    "1.0.0.1",
    "1.1.1.1",
    "8.8.4.4",
    "8.8.8.8",
    "9.9.9.9",
    "149.112.112.112",
    "208.67.220.220",
    "208.67.222.222",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
];

pub(super) async fn check(config: Arc<Config>) -> Vec<Check> {
    if config.dns.servers.is_empty() {
        return examine("the system's resolver".to_owned(), &config.dns).await;
    }
    let one = |&server: &SocketAddr| {
        let settings = DnsSettings { servers: vec![server], ..config.dns.clone() };
        async move {
            let mut checks = examine(server.to_string(), &settings).await;
            if PUBLIC.iter().any(|public| public.parse() == Ok(server.ip())) {
                checks.push(Check::warning(
                    AREA,
                    format!("{server} is a public resolver"),
                    "block lists refuse questions from it; run a resolver of your own, such as unbound",
                ));
            }
            checks
        }
    };
    all(config.dns.servers.iter().map(one)).await.concat()
}

async fn examine(name: String, settings: &DnsSettings) -> Vec<Check> {
    let dns = match Resolver::open(settings) {
        Ok(resolver) => resolver.dns(),
        Err(why) => return vec![super::no_resolver(&why)],
    };
    let deadline = Deadline::after(QUICK);
    let nowhere = format!("mailward-{}.{KNOWN}", super::random_word());
    let (known, unknown) = tokio::join!(dns.a(KNOWN, deadline), dns.a(&nowhere, deadline));
    let known = match known {
        Outcome::Done(found) if found.is_empty() => Check::problem(
            AREA,
            format!("{name} says that {KNOWN} does not exist"),
            "the resolver answers, but not for the internet: SPF, DKIM and block lists need that; see its forwarders",
        ),
        Outcome::Done(_) => Check::ok(AREA, format!("{name} answers")),
        trouble => Check::problem(
            AREA,
            format!("{name} does not resolve {KNOWN}: {}", trouble.trouble().unwrap_or_default()),
            "see whether the resolver runs and may be asked from here, or name another in [dns] servers",
        ),
    };
    let mut checks = vec![known];
    match unknown {
        Outcome::Done(found) if found.is_empty() => {
            checks.push(Check::ok(AREA, format!("{name} tells names that do not exist")));
        }
        Outcome::Done(found) => checks.push(Check::problem(
            AREA,
            format!("{name} answers {} for a name that does not exist", found[0]),
            "it forges answers: every client would seem listed and every sender real; use another resolver",
        )),
        _ => {} // said above
    }
    checks
}
