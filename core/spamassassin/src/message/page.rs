//! What an HTML part shows, and what rules ask about its making.

use super::{
    color,
    html::{Attributes, Piece, Pieces},
    style::{Style, css},
    uri,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::LazyLock,
};

/// An HTML part, rendered.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The text that it shows, hidden text included.
    pub(crate) text: String,
    /// How deep each element is open at the end, by name; also those that were closed again.
    pub(crate) inside: HashMap<String, i32>,
    /// Links: the types of tags that name them, and the text of their anchors.
    pub(crate) links: BTreeMap<String, PageLink>,
    pub(crate) titles: Vec<String>,
    pub(crate) comments: Vec<String>,
    pub(crate) scripts: Vec<String>,
    pub(crate) anchors: Vec<String>,
    /// Answers to `html_test`, `html_eval` and `html_range` by their names.
    pub(crate) facts: HashMap<&'static str, f64>,
    /// Character sets that the page itself names.
    pub(crate) charsets: Vec<String>,
    pub(crate) uri_truncated: bool,
}

/// A link of a page.
#[derive(Debug, Default)]
pub(crate) struct PageLink {
    pub(crate) types: BTreeSet<&'static str>,
    pub(crate) anchor_texts: Vec<String>,
}

/// Elements that count as HTML. Source: HTML 4.01, and those that mail programs write.
const ELEMENTS: &str = "a abbr acronym address area b base bdo big blockquote body br button caption cite code col colgroup dd del \
    dfn div dl dt em fieldset form h1 h2 h3 h4 h5 h6 head hr html i img input ins kbd label legend li link map meta noscript object ol \
    optgroup option p param pre q samp script select small span strong style sub sup table tbody td textarea tfoot th thead title tr tt \
    ul var applet basefont center dir font frame frameset iframe isindex menu noframes s strike u nobr x-sigsep x-tab";
static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| ELEMENTS.split_whitespace().collect());
/// Elements that are shown but do not count. Source: SpamAssassin.
const TRICKS: &str = " bgsound embed listing plaintext xmp ";
/// Elements that change how text looks.
const STYLED: &str = " body font table tr th td big small basefont marquee span p div a ";
/// Attributes that count for how text looks, by element. SpamAssassin 4.0 reads `bgcolor` too and then forgets it.
const LOOKS: &[(&str, &str)] = &[
    ("basefont", " color face size "),
    ("body", " text bgcolor link alink vlink background "),
    ("font", " color face size "),
    ("marquee", " bgcolor background "),
    ("table", " bgcolor style "),
    ("td", " bgcolor style "),
    ("th", " bgcolor style "),
    ("tr", " bgcolor style "),
    ("span", " style "),
    ("p", " style "),
    ("div", " style "),
    ("a", " style "),
];
/// Names of elements that hold links.
const LINKING: &[&str] = &[
    "body", "table", "tr", "td", "a", "area", "link", "img", "frame", "iframe", "embed", "script", "form", "base",
    "bgsound", "meta",
];

/// Most tags looked at. Unit: tags. Source: our own limit.
const TAGS: usize = 100_000;
/// Most links kept. Unit: links. Source: our own limit.
const LINKS: usize = 2_000;
/// Deepest stack of styles. Unit: elements. Source: our own limit, as closing looks through it.
const STYLES: usize = 256;

fn among(list: &str, name: &str) -> bool {
    !name.is_empty()
        && list.match_indices(name).any(|(at, _)| list[..at].ends_with(' ') && list[at + name.len()..].starts_with(' '))
}

struct Renderer {
    page: Page,
    styles: Vec<Style>,
    base_font: i64,
    base: String,
    /// Where the last piece of text began, and whether it was whitespace of a tag or invisible.
    last: Option<(usize, bool, bool)>,
    anchor: String,
    tags: f64,
    elements: f64,
    tags_seen: f64,
    elements_seen: f64,
    closed_extra: f64,
    obfuscation: f64,
    image_area: f64,
    sizes: (i64, i64),
    short_joints: BTreeSet<(usize, usize)>,
}

