//! DNS: one resolver and one cache for all rooms, and a scripted twin.

mod wire;
mod zone;

pub use zone::{Asked, Entry, Found, Pointer, Trouble, Zone};

use super::{Deadline, Meter, Outcome, meter::Service};
use hickory_resolver::{
    TokioResolver,
    config::{ResolverConfig, ResolverOpts},
};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// How DNS is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// Resolvers to ask; empty: those of the system.
    pub servers: Vec<SocketAddr>,
    /// Longest wait for one try.
    pub timeout: Duration,
    /// Tries of one question, the first included.
    pub attempts: usize,
    /// Most answers kept in memory.
    pub cache_entries: u64,
}

impl Default for DnsSettings {
    fn default() -> Self {
        DnsSettings { servers: Vec::new(), timeout: Duration::from_secs(2), attempts: 2, cache_entries: 32_768 }
    }
}

impl DnsSettings {
    /// The servers that are asked: those set, else those of the system.
    pub fn servers_in_force(&self) -> Vec<SocketAddr> {
        wire::servers(self)
    }

    /// The settings in the resolver library's own words. A host file, a search list and the system's options are not
    /// used: a name of a message is always a full name.
    pub fn resolver_parts(&self) -> (ResolverConfig, ResolverOpts) {
        wire::parts(self)
    }
}

/// Asks DNS. NXDOMAIN and an answer without records of the type are `Done` with nothing; SERVFAIL, REFUSED and garbage
/// are `Unavailable`. Clones share the cache.
#[derive(Clone)]
pub struct Dns(Source, Meter);

#[derive(Clone)]
enum Source {
    Wire(Box<TokioResolver>),
    Scripted(Arc<Zone>),
}

impl Dns {
    /// Asks through a resolver; its cache is shared with whoever holds another clone of it.
    pub fn sharing(resolver: TokioResolver) -> Self {
        Dns(Source::Wire(Box::new(resolver)), Meter::default())
    }

    /// Answers from a zone, without network.
    pub fn scripted(zone: Arc<Zone>) -> Self {
        Dns(Source::Scripted(zone), Meter::default())
    }

    /// Counts its questions there.
    #[must_use]
    pub fn metered(self, meter: &Meter) -> Self {
        Dns(self.0, meter.clone())
    }

    /// IPv4 addresses of a name.
    pub async fn a(&self, name: &str, deadline: Deadline) -> Outcome<Vec<Ipv4Addr>> {
        match &self.0 {
            Source::Wire(resolver) => self.1.ask(Service::Dns, wire::a(resolver, name, deadline)).await,
            Source::Scripted(zone) => zone.find(name).records(|entry| entry.a.clone()),
        }
    }

    /// IPv6 addresses of a name.
    pub async fn aaaa(&self, name: &str, deadline: Deadline) -> Outcome<Vec<Ipv6Addr>> {
        match &self.0 {
            Source::Wire(resolver) => self.1.ask(Service::Dns, wire::aaaa(resolver, name, deadline)).await,
            Source::Scripted(zone) => zone.find(name).records(|entry| entry.aaaa.clone()),
        }
    }

    /// Names of an address, lower case, without the final dot.
    pub async fn ptr(&self, ip: IpAddr, deadline: Deadline) -> Outcome<Vec<String>> {
        match &self.0 {
            Source::Wire(resolver) => self.1.ask(Service::Dns, wire::ptr(resolver, ip, deadline)).await,
            Source::Scripted(zone) => zone.pointer(ip),
        }
    }

    /// Texts of a name; the strings of one record are joined (RFC 7208 §3.3).
    pub async fn txt(&self, name: &str, deadline: Deadline) -> Outcome<Vec<String>> {
        match &self.0 {
            Source::Wire(resolver) => self.1.ask(Service::Dns, wire::txt(resolver, name, deadline)).await,
            Source::Scripted(zone) => zone.find(name).records(|entry| entry.txt.clone()),
        }
    }

    /// Mail exchangers of a name, the preferred first, without the final dot. A null MX (RFC 7505) is an empty name.
    pub async fn mx(&self, name: &str, deadline: Deadline) -> Outcome<Vec<(u16, String)>> {
        let answer = match &self.0 {
            Source::Wire(resolver) => self.1.ask(Service::Dns, wire::mx(resolver, name, deadline)).await,
            Source::Scripted(zone) => zone.find(name).records(|entry| entry.mx.clone()),
        };
        answer.map(|mut exchangers| {
            exchangers.sort();
            exchangers
        })
    }
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::Wire(_) => "Dns(wire)",
            Source::Scripted(_) => "Dns(scripted)",
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
