//! Questions to lists of the rule files.

use super::{Call, Evaluation, Function};
use crate::rules::settings::modern;
use std::collections::BTreeSet;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("check_from_in_list", |e, call| e.message.senders().iter().any(|sender| listed(e, call.text(0), sender))),
    ("check_to_in_list", |e, call| e.message.recipients().iter().any(|to| listed(e, call.text(0), to))),
    ("check_replyto_in_list", |e, call| {
        let reply = e.message.first("Reply-To:addr");
        !reply.is_empty() && listed(e, call.text(0), &reply)
    }),
    ("check_from_in_welcomelist", |e, _| from_is(e, "welcomelist_from")),
    ("check_from_in_whitelist", |e, _| from_is(e, "welcomelist_from")),
    ("check_from_in_blocklist", |e, _| from_is(e, "blocklist_from")),
    ("check_from_in_blacklist", |e, _| from_is(e, "blocklist_from")),
    // The list that SpamAssassin ships counts only where the relay fits: Mailward knows that by its own checks.
    ("check_from_in_default_welcomelist", |_, _| false),
    ("check_from_in_default_whitelist", |_, _| false),
    ("check_to_in_welcomelist", |e, _| to_is(e, "welcomelist_to")),
    ("check_to_in_whitelist", |e, _| to_is(e, "welcomelist_to")),
    ("check_to_in_blocklist", |e, _| to_is(e, "blocklist_to")),
    ("check_to_in_blacklist", |e, _| to_is(e, "blocklist_to")),
    ("check_to_in_more_spam", |e, _| to_is(e, "more_spam_to")),
    ("check_to_in_all_spam", |e, _| to_is(e, "all_spam_to")),
    ("check_subject_in_welcomelist", |e, _| subject_is(e, "welcomelist_subject")),
    ("check_subject_in_whitelist", |e, _| subject_is(e, "welcomelist_subject")),
    ("check_subject_in_blocklist", |e, _| subject_is(e, "blocklist_subject")),
    ("check_subject_in_blacklist", |e, _| subject_is(e, "blocklist_subject")),
    ("check_uri_host_listed", |e, call| host_listed(e, &call.text(0).to_uppercase())),
    ("check_uri_host_in_welcomelist", |e, _| host_listed(e, "WELCOME")),
    ("check_uri_host_in_whitelist", |e, _| host_listed(e, "WELCOME")),
    ("check_uri_host_in_blocklist", |e, _| host_listed(e, "BLOCK")),
    ("check_uri_host_in_blacklist", |e, _| host_listed(e, "BLOCK")),
    ("have_any_bounce_relays", |e, _| !e.message.settings.bounce_relays.is_empty()),
    ("check_welcomelist_bounce_relays", bounce_relays),
    ("check_whitelist_bounce_relays", bounce_relays),
];

/// Whether a text fits a pattern in which `*` stands for anything and `?` for one sign. Both in lower case.
pub(crate) fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut star) = ((0, 0), None);
    while at.1 < text.len() {
        match pattern.get(at.0) {
            Some(b'*') => {
                star = Some(at);
                at.0 += 1;
            }
            Some(sign) if *sign == b'?' || *sign == text[at.1] => at = (at.0 + 1, at.1 + 1),
            _ => match star {
                Some((pattern_at, text_at)) => {
                    star = Some((pattern_at, text_at + 1));
                    at = (pattern_at + 1, text_at + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at.0..].iter().all(|sign| *sign == b'*')
}

fn on(list: Option<&BTreeSet<String>>, text: &str) -> bool {
    let text = text.to_lowercase();
    list.is_some_and(|list| {
        list.contains(&text)
            || list.iter().any(|pattern| pattern.contains(['*', '?']) && fits(pattern.as_bytes(), text.as_bytes()))
    })
}

fn listed(evaluation: &Evaluation<'_>, name: &str, address: &str) -> bool {
    let lists = &evaluation.message.settings.addresses;
    on(lists.get(&name.to_uppercase()).or_else(|| lists.get(&modern(name))), address)
}

fn from_is(evaluation: &Evaluation<'_>, list: &str) -> bool {
    evaluation.message.senders().iter().any(|sender| listed(evaluation, list, sender))
}

fn to_is(evaluation: &Evaluation<'_>, list: &str) -> bool {
    evaluation.message.recipients().iter().any(|to| listed(evaluation, list, to))
}

fn subject_is(evaluation: &Evaluation<'_>, list: &str) -> bool {
    on(evaluation.message.settings.subjects.get(list), evaluation.message.text("Subject").trim())
}

fn host_listed(evaluation: &Evaluation<'_>, list: &str) -> bool {
    let Some(list) = evaluation.message.settings.hosts.get(list) else { return false };
    let links = evaluation.message.links.iter().filter(|(uri, _)| !uri.to_lowercase().starts_with("mailto:"));
    let mut hosts = links.flat_map(|(_, link)| link.hosts.keys());
    hosts.any(|host| {
        // The nearest name that is on the list decides.
        let mut names = std::iter::successors(Some(host.as_str()), |name| name.split_once('.').map(|(_, rest)| rest));
        names.find_map(|name| list.get(name)).copied().unwrap_or(false)
    })
}

fn bounce_relays(evaluation: &Evaluation<'_>, _: &Call) -> bool {
    let relays = &evaluation.message.settings.bounce_relays;
    let full = evaluation.message.tree.full();
    let body = String::from_utf8_lossy(&full[evaluation.message.tree.head.min(full.len())..]);
    !relays.is_empty()
        && body
            .lines()
            .filter(|line| line.trim_start_matches(['>', ' ']).to_lowercase().starts_with("received:"))
            .any(|line| line.split_whitespace().filter(|word| word.contains('.')).any(|word| on(Some(relays), word)))
}