impl Page {
    /// Renders a page of this many bytes in its own character set.
    pub(super) fn of(html: &str, bytes: usize) -> Page {
        let tidy = tidied(html);
        let mut renderer = Renderer {
            page: Page::default(),
            styles: vec![Style {
                tag: "default",
                foreground: Some([0; 3]),
                background: Some([255; 3]),
                size: 3,
                hidden: false,
            }],
            base_font: 3,
            base: String::new(),
            last: None,
            anchor: String::new(),
            tags: 0.0,
            elements: 0.0,
            tags_seen: 0.0,
            elements_seen: 0.0,
            closed_extra: 0.0,
            obfuscation: 0.0,
            image_area: 0.0,
            sizes: (3, 3),
            short_joints: BTreeSet::new(),
        };
        for piece in Pieces::of(&tidy).take(TAGS * 2) {
            match piece {
                Piece::Open(name, attributes) => renderer.tag(&name, Some(&attributes)),
                Piece::Close(name) => renderer.tag(&name, None),
                Piece::Text(text) => renderer.text(&text),
                Piece::Comment(text) => renderer.page.comments.push(format!("<!--{text}-->")),
                Piece::Declaration(text) => {
                    if text.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype")) {
                        renderer.elements += 1.0;
                        renderer.tags += 1.0;
                        renderer.page.inside.insert("!doctype".to_owned(), 0);
                    }
                }
            }
        }
        renderer.finish(bytes, tidy.chars().count())
    }
}

/// The page with `&nbsp;` as blanks, `<br/>` as `<br>` and straight quotes.
fn tidied(html: &str) -> String {
    let mut text = html.replace("&nbsp;", " ").replace(['\u{201c}', '\u{201d}'], "\"");
    // `<word/>`: the parser would take the slash for a part of the name.
    let mut search = 0;
    while let Some(found) = memchr::memmem::find(&text.as_bytes()[search..], b"/>") {
        let at = search + found;
        search = at + 2;
        let start = text[..at].trim_end().rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        if let Some(start) = start
            && text.as_bytes()[start] == b'<'
            && text[start + 1..at].trim_end().len() == at - start - 1
            && at > start + 1
        {
            // Same length, so that offsets stay.
            text.replace_range(at..at + 2, "> ");
        }
    }
    text
}

impl Renderer {
    fn fact(&mut self, name: &'static str) {
        self.page.facts.insert(name, 1.0);
    }

    fn depth(&self, tag: &str) -> i32 {
        self.page.inside.get(tag).copied().unwrap_or(0)
    }

