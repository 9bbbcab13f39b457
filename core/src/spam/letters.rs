//! Rules over what a letter wants, by phrases that such letters share.
//!
//! One phrase proves nothing; several different ones about the same subject do. Answers on
//! lists are left out, because subscribers talk about such letters.

use super::{Rule, Seen, coin, facts::Facts, phrases::About, rules::rule};

pub(super) const RULES: &[Rule] = &[
    rule(
        "body.account-alarm",
        125,
        "our own observation: an account in danger, a hurry and a link",
        "The text says that an account is in danger and hurries its reader to a link.",
        account_alarm,
    ),
    rule(
        "body.advance-fee",
        250,
        "letters of advance-fee fraud share their phrases",
        "The text uses several phrases of letters that promise money for a fee.",
        advance_fee,
    ),
    rule(
        "body.bank-change",
        75,
        "FBI IC3 on business e-mail compromise: bank details change by mail",
        "A reply address elsewhere, and talk of new bank details.",
        bank_change,
    ),
    rule(
        "body.casino",
        150,
        "our own observation: offers of gambling share their phrases",
        "The text offers gambling.",
        casino,
    ),
    rule(
        "body.dating",
        150,
        "our own observation: offers of acquaintance share their phrases",
        "The text offers acquaintance or pictures of a sexual kind.",
        dating,
    ),
    rule(
        "body.document-lure",
        40,
        "our own observation: a file is said to wait behind a link, in no one's name",
        "The text says that a document or recording waits behind a link.",
        document_lure,
    ),
    rule(
        "body.donation",
        200,
        "letters of advance-fee fraud share their phrases",
        "A stranger wants to give money away.",
        donation,
    ),
    rule(
        "body.excuse",
        75,
        "our own observation: mail that says it is no spam is",
        "The text excuses itself for being sent.",
        excuse,
    ),
    rule(
        "body.extortion",
        300,
        "Europol on sextortion: threats, a deadline and a wallet",
        "The text threatens to publish recordings and names a wallet.",
        extortion,
    ),
    rule(
        "body.gift-card",
        150,
        "FBI IC3 on business e-mail compromise: the boss wants gift cards",
        "A short letter asks for gift cards or for a secret errand.",
        gift_card,
    ),
    rule(
        "body.greeting",
        20,
        "our own observation: who knows his customers calls them by name",
        "The text greets its reader by no name, and has a link.",
        greeting,
    ),
    rule(
        "body.investment",
        150,
        "our own observation: offers of profit share their phrases",
        "The text promises profits.",
        investment,
    ),
    rule(
        "body.job",
        100,
        "our own observation: offers of easy work share their phrases",
        "The text offers easy work.",
        job,
    ),
    rule(
        "body.list-sale",
        150,
        "our own observation: sellers of addresses share their phrases",
        "The text offers lists of addresses, or to send mail to many.",
        list_sale,
    ),
    rule(
        "body.loan",
        150,
        "our own observation: offers of credit share their phrases",
        "The text offers credit.",
        loan,
    ),
    rule(
        "body.lottery",
        200,
        "letters of advance-fee fraud share their phrases",
        "The text says that its reader has won.",
        lottery,
    ),
    rule(
        "body.mailbox-alarm",
        200,
        "our own observation: the mailbox is full, the password expires, a link saves it",
        "The text says that the mailbox or its password ends unless a link is followed.",
        mailbox_alarm,
    ),
    rule(
        "body.parcel-fee",
        150,
        "our own observation: a parcel waits for a small payment behind a link",
        "The text says that a parcel waits for a payment.",
        parcel_fee,
    ),
    rule(
        "body.pharmacy",
        150,
        "our own observation: sellers of remedies share their phrases",
        "The text offers remedies.",
        pharmacy,
    ),
    rule(
        "body.renewal-call",
        200,
        "FTC on refund fraud: an invoice that nobody ordered and a number to call",
        "The text announces a renewal that nobody ordered and a telephone number to cancel it.",
        renewal_call,
    ),
    rule(
        "body.replica",
        150,
        "our own observation: sellers of copies share their phrases",
        "The text offers copies of goods or papers.",
        replica,
    ),
    rule(
        "body.seo",
        150,
        "our own observation: sellers of visits to web sites share their phrases",
        "The text offers to make a web site better known.",
        seo,
    ),
    rule(
        "body.trade",
        75,
        "our own observation: offers of manufacturers to strangers share their phrases",
        "A manufacturer offers goods to strangers.",
        trade,
    ),
];

fn count(number: u8) -> Option<Seen> {
    Some(Seen::Fact(format!("{number} phrases")))
}

/// Hits where body and subject have so many different phrases, and the message does not discuss them on a list.
fn several(facts: &Facts<'_>, about: About, fewest: u8) -> Option<Seen> {
    let found = facts.phrases.about(about).saturating_add(facts.subject_phrases.about(about));
    if found >= fewest && !(facts.is_list && answers(facts)) { count(found) } else { None }
}

/// Whether the message is part of a conversation.
fn answers(facts: &Facts<'_>) -> bool {
    facts.has("In-Reply-To") || facts.has("References")
}

fn account_alarm(facts: &Facts<'_>) -> Option<Seen> {
    let hurry = facts.phrases.about(About::Urgency) + facts.phrases.about(About::Command);
    let alarm = hurry > 0 && facts.has_web_link() && !answers(facts);
    if alarm { several(facts, About::Account, 3) } else { None }
}

