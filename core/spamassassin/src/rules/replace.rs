//! Tags in patterns: `<A>` for all that looks like an A (ReplaceTags).

use std::collections::HashMap;

/// What `replace_tag`, `replace_pre`, `replace_inter` and `replace_post` say.
#[derive(Debug)]
pub(super) struct Tags {
    pub(super) start: String,
    pub(super) end: String,
    pub(super) tags: HashMap<String, Vec<u8>>,
    pub(super) before: HashMap<String, Vec<u8>>,
    pub(super) between: HashMap<String, Vec<u8>>,
    pub(super) after: HashMap<String, Vec<u8>>,
}

impl Default for Tags {
    fn default() -> Self {
        Tags {
            start: "<".to_owned(),
            end: ">".to_owned(),
            tags: HashMap::new(),
            before: HashMap::new(),
            between: HashMap::new(),
            after: HashMap::new(),
        }
    }
}

/// Most rounds: a tag may stand for other tags. Unit: rounds. Source: SpamAssassin's ReplaceTags.
const ROUNDS: usize = 6;
/// Longest pattern that tags may make. Unit: bytes. Source: our own limit, against tags that name themselves.
const PATTERN: usize = 256 << 10;

/// A piece of a pattern.
enum Piece {
    Text(Vec<u8>),
    Tag(Vec<u8>),
}

impl Tags {
    /// The pattern with all tags replaced.
    pub(super) fn replace(&self, pattern: &[u8]) -> Vec<u8> {
        let mut pattern = pattern.to_vec();
        for _ in 0..ROUNDS {
            let (next, again) = self.round(&pattern);
            pattern = next;
            if !again || pattern.len() > PATTERN {
                break;
            }
        }
        pattern
    }

    fn round(&self, pattern: &[u8]) -> (Vec<u8>, bool) {
        let mut pieces = self.pieces(pattern);
        let mut named = |kind: &str| {
            let mut name = None;
            pieces.retain(|piece| match piece {
                Piece::Tag(tag) if name.is_none() => {
                    match std::str::from_utf8(tag).ok().and_then(|tag| tag.strip_prefix(kind)?.strip_prefix(' ')) {
                        Some(found) => {
                            name = Some(found.to_owned());
                            false
                        }
                        None => true,
                    }
                }
                _ => true,
            });
            name
        };
        let find = |map: &HashMap<String, Vec<u8>>, name: Option<String>| name.and_then(|name| map.get(&name).cloned());
        let before = find(&self.before, named("pre")).unwrap_or_default();
        let after = find(&self.after, named("post")).unwrap_or_default();
        let between = find(&self.between, named("inter")).unwrap_or_default();
        let mut out = Vec::with_capacity(pattern.len() * 2);
        let mut again = false;
        let mut behind_tag = false;
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    out.extend_from_slice(&text);
                    behind_tag = false;
                }
                Piece::Tag(name) => {
                    if behind_tag {
                        out.extend_from_slice(&between);
                    }
                    behind_tag = true;
                    out.extend_from_slice(&before);
                    match std::str::from_utf8(&name).ok().and_then(|name| self.tags.get(name)) {
                        Some(replacement) => {
                            again |= self.pieces(replacement).iter().any(|piece| matches!(piece, Piece::Tag(_)));
                            out.extend_from_slice(replacement);
                        }
                        None => {
                            out.extend_from_slice(self.start.as_bytes());
                            out.extend_from_slice(&name);
                            out.extend_from_slice(self.end.as_bytes());
                        }
                    }
                    out.extend_from_slice(&after);
                }
            }
        }
        (out, again)
    }

    /// Text and tags in their order. A tag holds no sign that begins or ends one.
    fn pieces(&self, pattern: &[u8]) -> Vec<Piece> {
        let (start, end) = (self.start.as_bytes(), self.end.as_bytes());
        let mut pieces = Vec::new();
        let (mut text_from, mut at) = (0, 0);
        while let Some(open) = memchr::memmem::find(&pattern[at..], start).map(|found| at + found) {
            let inside = open + start.len();
            let Some(length) = memchr::memmem::find(&pattern[inside..], end) else { break };
            let name = &pattern[inside..inside + length];
            let is_tag = !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b' '));
            if !is_tag {
                at = inside;
                continue;
            }
            if open > text_from {
                pieces.push(Piece::Text(pattern[text_from..open].to_vec()));
            }
            pieces.push(Piece::Tag(name.to_vec()));
            at = inside + length + end.len();
            text_from = at;
        }
        if text_from < pattern.len() {
            pieces.push(Piece::Text(pattern[text_from..].to_vec()));
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_stand_for_letters() {
        let mut tags = Tags::default();
        for (name, text) in [("A", "[a4]"), ("B", "(?:b|<A>)"), ("SELF", "<SELF><SELF>")] {
            tags.tags.insert(name.to_owned(), text.into());
        }
        tags.between.insert("W".to_owned(), r"\W?".into());
        tags.after.insert("P".to_owned(), "{1,2}".into());
        assert_eq!(tags.replace(b"x<A><B>y"), b"x[a4](?:b|[a4])y");
        assert_eq!(tags.replace(b"<inter W><post P><A><A>"), br"[a4]{1,2}\W?[a4]{1,2}");
        assert_eq!(tags.replace(b"(?<name>a)<b<c"), b"(?<name>a)<b<c");
        assert!(tags.replace(b"<SELF>").len() <= PATTERN * 2);
    }
}
