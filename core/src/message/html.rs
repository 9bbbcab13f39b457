//! HTML to the text that it shows, the text that it hides, and its links.

use super::{
    Damage, LinkKind,
    content::{Collector, HtmlFacts},
    elements::{breaks_line, is_known, is_void},
    link::cut,
    paced::first_token,
    style::Look,
};
use html5gum::{
    Emitter, ForwardingEmitter, Span,
    emitters::callback::{CallbackEmitter, CallbackEvent},
};

/// Longest attribute value that is kept. Unit: bytes. Source: our own limit, twice the longest link.
const ATTRIBUTE_BYTES: usize = 4_096;
/// How far up an end tag looks for its element. Unit: elements. Source: our own limit; it keeps hostile nesting linear.
const CLOSE_DEPTH: usize = 64;
/// Longest text of one link that is kept. Unit: bytes. Source: our own limit.
const LINK_TEXT_BYTES: usize = 500;

/// Takes the text and links of an HTML part.
pub(super) fn collect(html: &str, into: &mut Collector<'_>) {
    into.html.present = true;
    let kept = cut(html, into.html_bytes_left);
    if kept.len() < html.len() {
        into.damage.insert(Damage::HtmlLimit);
    }
    into.html_bytes_left -= kept.len();
    into.html.numbered_letters = into.html.numbered_letters.saturating_add(numbered_letters(kept));
    let mut walker = Walker {
        stack: Vec::new(),
        look: Look::default(),
        too_deep: 0,
        tag: Tag::default(),
        attribute: Vec::new(),
        anchor: None,
        gap: false,
        out: into,
    };
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| walker.event(event));
    emitter.naively_switch_states(true);
    let cut_short = first_token(kept, Quiet(emitter)).is_some();
    walker.end_anchor();
    if cut_short {
        into.damage.insert(Damage::HtmlLimit);
    }
}

/// Emitted to stop the tokenizer.
struct Stop;

/// Asks for no errors of the markup: nobody reads them, and the tokenizer would look for them at every byte.
pub(super) struct Quiet<E>(pub(super) E);

impl<E: Emitter> ForwardingEmitter for Quiet<E> {
    type Token = E::Token;

    fn inner(&mut self) -> &mut impl Emitter<Token = E::Token> {
        &mut self.0
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }
}

#[derive(Default)]
struct Tag {
    name: Vec<u8>,
    look: Look,
    href: Option<String>,
    src: Option<String>,
    action: Option<String>,
    password: bool,
    handler: bool,
    refresh: bool,
}

struct Open {
    name: Vec<u8>,
    outer: Look,
}

struct Walker<'w, 'b> {
    stack: Vec<Open>,
    look: Look,
    too_deep: usize,
    tag: Tag,
    attribute: Vec<u8>,
    anchor: Option<(String, String)>,
    /// Whether hidden text follows a letter.
    gap: bool,
    out: &'w mut Collector<'b>,
}

impl Walker<'_, '_> {
    fn event(&mut self, event: CallbackEvent<'_>) -> Option<Stop> {
        let Some(left) = self.out.html_tokens_left.checked_sub(1) else { return Some(Stop) };
        self.out.html_tokens_left = left;
        match event {
            CallbackEvent::OpenStartTag { name } => {
                let name = name[..name.len().min(ATTRIBUTE_BYTES)].to_vec();
                self.tag = Tag { name, look: self.look, ..Tag::default() };
            }
            CallbackEvent::AttributeName { name } => {
                self.attribute.clear();
                self.attribute.extend_from_slice(&name[..name.len().min(ATTRIBUTE_BYTES)]);
                if name == b"hidden" {
                    self.tag.look.attribute(b"hidden", "");
                }
                self.tag.handler |= name.starts_with(b"on") && name.len() > 4;
            }
            CallbackEvent::AttributeValue { value } => self.attribute_value(value),
            CallbackEvent::CloseStartTag { .. } => self.start_tag(),
            CallbackEvent::EndTag { name } => self.end_tag(name),
            CallbackEvent::String { value } => self.string(value),
            CallbackEvent::Comment { value } if !value.iter().any(|b| matches!(b, b'<' | b'{' | b'[')) => {
                let bytes = u32::try_from(value.len()).unwrap_or(u32::MAX);
                self.out.html.comment_bytes = self.out.html.comment_bytes.saturating_add(bytes);
            }
            CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => {}
        }
        None
    }

