//! Rules over the body and its structure.

use super::{AtEnd, Seen, header::is_invisible};
use crate::message::{Damage, Encoding, LinkKind};
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

/// The string by which spam filters are tested (spamassassin.apache.org/gtube).
pub(super) const GTUBE: &str = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

static GTUBE_FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new([GTUBE]).ok());

pub(super) fn gtube(facts: &AtEnd<'_>) -> Option<Seen> {
    let finder = GTUBE_FINDER.as_ref()?;
    let message = facts.message;
    let in_text = [&message.text.plain, &message.text.shown].into_iter().any(|text| finder.is_match(text));
    // Beyond the bound of the text, the parts themselves are looked at.
    let found = in_text || message.parts.iter().any(|part| part.is_body && finder.is_match(&*part.content));
    found.then_some(Seen::Absence)
}

/// Fewest characters of hidden text that count. Source: our own limit; preview lines of newsletters are shorter.
const HIDDEN_CHARS: usize = 400;

pub(super) fn hidden_text(facts: &AtEnd<'_>) -> Option<Seen> {
    let text = &facts.message.text;
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
    let hidden = letters(&text.hidden);
    if hidden < HIDDEN_CHARS || hidden < 2 * letters(&text.shown) {
        return None;
    }
    Some(Seen::Fact(format!("{hidden} hidden letters")))
}

/// Most letters beside the picture of a picture mail. Source: our own limit, a line of text.
const CAPTION_CHARS: usize = 60;

pub(super) fn one_image(facts: &AtEnd<'_>) -> Option<Seen> {
    let message = facts.message;
    let letters = message.text.shown.chars().filter(|c| c.is_alphanumeric()).count();
    let bare = message.html.present && (1..=2).contains(&message.html.images) && letters < CAPTION_CHARS;
    let leads_away = message.links.iter().any(|link| link.kind == LinkKind::Anchor && !link.host.is_empty());
    (bare && leads_away && message.text.plain.trim().len() < CAPTION_CHARS)
        .then(|| Seen::Fact(format!("{letters} letters")))
}

pub(super) fn html_only(facts: &AtEnd<'_>) -> Option<Seen> {
    let message = facts.message;
    (message.html.present && !message.has_body_type("text/plain")).then_some(Seen::Absence)
}

pub(super) fn password_field(facts: &AtEnd<'_>) -> Option<Seen> {
    (facts.message.html.password_fields > 0).then_some(Seen::Absence)
}

pub(super) fn form(facts: &AtEnd<'_>) -> Option<Seen> {
    let html = facts.message.html;
    (html.forms > 0 && html.password_fields == 0).then_some(Seen::Absence)
}

pub(super) fn script(facts: &AtEnd<'_>) -> Option<Seen> {
    (facts.message.html.scripts > 0).then_some(Seen::Absence)
}

/// Damage that no mail program writes by mistake. Long lines, bare line ends and open multiparts are ordinary.
const HOSTILE: [Damage; 6] = [
    Damage::Nul,
    Damage::MissingBoundary,
    Damage::BoundaryInsideLine,
    Damage::NestingLimit,
    Damage::PartLimit,
    Damage::HeaderLimit,
];

pub(super) fn damage(facts: &AtEnd<'_>) -> Option<Seen> {
    HOSTILE.iter().find(|d| facts.message.damage.contains(d)).map(|d| Seen::Fact(d.word().to_owned()))
}

pub(super) fn header_damage(facts: &AtEnd<'_>) -> Option<Seen> {
    let of_header = [Damage::HeaderGarbage, Damage::EightBitHeader];
    of_header.iter().find(|d| facts.message.damage.contains(d)).map(|d| Seen::Fact(d.word().to_owned()))
}

/// Fewest bytes of a text part whose encoding counts. Source: our own limit.
const ENCODED_BYTES: usize = 200;

pub(super) fn needless_base64(facts: &AtEnd<'_>) -> Option<Seen> {
    let plain =
        |charset: &Option<String>| charset.as_deref().is_none_or(|c| c == "us-ascii" || c.starts_with("iso-8859"));
    let part = facts.message.parts.iter().find(|part| {
        part.is_body
            && part.encoding == Encoding::Base64
            && plain(&part.charset)
            && part.content.len() >= ENCODED_BYTES
            && part.content.is_ascii()
    })?;
    Some(Seen::Fact(part.label()))
}

/// Fewest words torn by invisible characters that count. Source: our own limit.
const TORN_WORDS: usize = 5;

pub(super) fn torn_words(facts: &AtEnd<'_>) -> Option<Seen> {
    let text = facts.message.text.visible();
    let mut torn = 0;
    let mut before = None;
    let mut gap = false;
    for c in text.chars() {
        // A soft hyphen shows where a long word may break: that is its use.
        if is_invisible(c) && c != '\u{ad}' {
            gap = before.is_some_and(char::is_alphabetic);
            continue;
        }
        torn += usize::from(gap && c.is_alphabetic());
        gap = false;
        before = Some(c);
    }
    (torn >= TORN_WORDS).then(|| Seen::Fact(format!("{torn} words")))
}

/// Phrases of letters that promise money for a fee. Each counts once.
const ADVANCE_FEE: [&str; 24] = [
    "next of kin",
    "beneficiary",
    "million united states dollars",
    "million dollars",
    "million us dollars",
    "compensation fund",
    "inheritance",
    "deceased client",
    "late husband",
    "bank draft",
    "atm card",
    "atm visa card",
    "diplomatic courier",
    "consignment",
    "unclaimed fund",
    "utmost confidentiality",
    "business proposal",
    "your full name",
    "direct telephone number",
    "barrister",
    "western union",
    "transfer of the fund",
    "god bless",
    "i am contacting you",
];

static ADVANCE_FEE_FINDER: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(ADVANCE_FEE).ok());

/// Fewest different phrases that make such a letter. Source: measured; no ham of 9,600 has so many.
const ADVANCE_FEE_PHRASES: usize = 4;
/// Most text that is searched. Unit: bytes. Source: our own limit; such letters are a page or two.
const LETTER_BYTES: usize = 16 << 10;

pub(super) fn advance_fee(facts: &AtEnd<'_>) -> Option<Seen> {
    let text = facts.message.text.visible();
    let text = &text[..text.floor_char_boundary(LETTER_BYTES)];
    let mut found = [false; ADVANCE_FEE.len()];
    for hit in ADVANCE_FEE_FINDER.as_ref()?.find_overlapping_iter(text) {
        found[hit.pattern().as_usize()] = true;
    }
    let phrases = found.iter().filter(|found| **found).count();
    (phrases >= ADVANCE_FEE_PHRASES).then(|| Seen::Fact(format!("{phrases} phrases")))
}
