use super::*;
use crate::message::{Bounds, parse};
use std::collections::BTreeSet;

/// 2025-01-15 12:00 UTC.
const NOW: i64 = 1_736_942_400;

/// An ordinary message, of which a case replaces one field or the body.
const FIELDS: [(&str, &str); 5] = [
    ("From", "Ann Example <ann@example.com>"),
    ("To", "bob@example.org"),
    ("Subject", "Minutes of the meeting"),
    ("Date", "Wed, 15 Jan 2025 11:59:00 +0000"),
    ("Message-ID", "<20250115.1@example.com>"),
];
const TEXT: &str =
    "Content-Type: text/plain; charset=utf-8\r\n\r\nHello Bob,\r\nhere they are: https://www.example.com/minutes\r\n";
const HTML: &str = "Content-Type: text/html; charset=utf-8\r\n\r\n";

fn hits(raw: &[u8]) -> BTreeSet<String> {
    let message = parse(raw, &Bounds::default());
    let connection = Connection::default();
    let sender = ReversePath::parse(b"<ann@example.com>").expect("an address");
    let facts = AtEnd {
        connection: &connection,
        sender: &sender,
        recipients: &[],
        direction: Direction::Inbound,
        message: &message,
        now: NOW,
    };
    judge(&Settings::default(), &facts).into_iter().map(|f| f.id.into_owned()).collect()
}

/// The ordinary message with one field replaced (or removed, if the value is empty, or added) and a body.
fn mail(field: &str, value: &str, body: &str) -> Vec<u8> {
    let mut out = String::new();
    let known = FIELDS.iter().any(|(name, _)| *name == field);
    for (name, ordinary) in FIELDS {
        let value = if name == field { value } else { ordinary };
        if !value.is_empty() {
            out += &format!("{name}: {value}\r\n");
        }
    }
    if !known && !field.is_empty() {
        out += &format!("{field}: {value}\r\n");
    }
    (out + "MIME-Version: 1.0\r\n" + body).into_bytes()
}

/// For each rule a message that hits it.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let html = |body: &str| mail("", "", &format!("{HTML}{body}"));
    let text = |body: &str| mail("", "", &format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"));
    let field = |name: &str, value: &str| mail(name, value, TEXT);
    let torn = "w\u{200b}ords a\u{200b}re t\u{200b}orn b\u{200b}y n\u{200b}othing";
    let base64 = "SGVsbG8gSGVsbG8g".repeat(20);
    let lookalike = "<a href=\"https://p\u{430}ypal.example/\">pay</a>";
    vec![
        (
            "body.advance-fee",
            text("I am contacting you as next of kin: the inheritance of two million dollars. God bless."),
        ),
        ("body.torn-words", text(torn)),
        ("from.address-in-name", field("From", "\"security@bank.com\" <x@evil.net>")),
        ("from.missing", field("From", "")),
        ("from.several", [b"From: Other <other@example.net>\r\n".to_vec(), mail("", "", TEXT)].concat()),
        ("header.damaged", [b"this is no field\r\n".to_vec(), mail("", "", TEXT)].concat()),
        ("header.date-future", field("Date", "Wed, 22 Jan 2025 11:59:00 +0000")),
        ("header.date-missing", field("Date", "")),
        ("header.date-old", field("Date", "Wed, 15 Jan 2020 11:59:00 +0000")),
        ("header.no-recipient", field("To", "undisclosed-recipients:;")),
        ("header.no-unsubscribe", field("Precedence", "bulk")),
        ("header.repeated", [b"Subject: another\r\n".to_vec(), mail("", "", TEXT)].concat()),
        ("header.reply-freemail", field("Reply-To", "ann.example@gmail.com")),
        ("header.reply-moved", mail("From", "Ann <ann@yahoo.com>", &format!("Reply-To: ann2@gmail.com\r\n{TEXT}"))),
        ("header.to-self", field("To", "ann@example.com")),
        ("html.form", html("<p>Fill in<form action=https://example.com/><input name=a></form>")),
        ("html.hidden-text", html(&format!("<p>Hi<div style=display:none>{}</div>", "novel words ".repeat(60)))),
        ("html.one-image", html("<a href=https://example.com/><img src=https://example.com/i.png></a>")),
        ("html.only", html("<p>Hello Bob")),
        ("html.password-field", html("<form action=https://example.com/><input type=password></form>")),
        ("html.script", html("<script>x()</script><p>Hi")),
        ("link.disguised", html("<a href=https://bank.com@evil.example/>bank</a>")),
        ("link.lookalike", html(lookalike)),
        ("link.other-host", html("<a href=https://evil.net/>https://www.bank.com/login</a>")),
        ("link.script", html("<a href=\"data:text/html;base64,AAAA\">open</a>")),
        ("link.shortened", text("look: https://bit.ly/abc")),
        ("link.to-address", html("<a href=http://0x5db8d822/>here</a>")),
        ("message-id.malformed", field("Message-ID", "12345")),
        ("message-id.missing", field("Message-ID", "")),
        ("mime.damaged", mail("", "", "Content-Type: multipart/mixed; boundary=b\r\n\r\nno part\r\n")),
        ("mime.needless-base64", mail("", "", &format!("Content-Transfer-Encoding: base64\r\n\r\n{base64}\r\n"))),
        ("spam.gtube", text(body::GTUBE)),
        ("subject.capitals", field("Subject", "OPEN THIS LETTER NOW")),
        ("subject.empty", field("Subject", "")),
        ("subject.fake-reply", field("Subject", "Re: our talk")),
        ("subject.invisible", field("Subject", "In\u{200b}voice")),
    ]
}

