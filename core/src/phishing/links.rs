//! Rules over where a message leads.

use super::{
    case::Case,
    fold,
    hosts::HOSTS,
    lookalike::{Likened, Likeness, Owner},
    rules::{Rule, rule},
};
use crate::{
    message::LinkKind,
    spam::{Seen, has_cheap_suffix, is_rewriter, registered},
    verdict::Attack,
};
use std::collections::BTreeSet;

pub(super) const RULES: &[Rule] = &[
    rule(
        "phishing.borrowed-pictures",
        250,
        Attack::ImpersonationBrand,
        "our own observation: firms keep the pictures of their mail themselves",
        "Pictures come from places where anybody puts up pictures.",
        borrowed_pictures,
    ),
    rule(
        "phishing.brand-below-domain",
        100,
        Attack::LookalikeDomain,
        "RFC 3986 §7.6: readers take the first name that they know for the site",
        "A firm's name stands below a domain that is not the firm's.",
        brand_below_domain,
    ),
    rule(
        "phishing.brand-in-domain",
        150,
        Attack::LookalikeDomain,
        "APWG on registered look-alikes: a firm's name beside words of alarm",
        "A domain is made of a firm's name and words such as login, or another suffix.",
        brand_in_domain,
    ),
    rule(
        "phishing.hidden-destination",
        125,
        Attack::CredentialTheft,
        "our own observation: pages that anybody puts up without a name, behind every link",
        "All links lead to shorteners, file stores or pages that anybody may put up.",
        hidden_destination,
    ),
    rule(
        "phishing.little-text",
        150,
        Attack::PrizeLure,
        "our own observation: what filters could read stands in a picture or on the page",
        "An HTML letter has a link and hardly a word.",
        little_text,
    ),
    rule(
        "phishing.lookalike-brand",
        200,
        Attack::LookalikeDomain,
        "APWG on registered look-alikes; Unicode Technical Standard 39 §4",
        "A domain looks like that of a firm or authority and is another.",
        lookalike_brand,
    ),
    rule(
        "phishing.lookalike-own",
        400,
        Attack::LookalikeDomain,
        "FBI IC3 on business e-mail compromise: domains that differ from the victim's by a letter",
        "A domain looks like one of the site's own and is another.",
        lookalike_own,
    ),
    rule(
        "phishing.nameless-domain",
        140,
        Attack::PrizeLure,
        "our own observation: domains are bought by the hundred for one mailing each, and nobody speaks of them",
        "Neither the sender's name nor the text speaks of the domain from which it comes and to which it leads.",
        nameless_domain,
    ),
    rule(
        "phishing.opaque-link",
        150,
        Attack::PrizeLure,
        "our own observation: the way to the page is one long code, made for this recipient",
        "A link leads to a single code of 35 letters or more.",
        opaque_link,
    ),
    rule(
        "phishing.stranger-site",
        140,
        Attack::ImpersonationBrand,
        "our own observation: who writes of its own has its name in its address or its links",
        "The sender's name fits neither its address nor any link, and no link is the sender's.",
        stranger_site,
    ),
    rule(
        "phishing.throwaway-domain",
        150,
        Attack::PrizeLure,
        "our own observation: domains are bought by the hundred for one mailing each, and nobody speaks of them",
        "A domain of which nobody speaks costs next to nothing, or its links are single codes.",
        throwaway_domain,
    ),
];

pub(super) fn borrowed_pictures(case: &Case<'_, '_>) -> Option<Seen> {
    let mut pictures = case.facts.message.links.iter().filter(|link| link.kind == LinkKind::Image);
    let borrowed = pictures.find(|link| HOSTS.shows_anybodys_pictures(&link.host))?;
    let own = registered(&borrowed.host) == case.facts.from_site;
    (!own && !case.answers && !case.facts.is_list).then(|| Seen::Fact(borrowed.host.clone()))
}

/// The first domain that looks so like one of such an owner.
fn likened(case: &Case<'_, '_>, of: impl Fn(&Owner) -> bool, so: impl Fn(Likeness) -> bool) -> Option<(String, Owner)> {
    let found = |(_, likened): &&(String, Likened)| of(&likened.owner) && so(likened.likeness);
    case.likened.iter().find(found).map(|(host, likened)| (host.clone(), likened.owner.clone()))
}

fn of_brand(case: &Case<'_, '_>, so: impl Fn(Likeness) -> bool) -> Option<Seen> {
    let (host, owner) = likened(case, |owner| matches!(owner, Owner::Brand(_)), so)?;
    let Owner::Brand(brand) = owner else { return None };
    Some(Seen::Fact(format!("{host} for {}", case.brand_name(brand))))
}

fn brand_below_domain(case: &Case<'_, '_>) -> Option<Seen> {
    of_brand(case, |likeness| likeness == Likeness::Below)
}

fn brand_in_domain(case: &Case<'_, '_>) -> Option<Seen> {
    of_brand(case, |likeness| matches!(likeness, Likeness::Added | Likeness::Suffix))
}

fn lookalike_brand(case: &Case<'_, '_>) -> Option<Seen> {
    of_brand(case, |likeness| matches!(likeness, Likeness::Spelled | Likeness::Near))
}

