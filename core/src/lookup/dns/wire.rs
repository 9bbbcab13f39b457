//! DNS over the network, by hickory-resolver.

use super::DnsSettings;
use crate::lookup::{Deadline, Outcome};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{DnsError, NetError},
    proto::{
        op::ResponseCode,
        rr::{Name, RData, RecordType},
    },
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

/// Most questions under way at one server; past it the library answers "busy". Unit: questions. Source: 500 messages at
/// a time (`Limits::messages_in_flight`) with some eight questions each.
const QUESTIONS_UNDER_WAY: usize = 4_096;

/// Longest time that an answer is kept, whatever its TTL. Source: RFC 8767 §4 suggests days to weeks as the upper bound; a
/// day keeps a corrected record from being ignored for longer.
const LONGEST_POSITIVE: Duration = Duration::from_secs(86_400);

/// Longest time that "no such name" is kept. Source: RFC 2308 §5 advises one to three hours.
const LONGEST_NEGATIVE: Duration = Duration::from_secs(3_600);

pub(super) fn parts(settings: &DnsSettings) -> (ResolverConfig, ResolverOpts) {
    let servers = match settings.servers.as_slice() {
        [] => system_servers(),
        given => given.iter().copied().map(server).collect(),
    };
    let mut options = ResolverOpts::default();
    options.timeout = settings.timeout;
    options.attempts = settings.attempts.saturating_sub(1);
    options.cache_size = settings.cache_entries;
    options.use_hosts_file = ResolveHosts::Never;
    options.positive_max_ttl = Some(LONGEST_POSITIVE);
    options.negative_max_ttl = Some(LONGEST_NEGATIVE);
    options.max_active_requests = QUESTIONS_UNDER_WAY;
    (ResolverConfig::from_parts(None, Vec::new(), servers), options)
}

/// Where these settings ask.
pub(super) fn servers(settings: &DnsSettings) -> Vec<SocketAddr> {
    if !settings.servers.is_empty() {
        return settings.servers.clone();
    }
    let address = |server: NameServerConfig| {
        let port = server.connections.first().map_or(53, |connection| connection.port);
        SocketAddr::new(server.ip, port)
    };
    system_servers().into_iter().map(address).collect()
}

/// The servers of the system, or the local one if it names none, as resolv.conf(5) says.
fn system_servers() -> Vec<NameServerConfig> {
    match hickory_resolver::system_conf::read_system_conf() {
        Ok((config, _)) => config.into_parts().2,
        Err(_) => vec![server(SocketAddr::from((Ipv4Addr::LOCALHOST, 53)))],
    }
}

fn server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

pub(super) async fn a(resolver: &TokioResolver, name: &str, deadline: Deadline) -> Outcome<Vec<Ipv4Addr>> {
    let pick = |data: &RData| if let RData::A(a) = data { Some(a.0) } else { None };
    by_name(resolver, name, RecordType::A, deadline, pick).await
}

pub(super) async fn aaaa(resolver: &TokioResolver, name: &str, deadline: Deadline) -> Outcome<Vec<Ipv6Addr>> {
    let pick = |data: &RData| if let RData::AAAA(aaaa) = data { Some(aaaa.0) } else { None };
    by_name(resolver, name, RecordType::AAAA, deadline, pick).await
}

pub(super) async fn txt(resolver: &TokioResolver, name: &str, deadline: Deadline) -> Outcome<Vec<String>> {
    let pick = |data: &RData| match data {
        RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
        _ => None,
    };
    by_name(resolver, name, RecordType::TXT, deadline, pick).await
}

pub(super) async fn mx(resolver: &TokioResolver, name: &str, deadline: Deadline) -> Outcome<Vec<(u16, String)>> {
    let pick = |data: &RData| match data {
        RData::MX(mx) => Some((mx.preference, host(&mx.exchange))),
        _ => None,
    };
    by_name(resolver, name, RecordType::MX, deadline, pick).await
}

pub(super) async fn ptr(resolver: &TokioResolver, ip: IpAddr, deadline: Deadline) -> Outcome<Vec<String>> {
    let pick = |data: &RData| match data {
        RData::PTR(ptr) => Some(host(ptr)),
        _ => None,
    };
    records(resolver, Name::from(ip), RecordType::PTR, deadline, pick).await
}

async fn by_name<T>(
    resolver: &TokioResolver,
    name: &str,
    kind: RecordType,
    deadline: Deadline,
    pick: impl Fn(&RData) -> Option<T>,
) -> Outcome<Vec<T>> {
    // What cannot be written as a name cannot exist.
    let Ok(mut full) = Name::from_str_relaxed(name) else { return Outcome::Done(Vec::new()) };
    full.set_fqdn(true);
    records(resolver, full, kind, deadline, pick).await
}

async fn records<T>(
    resolver: &TokioResolver,
    name: Name,
    kind: RecordType,
    deadline: Deadline,
    pick: impl Fn(&RData) -> Option<T>,
) -> Outcome<Vec<T>> {
    match deadline.bound(resolver.lookup(name, kind)).await {
        Outcome::Done(Ok(answer)) => {
            Outcome::Done(answer.answers().iter().filter_map(|record| pick(&record.data)).collect())
        }
        Outcome::Done(Err(error)) => trouble(error),
        Outcome::TimedOut => Outcome::TimedOut,
        Outcome::Unavailable { why } => Outcome::Unavailable { why },
    }
}

fn trouble<T>(error: NetError) -> Outcome<Vec<T>> {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none))
            if matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError) =>
        {
            Outcome::Done(Vec::new())
        }
        NetError::Timeout => Outcome::TimedOut,
        other => Outcome::Unavailable { why: other.to_string() },
    }
}

fn host(name: &Name) -> String {
    name.to_lowercase().to_ascii().trim_end_matches('.').to_owned()
}
