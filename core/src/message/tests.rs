use super::*;

fn read(raw: &[u8]) -> Message<'_> {
    parse(raw, &Bounds::default())
}

const MIXED: &[u8] = b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.com>\r\nTo: a@x.test, \"B\" <b@x.test>\r\n\
Subject: =?utf-8?b?SGVsbG8=?=\r\n world\r\nDate: Sat, 20 Nov 2021 14:22:01 -0800\r\nMessage-ID: <1@example.com>\r\n\
List-Id: Our list <News.example.com>\r\nX-Twice: 1\r\nx-twice: 2\r\nMIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=o\r\n\r\n\
--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n\
--i\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
caf=E9 http://one.example/x, end\r\n--i\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
<p>coffee <a href=\"http://two.example\">here</a></p>\r\n--i--\r\n\
--o\r\nContent-Type: application/pdf; name=\"=?utf-8?q?inv=C3=B6ice=2Epdf?=\"\r\nContent-Transfer-Encoding: base64\r\n\
Content-Disposition: attachment; filename=\"invoice.pdf.exe\"\r\n\r\nTVqQAAMA\r\n--o--\r\n";

const ALL: Wanted = Wanted { texts: true, link_hosts: true, charsets: true, script: true, language: true };

#[test]
fn a_tag_with_attributes_without_end_does_not_overflow_the_stack() {
    for attribute in ["a=\"b\" ", "a=\"b\"", "a='b' ", "a=b ", "a "] {
        let html = format!("<p {}>seen", attribute.repeat(250_000));
        let raw = format!("MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n{html}\r\n");
        let message = parse(raw.as_bytes(), &Bounds::default());
        assert!(message.html.present, "{attribute}");
    }
}

#[test]
fn a_message_is_taken_apart() {
    let message = read(MIXED);
    assert_eq!(message.from, [Mailbox { name: "J\u{fc}rgen".into(), address: "j@example.com".into() }]);
    assert_eq!(message.to.iter().map(|m| m.address.as_str()).collect::<Vec<_>>(), ["a@x.test", "b@x.test"]);
    assert_eq!(message.subject, "Hello world");
    assert_eq!(message.date, Some(1_637_446_921));
    assert_eq!(message.message_id().as_deref(), Some("<1@example.com>"));
    assert_eq!(message.list_id().as_deref(), Some("news.example.com"));
    let paths: Vec<_> = message.parts.iter().map(|p| (p.path.as_str(), p.content_type.as_str())).collect();
    assert_eq!(paths, [("1.1", "text/plain"), ("1.2", "text/html"), ("2", "application/pdf")]);
    assert_eq!(message.text.plain.trim(), "caf\u{e9} http://one.example/x, end");
    assert_eq!(message.text.shown.trim(), "coffee here");
    let urls: Vec<_> = message.links.iter().map(|l| l.url.as_str()).collect();
    assert_eq!(urls, ["http://one.example/x", "http://two.example/"]);
    assert!(message.damage.is_empty(), "{:?}", message.damage);
}

#[test]
fn headers_keep_their_order_and_occurrence() {
    let message = read(MIXED);
    let twice: Vec<_> = message.headers.all("X-TWICE").map(|(n, h)| (n, h.value)).collect();
    assert_eq!(twice, [(1, &b" 1"[..]), (2, b" 2")]);
    assert_eq!(message.headers.first("subject").map(|h| h.value), Some(&b" =?utf-8?b?SGVsbG8=?=\r\n world"[..]));
}

#[test]
fn an_attachment_is_known_by_its_content() {
    let message = read(MIXED);
    let [file] = message.attachments.as_slice() else { panic!("{:?}", message.attachments) };
    assert_eq!((file.name.as_str(), file.kind), ("invoice.pdf.exe", FileKind::Exe));
    assert!(file.executable && file.double_extension && !file.macros && !file.encrypted);
    let facts = facts(&message, ALL);
    assert_eq!(facts.from, ["j@example.com"]);
    assert_eq!(facts.attachments[0].kind, "exe");
    assert_eq!(facts.attachments[0].size, 6);
    assert_eq!(facts.texts.iter().map(|t| t.trim()).collect::<Vec<_>>(), [message.text.plain.trim(), "coffee here"]);
    assert_eq!(facts.link_hosts.iter().collect::<Vec<_>>(), ["one.example", "two.example"]);
    assert_eq!(facts.charsets.iter().collect::<Vec<_>>(), ["iso-8859-1", "utf-8"]);
    assert_eq!(facts.script, None, "few letters");
    let json = serde_json::to_string(&facts).expect("json");
    assert_eq!(serde_json::from_str::<MessageFacts>(&json).expect("facts"), facts);
}

