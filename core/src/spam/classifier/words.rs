//! Text to words and letters in order, in any script.

use super::features::{Builder, Kind};

/// Longest word. Unit: bytes. Source: our own limit; what is longer is an address or a key.
const WORD_BYTES: usize = 40;
/// Words with so many digits beside letters are names of one thing only. Unit: digits. Source: our own limit.
const DIGITS: usize = 3;
/// How much of a text is cut into letters. Unit: bytes. Source: our own limit; they find disguised words, and each costs
/// as much as a word.
const GRAM_BYTES: usize = 512;
/// Characters of one gram. Source: Goodman and Yih 2006 and the TREC spam tracks used four.
const GRAM: usize = 4;

/// The words of the subject, without the tags that lists and filters put before it.
pub(super) fn subject(subject: &str, builder: &mut Builder) {
    let start = builder.text.len();
    cut(without_tags(subject), builder, Some(Kind::Subject));
    grams(start, builder);
}

/// The words of the text.
pub(super) fn text(text: &str, builder: &mut Builder) {
    let start = builder.text.len();
    cut(text, builder, None);
    grams(start, builder);
}

/// The words of a name.
pub(super) fn name(name: &str, kind: Kind, builder: &mut Builder) {
    let mut cutter = Cutter { builder, also: None, only: Some(kind), start: 0, digits: 0, letters: 0 };
    cutter.run(name);
}

/// A subject without leading `[tag]`s: they name a list, or the verdict of another filter.
fn without_tags(mut subject: &str) -> &str {
    loop {
        subject = subject.trim_start();
        match subject.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((tag, rest)) if tag.len() <= WORD_BYTES => subject = rest,
            _ => return subject,
        }
    }
}

fn cut(text: &str, builder: &mut Builder, also: Option<Kind>) {
    Cutter { builder, also, only: None, start: 0, digits: 0, letters: 0 }.run(text);
}

/// Cuts a text into words, lower case, digits as zeros.
struct Cutter<'b> {
    builder: &'b mut Builder,
    /// A kind that words get beside their own.
    also: Option<Kind>,
    /// A kind that words get instead of their own.
    only: Option<Kind>,
    /// Where the word under way begins.
    start: usize,
    digits: usize,
    letters: usize,
}

impl Cutter<'_> {
    fn run(&mut self, text: &str) {
        self.start = self.builder.text.len();
        let mut before: Option<char> = None;
        for c in text.chars() {
            if c.is_ascii_alphabetic() {
                self.letters += 1;
                self.builder.text.push(c.to_ascii_lowercase());
            } else if c.is_ascii_digit() {
                self.digits += 1;
                self.builder.text.push('0');
            } else if c.is_ascii() {
                match c {
                    '\'' => continue,
                    '$' | '%' | '!' => {
                        self.end();
                        self.builder.text.push(c);
                        self.end();
                    }
                    _ => self.end(),
                }
            } else if is_unspaced(c) {
                self.end();
                if let Some(first) = before.filter(|&b| is_unspaced(b)) {
                    self.builder.text.push(first);
                    self.builder.text.push(c);
                    self.bigram();
                }
            } else if is_ignored(c) {
                continue;
            } else if c.is_alphanumeric() {
                self.letters += 1;
                self.builder.text.extend(c.to_lowercase());
            } else {
                self.end();
            }
            before = Some(c);
            if self.builder.is_full() {
                break;
            }
        }
        self.end();
    }

    /// The word under way ends here.
    fn end(&mut self) {
        let end = self.builder.text.len();
        let (digits, letters) = (std::mem::take(&mut self.digits), std::mem::take(&mut self.letters));
        if end == self.start {
            return;
        }
        if end - self.start > WORD_BYTES || (letters > 0 && digits >= DIGITS) {
            self.builder.text.truncate(self.start);
            return;
        }
        let word = self.start..end;
        self.builder.add(self.only.unwrap_or(Kind::Word), word);
        if let Some(kind) = self.also {
            self.builder.add(kind, self.start..end);
        }
        self.builder.text.push(' ');
        self.start = self.builder.text.len();
    }

    /// Two neighbours of a script without blanks stand for a word.
    fn bigram(&mut self) {
        let word = self.start..self.builder.text.len();
        self.builder.add(self.only.unwrap_or(Kind::Word), word.clone());
        if let Some(kind) = self.also {
            self.builder.add(kind, word);
        }
        self.builder.text.push(' ');
        self.start = self.builder.text.len();
    }
}

/// Letters in order over the words from `start`, blanks between words included.
fn grams(start: usize, builder: &mut Builder) {
    let end = builder.text.floor_char_boundary((start + GRAM_BYTES).min(builder.text.len()));
    let bounds: Vec<usize> = builder.text[start..end].char_indices().map(|(i, _)| start + i).chain([end]).collect();
    for window in bounds.windows(GRAM + 1) {
        builder.add(Kind::Gram, window[0]..window[GRAM]);
    }
}

/// Scripts that put no blanks between words: Han, kana, hangul (whose blanks stand between phrases), Thai, Lao, Burmese,
/// Khmer.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{323af}')
}

/// Characters that a reader does not see, and marks that only vary a letter: a word goes on across them.
fn is_ignored(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}'
        | '\u{2019}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}
