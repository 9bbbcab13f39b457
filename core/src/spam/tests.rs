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
    judge(&Settings::default(), &Facts::of(&facts)).into_iter().map(|f| f.id.into_owned()).collect()
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

#[test]
fn a_text_with_a_name_gets_the_points_of_a_text() {
    for (content, body) in [
        ("text/plain; charset=utf-8", ""),
        ("text/plain; charset=utf-8", "Look: http://only.example.com/x\r\n"),
        ("text/plain; charset=utf-8", "Hello Bob,\r\nhere they are, as we said last week.\r\n"),
        ("text/html; charset=utf-8", "<p>Hello Bob, here they are, as we said last week.</p>\r\n"),
    ] {
        let of = |more: &str| hits(&mail("", "", &format!("Content-Type: {content}{more}\r\n\r\n{body}")));
        let name = if content.contains("html") { "message.html" } else { "ATT00001.txt" };
        assert_eq!(of(&format!("; name=\"{name}\"")), of(""), "{content}: {body}");
    }
}

#[test]
fn ids_are_sorted_and_each_rule_is_explained() {
    assert!(RULES.windows(2).all(|pair| pair[0].id < pair[1].id));
    for rule in RULES.iter() {
        assert!(rule.about.ends_with('.') && rule.about.len() > 15, "{}: {:?}", rule.id, rule.about);
        assert!(!rule.source.is_empty(), "{}", rule.id);
        assert!(rule.id.split('.').count() == 2 && rule.id.to_lowercase() == rule.id, "{}", rule.id);
        assert!(!rule.id.starts_with("malware."), "{}: that would refuse", rule.id);
    }
}

#[test]
fn no_rule_alone_condemns() {
    for rule in RULES.iter().filter(|rule| rule.id != "spam.gtube") {
        if rule.id.starts_with("graymail.") {
            assert_eq!(rule.weight, Points::ZERO, "{}", rule.id);
            continue;
        }
        assert!(rule.weight > Points::ZERO && rule.weight <= Points::hundredths(300), "{}: {}", rule.id, rule.weight);
    }
}

#[test]
fn an_ordinary_message_hits_no_rule() {
    assert_eq!(hits(&mail("", "", TEXT)), BTreeSet::new());
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
    let raw = mail(
        "Date",
        "",
        "Content-Type: text/plain\r\n\r\nHello Bob, this is the shop of last week: https://bit.ly/abc\r\n",
    );
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
        spamassassin: super::spamassassin::Settings::default(),
        classifier: Default::default(),
        overrides: [("link.shortened".to_owned(), Points::hundredths(700))].into(),
        disabled: ["header.date-missing".to_owned()].into(),
    };
    let found = judge(&settings, &Facts::of(&facts));
    assert_eq!(
        found.iter().map(|f| (f.id.as_ref(), f.points.as_hundredths())).collect::<Vec<_>>(),
        [("link.shortened", 700)]
    );
}

#[test]
fn no_language_gives_points() {
    for (subject, text) in [
        ("会議の議事録", "ボブさん、火曜日の会議の議事録をお送りします。ご確認ください。"),
        ("会议记录", "鲍勃，您好！附上周二会议的记录，请查收。谢谢！"),
        ("회의록", "밥 님, 화요일 회의록을 보내드립니다. 확인 부탁드립니다."),
        ("Протокол встречи", "Здравствуйте, Боб! Вот протокол встречи во вторник, PDF-файл готов, Wi-Fi работает."),
        ("محضر الاجتماع", "مرحبا بوب، إليك محضر اجتماع يوم الثلاثاء. مع التحية، آن"),
        ("פרוטוקול הישיבה", "שלום בוב, הנה הפרוטוקול של הישיבה מיום שלישי. אן"),
        ("बैठक का विवरण", "नमस्ते बॉब, मंगलवार की बैठक का विवरण यहाँ है। क्ष त्र ज्ञ धन्यवाद।"),
        ("รายงานการประชุม", "สวัสดีบ๊อบ นี่คือรายงานการประชุมวันอังคาร ขอบคุณ"),
        ("Πρακτικά της συνάντησης", "Γεια σου Μπομπ, να τα πρακτικά της Τρίτης. Άννα"),
        ("Biên bản cuộc họp", "Chào Bob, đây là biên bản cuộc họp hôm thứ Ba. Cảm ơn!"),
        ("Größe der Räume", "Lieber Bob, hier ist das Protokoll vom Dienstag. Viele Grüße, Ann"),
    ] {
        let plain = mail("Subject", subject, &format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"));
        assert_eq!(hits(&plain), BTreeSet::new(), "{subject}");
        let html = mail("Subject", subject, &format!("{HTML}<p dir=auto>{text}</p>"));
        assert_eq!(hits(&html), BTreeSet::from(["html.only".to_owned()]), "{subject}");
    }
}

#[test]
fn hostile_text_is_judged_in_bounds() {
    for text in ["a.".repeat(300_000), "$1 ".repeat(200_000), "@".repeat(500_000), "million dollars ".repeat(50_000)] {
        hits(&mail("Subject", &text, &format!("Content-Type: text/plain\r\n\r\n{text}\r\n")));
        hits(&mail(
            "From",
            &format!("{text} <ann@example.com>"),
            &format!("{HTML}<a href=\"http://x#{text}\">{text}</a>"),
        ));
    }
}
