//! What the site says about client networks.

use super::{AnswerPattern, content::ContentList, networks::parse_network};
use crate::{lookup::OnTrouble, verdict::Points};
use ipnet::IpNet;
use std::{net::Ipv4Addr, path::PathBuf};

/// Settings of this room, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Our own networks.
    pub internal: Vec<IpNet>,
    /// Our secondary MXs and gateways.
    pub relays: Vec<IpNet>,
    /// A file in MaxMind's format with the countries of addresses, for policies.
    pub countries: Option<PathBuf>,
    /// Networks that are never refused for their reputation.
    pub allow: Vec<IpNet>,
    /// Networks that are refused.
    pub deny: Vec<IpNet>,
    /// Files with more networks for `allow`.
    pub allow_files: Vec<PathBuf>,
    /// Files with more networks for `deny`.
    pub deny_files: Vec<PathBuf>,
    /// DNS block lists.
    pub dnsbl: Vec<Dnsbl>,
    /// DNS allow lists.
    pub dnswl: Vec<Dnswl>,
    /// Lists about domains and addresses that stand in messages.
    pub content: Vec<ContentList>,
    /// Weights of reverse DNS.
    pub reverse: ReversePoints,
    /// Weights of names in HELO.
    pub helo: HeloPoints,
    /// Learned reputation.
    pub learned: super::learned::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            internal: ["127.0.0.0/8", "::1"].into_iter().filter_map(parse_network).collect(),
            relays: Vec::new(),
            countries: None,
            allow: Vec::new(),
            deny: Vec::new(),
            allow_files: Vec::new(),
            deny_files: Vec::new(),
            dnsbl: Vec::new(),
            dnswl: Vec::new(),
            content: Vec::new(),
            reverse: ReversePoints::default(),
            helo: HeloPoints::default(),
            learned: super::learned::Settings::default(),
        }
    }
}

/// A DNS block list (RFC 5782).
#[derive(Debug, Clone, PartialEq)]
pub struct Dnsbl {
    /// Short name for findings: `zen` makes `dnsbl.zen`.
    pub name: String,
    /// Zone that is asked. Its long labels (access keys) are never shown.
    pub zone: String,
    /// Weights by answer; the first pattern that matches an answer counts, and of several answers the heaviest.
    pub points: Vec<(AnswerPattern, Points)>,
    /// Answers for which the client is refused.
    pub refuse: Vec<AnswerPattern>,
    /// Answers by which the list says that it does not answer us.
    pub errors: Vec<AnswerPattern>,
    /// What it means that the list cannot be asked.
    pub on_trouble: OnTrouble,
}

/// A DNS allow list (RFC 5782 §2.2).
#[derive(Debug, Clone, PartialEq)]
pub struct Dnswl {
    /// Short name for findings: `dnswl` makes `dnswl.dnswl`.
    pub name: String,
    /// Zone that is asked.
    pub zone: String,
    /// Weights by answer, usually negative; the first pattern that matches an answer counts, and of several answers the
    /// lightest.
    pub points: Vec<(AnswerPattern, Points)>,
    /// Answers by which the list says that it does not answer us.
    pub errors: Vec<AnswerPattern>,
    /// Whether a client on this list is not refused for a block list.
    pub lifts_refusal: bool,
    /// What it means that the list cannot be asked.
    pub on_trouble: OnTrouble,
}

/// Answers by which lists say "you may not ask". Source: Spamhaus documents 127.255.255.252, .254 and .255; other lists
/// use the same range.
pub(super) const REFUSED_ANSWERS: AnswerPattern =
    AnswerPattern::Range(Ipv4Addr::new(127, 255, 255, 0), Ipv4Addr::new(127, 255, 255, 255));

/// Weights of reverse DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReversePoints {
    /// The client's address has no name.
    pub missing: Points,
    /// None of the names leads back to the address.
    pub unconfirmed: Points,
}

impl Default for ReversePoints {
    fn default() -> Self {
        ReversePoints { missing: Points::hundredths(150), unconfirmed: Points::hundredths(100) }
    }
}

/// Weights of the name in HELO. They never refuse (RFC 5321 §4.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeloPoints {
    /// The client gives our own name.
    pub our_name: Points,
    /// The name is neither a full host name nor an address literal.
    pub malformed: Points,
    /// The address literal is not the client's address.
    pub other_address: Points,
    /// The client gives no name at all.
    pub missing: Points,
}

impl Default for HeloPoints {
    fn default() -> Self {
        HeloPoints {
            our_name: Points::hundredths(400),
            malformed: Points::hundredths(100),
            other_address: Points::hundredths(200),
            missing: Points::hundredths(100),
        }
    }
}
