//! One pass over a text: the form in which phrases are looked up, and what its characters give away.

/// Most of the body that is read. Unit: bytes. Source: our own limit; letters and mailings say what they want before.
pub(crate) const BODY_BYTES: usize = 16 << 10;
/// Most of a subject or name that is read. Unit: bytes. Source: RFC 5322 §2.1.1, the longest line.
pub(crate) const LINE_BYTES: usize = 998;

/// A text and its characters.
#[derive(Debug, Default)]
pub(crate) struct Wording {
    /// Lower case, runs of blanks made one, typographic quotes made plain, invisible characters left out.
    pub(crate) normal: String,
    /// Letters and digits.
    pub(crate) letters: usize,
    /// Invisible characters, soft hyphens and joiners of emoji and of Indic and Arabic scripts apart.
    pub(crate) invisible: usize,
    /// Letters that are pulled apart by invisible characters.
    pub(crate) torn: usize,
    /// Words that mix Latin letters with Cyrillic or Greek ones that look Latin.
    pub(crate) mixed_words: usize,
    /// Latin letters of the blocks for mathematics and enclosed letters.
    pub(crate) styled: usize,
    /// Runs of single letters with one sign between any two.
    pub(crate) gappy: usize,
    /// Marks that force right-to-left or left-to-right display on letters of the other direction.
    pub(crate) overrides: usize,
}

/// Fewest single letters in a row that are a word with gaps. Source: our own limit; initials are fewer.
const GAPPY_LETTERS: usize = 5;
/// Fewest letters of a word whose alphabets count. Source: our own limit; units and formulas are shorter.
const MIXED_LETTERS: usize = 4;

#[derive(Default)]
struct Word {
    letters: usize,
    /// Letters of scripts that have capitals.
    cased: usize,
    latin: usize,
    alike: usize,
    other: usize,
}

#[derive(Default)]
struct Gaps {
    singles: usize,
    sign: Option<char>,
}

impl Wording {
    /// Reads so many bytes of the text.
    pub(crate) fn of(text: &str, bytes: usize) -> Self {
        let text = &text[..text.floor_char_boundary(bytes)];
        let mut out = Wording { normal: String::with_capacity(text.len()), ..Wording::default() };
        let (mut word, mut gaps) = (Word::default(), Gaps::default());
        let (mut before, mut torn_open) = (' ', false);
        let mut rest = text;
        loop {
            // Most of most texts: ASCII letters and digits, taken a run at a time.
            let run = rest.bytes().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(rest.len());
            if let Some(&last) = rest.as_bytes()[..run].last() {
                let letters = rest.bytes().take(run).filter(u8::is_ascii_alphabetic).count();
                out.torn += usize::from(torn_open && rest.as_bytes()[0].is_ascii_alphabetic());
                out.letters += run;
                word.letters += run;
                word.cased += letters;
                word.latin += letters;
                let start = out.normal.len();
                out.normal.push_str(&rest[..run]);
                out.normal[start..].make_ascii_lowercase();
                (torn_open, before) = (false, char::from(last));
                rest = &rest[run..];
                // A word of plain letters and the blank behind it say nothing more.
                if run > 1 && word.letters == run && gaps.singles == 0 && rest.starts_with(' ') {
                    word = Word::default();
                    out.normal.push(' ');
                    before = ' ';
                    rest = &rest[1..];
                    continue;
                }
            }
            let Some(c) = rest.chars().next() else { break };
            rest = &rest[c.len_utf8()..];
            if is_invisible(c) {
                out.overrides += usize::from(matches!(c, '\u{202d}' | '\u{202e}'));
                if c != '\u{ad}' {
                    out.invisible += 1;
                    torn_open |= before.is_alphabetic();
                }
                continue;
            }
            let letter = if c.is_ascii() { c.is_ascii_alphanumeric() } else { c.is_alphanumeric() };
            if letter {
                out.torn += usize::from(torn_open && c.is_alphabetic());
                out.letters += 1;
                word.add(c);
                out.styled += usize::from(is_styled(c));
            } else {
                out.styled += usize::from(is_styled(c));
                out.mixed_words += usize::from(word.is_mixed());
                out.gappy += usize::from(gaps.sign(&word, c));
                word = Word::default();
            }
            torn_open = false;
            before = c;
            out.push(c);
        }
        out.mixed_words += usize::from(word.is_mixed());
        out.gappy += usize::from(gaps.sign(&word, '\0'));
        out
    }

    fn push(&mut self, c: char) {
        match c {
            'a'..='z' | '0'..='9' => self.normal.push(c),
            'A'..='Z' => self.normal.push(c.to_ascii_lowercase()),
            '\u{2018}' | '\u{2019}' | '\u{2bc}' | '`' => self.normal.push('\''),
            c if c.is_whitespace() => {
                if !self.normal.ends_with(' ') {
                    self.normal.push(' ');
                }
            }
            c if c.is_ascii() => self.normal.push(c),
            c => self.normal.extend(c.to_lowercase()),
        }
    }
}

