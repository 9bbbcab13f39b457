//! Rules over the structure of the message.

use super::{Rule, Seen, facts::Facts, rules::rule};
use crate::message::{Damage, Encoding, Part};

pub(super) const RULES: &[Rule] = &[
    rule(
        "mime.alternatives-differ",
        100,
        "RFC 2046 §5.1.4: alternatives are versions of the same text",
        "The plain version says something else than the HTML.",
        alternatives_differ,
    ),
    rule(
        "mime.bad-charset",
        50,
        "RFC 2046 §4.1.2: text is in the character set that it declares",
        "Text is not in the character set that it declares, or that does not exist.",
        bad_charset,
    ),
    rule(
        "mime.bad-encoding",
        100,
        "RFC 2045 §6: the transfer encodings and their alphabets",
        "A part is not in the transfer encoding that it declares.",
        bad_encoding,
    ),
    rule(
        "mime.boundary-malformed",
        100,
        "RFC 2046 §5.1.1: up to 70 characters, the last no blank",
        "The boundary between parts is longer than allowed, ends with a blank or is empty.",
        boundary_malformed,
    ),
    rule(
        "mime.damaged",
        150,
        "structures on which programs disagree",
        "The MIME structure is damaged in a way that hides parts from scanners.",
        damaged,
    ),
    rule(
        "mime.empty-plain",
        30,
        "RFC 2046 §5.1.4: alternatives are versions of the same text",
        "The plain version is empty, the HTML is not.",
        empty_plain,
    ),
    rule(
        "mime.html-file",
        75,
        "MITRE ATT&CK T1027.006: pages as files run outside the mail program's protection",
        "An HTML page is attached as a file.",
        html_file,
    ),
    rule(
        "mime.needless-base64",
        100,
        "RFC 2045 §6.7: readable text needs no base64",
        "Plain ASCII text is hidden in base64.",
        needless_base64,
    ),
    rule(
        "mime.only-file",
        50,
        "our own observation: people write a word about what they send",
        "The message is a file without a word.",
        only_file,
    ),
    rule(
        "mime.repeated-field",
        150,
        "RFC 2045 §3: each field at most once; programs choose different ones",
        "A field of the MIME header stands twice.",
        repeated_field,
    ),
    rule(
        "mime.single-alternative",
        20,
        "RFC 2046 §5.1.4: an alternative has two versions at least",
        "The message offers a choice of versions, but holds only HTML.",
        single_alternative,
    ),
    rule(
        "mime.undeclared-bytes",
        50,
        "RFC 2045 §5.2: text without a declared character set is ASCII",
        "Text that is declared as ASCII, or not at all, holds other bytes.",
        undeclared_bytes,
    ),
    rule(
        "mime.unknown-encoding",
        100,
        "RFC 2045 §6.1: the transfer encodings",
        "A part names a transfer encoding that does not exist.",
        unknown_encoding,
    ),
    rule(
        "mime.version-missing",
        40,
        "RFC 2045 §4: MIME messages must have MIME-Version",
        "The message uses MIME without saying so.",
        version_missing,
    ),
];

/// Damage that no mail program writes by mistake. Long lines, bare line ends and open multiparts are ordinary.
const HOSTILE: [Damage; 6] = [
    Damage::Nul,
    Damage::MissingBoundary,
    Damage::BoundaryInsideLine,
    Damage::NestingLimit,
    Damage::PartLimit,
    Damage::HeaderLimit,
];

fn damaged(facts: &Facts<'_>) -> Option<Seen> {
    HOSTILE.iter().find(|d| facts.message.damage.contains(d)).map(|d| Seen::Fact(d.word().to_owned()))
}

fn has(facts: &Facts<'_>, damage: Damage) -> Option<Seen> {
    facts.message.damage.contains(&damage).then_some(Seen::Absence)
}

fn bad_charset(facts: &Facts<'_>) -> Option<Seen> {
    // An undeclared character set has a rule of its own.
    if undeclared_bytes(facts).is_some() { None } else { has(facts, Damage::BadCharset) }
}

fn bad_encoding(facts: &Facts<'_>) -> Option<Seen> {
    has(facts, Damage::BadEncoding)
}

fn unknown_encoding(facts: &Facts<'_>) -> Option<Seen> {
    has(facts, Damage::UnknownEncoding)
}

/// Fewest bytes of a text part whose encoding counts. Source: our own limit.
const ENCODED_BYTES: usize = 200;