#[test]
fn ids_are_sorted_and_each_rule_is_explained() {
    assert!(RULES.windows(2).all(|pair| pair[0].id < pair[1].id));
    for rule in RULES {
        assert!(rule.about.ends_with('.') && rule.about.len() > 15, "{}: {:?}", rule.id, rule.about);
        assert!(!rule.source.is_empty(), "{}", rule.id);
        assert!(rule.id.split('.').count() == 2 && rule.id.to_lowercase() == rule.id, "{}", rule.id);
        assert!(!rule.id.starts_with("malware."), "{}: that would refuse", rule.id);
    }
}

#[test]
fn no_rule_alone_condemns() {
    for rule in RULES.iter().filter(|rule| rule.id != "spam.gtube") {
        assert!(rule.weight > Points::ZERO && rule.weight <= Points::hundredths(350), "{}: {}", rule.id, rule.weight);
    }
}

#[test]
fn an_ordinary_message_hits_no_rule() {
    assert_eq!(hits(&mail("", "", TEXT)), BTreeSet::new());
}

#[test]
fn each_rule_has_a_message_that_hits_it() {
    let samples = samples();
    for rule in RULES {
        let sample = samples.iter().find(|(id, _)| *id == rule.id);
        let (_, raw) = sample.unwrap_or_else(|| panic!("no sample for {}", rule.id));
        let found = hits(raw);
        assert!(found.contains(rule.id), "{}: {found:?} of {}", rule.id, String::from_utf8_lossy(raw));
        assert!(found.len() <= 4, "{}: the sample hits too much to prove anything: {found:?}", rule.id);
    }
}

#[test]
fn honest_mail_that_looks_odd_hits_nothing_heavy() {
    let weight = |raw: &[u8]| -> Points {
        RULES.iter().filter(|rule| hits(raw).contains(rule.id)).map(|rule| rule.weight).sum()
    };
    let tracker = format!("{HTML}<p>Our news: <a href=https://click.mailer.net/1>www.example.com</a>");
    let list = format!("List-Id: <l.example.com>\r\nReply-To: ann@gmail.com\r\n{TEXT}");
    for raw in [mail("", "", &tracker), mail("To", "ann@example.com", &list), mail("Subject", "URGENT", TEXT)] {
        assert!(weight(&raw) < Points::hundredths(100), "{:?}", hits(&raw));
    }
}

#[test]
fn gtube_in_a_base64_part_is_refused_by_points() {
    let raw = mail(
        "",
        "",
        "Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n\
         WEpTKkM0SkRCUUFETjEuTlNCTjMqMklETkVOKkdUVUJFLVNUQU5EQVJELUFOVEktVUJFLVRFU1Qt\r\nRU1BSUwqQy4zNFg=\r\n",
    );
    assert!(hits(&raw).contains("spam.gtube"));
    let gtube = RULES.iter().find(|rule| rule.id == "spam.gtube").expect("the rule");
    assert_eq!(gtube.weight, Points::hundredths(100_000));
}

#[test]
fn a_site_changes_weights_and_leaves_rules_out() {
    let raw = mail("Date", "", "Content-Type: text/plain\r\n\r\nlook: https://bit.ly/abc\r\n");
    let message = parse(&raw, &Bounds::default());
    let (connection, sender) = (Connection::default(), ReversePath::Null);
    let facts = AtEnd {
        connection: &connection,
        sender: &sender,
        recipients: &[],
        direction: Direction::Inbound,
        message: &message,
        now: NOW,
    };
    let settings = Settings {
        classifier: Default::default(),
        overrides: [("link.shortened".to_owned(), Points::hundredths(700))].into(),
        disabled: ["header.date-missing".to_owned()].into(),
    };
    let found = judge(&settings, &facts);
    assert_eq!(
        found.iter().map(|f| (f.id.as_ref(), f.points.as_hundredths())).collect::<Vec<_>>(),
        [("link.shortened", 700)]
    );
}