    fn tag(&mut self, name: &str, attributes: Option<&Attributes<'_>>) {
        let is_namespace = name.split_once(':').is_some_and(|(space, rest)| {
            (space == "o"
                || (space.len() == 3 && space.starts_with("st") && space.ends_with(|c: char| c.is_ascii_digit())))
                && !rest.is_empty()
                && rest.trim_end_matches('/').bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        });
        let is_element = KNOWN.contains(name);
        let is_new = !self.page.inside.contains_key(name);
        self.tags += 1.0;
        self.tags_seen += f64::from(u8::from(is_new));
        if is_element || is_namespace {
            self.elements += 1.0;
            self.elements_seen += f64::from(u8::from(is_new));
        }
        let depth = self.page.inside.entry(name.to_owned()).or_insert(0);
        *depth += if attributes.is_some() { 1 } else { -1 };
        if *depth < 0 {
            *depth = 0;
            self.closed_extra += 1.0;
        }
        if is_namespace || !(is_element || among(TRICKS, name)) {
            return;
        }
        if among(STYLED, name) {
            self.style(name, attributes);
        }
        match name {
            "br" | "div" => self.whitespace("\n"),
            "li" | "th" | "td" | "dt" | "dd" | "embed" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.whitespace(" ")
            }
            "p" | "hr" | "blockquote" | "pre" | "listing" | "plaintext" | "xmp" | "title" => self.whitespace("\n\n"),
            _ => {}
        }
        if let Some(attributes) = attributes {
            self.links(name, attributes);
            self.look(name, attributes);
        }
    }

    fn whitespace(&mut self, text: &str) {
        if let Some((start, false, false)) = self.last
            && self.page.text[start..].ends_with(' ')
        {
            self.page.text.pop();
        }
        self.last = Some((self.page.text.len(), true, false));
        self.page.text.push_str(text);
    }

    fn show(&mut self, text: &str, invisible: bool) {
        let behind_whitespace = !invisible && matches!(self.last, Some((_, true, _)));
        let start = self.page.text.len();
        self.last = Some((start, false, invisible));
        let mut blank = false;
        for char in text.chars() {
            if matches!(char, ' ' | '\t' | '\n' | '\r' | '\x0c' | '\x0b') {
                blank = true;
                continue;
            }
            if std::mem::take(&mut blank) && !(behind_whitespace && self.page.text.len() == start) {
                self.page.text.push(' ');
            }
            self.page.text.push(char);
        }
        if blank && !(behind_whitespace && self.page.text.len() == start) {
            self.page.text.push(' ');
        }
    }

    fn text(&mut self, text: &str) {
        if self.depth("script") > 0 {
            return self.page.scripts.push(text.to_owned());
        }
        if self.depth("style") > 0 {
            return;
        }
        if self.depth("a") > 0 {
            self.anchor_text(text);
        }
        if self.depth("title") > 0
            && let Some(title) = self.page.titles.last_mut()
        {
            title.push_str(text);
        }
        let has_words = text.chars().any(|c| !matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c' | '\x0b'));
        let invisible = has_words && self.is_invisible();
        self.joints(text);
        self.show(text, invisible);
    }

    /// Words that tags cut into pieces.
    fn joints(&mut self, text: &str) {
        let Some((start, ..)) = self.last else { return };
        let is_letter = |c: char| !c.is_whitespace() && !c.is_ascii_punctuation();
        let before = &self.page.text[start..];
        let (Some(last), Some(first)) = (before.chars().next_back(), text.chars().next()) else { return };
        if !is_letter(last) || !is_letter(first) {
            return;
        }
        self.obfuscation += 1.0;
        let short = |letters: usize| (1..=7).contains(&letters);
        let ends = before.chars().rev().take(8).take_while(|c| is_letter(*c)).count();
        let begins = text.chars().take(8).take_while(|c| is_letter(*c)).count();
        if short(ends) && short(begins) {
            self.short_joints.insert((ends, begins));
        }
    }

    fn anchor_text(&mut self, text: &str) {
        if let Some(anchor) = self.page.anchors.last_mut() {
            anchor.push_str(text);
        }
        let link = self.page.links.get_mut(&self.anchor);
        if let Some(anchor) = link.and_then(|link| link.anchor_texts.last_mut()) {
            anchor.push_str(text);
        }
    }

    fn is_invisible(&mut self) -> bool {
        let Some(style) = self.styles.last().cloned() else { return false };
        let close = match (style.foreground, style.background) {
            (Some(foreground), Some(background)) => color::distance(foreground, background) < 12.0,
            (None, None) => true,
            _ => {
                self.fact("font_invalid_color");
                return true;
            }
        };
        if close {
            self.fact("font_low_contrast");
        }
        close || style.size <= 1 || style.hidden
    }

    fn style(&mut self, name: &str, attributes: Option<&Attributes<'_>>) {
        let tag = STYLE_TAGS.iter().find(|tag| **tag == name).copied().unwrap_or("");
        let tag = if tag == "th" { "td" } else { tag };
        let Some(attributes) = attributes else {
            if tag != "body"
                && let Some(at) = self.styles.iter().rposition(|style| style.tag == tag)
            {
                self.styles.truncate(at);
            }
            return;
        };
        let leading_number = |text: &str| -> Option<i64> {
            let text = text.trim_start();
            let digits = text.trim_start_matches(['+', '-']);
            let length = digits.bytes().take(6).take_while(u8::is_ascii_digit).count();
            digits[..length].parse().ok()
        };
        if tag == "basefont"
            && let Some(size) = attributes.get("size").and_then(leading_number)
        {
            self.base_font = size;
            return;
        }
        if (tag == "td" || tag == "tr") && self.styles.iter().any(|style| style.tag == tag) {
            while let Some(top) = self.styles.last().map(|style| style.tag) {
                if !(matches!(top, "font" | "td") || (tag == "tr" && top == "tr")) {
                    break;
                }
                self.styles.pop();
            }
        }
        let parent = self.styles.last().cloned();
        let mut style = parent.clone().unwrap_or(Style {
            tag,
            foreground: Some([0; 3]),
            background: Some([255; 3]),
            size: 3,
            hidden: false,
        });
        style.tag = tag;
        match tag {
            "big" => style.size += 1,
            "small" => style.size -= 1,
            _ => {
                let looks = LOOKS.iter().find(|(looks, _)| *looks == name).map_or("", |(_, looks)| looks);
                for (attribute, value) in attributes.iter().filter(|(attribute, _)| among(looks, attribute)) {
                    match attribute {
                        "text" | "color" => style.foreground = color::color(value),
                        "size" => {
                            if let Some(size) = leading_number(value) {
                                style.size = match value.trim_start().as_bytes().first() {
                                    Some(b'+') => self.base_font + size,
                                    Some(b'-') => self.base_font - size,
                                    _ => size,
                                };
                            }
                        }
                        "style" => css(value, &mut style, parent.as_ref()),
                        _ => {}
                    }
                    self.sizes = (self.sizes.0.min(style.size), self.sizes.1.max(style.size));
                }
            }
        }
        if self.styles.len() < STYLES {
            self.styles.push(style);
        }
    }

    fn links(&mut self, name: &str, attributes: &Attributes<'_>) {
        let Some(kind) = LINKING.iter().find(|kind| **kind == name).copied() else { return };
        match kind {
            "body" | "table" | "tr" | "td" => self.link(kind, attributes.get("background")),
            "a" | "area" | "link" => {
                let disguised = attributes.iter().find(|(name, _)| name.ends_with("/href")).map(|(_, value)| value);
                let href = disguised.or(attributes.get("href")).map(|href| href.replace('\u{feff}', ""));
                self.link(kind, href.as_deref());
                self.link(kind, attributes.get("data-saferedirecturl"));
            }
            "img" | "frame" | "iframe" | "embed" | "script" | "bgsound" => {
                let disguised = attributes.iter().find(|(name, _)| name.ends_with("/src")).map(|(_, value)| value);
                self.link(kind, disguised.or(attributes.get("src")));
            }
            "form" => self.link(kind, attributes.get("action")),
            "base" => {
                let Some(href) =
                    attributes.get("href").map(|href| self.canonical(href)).filter(|href| !href.is_empty())
                else {
                    return;
                };
                self.link(kind, Some(&href));
                if ["http:", "https:", "ftp:"].iter().any(|scheme| uri::starts_with(&href, scheme)) {
                    // The file name at its end is no part of the base.
                    let host_end = href.find("//").and_then(|at| href[at + 2..].find('/').map(|end| at + 2 + end));
                    let cut = host_end.and_then(|end| href.rfind('/').filter(|last| *last >= end));
                    self.base = match cut {
                        Some(last) if href[last..].contains('.') => href[..=last].to_owned(),
                        _ if href.ends_with('/') => href,
                        _ => format!("{href}/"),
                    };
                }
            }
            _ => {
                let is_refresh =
                    attributes.get("http-equiv").is_some_and(|value| value.to_lowercase().contains("refresh"));
                if is_refresh && let Some(content) = attributes.get("content") {
                    let lower = content.to_lowercase();
                    if let Some(at) = lower.find("url").filter(|at| lower[at + 3..].trim_start().starts_with('=')) {
                        let target = content.get(at + 3..).unwrap_or_default().trim_start().trim_start_matches('=');
                        self.link(kind, Some(target.split(';').next().unwrap_or_default()));
                    }
                }
            }
        }
    }

    /// A link without blanks around it, cut if it is too long.
    fn canonical(&mut self, written: &str) -> String {
        let mut link = written.trim_matches(|c: char| c.is_whitespace() || c == '\u{a0}').to_owned();
        self.page.uri_truncated |= uri::cut(&mut link);
        link
    }

    fn link(&mut self, kind: &'static str, written: Option<&str>) {
        let Some(written) = written else { return };
        let link = self.canonical(written);
        if link.is_empty() || self.page.links.len() >= LINKS {
            return;
        }
        let is_whole =
            ["data:", "mailto:", "file:", "cid:", "tel:"].iter().any(|scheme| uri::starts_with(&link, scheme));
        let target = if is_whole { link } else { uri::resolved(&self.base, &link) };
        if !target.is_empty() {
            self.page.links.entry(target).or_default().types.insert(kind);
        }
    }

    fn look(&mut self, name: &str, attributes: &Attributes<'_>) {
        match name {
            "font" if attributes.get("face").is_some_and(|face| !is_tidy_face(face)) => self.fact("font_face_bad"),
            "img" => {
                if self.depth("a") > 0 {
                    self.anchor_text("<img>\n");
                }
                if let (Some(width), Some(height)) = (attributes.get("width"), attributes.get("height")) {
                    self.image_area += side(width, 8.0) * side(height, 6.0);
                }
            }
            "form" if attributes.get("action").is_some_and(|action| action.to_lowercase().contains("mailto:")) => {
                self.fact("form_action_mailto");
            }
            "object" | "embed" => self.fact("embeds"),
            "a" => {
                self.anchor = attributes.get("href").map(|href| self.canonical(href)).unwrap_or_default();
                if self.page.links.len() < LINKS {
                    self.page.links.entry(self.anchor.clone()).or_default().anchor_texts.push(String::new());
                }
                self.page.anchors.push(String::new());
            }
            "title" => self.page.titles.push(String::new()),
            "meta" => {
                let is_type =
                    attributes.get("http-equiv").is_some_and(|value| value.to_lowercase().contains("content-type"));
                if is_type
                    && let Some(content) = attributes.get("content")
                    && let Some(at) = content.to_lowercase().find("charset")
                {
                    let value = content.get(at + 7..).unwrap_or_default().trim_start();
                    if let Some(value) = value.strip_prefix('=') {
                        self.page.charsets.push(value.trim().trim_matches(['"', '\'']).to_owned());
                    }
                }
            }
            _ => {}
        }
    }

    fn finish(mut self, bytes: usize, length: usize) -> Page {
        let mut facts = std::mem::take(&mut self.page.facts);
        facts.insert("html", 1.0);
        facts.insert("length", length as f64);
        facts.insert("image_area", self.image_area);
        facts.insert("min_size", self.sizes.0 as f64);
        facts.insert("max_size", self.sizes.1 as f64);
        if self.tags > 0.0 {
            facts.insert("closed_extra_ratio", self.closed_extra / self.tags);
            if self.elements > 0.0 {
                facts.insert("bad_tag_ratio", (self.tags - self.elements) / self.tags);
            }
            if self.elements_seen > 0.0 {
                facts.insert("non_element_ratio", (self.tags_seen - self.elements_seen) / self.tags_seen);
            }
            if self.obfuscation > 0.0 {
                facts.insert("obfuscation_ratio", self.obfuscation / self.tags);
            }
        }
        if !self.short_joints.is_empty() {
            facts.insert("backhair_count", self.short_joints.len() as f64);
        }
        if self.page.uri_truncated {
            facts.insert("uri_truncated", 1.0);
        }
        let (mut shown, mut words) = (0, 0);
        for char in self.page.text.chars() {
            shown += 1;
            words += usize::from(!char.is_whitespace());
        }
        facts.insert("html_length", shown as f64);
        facts.insert("non_space_len", words as f64);
        if bytes > 0 {
            facts.insert("ratio", (bytes as f64 - shown as f64) / bytes as f64);
        }
        self.page.facts = facts;
        self.page
    }
}

