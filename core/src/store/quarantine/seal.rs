//! Sealing to a public key, so that who keeps a message cannot read it again: HPKE (RFC 9180) in base mode, with X25519,
//! HKDF-SHA-256 and ChaCha20-Poly1305.

use rustls::crypto::{
    aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_CHACHA20_POLY1305 as SUITE,
    hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey},
};

/// What a sealed text is: the message.
pub(super) const CONTENT: &str = "content";
/// What a sealed text is: a [`super::Summary`].
pub(super) const SUMMARY: &str = "summary";

/// Binds what is sealed to its use.
const INFO: &[u8] = b"mailward quarantine 1";

/// Length of the secret that is sent along. Unit: bytes. Source: RFC 9180 §7.1, X25519.
const ENCAPSULATED: usize = 32;

/// Why something cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key is none.
    #[error("it could not be sealed")]
    Failed,
    /// It was changed, or sealed to another key.
    #[error("it is damaged, or the private key is not its own")]
    Damaged,
    /// There is no private key to open it.
    #[error("its private key is not there: {0}")]
    NoKey(String),
}

/// The half that seals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    /// Name of the pair.
    pub(super) id: String,
    /// X25519.
    pub(super) bytes: Vec<u8>,
}

/// The half that opens. It is wiped from memory when it goes.
pub(super) struct PrivateKey(HpkePrivateKey);

impl PrivateKey {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        PrivateKey(HpkePrivateKey::from(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.secret_bytes()
    }
}

/// A new pair.
pub(super) fn generate() -> Result<(Vec<u8>, PrivateKey), SealError> {
    let (public, private) = SUITE.generate_key_pair().map_err(|_| SealError::Failed)?;
    Ok((public.0, PrivateKey(private)))
}

/// Seals `plain`; `what` and `reference` must be the same when it is opened.
pub(super) fn seal(key: &PublicKey, what: &str, reference: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
    let public = HpkePublicKey(key.bytes.clone());
    let (encapsulated, ciphertext) =
        SUITE.seal(INFO, &bound(what, reference), plain, &public).map_err(|_| SealError::Failed)?;
    Ok([encapsulated.0, ciphertext].concat())
}

/// What was sealed.
pub(super) fn open(key: &PrivateKey, what: &str, reference: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let (encapsulated, ciphertext) = sealed.split_at_checked(ENCAPSULATED).ok_or(SealError::Damaged)?;
    let encapsulated = EncapsulatedSecret(encapsulated.to_vec());
    SUITE.open(&encapsulated, INFO, &bound(what, reference), ciphertext, &key.0).map_err(|_| SealError::Damaged)
}

fn bound(what: &str, reference: &str) -> Vec<u8> {
    format!("{what} {reference}").into_bytes()
}
