//! How the header is written: the habits of the program that made the message.
//!
//! Only fields that the author's side writes are looked at: what lists, relays and filters add tells the way that a message
//! took, not what it is.

use super::features::{Builder, Kind};
use crate::message::{Header, Message};

/// Fields of the author's side whose presence and order count.
const FIELDS: &[&str] = &[
    "From",
    "Date",
    "Subject",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Content-Language",
    "X-Mailer",
    "User-Agent",
    "Reply-To",
    "X-Priority",
    "X-MSMail-Priority",
    "Importance",
    "Priority",
    "Organization",
    "X-Accept-Language",
    "Accept-Language",
    "Auto-Submitted",
    "Disposition-Notification-To",
    "X-MimeOLE",
    "Feedback-ID",
    "X-PHP-Originating-Script",
    "Content-Class",
];
/// Most such fields that are looked at. Unit: fields. Source: our own limit; each stands once in honest mail.
const MOST: usize = 40;
/// Longest form of a value. Unit: bytes. Source: our own limit.
const FORM_BYTES: usize = 48;
/// How much of a value its form is made of. Unit: bytes. Source: our own limit.
const VALUE_BYTES: usize = 200;

/// Notes the author's fields: which there are, in which order, and the form of their values.
pub(super) fn note(message: &Message<'_>, builder: &mut Builder) {
    let mut before = "first";
    let authors = message.headers.iter().filter(|h| FIELDS.iter().any(|name| name.eq_ignore_ascii_case(&h.name)));
    for header in authors.take(MOST) {
        builder.note(Kind::Heading, &["field ", &header.name]);
        builder.note(Kind::Heading, &["order ", before, " ", &header.name]);
        before = header.name.as_ref();
        value(header, builder);
    }
    builder.note(Kind::Heading, &["order ", before, " last"]);
}

fn value(header: &Header<'_>, builder: &mut Builder) {
    let written = String::from_utf8_lossy(&header.value[..header.value.len().min(VALUE_BYTES)]);
    let name = header.name.to_ascii_lowercase();
    match name.as_str() {
        "message-id" => {
            let id = written.split_once('<').map_or("", |(_, rest)| rest);
            let id = id.split('>').next().unwrap_or_default();
            let (left, right) = id.split_once('@').unwrap_or((id, ""));
            builder.note(Kind::Heading, &["id ", &form(left)]);
            builder.note(Kind::Heading, &["id length ", &(left.len() / 4).to_string()]);
            builder.note(Kind::Heading, &["id host ", &form(right)]);
        }
        "date" | "from" => builder.note(Kind::Heading, &[&name, " ", &form(&written)]),
        "content-type" => {
            if let Some(boundary) = parameter(&written, "boundary=") {
                builder.note(Kind::Heading, &["boundary ", &form(boundary)]);
                builder.note(Kind::Heading, &["boundary length ", &boundary.len().to_string()]);
            }
            if let Some(charset) = parameter(&written, "charset=") {
                builder.note(Kind::Heading, &["charset ", charset]);
            }
            let kind = written.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            builder.note(Kind::Heading, &["type ", &kind]);
        }
        "subject" => {
            let encoded = written.split_once("=?").and_then(|(_, rest)| rest.split_once('?'));
            let Some((charset, rest)) = encoded else { return };
            builder.note(Kind::Heading, &["subject in ", charset, " ", rest.get(..1).unwrap_or_default()]);
        }
        "content-transfer-encoding"
        | "mime-version"
        | "x-priority"
        | "x-msmail-priority"
        | "importance"
        | "auto-submitted" => builder.note(Kind::Heading, &[&name, " ", written.trim()]),
        _ => {}
    }
}

/// The value of a parameter as written, with the quote before it, which programs set or leave out.
fn parameter<'a>(field: &'a str, name: &str) -> Option<&'a str> {
    let at = field.to_ascii_lowercase().find(name)?;
    let value = field.get(at + name.len()..)?;
    value.split([';', ' ', '\r', '\n', '\t']).next()
}

/// The form of a text: runs of small letters, capitals and digits as `a`, `A` and `0`, what is not ASCII as `~`.
fn form(text: &str) -> String {
    let mut form = String::new();
    for c in text.trim().chars() {
        let class = match c {
            'a'..='z' => 'a',
            'A'..='Z' => 'A',
            '0'..='9' => '0',
            '\0'..='\u{7f}' => c,
            _ => '~',
        };
        if !(form.ends_with(class) && matches!(class, 'a' | 'A' | '0' | '~')) {
            form.push(class);
        }
        if form.len() >= FORM_BYTES {
            break;
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_by_their_form() {
        assert_eq!(form("<20240101.AbC-99@x>"), "<0.AaA-0@a>");
        assert_eq!(form("\u{e9}\u{e8}1"), "~0");
        assert_eq!(parameter("multipart/mixed; BOUNDARY=\"=_x\"; a=b", "boundary="), Some("\"=_x\""));
        assert_eq!(parameter("text/plain", "charset="), None);
    }
}