fn needless_base64(facts: &Facts<'_>) -> Option<Seen> {
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

fn is_ascii_declared(part: &Part<'_>) -> bool {
    part.charset.as_deref().is_none_or(|charset| charset == "us-ascii" || charset == "ascii" || charset.is_empty())
}

fn undeclared_bytes(facts: &Facts<'_>) -> Option<Seen> {
    let part = facts.message.parts.iter().find(|part| {
        // HTML may declare its character set in itself.
        part.is_body && part.content_type == "text/plain" && is_ascii_declared(part) && !part.content.is_ascii()
    })?;
    Some(Seen::Fact(part.label()))
}

fn version_missing(facts: &Facts<'_>) -> Option<Seen> {
    if facts.has("MIME-Version") {
        return None;
    }
    let multipart = facts.message.headers.first("Content-Type").is_some_and(|header| {
        let value = header.value.trim_ascii_start();
        value.get(..9).is_some_and(|v| v.eq_ignore_ascii_case(b"multipart"))
            || value.get(..9).is_some_and(|v| v.eq_ignore_ascii_case(b"text/html"))
    });
    (multipart || facts.has("Content-Transfer-Encoding")).then_some(Seen::Absence)
}

fn repeated_field(facts: &Facts<'_>) -> Option<Seen> {
    ["Content-Type", "Content-Transfer-Encoding", "MIME-Version"]
        .iter()
        .find(|name| facts.message.headers.all(name).nth(1).is_some())
        .map(|name| Seen::Fact((*name).to_owned()))
}

/// Longest boundary. Unit: characters. Source: RFC 2046 §5.1.1.
const BOUNDARY: usize = 70;

fn boundary_malformed(facts: &Facts<'_>) -> Option<Seen> {
    let value = String::from_utf8_lossy(facts.message.headers.first("Content-Type")?.value);
    let at = value.to_ascii_lowercase().find("boundary=")? + "boundary=".len();
    let rest = value[at..].trim_start();
    let boundary = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => rest.split([';', ' ', '\r', '\n', '\t']).next().unwrap_or_default(),
    };
    let malformed = boundary.is_empty() || boundary.len() > BOUNDARY || boundary.ends_with(' ');
    malformed.then(|| Seen::Fact(format!("{} characters", boundary.chars().count())))
}

/// Most letters of a plain version that is empty; fewest of the HTML beside it. Source: our own limits.
const EMPTY: usize = 3;
const FULL: usize = 100;

fn empty_plain(facts: &Facts<'_>) -> Option<Seen> {
    let text = &facts.message.text;
    let both = facts.message.html.present && facts.message.has_body_type("text/plain");
    let letters = |text: &str, most: usize| text.chars().filter(|c| c.is_alphanumeric()).take(most).count();
    let differs = both && letters(&text.plain, EMPTY + 1) <= EMPTY && letters(&text.shown, FULL) >= FULL;
    differs.then_some(Seen::Absence)
}

/// Fewest different words of each version that are compared. Source: our own limit.
const COMPARED: u32 = 20;
/// Most words of each version that are compared. Source: our own limit.
const WORDS: usize = 400;
/// Largest share of common words of versions that differ. Unit: percent. Source: measured.
const COMMON_PERCENT: u32 = 10;

fn alternatives_differ(facts: &Facts<'_>) -> Option<Seen> {
    let text = &facts.message.text;
    if !facts.message.html.present || text.plain.is_empty() || text.shown.is_empty() {
        return None;
    }
    let plain = WordSet::of(&text.plain);
    let shown = WordSet::of(&text.shown);
    let smaller = plain.count().min(shown.count());
    let common = plain.common(&shown) * 100;
    (smaller >= COMPARED && common < smaller * COMMON_PERCENT)
        .then(|| Seen::Fact(format!("{} % of the words in common", common / smaller)))
}

/// Words of a text as bits of their hashes.
struct WordSet([u64; 64]);

impl WordSet {
    fn of(text: &str) -> Self {
        let mut bits = [0_u64; 64];
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() >= 4);
        for word in words.take(WORDS) {
            // FNV-1a over lower-case bytes.
            let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x100_0000_01b3)
            });
            let bit = (hash >> 20) & 4_095;
            bits[(bit >> 6) as usize] |= 1 << (bit & 63);
        }
        WordSet(bits)
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|bits| bits.count_ones()).sum()
    }

    fn common(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (a & b).count_ones()).sum()
    }
}

fn single_alternative(facts: &Facts<'_>) -> Option<Seen> {
    let [part] = facts.message.parts.as_slice() else { return None };
    let value = facts.message.headers.first("Content-Type")?.value.trim_ascii_start();
    let offers = value.get(..21).is_some_and(|v| v.eq_ignore_ascii_case(b"multipart/alternative"));
    (offers && part.content_type == "text/html").then_some(Seen::Absence)
}

fn html_file(facts: &Facts<'_>) -> Option<Seen> {
    let attachment = facts.message.files_beside_text().find(|a| {
        let name = a.name.to_lowercase();
        let named = [".html", ".htm", ".shtml", ".xhtml", ".svg", ".mht"].iter().any(|end| name.ends_with(end));
        named && !name.is_empty()
    })?;
    let label = facts.message.parts.get(attachment.part).map(Part::label).unwrap_or_default();
    (!facts.is_list).then_some(Seen::Fact(label))
}

fn only_file(facts: &Facts<'_>) -> Option<Seen> {
    let report = facts.message.headers.first("Content-Type").is_some_and(|header| {
        header.value.trim_ascii_start().get(..16).is_some_and(|v| v.eq_ignore_ascii_case(b"multipart/report"))
    });
    let files = facts.message.files_beside_text().filter(|a| !a.content_type.starts_with("text/calendar")).count();
    let silent = facts.body.letters == 0 && facts.message.text.hidden.is_empty();
    (files > 0 && silent && !report && facts.sender.mailbox().is_some() && !facts.is_list).then_some(Seen::Absence)
}
