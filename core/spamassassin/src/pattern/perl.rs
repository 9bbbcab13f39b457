//! A Perl pattern, said so that our matchers understand it.
//!
//! Perl matches bytes here, as SpamAssassin does (`/aa`): classes such as `\w` hold ASCII, case folds within Latin-1.

use super::class::Class;

/// A pattern in the words of two matchers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Translated {
    /// For a backtracking matcher (PCRE2): says exactly what Perl says.
    pub(crate) exact: String,
    /// For a linear matcher (the regex crate): matches wherever `exact` matches, and more unless `is_linear`.
    pub(crate) loose: String,
    /// Whether `loose` says the same as `exact`.
    pub(crate) is_linear: bool,
}

/// The flags behind a pattern, and those set inside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// Case does not count.
    pub(crate) i: bool,
    /// `^` and `$` match at every line.
    pub(crate) m: bool,
    /// `.` matches a line end.
    pub(crate) s: bool,
    /// Blanks and comments in the pattern do not count.
    pub(crate) x: bool,
}

/// Translates a pattern. The error says what is wrong with it.
pub(crate) fn translate(pattern: &[u8], flags: Flags) -> Result<Translated, String> {
    let mut translator = Translator {
        pattern,
        at: 0,
        flags,
        groups: Vec::new(),
        captures: 0,
        muted: 0,
        exact: String::with_capacity(pattern.len() + 16),
        loose: String::with_capacity(pattern.len() + 16),
        is_linear: true,
    };
    let global: String = [(flags.i, 'i'), (flags.m, 'm'), (flags.s, 's')].iter().filter(|f| f.0).map(|f| f.1).collect();
    if !global.is_empty() {
        translator.both(&format!("(?{global})"));
    }
    translator.run()?;
    let Translator { exact, loose, is_linear, .. } = translator;
    Ok(Translated { exact, loose, is_linear })
}

/// Deepest nesting of groups. Unit: groups. Source: our own limit; the matchers have one of 250.
const DEPTH: usize = 200;

struct Group {
    /// The flags in force before it.
    flags: Flags,
    /// Whether `loose` leaves out what stands in it.
    muted: bool,
}

struct Translator<'p> {
    pattern: &'p [u8],
    at: usize,
    flags: Flags,
    groups: Vec<Group>,
    captures: u32,
    /// How many open groups `loose` leaves out.
    muted: usize,
    exact: String,
    loose: String,
    is_linear: bool,
}

