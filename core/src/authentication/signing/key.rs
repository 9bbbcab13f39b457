//! Private keys of signatures: read from a file, made anew, and their public half as DNS publishes it.

use super::base64;
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa,
    signature::{Ed25519KeyPair, KeyPair},
};
use mail_auth::crypto::{DkimKey, Ed25519Key, RsaKey};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use std::{fmt, fs, os::unix::fs::PermissionsExt, path::Path};

/// Largest file of a key. Unit: bytes. Source: our own limit; a key of 8192 bits has 7 kB.
const FILE_BYTES: u64 = 64 << 10;
/// Characters in a line of a PEM file. Source: RFC 7468 §2.
const PEM_LINE: usize = 64;
/// The object identifier of Ed25519 in DER (RFC 8410 §3).
const ED25519_OID: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// `rsa-sha256` (RFC 6376 §3.3.1).
    Rsa,
    /// `ed25519-sha256` (RFC 8463).
    Ed25519,
}

impl KeyKind {
    /// The word of the tag `k=` in DNS.
    pub fn word(self) -> &'static str {
        match self {
            KeyKind::Rsa => "rsa",
            KeyKind::Ed25519 => "ed25519",
        }
    }

    /// The word of the tag `a=` in signatures.
    pub fn algorithm(self) -> &'static str {
        match self {
            KeyKind::Rsa => "rsa-sha256",
            KeyKind::Ed25519 => "ed25519-sha256",
        }
    }
}

/// Size of a new RSA key. Larger ones than 2048 bits need a TXT record of several strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RsaBits {
    /// 2048: what RFC 8301 §3.2 asks for.
    B2048,
    /// 3072.
    B3072,
    /// 4096: the most that all verifiers must know (RFC 8301 §3.2).
    B4096,
}

/// A private key with its public half.
pub struct PrivateKey {
    /// What it signs with.
    pub kind: KeyKind,
    pub(super) key: DkimKey,
    /// As the tag `p=` has it before base64: SubjectPublicKeyInfo of RSA, 32 bytes of Ed25519.
    public: Vec<u8>,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.kind.word())
    }
}

impl PrivateKey {
    /// Reads a file in PEM or DER: PKCS#8, or PKCS#1 of RSA.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is open to everybody, or holds no such key; the text says what to do.
    pub fn read(file: &Path) -> Result<Self, String> {
        let about = fs::metadata(file).map_err(|error| format!("cannot be read: {error}"))?;
        let mode = about.permissions().mode() & 0o777;
        if mode & 0o007 != 0 {
            return Err(format!(
                "is open to everybody (mode {mode:03o}); close it with: chmod o= {}, and make a new key if others have \
                 accounts here",
                file.display()
            ));
        }
        if about.len() > FILE_BYTES {
            return Err(format!("has {} bytes, which is no key", about.len()));
        }
        Self::parse(&fs::read(file).map_err(|error| format!("cannot be read: {error}"))?)
    }

    /// The same from the bytes of a file.
    ///
    /// # Errors
    ///
    /// If they are no such key.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let form = "holds no private key in PEM or DER (PKCS#8, or PKCS#1 of RSA, without passphrase)";
        let der = match bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
            true => PrivateKeyDer::from_pem_slice(bytes).map_err(|_| form.to_owned())?,
            false => PrivateKeyDer::try_from(bytes.to_vec()).map_err(|_| form.to_owned())?,
        };
        match &der {
            PrivateKeyDer::Pkcs8(key) if is_ed25519(key.secret_pkcs8_der()) => Self::ed25519(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs8(key) => Self::rsa(rsa::KeyPair::from_pkcs8(key.secret_pkcs8_der()), der),
            PrivateKeyDer::Pkcs1(key) => Self::rsa(rsa::KeyPair::from_der(key.secret_pkcs1_der()), der),
            _ => Err("is neither an RSA nor an Ed25519 key".to_owned()),
        }
    }

    fn rsa(pair: Result<rsa::KeyPair, aws_lc_rs::error::KeyRejected>, der: PrivateKeyDer<'_>) -> Result<Self, String> {
        let refused = |why: &dyn fmt::Display| {
            format!("is no RSA key that may sign ({why}); it must have 2048 to 8192 bits (RFC 8301)")
        };
        let pair = pair.map_err(|error| refused(&error))?;
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).map_err(|error| refused(&error))?;
        let key = RsaKey::from_key_der(der).map_err(|error| refused(&error))?;
        Ok(PrivateKey { kind: KeyKind::Rsa, key: key.into(), public: public.as_ref().to_vec() })
    }

    fn ed25519(der: &[u8]) -> Result<Self, String> {
        let key = Ed25519Key::from_pkcs8_maybe_unchecked_der(der)
            .map_err(|error| format!("is a damaged Ed25519 key: {error}"))?;
        Ok(PrivateKey { kind: KeyKind::Ed25519, public: key.public_key(), key: key.into() })
    }

    /// The value of the TXT record that publishes the public half (RFC 6376 §3.6.1).
    pub fn record(&self) -> String {
        format!("v=DKIM1; k={}; p={}", self.kind.word(), base64::encode(&self.public))
    }

    /// Whether a TXT record publishes this key.
    ///
    /// # Errors
    ///
    /// What is wrong with the record.
    pub fn fits(&self, record: &str) -> Result<(), &'static str> {
        let tag = |name: &str| {
            let value = record.split(';').filter_map(|tag| tag.split_once('=')).find(|(key, _)| key.trim() == name)?.1;
            Some(value.chars().filter(|c| !c.is_ascii_whitespace()).collect::<String>())
        };
        let kind = tag("k").unwrap_or_else(|| KeyKind::Rsa.word().to_owned());
        match tag("p") {
            None => Err("it is no key record: there is no p="),
            Some(key) if key.is_empty() => Err("the key is revoked: p= is empty"),
            Some(_) if kind != self.kind.word() => Err("it publishes a key of another kind"),
            Some(key) if key != base64::encode(&self.public) => Err("it publishes another key"),
            Some(_) => Ok(()),
        }
    }
}

fn is_ed25519(pkcs8: &[u8]) -> bool {
    pkcs8.get(..32).unwrap_or(pkcs8).windows(ED25519_OID.len()).any(|window| window == ED25519_OID)
}

/// A new RSA key as the text of a PEM file.
///
/// # Errors
///
/// If the library cannot make one.
pub fn generate_rsa(bits: RsaBits) -> Result<String, String> {
    let size = match bits {
        RsaBits::B2048 => rsa::KeySize::Rsa2048,
        RsaBits::B3072 => rsa::KeySize::Rsa3072,
        RsaBits::B4096 => rsa::KeySize::Rsa4096,
    };
    let pair = rsa::KeyPair::generate(size).map_err(|error| error.to_string())?;
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|error| error.to_string())?;
    Ok(pem(der.as_ref()))
}

/// A new Ed25519 key as the text of a PEM file.
///
/// # Errors
///
/// If the library cannot make one.
pub fn generate_ed25519() -> Result<String, String> {
    let pair = Ed25519KeyPair::generate().map_err(|error| error.to_string())?;
    let der = pair.to_pkcs8v1().map_err(|error| error.to_string())?;
    Ok(pem(der.as_ref()))
}

fn pem(der: &[u8]) -> String {
    let text = base64::encode(der);
    let mut out = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(PEM_LINE.min(rest.len()));
        out.push_str(line);
        out.push('\n');
        rest = behind;
    }
    out + "-----END PRIVATE KEY-----\n"
}
