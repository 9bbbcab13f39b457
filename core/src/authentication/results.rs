//! Results as plain data, in the words of RFC 8601 §2.7.

use serde::{Deserialize, Serialize};

/// What SPF says about a session (RFC 7208).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpfResults {
    /// The name in HELO; `None` if it is no domain name.
    pub helo: Option<SpfIdentity>,
    /// The sender of the envelope; for the null sender, postmaster at the name in HELO (RFC 7208 §2.4). `None` if
    /// there is no domain to ask.
    pub mail: Option<SpfIdentity>,
}

/// One identity that SPF has checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpfIdentity {
    /// The address or name that was checked.
    pub identity: String,
    /// Its domain, lower case.
    pub domain: String,
    /// The result.
    pub result: SpfResult,
}

/// RFC 7208 §2.6.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpfResult {
    /// No record.
    #[default]
    None,
    /// The domain says nothing about this client.
    Neutral,
    /// The client may send for the domain.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    Softfail,
    /// DNS did not answer.
    Temperror,
    /// The record cannot be understood.
    Permerror,
}

/// What the message says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    /// The From field.
    pub from: From,
    /// DKIM signatures in the order of their fields, those that were left out excepted.
    pub signatures: Vec<Signature>,
    /// Signatures beyond the limit of the settings.
    pub signatures_left_out: usize,
    /// The ARC chain.
    pub arc: Arc,
    /// DMARC, before the site's own exceptions.
    pub dmarc: Dmarc,
}

/// Whom the From field names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct From {
    /// Number of From fields; RFC 5322 §3.6 wants one.
    pub fields: usize,
    /// Domains of the addresses, lower case, each once; the first few.
    pub domains: Vec<String>,
}

/// One DKIM signature (RFC 6376).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Signing domain (`d=`), lower case.
    pub domain: String,
    /// Selector (`s=`).
    pub selector: String,
    /// First characters of the signature (RFC 6008), base64.
    pub b: String,
    /// The result.
    pub result: DkimResult,
    /// Why it is not `pass`.
    pub reason: Option<String>,
    /// Whether the signing domain and that of From belong to one organisation by the public suffix list.
    pub aligned: bool,
    /// Names of the fields that it covers (`h=`), each as often as it is covered, if the signature fits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed: Vec<String>,
}

/// RFC 8601 §2.7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DkimResult {
    /// The signature fits.
    Pass,
    /// It does not fit the message, or has expired.
    Fail,
    /// It is of a kind that we do not accept: `l=`, or SHA-1 (RFC 8301).
    Policy,
    /// It is malformed.
    Neutral,
    /// DNS did not answer.
    Temperror,
    /// Its key does not exist or cannot be used.
    Permerror,
}

/// The ARC chain (RFC 8617).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arc {
    /// The result.
    pub result: ArcResult,
    /// Why it is not `pass`.
    pub reason: Option<String>,
    /// The sets of a chain that validates, the oldest first.
    pub sets: Vec<ArcSet>,
    /// Names of the fields that the newest set covers, each as often as it is covered, if the chain validates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed: Vec<String>,
}

/// RFC 8617 §4.4, and that DNS did not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArcResult {
    /// There is no chain.
    #[default]
    None,
    /// It validates.
    Pass,
    /// It does not.
    Fail,
    /// DNS did not answer.
    Temperror,
}

/// One set of an ARC chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArcSet {
    /// Domain of the seal, lower case.
    pub sealer: String,
    /// Whether the sealer found that DMARC passed for the domain of From.
    pub dmarc_passed: bool,
}

/// DMARC (RFC 9989).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dmarc {
    /// Domain of From, as it was evaluated.
    pub domain: String,
    /// The result.
    pub result: DmarcResult,
    /// What the domain asks for failing mail: `p`, `sp` or `np`, whichever applies, one step milder in test mode.
    pub policy: Policy,
    /// Whether the domain is testing (`t=y`).
    pub testing: bool,
    /// Why it is an error.
    pub reason: Option<String>,
}

/// RFC 8601 §2.7.7 by way of RFC 9989.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DmarcResult {
    /// No policy, or no single author domain.
    #[default]
    None,
    /// SPF or DKIM passes for the author's domain.
    Pass,
    /// Neither does.
    Fail,
    /// DNS did not answer.
    Temperror,
    /// The record cannot be understood.
    Permerror,
}

/// What a domain asks for mail that fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Nothing.
    #[default]
    None,
    /// To be treated as suspicious.
    Quarantine,
    /// To be refused.
    Reject,
}

macro_rules! words {
    ($($type:ident: $($variant:ident $word:literal),+;)+) => {$(
        impl $type {
            /// The word that headers and logs use.
            pub fn word(self) -> &'static str {
                match self { $($type::$variant => $word),+ }
            }
        }
    )+};
}

words! {
    SpfResult: None "none", Neutral "neutral", Pass "pass", Fail "fail", Softfail "softfail", Temperror "temperror", Permerror "permerror";
    DkimResult: Pass "pass", Fail "fail", Policy "policy", Neutral "neutral", Temperror "temperror", Permerror "permerror";
    ArcResult: None "none", Pass "pass", Fail "fail", Temperror "temperror";
    DmarcResult: None "none", Pass "pass", Fail "fail", Temperror "temperror", Permerror "permerror";
    Policy: None "none", Quarantine "quarantine", Reject "reject";
}
