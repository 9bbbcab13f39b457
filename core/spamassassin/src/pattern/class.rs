//! Sets of bytes, as `[...]` and `\d` name them.

/// A set of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    members: [bool; 256],
    /// Whether it was written with `^`. The members are those written.
    pub(super) negated: bool,
}

impl Default for Class {
    fn default() -> Self {
        Class { members: [false; 256], negated: false }
    }
}

impl Class {
    fn of(member: impl Fn(u8) -> bool) -> Self {
        let mut class = Class::default();
        (0..=255).filter(|byte| member(*byte)).for_each(|byte| class.add(byte));
        class
    }

    pub(super) fn add(&mut self, byte: u8) {
        self.members[usize::from(byte)] = true;
    }

    fn add_all(&mut self, other: &Class) {
        for (member, other) in self.members.iter_mut().zip(other.members) {
            *member |= other;
        }
    }

    pub(super) fn negate(&mut self) {
        self.members.iter_mut().for_each(|member| *member = !*member);
    }

    /// Adds the other case of every letter.
    pub(super) fn fold(&mut self) {
        let members = self.members;
        for byte in 0..=255_u8 {
            let other = match byte {
                b'a'..=b'z' | b'A'..=b'Z' => byte ^ 0x20,
                // Latin-1 has its letters at the same distance, with the signs for times and divided among them.
                0xc0..=0xde if byte != 0xd7 => byte + 0x20,
                0xe0..=0xfe if byte != 0xf7 => byte - 0x20,
                _ => continue,
            };
            if members[usize::from(byte)] {
                self.add(other);
            }
        }
    }

    /// The set behind a backslash and this letter.
    pub(super) fn named(letter: u8) -> Option<Class> {
        let mut class = match letter.to_ascii_lowercase() {
            b'd' => Class::of(|b| b.is_ascii_digit()),
            b'w' => Class::of(|b| b.is_ascii_alphanumeric() || b == b'_'),
            b's' => Class::of(|b| matches!(b, b'\t'..=b'\r' | b' ')),
            b'h' => Class::of(|b| matches!(b, b'\t' | b' ' | 0xa0)),
            b'v' => Class::of(|b| matches!(b, b'\n'..=b'\r' | 0x85)),
            b'n' if letter == b'N' => Class::of(|b| b == b'\n'),
            _ => return None,
        };
        if letter.is_ascii_uppercase() {
            class.negate();
        }
        Some(class)
    }

    fn posix(name: &[u8]) -> Option<Class> {
        let (negated, name) = name.strip_prefix(b"^").map_or((false, name), |name| (true, name));
        let member: fn(u8) -> bool = match name {
            b"alpha" => |b| b.is_ascii_alphabetic(),
            b"digit" => |b| b.is_ascii_digit(),
            b"alnum" => |b| b.is_ascii_alphanumeric(),
            b"upper" => |b| b.is_ascii_uppercase(),
            b"lower" => |b| b.is_ascii_lowercase(),
            b"punct" => |b| b.is_ascii_punctuation(),
            b"space" => |b| matches!(b, b'\t'..=b'\r' | b' '),
            b"blank" => |b| matches!(b, b'\t' | b' '),
            b"cntrl" => |b| b.is_ascii_control(),
            b"graph" => |b| b.is_ascii_graphic(),
            b"print" => |b| b.is_ascii_graphic() || b == b' ',
            b"xdigit" => |b| b.is_ascii_hexdigit(),
            b"word" => |b| b.is_ascii_alphanumeric() || b == b'_',
            b"ascii" => |b| b.is_ascii(),
            _ => return None,
        };
        Some(Class::of(|byte| member(byte) != negated))
    }

