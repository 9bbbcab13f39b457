//! HTML handed to html5gum so that its stack stays small.
//!
//! Its states call each other, and those of attributes in double quotes do so in a circle (0.9.0, `machine.rs`): a tag with
//! 300,000 of them overflows the stack of the thread. An error of the reader is the one way to have all these calls return, and where
//! such a value is read the tokenizer can go on afterwards as if nothing had been.

use html5gum::{Emitter, Readable, Reader, StringReader, Tokenizer};
use std::{convert::Infallible, fmt};

/// Values after which the stack is unwound. Unit: reads of quoted values. Source: our own choice; one takes some hundred bytes of
/// the stack, in builds without optimisation some thousand.
const READS: u32 = 64;
/// What is looked for while a value in double quotes is read.
const VALUE_ENDS: &[u8] = b"\"&\0";

/// A reader of text that interrupts the tokenizer now and then.
pub(super) struct Paced<'h> {
    reader: StringReader<'h>,
    reads: u32,
}

/// Not an error: ask for the next token again.
#[derive(Debug)]
pub(super) struct Pause;

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("paused")
    }
}

impl std::error::Error for Pause {}

/// The first token that the emitter gives, or the end.
pub(super) fn first_token<E: Emitter>(html: &str, emitter: E) -> Option<E::Token> {
    Tokenizer::new_with_emitter(Paced { reader: html.to_reader(), reads: 0 }, emitter).find_map(Result::ok)
}

fn never(error: Infallible) -> Pause {
    match error {}
}

impl Reader for Paced<'_> {
    type Error = Pause;

    #[inline]
    fn read_byte(&mut self) -> Result<Option<u8>, Pause> {
        self.reader.read_byte().map_err(never)
    }

    #[inline]
    fn try_read_string(&mut self, text: &[u8], case_sensitive: bool) -> Result<bool, Pause> {
        self.reader.try_read_string(text, case_sensitive).map_err(never)
    }

    #[inline]
    fn read_until<'b>(&'b mut self, needle: &[u8], char_buf: &'b mut [u8; 4]) -> Result<Option<&'b [u8]>, Pause> {
        if needle.starts_with(VALUE_ENDS) {
            self.reads += 1;
            if self.reads >= READS {
                self.reads = 0;
                return Err(Pause);
            }
        }
        self.reader.read_until(needle, char_buf).map_err(never)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use html5gum::{Token, emitters::default::DefaultEmitter};

    /// All tokens, as text.
    fn tokens(html: &str) -> Vec<String> {
        let emitter = DefaultEmitter::<()>::default();
        let tokens = Tokenizer::new_with_emitter(Paced { reader: html.to_reader(), reads: 0 }, emitter);
        tokens.filter_map(|token| token.ok().map(|token: Token| format!("{token:?}"))).collect()
    }

    #[test]
    fn a_pause_changes_no_token() {
        let attributes: String = (0..500).map(|n| format!("a{n}=\"x{n}&amp;\r\ny\" b{n}='z' ")).collect();
        for html in [
            format!("text<p {attributes}>more<br/>\"<!DOCTYPE a PUBLIC \"x\" \"y\"><a href=\"&lt;\">{attributes}</a>"),
            "<p a=\"\"b=\"c\" d=\"".repeat(200),
        ] {
            let plain = Tokenizer::new(html.as_str()).map(|token| {
                let Ok(token) = token;
                format!("{token:?}")
            });
            assert_eq!(tokens(&html), plain.collect::<Vec<_>>());
        }
    }
}