impl Word {
    fn add(&mut self, c: char) {
        self.letters += 1;
        self.cased += usize::from(c.is_lowercase() || c.is_uppercase());
        if c.is_ascii() {
            self.latin += usize::from(c.is_ascii_alphabetic());
        } else if looks_latin(c) {
            self.alike += 1;
        } else {
            self.other += 1;
        }
    }

    /// A word of an honest mix, as a Russian ending on an English word, has letters that do not look Latin.
    fn is_mixed(&self) -> bool {
        self.letters >= MIXED_LETTERS && self.latin > 0 && self.alike > 0 && self.other == 0
    }
}

impl Gaps {
    /// Takes a word and the sign after it; tells whether a word with gaps has ended here.
    fn sign(&mut self, word: &Word, sign: char) -> bool {
        let single = word.letters == 1 && word.cased == 1;
        let goes_on = single && (self.sign.is_none() || self.sign == Some(sign));
        if goes_on {
            self.singles += 1;
            self.sign = Some(sign);
            return false;
        }
        // The last letter has another sign after it.
        let ended = self.singles + usize::from(single) >= GAPPY_LETTERS;
        *self = Gaps::default();
        ended
    }
}

/// Characters without width, or with effect on direction only.
pub(crate) fn is_invisible(c: char) -> bool {
    !c.is_ascii()
        && matches!(
            c,
            '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{180e}'
        )
}

/// Cyrillic and Greek letters that cannot be told from Latin ones (Unicode Technical Standard 39, confusables).
fn looks_latin(c: char) -> bool {
    matches!(
        c,
        'а' | 'е'
            | 'о'
            | 'р'
            | 'с'
            | 'у'
            | 'х'
            | 'і'
            | 'ј'
            | 'ѕ'
            | 'ԁ'
            | 'һ'
            | 'ԛ'
            | 'ԝ'
            | 'ӏ'
            | 'А'
            | 'В'
            | 'Е'
            | 'К'
            | 'М'
            | 'Н'
            | 'О'
            | 'Р'
            | 'С'
            | 'Т'
            | 'Х'
            | 'І'
            | 'Ј'
            | 'Ѕ'
            | 'ο'
            | 'ν'
            | 'α'
            | 'ι'
            | 'Α'
            | 'Β'
            | 'Ε'
            | 'Ζ'
            | 'Η'
            | 'Ι'
            | 'Κ'
            | 'Μ'
            | 'Ν'
            | 'Ο'
            | 'Ρ'
            | 'Τ'
            | 'Υ'
            | 'Χ'
    )
}

/// Latin letters for mathematics (Unicode block 1D400) and in circles and squares.
fn is_styled(c: char) -> bool {
    matches!(c, '\u{1d400}'..='\u{1d6a5}' | '\u{24b6}'..='\u{24e9}' | '\u{1f150}'..='\u{1f169}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Wording {
        Wording::of(text, BODY_BYTES)
    }

    #[test]
    fn phrases_are_found_across_lines_quotes_and_invisible_characters() {
        assert_eq!(of("Don\u{2019}t\r\n  WAIT\u{a0}f\u{200b}or").normal, "don't wait for");
        assert_eq!(of("ПРИВЕТ").normal, "привет");
    }

    #[test]
    fn letters_with_gaps_are_counted_and_initials_and_lists_are_not() {
        assert_eq!(of("buy V-I-A-G-R-A and C I A L I S now").gappy, 2);
        assert_eq!(of("C A S I N O").gappy, 1);
        assert_eq!(of("J. R. R. Tolkien, a, b, c and d").gappy, 0);
        assert_eq!(of("一 二 三").gappy, 0);
    }

    #[test]
    fn words_of_two_alphabets_are_counted_and_honest_mixes_are_not() {
        assert_eq!(of("P\u{430}ypal \u{430}ccount").mixed_words, 2);
        assert_eq!(of("Привет, API-ключ, PDFками, 5 кОм, Δt, Ελλάδα").mixed_words, 0);
    }

    #[test]
    fn honest_scripts_give_nothing_away() {
        for text in [
            "今日は良い天気です。",
            "مرحبا بالعالم",
            "नमस्ते दुनिया",
            "Größe, naïve, Łódź",
            "👨\u{200d}👩\u{200d}👧 family",
        ] {
            let w = of(text);
            assert_eq!(
                (w.invisible, w.torn, w.mixed_words, w.styled, w.gappy, w.overrides),
                (0, 0, 0, 0, 0, 0),
                "{text}"
            );
        }
    }

    #[test]
    fn invisible_characters_inside_words_tear_them() {
        let w = of("w\u{200b}ord w\u{ad}ord \u{202e}abc");
        assert_eq!((w.invisible, w.torn, w.overrides), (2, 1, 1));
    }

    #[test]
    fn only_so_much_is_read() {
        assert_eq!(Wording::of(&"é".repeat(10), 5).letters, 2);
    }
}
