use super::*;

const BANNER: &str = "From outside: be careful with <links> & files.";

fn banner() -> Changes {
    Changes { banner: Some(BANNER.to_owned()), ..Changes::default() }
}

fn rewritten(raw: &str) -> Result<Rewritten, &'static str> {
    rewrite(raw.as_bytes(), &Bounds::default(), &banner())
}

fn whole(raw: &str) -> String {
    whole_with(raw, &banner())
}

/// The message as it leaves: its header with the changes, and the new body.
fn whole_with(raw: &str, changes: &Changes) -> String {
    let new = rewrite(raw.as_bytes(), &Bounds::default(), changes).unwrap_or_else(|why| panic!("{why}"));
    String::from_utf8(joined(raw.as_bytes(), &new)).expect("all of it is ASCII here")
}

/// Header and body put together, as a mail server does it.
fn joined(raw: &[u8], new: &Rewritten) -> Vec<u8> {
    let header = MessageParser::new().parse(raw).expect("it was read").root_part().offset_body() as usize;
    let (mut whole, mut replaced) = (Vec::new(), false);
    for line in raw[..header].split_inclusive(|&b| b == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        if !matches!(line[0], b' ' | b'\t') {
            let start = String::from_utf8_lossy(line).to_lowercase();
            replaced = new.fields.iter().any(|field| start.starts_with(&field.name.to_lowercase()));
        }
        if !replaced {
            whole.extend(line);
        }
    }
    for field in &new.fields {
        whole.extend(format!("{}: {}\r\n", field.name, field.value.replace('\n', "\r\n")).bytes());
    }
    whole.extend(b"\r\n");
    whole.extend(&new.body);
    whole
}

/// What a mail program shows: each text, and the names of the files.
fn shown(whole: &str) -> (Vec<String>, Vec<String>) {
    let parsed = MessageParser::new().parse(whole.as_bytes()).expect("a message");
    assert!(parsed.parts().all(|part| part.flags().is_empty()), "{whole}");
    let texts = parsed.parts().filter(|part| part.is_text() && !part.is_attachment());
    let texts = texts.map(|part| part.text().expect("text").into_owned()).collect();
    let names = parsed.parts().filter_map(|part| part.attachment_name().map(str::to_owned)).collect();
    (texts, names)
}

#[test]
fn a_bare_text_becomes_one_with_a_type() {
    let raw = "From: a@x.test\r\nSubject: x\r\n\r\nGood day.\r\n";
    let new = rewritten(raw).expect("a banner");
    let told: Vec<_> = new.fields.iter().map(|f| (f.name, f.value.as_str(), f.is_there)).collect();
    assert_eq!(
        told,
        [
            ("Content-Type", "text/plain; charset=utf-8", false),
            ("Content-Transfer-Encoding", "quoted-printable", false),
            ("MIME-Version", "1.0", false),
        ]
    );
    assert_eq!(shown(&whole(raw)).0, [format!("{BANNER}\r\n\r\nGood day.\r\n")]);
}