#[test]
fn a_file_that_is_declared_as_text_is_shown_and_is_a_file() {
    let first = |fields: &str, content: &str| {
        format!(
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n{fields}\r\n\r\n{content}\r\n\
             --o\r\nContent-Type: text/plain\r\n\r\nwords\r\n--o--\r\n"
        )
    };
    let base64 = "Content-Transfer-Encoding: base64";
    for (raw, name) in [
        (first("Content-Type: text/plain; name=\"run.vbs\"", "MsgBox 1"), "run.vbs"),
        (first("Content-Type: text/html\r\nContent-Disposition: inline; filename=run.hta", "<p>x"), "run.hta"),
        (
            first(
                &format!("Content-Type: text/plain\r\nContent-Disposition: inline; filename=evil.exe\r\n{base64}"),
                "TVqQAAMAAAAEAAAA",
            ),
            "evil.exe",
        ),
        (first(&format!("Content-Type: text/plain\r\n{base64}"), "TVqQAAMAAAAEAAAA"), ""),
        ("MIME-Version: 1.0\r\nContent-Type: text/plain; name=evil.vbs\r\n\r\nMsgBox 1\r\n".to_owned(), "evil.vbs"),
    ] {
        let message = read(raw.as_bytes());
        let [file] = message.attachments.as_slice() else { panic!("{raw}: {:?}", message.attachments) };
        assert_eq!((file.part, file.name.as_str(), file.executable), (0, name, true), "{raw}");
        assert!(
            message.parts[0].is_body && !message.text.visible().trim().is_empty(),
            "{raw}: its words are judged too"
        );
    }
    for raw in [
        "Subject: x\r\n\r\nMZ, see you at %PDF- and BZh.\r\n",
        "Subject: x\r\n\r\n#!/bin/sh\r\n",
        "Subject: x\r\n\r\n",
        "Content-Type: text/html\r\n\r\n<svg><p>x\r\n",
        "Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\nTQBaAA==\r\n",
    ] {
        assert_eq!(read(raw.as_bytes()).attachments, [], "{raw}");
    }
}

