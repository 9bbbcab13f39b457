//! Rules over what the HTML is made of.

use super::{Rule, Seen, facts::Facts, rules::rule};
use crate::message::LinkKind;

pub(super) const RULES: &[Rule] = &[
    rule(
        "html.base",
        20,
        "HTML §4.2.3: the element changes where every relative link leads",
        "The HTML changes the base of its links.",
        base,
    ),
    rule(
        "html.comment-filler",
        40,
        "our own observation: text that readers never see feeds filters",
        "Comments of the HTML are longer than its text.",
        comment_filler,
    ),
    rule("html.form", 50, "mail programs do not send forms", "The HTML holds a form.", form),
    rule(
        "html.frame",
        40,
        "mail programs load no pages inside a message",
        "The HTML loads another page or object into itself.",
        frame,
    ),
    rule(
        "html.hidden-inside-words",
        250,
        "our own observation: text without size or colour between the letters of a word",
        "Hidden text tears words apart, so that filters do not read them.",
        hidden_inside_words,
    ),
    rule(
        "html.hidden-text",
        150,
        "text that only filters read",
        "Most of the text is hidden from the reader.",
        hidden_text,
    ),
    rule(
        "html.invented-elements",
        75,
        "HTML §13.1.2: names of elements; our own observation: invented ones break words apart",
        "The HTML holds elements that do not exist.",
        invented_elements,
    ),
    rule(
        "html.many-hidden",
        20,
        "our own observation: one hidden line is a preview, twenty are filler",
        "The HTML holds many pieces of hidden text.",
        many_hidden,
    ),
    rule(
        "html.numbered-letters",
        75,
        "HTML §13.5: character references; readable letters need none",
        "Ordinary letters are written as numbers.",
        numbered_letters,
    ),
    rule(
        "html.one-image",
        100,
        "text in pictures is kept from filters",
        "The message is a picture that leads elsewhere, with next to no text.",
        one_image,
    ),
    rule(
        "html.only",
        20,
        "RFC 2046 §5.1.4: alternatives hold a plain version",
        "There is HTML without a plain version.",
        only,
    ),
    rule(
        "html.password-field",
        300,
        "no honest mail asks for a password in itself",
        "The HTML asks for a password.",
        password_field,
    ),
    rule(
        "html.refresh",
        200,
        "HTML §4.2.5.3: the page replaces itself by another",
        "The HTML sends its reader to another page.",
        refresh,
    ),
    rule(
        "html.reversed-text",
        250,
        "CSS Writing Modes §2.2: letters written backwards and displayed forwards",
        "Latin text is written backwards, and displayed the right way round.",
        reversed_text,
    ),
    rule("html.script", 75, "mail programs run no scripts", "The HTML holds scripts.", script),
];

fn base(facts: &Facts<'_>) -> Option<Seen> {
    (facts.message.html.bases > 0 && !facts.is_list).then_some(Seen::Absence)
}

/// Fewest bytes of comments that count. Source: our own limit; templates keep notes in theirs.
const COMMENT_BYTES: u32 = 1_500;

fn comment_filler(facts: &Facts<'_>) -> Option<Seen> {
    let bytes = facts.message.html.comment_bytes;
    (bytes > COMMENT_BYTES && bytes as usize > facts.message.text.shown.len())
        .then(|| Seen::Fact(format!("{bytes} bytes of comments")))
}

fn form(facts: &Facts<'_>) -> Option<Seen> {
    let html = facts.message.html;
    (html.forms > 0 && html.password_fields == 0).then_some(Seen::Absence)
}

fn frame(facts: &Facts<'_>) -> Option<Seen> {
    (facts.message.html.frames > 0).then_some(Seen::Absence)
}

/// Fewest words torn by hidden text that count. Source: our own limit.
const TORN_WORDS: u32 = 3;

fn hidden_inside_words(facts: &Facts<'_>) -> Option<Seen> {
    let words = facts.message.html.torn_words;
    (words >= TORN_WORDS).then(|| Seen::Fact(format!("{words} words")))
}

/// Fewest characters of hidden text that count. Source: our own limit; preview lines of newsletters are shorter.
const HIDDEN_CHARS: usize = 400;

fn hidden_text(facts: &Facts<'_>) -> Option<Seen> {
    let text = &facts.message.text;
    if text.hidden.len() < HIDDEN_CHARS {
        return None;
    }
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
    let hidden = letters(&text.hidden);
    if hidden < HIDDEN_CHARS || hidden < 2 * letters(&text.shown) {
        return None;
    }
    Some(Seen::Fact(format!("{hidden} hidden letters")))
}

/// Fewest elements that do not exist that count. Source: our own limit; templates leave one or two behind.
const INVENTED: u32 = 4;

fn invented_elements(facts: &Facts<'_>) -> Option<Seen> {
    let count = facts.message.html.invented;
    (count >= INVENTED && !facts.is_list).then(|| Seen::Fact(format!("{count} elements")))
}

/// Fewest pieces of hidden text that count. Source: our own limit.
const HIDDEN_RUNS: u32 = 20;

fn many_hidden(facts: &Facts<'_>) -> Option<Seen> {
    let runs = facts.message.html.hidden_runs;
    (runs >= HIDDEN_RUNS).then(|| Seen::Fact(format!("{runs} pieces")))
}

/// Fewest letters written as numbers that count. Source: our own limit.
const NUMBERED_LETTERS: u32 = 60;

fn numbered_letters(facts: &Facts<'_>) -> Option<Seen> {
    let count = facts.message.html.numbered_letters;
    (count >= NUMBERED_LETTERS).then(|| Seen::Fact(format!("{count} letters")))
}

/// Most letters beside the picture of a picture mail. Source: our own limit, a line of text.
const CAPTION_CHARS: usize = 60;

fn one_image(facts: &Facts<'_>) -> Option<Seen> {
    let message = facts.message;
    if !message.html.present || !(1..=2).contains(&message.html.images) || message.text.shown.len() > 4 * CAPTION_CHARS
    {
        return None;
    }
    let letters = message.text.shown.chars().filter(|c| c.is_alphanumeric()).count();
    let leads_away = message.links.iter().any(|link| link.kind == LinkKind::Anchor && !link.host.is_empty());
    (letters < CAPTION_CHARS && leads_away && message.text.plain.trim().len() < CAPTION_CHARS)
        .then(|| Seen::Fact(format!("{letters} letters")))
}

fn only(facts: &Facts<'_>) -> Option<Seen> {
    let message = facts.message;
    (message.html.present && !message.has_body_type("text/plain")).then_some(Seen::Absence)
}

fn password_field(facts: &Facts<'_>) -> Option<Seen> {
    (facts.message.html.password_fields > 0).then_some(Seen::Absence)
}

fn refresh(facts: &Facts<'_>) -> Option<Seen> {
    (facts.message.html.refreshes > 0).then_some(Seen::Absence)
}

fn reversed_text(facts: &Facts<'_>) -> Option<Seen> {
    (facts.message.html.reversed_runs > 0).then_some(Seen::Absence)
}

fn script(facts: &Facts<'_>) -> Option<Seen> {
    (facts.message.html.scripts > 0).then_some(Seen::Absence)
}
