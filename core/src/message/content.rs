//! Text and links collected over all parts, within bounds.

use super::{Bounds, Damage, Link, LinkKind};
use aho_corasick::AhoCorasick;
use linkify::{LinkFinder, LinkKind as Found};
use std::{
    collections::{BTreeSet, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::LazyLock,
};

/// The words of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// Text of the plain parts.
    pub plain: String,
    /// Text that the HTML parts show.
    pub shown: String,
    /// Text that the HTML parts hold but do not show.
    pub hidden: String,
}

impl Text {
    /// What a reader sees: the HTML if there is any, as mail programs prefer it, else the plain text.
    pub fn visible(&self) -> &str {
        if self.shown.trim().is_empty() { &self.plain } else { &self.shown }
    }
}

/// What the HTML parts are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HtmlFacts {
    /// Whether there is an HTML part.
    pub present: bool,
    /// Pictures, tracking pixels included.
    pub images: u32,
    /// Pictures fetched from elsewhere.
    pub remote_images: u32,
    /// Forms.
    pub forms: u32,
    /// Input fields of type password.
    pub password_fields: u32,
    /// Script elements and event handlers.
    pub scripts: u32,
    /// Pages inside the page: `iframe`, `frame`, `object`, `embed`.
    pub frames: u32,
    /// `meta` elements that load another page.
    pub refreshes: u32,
    /// `base` elements that change where relative links lead.
    pub bases: u32,
    /// Elements that no HTML standard knows.
    pub invented: u32,
    /// Pieces of hidden text that hold letters.
    pub hidden_runs: u32,
    /// Hidden text between two letters of a word that is shown.
    pub torn_words: u32,
    /// Pieces of Latin text that are displayed from right to left.
    pub reversed_runs: u32,
    /// Comments of words: without markup, styles and conditions for Outlook (`<!--[if mso]>`). Unit: bytes.
    pub comment_bytes: u32,
    /// ASCII letters written as numbers (`&#97;`).
    pub numbered_letters: u32,
}

/// Collects what the parts hold.
pub(super) struct Collector<'b> {
    pub(super) bounds: &'b Bounds,
    pub(super) text: Text,
    pub(super) html: HtmlFacts,
    pub(super) links: Vec<Link>,
    pub(super) damage: BTreeSet<Damage>,
    pub(super) html_bytes_left: usize,
    pub(super) html_tokens_left: usize,
    seen: HashSet<u64>,
}

impl<'b> Collector<'b> {
    pub(super) fn new(bounds: &'b Bounds) -> Self {
        Collector {
            bounds,
            text: Text::default(),
            html: HtmlFacts::default(),
            links: Vec::new(),
            damage: BTreeSet::new(),
            html_bytes_left: bounds.html_bytes,
            html_tokens_left: bounds.html_tokens,
            seen: HashSet::new(),
        }
    }

    /// Takes the text of a plain part.
    pub(super) fn plain(&mut self, text: &str) {
        let room = self.bounds.text_bytes.saturating_sub(self.text.plain.len());
        let kept = super::link::cut(text, room);
        if kept.len() < text.len() {
            self.damage.insert(Damage::TextLimit);
        }
        if !self.text.plain.is_empty() {
            self.text.plain.push('\n');
        }
        self.text.plain.push_str(kept);
        let mut finder = LinkFinder::new();
        finder.kinds(&[Found::Url]).url_must_have_scheme(false);
        for word in words_with_links(kept) {
            // A word without end is cut, so that the finder stays linear.
            for link in finder.links(super::link::cut(word, self.bounds.link_bytes)) {
                if may_hold_link(link.as_str()) {
                    self.link(link.as_str(), link.as_str(), LinkKind::Plain);
                }
            }
        }
    }

    /// Takes a link as written; one that is there already, with the same words, is not kept twice.
    pub(super) fn link(&mut self, written: &str, text: &str, kind: LinkKind) {
        let Some(link) = Link::read(written, text, kind, self.bounds.link_bytes) else { return };
        let mut hasher = DefaultHasher::new();
        (&link.url, &link.text, kind).hash(&mut hasher);
        if self.links.len() >= self.bounds.links {
            self.damage.insert(Damage::LinkLimit);
        } else if self.seen.insert(hasher.finish()) {
            self.links.push(link);
        }
    }
}

/// The words around every `://` and `www.`, each once.
fn words_with_links(text: &str) -> impl Iterator<Item = &str> {
    let mut read = 0;
    let marks = LINK_MARKS.iter().flat_map(move |finder| finder.find_iter(text));
    marks.filter_map(move |mark| {
        // Asked first: a word of a million marks is read once.
        let before = text.get(read..mark.start())?;
        let start = before.char_indices().rfind(|(_, char)| char.is_whitespace());
        let start = start.map_or(read, |(at, char)| read + at + char.len_utf8());
        let end = text[mark.end()..].find(char::is_whitespace).map_or(text.len(), |at| mark.end() + at);
        read = end;
        Some(&text[start..end]).filter(|word| may_hold_link(word))
    })
}

static LINK_MARKS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(["://", "www."]).ok());

fn may_hold_link(word: &str) -> bool {
    word.contains("://")
        || word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www."))
        || word.contains("www.")
}