fn mailbox_alarm(facts: &Facts<'_>) -> Option<Seen> {
    let hurry = facts.phrases.about(About::Urgency) + facts.phrases.about(About::Command);
    let alarm = hurry > 0 && facts.has_web_link() && !answers(facts);
    if alarm { several(facts, About::Mailbox, 2) } else { None }
}

fn parcel_fee(facts: &Facts<'_>) -> Option<Seen> {
    let asks = facts.phrases.about(About::Fee) > 0 && facts.has_web_link() && !answers(facts);
    if asks { several(facts, About::Parcel, 2) } else { None }
}

fn document_lure(facts: &Facts<'_>) -> Option<Seen> {
    let short = facts.body.letters < SHORT_LETTERS;
    if short && facts.has_web_link() && !answers(facts) { several(facts, About::Document, 2) } else { None }
}

/// Most letters of a short letter. Source: our own limit, a page.
const SHORT_LETTERS: usize = 1_500;

fn advance_fee(facts: &Facts<'_>) -> Option<Seen> {
    let found = facts.phrases.about(About::AdvanceFee);
    if found >= 4 { count(found) } else { None }
}

fn donation(facts: &Facts<'_>) -> Option<Seen> {
    let found = several(facts, About::Donation, 1)?;
    super::money::largest(&facts.body.normal).filter(|sum| *sum >= 100_000).map(|_| found)
}

fn lottery(facts: &Facts<'_>) -> Option<Seen> {
    several(facts, About::Lottery, 3)
}

fn extortion(facts: &Facts<'_>) -> Option<Seen> {
    let wallet = facts.phrases.about(About::Coin) > 1
        || facts.phrases.about(About::Coin) > 0 && coin::find(facts.message.text.visible()).is_some();
    if wallet { several(facts, About::Extortion, 4) } else { None }
}

fn casino(facts: &Facts<'_>) -> Option<Seen> {
    several(facts, About::Casino, 3)
}

fn dating(facts: &Facts<'_>) -> Option<Seen> {
    several(facts, About::Dating, 2)
}

fn pharmacy(facts: &Facts<'_>) -> Option<Seen> {
    several(facts, About::Pharmacy, 2)
}

fn loan(facts: &Facts<'_>) -> Option<Seen> {
    several(facts, About::Loan, 3)
}

fn seo(facts: &Facts<'_>) -> Option<Seen> {
    several(facts, About::Seo, 3)
}

fn list_sale(facts: &Facts<'_>) -> Option<Seen> {
    several(facts, About::ListSale, 3)
}

fn investment(facts: &Facts<'_>) -> Option<Seen> {
    several(facts, About::Investment, 3)
}

fn job(facts: &Facts<'_>) -> Option<Seen> {
    several(facts, About::Job, 3)
}

fn replica(facts: &Facts<'_>) -> Option<Seen> {
    several(facts, About::Replica, 3)
}

fn trade(facts: &Facts<'_>) -> Option<Seen> {
    if answers(facts) { None } else { several(facts, About::Trade, 5) }
}

fn excuse(facts: &Facts<'_>) -> Option<Seen> {
    several(facts, About::Excuse, 2)
}

fn gift_card(facts: &Facts<'_>) -> Option<Seen> {
    let short = facts.body.letters < SHORT_LETTERS && !facts.has_web_link();
    if short { several(facts, About::GiftCard, 3) } else { None }
}

fn bank_change(facts: &Facts<'_>) -> Option<Seen> {
    let site = |address: &str| address.rsplit_once('@').map(|(_, d)| super::hosts::registered(d).to_lowercase());
    let elsewhere = facts.message.reply_to.iter().any(|r| site(&r.address).is_some_and(|s| s != facts.from_site));
    if elsewhere && !facts.has("List-Unsubscribe") { several(facts, About::BankChange, 2) } else { None }
}

fn greeting(facts: &Facts<'_>) -> Option<Seen> {
    if facts.has_web_link() { several(facts, About::Greeting, 1) } else { None }
}

fn renewal_call(facts: &Facts<'_>) -> Option<Seen> {
    let found = several(facts, About::Renewal, 4)?;
    (!facts.has_web_link() && has_phone(&facts.body.normal)).then_some(found)
}

/// Fewest and most digits of a telephone number with its area. Source: ITU-T E.164.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 10..=15;

/// Whether the text holds a telephone number: digits in groups, with signs that such numbers have.
fn has_phone(text: &str) -> bool {
    let (mut digits, mut groups, mut gap) = (0, 0, true);
    for byte in text.bytes().chain([b'.', b'x']) {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                groups += usize::from(gap);
                gap = false;
            }
            b' ' | b'-' | b'(' | b')' | b'+' | b'.' | b'/' | b'{' | b'}' | b'[' | b']' => gap = true,
            _ => {
                if PHONE_DIGITS.contains(&digits) && (2..=6).contains(&groups) {
                    return true;
                }
                (digits, groups, gap) = (0, 0, true);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::has_phone;

    #[test]
    fn telephone_numbers_are_seen_and_other_figures_are_not() {
        assert!(has_phone("call +1 (808) 555-0143 now"));
        assert!(has_phone("tel. 030 1234 5678"));
        assert!(!has_phone("invoice 123456789012 of 2025"));
        assert!(!has_phone("in 2024 we sold 12"));
    }
}
