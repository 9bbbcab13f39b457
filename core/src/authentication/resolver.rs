//! The resolver that all rooms share.

use super::memo::Memo;
use crate::lookup::dns::{Dns, DnsSettings, Zone};
use mail_auth::{
    MessageAuthenticator,
    hickory_resolver::config::{ResolverConfig, ResolverOpts},
};
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// Asks DNS for authentication, and gives the other rooms the same resolver with the same cache. Clones share it.
///
/// It stands here and not in `lookup` because mail-auth takes no resolver but builds its own.
#[derive(Clone)]
pub struct Resolver {
    pub(super) inner: MessageAuthenticator,
    dns: Dns,
    script: Option<Arc<Memo>>,
}

impl Resolver {
    /// A resolver that asks the network. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// If the resolver cannot be built, with the reason.
    pub fn open(settings: &DnsSettings) -> Result<Self, String> {
        let (config, options) = settings.resolver_parts();
        let inner = MessageAuthenticator::new(config, options).map_err(|why| not_built(&why))?;
        let dns = Dns::sharing(inner.resolver().clone());
        Ok(Resolver { inner, dns, script: None })
    }

    /// A resolver that answers from a zone, without network.
    ///
    /// # Errors
    ///
    /// If the resolver cannot be built, with the reason.
    pub fn scripted(zone: Zone) -> Result<Self, String> {
        let script = Some(Arc::new(Memo::of(&zone)));
        Ok(Resolver { inner: nowhere()?, dns: Dns::scripted(Arc::new(zone)), script })
    }

    /// DNS for the other rooms, with the same cache.
    pub fn dns(&self) -> Dns {
        self.dns.clone()
    }

    /// Where answers for one session or message are kept.
    pub(super) fn memo(&self) -> Arc<Memo> {
        self.script.clone().unwrap_or_default()
    }
}

/// A resolver that has nobody to ask. One serves all scripts: making one reads the system's certificates.
fn nowhere() -> Result<MessageAuthenticator, String> {
    static MADE: OnceLock<Result<MessageAuthenticator, String>> = OnceLock::new();
    let make = || {
        let mut options = ResolverOpts::default();
        options.attempts = 0;
        let config = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        MessageAuthenticator::new(config, options).map_err(|why| not_built(&why))
    };
    MADE.get_or_init(make).clone()
}

/// hickory-resolver, as mail-auth builds it, prepares DNS over TLS even where it is not used, and fails without trust
/// anchors.
fn not_built(why: &dyn fmt::Display) -> String {
    format!("cannot prepare DNS: {why} (if this system has no CA certificates, install its package ca-certificates)")
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Resolver").field(&self.dns).finish()
    }
}
