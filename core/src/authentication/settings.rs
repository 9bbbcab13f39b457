//! What the site makes of authentication.

use crate::{lookup::OnTrouble, verdict::Points};
use serde::{Deserialize, Serialize};

/// Settings of this room, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Our name in Authentication-Results; by default that of the receiving MTA.
    pub authserv_id: Option<String>,
    /// Most DKIM signatures that are verified; more are left out with a finding. Unit: signatures. Source: RFC 6376 §6.1
    /// lets a verifier limit them; honest mail has one to three.
    pub dkim_signatures: usize,
    /// Domains whose ARC seals are believed (RFC 8617 §7): a sealer that found DMARC passed lifts our DMARC failure.
    pub trusted_arc_sealers: Vec<String>,
    /// Domains of mailing lists: their own valid DKIM signature lifts a DMARC failure.
    pub mailing_lists: Vec<String>,
    /// Whether the policies of domains act.
    pub dmarc: DmarcMode,
    /// What it means that DNS does not answer, for SPF of the sender and for DMARC.
    pub dns_trouble: OnTrouble,
    /// Weights.
    pub points: ResultPoints,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            authserv_id: None,
            dkim_signatures: 5,
            trusted_arc_sealers: Vec::new(),
            mailing_lists: Vec::new(),
            dmarc: DmarcMode::Enforce,
            dns_trouble: OnTrouble::Skip,
            points: ResultPoints::default(),
        }
    }
}

/// Whether the policies that domains publish by DMARC act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DmarcMode {
    /// `p=reject` refuses, `p=quarantine` weighs enough to tag.
    Enforce,
    /// Failures are noted and weigh as under `p=none`.
    Observe,
}

/// Weight of each result. The names are those of the keys in `[authentication.points]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultPoints {
    /// SPF says that the client may not send for the sender's domain.
    pub spf_fail: Points,
    /// SPF says that it probably may not.
    pub spf_softfail: Points,
    /// The SPF record cannot be understood.
    pub spf_permerror: Points,
    /// SPF passes.
    pub spf_pass: Points,
    /// SPF fails for the name in HELO.
    pub spf_helo_fail: Points,
    /// A signature does not fit the message.
    pub dkim_fail: Points,
    /// A signature of the From domain passes.
    pub dkim_pass_aligned: Points,
    /// More signatures than are verified.
    pub dkim_too_many: Points,
    /// DMARC fails, and the domain asks for nothing.
    pub dmarc_fail: Points,
    /// DMARC fails, and the domain asks for quarantine.
    pub dmarc_quarantine: Points,
    /// DMARC fails, and the domain asks for rejection.
    pub dmarc_reject: Points,
    /// The DMARC record cannot be understood.
    pub dmarc_permerror: Points,
    /// No From field, or none with an address.
    pub from_missing: Points,
    /// Several From fields, or addresses of several domains: DMARC can be evaded so.
    pub from_multiple: Points,
    /// An ARC chain that does not validate.
    pub arc_fail: Points,
}

impl Default for ResultPoints {
    fn default() -> Self {
        ResultPoints {
            spf_fail: Points::hundredths(250),
            spf_softfail: Points::hundredths(75),
            spf_permerror: Points::hundredths(50),
            spf_pass: Points::ZERO,
            spf_helo_fail: Points::hundredths(150),
            dkim_fail: Points::hundredths(50),
            dkim_pass_aligned: Points::hundredths(-20),
            dkim_too_many: Points::hundredths(50),
            dmarc_fail: Points::hundredths(100),
            // The default threshold for tagging.
            dmarc_quarantine: Points::hundredths(500),
            dmarc_reject: Points::hundredths(800),
            dmarc_permerror: Points::hundredths(50),
            from_missing: Points::hundredths(300),
            from_multiple: Points::hundredths(600),
            arc_fail: Points::ZERO,
        }
    }
}