#[test]
fn other_charsets_and_encodings_are_written_anew_and_parameters_stay() {
    let raw = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-2022-jp; format=flowed\r\n\
               Content-Transfer-Encoding: 7bit\r\n\r\n\x1b$B$3$s$K$A$O\x1b(B = \r\n";
    let out = whole(raw);
    assert!(out.contains("Content-Type: text/plain; charset=utf-8;\r\n format=\"flowed\"\r\n"), "{out}");
    assert_eq!(shown(&out).0, [format!("{BANNER}\r\n\r\nこんにちは = \r\n")]);
    let base64 = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                  Content-Transfer-Encoding: base64\r\n\r\nZ3LDvMOfZSDigqw=\r\n";
    assert_eq!(shown(&whole(base64)).0, [format!("{BANNER}\r\n\r\ngrüße €")]);
}

const MIXED: &str = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\npreamble\r\n--o\r\n\
    Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\nContent-Type: text/plain\r\nX-Own: kept\r\n\r\nplain\r\n\
    --i\r\nContent-Type: text/html; charset=us-ascii\r\n\r\n<!-- <body> --><html><body class=\"a>b\"><p>html</p></body>\r\n--i--\r\n\
    --o\r\nContent-Type: text/plain; name=a.txt\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nfile\r\n\
    --o\r\nContent-Type: application/zip; name=b.zip\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsDBA==\r\n--o--\r\nepilogue\r\n";

#[test]
fn both_alternatives_get_it_and_nothing_else_changes() {
    let new = rewritten(MIXED).expect("a banner");
    assert_eq!(new.fields, []);
    let (texts, names) = shown(&whole(MIXED));
    assert_eq!(texts[0], format!("{BANNER}\r\n\r\nplain"));
    let html = texts[1].split_once("<body class=\"a>b\"><div style=\"").expect("behind the start of the body").1;
    assert!(html.contains("\">From outside: be careful with &lt;links&gt; &amp; files.</div><p>html"), "{html}");
    assert_eq!(names, ["a.txt", "b.zip"]);
    let body = String::from_utf8(new.body).expect("ASCII");
    assert!(body.starts_with("preamble\r\n--o\r\n") && body.contains("X-Own: kept\r\n"), "{body}");
    let end = MIXED.find("--i--").expect("the end of the alternatives");
    assert!(body.ends_with(&MIXED[end..]), "{body}");
}

#[test]
fn html_gets_it_before_all_that_is_shown_wherever_a_body_tag_hides() {
    let placed = |html: &str| {
        let text = shown(&whole(&format!("MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n{html}"))).0.remove(0);
        let (before, rest) = text.split_once("<div style=\"all:initial").expect("a banner");
        let (_, behind) = rest.split_once("files.</div>").expect("the end of the banner");
        format!("{before}|{behind}")
    };
    let head = "<!DOCTYPE html><html><head><title>a <body> b</title><script>'<body>'</script></head>";
    assert_eq!(placed(&format!("{head}<body class=\"a>b\"><p>x")), format!("{head}<body class=\"a>b\">|<p>x"));
    assert_eq!(placed(&format!("{head}<p>x<body>y")), format!("{head}|<p>x<body>y"));
    for hidden in
        ["<div style=\"display:none\"><body></div>x", "<template><body></template>x", "x<body>y", "</p><body>x"]
    {
        assert_eq!(placed(hidden), format!("|{hidden}"));
    }
    assert_eq!(placed("<!-- <body> --><body>x"), "<!-- <body> --><body>|x");
    assert_eq!(placed("<meta charset=iso-8859-1><body>x"), "<meta charset=utf-8><body>|x");
}

#[test]
fn the_delimiter_behind_an_empty_part_stays_at_the_start_of_a_line() {
    let raw = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: text/html\r\n\r\n\
               --o\r\nContent-Type: application/zip; name=b.zip\r\n\r\nPK\r\n--o--\r\n";
    let out = whole(raw);
    assert!(out.contains("\r\n--o\r\nContent-Type: application/zip"), "{out}");
    assert_eq!(shown(&out).1, ["b.zip"]);
}

#[test]
fn no_line_of_the_new_text_looks_like_a_delimiter() {
    let long = format!("{}--o--o--o--o--o", "x".repeat(69));
    for text in ["a\r--o", long.as_str()] {
        let raw = format!(
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: text/plain\r\n\r\n\
             {text}\r\n--o\r\nContent-Type: application/zip; name=b.zip\r\n\r\nPK\r\n--o--\r\n"
        );
        let out = whole(&raw);
        let (texts, names) = shown(&out);
        assert_eq!(texts, [format!("{BANNER}\r\n\r\n{}", text.replace('\r', "\r\n"))], "{out}");
        assert_eq!(names, ["b.zip"]);
    }
}

#[test]
fn every_alternative_gets_it_once() {
    let part = |kind: &str, text: &str| format!("--i\r\nContent-Type: text/{kind}\r\n\r\n{text}\r\n");
    let raw = format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n{}{}{}--i--\r\n",
        part("plain", "one"),
        part("html", "<p>decoy"),
        part("html", "<p>shown")
    );
    let texts = shown(&whole(&raw)).0;
    assert!(texts.len() == 3 && texts.iter().all(|text| text.matches("From outside").count() == 1), "{texts:?}");
}

#[test]
fn a_body_ends_its_last_line() {
    let raw = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8=";
    let new = rewritten(raw).expect("a banner");
    assert!(new.body.ends_with(b"Hello=\r\n"), "{:?}", String::from_utf8_lossy(&new.body));
    assert_eq!(shown(&whole(raw)).0, [format!("{BANNER}\r\n\r\nHello")]);
}

