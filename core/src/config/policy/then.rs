//! `then`: what a policy does.

use crate::{
    config::{
        diagnostic::{Faults, did_you_mean},
        reader::{Table, parse_duration},
    },
    notices,
    policy::{MarkError, Marks, Notify, Otherwise, QUARANTINE_DAYS, Strip, Then},
    session::Address,
    verdict::Reply,
};
use std::ops::Range;
use toml::{Spanned, de::DeValue};

/// The words that stand alone.
const WORDS: &[&str] = &["deliver", "tag", "hold", "quarantine", "discard", "reject", "defer"];

/// Most addresses of one copy or redirect. Unit: addresses. Source: our own limit; more are a mailing list.
const ADDRESSES: usize = 20;

/// Text of a refusal by policy that names none.
const REFUSED: &str = "Message refused by the policy of this site";

/// Text of a deferral by policy that names none.
const DEFERRED: &str = "Message deferred by the policy of this site, please try again later";

/// What a policy does, and the files that it takes off.
pub(super) type Action = (Then, Option<Strip>);

/// What `then` needs of the rest of the file.
pub(super) struct Site<'a> {
    /// The marks of `[policy_defaults]`.
    pub(super) marks: &'a Marks,
    /// `[notices]`.
    pub(super) notices: &'a notices::Settings,
}

/// Reads `then = "word"` or `then = { tag|copy|strip|redirect|quarantine|reject|defer|notify = … }`.
pub(super) fn read(policy: &mut Table<'_>, site: &Site<'_>, faults: &mut Faults<'_>) -> Option<(Action, Notify)> {
    let Some((span, value)) = policy.take("then") else {
        faults.at(policy.span.clone(), format!("this policy does nothing; write then = one of {}", quoted()));
        return None;
    };
    let DeValue::String(word) = value else {
        return with_details(policy.table_of("then", span.clone(), value, faults)?, site, &span, faults);
    };
    let then = match word.as_ref() {
        "deliver" => Then::Deliver,
        "tag" => Then::Tag(site.marks.clone()),
        "hold" => Then::Hold,
        "discard" => Then::Discard,
        "reject" => Then::Reject(Reply::fixed(550, (5, 7, 1), REFUSED)),
        "defer" => Then::Defer(Reply::fixed(451, (4, 7, 1), DEFERRED)),
        "quarantine" => Then::Quarantine(QUARANTINE_DAYS),
        "notify" => {
            faults.at(span, "then = \"notify\" names nobody; write then = { notify = \"administrator\" }");
            return None;
        }
        "redirect" | "copy" => {
            faults
                .at(span, format!("then = \"{word}\" names no address; write then = {{ {word} = \"x@example.com\" }}"));
            return None;
        }
        "strip" => {
            let advice = "write then = { strip = { attachment = { macro = true } } }";
            faults.at(span, format!("then = \"strip\" says not which files; {advice}"));
            return None;
        }
        other => {
            let advice = did_you_mean(other, WORDS.iter().copied());
            faults.at(span, format!("then is \"{other}\", must be one of {}{advice}", quoted()));
            return None;
        }
    };
    Some(((then, None), Notify::default()))
}