const STYLE_TAGS: &[&str] =
    &["body", "font", "table", "tr", "th", "td", "big", "small", "basefont", "marquee", "span", "p", "div", "a"];

/// The side of a picture. Unit: pixels; a percent counts as this many.
fn side(text: &str, percent: f64) -> f64 {
    let (digits, factor) = text.strip_suffix('%').map_or((text, 1.0), |digits| (digits, percent));
    let is_number = !digits.is_empty() && digits.len() < 8 && digits.bytes().all(|b| b.is_ascii_digit());
    let side = if is_number { digits.parse().unwrap_or(0.0) * factor } else { 0.0 };
    if side > 0.0 { side } else { 200.0 }
}

/// Whether names of fonts look like such: words of letters, with commas between them.
fn is_tidy_face(face: &str) -> bool {
    let face = face.trim_start();
    let face = face.strip_suffix(';').unwrap_or(face);
    face.split(',').enumerate().all(|(index, name)| {
        let name = name.trim_start();
        let quotes: &[char] = if index == 0 { &['"', '\'', '.'] } else { &['"', '\''] };
        let name = name.strip_prefix(quotes).unwrap_or(name);
        let name = name.strip_suffix(['"', '\'']).unwrap_or(name);
        let name = name.strip_suffix(|c: char| c.is_ascii_digit()).unwrap_or(name);
        let bytes = name.as_bytes();
        let letters = |bytes: &[u8]| bytes.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'-'));
        bytes.len() >= 2
            && (bytes[0].is_ascii_alphabetic() || (index == 0 && bytes[0] == b' '))
            && bytes[bytes.len() - 1].is_ascii_alphabetic()
            && letters(bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_make_lines_and_paragraphs() {
        let page = Page::of("<p>One  two<br/>three</p><td>four</td> five<b>six</b><!-- gone --><style>x</style>", 90);
        assert_eq!(page.text, "\n\nOne two\nthree\n\n four five".to_owned() + "six");
    }

    #[test]
    fn text_in_the_colour_of_its_ground_is_seen() {
        for (html, fact) in [
            ("<font color=white>hidden</font>", "font_low_contrast"),
            ("<p style='background: black; color: #010101'>hidden", "font_low_contrast"),
            ("<font color=ghastly>x</font>", "font_invalid_color"),
            ("<font face='a@'>x</font>", "font_face_bad"),
        ] {
            assert!(Page::of(html, html.len()).facts.contains_key(fact), "{html}");
        }
        let page = Page::of("<font color=white></font><font color=red face='Arial, Times New'>shown</font>", 50);
        assert!(!page.facts.contains_key("font_low_contrast") && !page.facts.contains_key("font_face_bad"));
    }

    #[test]
    fn links_know_their_tags_and_texts() {
        let page =
            Page::of("<base href='http://a.example/x/y.html'><a href='z'>go <img src=//b.example/i.png></a>", 80);
        assert!(page.links["http://a.example/x/z"].types.contains("a"));
        assert!(page.links["http://b.example/i.png"].types.contains("img"));
        assert_eq!(page.links["z"].anchor_texts, ["go <img>\n"]);
    }
}