#[test]
fn what_is_sealed_or_unclear_is_left_alone() {
    let of = |header: &str, body: &str| {
        rewritten(&format!("MIME-Version: 1.0\r\n{header}\r\n\r\n{body}\r\n")).expect_err("left alone")
    };
    let multipart = |kind: &str| {
        of(
            &format!("Content-Type: multipart/{kind}; boundary=b"),
            "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\ny\r\n--b--",
        )
    };
    assert_eq!(multipart("signed"), "it is signed");
    assert_eq!(multipart("encrypted"), "it is signed or encrypted");
    assert_eq!(of("Content-Type: application/pkcs7-mime", "x"), "it is signed or encrypted");
    assert_eq!(of("Content-Type: text/plain", "-----BEGIN PGP MESSAGE-----"), "it is signed or encrypted");
    assert_eq!(of("Content-Type: application/zip", "PK"), "it has no text");
    assert_eq!(of("Content-Type: text/plain; charset=klingon", "x"), "its characters cannot be read with certainty");
    // Labels that lie: a reader may guess better than we.
    for label in ["us-ascii", "iso-8859-1"] {
        let header = format!("Content-Type: text/plain; charset={label}");
        assert_eq!(of(&header, "Gr\u{fc}\u{df}e"), "its characters cannot be read with certainty");
    }
    assert_eq!(of("X: y", "\u{1b}$B$3$s\u{1b}(B"), "its characters cannot be read with certainty");
    assert_eq!(of("Content-Type: text/plain; name=orders.csv", "1;2"), "it has no text");
    let blank = "  \r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello\r\n";
    assert_eq!(rewritten(blank), Err("it is not clear where its header ends"));
    let cyrillic = "\u{434}".repeat(600_000);
    assert_eq!(of("Content-Type: text/plain; charset=utf-8", &cyrillic), "it would become too large");
    assert_eq!(of("Content-Type: text/plain\r\nContent-Type: text/html", "x"), "its structure is damaged");
    assert_eq!(of("Content-Type: multipart/mixed; boundary=b", "--b\r\n\r\nx"), "its structure is damaged");
}

#[test]
fn a_second_text_that_is_no_alternative_stays() {
    let raw = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
               one\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>two</p>\r\n--b--\r\n";
    assert_eq!(shown(&whole(raw)).0, [format!("{BANNER}\r\n\r\none"), "<p>two</p>".to_owned()]);
}

/// The decoded content of everything but the texts that are written anew.
fn rest(raw: &[u8]) -> Option<Vec<Vec<u8>>> {
    let parsed = MessageParser::new().parse(raw)?;
    let leaves = parsed.parts().filter(|part| !part.is_multipart() && part.message().container().is_none());
    Some(leaves.map(|part| part.decoded().into_owned()).collect())
}

/// Messages with wrong bytes, cut and doubled pieces: where there are new words or notes, nothing else is lost or moved.
#[test]
fn whatever_the_bytes_are_the_rest_stays() {
    let mut state = 0x9e37_79b9_7f4a_7c17_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let pieces = [
        "\r\n",
        "\r\n--i\r\n",
        "--o",
        "--i--",
        "\n",
        "\r",
        "Content-Type: text/html\r\n",
        "<body>",
        "=",
        "\u{fc}",
        "\0",
    ];
    let (mut with_words, mut with_notes) = (0, 0);
    for _ in 0..10_000 {
        let mut raw = MIXED.as_bytes().to_vec();
        for _ in 0..=random(3) {
            let at = random(raw.len());
            match random(3) {
                0 => raw[at] = random(256) as u8,
                1 => drop(raw.splice(at..at, pieces[random(pieces.len())].bytes())),
                _ => drop(raw.drain(at..raw.len().min(at + 1 + random(40)))),
            }
        }
        with_notes += usize::from(notes_replace_only_files(&raw));
        let changes = if random(2) == 0 { banner() } else { disclaimer() };
        let Ok(new) = rewrite(&raw, &Bounds::default(), &changes) else { continue };
        with_words += 1;
        let whole = joined(&raw, &new);
        let (before, after) = (rest(&raw).expect("read"), rest(&whole).expect("read"));
        let said = || told(&raw, &whole);
        assert_eq!(before.len(), after.len(), "{}", said());
        assert_eq!(flags(&whole), [""; 0], "{}", said());
        let changed: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
        assert!((1..=5).contains(&changed.len()), "{} parts changed: {}", changed.len(), said());
        for (before, after) in changed {
            let end = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
            let (before, after) = (end(before), end(after));
            let same = |a: &mut dyn Iterator<Item = char>, b: &mut dyn Iterator<Item = char>| {
                a.zip(b).take_while(|(a, b)| a == b).count()
            };
            let first = same(&mut before.chars(), &mut after.chars());
            let last = same(&mut before.chars().rev(), &mut after.chars().rev());
            assert!(first + last >= before.chars().count() && after.len() > before.len(), "{}", said());
        }
    }
    assert!(with_words > 1_000 && with_notes > 1_000, "{with_words}, {with_notes}");
}

