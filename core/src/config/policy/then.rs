//! `then`: what a policy does.

use crate::{
    config::{
        diagnostic::{Faults, did_you_mean},
        reader::Table,
    },
    policy::{Marks, Then},
    verdict::Reply,
};
use std::ops::Range;
use toml::{Spanned, de::DeValue};

/// The words that stand alone.
const WORDS: &[&str] = &["deliver", "tag", "hold", "discard", "reject", "defer"];

/// Text of a refusal by policy that names none.
const REFUSED: &str = "Message refused by the policy of this site";

/// Text of a deferral by policy that names none.
const DEFERRED: &str = "Message deferred by the policy of this site, please try again later";

/// Reads `then = "word"` or `then = { tag|reject|defer = … }`. `default` are the marks of the site.
pub(super) fn read(policy: &mut Table<'_>, default: &Marks, faults: &mut Faults<'_>) -> Option<Then> {
    let Some((span, value)) = policy.take("then") else {
        faults.at(policy.span.clone(), format!("this policy does nothing; write then = one of {}", quoted()));
        return None;
    };
    match value {
        DeValue::String(word) => match word.as_ref() {
            "deliver" => Some(Then::Deliver),
            "tag" => Some(Then::Tag(default.clone())),
            "hold" => Some(Then::Hold),
            "discard" => Some(Then::Discard),
            "reject" => Some(Then::Reject(Reply::fixed(550, (5, 7, 1), REFUSED))),
            "defer" => Some(Then::Defer(Reply::fixed(451, (4, 7, 1), DEFERRED))),
            "quarantine" | "redirect" | "copy" => {
                faults
                    .at(span, format!("then = \"{word}\" is not available yet; \"hold\" keeps it in the MTA's queue"));
                None
            }
            other => {
                let advice = did_you_mean(other, WORDS.iter().copied());
                faults.at(span, format!("then is \"{other}\", must be one of {}{advice}", quoted()));
                None
            }
        },
        other => with_details(policy.table_of("then", span.clone(), other, faults)?, &span, faults),
    }
}

fn with_details(mut table: Table<'_>, span: &Range<usize>, faults: &mut Faults<'_>) -> Option<Then> {
    let mut found: Vec<Option<Then>> = Vec::new();
    if let Some(tag) = table.table("tag", faults) {
        found.push(Some(Then::Tag(marks(tag, faults))));
    }
    if let Some(text) = table.string("reject", faults) {
        found.push(reply(550, (5, 7, 1), &text, faults).map(Then::Reject));
    }
    if let Some(text) = table.string("defer", faults) {
        found.push(reply(451, (4, 7, 1), &text, faults).map(Then::Defer));
    }
    table.finish(faults);
    if found.len() > 1 {
        faults.at(span.clone(), "then names several actions; a policy does one");
        return None;
    }
    let one = found.pop();
    if one.is_none() {
        faults.at(span.clone(), "then names no action; write for instance then = { reject = \"text for the sender\" }");
    }
    one.flatten()
}

fn reply(code: u16, enhanced: (u8, u16, u16), text: &Spanned<String>, faults: &mut Faults<'_>) -> Option<Reply> {
    // "550 5.7.1 …" and "550-…" are codes, "100% …" is text.
    let starts_with_code = matches!(text.get_ref().as_bytes(),
        [b'4' | b'5', a, b, b' ' | b'-', ..] if a.is_ascii_digit() && b.is_ascii_digit());
    if starts_with_code {
        faults.at(text.span(), format!("write the text without codes; the reply will begin with {code}"));
        return None;
    }
    match Reply::new(code, enhanced, text.get_ref().trim()) {
        Ok(reply) => Some(reply),
        Err(why) => {
            faults.at(text.span(), why.to_string());
            None
        }
    }
}

/// Marks: `{ header = { X-Spam = "yes" }, subject = "[SPAM]", banner = "Careful." }`. An empty table has none.
pub(super) fn marks(mut table: Table<'_>, faults: &mut Faults<'_>) -> Marks {
    let mut marks = Marks::none();
    let span = table.span.clone();
    if let Some(mut headers) = table.table("header", faults) {
        for (name, name_span, value_span, value) in headers.take_rest() {
            let Some(value) = headers.string_of(&name, value_span, value, faults) else { continue };
            match Marks::check_header(&name, value.get_ref()) {
                Ok(()) => marks.headers.push((name, value.into_inner())),
                Err(why) => faults.at(name_span, format!("header \"{name}\" {why}")),
            }
        }
    }
    if let Some(subject) = table.string("subject", faults) {
        match Marks::check_subject(subject.get_ref()) {
            Ok(()) => marks.subject = Some(subject.into_inner().trim().to_owned()),
            Err(why) => faults.at(subject.span(), format!("subject mark {why}")),
        }
    }
    if let Some(banner) = table.string("banner", faults) {
        match Marks::check_banner(banner.get_ref()) {
            Ok(()) => marks.banner = Some(banner.into_inner().trim().replace("\r\n", "\n")),
            Err(why) => faults.at(banner.span(), format!("banner {why}")),
        }
    }
    table.finish(faults);
    if marks == Marks::none() {
        let advice = "write header = { X-Spam-Flag = \"yes\" }, subject = \"[SPAM]\" or banner = \"text\"";
        faults.at(span, format!("tag has no marks; {advice}"));
    }
    marks
}

fn quoted() -> String {
    WORDS.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(", ")
}