fn lookalike_own(case: &Case<'_, '_>) -> Option<Seen> {
    let (host, owner) = likened(case, |owner| matches!(owner, Owner::Own(_)), |_| true)?;
    let Owner::Own(own) = owner else { return None };
    Some(Seen::Fact(format!("{host} for {own}")))
}

pub(super) fn hidden_destination(case: &Case<'_, '_>) -> Option<Seen> {
    let hidden = !case.places.is_empty() && case.places.iter().all(|place| place.hides_its_owner());
    let letter = !case.answers && !case.facts.is_list && case.facts.message.html.present;
    let first = case.places.first().filter(|_| hidden && letter && !case.is_from_freemail())?;
    Some(Seen::Fact(first.host.clone()))
}

/// Most letters of a letter that says hardly a word. Source: our own limit, two lines of text.
const LITTLE_LETTERS: usize = 120;

fn little_text(case: &Case<'_, '_>) -> Option<Seen> {
    let message = case.facts.message;
    let letter = message.html.present && case.facts.has_web_link() && !case.answers && !case.facts.is_list;
    let files = message.files_beside_text().any(|file| !file.content_type.starts_with("image/"));
    if !letter || files || message.text.shown.len() > 16 * LITTLE_LETTERS {
        return None;
    }
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).take(LITTLE_LETTERS).count();
    let (shown, plain) = (letters(&message.text.shown), letters(&message.text.plain));
    (shown < LITTLE_LETTERS && plain < LITTLE_LETTERS).then(|| Seen::Fact(format!("{shown} letters")))
}

/// Most sites to which such a letter leads. Source: our own limit, the page and a way to unsubscribe.
const STRANGER_SITES: usize = 2;
/// Fewest letters of a word of a name that would show in an address. Source: our own limit.
const WORD_LETTERS: usize = 4;
/// So many first letters of the word are looked for: names of firms are shortened. Source: our own limit.
const STEM_LETTERS: usize = 5;

/// The first letters of the words of the sender's name that would show in an address.
fn stems(case: &Case<'_, '_>) -> Vec<String> {
    let name = case.facts.from.map(|from| fold::letters(&from.name)).unwrap_or_default();
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= WORD_LETTERS);
    words.map(|word| word.chars().take(STEM_LETTERS).collect()).collect()
}

/// Letters and digits of a text that is lower case.
fn joined(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

pub(super) fn stranger_site(case: &Case<'_, '_>) -> Option<Seen> {
    let facts = case.facts;
    let from = facts.from.filter(|_| facts.message.html.present && !case.answers && !facts.is_list)?;
    let untold = case.places.iter().filter(|place| !HOSTS.counts_clicks(&place.host));
    let sites: BTreeSet<&str> = untold.map(|place| place.site()).collect();
    let elsewhere = (1..=STRANGER_SITES).contains(&sites.len())
        && !sites.contains(facts.from_site.as_str())
        && !case.places.iter().any(|place| is_rewriter(&place.host))
        && !case.is_from_freemail();
    let stems = stems(case);
    if !elsewhere || stems.is_empty() {
        return None;
    }
    let known: String = std::iter::once(from.address.to_lowercase())
        .chain(case.places.iter().map(|place| place.host.clone()))
        .collect();
    let known = joined(&known);
    let fits = stems.iter().any(|stem| known.contains(stem.as_str()));
    let sites: Vec<&str> = sites.into_iter().collect();
    (!fits).then(|| Seen::Fact(format!("{} leads to {}", facts.from_domain, sites.join(", "))))
}

/// So many first letters of a domain are looked for in the text: firms write their names in words. Source: our own limit.
const DOMAIN_LETTERS: usize = 6;

fn nameless_domain(case: &Case<'_, '_>) -> Option<Seen> {
    let facts = case.facts;
    let site = facts.from_site.as_str();
    let own = !case.places.is_empty() && case.places.iter().all(|place| place.site() == site);
    let letter = facts.message.html.present && !case.answers && !facts.is_list && !case.is_from_freemail();
    let stems = stems(case);
    if !own || !letter || stems.is_empty() {
        return None;
    }
    let label = joined(site.split('.').next().unwrap_or_default());
    let start: String = label.chars().take(DOMAIN_LETTERS).collect();
    let spoken_of = stems.iter().any(|stem| label.contains(stem.as_str()))
        || joined(&facts.body.normal).contains(&start)
        || joined(&facts.subject.normal).contains(&start);
    (!spoken_of).then(|| Seen::Fact(facts.from_domain.clone()))
}

fn throwaway_domain(case: &Case<'_, '_>) -> Option<Seen> {
    let cheap = has_cheap_suffix(&case.facts.from_domain) || opaque_link(case).is_some();
    if cheap { nameless_domain(case) } else { None }
}

/// Fewest characters of a path that is one code. Source: our own limit, a hash in base64 and more.
const CODE_CHARS: usize = 35;

fn opaque_link(case: &Case<'_, '_>) -> Option<Seen> {
    let facts = case.facts;
    if case.answers || facts.is_list || case.is_from_freemail() || !facts.message.html.present {
        return None;
    }
    let followed = facts.web_links().find(|followed| {
        let code = followed.path().trim_start_matches('/');
        let plain = code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        code.len() >= CODE_CHARS && plain && followed.link.kind != LinkKind::Plain
    })?;
    Some(Seen::Fact(followed.link.host.clone()))
}