fn told(raw: &[u8], whole: &[u8]) -> String {
    format!("{}\n->\n{}", String::from_utf8_lossy(raw), String::from_utf8_lossy(whole))
}

fn flags(raw: &[u8]) -> Vec<&'static str> {
    let parsed = MessageParser::new().parse(raw).expect("read");
    parsed.parts().flat_map(|part| part.flags().names().collect::<Vec<_>>()).collect()
}

/// Whether notes stand in place of all files; if so, every other part is as it was.
fn notes_replace_only_files(raw: &[u8]) -> bool {
    let message = crate::message::parse(raw, &Bounds::default());
    let notices: BTreeMap<usize, String> = message.attachments.iter().map(|a| (a.part, "--o Gone.\n".into())).collect();
    if notices.is_empty() {
        return false;
    }
    let changes = Changes { notices, ..Changes::default() };
    let Ok(new) = rewrite(raw, &Bounds::default(), &changes) else { return false };
    let whole = joined(raw, &new);
    assert_eq!(flags(&whole), [""; 0], "{}", told(raw, &whole));
    let after = crate::message::parse(&whole, &Bounds::default());
    assert_eq!(message.parts.len(), after.parts.len(), "{}", told(raw, &whole));
    for (place, (before, after)) in message.parts.iter().zip(&after.parts).enumerate() {
        let expected = if changes.notices.contains_key(&place) { &b"--o Gone."[..] } else { &before.content };
        let got = if changes.notices.contains_key(&place) { after.content.trim_ascii_end() } else { &after.content };
        assert_eq!(expected, got, "part {place}: {}", told(raw, &whole));
    }
    true
}

/// The places of all files of a message.
fn notices(raw: &str, notice: &str) -> Changes {
    let message = crate::message::parse(raw.as_bytes(), &Bounds::default());
    Changes {
        notices: message.attachments.iter().map(|file| (file.part, notice.to_owned())).collect(),
        ..Changes::default()
    }
}

fn disclaimer() -> Changes {
    Changes { disclaimer: Some("Confidential & <ours>.".to_owned()), ..Changes::default() }
}

#[test]
fn a_disclaimer_stands_behind_the_text_in_every_alternative() {
    let (texts, names) = shown(&whole_with(MIXED, &disclaimer()));
    assert_eq!(texts[0], "plain\r\n\r\nConfidential & <ours>.");
    let html =
        texts[1].strip_prefix("<!-- <body> --><html><body class=\"a>b\"><p>html</p><div style=\"").expect("behind");
    assert!(html.ends_with("\">Confidential &amp; &lt;ours&gt;.</div></body>"), "{html}");
    assert_eq!(names, ["a.txt", "b.zip"]);
    let bare = "From: a@x.test\r\n\r\nGood day.\r\n";
    assert_eq!(shown(&whole_with(bare, &disclaimer())).0, ["Good day.\r\n\r\nConfidential & <ours>.\r\n"]);
    let both = Changes { banner: Some(BANNER.to_owned()), ..disclaimer() };
    assert_eq!(shown(&whole_with(MIXED, &both)).0[0], format!("{BANNER}\r\n\r\nplain\r\n\r\nConfidential & <ours>."));
    let new = rewrite(MIXED.as_bytes(), &Bounds::default(), &both).expect("both");
    assert_eq!((new.with, new.without_texts), (vec!["banner", "disclaimer"], None));
}

