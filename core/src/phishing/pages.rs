//! Rules over pages that are attached: they run outside the mail program, where no filter sees what they load.

use super::{
    case::Case,
    rules::{Rule, rule},
};
use crate::{message::Part, spam::Seen, verdict::Attack};
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

pub(super) const RULES: &[Rule] = &[
    rule(
        "phishing.page-with-form",
        250,
        Attack::HtmlAttachment,
        "MITRE ATT&CK T1566.001: a form to sign in that comes as a file",
        "An attached page has a form or a field for a password.",
        page_with_form,
    ),
    rule(
        "phishing.page-with-script",
        200,
        Attack::HtmlAttachment,
        "MITRE ATT&CK T1027.006: the page is put together by a script when it is opened",
        "An attached page or drawing is built, or led elsewhere, by a script.",
        page_with_script,
    ),
];

/// Most of an attached page that is read. Unit: bytes. Source: our own limit; what hides behind more is slow to open.
const PAGE_BYTES: usize = 1 << 20;

/// Words of pages, and what they mean.
const WORDS: &[(&str, Sign)] = &[
    ("<form", Sign::Form),
    ("type=\"password\"", Sign::Form),
    ("type='password'", Sign::Form),
    ("type=password", Sign::Form),
    ("<script", Sign::Script),
    ("javascript:", Sign::Script),
    (" onload=", Sign::Script),
    (" onerror=", Sign::Script),
    ("http-equiv=\"refresh\"", Sign::Leads),
    ("http-equiv='refresh'", Sign::Leads),
    ("http-equiv=refresh", Sign::Leads),
    ("location.href", Sign::Leads),
    ("location.replace", Sign::Leads),
    ("location.assign", Sign::Leads),
    ("window.location", Sign::Leads),
    ("document.location", Sign::Leads),
    ("document.write", Sign::Builds),
    ("innerhtml", Sign::Builds),
    ("unescape(", Sign::Builds),
    ("atob(", Sign::Builds),
    ("fromcharcode", Sign::Builds),
    ("eval(", Sign::Builds),
    ("decodeuricomponent(", Sign::Builds),
    ("createobjecturl", Sign::Builds),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Form,
    Script,
    Leads,
    Builds,
}

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = WORDS.iter().map(|(word, _)| word);
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
});

/// The first attached page whose signs are such.
fn page(case: &Case<'_, '_>, are: impl Fn(&[bool; 4]) -> bool) -> Option<Seen> {
    let message = case.facts.message;
    let files = message.files_beside_text().filter_map(|file| message.parts.get(file.part));
    let found = files.filter(|part| is_page(part)).find(|part| are(&signs(&part.content)))?;
    Some(Seen::Fact(found.label()))
}

fn is_page(part: &Part<'_>) -> bool {
    let name = part.name.as_deref().unwrap_or_default().to_lowercase();
    let named =
        [".html", ".htm", ".shtml", ".xhtml", ".svg", ".mht", ".mhtml", ".xht"].iter().any(|end| name.ends_with(end));
    named || matches!(part.content_type.as_str(), "text/html" | "image/svg+xml" | "application/xhtml+xml")
}

fn signs(content: &[u8]) -> [bool; 4] {
    let mut signs = [false; 4];
    let content = &content[..content.len().min(PAGE_BYTES)];
    if let Some(finder) = FINDER.as_ref() {
        for found in finder.find_iter(content) {
            signs[WORDS[found.pattern()].1 as usize] = true;
        }
    }
    signs
}

fn page_with_form(case: &Case<'_, '_>) -> Option<Seen> {
    page(case, |signs| signs[Sign::Form as usize])
}

fn page_with_script(case: &Case<'_, '_>) -> Option<Seen> {
    page(case, |signs| {
        let script = signs[Sign::Script as usize];
        signs[Sign::Leads as usize] || script && signs[Sign::Builds as usize]
    })
}
