//! The MX hosts of the site's domains: named in DNS, and reachable on port 25.

use super::{QUICK, report::Check};
use mailward_core::{
    config::Config,
    lookup::{Deadline, Outcome, all, dns::Dns},
};
use std::{io, net::IpAddr, sync::Arc, time::Duration};
use tokio::{io::AsyncReadExt, net::TcpStream};

const AREA: &str = "mx";
/// Longest wait for a connection. Unit: time. Source: our own limit; hosts answer within a round trip.
const CONNECT: Duration = Duration::from_secs(4);
/// Most hosts and domains that are tried. Source: our own limit.
const TRIED: usize = 20;

/// How a host took the connection.
enum Reached {
    Yes,
    Refused(String),
    /// Takes the connection and says nothing.
    Mute,
    Silent,
}

pub(super) async fn check(config: Arc<Config>, dns: Dns) -> Vec<Check> {
    if config.directory.domains.is_empty() {
        return vec![Check::skipped(AREA, "no [directory] domains are configured")];
    }
    let mut checks = Vec::new();
    let mut hosts: Vec<String> = Vec::new();
    let deadline = Deadline::after(QUICK);
    let domains = config.directory.domains.iter().take(TRIED);
    let dns = &dns;
    let answers = all(domains.map(|domain| async move { (domain, dns.mx(domain, deadline).await) })).await;
    for (domain, answer) in answers {
        match answer {
            Outcome::Done(found) if found.iter().all(|(_, host)| host.is_empty()) => checks.push(Check::warning(
                AREA,
                format!("{domain} has no MX in DNS"),
                "publish one, or take the domain out of [directory] domains if it gets no mail from outside",
            )),
            Outcome::Done(found) => {
                let names: Vec<&str> = found.iter().map(|(_, host)| host.as_str()).collect();
                checks.push(Check::ok(AREA, format!("{domain} has MX {}", names.join(", "))));
                hosts.extend(found.into_iter().map(|(_, host)| host));
            }
            trouble => checks.push(Check::problem(
                AREA,
                format!("the MX of {domain} cannot be looked up: {}", trouble.trouble().unwrap_or_default()),
                "see the check of dns",
            )),
        }
    }
    hosts.sort();
    hosts.dedup();
    hosts.truncate(TRIED);
    let reached = all(hosts.iter().map(|host| async move { (host, reach(host, dns).await) })).await;
    let all_silent = !reached.is_empty() && reached.iter().all(|(_, reached)| matches!(reached, Ok(Reached::Silent)));
    if all_silent {
        checks.push(Check::warning(
            AREA,
            format!("no answer on port 25 from {}", hosts.join(", ")),
            "outgoing port 25 seems to be blocked here, as many providers do: try from outside; or a firewall stands \
             before the hosts",
        ));
        return checks;
    }
    checks.extend(reached.into_iter().map(|(host, reached)| told(host, reached)));
    checks
}

fn told(host: &str, reached: Result<Reached, String>) -> Check {
    match reached {
        Ok(Reached::Yes) => Check::ok(AREA, format!("{host} answers on port 25")),
        Ok(Reached::Mute) => Check::warning(
            AREA,
            format!("{host} takes connections on port 25, but does not greet"),
            "its server hangs or waits long before it greets, or a firewall answers in its place",
        ),
        Ok(Reached::Silent) => Check::warning(
            AREA,
            format!("{host} does not answer on port 25"),
            "see whether the host runs and its firewall lets port 25 in",
        ),
        Ok(Reached::Refused(why)) => Check::problem(
            AREA,
            format!("{host} cannot be reached on port 25: {why}"),
            "nobody listens there: start its mail server, or take the host out of the MX records",
        ),
        Err(why) => Check::problem(
            AREA,
            format!("{host} has no address: {why}"),
            "publish an A or AAAA record for it; senders cannot deliver to an MX without address",
        ),
    }
}

async fn reach(host: &str, dns: &Dns) -> Result<Reached, String> {
    let deadline = Deadline::after(QUICK);
    let (v4, v6) = tokio::join!(dns.a(host, deadline), dns.aaaa(host, deadline));
    let trouble = v4.trouble();
    let v4 = v4.done().into_iter().flatten().copied().map(IpAddr::V4);
    let addresses: Vec<IpAddr> = v4.chain(v6.done().into_iter().flatten().copied().map(IpAddr::V6)).collect();
    if addresses.is_empty() {
        return Err(trouble.unwrap_or_else(|| "DNS knows none".to_owned()));
    }
    let mut best = Reached::Silent;
    for outcome in all(addresses.iter().map(|&ip| connect(ip))).await {
        match outcome {
            Ok(true) => return Ok(Reached::Yes),
            Ok(false) => best = Reached::Mute,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                best = Reached::Refused(error.to_string());
            }
            // No way there, or no answer.
            Err(_) => {}
        }
    }
    Ok(best)
}

/// Whether a server greets (RFC 5321 §3.1): a firewall or proxy may take any connection.
async fn connect(ip: IpAddr) -> io::Result<bool> {
    let mut stream = match Deadline::after(CONNECT).bound(TcpStream::connect((ip, 25))).await {
        Outcome::Done(connected) => connected?,
        _ => return Err(io::ErrorKind::TimedOut.into()),
    };
    let mut code = [0; 3];
    let greeted = Deadline::after(CONNECT).bound(stream.read_exact(&mut code)).await;
    Ok(matches!(greeted, Outcome::Done(Ok(_))) && code.iter().all(u8::is_ascii_digit))
}