impl Translator<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => self.escape()?,
                b'[' => self.class()?,
                b'(' => self.open()?,
                b')' => self.close()?,
                b'{' => match self.counted() {
                    Some(repetition) => self.quantifier(&repetition),
                    None => self.byte(b'{'),
                },
                b'*' | b'+' | b'?' => self.quantifier(&char::from(byte).to_string()),
                b'$' => self.line_end(),
                b'^' | b'|' | b'.' => self.both(&char::from(byte).to_string()),
                b'#' if self.flags.x => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                }
                byte if self.flags.x && byte.is_ascii_whitespace() => {}
                byte => self.byte(byte),
            }
        }
        if self.groups.is_empty() { Ok(()) } else { Err("a group is not closed".to_owned()) }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.pattern.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        &self.pattern[self.at..]
    }

    fn takes(&mut self, word: &[u8]) -> bool {
        let there = self.rest().starts_with(word);
        if there {
            self.at += word.len();
        }
        there
    }

    fn both(&mut self, text: &str) {
        self.exact.push_str(text);
        self.loose(text);
    }

    fn loose(&mut self, text: &str) {
        if self.muted == 0 {
            self.loose.push_str(text);
        }
    }

    /// Says something that only a backtracking matcher can; the linear one gets `loose` instead.
    fn backtracking(&mut self, exact: &str, loose: &str) {
        self.exact.push_str(exact);
        self.loose(loose);
        self.is_linear = false;
    }

    fn byte(&mut self, byte: u8) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => self.both(char::from(byte).encode_utf8(&mut [0; 4])),
            _ if self.flags.i && byte >= 0x80 => {
                let mut class = Class::default();
                class.add(byte);
                class.fold();
                self.put(&class);
            }
            _ => self.both(&format!("\\x{byte:02x}")),
        }
    }

    fn put(&mut self, class: &Class) {
        self.exact.push_str(&class.text("(?!)"));
        // An intersection without members: the linear matcher has no other word for what never matches.
        self.loose(&class.text("[a&&b]"));
    }

    /// `$` outside of classes, and `\Z`: the end, or before the line end that ends the text.
    fn line_end(&mut self) {
        if self.flags.m {
            return self.both("$");
        }
        // The linear matcher eats that line end, which is the same if nothing follows that could want it.
        if !matches!(self.peek(), None | Some(b')' | b'|')) {
            self.is_linear = false;
        }
        self.exact.push('$');
        self.loose("(?:\\n?\\z)");
    }

    /// `{2,5}` and the like, if this is one and not a brace of the text.
    fn counted(&mut self) -> Option<String> {
        let end = self.rest().iter().position(|byte| *byte == b'}')?;
        let (low, high) = {
            let inside = std::str::from_utf8(&self.rest()[..end]).ok()?;
            let (low, high) = inside.split_once(',').map_or((inside, None), |(low, high)| (low, Some(high)));
            let is_number =
                |text: &str| !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
            match high {
                None => is_number(low).then(|| (low.to_owned(), None))?,
                Some("") => is_number(low).then(|| (low.to_owned(), Some(String::new())))?,
                Some(high) if is_number(high) && low.is_empty() => ("0".to_owned(), Some(high.to_owned())),
                Some(high) => (is_number(low) && is_number(high)).then(|| (low.to_owned(), Some(high.to_owned())))?,
            }
        };
        self.at += end + 1;
        Some(match high {
            None => format!("{{{low}}}"),
            Some(high) => format!("{{{low},{high}}}"),
        })
    }

    fn quantifier(&mut self, repetition: &str) {
        if self.flags.x {
            while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
                self.at += 1;
            }
        }
        self.both(repetition);
        if self.takes(b"+") {
            self.backtracking("+", "");
        } else if self.takes(b"?") {
            self.both("?");
        }
    }

    fn open(&mut self) -> Result<(), String> {
        if self.groups.len() >= DEPTH {
            return Err(format!("groups are nested more than {DEPTH} deep"));
        }
        let mut group = Group { flags: self.flags, muted: false };
        if self.takes(b"*") {
            let verb = self.through(b')')?;
            self.backtracking(&format!("(*{verb}"), "");
            return Ok(());
        }
        if !self.takes(b"?") {
            self.captures += 1;
            self.exact.push('(');
            self.loose("(?:");
            self.groups.push(group);
            return Ok(());
        }
        for (word, muted) in
            [("<=", true), ("<!", true), ("=", true), ("!", true), (">", false), ("|", false), (":", false)]
        {
            if self.takes(word.as_bytes()) {
                if word == ":" {
                    self.both("(?:");
                } else {
                    self.backtracking(&format!("(?{word}"), "(?:");
                }
                group.muted = muted;
                self.muted += usize::from(muted);
                self.groups.push(group);
                return Ok(());
            }
        }
        match self.peek() {
            Some(b'#') => {
                self.through(b')')?;
            }
            Some(b'<' | b'\'' | b'P') => self.named(group)?,
            Some(b'(') => {
                self.at += 1;
                let condition = self.through(b')')?;
                if condition.starts_with('?') {
                    return Err("a condition that looks around is not supported".to_owned());
                }
                self.backtracking(&format!("(?({condition}"), "(?:");
                self.groups.push(group);
            }
            Some(b'R' | b'0'..=b'9' | b'&') => self.recursion()?,
            Some(b'+' | b'-') if self.rest().get(1).is_some_and(u8::is_ascii_digit) => self.recursion()?,
            Some(b'{' | b'?') => return Err("program code in a pattern is not run".to_owned()),
            _ => self.inline_flags(group)?,
        }
        Ok(())
    }

    fn recursion(&mut self) -> Result<(), String> {
        let target = self.through(b')')?;
        self.backtracking(&format!("(?{target}"), "(?s:.*)");
        Ok(())
    }

    fn named(&mut self, group: Group) -> Result<(), String> {
        self.takes(b"P");
        let end = match self.next() {
            Some(b'<') => b'>',
            Some(b'\'') => b'\'',
            Some(b'=' | b'>') => {
                let name = self.through(b')')?;
                self.backtracking(&format!("\\k{{{}}}", name.trim_end_matches(')')), "(?s:.*)");
                return Ok(());
            }
            _ => return Err("an unknown kind of group".to_owned()),
        };
        let name = self.through(end)?;
        let name = &name[..name.len() - 1];
        self.captures += 1;
        self.exact.push_str(&format!("(?<{name}>"));
        self.loose("(?:");
        self.groups.push(group);
        Ok(())
    }

    /// `(?i)` and `(?i-s:`.
    fn inline_flags(&mut self, group: Group) -> Result<(), String> {
        let mut on = true;
        let mut flags = self.flags;
        let (mut set, mut unset) = (String::new(), String::new());
        loop {
            match self.next() {
                Some(b'^') => {
                    flags = Flags::default();
                    unset.push_str("ims");
                }
                Some(b'-') => on = false,
                Some(flag @ (b'i' | b'm' | b's')) => {
                    let field = match flag {
                        b'i' => &mut flags.i,
                        b'm' => &mut flags.m,
                        _ => &mut flags.s,
                    };
                    *field = on;
                    unset.retain(|c| c != char::from(flag));
                    if on { set.push(flag.into()) } else { unset.push(flag.into()) }
                }
                Some(b'x') => flags.x = on,
                // How characters are read: bytes here, whatever is said.
                Some(b'a' | b'd' | b'l' | b'u' | b'n' | b'p') => {}
                Some(end @ (b')' | b':')) => {
                    let minus = if unset.is_empty() { "" } else { "-" };
                    let text = format!("(?{set}{minus}{unset}");
                    if end == b':' {
                        self.both(&text);
                        self.both(":");
                        self.groups.push(group);
                    } else if !(set.is_empty() && unset.is_empty()) {
                        self.both(&text);
                        self.both(")");
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => return Err("an unknown kind of group".to_owned()),
            }
        }
    }

    /// What stands until this byte, the byte included.
    fn through(&mut self, end: u8) -> Result<String, String> {
        let length = self.rest().iter().position(|byte| *byte == end).ok_or("a group is not closed")?;
        let text = String::from_utf8_lossy(&self.rest()[..=length]).into_owned();
        self.at += length + 1;
        Ok(text)
    }

    fn close(&mut self) -> Result<(), String> {
        let group = self.groups.pop().ok_or("a bracket is closed that was not opened")?;
        self.flags = group.flags;
        self.muted -= usize::from(group.muted);
        self.both(")");
        Ok(())
    }

    fn class(&mut self) -> Result<(), String> {
        let (mut class, used) = Class::parse(self.rest())?;
        self.at += used;
        let negated = class.negated;
        if self.flags.i {
            class.fold();
        }
        if negated {
            class.negate();
        }
        self.put(&class);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(byte) = self.peek() else { return Err("it ends in a backslash".to_owned()) };
        if let Some(class) = Class::named(byte) {
            self.at += 1;
            self.put(&class);
            return Ok(());
        }
        match byte {
            b'b' | b'B' | b'A' | b'z' => {
                self.at += 1;
                self.both(&format!("\\{}", char::from(byte)));
            }
            b'Z' => {
                self.at += 1;
                let multi_line = std::mem::replace(&mut self.flags.m, false);
                self.line_end();
                // In this mode the dollar sign of the exact pattern would match at every line.
                if multi_line {
                    self.exact.pop();
                    self.exact.push_str("\\Z");
                }
                self.flags.m = multi_line;
            }
            b'G' | b'K' => {
                self.at += 1;
                self.backtracking(&format!("\\{}", char::from(byte)), "");
            }
            b'R' => {
                self.at += 1;
                self.both("(?:\\x0d\\x0a|[\\x0a-\\x0d\\x85])");
            }
            b'Q' => {
                self.at += 1;
                let rest = self.rest();
                let end = rest.windows(2).position(|pair| pair == b"\\E").unwrap_or(rest.len());
                let quoted = rest[..end].to_vec();
                self.at += (end + 2).min(self.rest().len());
                quoted.into_iter().for_each(|byte| self.byte(byte));
            }
            b'E' => self.at += 1,
            b'p' | b'P' => {
                let start = self.at;
                self.at += 1;
                if self.takes(b"{") {
                    self.through(b'}').map(drop)?
                } else {
                    self.at += 1
                }
                let text = String::from_utf8_lossy(self.pattern.get(start..self.at).unwrap_or_default()).into_owned();
                self.backtracking(&format!("\\{text}"), "(?s:.)");
            }
            b'g' | b'k' => self.named_reference()?,
            b'1'..=b'9' if self.is_reference() => {
                let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
                let number = String::from_utf8_lossy(&self.rest()[..digits]).into_owned();
                self.at += digits;
                self.backtracking(&format!("\\g{{{number}}}"), "(?s:.*)");
            }
            _ => {
                let (code, used) = super::class::escaped(self.rest())?;
                self.at += used;
                match u8::try_from(code) {
                    Ok(byte) => self.byte(byte),
                    // No byte is that character.
                    Err(_) => self.put(&Class::default()),
                }
            }
        }
        Ok(())
    }

    /// Whether `\12` means a group: else it is a byte in octal.
    fn is_reference(&self) -> bool {
        let digits: Vec<u8> = self.rest().iter().copied().take_while(u8::is_ascii_digit).take(4).collect();
        let number = std::str::from_utf8(&digits).ok().and_then(|digits| digits.parse::<u32>().ok()).unwrap_or(0);
        number < 10 || number <= self.captures
    }

    fn named_reference(&mut self) -> Result<(), String> {
        let is_number = self.next() == Some(b'g');
        let name = match self.peek() {
            Some(b'{') => self.through(b'}')?,
            Some(b'<') if !is_number => self.through(b'>')?,
            Some(b'\'') if !is_number => {
                self.at += 1;
                format!("'{}", self.through(b'\'')?)
            }
            Some(digit) if is_number && digit.is_ascii_digit() => {
                self.at += 1;
                char::from(digit).to_string()
            }
            _ => return Err("a reference without a name".to_owned()),
        };
        let name = name.trim_matches(['{', '}', '<', '>', '\'']);
        let letter = if is_number { 'g' } else { 'k' };
        self.backtracking(&format!("\\{letter}{{{name}}}"), "(?s:.*)");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(pattern: &str) -> regex::bytes::Regex {
        let translated = translate(pattern.as_bytes(), Flags::default()).expect(pattern);
        assert!(translated.is_linear, "{pattern}: {translated:?}");
        regex::bytes::RegexBuilder::new(&translated.loose).unicode(false).build().expect(&translated.loose)
    }

    #[test]
    fn what_perl_says_is_said_to_the_linear_matcher() {
        for (pattern, yes, no) in [
            (r"a\<b\>", "a<b>", "ab"),
            (r"x{,3}y$", "xxy\n", "xy z"),
            (r"^{}]$", "{}]", "}"),
            (r"[]a&&b]+\z", "&]b", "&]bc"),
            (r"\Qa.b\E+$", "a.bb", "axb"),
            (r"\x{41}\101\cI\e", "AA\t\x1b", "AA"),
            (r"(?x) a b # c", "ab", "a b"),
            (r"[[:digit:]\-_.]{2}\h\R", "1-\t\r\n", "1a \n"),
            (r"\bfoo\b|bar(?#note)s", "bars", "food"),
            (r"a\x{2019}|b", "b", "a"),
        ] {
            let regex = linear(pattern);
            assert!(regex.is_match(yes.as_bytes()), "{pattern} {}", regex.as_str());
            assert!(!regex.is_match(no.as_bytes()), "{pattern} {}", regex.as_str());
        }
    }

    #[test]
    fn what_looks_around_is_left_out_of_the_loose_pattern() {
        for (pattern, loose) in [
            (r"(?!ab)[aA]b", r"(?:)[Aa]b"),
            (r"(a|b)\1", r"(?:a|b)(?s:.*)"),
            (r"a++b", "a+b"),
            (r"(?<n>a)\k<n>(?>b|c)", r"(?:a)(?s:.*)(?:b|c)"),
            (r"(?<=x(?=y))z", r"(?:)z"),
        ] {
            let translated = translate(pattern.as_bytes(), Flags::default()).expect(pattern);
            assert!(!translated.is_linear);
            assert_eq!(translated.loose, loose);
            assert!(pcre2::bytes::Regex::new(&translated.exact).is_ok(), "{}", translated.exact);
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (pattern, why) in [
            ("(a", "a group is not closed"),
            ("a)", "a bracket is closed that was not opened"),
            ("[a", "a class is not closed"),
            ("(?{die})", "program code in a pattern is not run"),
            ("a\\", "it ends in a backslash"),
        ] {
            assert_eq!(translate(pattern.as_bytes(), Flags::default()), Err(why.to_owned()), "{pattern}");
        }
    }
}
