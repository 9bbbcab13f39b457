//! Questions about HTML parts.

use super::{Call, Evaluation, Function};
use crate::message::page::Page;
use std::net::IpAddr;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("html_tag_balance", |e, call| {
        any(e, |page| page.inside.get(call.text(0)).is_some_and(|depth| call.compares(f64::from(*depth), 1)))
    }),
    ("html_image_only", |e, call| {
        any(e, |page| {
            page.inside.contains_key("img") && page.facts.get("length").is_some_and(|l| call.above_up_to(*l, 0))
        })
    }),
    ("html_image_ratio", |e, call| {
        any(e, |page| {
            let fact = |name: &str| page.facts.get(name).copied().unwrap_or(0.0);
            fact("image_area") > 0.0 && call.above_up_to(fact("non_space_len") / fact("image_area"), 0)
        })
    }),
    ("html_charset_faraway", |_, _| false),
    ("html_tag_exists", |e, call| any(e, |page| page.inside.contains_key(call.text(0)))),
    ("html_test", |e, call| any(e, |page| page.facts.get(call.text(0)).is_some_and(|value| *value != 0.0))),
    ("html_eval", |e, call| any(e, |page| page.facts.get(call.text(0)).is_some_and(|value| call.compares(*value, 1)))),
    ("html_range", |e, call| {
        any(e, |page| page.facts.get(call.text(0)).is_some_and(|value| call.above_up_to(*value, 1)))
    }),
    ("html_text_match", |e, call| {
        let Some(pattern) = &call.pattern else { return false };
        any(e, |page| texts(page, call.text(0)).iter().any(|text| pattern.is_match(text.as_bytes())))
    }),
    ("html_text_not_match", |e, call| {
        let Some(pattern) = &call.pattern else { return false };
        any(e, |page| texts(page, call.text(0)).iter().any(|text| !pattern.is_match(text.as_bytes())))
    }),
    ("html_title_subject_ratio", |e, call| {
        let subject = e.message.text("Subject").len() as f64;
        let longest = |page: &Page| page.titles.iter().map(|title| title.chars().count()).max().unwrap_or(0) as f64;
        subject > 0.0 && any(e, |page| call.number(0).is_some_and(|ratio| longest(page) / subject > ratio))
    }),
    ("check_iframe_src", |e, _| any(e, |page| page.links.values().any(|link| link.types.contains("iframe")))),
    ("check_https_ip_mismatch", |e, _| any(e, ip_mismatch)),
    ("check_https_http_mismatch", |e, call| any(e, |page| http_mismatch(e, page, call))),
    ("check_uri_truncated", |e, _| e.message.uri_truncated),
];

fn any(evaluation: &Evaluation<'_>, holds: impl FnMut(&Page) -> bool) -> bool {
    evaluation.message.texts.pages.iter().any(holds)
}

fn texts<'p>(page: &'p Page, kind: &str) -> &'p [String] {
    match kind {
        "title" => &page.titles,
        "comment" => &page.comments,
        "script" => &page.scripts,
        "anchor" => &page.anchors,
        _ => &[],
    }
}

fn host_of<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let at = text.to_ascii_lowercase().find(scheme)?;
    let rest = &text[at + scheme.len()..];
    let rest = rest.trim_start_matches('/');
    let host = rest.split(['/', ':', '?', '#']).next()?;
    host.split_whitespace().next()
}

/// A link to a bare address whose text shows an encrypted link to a name.
fn ip_mismatch(page: &Page) -> bool {
    page.links.iter().any(|(uri, link)| {
        let lower = uri.to_ascii_lowercase();
        let host = ["http:", "https:"].iter().find(|s| lower.starts_with(**s)).and_then(|scheme| host_of(uri, scheme));
        let is_address = |host: &str| host.rsplit('@').next().unwrap_or_default().parse::<IpAddr>().is_ok();
        host.is_some_and(is_address)
            && link.anchor_texts.iter().any(|text| {
                let shown = host_of(text, "https:");
                text.to_ascii_lowercase().contains("https:") && !shown.is_some_and(is_address)
            })
    })
}

/// A link whose text shows an encrypted link to another domain.
fn http_mismatch(evaluation: &Evaluation<'_>, page: &Page, call: &Call) -> bool {
    let settings = evaluation.message.settings;
    let (mut anchors, mut hit) = (0.0, false);
    for (uri, link) in page.links.iter().filter(|(_, link)| !link.anchor_texts.is_empty()) {
        let lower = uri.to_ascii_lowercase();
        let Some(scheme) = ["http://", "https://"].into_iter().find(|scheme| lower.starts_with(scheme)) else {
            continue;
        };
        let Some(host) = host_of(uri, scheme).filter(|host| host.parse::<IpAddr>().is_err()) else { continue };
        let domain = settings.domain_of(host);
        if !settings.is_domain(&domain) {
            continue;
        }
        anchors += 1.0;
        hit |= link.anchor_texts.iter().any(|text| {
            let shown = host_of(text, "https://").filter(|host| host.parse::<IpAddr>().is_err());
            shown.is_some_and(|host| {
                let shown = settings.domain_of(host);
                settings.is_domain(&shown) && shown != domain
            })
        });
    }
    hit && anchors >= call.number(0).unwrap_or(1.0).max(1.0) && call.number(1).is_none_or(|most| anchors < most)
}
