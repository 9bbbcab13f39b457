//! Addresses in header fields, with their phrases.

/// A mailbox as a field names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mailbox {
    /// What stands before the address, or the comment behind it.
    pub(crate) phrase: Option<String>,
    pub(crate) address: Option<String>,
}

/// Most mailboxes read from a field. Unit: mailboxes. Source: our own limit.
const MAILBOXES: usize = 1_000;

/// The mailboxes of a field value.
pub(crate) fn mailboxes(value: &str) -> Vec<Mailbox> {
    let value = value.trim();
    // `Group: a@example.com, b@example.com;`
    let value = match value.split_once(':') {
        Some((group, members)) if !group.is_empty() && !group.contains(['"', '(', ')', '<', '>', '@', ',']) => {
            members.split(';').next().unwrap_or_default()
        }
        _ => value,
    };
    let mut mailboxes = Vec::new();
    for part in parts(value).into_iter().take(MAILBOXES) {
        mailboxes.extend(mailbox(part.trim()));
    }
    mailboxes
}

/// The value cut at commas and semicolons that stand outside of quotes, brackets and comments.
fn parts(value: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut quoted, mut angle, mut comment, mut start) = (false, false, 0_u32, 0);
    let mut escaped = false;
    for (at, char) in value.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match char {
            '\\' => escaped = true,
            '"' if comment == 0 => quoted = !quoted,
            '(' if !quoted && !angle => comment += 1,
            ')' if !quoted => comment = comment.saturating_sub(1),
            '<' if !quoted && comment == 0 => angle = true,
            '>' if !quoted && comment == 0 => angle = false,
            ',' | ';' if !quoted && !angle && comment == 0 => {
                parts.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&value[start..]);
    parts
}

fn mailbox(text: &str) -> Option<Mailbox> {
    if text.is_empty() {
        return None;
    }
    let (before, address, behind) = match outside_quotes(text, '<') {
        Some(open) => {
            let close = text[open..].find('>').map_or(text.len(), |close| open + close);
            (&text[..open], Some(text[open + 1..close].trim()), text.get(close + 1..).unwrap_or_default())
        }
        None => (text, None, ""),
    };
    let comment = |text: &str| -> Option<String> {
        let (open, close) = (text.find('(')?, text.rfind(')')?);
        (open < close).then(|| text[open + 1..close].to_owned())
    };
    let mut phrase = unquoted(&without_comments(before));
    let mut address = address.map(without_comments).filter(|address| is_address(address));
    let mut comment = comment(behind);
    if address.is_none() && outside_quotes(text, '<').is_none() {
        // A bare address, or only words.
        let bare = without_comments(before);
        let bare = bare.trim();
        if is_address(bare) {
            address = Some(bare.to_owned());
            phrase.clear();
            comment = comment_of(before);
        }
    }
    if address.as_deref() == Some(phrase.as_str()) {
        phrase.clear();
    }
    if address.is_none() && is_address(&phrase) {
        address = Some(std::mem::take(&mut phrase));
    }
    let phrase = Some(phrase).filter(|phrase| !phrase.is_empty()).or(comment);
    (phrase.is_some() || address.is_some()).then_some(Mailbox { phrase, address })
}

fn comment_of(text: &str) -> Option<String> {
    let (open, close) = (outside_quotes(text, '(')?, text.rfind(')')?);
    (open < close).then(|| text[open + 1..close].to_owned())
}

fn outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().find_map(|(at, char)| {
        if std::mem::take(&mut escaped) {
            return None;
        }
        match char {
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            char if char == wanted && !quoted => return Some(at),
            _ => {}
        }
        None
    })
}

fn without_comments(text: &str) -> String {
    let (mut quoted, mut depth) = (false, 0_u32);
    let mut kept = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => {
                depth += 1;
                continue;
            }
            ')' if !quoted && depth > 0 => {
                depth -= 1;
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            kept.push(char);
        }
    }
    kept.trim().to_owned()
}

/// The words without quotes and escapes.
fn unquoted(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut escaped = false;
    for char in text.chars() {
        match char {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            '"' if !escaped => {}
            char => kept.push(char),
        }
        escaped = false;
    }
    kept.trim().to_owned()
}

/// Whether this is a local part and a domain with an `@` between them.
fn is_address(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(local, domain)| {
        let quoted = local.starts_with('"') && local.ends_with('"') && local.len() > 2;
        !local.is_empty()
            && !domain.is_empty()
            && (quoted
                || !local.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"' | '@')))
            && !domain.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '(' | ')'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_have_many_forms() {
        let of = |value: &str| -> Vec<(Option<String>, Option<String>)> {
            mailboxes(value).into_iter().map(|mailbox| (mailbox.phrase, mailbox.address)).collect()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            of("\"Doe, J.\" <j@a.example>, b@b.example (Bob)"),
            [(some("Doe, J."), some("j@a.example")), (some("Bob"), some("b@b.example"))]
        );
        assert_eq!(
            of("Team: a@a.example, B <b@b.example>;"),
            [(None, some("a@a.example")), (some("B"), some("b@b.example"))]
        );
        assert_eq!(of("only words"), [(some("only words"), None)]);
        assert_eq!(of("\"x@y.example\" <>"), [(None, some("x@y.example"))]);
    }
}
