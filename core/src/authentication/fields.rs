//! Reading Authentication-Results (RFC 8601 §2.2), comments, quotes and folds included.

/// A piece of the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word or the text of a quoted string.
    Word(String),
    /// `=`
    Equals,
    /// `;`
    Semicolon,
}

/// Longest field that is read. Unit: bytes. Source: our own limit; long fields hold some thirty results.
const FIELD_BYTES: usize = 16_384;

/// Deepest nesting of comments, beyond which the rest is one comment. Source: our own limit.
const COMMENT_DEPTH: usize = 100;

/// The field without comments, folds and quotes.
pub(super) fn tokens(value: &[u8]) -> Vec<Token> {
    let value = &value[..value.len().min(FIELD_BYTES)];
    let mut tokens = Vec::new();
    let mut word = Vec::new();
    let mut bytes = value.iter().copied().peekable();
    let end_word = |word: &mut Vec<u8>, tokens: &mut Vec<Token>| {
        if !word.is_empty() {
            tokens.push(Token::Word(String::from_utf8_lossy(word).into_owned()));
            word.clear();
        }
    };
    while let Some(byte) = bytes.next() {
        match byte {
            b'(' => {
                end_word(&mut word, &mut tokens);
                skip_comment(&mut bytes);
            }
            b'"' => {
                end_word(&mut word, &mut tokens);
                tokens.push(Token::Word(quoted(&mut bytes)));
            }
            b';' | b'=' => {
                end_word(&mut word, &mut tokens);
                tokens.push(if byte == b';' { Token::Semicolon } else { Token::Equals });
            }
            _ if byte.is_ascii_whitespace() || byte.is_ascii_control() => end_word(&mut word, &mut tokens),
            _ => word.push(byte),
        }
    }
    end_word(&mut word, &mut tokens);
    tokens
}

fn skip_comment(bytes: &mut impl Iterator<Item = u8>) {
    let mut depth = 1;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'(' if depth < COMMENT_DEPTH => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

fn quoted(bytes: &mut impl Iterator<Item = u8>) -> String {
    let mut text = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => text.extend(bytes.next()),
            b'\r' | b'\n' => {}
            other => text.push(other),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The authserv-id: the first word.
pub(super) fn authserv_id(tokens: &[Token]) -> Option<&str> {
    match tokens.first() {
        Some(Token::Word(word)) => Some(word),
        _ => None,
    }
}

/// Whether the field says `method=result`, and if it says `property=` of it, with this domain.
pub(super) fn says(tokens: &[Token], method: &str, result: &str, property: &str, domain: &str) -> bool {
    tokens.split(|token| *token == Token::Semicolon).any(|part| {
        let [Token::Word(name), Token::Equals, Token::Word(value), rest @ ..] = part else { return false };
        let name = name.split('/').next().unwrap_or_default();
        let is_meant = name.eq_ignore_ascii_case(method) && value.eq_ignore_ascii_case(result);
        is_meant
            && rest.windows(3).all(|window| match window {
                [Token::Word(name), Token::Equals, Token::Word(value)] if name.eq_ignore_ascii_case(property) => {
                    value.rsplit('@').next().unwrap_or_default().eq_ignore_ascii_case(domain)
                }
                _ => true,
            })
    })
}