#[test]
fn a_disclaimer_stands_where_a_browser_shows_it_or_nowhere() {
    let placed = |html: &str| {
        let raw = format!("MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n{html}");
        rewrite(raw.as_bytes(), &Bounds::default(), &disclaimer())?;
        let text = shown(&whole_with(&raw, &disclaimer())).0.remove(0);
        let (before, rest) = text.split_once("<div style=\"all:initial").expect("a disclaimer");
        Ok(format!("{before}|{}", rest.split_once("</div>").expect("its end").1))
    };
    assert_eq!(placed("<p>x"), Ok("<p>x|".to_owned()));
    assert_eq!(placed("<body><p>x</body></html>"), Ok("<body><p>x|</body></html>".to_owned()));
    assert_eq!(placed("<p>x</html>"), Ok("<p>x|</html>".to_owned()));
    assert_eq!(placed("a</body>b</body>c<!-- </body> -->"), Ok("a</body>b|</body>c<!-- </body> -->".to_owned()));
    for open in ["x<!-- never closed", "x<script>1", "x<a href=\"y", "<title>x", "x<textarea>", "x<style>y </body>"] {
        assert_eq!(placed(open), Err("the end of its HTML is not clear"), "{open}");
    }
}

#[test]
fn notes_stand_in_place_of_files_and_all_else_stays() {
    let changes = Changes { banner: Some(BANNER.to_owned()), ..notices(MIXED, "Gone.\n") };
    let new = rewrite(MIXED.as_bytes(), &Bounds::default(), &changes).expect("notes");
    assert_eq!((new.with.join(", ").as_str(), new.fields.len()), ("banner, notice", 0));
    let out = whole_with(MIXED, &changes);
    assert!(!out.contains("UEsDBA") && !out.contains("filename") && !out.contains("a.txt"), "{out}");
    let (texts, names) = shown(&out);
    assert_eq!((texts.len(), names.len()), (4, 0));
    assert_eq!(
        (texts[0].as_str(), &texts[2..]),
        (&*format!("{BANNER}\r\n\r\nplain"), &["Gone.\r\n".to_owned(), "Gone.\r\n".to_owned()][..])
    );
    assert!(out.contains("X-Own: kept\r\n") && out.ends_with("--o--\r\nepilogue\r\n"), "{out}");
}

#[test]
fn a_file_that_is_declared_as_text_becomes_a_note_and_the_banner_stands_elsewhere() {
    let base64 = "Content-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAAEAAAA";
    for file in [
        format!("Content-Type: text/plain\r\n{base64}"),
        format!("Content-Type: text/plain\r\nContent-Disposition: inline; filename=evil.exe\r\n{base64}"),
        "Content-Type: text/html; name=run.hta\r\n\r\n<script>run()</script>".to_owned(),
    ] {
        let raw = format!(
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n{file}\r\n\
             --o\r\nContent-Type: text/plain\r\n\r\nwords\r\n--o--\r\n"
        );
        let changes = Changes { banner: Some(BANNER.to_owned()), ..notices(&raw, "Gone.\n") };
        let (texts, names) = shown(&whole_with(&raw, &changes));
        assert_eq!(texts, ["Gone.\r\n".to_owned(), format!("{BANNER}\r\n\r\nwords")], "{raw}");
        assert_eq!(names, [""; 0]);
    }
    let alone = format!("MIME-Version: 1.0\r\nContent-Type: text/plain\r\n{base64}\r\n");
    let changes = Changes { banner: Some(BANNER.to_owned()), ..notices(&alone, "Gone.\n") };
    let new = rewrite(alone.as_bytes(), &Bounds::default(), &changes).expect("a note");
    assert_eq!((new.with, new.without_texts), (vec!["notice"], Some("it has no text")));
}

