//! Rules over what a message wants, weighed by who it is and where it leads.

use super::{
    case::Case,
    links,
    rules::{Rule, rule},
    sender,
};
use crate::{spam::Seen, verdict::Attack};

pub(super) const RULES: &[Rule] = &[
    rule(
        "phishing.brand-lure",
        200,
        Attack::CredentialTheft,
        "APWG: a known firm, an alarm or a gift, and a link that is not the firm's",
        "In the name of a firm that it is not of, the message speaks of accounts, payments or gifts.",
        brand_lure,
    ),
    rule(
        "phishing.credential-site",
        225,
        Attack::CredentialTheft,
        "MITRE ATT&CK T1566.002: credentials are asked for where nobody shows who he is",
        "The text speaks of accounts or payments, and the links lead where the sender is not.",
        credential_site,
    ),
    rule(
        "phishing.credential-words",
        50,
        Attack::CredentialTheft,
        "our own observation: letters that want credentials share their phrases",
        "The text uses several phrases of letters that want credentials.",
        credential_words,
    ),
    rule(
        "phishing.lure-site",
        225,
        Attack::PrizeLure,
        "FTC on prize fraud: a gift for a survey, and a fee at its end",
        "The text promises gifts, and the links lead where the sender is not.",
        lure_site,
    ),
    rule(
        "phishing.lure-words",
        50,
        Attack::PrizeLure,
        "our own observation: letters that promise gifts share their phrases",
        "The text uses several phrases of letters that promise gifts.",
        lure_words,
    ),
    rule(
        "phishing.payment-request",
        150,
        Attack::PaymentFraud,
        "FBI IC3 on business e-mail compromise: a short request from a free address, without any link",
        "A short letter from a free address, or with answers to one, asks for a payment or an errand.",
        payment_request,
    ),
];

/// Fewest phrases that say what a letter is about. Source: measured; one or two stand in any letter.
const SOME: u8 = 2;
/// Fewest phrases that say so alone. Source: measured.
const MANY: u8 = 4;

fn count(number: u8) -> Option<Seen> {
    Some(Seen::Fact(format!("{number} phrases")))
}

/// Whether the message leads away from whoever it seems to be.
fn leads_astray(case: &Case<'_, '_>) -> bool {
    links::stranger_site(case).is_some()
        || links::borrowed_pictures(case).is_some()
        || links::hidden_destination(case).is_some()
        || sender::tenant_sender(case).is_some() && case.facts.has_web_link()
}

/// Whether the message offers a link and is no answer.
fn is_letter(case: &Case<'_, '_>) -> bool {
    case.facts.has_web_link() && !case.answers && !case.facts.is_list
}

fn brand_lure(case: &Case<'_, '_>) -> Option<Seen> {
    let named = case.name.filter(|claim| claim.sure || claim.alone && claim.serves);
    // Shops write of other firms in their subjects, and lead to themselves.
    let spoken_of = case.subject.filter(|claim| claim.sure && leads_astray(case));
    let claim = [named, spoken_of].into_iter().flatten().find(|claim| !case.is_of(claim.brand))?;
    let wants = case.wants.credentials().max(case.wants.lures());
    (wants >= SOME && is_letter(case)).then(|| Seen::Fact(format!("{}, {wants} phrases", case.brand_name(claim.brand))))
}

fn credential_site(case: &Case<'_, '_>) -> Option<Seen> {
    let wants = case.wants.credentials();
    if wants >= SOME && is_letter(case) && leads_astray(case) { count(wants) } else { None }
}

fn credential_words(case: &Case<'_, '_>) -> Option<Seen> {
    let wants = case.wants.credentials();
    if wants >= MANY && is_letter(case) { count(wants) } else { None }
}

fn lure_site(case: &Case<'_, '_>) -> Option<Seen> {
    let wants = case.wants.lures();
    // One of the two is enough: both are said because it leads astray.
    let astray = is_letter(case) && leads_astray(case) && credential_site(case).is_none();
    if wants >= SOME && astray { count(wants) } else { None }
}

fn lure_words(case: &Case<'_, '_>) -> Option<Seen> {
    let wants = case.wants.lures();
    if wants >= MANY && is_letter(case) { count(wants) } else { None }
}

/// Most letters of such a request. Source: our own limit, half a page.
const REQUEST_LETTERS: usize = 800;

fn payment_request(case: &Case<'_, '_>) -> Option<Seen> {
    let facts = case.facts;
    let free = |domain: &str| crate::spam::is_freemail(domain);
    let answers_elsewhere =
        facts.message.reply_to.iter().map(|to| to.domain()).any(|domain| free(&domain) && domain != facts.from_domain);
    let short = facts.body.letters < REQUEST_LETTERS && !facts.has_web_link() && !facts.is_list;
    let wants = case.wants.payments();
    if wants > 0 && short && (free(&facts.from_domain) || answers_elsewhere) { count(wants) } else { None }
}