    /// Reads a class behind its `[`; also gives how many bytes it takes, the `]` included.
    pub(super) fn parse(pattern: &[u8]) -> Result<(Class, usize), String> {
        let mut class = Class { negated: pattern.first() == Some(&b'^'), ..Class::default() };
        let mut at = usize::from(class.negated);
        let first = at;
        loop {
            let byte = *pattern.get(at).ok_or("a class is not closed")?;
            if byte == b']' && at > first {
                return Ok((class, at + 1));
            }
            let Some((low, used)) = class.item(&pattern[at..])? else {
                at += class.set_length(&pattern[at..]);
                continue;
            };
            at += used;
            let is_range = pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|byte| *byte != b']');
            let mut high = low;
            if is_range && let Some((end, used)) = class.peek_item(&pattern[at + 1..])? {
                at += 1 + used;
                high = end;
                if high < low {
                    return Err("a range of a class ends before it begins".to_owned());
                }
            }
            (low..=high.min(255)).filter_map(|code| u8::try_from(code).ok()).for_each(|byte| class.add(byte));
        }
    }

    /// The next character of a class and its length; none if it is a set, which is then added.
    fn item(&mut self, rest: &[u8]) -> Result<Option<(u32, usize)>, String> {
        if let Some(set) = set(rest) {
            self.add_all(&set.0);
            return Ok(None);
        }
        self.peek_item(rest)
    }

    fn set_length(&self, rest: &[u8]) -> usize {
        set(rest).map_or(1, |set| set.1)
    }

    fn peek_item(&self, rest: &[u8]) -> Result<Option<(u32, usize)>, String> {
        match rest.first() {
            None => Err("a class is not closed".to_owned()),
            Some(_) if set(rest).is_some() => Ok(None),
            Some(b'\\') if rest.get(1) == Some(&b'b') => Ok(Some((8, 2))),
            Some(b'\\') => escaped(&rest[1..]).map(|(code, used)| Some((code, used + 1))),
            Some(byte) => Ok(Some((u32::from(*byte), 1))),
        }
    }

    /// The class as both matchers read it; `never` if no byte is in it.
    pub(super) fn text(&self, never: &str) -> String {
        if self.members.iter().all(|member| *member) {
            return "(?s:.)".to_owned();
        }
        let mut text = String::from("[");
        let mut byte = 0;
        while byte < 256 {
            if !self.members[byte] {
                byte += 1;
                continue;
            }
            let end = (byte..256).take_while(|next| self.members[*next]).last().unwrap_or(byte);
            put(byte, &mut text);
            if end > byte + 1 {
                text.push('-');
            }
            if end > byte {
                put(end, &mut text);
            }
            byte = end + 1;
        }
        text.push(']');
        if text == "[]" { never.to_owned() } else { text }
    }
}

fn put(byte: usize, text: &mut String) {
    match u8::try_from(byte) {
        Ok(letter) if letter.is_ascii_alphanumeric() => text.push(letter.into()),
        _ => text.push_str(&format!("\\x{byte:02x}")),
    }
}

/// A set at the beginning of this, and its length: `\w`, `[:alpha:]`.
fn set(rest: &[u8]) -> Option<(Class, usize)> {
    match rest {
        [b'\\', letter, ..] => Class::named(*letter).map(|class| (class, 2)),
        [b'[', b':', ..] => {
            let end = rest.windows(2).position(|pair| pair == b":]").filter(|end| *end >= 2)?;
            Class::posix(&rest[2..end]).map(|class| (class, end + 2))
        }
        _ => None,
    }
}

/// The character that stands behind a backslash, and how many bytes say it.
pub(super) fn escaped(rest: &[u8]) -> Result<(u32, usize), String> {
    let first = *rest.first().ok_or("it ends in a backslash")?;
    let digits = |rest: &[u8], radix: u32, most: usize| -> (u32, usize) {
        let digits: String =
            rest.iter().take(most).map(|byte| char::from(*byte)).take_while(|char| char.is_digit(radix)).collect();
        (u32::from_str_radix(&digits, radix).unwrap_or(0), digits.len())
    };
    Ok(match first {
        b'n' => (0x0a, 1),
        b'r' => (0x0d, 1),
        b't' => (0x09, 1),
        b'f' => (0x0c, 1),
        b'e' => (0x1b, 1),
        b'a' => (0x07, 1),
        b'c' => (u32::from(rest.get(1).ok_or("it ends in a backslash")?.to_ascii_uppercase() ^ 0x40), 2),
        b'x' if rest.get(1) == Some(&b'{') => {
            let end = rest.iter().position(|byte| *byte == b'}').ok_or("a brace is not closed")?;
            let inside = String::from_utf8_lossy(&rest[2..end]).replace('_', "");
            let code = if inside.trim().is_empty() { Ok(0) } else { u32::from_str_radix(inside.trim(), 16) };
            (code.map_err(|_| format!("{inside:?} is no number of a character"))?, end + 1)
        }
        b'x' => {
            let (code, used) = digits(&rest[1..], 16, 2);
            (code, used + 1)
        }
        b'o' if rest.get(1) == Some(&b'{') => {
            let end = rest.iter().position(|byte| *byte == b'}').ok_or("a brace is not closed")?;
            (digits(&rest[2..end], 8, 11).0, end + 1)
        }
        b'0'..=b'7' => digits(rest, 8, 3),
        other => (u32::from(other), 1),
    })
}
