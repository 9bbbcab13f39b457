//! The message as it leaves: its bytes with the edits that the MTA makes to header and body.

use crate::{session::push_with_crlf, verdict::Edit};
use std::{borrow::Cow, collections::HashMap};

/// The fields of the header of a message in wire form, each with its folds and its line end, and the body.
pub fn split(raw: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut fields = Vec::new();
    let (mut begin, mut at) = (0, 0);
    for line in raw.split_inclusive(|&b| b == b'\n') {
        let ends = line == b"\r\n" || line == b"\n";
        if at > begin && !line.starts_with(b" ") && !line.starts_with(b"\t") {
            fields.push(&raw[begin..at]);
            begin = at;
        }
        at += line.len();
        if ends {
            return (fields, &raw[at..]);
        }
    }
    if at > begin {
        fields.push(&raw[begin..at]);
    }
    (fields, &[])
}

/// The name of a field, as written.
pub fn name_of(field: &[u8]) -> &[u8] {
    let end = memchr::memchr(b':', field).unwrap_or(0);
    field[..end].trim_ascii_end()
}

/// Applies the edits of header and body as an MTA does: occurrences count as received, and each added field stands above
/// all others.
pub fn edited<'m>(raw: &'m [u8], edits: &[Edit]) -> Cow<'m, [u8]> {
    let touches = |edit: &Edit| edit.header().is_some() || matches!(edit, Edit::ReplaceBody { .. });
    if !edits.iter().any(touches) {
        return Cow::Borrowed(raw);
    }
    let (fields, mut body) = split(raw);
    let mut added: Vec<(&str, &str)> = Vec::new();
    let mut changed: HashMap<(String, u32), Option<(&str, &str)>> = HashMap::new();
    for edit in edits {
        match edit {
            Edit::AddHeader { name, value } => added.push((name, value)),
            Edit::ChangeHeader { name, occurrence, value } => {
                changed.insert((name.to_ascii_lowercase(), *occurrence), Some((name, value)));
            }
            Edit::RemoveHeader { name, occurrence } => {
                changed.insert((name.to_ascii_lowercase(), *occurrence), None);
            }
            Edit::ReplaceBody { body: other, .. } => body = other,
            Edit::ChangeSender { .. }
            | Edit::RemoveRecipient { .. }
            | Edit::AddRecipient { .. }
            | Edit::Hold { .. } => {}
        }
    }
    let mut out = Vec::with_capacity(raw.len());
    for (name, value) in added.into_iter().rev() {
        push_field(&mut out, name, value);
    }
    let mut seen: HashMap<String, u32> = HashMap::new();
    for field in fields {
        let name = String::from_utf8_lossy(name_of(field)).to_ascii_lowercase();
        let occurrence = seen.entry(name.clone()).or_default();
        *occurrence += 1;
        match changed.get(&(name, *occurrence)) {
            None => {
                out.extend_from_slice(field);
                if !field.ends_with(b"\n") {
                    out.extend_from_slice(b"\r\n");
                }
            }
            Some(Some((name, value))) => push_field(&mut out, name, value),
            Some(None) => {}
        }
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    Cow::Owned(out)
}

fn push_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    push_with_crlf(out, value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &[u8] = b"X-A: 1\r\nSubject: one\r\n\ttwo\r\nx-a: 2\r\nX-A : 3\r\n\r\nbody\r\n\r\nend\r\n";

    fn add(name: &str, value: &str) -> Edit {
        Edit::AddHeader { name: name.into(), value: value.into() }
    }

    fn remove(occurrence: u32) -> Edit {
        Edit::RemoveHeader { name: "X-A".into(), occurrence }
    }

    fn text(edits: &[Edit]) -> String {
        String::from_utf8(edited(RAW, edits).into_owned()).expect("text")
    }

    #[test]
    fn fields_keep_their_folds_and_the_body_begins_behind_the_first_empty_line() {
        let (fields, body) = split(RAW);
        assert_eq!(fields.iter().map(|f| name_of(f)).collect::<Vec<_>>(), [&b"X-A"[..], b"Subject", b"x-a", b"X-A"]);
        assert_eq!((fields[1], body), (&b"Subject: one\r\n\ttwo\r\n"[..], &b"body\r\n\r\nend\r\n"[..]));
        assert_eq!(split(b"\r\nonly a body"), (vec![], &b"only a body"[..]));
        assert_eq!(split(b"A: 1\r\nB: 2"), (vec![&b"A: 1\r\n"[..], b"B: 2"], &b""[..]));
        assert_eq!(split(b""), (vec![], &b""[..]));
    }

    #[test]
    fn nothing_is_copied_where_header_and_body_stay() {
        let edits = [
            Edit::ChangeSender { address: "<b@x.test>".into() },
            Edit::Hold { reason: "x".into() },
            Edit::RemoveRecipient { address: "<a@x.test>".into() },
        ];
        assert!(matches!(edited(RAW, &edits), Cow::Borrowed(same) if same == RAW));
    }

    #[test]
    fn occurrences_count_as_received_and_the_last_addition_stands_on_top() {
        let change = Edit::ChangeHeader { name: "Subject".into(), occurrence: 1, value: "a\n b".into() };
        let edited = text(&[remove(3), remove(1), change, add("X-B", "b"), add("X-C", "c")]);
        assert_eq!(edited, "X-C: c\r\nX-B: b\r\nSubject: a\r\n b\r\nx-a: 2\r\n\r\nbody\r\n\r\nend\r\n");
    }

    #[test]
    fn an_edit_of_a_field_that_is_not_there_changes_nothing() {
        assert_eq!(edited(RAW, &[remove(0), remove(4)]).as_ref(), RAW);
        assert_eq!(edited(b"Subject: no end", &[remove(1)]).as_ref(), b"Subject: no end\r\n\r\n");
    }

    #[test]
    fn another_body_stands_behind_the_same_header() {
        let edited = text(&[Edit::ReplaceBody { with: "banner".into(), body: b"new\r\n".to_vec().into() }, remove(2)]);
        assert_eq!(edited, "X-A: 1\r\nSubject: one\r\n\ttwo\r\nX-A : 3\r\n\r\nnew\r\n");
    }
}