    fn attribute_value(&mut self, value: &[u8]) {
        let value = String::from_utf8_lossy(&value[..value.len().min(ATTRIBUTE_BYTES)]);
        let slot = match self.attribute.as_slice() {
            b"href" => &mut self.tag.href,
            b"src" => &mut self.tag.src,
            b"action" => &mut self.tag.action,
            b"http-equiv" => return self.tag.refresh |= value.trim().eq_ignore_ascii_case("refresh"),
            b"type" => return self.tag.password |= value.trim().eq_ignore_ascii_case("password"),
            name => return self.tag.look.attribute(name, &value),
        };
        if slot.is_none() {
            *slot = Some(value.into_owned());
        }
    }

    fn start_tag(&mut self) {
        let mut tag = std::mem::take(&mut self.tag);
        let facts: &mut HtmlFacts = &mut self.out.html;
        facts.scripts += u32::from(tag.handler);
        match tag.name.as_slice() {
            b"a" | b"area" => {
                self.end_anchor();
                self.anchor = tag.href.map(|href| (href, String::new()));
            }
            b"img" => {
                facts.images += 1;
                if let Some(src) = &tag.src {
                    let before = self.out.links.len();
                    self.out.link(src, "", LinkKind::Image);
                    let remote = self.out.links.len() > before
                        || src.trim_start().get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http"));
                    self.out.html.remote_images += u32::from(remote);
                }
            }
            b"form" => {
                facts.forms += 1;
                if let Some(action) = &tag.action {
                    self.out.link(action, "", LinkKind::Form);
                }
            }
            b"input" => facts.password_fields += u32::from(tag.password),
            b"script" => facts.scripts += 1,
            b"iframe" | b"frame" | b"object" | b"embed" => facts.frames += 1,
            b"meta" => facts.refreshes += u32::from(tag.refresh),
            b"base" => facts.bases += u32::from(tag.href.is_some()),
            b"bdo" => tag.look.override_direction(),
            name => facts.invented += u32::from(!is_known(name)),
        }
        if breaks_line(&tag.name) {
            self.push_break('\n');
        } else if matches!(tag.name.as_slice(), b"td" | b"th") {
            self.push_break(' ');
        }
        if is_void(&tag.name) {
            return;
        }
        if self.stack.len() >= self.out.bounds.html_depth {
            self.too_deep += 1;
            self.out.damage.insert(Damage::HtmlLimit);
            return;
        }
        self.stack.push(Open { name: tag.name, outer: self.look });
        self.look = tag.look;
    }

    fn end_tag(&mut self, name: &[u8]) {
        if name == b"a" {
            self.end_anchor();
        }
        if breaks_line(name) {
            self.push_break('\n');
        }
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        let Some(up) = self.stack.iter().rev().take(CLOSE_DEPTH).position(|open| open.name == name) else { return };
        self.stack.truncate(self.stack.len() - up);
        if let Some(open) = self.stack.pop() {
            self.look = open.outer;
        }
    }

    fn string(&mut self, value: &[u8]) {
        let inside = self.stack.last().map(|open| open.name.as_slice()).unwrap_or_default();
        if matches!(inside, b"script" | b"style" | b"title" | b"template") {
            return;
        }
        let value = String::from_utf8_lossy(value);
        let hidden = self.look.hides();
        self.note(&value, hidden);
        if let (false, Some((_, text))) = (hidden, &mut self.anchor) {
            push_collapsed(text, &value, LINK_TEXT_BYTES);
        }
        let limit = self.out.bounds.text_bytes;
        let target = if hidden { &mut self.out.text.hidden } else { &mut self.out.text.shown };
        if !push_collapsed(target, &value, limit) {
            self.out.damage.insert(Damage::TextLimit);
        }
    }

    /// Counts what the text does to its reader.
    fn note(&mut self, value: &str, hidden: bool) {
        let facts = &mut self.out.html;
        if hidden {
            let has_letters = value.contains(char::is_alphanumeric);
            facts.hidden_runs += u32::from(has_letters);
            self.gap |= has_letters && self.out.text.shown.ends_with(char::is_alphabetic);
            return;
        }
        facts.torn_words += u32::from(self.gap && value.starts_with(char::is_alphabetic));
        self.gap = false;
        facts.reversed_runs +=
            u32::from(self.look.reverses() && value.bytes().filter(u8::is_ascii_alphabetic).count() > 1);
    }