fn with_details(
    mut table: Table<'_>,
    site: &Site<'_>,
    span: &Range<usize>,
    faults: &mut Faults<'_>,
) -> Option<(Action, Notify)> {
    let notify = notify(&mut table, site.notices, faults);
    let takes = table.has("tag") || table.has("copy") || table.has("strip");
    let mut marks = table.table("tag", faults).map_or_else(Marks::none, |tag| self::marks(tag, faults));
    marks.copies = addresses(&mut table, "copy", faults).unwrap_or_default();
    let strip = table.table("strip", faults).map(|table| strip(table, faults));
    let mut found: Vec<Option<Action>> = Vec::new();
    if takes {
        // A faulty strip must not leave a policy that delivers.
        let is_sound = strip.as_ref().is_none_or(Option::is_some);
        found.push(is_sound.then_some((Then::Tag(marks), strip.flatten())));
    }
    if let Some(to) = addresses(&mut table, "redirect", faults) {
        found.push(Some((Then::Redirect(to), None)));
    }
    if let Some(text) = table.string("reject", faults) {
        found.push(reply(550, (5, 7, 1), &text, faults).map(|reply| (Then::Reject(reply), None)));
    }
    if let Some(text) = table.string("defer", faults) {
        found.push(reply(451, (4, 7, 1), &text, faults).map(|reply| (Then::Defer(reply), None)));
    }
    if table.has("quarantine") {
        found.push(quarantine(&mut table, faults).map(|days| (Then::Quarantine(days), None)));
    }
    table.finish(faults);
    if found.len() > 1 {
        let advice = "a policy does one, but tag, copy and strip go together, and notify with any";
        faults.at(span.clone(), format!("then names several actions; {advice}"));
        return None;
    }
    if found.is_empty() && notify.is_some() {
        found.push(Some((Then::Tag(Marks::none()), None)));
    }
    let one = found.pop();
    if one.is_none() {
        faults.at(span.clone(), "then names no action; write for instance then = { reject = \"text for the sender\" }");
    }
    Some((one.flatten()?, notify.unwrap_or_default()))
}