#[test]
fn a_known_digest_is_given_in_hexadecimal() {
    let raw = b"Content-Type: application/x\r\nContent-Disposition: attachment\r\n\r\nabc";
    assert_eq!(read(raw).attachments[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn damage_is_named() {
    for (raw, damage) in [
        (
            &b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nno boundary\r\n"[..],
            Damage::MissingBoundary,
        ),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n", Damage::Unterminated),
        (b"Subject: x\r\nthis is no header\r\n\r\nbody", Damage::HeaderGarbage),
        (b"Subject: x\r\n\r\nnul\0here\r\n", Damage::Nul),
        (b"Subject: x\r\n\r\nbare\rcr\r\n", Damage::BareCr),
        (b"Subject: x\r\n\r\nbare\nlf\r\n", Damage::BareLf),
        (b"Subject: caf\xe9\r\n\r\nx\r\n", Damage::EightBitHeader),
        (b"Subject: x\r\nContent-Transfer-Encoding: x-zip\r\n\r\nx\r\n", Damage::UnknownEncoding),
        (b"Content-Transfer-Encoding: base64\r\n\r\n####!!!!\r\n", Damage::BadEncoding),
        (b"Content-Type: text/plain; charset=klingon\r\n\r\nx\r\n", Damage::BadCharset),
        (b"no header at all", Damage::NoBlankLine),
    ] {
        let found = read(raw).damage;
        assert!(found.contains(&damage), "{damage:?} of {:?}: {found:?}", String::from_utf8_lossy(raw));
    }
}

#[test]
fn nested_containers_stay_in_bounds() {
    let mut raw = Vec::new();
    for _ in 0..100_000 {
        raw.extend_from_slice(b"Content-Type: message/rfc822\r\n\r\n");
    }
    let message = read(&raw);
    assert!(message.parts.len() <= 2);
    assert!(message.damage.contains(&Damage::NestingLimit), "{:?}", message.damage);
}

#[test]
fn a_million_headers_stay_in_bounds() {
    let mut raw = b"X: y\r\n".repeat(1_000_000);
    raw.extend_from_slice(b"\r\nbody");
    let message = read(&raw);
    assert_eq!(message.headers.len(), Bounds::default().headers);
    assert!(message.damage.contains(&Damage::HeaderLimit));
}

#[test]
fn a_hundred_thousand_parts_stay_in_bounds() {
    let mut raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
    for _ in 0..100_000 {
        raw.extend_from_slice(b"--b\r\n\r\nx\r\n");
    }
    let message = read(&raw);
    assert!(message.parts.len() <= Bounds::default().parts);
    assert!(message.damage.contains(&Damage::PartLimit), "{:?}", message.damage);
}

#[test]
fn boundaries_that_never_come_stay_linear() {
    let mut raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
    for i in 0..40_000 {
        raw.extend_from_slice(format!("--b\r\nContent-Type: multipart/mixed; boundary=never{i}\r\n\r\n").as_bytes());
    }
    assert!(read(&raw).parts.len() <= Bounds::default().parts);
}

#[test]
fn one_line_of_ten_megabytes_stays_in_bounds() {
    for filler in [&b"a"[..], b"http://a.", b"=?utf-8?q?a?=", b"<", b"www.", b"a@"] {
        let line = filler.repeat(10_000_000 / filler.len());
        for head in
            ["Subject: x\r\n\r\n", "Content-Type: text/html\r\n\r\n", "Subject: ", "From: ", "Content-Type: ", ""]
        {
            let message = parse(&[head.as_bytes(), &line].concat(), &Bounds::default()).text;
            assert!(message.plain.len() + message.shown.len() <= 2 * Bounds::default().text_bytes);
        }
    }
}

#[test]
fn decoded_bytes_stop_at_the_bound() {
    let bounds = Bounds { decoded_bytes: 30, ..Bounds::default() };
    let raw = [b"Content-Transfer-Encoding: base64\r\n\r\n".as_slice(), &b"QUJD".repeat(100)].concat();
    let message = parse(&raw, &bounds);
    assert_eq!(message.parts[0].content.len(), 30);
    assert!(message.parts[0].cut && message.damage.contains(&Damage::DecodedLimit));
}

#[test]
fn the_text_of_an_attached_message_is_not_the_text_of_the_message() {
    let raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nouter\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
Subject: inner\r\n\r\ninner text\r\n--b--\r\n";
    let message = read(raw);
    assert_eq!(message.text.plain.trim(), "outer");
    assert_eq!(message.parts.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), ["1", "2.1"]);
}

/// Deterministic random numbers (xorshift64, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

#[test]
fn random_damage_never_panics() {
    let html = b"From: a@b\r\nContent-Type: text/html\r\n\r\n<a href='http://x.y'>t</a><div style='color:#fff;background:white'>&amp;\r\n";
    let zip = [
        b"Content-Type: application/zip; name=a.zip\r\n\r\n".as_slice(),
        &archive::tests::zip_of(&["a.exe", "[Content_Types].xml"], 1),
    ]
    .concat();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for seed in [MIXED, html, &zip] {
        for _ in 0..3_000 {
            let mut raw = seed.to_vec();
            for _ in 0..=random.below(8) {
                let at = random.below(raw.len());
                match random.below(5) {
                    0 => raw[at] = random.below(256) as u8,
                    1 => raw.truncate(at.max(1)),
                    2 => drop(raw.drain(at..(at + random.below(40)).min(raw.len()))),
                    3 => {
                        let end = (at + random.below(60)).min(raw.len());
                        let copy = raw[at..end].to_vec();
                        raw.splice(at..at, copy);
                    }
                    _ => raw[at] ^= 1 << random.below(8),
                }
                if raw.is_empty() {
                    break;
                }
            }
            let message = read(&raw);
            let _ = facts(&message, ALL);
        }
    }
}