#[test]
fn a_message_that_is_one_file_becomes_a_note() {
    let raw = "From: a@x.test\r\nMIME-Version: 1.0\r\nContent-Type: application/zip;\r\n name=b.zip\r\n\
               Content-Disposition: attachment; filename=b.zip\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsDBA==\r\n";
    let new = rewrite(raw.as_bytes(), &Bounds::default(), &notices(raw, "Gone.\n")).expect("a note");
    let told: Vec<_> = new.fields.iter().map(|field| (field.name, field.value.as_str(), field.is_there)).collect();
    assert_eq!(
        told,
        [
            ("Content-Type", "text/plain; charset=utf-8", true),
            ("Content-Transfer-Encoding", "quoted-printable", true),
            ("Content-Disposition", "inline", true),
        ]
    );
    assert_eq!(shown(&whole_with(raw, &notices(raw, "Gone.\n"))), (vec!["Gone.\r\n".to_owned()], Vec::new()));
    // There is no text that a banner could stand before; the file goes all the same.
    let changes = Changes { banner: Some(BANNER.to_owned()), ..notices(raw, "Gone.\n") };
    let new = rewrite(raw.as_bytes(), &Bounds::default(), &changes).expect("a note");
    assert_eq!((new.with, new.without_texts), (vec!["notice"], Some("it has no text")));
}

/// A mail that was forwarded as an attachment, with a file in it.
fn forwarded(encoding: &str, inner: &str) -> String {
    format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: text/plain\r\n\r\nSee this.\r\n\
         --o\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{inner}\r\n--o--\r\n"
    )
}

#[test]
fn files_inside_a_forwarded_message_go_and_its_header_stays() {
    let inner = "From: b@x.test\r\nSubject: inner\r\nContent-Type: application/zip; name=b.zip\r\n\r\nPK";
    let raw = forwarded("7bit", inner);
    let out = whole_with(&raw, &notices(&raw, "Gone.\n"));
    assert!(out.contains("From: b@x.test\r\nSubject: inner\r\nContent-Type: text/plain; charset=utf-8"), "{out}");
    assert!(!out.contains("PK") && !out.contains("b.zip"), "{out}");
    let encoded = forwarded("base64", "RnJvbTogYkB4LnRlc3QNCkNvbnRlbnQtVHlwZTogYXBwbGljYXRpb24vemlwDQoNClBLDQo=");
    let files = notices(&encoded, "Gone.\n");
    assert_eq!(files.notices.len(), 1);
    let of = |raw: &str| rewrite(raw.as_bytes(), &Bounds::default(), &notices(raw, "Gone.\n"));
    assert_eq!(of(&encoded), Err("the file is inside an encoded message"));
    let signed = "From: b@x.test\r\nContent-Type: multipart/signed; boundary=i\r\n\r\n--i\r\n\
                  Content-Type: application/zip\r\n\r\nPK\r\n--i\r\nContent-Type: application/pgp-signature\r\n\r\ny\r\n--i--";
    assert_eq!(of(&forwarded("7bit", signed)), Err("it is signed"));
}

#[test]
fn files_that_cannot_be_taken_off_with_certainty_stay() {
    let of = |header: &str, body: &str| {
        let raw = format!("MIME-Version: 1.0\r\n{header}\r\n\r\n{body}\r\n");
        let changes = notices(&raw, "Gone.\n");
        assert!(!changes.notices.is_empty(), "{raw}");
        rewrite(raw.as_bytes(), &Bounds::default(), &changes).expect_err("left alone")
    };
    let file = "--b\r\nContent-Type: application/zip\r\n\r\nPK\r\n--b--";
    assert_eq!(of("Content-Type: multipart/signed; boundary=b", file), "it is signed");
    assert_eq!(of("Content-Type: application/pkcs7-mime", "x"), "it is signed or encrypted");
    let text = "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n";
    assert_eq!(
        of("Content-Type: multipart/alternative; boundary=b", &format!("{text}{file}")),
        "the file stands for the text"
    );
    assert_eq!(of("Content-Type: multipart/mixed; boundary=b", &file[..file.len() - 5]), "its structure is damaged");
    let twice = file.replace("application/zip", "text/html\r\nContent-Type: application/zip");
    assert_eq!(of("Content-Type: multipart/mixed; boundary=b", &twice), "its structure is damaged");
    let other = format!("{}{file}", text.replace("text/plain", "text/plain\r\nContent-Type: text/plain"));
    assert_eq!(of("Content-Type: multipart/mixed; boundary=b", &other), "its structure is damaged");
    let nowhere = Changes { notices: BTreeMap::from([(9, "x".to_owned())]), ..Changes::default() };
    assert_eq!(rewrite(MIXED.as_bytes(), &Bounds::default(), &nowhere), Err("its structure is damaged"));
}