/// `quarantine = "30d"`.
fn quarantine(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Option<u32> {
    let text = table.string("quarantine", faults)?;
    let time = parse_duration(text.get_ref()).unwrap_or_default();
    let (days, rest) = (time.as_secs() / 86_400, time.as_secs() % 86_400);
    match u32::try_from(days) {
        Ok(days @ 1..=QUARANTINE_DAYS) if rest == 0 => Some(days),
        _ => {
            let path = table.path_of("quarantine");
            faults.at(text.span(), format!("{path} is kept for whole days, \"1d\" to \"{QUARANTINE_DAYS}d\""));
            None
        }
    }
}

/// `notify = "administrator"`, `"sender"`, an address, or a list of these.
fn notify(table: &mut Table<'_>, notices: &notices::Settings, faults: &mut Faults<'_>) -> Option<Notify> {
    let at = table.place("notify")?;
    let items = table.strings("notify", faults)?;
    let path = table.path_of("notify");
    if notices.from.is_none() {
        faults.at(at.clone(), format!("{path} needs a sender of notices; write [notices] from = \"x@example.com\""));
    }
    if items.is_empty() || items.len() > ADDRESSES {
        faults.at(at, format!("{path} must name 1 to {ADDRESSES} of \"sender\", \"administrator\" and addresses"));
    }
    let mut notify = Notify::default();
    for item in &items {
        match item.get_ref().as_str() {
            "sender" => notify.sender = true,
            "administrator" if notices.administrators.is_empty() => {
                let cure = "write [notices] administrators = [\"postmaster@example.com\"]";
                faults.at(item.span(), format!("{path} names the administrator, but there is none; {cure}"));
            }
            "administrator" => notify.administrator = true,
            text => match full_address(text) {
                Some(address) if notify.addresses.iter().all(|known| known.key() != address.key()) => {
                    notify.addresses.push(address);
                }
                Some(_) => {}
                None => {
                    let advice = did_you_mean(text, ["sender", "administrator"]);
                    let wanted = "\"sender\", \"administrator\" or an address as in \"x@example.com\"";
                    faults.at(item.span(), format!("{path}: \"{text}\" must be {wanted}{advice}"));
                }
            },
        }
    }
    Some(notify)
}

/// Whom a copy goes to, or mail instead.
fn addresses(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Option<Vec<Address>> {
    let span = table.span.clone();
    let items = table.strings(key, faults)?;
    let path = table.path_of(key);
    if items.is_empty() || items.len() > ADDRESSES {
        faults.at(span, format!("{path} must name 1 to {ADDRESSES} addresses"));
    }
    let mut found: Vec<Address> = Vec::new();
    for item in &items {
        let text = item.get_ref();
        match full_address(text) {
            Some(address) if found.iter().all(|known| known.key() != address.key()) => found.push(address),
            Some(_) => {}
            None => {
                faults.at(item.span(), format!("{path}: \"{text}\" is no address; write it as in \"x@example.com\""));
            }
        }
    }
    Some(found)
}

/// An address with its domain, and no pattern.
pub(in crate::config) fn full_address(text: &str) -> Option<Address> {
    let is_plain = text.is_ascii() && !text.contains('*') && !text.starts_with('@');
    Address::parse(text.as_bytes()).ok().filter(|address| is_plain && !address.domain.is_empty())
}

/// `{ attachment = { … }, note = "text", otherwise = "reject" }`.
fn strip(mut table: Table<'_>, faults: &mut Faults<'_>) -> Option<Strip> {
    let span = table.span.clone();
    let attachment = table.table("attachment", faults).map(|table| super::inner::attachment(table, faults));
    if attachment.is_none() {
        faults.at(span, "strip says not which files; write attachment = { macro = true }");
    }
    let note = text(&mut table, "note", faults);
    let otherwise = table.choice("otherwise", &["deliver", "hold", "reject"], Otherwise::default(), faults);
    table.finish(faults);
    Some(Strip { attachment: attachment?, note, otherwise })
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
    let span = table.span.clone();
    let mut names = Vec::new();
    let marks = Marks {
        headers: headers(&mut table, "header", Marks::check_header, &mut names, faults),
        set: headers(&mut table, "set_header", Marks::check_set, &mut names, faults),
        removed: removed(&mut table, &mut names, faults),
        subject: table.string("subject", faults).and_then(|subject| match Marks::check_subject(subject.get_ref()) {
            Ok(()) => Some(subject.into_inner().trim().to_owned()),
            Err(why) => {
                faults.at(subject.span(), format!("subject mark {why}"));
                None
            }
        }),
        banner: text(&mut table, "banner", faults),
        disclaimer: text(&mut table, "disclaimer", faults),
        copies: Vec::new(),
    };
    table.finish(faults);
    if marks == Marks::none() {
        let advice = "write header = { X-Spam-Flag = \"yes\" }, subject = \"[SPAM]\" or banner = \"text\"";
        faults.at(span, format!("tag has no marks; {advice}"));
    }
    marks
}

/// A table of headers and their values. `names`, in lower case, are those that were named before.
fn headers(
    table: &mut Table<'_>,
    key: &'static str,
    check: fn(&str, &str) -> Result<(), MarkError>,
    names: &mut Vec<String>,
    faults: &mut Faults<'_>,
) -> Vec<(String, String)> {
    let Some(mut table) = table.table(key, faults) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, name_span, value_span, value) in table.take_rest() {
        let Some(value) = table.string_of(&name, value_span, value, faults) else { continue };
        if let Err(why) = check(&name, value.get_ref()) {
            faults.at(name_span, format!("header \"{name}\" {why}"));
        } else if is_new(&name, name_span, names, faults) {
            found.push((name, value.into_inner()));
        }
    }
    found
}

fn removed(table: &mut Table<'_>, names: &mut Vec<String>, faults: &mut Faults<'_>) -> Vec<String> {
    let items = super::list(table, "remove_header", faults);
    let mut found = Vec::new();
    for item in items {
        let name = item.get_ref();
        if let Err(why) = Marks::check_removed(name) {
            faults.at(item.span(), format!("header \"{name}\" {why}"));
        } else if is_new(name, item.span(), names, faults) {
            found.push(name.clone());
        }
    }
    found
}

fn is_new(name: &str, span: Range<usize>, names: &mut Vec<String>, faults: &mut Faults<'_>) -> bool {
    let lower = name.to_ascii_lowercase();
    if names.contains(&lower) {
        faults.at(span, format!("header \"{name}\" is named twice; it is either added, set or removed"));
        return false;
    }
    names.push(lower);
    true
}

/// A text for readers.
fn text(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Option<String> {
    let text = table.string(key, faults)?;
    match Marks::check_text(text.get_ref()) {
        Ok(()) => Some(text.into_inner().trim().to_owned()),
        Err(why) => {
            faults.at(text.span(), format!("{key} {why}"));
            None
        }
    }
}

fn quoted() -> String {
    WORDS.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(", ")
}
