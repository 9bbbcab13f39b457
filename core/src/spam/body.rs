//! Rules over the characters of the text and what little there is of it.

use super::{Rule, Seen, coin, facts::Facts, hosts, money, phrases::About, rules::rule};
use crate::message::LinkKind;
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

pub(super) const RULES: &[Rule] = &[
    rule(
        "body.coin-address",
        75,
        "Base58Check and BIP 173: the checksum of the address holds",
        "The text holds a valid Bitcoin address.",
        coin_address,
    ),
    rule(
        "body.empty",
        30,
        "our own observation: probes whether the address exists",
        "The message has neither text nor files.",
        empty,
    ),
    rule(
        "body.gappy",
        150,
        "our own observation: gaps keep words from filters, not from readers",
        "The text holds words with a sign between any two letters.",
        gappy,
    ),
    rule(
        "body.large-sum",
        50,
        "our own observation: strangers who write of millions have none",
        "A letter without a list names a sum of money of a million or more.",
        large_sum,
    ),
    rule(
        "body.mixed-alphabets",
        250,
        "Unicode Technical Standard 39 §5.1: mixed scripts",
        "Words of the text mix alphabets that look alike.",
        mixed_alphabets,
    ),
    rule(
        "body.only-link",
        75,
        "our own observation: the sender has nothing to say but where to click",
        "The message is a link with next to no text.",
        only_link,
    ),
    rule(
        "body.reply-elsewhere",
        50,
        "our own observation: the account that sends is not the one that reads",
        "The text asks for an answer to a free mail address that is neither From nor Reply-To.",
        reply_elsewhere,
    ),
    rule(
        "body.right-to-left",
        150,
        "Unicode Technical Report 36 §3.3: bidirectional text spoofing",
        "The text forces letters to be displayed against their direction.",
        right_to_left,
    ),
    rule(
        "body.styled-letters",
        100,
        "our own observation: letters for mathematics imitate bold type and escape filters",
        "The text is written with letters for mathematics.",
        styled_letters,
    ),
    rule(
        "body.torn-words",
        250,
        "zero-width characters have no use inside words of alphabetic scripts",
        "Invisible characters tear words apart, so that filters do not read them.",
        torn_words,
    ),
    rule(
        "spam.gtube",
        100_000,
        "spamassassin.apache.org/gtube",
        "The message holds the test string of spam filters.",
        gtube,
    ),
];

/// The string by which spam filters are tested (spamassassin.apache.org/gtube).
const GTUBE: &str = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

static GTUBE_FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new([GTUBE]).ok());

fn gtube(facts: &Facts<'_>) -> Option<Seen> {
    let finder = GTUBE_FINDER.as_ref()?;
    let message = facts.message;
    let in_text = [&message.text.plain, &message.text.shown].into_iter().any(|text| finder.is_match(text));
    // Beyond the bound of the text, the parts themselves are looked at.
    let found = in_text || message.parts.iter().any(|part| part.is_body && finder.is_match(&*part.content));
    found.then_some(Seen::Absence)
}

/// Fewest words torn by invisible characters that count. Source: our own limit.
const TORN_WORDS: usize = 5;

fn torn_words(facts: &Facts<'_>) -> Option<Seen> {
    (facts.body.torn >= TORN_WORDS).then(|| Seen::Fact(format!("{} words", facts.body.torn)))
}

/// Fewest words of two alphabets that count. Source: our own limit; one may be a slip of the keyboard.
const MIXED_WORDS: usize = 3;

fn mixed_alphabets(facts: &Facts<'_>) -> Option<Seen> {
    (facts.body.mixed_words >= MIXED_WORDS).then(|| Seen::Fact(format!("{} words", facts.body.mixed_words)))
}

/// Fewest words with gaps that count. Source: our own limit; a headline may be set wide.
const GAPPY_WORDS: usize = 2;

fn gappy(facts: &Facts<'_>) -> Option<Seen> {
    (facts.body.gappy >= GAPPY_WORDS && !facts.is_list).then(|| Seen::Fact(format!("{} words", facts.body.gappy)))
}

/// Fewest letters for mathematics that count. Source: our own limit; formulas have few.
const STYLED: usize = 10;

fn styled_letters(facts: &Facts<'_>) -> Option<Seen> {
    (facts.body.styled >= STYLED).then(|| Seen::Fact(format!("{} letters", facts.body.styled)))
}

fn right_to_left(facts: &Facts<'_>) -> Option<Seen> {
    (facts.body.overrides > 0 && !facts.is_list).then(|| Seen::Fact(format!("{} marks", facts.body.overrides)))
}

fn empty(facts: &Facts<'_>) -> Option<Seen> {
    let message = facts.message;
    let nothing = facts.body.letters == 0 && message.text.plain.trim().is_empty() && message.html.images == 0;
    (nothing && message.files_beside_text().next().is_none() && !facts.is_list).then_some(Seen::Absence)
}

/// Most letters beside the link. Source: our own limit, a few words.
const WORDS: usize = 15;

fn only_link(facts: &Facts<'_>) -> Option<Seen> {
    let mut hosts = facts.web_links();
    let only = hosts.next()?;
    if hosts.next().is_some() || facts.message.html.images > 0 || facts.message.files_beside_text().next().is_some() {
        return None;
    }
    let of_link = match only.link.kind {
        LinkKind::Plain => only.link.text.chars().filter(|c| c.is_alphanumeric()).count(),
        _ => 0,
    };
    (facts.body.letters.saturating_sub(of_link) <= WORDS && !facts.is_list).then(|| Seen::Fact(only.link.host.clone()))
}

fn coin_address(facts: &Facts<'_>) -> Option<Seen> {
    (facts.phrases.about(About::Coin) > 0).then(|| coin::find(facts.message.text.visible()))?.map(Seen::Fact)
}

fn large_sum(facts: &Facts<'_>) -> Option<Seen> {
    let mass = facts.is_list || facts.has("List-Unsubscribe") || facts.has("In-Reply-To");
    if mass {
        return None;
    }
    money::largest(&facts.body.normal).filter(|sum| *sum >= 1_000_000).map(|sum| Seen::Fact(sum.to_string()))
}

fn reply_elsewhere(facts: &Facts<'_>) -> Option<Seen> {
    let bounce = facts.sender.mailbox().is_none();
    if bounce || facts.is_list || ["In-Reply-To", "References", "List-Unsubscribe"].iter().any(|name| facts.has(name)) {
        return None;
    }
    let message = facts.message;
    let known = |address: &str| {
        let own = message.from.iter().chain(&message.reply_to).chain(&message.to).chain(&message.cc);
        own.into_iter().any(|mailbox| mailbox.address.eq_ignore_ascii_case(address))
    };
    let text = &facts.body.normal;
    let address = text.match_indices('@').take(ADDRESSES).find_map(|(at, _)| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
        let left = text[..at].len() - text[..at].trim_end_matches(is_part).len();
        let right = text[at + 1..].find(|c| !is_part(c)).unwrap_or(text.len() - at - 1);
        let domain = text[at + 1..at + 1 + right].trim_end_matches('.');
        let address = &text[at - left..at + 1 + domain.len()];
        (left > 0 && hosts::is_freemail(domain) && !known(address)).then(|| address.to_owned())
    })?;
    Some(Seen::Fact(address))
}

/// Most addresses of the text that are looked at. Source: our own limit.
const ADDRESSES: usize = 20;
