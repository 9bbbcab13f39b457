//! A message after the edits of its verdict, as its recipients get it.

use crate::verdict::Edit;
use std::ops::Range;

/// Applies edits to a message in wire form, as an MTA does: occurrences count from the top among the fields as received,
/// added fields go above all others, the last added uppermost. Edits that touch no byte (recipients, a hold) change
/// nothing here.
pub fn edited(raw: &[u8], edits: &[Edit]) -> Vec<u8> {
    let (fields, body) = fields(raw);
    let mut lines: Vec<Option<Vec<u8>>> = fields.iter().map(|field| Some(raw[field.clone()].to_vec())).collect();
    let mut above = Vec::new();
    let mut body = &raw[body..];
    for edit in edits {
        match edit {
            Edit::AddHeader { name, value } => above.push(line(name, value)),
            Edit::ChangeHeader { name, occurrence, value } => {
                if let Some(at) = place(raw, &fields, name, *occurrence) {
                    lines[at] = Some(line(name, value));
                }
            }
            Edit::RemoveHeader { name, occurrence } => {
                if let Some(at) = place(raw, &fields, name, *occurrence) {
                    lines[at] = None;
                }
            }
            Edit::ReplaceBody { body: other, .. } => body = other,
            Edit::RemoveRecipient { .. } | Edit::AddRecipient { .. } | Edit::Hold { .. } => {}
        }
    }
    let mut out: Vec<u8> = above.into_iter().rev().chain(lines.into_iter().flatten()).flatten().collect();
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

/// The fields of the header, each with its folds and final line end, and where the body begins.
fn fields(raw: &[u8]) -> (Vec<Range<usize>>, usize) {
    let mut fields: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    for line in raw.split_inclusive(|&byte| byte == b'\n') {
        let end = at + line.len();
        match line {
            b"\r\n" | b"\n" => return (fields, end),
            [b' ' | b'\t', ..] if !fields.is_empty() => {
                if let Some(field) = fields.last_mut() {
                    field.end = end;
                }
            }
            _ => fields.push(at..end),
        }
        at = end;
    }
    (fields, at)
}

/// Where the field of this name and occurrence stands.
fn place(raw: &[u8], fields: &[Range<usize>], name: &str, occurrence: u32) -> Option<usize> {
    let is_named = |field: &Range<usize>| {
        let written = raw[field.clone()].split(|&byte| byte == b':').next().unwrap_or_default();
        written.trim_ascii_end().eq_ignore_ascii_case(name.as_bytes())
    };
    let mut named = fields.iter().enumerate().filter(|(_, field)| is_named(field));
    named.nth(usize::try_from(occurrence).ok()?.checked_sub(1)?).map(|(at, _)| at)
}

fn line(name: &str, value: &str) -> Vec<u8> {
    format!("{name}: {}\r\n", value.replace('\n', "\r\n")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &[u8] = b"Received: one\r\n\tfolded\r\nX-Mark: forged\r\nSubject: hi\r\nx-mark: too\r\n\r\nbody\r\n";

    #[test]
    fn occurrences_count_as_received_and_added_fields_go_on_top() {
        let add = |name: &str, value: &str| Edit::AddHeader { name: name.into(), value: value.into() };
        let edits = [
            Edit::RemoveHeader { name: "X-Mark".into(), occurrence: 2 },
            Edit::RemoveHeader { name: "X-Mark".into(), occurrence: 1 },
            Edit::ChangeHeader { name: "subject".into(), occurrence: 1, value: "[x]\n hi".into() },
            add("X-Mark", "ours"),
            add("X-Last", "uppermost"),
            Edit::ReplaceBody { with: "banner".into(), body: b"other\r\n".as_slice().into() },
        ];
        let expected =
            "X-Last: uppermost\r\nX-Mark: ours\r\nReceived: one\r\n\tfolded\r\nsubject: [x]\r\n hi\r\n\r\nother\r\n";
        assert_eq!(String::from_utf8_lossy(&edited(RAW, &edits)), expected);
        assert_eq!(edited(RAW, &[]), RAW);
    }

    #[test]
    fn an_edit_of_a_field_that_is_not_there_changes_nothing() {
        let remove = |occurrence| Edit::RemoveHeader { name: "X-Mark".into(), occurrence };
        assert_eq!(edited(RAW, &[remove(0), remove(3)]), RAW);
        assert_eq!(edited(b"Subject: no end", &[]), b"Subject: no end\r\n");
        assert_eq!(edited(b"", &[]), b"\r\n");
    }
}
