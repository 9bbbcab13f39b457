//! Rules over the subject.

use super::{Rule, Seen, facts::Facts, phrases::About, rules::rule};

pub(super) const RULES: &[Rule] = &[
    rule(
        "subject.account-alarm",
        100,
        "our own observation: the alarm stands in the subject, the proof nowhere",
        "The subject speaks of an account or mailbox in danger, and a link is to be followed.",
        account_alarm,
    ),
    rule("subject.capitals", 75, "shouting", "The subject is written in capitals.", capitals),
    rule("subject.empty", 30, "RFC 5322 §3.6.5", "There is no subject.", empty),
    rule(
        "subject.encoded-ascii",
        30,
        "RFC 2047 §1: encoded words are for text that is not ASCII",
        "The subject is ASCII, but encoded in base64.",
        encoded_ascii,
    ),
    rule(
        "subject.fake-reply",
        40,
        "RFC 5322 §3.6.4: replies name what they answer",
        "The subject claims a reply, but nothing is answered.",
        fake_reply,
    ),
    rule(
        "subject.gappy",
        150,
        "our own observation: gaps keep a word from filters, not from readers",
        "The subject holds a word with a sign between any two letters.",
        gappy,
    ),
    rule(
        "subject.hidden-end",
        100,
        "our own observation: the code after the blanks makes each copy different",
        "The subject goes on after a wide gap of blanks.",
        hidden_end,
    ),
    rule(
        "subject.invisible",
        200,
        "zero-width and direction marks have no use in a subject",
        "The subject holds invisible characters.",
        invisible,
    ),
    rule(
        "subject.large-sum",
        100,
        "our own observation: strangers who write of millions have none",
        "The subject offers a sum of money of a million or more.",
        large_sum,
    ),
    rule(
        "subject.many-marks",
        50,
        "shouting",
        "The subject holds three exclamation marks or more, or a pair of exclamation and question mark.",
        many_marks,
    ),
    rule(
        "subject.mixed-alphabets",
        250,
        "Unicode Technical Standard 39 §5.1: mixed scripts",
        "A word of the subject mixes alphabets that look alike.",
        mixed_alphabets,
    ),
    rule(
        "subject.recipient-address",
        100,
        "our own observation: programs that know nothing else of the recipient write the address",
        "The subject holds the recipient's address.",
        recipient_address,
    ),
    rule(
        "subject.styled-letters",
        150,
        "our own observation: letters for mathematics imitate bold type and escape filters",
        "The subject is written with letters for mathematics.",
        styled_letters,
    ),
];

fn empty(facts: &Facts<'_>) -> Option<Seen> {
    facts.message.subject.trim().is_empty().then_some(Seen::Absence)
}

/// Fewest letters of a subject in capitals that counts. Source: our own limit; shorter ones are acronyms.
const CAPITALS: usize = 12;

fn capitals(facts: &Facts<'_>) -> Option<Seen> {
    let subject = &facts.message.subject;
    let letters = subject.chars().filter(|c| c.is_uppercase()).count();
    let loud = letters >= CAPITALS && !subject.chars().any(char::is_lowercase) && subject.trim().contains(' ');
    loud.then(|| Seen::Text(subject.clone()))
}

fn invisible(facts: &Facts<'_>) -> Option<Seen> {
    let marks = facts.message.subject.contains('\u{ad}') || facts.subject.invisible > 0;
    marks.then(|| Seen::Text(facts.message.subject.clone()))
}

fn fake_reply(facts: &Facts<'_>) -> Option<Seen> {
    let subject = facts.subject.normal.trim_start();
    let claims =
        ["re:", "aw:", "sv:", "antw:", "回复:", "回复：", "答复:", "答复："].iter().any(|re| subject.starts_with(re));
    let alone = !facts.has("In-Reply-To") && !facts.has("References") && !facts.has("Thread-Index");
    (claims && alone && !facts.is_list).then(|| Seen::Text(facts.message.subject.clone()))
}

fn encoded_ascii(facts: &Facts<'_>) -> Option<Seen> {
    let subject = &facts.message.subject;
    let raw = facts.message.headers.first("Subject")?.value;
    let encoded = raw.windows(3).any(|w| w.eq_ignore_ascii_case(b"?b?"));
    (encoded && subject.is_ascii() && !subject.is_empty()).then(|| Seen::Text(subject.clone()))
}

fn gappy(facts: &Facts<'_>) -> Option<Seen> {
    (facts.subject.gappy > 0).then(|| Seen::Text(facts.message.subject.clone()))
}

/// Fewest blanks that hide what follows. Source: our own limit.
const BLANKS: &str = "        ";

fn hidden_end(facts: &Facts<'_>) -> Option<Seen> {
    let subject = facts.message.subject.trim();
    subject.contains(BLANKS).then(|| Seen::Text(subject.to_owned()))
}

fn large_sum(facts: &Facts<'_>) -> Option<Seen> {
    super::money::largest(&facts.subject.normal)
        .filter(|sum| *sum >= 1_000_000)
        .map(|_| Seen::Text(facts.message.subject.clone()))
}

fn many_marks(facts: &Facts<'_>) -> Option<Seen> {
    let subject = &facts.message.subject;
    let exclamations = subject.chars().filter(|c| matches!(c, '!' | '！')).count();
    (exclamations >= 3 || subject.contains("!?") || subject.contains("?!")).then(|| Seen::Text(subject.clone()))
}

fn mixed_alphabets(facts: &Facts<'_>) -> Option<Seen> {
    (facts.subject.mixed_words > 0).then(|| Seen::Text(facts.message.subject.clone()))
}

fn styled_letters(facts: &Facts<'_>) -> Option<Seen> {
    (facts.subject.styled > 1).then(|| Seen::Text(facts.message.subject.clone()))
}

fn recipient_address(facts: &Facts<'_>) -> Option<Seen> {
    if facts.is_list || !facts.subject.normal.contains('@') {
        return None;
    }
    let from = facts.from.map(|from| from.address.to_lowercase()).unwrap_or_default();
    let to = facts.recipients.iter().map(|to| to.address.key());
    to.filter(|key| key.contains('@') && *key != from).find(|key| facts.subject.normal.contains(key)).map(Seen::Fact)
}

fn account_alarm(facts: &Facts<'_>) -> Option<Seen> {
    let phrases = &facts.subject_phrases;
    let alarm = phrases.about(About::Account) + phrases.about(About::Mailbox) > 0;
    (alarm && facts.has_web_link() && !facts.is_list).then(|| Seen::Text(facts.message.subject.clone()))
}
