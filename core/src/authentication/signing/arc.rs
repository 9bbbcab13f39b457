//! ARC seals (RFC 8617): what this host found on mail that it passes on, for receivers that trust it.

use super::{BARE_CR, Borrowed, FIELD, PrivateKey, SIGNED, has_bare_cr};
use crate::{
    authentication::Authenticator,
    lookup::{Deadline, Outcome},
    message,
};
use mail_auth::{
    ArcResult, AuthenticatedMessage, AuthenticationResults, Parameters, arc::ArcSealer, headers::HeaderWriter,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Names of the fields of a set, in the order in which they are put on top: the seal comes last.
const FIELDS: [&str; 3] = ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"];

/// `[outbound.arc]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealSettings {
    /// Where the key is named, for faults.
    pub place: String,
    /// Who seals (`d=`). Lower case ASCII.
    pub domain: String,
    /// Under which name the key is published (`s=`).
    pub selector: String,
    /// File with the private key.
    pub key: PathBuf,
    /// Whether inbound mail is sealed too, since the MTA may forward it.
    pub inbound: bool,
}

impl SealSettings {
    /// The name of the TXT record with the public half.
    pub fn record_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }
}

/// A key that seals.
#[derive(Debug)]
pub struct Sealer {
    settings: SealSettings,
    key: PrivateKey,
}

/// A set of fields, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// As explanations name it.
    pub label: String,
    /// Names and bodies, folded by LF, in the order in which they are put on top.
    pub fields: Vec<(String, String)>,
}

impl Sealer {
    /// Reads the key.
    ///
    /// # Errors
    ///
    /// What is wrong with its file, with the place of its entry.
    pub fn load(settings: SealSettings) -> Result<Self, Vec<String>> {
        match PrivateKey::read(&settings.key) {
            Ok(key) => Ok(Sealer { settings, key }),
            Err(why) => Err(vec![format!("{}: outbound.arc.key: {} {why}", settings.place, settings.key.display())]),
        }
    }

    /// How it seals.
    pub fn settings(&self) -> &SealSettings {
        &self.settings
    }

    /// Its key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }
}

/// Whether a message carries what a seal can keep: somebody's signature or seal.
pub fn is_signed<'n>(mut names: impl Iterator<Item = &'n str>) -> bool {
    names.any(|name| [FIELD, "ARC-Seal"].iter().any(|signed| name.trim_end().eq_ignore_ascii_case(signed)))
}

impl Authenticator {
    /// Seals a message in wire form. `raw` is it as it came, whose chain is verified; `leaving` with the edits that the MTA
    /// makes. `results` is the value of an Authentication-Results field. Waits for DNS until the deadline, and hashes.
    ///
    /// # Errors
    ///
    /// Why there is no seal: a chain that fails, or failed before, is not gone on with (RFC 8617 §5.1.2).
    pub async fn seal(
        &self,
        sealer: &Sealer,
        raw: &[u8],
        leaving: &[u8],
        results: &str,
        deadline: Deadline,
    ) -> Result<Sealed, String> {
        if has_bare_cr(leaving) {
            return Err(BARE_CR.to_owned());
        }
        let parsed = |bytes| AuthenticatedMessage::parse(bytes).ok_or("the message has no header");
        let (came, leaves) = (parsed(raw)?, parsed(leaving)?);
        let memo = self.resolver.memo();
        let verify = self.resolver.inner.verify_arc(Parameters::new(&came).with_cache(&*memo));
        let chain = match deadline.bound(verify).await {
            Outcome::Done(chain) => chain,
            _ => return Err("DNS did not answer in time".to_owned()),
        };
        if matches!(chain.result(), ArcResult::TempError(_)) {
            return Err("DNS did not answer".to_owned());
        }
        let verdict = match chain.result() {
            _ if !chain.can_be_sealed() => return Err("the chain of seals is broken".to_owned()),
            ArcResult::None => "none",
            ArcResult::Pass => "pass",
            _ => return Err("the chain of seals is broken".to_owned()),
        };
        // One line: what the seal hashes has no folds, and they are put in afterwards.
        let results = results.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        let results = AuthenticationResults::new(&results);
        let settings = &sealer.settings;
        let set = ArcSealer::from_key(Borrowed(&sealer.key))
            .domain(&settings.domain)
            .selector(&settings.selector)
            .headers(sealed_fields(leaving))
            .seal(&leaves, &results, &chain)
            .map_err(|error| error.to_string())?;
        let number = chain.chain().len() + 1;
        let written = set.to_header();
        let (fields, _) = message::split(written.as_bytes());
        let field = |name: &&str| {
            let field = fields.iter().find(|field| message::name_of(field) == name.as_bytes())?;
            let value = String::from_utf8_lossy(field.get(name.len() + 1..)?).trim().replace("\r\n", "\n");
            // White space counts as one blank (RFC 6376 §3.4.2).
            let value = if *name == FIELDS[0] { value.replace("; ", ";\n\t") } else { value };
            Some(((*name).to_owned(), value))
        };
        Ok(Sealed {
            label: format!("ARC i={number} cv={verdict} d={} s={}", settings.domain, settings.selector),
            fields: FIELDS.iter().filter_map(field).collect(),
        })
    }
}

/// The fields that the message has, signatures of others among them (RFC 8617 §4.1.2).
fn sealed_fields(raw: &[u8]) -> Vec<&'static str> {
    let (fields, _) = message::split(raw);
    let is_there =
        |name: &&&str| fields.iter().any(|field| message::name_of(field).eq_ignore_ascii_case(name.as_bytes()));
    SIGNED.iter().chain(&[FIELD]).filter(is_there).copied().collect()
}
