//! Whether a message is from whom it says: SPF, DKIM, ARC, DMARC, and the header that tells (RFC 8601).
//!
//! mail-auth is named only here. Its results are turned into plain data of our own ([`SpfResults`], [`Results`]), which
//! are recorded and judged without it.

mod arc_trust;
mod broken;
mod fields;
mod forged;
mod header;
mod judge;
mod memo;
mod resolver;
mod results;
mod sender;
mod settings;
pub mod signing;
mod spf;
mod verify;

pub use broken::broken_by;
pub use header::Facts;
pub use resolver::Resolver;
pub use results::{
    Arc, ArcResult, ArcSet, DkimResult, Dmarc, DmarcResult, From, Policy, Results, Signature, SpfIdentity, SpfResult,
    SpfResults,
};
pub use sender::proves_sender;
pub use settings::{DmarcMode, ResultPoints, Settings};

pub use forged::forged;

/// The room with its resolver.
#[derive(Debug, Clone)]
pub struct Authenticator {
    settings: Settings,
    resolver: Resolver,
}

impl Authenticator {
    /// A room that asks through `resolver`. A reload keeps the resolver, and with it the DNS cache.
    pub fn new(settings: Settings, resolver: Resolver) -> Self {
        Authenticator { settings, resolver }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The resolver, for [`Resolver::dns`] and reloads.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Our name in Authentication-Results (RFC 8601 §2.5): that of the settings, else the receiving MTA's.
    pub fn authserv_id(&self, mta_name: Option<&str>) -> String {
        let id = self.settings.authserv_id.as_deref().or(mta_name).map(str::trim).filter(|id| !id.is_empty());
        id.unwrap_or("localhost").to_ascii_lowercase()
    }
}

#[cfg(test)]
mod tests;
