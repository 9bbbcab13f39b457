//! Signatures of our own on mail that leaves the site: DKIM (RFC 6376), by RSA and Ed25519 (RFC 8463), and ARC seals.

mod arc;
mod base64;
mod key;
mod settings;

pub use arc::{SealSettings, Sealed, Sealer, is_signed};
pub use key::{KeyKind, PrivateKey, RsaBits, generate_ed25519, generate_rsa};
pub use settings::{Canonicalization, KeySettings, SEALED, SIGNED};

use crate::message;
use mail_auth::{
    crypto::{Algorithm, Sha256, SigningKey},
    dkim::{self, DkimSigner},
    headers::{HeaderWriter, Writable},
};

/// Name of the field that holds a signature.
pub const FIELD: &str = "DKIM-Signature";

/// All keys of a site.
#[derive(Debug, Default)]
pub struct Signers(Vec<Signer>);

/// One key, and how it signs.
#[derive(Debug)]
pub struct Signer {
    settings: KeySettings,
    key: PrivateKey,
}

impl Signers {
    /// Reads the keys.
    ///
    /// # Errors
    ///
    /// What is wrong with their files, each with the place of its entry.
    pub fn load(settings: Vec<KeySettings>) -> Result<Self, Vec<String>> {
        let (mut signers, mut faults) = (Vec::new(), Vec::new());
        for settings in settings {
            match PrivateKey::read(&settings.key) {
                Ok(key) => signers.push(Signer { settings, key }),
                Err(why) => {
                    faults.push(format!("{}: outbound.dkim.key: {} {why}", settings.place, settings.key.display()));
                }
            }
        }
        if faults.is_empty() { Ok(Signers(signers)) } else { Err(faults) }
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All keys, in the order of the file.
    pub fn all(&self) -> &[Signer] {
        &self.0
    }

    /// Whether a key is meant for an author's domain, in force or not.
    pub fn know(&self, domain: &str) -> bool {
        self.0.iter().any(|signer| signer.settings.nearness(domain).is_some())
    }

    /// The keys that sign for an author's domain (lower case ASCII) at this time: of those in force the ones whose name is
    /// nearest. Unit of `now`: Unix seconds.
    pub fn of_author(&self, domain: &str, now: i64) -> Vec<&Signer> {
        let fitting = self.0.iter().filter(|signer| signer.settings.in_force(now));
        let mut fitting: Vec<(usize, &Signer)> =
            fitting.filter_map(|signer| Some((signer.settings.nearness(domain)?, signer))).collect();
        let nearest = fitting.iter().map(|(nearness, _)| *nearness).max();
        fitting.retain(|(nearness, _)| Some(*nearness) == nearest);
        fitting.into_iter().map(|(_, signer)| signer).collect()
    }
}

/// Whether a carriage return stands without a line feed: some verifiers drop it before they hash, others keep it.
fn has_bare_cr(raw: &[u8]) -> bool {
    memchr::memchr_iter(b'\r', raw).any(|at| raw.get(at + 1) != Some(&b'\n'))
}

const BARE_CR: &str = "the message has a carriage return without line feed";

/// A selector whose key panics.
#[cfg(test)]
pub(crate) const PANICS: &str = "panics";

impl Signer {
    /// How it signs.
    pub fn settings(&self) -> &KeySettings {
        &self.settings
    }

    /// Its key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// What signs, as signatures and explanations name it.
    pub fn label(&self) -> String {
        let KeySettings { domain, selector, .. } = &self.settings;
        format!("d={domain} s={selector} a={}", self.key.kind.algorithm())
    }

    /// The body of the field [`FIELD`] for a message in wire form, folded by LF and a tab. It takes as long as hashing the
    /// message, and for RSA half a millisecond more. `t=` is the time of the host.
    ///
    /// # Errors
    ///
    /// If the message is none that all verifiers hash alike, or the library cannot sign.
    pub fn sign(&self, raw: &[u8]) -> Result<String, String> {
        let settings = &self.settings;
        #[cfg(test)]
        assert_ne!(settings.selector, PANICS);
        if has_bare_cr(raw) {
            return Err(BARE_CR.to_owned());
        }
        let canonicalization = |form| match form {
            Canonicalization::Simple => dkim::Canonicalization::Simple,
            Canonicalization::Relaxed => dkim::Canonicalization::Relaxed,
        };
        let (header, body) = settings.canonicalization;
        let signer = DkimSigner::from_key(Borrowed(&self.key))
            .domain(&settings.domain)
            .selector(&settings.selector)
            .headers(self.signed_fields(raw))
            .header_canonicalization(canonicalization(header))
            .body_canonicalization(canonicalization(body))
            .expiration(settings.expire.unwrap_or_default());
        let field = signer.sign(raw).map_err(|error| error.to_string())?.to_header();
        let value = field.strip_prefix(FIELD).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&field);
        Ok(value.trim_end().replace("\r\n", "\n"))
    }

    /// The names for `h=`: fields that the message has, and once more those that nobody may add.
    fn signed_fields(&self, raw: &[u8]) -> Vec<&str> {
        let (fields, _) = message::split(raw);
        let is_there =
            |name: &str| fields.iter().any(|field| message::name_of(field).eq_ignore_ascii_case(name.as_bytes()));
        let sealed = |name: &str| SEALED.iter().any(|sealed| sealed.eq_ignore_ascii_case(name));
        let named = || self.settings.headers.iter().map(String::as_str);
        let unnamed = |name: &&str| !named().any(|known| known.eq_ignore_ascii_case(name));
        let names = || named().chain(SEALED.iter().copied().filter(unnamed));
        names().filter(|name| is_there(name)).chain(names().filter(|name| sealed(name))).collect()
    }
}

/// A key that a signer of one message borrows.
struct Borrowed<'k>(&'k PrivateKey);

impl SigningKey for Borrowed<'_> {
    type Hasher = Sha256;

    fn sign(&self, input: impl Writable) -> mail_auth::Result<Vec<u8>> {
        self.0.key.sign(input)
    }

    fn algorithm(&self) -> Algorithm {
        self.0.key.algorithm()
    }
}

#[cfg(test)]
mod tests;