    fn push_break(&mut self, c: char) {
        self.gap = false;
        let shown = &mut self.out.text.shown;
        if !shown.is_empty() && !shown.ends_with('\n') && shown.len() < self.out.bounds.text_bytes {
            if shown.ends_with(' ') {
                shown.pop();
            }
            shown.push(c);
        }
    }

    fn end_anchor(&mut self) {
        if let Some((href, text)) = self.anchor.take() {
            self.out.link(&href, text.trim(), LinkKind::Anchor);
        }
    }
}

/// Appends text with runs of blanks made one (HTML collapses them); `false` if the limit cut it.
fn push_collapsed(target: &mut String, text: &str, limit: usize) -> bool {
    let mut blank = target.is_empty() || target.ends_with([' ', '\n']);
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.bytes().position(is_blank).unwrap_or(rest.len());
        let kept = cut(&rest[..word], limit.saturating_sub(target.len()));
        target.push_str(kept);
        if kept.len() < word {
            return false;
        }
        let after = &rest[word..];
        rest = &after[after.bytes().position(|byte| !is_blank(byte)).unwrap_or(after.len())..];
        blank &= word == 0;
        if rest.len() < after.len() && !blank {
            if target.len() >= limit {
                return false;
            }
            target.push(' ');
            blank = true;
        }
    }
    true
}

/// What HTML collapses.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'\x0c')
}

/// ASCII letters that are written as decimal or hexadecimal numbers.
fn numbered_letters(html: &str) -> u32 {
    let mut count = 0;
    for (at, _) in html.match_indices("&#") {
        let digits = html[at + 2..].bytes().take(5);
        let number = digits.take_while(|b| b.is_ascii_hexdigit() || matches!(b, b'x' | b'X')).collect::<Vec<u8>>();
        let text = std::str::from_utf8(&number).unwrap_or_default();
        let value = match text.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        };
        count += u32::from(value.and_then(char::from_u32).is_some_and(|c| c.is_ascii_alphabetic()));
    }
    count
}

#[cfg(test)]
mod tests {
    use super::{super::Bounds, *};

    fn collected(html: &str) -> (String, String, Vec<(String, String)>) {
        let bounds = Bounds::default();
        let mut out = Collector::new(&bounds);
        collect(html, &mut out);
        let links = out.links.into_iter().map(|l| (l.url, l.text)).collect();
        (out.text.shown, out.text.hidden, links)
    }

    #[test]
    fn shown_and_hidden_text_are_kept_apart() {
        let (shown, hidden, _) = collected(
            "<title>t</title><style>p{}</style><p>Hello&nbsp;&amp; <b>wel</b>come</p>\
             <div style='display:none'>secret <span style='display:block'>words</span></div><p>bye<script>x()</script>",
        );
        assert_eq!(shown.trim(), "Hello\u{a0}& welcome\nbye");
        assert_eq!(hidden, "secret words");
    }

    #[test]
    fn links_have_the_words_that_the_reader_sees() {
        let (_, _, links) = collected(
            "<a href='https://Evil.example/x'><b>bank</b>.example<img src=\"https://cdn.example/i.png\"></a>\
             <a href=#top>up</a><a href=http://two.example>open",
        );
        assert_eq!(
            links,
            [
                ("https://cdn.example/i.png".to_owned(), String::new()),
                ("https://evil.example/x".to_owned(), "bank.example".to_owned()),
                ("http://two.example/".to_owned(), "open".to_owned()),
            ]
        );
    }

    #[test]
    fn a_misnested_end_tag_does_not_unhide() {
        let (shown, hidden, _) = collected("<div style=display:none>a</span>b</p>c</div>d");
        assert_eq!((shown.trim(), hidden.trim()), ("d", "abc"));
    }

    #[test]
    fn hostile_nesting_ends_in_bounds() {
        for html in [
            "<div>".repeat(400_000),
            format!("{}{}", "<b>".repeat(200_000), "</i>".repeat(200_000)),
            format!("<a {}", "x=y ".repeat(400_000)),
            "<".repeat(2_000_000),
            "&amp".repeat(500_000),
            format!("<p {}>", "a".repeat(2_000_000)),
        ] {
            let bounds = Bounds::default();
            let mut out = Collector::new(&bounds);
            collect(&html, &mut out);
            assert!(out.text.shown.len() <= bounds.text_bytes);
        }
    }
}
