//! Rules over the name and address that a message shows.

use super::{
    brands::is_service,
    case::Case,
    hosts::HOSTS,
    rules::{Rule, rule},
};
use crate::{
    spam::Seen,
    verdict::{Attack, Points},
};

pub(super) const RULES: &[Rule] = &[
    rule(
        "phishing.bare-domain",
        250,
        Attack::ImpersonationBrand,
        "RFC 5321 §2.3.5: only names that DNS resolves may stand in addresses of public mail",
        "The sender's domain is a single word.",
        bare_domain,
    ),
    rule(
        "phishing.brand-name",
        350,
        Attack::ImpersonationBrand,
        "MITRE ATT&CK T1656: the name that a reader sees is a firm's, address and links are not",
        "The sender's name is that of a firm or authority, and neither address nor links are.",
        brand_name,
    ),
    rule(
        "phishing.brand-named",
        250,
        Attack::ImpersonationBrand,
        "MITRE ATT&CK T1656: the name that a reader sees is a firm's, address and links are not",
        "The sender's name holds that of a firm or authority, and neither address nor links are of it.",
        brand_named,
    ),
    rule(
        "phishing.brand-subject",
        100,
        Attack::ImpersonationBrand,
        "our own observation: the firm stands in the subject, and nothing else is of it",
        "The subject names a firm or authority, and neither sender nor links are of it.",
        brand_subject,
    ),
    rule(
        "phishing.decorated-name",
        125,
        Attack::PrizeLure,
        "our own observation: arrows and pictures draw the eye to a name that nobody knows",
        "The sender's name is decorated with arrows, pictures or stars.",
        decorated_name,
    ),
    rule(
        "phishing.organisation-name",
        200,
        Attack::ImpersonationPerson,
        "MITRE ATT&CK T1656: colleagues write from the organisation's own domains",
        "The sender's name is that of the site's own organisation, and the address is elsewhere.",
        organisation_name,
    ),
    rule(
        "phishing.person",
        300,
        Attack::ImpersonationPerson,
        "FBI IC3 on business e-mail compromise: orders in the name of somebody in charge, from a free address",
        "The sender's name is that of one of the site's people, and the address is not theirs.",
        person,
    ),
    rule(
        "phishing.tenant-sender",
        200,
        Attack::ImpersonationBrand,
        "our own observation: free accounts of cloud providers send under a name that none of their owners chose",
        "The sender's domain is one that a cloud provider gives to accounts without a domain of their own.",
        tenant_sender,
    ),
];

/// Judged once authentication has answered.
pub(super) static OWN_DOMAIN: Rule = Rule {
    id: "phishing.own-domain",
    weight: Points::hundredths(200),
    attack: Attack::ImpersonationPerson,
    source: "RFC 7489 §2.1: mail of the own domain that comes from outside without any proof is not of it",
    about: "The sender's domain is the site's own, the message comes from outside, and nothing proves it.",
    run: None,
};

fn bare_domain(case: &Case<'_, '_>) -> Option<Seen> {
    let domain = &case.facts.from_domain;
    let bare = !domain.is_empty() && !domain.contains('.') && !domain.starts_with('[') && domain != "localhost";
    bare.then(|| Seen::Fact(domain.clone()))
}

fn seen(case: &Case<'_, '_>, brand: usize) -> Seen {
    Seen::Fact(format!("{} from {}", case.brand_name(brand), case.facts.from_domain))
}

fn brand_name(case: &Case<'_, '_>) -> Option<Seen> {
    let claim = case.name.filter(|claim| claim.alone && claim.sure && !case.is_of(claim.brand))?;
    Some(seen(case, claim.brand))
}

/// Also of a name that means other things, where it stands alone: then it means the firm.
fn brand_named(case: &Case<'_, '_>) -> Option<Seen> {
    let claim = case.name.filter(|claim| claim.alone != claim.sure && !case.is_of(claim.brand))?;
    let person = !claim.sure && (!(claim.serves || is_role(case)) || !case.facts.has_web_link());
    (!person && !case.answers).then(|| seen(case, claim.brand))
}

/// Whether the address is that of an office, not of a person.
fn is_role(case: &Case<'_, '_>) -> bool {
    let local = case.facts.from.and_then(|from| from.address.split('@').next()).unwrap_or_default();
    local.split(|c: char| !c.is_alphabetic()).any(|word| is_service(&word.to_lowercase()))
}

fn brand_subject(case: &Case<'_, '_>) -> Option<Seen> {
    let claim = case.subject.filter(|claim| claim.sure && !case.is_of(claim.brand))?;
    let named = case.name.is_some_and(|name| name.brand == claim.brand);
    let letter = case.facts.message.html.present && case.facts.has_web_link() && !case.answers && !case.facts.is_list;
    (letter && !named).then(|| seen(case, claim.brand))
}

fn decorated_name(case: &Case<'_, '_>) -> Option<Seen> {
    let name = &case.facts.from?.name;
    let decorated = name.chars().any(|c| {
        matches!(c, '\u{2190}'..='\u{22ff}' | '\u{2300}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}' | '»' | '«' | '¤' | '•')
    });
    decorated.then(|| Seen::Text(name.clone()))
}

fn organisation_name(case: &Case<'_, '_>) -> Option<Seen> {
    let from = case.facts.from?;
    let named = case.room.people.names_organisation(&from.name) && !case.is_ours(&case.facts.from_domain);
    (named && !case.facts.is_list).then(|| Seen::Fact(case.facts.from_domain.clone()))
}

fn person(case: &Case<'_, '_>) -> Option<Seen> {
    let from = case.facts.from?;
    let imitated = case.room.people.imitated(&from.name, &from.address)?;
    (!case.is_ours(&case.facts.from_domain)).then(|| Seen::Fact(format!("{imitated} from {}", from.address)))
}

pub(super) fn tenant_sender(case: &Case<'_, '_>) -> Option<Seen> {
    let domain = &case.facts.from_domain;
    let tenant = HOSTS.is_tenant(domain);
    tenant.then(|| Seen::Fact(domain.clone()))
}
