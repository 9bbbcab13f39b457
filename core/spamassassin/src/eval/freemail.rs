//! Questions about addresses of free mail.

use super::{Call, Evaluation, Function, lists::fits};
use crate::message::domains;
use std::collections::BTreeSet;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("check_freemail_header", |e, call| {
        let addresses = addresses(e, &format!("{}:addr", call.text(0)));
        addresses.iter().any(|address| is_freemail(e, address) && wanted(call, address))
    }),
    ("check_freemail_from", |e, call| {
        let senders = e.message.senders();
        senders
            .iter()
            .map(|sender| sender.to_lowercase())
            .any(|sender| is_freemail(e, &sender) && wanted(call, &sender))
    }),
    ("check_freemail_body", |e, call| {
        in_body(e).is_some_and(|addresses| addresses.iter().any(|address| wanted(call, address)))
    }),
    ("check_freemail_replyto", replyto),
];

/// Different addresses in a text from which on it is a list of such. Unit: addresses. Source: SpamAssassin's defaults.
const MANY: usize = 5;
/// Different free addresses. Unit: addresses. Source: as above.
const MANY_FREE: usize = 3;
/// Most addresses read. Unit: addresses. Source: as above.
const MOST: usize = 40;

fn addresses(evaluation: &Evaluation<'_>, request: &str) -> Vec<String> {
    evaluation.message.values(request).iter().map(|value| String::from_utf8_lossy(value).to_lowercase()).collect()
}

fn wanted(call: &Call, address: &str) -> bool {
    call.pattern.as_ref().is_none_or(|pattern| pattern.is_match(address.as_bytes()))
}

/// Whether a local part belongs to the provider itself, or was made by a machine. Source: SpamAssassin's FreeMail.
fn is_of_provider(local: &str) -> bool {
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let is_id = match local.split(['.', '-']).collect::<Vec<_>>()[..] {
        [one] | [one, _] if one.len() == 8 && local.len() <= 17 => {
            local.split('.').all(|part| part.len() == 8 && hex(part))
        }
        [a, b, c, d, e] => {
            [a, b, c, d, e].iter().zip([8, 4, 4, 4, 12]).all(|(part, length)| part.len() == length && hex(part))
        }
        _ => false,
    };
    ["abuse", "support", "sales", "info", "helpdesk", "contact", "kontakt", "postmaster", "hostmaster", "domainmaster"]
        .contains(&local)
        || ["undisclosed", "bounce-", "bounced-"].iter().any(|start| local.starts_with(start))
        || local.strip_prefix("request-").is_some_and(|id| id.len() == 16 && hex(id))
        || local.matches('=').count() > 1
        || is_id
}

/// Whether an envelope sender is one of lists and machines, whose mail has its answers sent elsewhere. Source: as above.
fn is_bulk(sender: &str) -> bool {
    let local = sender.rsplit_once('@').map_or("", |(local, _)| local);
    let squeezed: String = local.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    ["postmaster", "hostmaster", "domainmaster", "double-bounce"].contains(&local)
        || ["sentto-", "owner-", "return-", "bounce-", "bounced-", "grbounce-", "grbounced-"]
            .iter()
            .any(|start| local.starts_with(start))
        || ["-request", "-bounce", "-bounces", "-admin", "-owner"].iter().any(|end| local.ends_with(end))
        || squeezed.ends_with("noreply")
        || squeezed.ends_with("noreplies")
        || local.split_once('=').is_some_and(|(before, after)| !before.is_empty() && !after.is_empty())
}

fn is_freemail(evaluation: &Evaluation<'_>, address: &str) -> bool {
    let settings = evaluation.message.settings;
    let Some((_, domain)) = address.rsplit_once('@') else { return false };
    if settings.freemail_exempt.contains(address) || settings.freemail_exempt.contains(domain) {
        return false;
    }
    if is_of_provider(address.split('@').next().unwrap_or_default()) {
        return false;
    }
    settings.freemail_domains.contains(domain)
        || settings.freemail_patterns.iter().any(|pattern| fits(pattern.as_bytes(), domain.as_bytes()))
}

/// Free addresses in the text; none if it names too many.
fn in_body<'e>(evaluation: &'e Evaluation<'_>) -> Option<&'e Vec<String>> {
    evaluation.freemail.get_or_init(|| find_in_body(evaluation)).as_ref()
}

fn find_in_body(evaluation: &Evaluation<'_>) -> Option<Vec<String>> {
    let message = evaluation.message;
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut add = |address: &str, found: &mut Vec<String>| {
        let address = address.to_lowercase();
        if found.len() < MOST && seen.insert(address.clone()) {
            found.push(address);
        }
    };
    for (uri, link) in &message.links {
        if link.types.contains("a")
            && !link.types.contains("parsed")
            && let Some(address) = uri.strip_prefix("mailto:")
        {
            let address = address.split('?').next().unwrap_or_default();
            if is_address(evaluation, address) {
                add(address, &mut found);
            }
        }
    }
    for line in &message.texts.body {
        for at in memchr::memchr_iter(b'@', line) {
            let local = line[..at].iter().rev().take(64).take_while(|b| is_local(**b)).count();
            let domain = line[at + 1..]
                .iter()
                .take(253)
                .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
                .count();
            let text = String::from_utf8_lossy(&line[at - local..at + 1 + domain]);
            let text = text.trim_end_matches(['.', '-']);
            // Addresses inside links are no addresses of the text.
            let word = line[..at].iter().rev().take(300).take_while(|b| !b.is_ascii_whitespace()).count();
            let in_link = memchr::memmem::find(&line[at - word..at], b"://").is_some();
            let enclosed = line.get(at - local..).is_some()
                && line[..at - local].ends_with(b"<")
                && line[at + 1 + domain..].starts_with(b">");
            if local > 0 && !in_link && !enclosed && is_address(evaluation, text) {
                add(text, &mut found);
            }
        }
    }
    if found.len() >= MANY {
        return None;
    }
    found.retain(|address| is_freemail(evaluation, address));
    (found.len() < MANY_FREE).then_some(found)
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-".contains(&byte)
}

fn is_address(evaluation: &Evaluation<'_>, text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !local.starts_with('.')
            && !local.ends_with('.')
            && local.bytes().all(is_local)
            && domains::is_host(domain)
            && evaluation.message.settings.is_domain(domain)
    })
}

/// Whether answers go to another free address than the message came from.
fn replyto(evaluation: &Evaluation<'_>, call: &Call) -> bool {
    let sender = evaluation.message.envelope_from().unwrap_or_default().to_lowercase();
    if is_bulk(&sender) {
        return false;
    }
    let (from, reply) = (addresses(evaluation, "From:addr"), addresses(evaluation, "Reply-To:addr"));
    let free = |addresses: &[String]| addresses.iter().any(|address| is_freemail(evaluation, address));
    let (from_free, reply_free) = (free(&from), free(&reply));
    if from_free && reply_free && !from.iter().any(|address| reply.contains(address)) {
        return true;
    }
    let or_from = call.text(0) == "reply";
    if (!or_from && !reply_free) || (or_from && ((!reply.is_empty() && !reply_free) || !from_free)) {
        return false;
    }
    let answers = if !or_from || reply_free { &reply } else { &from };
    in_body(evaluation).is_some_and(|body| body.iter().any(|address| answers.iter().any(|answer| answer != address)))
}
