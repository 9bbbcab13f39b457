//! SPF for the name in HELO and for the sender (RFC 7208).

use super::{Authenticator, SpfIdentity, SpfResult, SpfResults};
use crate::{
    lookup::{Deadline, Outcome},
    session::ReversePath,
};
use mail_auth::{Parameters, spf::verify::SpfParameters};
use std::net::IpAddr;

impl Authenticator {
    /// Checks both identities of a session, at once. `mta` is the name of the receiving MTA, for the macro `r`. What has
    /// no answer by the deadline is a `temperror`.
    pub async fn spf(&self, ip: IpAddr, helo: &str, mta: &str, sender: &ReversePath, deadline: Deadline) -> SpfResults {
        let ip = ip.to_canonical();
        let helo = domain(helo);
        let check_helo = async {
            let helo = helo.as_deref()?;
            Some(self.check(ip, helo, mta, format!("postmaster@{helo}"), helo.to_owned(), deadline).await)
        };
        let identity = match sender {
            ReversePath::Mailbox(address) if !address.domain.is_empty() => {
                domain(&address.domain).map(|domain| (format!("{}@{domain}", address.local), domain))
            }
            _ => None,
        };
        let check_mail = async {
            let (identity, domain) = identity?;
            Some(self.check(ip, helo.as_deref().unwrap_or("unknown"), mta, identity, domain, deadline).await)
        };
        let (helo_checked, mail) = tokio::join!(check_helo, check_mail);
        // RFC 7208 §2.4: without a sender, the mailbox is postmaster at HELO, which was just checked.
        let is_bare = sender.mailbox().is_none_or(|address| address.domain.is_empty());
        let mail = if is_bare { helo_checked.clone() } else { mail };
        let helo = helo_checked.map(|checked| SpfIdentity { identity: checked.domain.clone(), ..checked });
        SpfResults { helo, mail }
    }

    async fn check(
        &self,
        ip: IpAddr,
        helo: &str,
        mta: &str,
        identity: String,
        domain: String,
        deadline: Deadline,
    ) -> SpfIdentity {
        let memo = self.resolver.memo();
        let parameters = Parameters::new(SpfParameters::mail_from(ip, helo, mta, &identity)).with_cache(&*memo);
        let result = match deadline.bound(self.resolver.inner.check_host(parameters)).await {
            Outcome::Done(output) => result_of(output.result()),
            _ => SpfResult::Temperror,
        };
        SpfIdentity { identity, domain, result }
    }
}

/// A name that SPF can be asked for: lower case, not an address, with a dot.
fn domain(name: &str) -> Option<String> {
    let name = name.trim().trim_end_matches('.');
    let is_name = name.contains('.')
        && name.len() <= 253
        && !name.starts_with('[')
        && name.parse::<IpAddr>().is_err()
        && !name.chars().any(|c| c.is_control() || c.is_whitespace());
    is_name.then(|| idna::domain_to_ascii(name).unwrap_or_else(|_| name.to_ascii_lowercase()))
}

fn result_of(result: mail_auth::SpfResult) -> SpfResult {
    match result {
        mail_auth::SpfResult::Pass => SpfResult::Pass,
        mail_auth::SpfResult::Fail => SpfResult::Fail,
        mail_auth::SpfResult::SoftFail => SpfResult::Softfail,
        mail_auth::SpfResult::Neutral => SpfResult::Neutral,
        mail_auth::SpfResult::TempError => SpfResult::Temperror,
        mail_auth::SpfResult::PermError => SpfResult::Permerror,
        mail_auth::SpfResult::None => SpfResult::None,
    }
}
