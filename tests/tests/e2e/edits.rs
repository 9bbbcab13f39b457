//! What policies do to a message and its envelope: other recipients, other headers, another body. What arrives is read by Python's
//! own parser too, which shares no code with the engine.

use std::process::Command;

use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::dkim::Signer;
use mailward_tests::dns::Dns;
use mailward_tests::process::{program, run};
use mailward_tests::scratch::Scratch;
use mailward_tests::sink::Message;

use crate::site::{ALICE, BOB, CAROL, STRANGER, Site, message, reference};

/// A `[[policy]]`; `more` are its other keys.
fn policy(name: &str, more: &str) -> String {
    format!("[[policy]]\nname = \"{name}\"\n{more}\n")
}

/// Who got it, in alphabetical order.
fn sorted(arrived: &Message) -> Vec<String> {
    let mut to = arrived.to.clone();
    to.sort_unstable();
    to
}

#[test]
fn redirected_mail_goes_to_another_and_not_to_its_recipient() {
    let scratch = Scratch::new();
    let config = policy("look", &format!("to = [\"{BOB}\"]\nthen = {{ redirect = \"desk@rig.test\" }}"))
        + &policy("drop", &format!("from = \"e@example.net\"\nto = [\"{CAROL}\"]\nthen = \"discard\""))
        + &policy("wait", &format!("to = [\"{CAROL}\"]\nthen = \"hold\""));
    let config =
        policy("instead", &format!("from = \"e@example.net\"\nto = [\"{BOB}\"]\nthen = {{ redirect = \"{CAROL}\" }}"))
            + &config;
    let site = Site::builder(&scratch, &config).start();
    for (n, bob) in [BOB, "Bob@RIG.test", "\"bob\"@rig.test"].into_iter().enumerate() {
        let subject = format!("spelled-{n}");
        let sent = message("a@example.net", &subject, "Hello");
        assert!(site.send(STRANGER, "a@example.net", &[bob, ALICE], sent).is_accepted());
        assert_eq!(sorted(&site.sink.wait_for_subject(&subject)), [ALICE, "desk@rig.test"], "{bob}");
    }
    let alone = message("b@example.net", "alone", "Hello");
    assert!(site.send(STRANGER, "b@example.net", &[BOB], alone).is_accepted());
    assert_eq!(site.sink.wait_for_subject("alone").to, ["desk@rig.test"]);
    let line = site.line_about("b@example.net");
    assert_eq!((line.text("verdict"), line.text("to")), ("redirect".into(), "<bob@rig.test>=redirect".into()));
    let explained = site.explain(&line.text("reference"));
    assert!(explained.contains("add recipient <desk@rig.test>\n"), "{explained}");

    // The copy that is sent on waits with the message.
    let held = message("c@example.net", "held", "Hello");
    assert!(site.send(STRANGER, "c@example.net", &[BOB, CAROL], held).is_accepted());
    assert_eq!(site.line_about("c@example.net").text("to"), "<bob@rig.test>=redirect,<carol@rig.test>=hold");
    let mut to = site.postfix.held()[0].to.clone();
    to.sort_unstable();
    assert_eq!(to, [CAROL, "desk@rig.test"]);
    // Who is taken off for himself can be added for another.
    let swap = message("e@example.net", "swap", "Hello");
    assert!(site.send(STRANGER, "e@example.net", &[BOB, CAROL], swap).is_accepted());
    assert_eq!(site.sink.wait_for_subject("swap").to, [CAROL]);
    // What comes back to where it was sent stays there.
    let back = message("d@example.net", "back", "Hello");
    assert!(site.send(STRANGER, "d@example.net", &["desk@rig.test"], back).is_accepted());
    assert_eq!(site.sink.wait_for_subject("back").to, ["desk@rig.test"]);
}

#[test]
fn redirect_beside_every_other_disposition_ends_as_the_manual_says() {
    let scratch = Scratch::new();
    let cases = [
        (
            "deliver",
            "\"deliver\"",
            250,
            &[ALICE, "desk@rig.test"][..],
            "<alice@rig.test>=deliver,<bob@rig.test>=redirect",
        ),
        (
            "tag",
            "{ tag = { header = { X-A = \"1\" } } }",
            250,
            &[ALICE, "desk@rig.test"],
            "<alice@rig.test>=tag,<bob@rig.test>=redirect",
        ),
        (
            "redirect",
            "{ redirect = \"desk@rig.test\" }",
            250,
            &["desk@rig.test"],
            "<alice@rig.test>=redirect,<bob@rig.test>=redirect",
        ),
        ("hold", "\"hold\"", 250, &[], "<alice@rig.test>=hold,<bob@rig.test>=redirect"),
        ("discard", "\"discard\"", 250, &["desk@rig.test"], "<alice@rig.test>=discard,<bob@rig.test>=redirect"),
        ("reject", "\"reject\"", 250, &[ALICE, "desk@rig.test"], "<alice@rig.test>=tag,<bob@rig.test>=redirect"),
        ("defer", "\"defer\"", 451, &[], "<alice@rig.test>=defer,<bob@rig.test>=defer"),
    ];
    let mut config = policy("look", &format!("to = [\"{BOB}\"]\nthen = {{ redirect = \"desk@rig.test\" }}"));
    for (word, then, ..) in cases {
        config += &policy(word, &format!("from = \"{word}@example.net\"\nthen = {then}"));
    }
    let site = Site::builder(&scratch, &config).start();
    for (word, _, code, to, dispositions) in cases {
        let from = format!("{word}@example.net");
        let end = site.send(STRANGER, &from, &[ALICE, BOB], message(&from, &from, "Hello")).end.expect("its end");
        assert_eq!((end.code, site.line_about(&from).text("to").as_str()), (code, dispositions), "{word}");
        if !to.is_empty() {
            assert_eq!(sorted(&site.sink.wait_for_subject(&from)), to, "{word}");
        }
    }
    let held = site.postfix.held();
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(site.sink.count(), 5);
}

#[test]
fn copies_are_made_once_and_nobody_hears_of_them() {
    let scratch = Scratch::new();
    let config = policy("archive", "then = { copy = [\"archive@rig.test\"] }\ncontinue = true")
        + &policy("lost", "from = \"lost@rig.test\"\nthen = { copy = \"x@nowhere.test\" }")
        + &policy("astray", "from = \"astray@rig.test\"\nthen = { redirect = \"x@nowhere.test\" }");
    let builder = Site::builder(&scratch, &config);
    let site = builder.postfix(|postfix| postfix.set("transport_maps", "inline:{ nowhere.test=error:no }")).start();
    let send = |from: &str, subject: &str, to: &[&str]| {
        assert!(site.send(STRANGER, from, to, message(from, subject, "Hello")).is_accepted());
        site.sink.wait_for_subject(subject)
    };
    let arrived = send("a@example.net", "one", &[ALICE, BOB]);
    assert_eq!(sorted(&arrived), [ALICE, "archive@rig.test", BOB]);
    assert!(!String::from_utf8_lossy(&arrived.raw).contains("archive@"), "nobody sees whom the copy went to");
    assert_eq!(site.line_about("a@example.net").text("verdict"), "deliver");
    assert_eq!(send("b@example.net", "two", &["archive@rig.test"]).to, ["archive@rig.test"]);
    assert_eq!(sorted(&send("c@example.net", "three", &["Archive@rig.test", ALICE])).len(), 2);

    // A copy that cannot be delivered is nobody's affair but the postmaster's; mail that is sent elsewhere comes back.
    assert_eq!(sorted(&send("lost@rig.test", "lost", &[ALICE])), [ALICE, "archive@rig.test"]);
    assert_eq!(send("astray@rig.test", "astray", &[ALICE]).to, ["archive@rig.test"]);
    wait_until(PATIENCE, "the queue is empty", || site.postfix.queue().is_empty());
    let bounces: Vec<_> = site.sink.messages().into_iter().filter(|message| message.from.is_empty()).collect();
    let to: Vec<_> = bounces.iter().flat_map(|bounce| bounce.to.clone()).collect();
    assert_eq!(to, ["astray@rig.test"], "{}", site.postfix.log());
}

#[test]
fn headers_are_set_and_removed_where_all_who_get_the_message_want_it() {
    let scratch = Scratch::new();
    let marks =
        "set_header = { Reply-To = \"desk@rig.test\", X-Points = \"{points}\" }, remove_header = \"X-Original-IP\"";
    let config = policy("plain for bob", &format!("to = [\"{BOB}\"]\nthen = \"deliver\""))
        + &policy("tidy", &format!("then = {{ tag = {{ {marks} }} }}"));
    let site = Site::builder(&scratch, &config).start();
    let head = "X-Original-IP: 10.0.0.1\nReply-To: a@x.test\nx-original-ip: 10.0.0.2\nReply-To: b@x.test\nSubject";
    let send = |subject: &str, to: &[&str]| {
        let content = message("a@example.net", subject, "Hello").replacen("Subject", head, 1);
        assert!(site.send(STRANGER, "a@example.net", to, content).is_accepted());
        let arrived = site.sink.wait_for_subject(subject);
        ["Reply-To", "X-Original-IP", "X-Points"].map(|name| arrived.all_headers(name).join(" "))
    };
    let alone = send("alone", &[ALICE]);
    let points = site.line_about("a@example.net").text("points");
    assert_eq!(alone, ["desk@rig.test", "", &points]);
    assert_eq!(send("both", &[ALICE, BOB]), ["a@x.test b@x.test", "10.0.0.1 10.0.0.2", ""]);
}

/// A message with text, HTML and two files, of which one has macros by its name.
fn report(from: &str, subject: &str) -> String {
    let body = "--o\nContent-Type: multipart/alternative; boundary=i\n\n--i\nContent-Type: text/plain; charset=utf-8\n\
                Content-Transfer-Encoding: 8bit\n\nGr\u{fc}\u{df}e\n--i\nContent-Type: text/html\n\n<p>Hello</p>\n--i--\n\
                --o\nContent-Type: application/pdf; name=\"r.pdf\"\nContent-Disposition: attachment; filename=\"r.pdf\"\n\
                Content-Transfer-Encoding: base64\n\nJVBERi0xLjQK\n--o\n\
                Content-Type: application/vnd.ms-word;\n name=\"bill.docm\"\nContent-Transfer-Encoding: base64\n\
                Content-ID: <2@x.test>\n\nUEsDBAoAAAAA\n--o--";
    let head = format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\nSubject: {subject}");
    message(from, subject, body).replacen(&format!("Subject: {subject}"), &head, 1)
}

/// Every leaf as Python's parser reads it: type, file name, SHA-256 of the content; and the defects that it sees.
fn leaves_by_python(scratch: &Scratch, raw: &[u8]) -> Vec<String> {
    const SCRIPT: &str = "\
import email, email.policy, hashlib, sys
message = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)
for part in message.walk():
    for defect in part.defects:
        print('defect', repr(defect))
    if not part.is_multipart():
        content = part.get_payload(decode=True)
        print(part.get_content_type(), part.get_filename(), hashlib.sha256(content).hexdigest())
";
    let file = scratch.file("message.eml", raw);
    let output = run(Command::new(program("python3", "python3")).args(["-c", SCRIPT]).arg(file));
    String::from_utf8(output).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn files_are_taken_off_and_everything_else_arrives_as_it_was() {
    let scratch = Scratch::new();
    let config = policy(
        "no macros",
        "then = { strip = { attachment = { macro = true }, note = \"Ask the help desk.\" } }\ncontinue = true",
    ) + &policy(
        "words",
        "from = \"w@example.net\"\nthen = { tag = { banner = \"Before.\", disclaimer = \"Behind.\" } }",
    );
    let site = Site::builder(&scratch, &config).start();
    let send = |from: &str, subject: &str, content: &str| {
        assert!(site.send(STRANGER, from, &[ALICE], content).is_accepted());
        (site.sink.wait_for_subject(subject), site.line_about(from))
    };
    let sent = report("a@example.net", "file");
    let before = leaves_by_python(&scratch, sent.replace('\n', "\r\n").as_bytes());
    let (arrived, line) = send("a@example.net", "file", &sent);
    let after = leaves_by_python(&scratch, &arrived.raw);
    assert_eq!(before.len(), 4, "{before:?}");
    assert_eq!(
        (&after[..3], after.len()),
        (&before[..3], 4),
        "text, HTML and the other file are byte for byte the same"
    );
    assert!(after[3].starts_with("text/plain None "), "{after:?}");
    let body = arrived.body();
    for told in ["Name: bill.docm", "Type: application/vnd.ms-word", "Size: 9 bytes", "Ask the help desk."] {
        assert!(body.contains(told), "{told}: {body}");
    }
    assert!(body.contains(&format!("Reference: {}", line.text("reference"))), "{body}");
    assert!(!body.contains("UEsDBAoAAAAA"));
    assert_eq!(line.text("verdict"), "tag");
    assert!(site.explain(&line.text("reference")).contains("replace body: with notice"));

    // One new body for all of it; the words of the message are written anew, the other file is not.
    let (arrived, _) = send("w@example.net", "words", &report("w@example.net", "words"));
    let after = leaves_by_python(&scratch, &arrived.raw);
    assert_eq!(after.len(), 4, "{after:?}");
    assert_eq!(after[2], before[2]);
    let body = arrived.body();
    assert!(body.contains("Before.\r\n\r\nGr=C3=BC=C3=9Fe\r\n\r\nBehind.\r\n--i"), "{body}");
    assert!(body.contains("<p>Hello</p><div style="), "{body}");

    // A message that is nothing but such a file.
    let whole = message("f@example.net", "whole", "UEsDBAoAAAAA").replacen(
        "Subject",
        "MIME-Version: 1.0\nContent-Type: application/octet-stream;\n name=\"bill.docm\"\n\
         Content-Disposition: attachment;\n filename=\"bill.docm\"\nContent-Transfer-Encoding: base64\nSubject",
        1,
    );
    let (arrived, _) = send("f@example.net", "whole", &whole);
    let after = leaves_by_python(&scratch, &arrived.raw);
    assert_eq!(after.len(), 1, "{after:?}");
    assert!(after[0].starts_with("text/plain None ") && arrived.body().contains("Name: bill.docm"), "{after:?}");
    let (arrived, _) = send("n@example.net", "none", &message("n@example.net", "none", "Hello"));
    assert_eq!(arrived.body(), "Hello\r\n", "without such a file nothing changes");
}

#[test]
fn programs_that_are_declared_as_text_are_taken_off() {
    let scratch = Scratch::new();
    let then = "then = { tag = { banner = \"From outside.\" }, strip = { attachment = { executable = true } } }";
    let site = Site::builder(&scratch, &policy("no programs", then)).start();
    let parts = [
        "Content-Type: text/plain; name=\"run.vbs\"\n\nMsgBox 1",
        "Content-Type: text/html\nContent-Disposition: inline; filename=\"run.hta\"\n\n<script>MsgBox</script>",
        "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nTVqQAAMAAAAEAAAA",
    ];
    for (n, part) in parts.into_iter().enumerate() {
        let subject = format!("part-{n}");
        let body = format!("--o\n{part}\n--o\nContent-Type: text/plain\n\nwords\n--o--");
        let typed = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\nSubject";
        let sent = message("p@example.net", &subject, &body).replacen("Subject", typed, 1);
        assert!(site.send(STRANGER, "p@example.net", &[ALICE], sent).is_accepted());
        let arrived = site.sink.wait_for_subject(&subject).body();
        assert!(arrived.contains("A file was removed") && arrived.contains("From outside.\r\n\r\nwords"), "{arrived}");
        assert!(!arrived.contains("MsgBox") && !arrived.contains("TVqQ"), "{arrived}");
    }
}

#[test]
fn files_that_must_stay_are_refused_held_or_delivered_as_the_policy_says() {
    let scratch = Scratch::new();
    let strip = |from: &str, otherwise: &str| {
        let then = format!("then = {{ strip = {{ attachment = {{ macro = true }}{otherwise} }} }}");
        policy(from, &format!("from = \"{from}@example.net\"\n{then}"))
    };
    let config =
        strip("refused", "") + &strip("held", ", otherwise = \"hold\"") + &strip("taken", ", otherwise = \"deliver\"");
    let of_alice = format!(
        "from = \"mixed@example.net\"\nto = [\"{ALICE}\"]\nthen = {{ strip = {{ attachment = {{ macro = true }} }} }}"
    );
    let site = Site::builder(&scratch, &(config + &policy("mixed", &of_alice))).start();
    let send = |name: &str| {
        let from = format!("{name}@example.net");
        let sealed = report(&from, name).replacen("multipart/mixed;", "multipart/signed;", 1);
        site.send(STRANGER, &from, &[ALICE], sealed)
    };
    let end = send("refused").end.expect("judged at its end");
    assert_eq!((end.code, end.enhanced()), (550, Some("5.7.1")), "{end}");
    let explained = site.explain(&reference(&end));
    assert!(explained.contains("strip: it is signed"), "{explained}");
    assert!(send("held").is_accepted());
    assert_eq!(site.postfix.held().len(), 1);
    assert!(send("taken").is_accepted());
    let arrived = site.sink.wait_for_subject("taken");
    assert!(arrived.body().contains("UEsDBAoAAAAA"));
    // Who names another recipient does not bring the file in.
    let mixed = report("mixed@example.net", "mixed");
    let end = site.send(STRANGER, "mixed@example.net", &[ALICE, BOB], mixed).end.expect("judged at its end");
    assert_eq!(end.code, 550, "{end}");
    assert!(site.explain(&reference(&end)).contains("strip: not all recipients want it"));
    assert_eq!(site.sink.count(), 1);
}

#[test]
fn disclaimer_stands_behind_what_a_message_says() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, &policy("ours", "then = { tag = { disclaimer = \"Confidential.\" } }")).start();
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "plain", "Hello")).is_accepted());
    assert_eq!(site.sink.wait_for_subject("plain").body(), "Hello\r\n\r\nConfidential.\r\n");
    let html = message("h@example.net", "html", "<html><body><p>Hello</p></body></html>").replacen(
        "Subject",
        "MIME-Version: 1.0\nContent-Type: text/html\nSubject",
        1,
    );
    assert!(site.send(STRANGER, "h@example.net", &[ALICE], html).is_accepted());
    let body = site.sink.wait_for_subject("html").body().replace("=\r\n", "");
    assert!(body.contains("<p>Hello</p><div style") && body.contains(">Confidential.</div></body></html>"), "{body}");
}

#[test]
fn signature_that_an_edit_breaks_is_named() {
    let scratch = Scratch::new();
    let signer = Signer::new(&scratch, "signed.example", "s1");
    let dns = Dns::builder().txt(&signer.record_name(), &signer.record_value());
    let config = policy("banner", "from = \"b@signed.example\"\nthen = { tag = { banner = \"From outside.\" } }")
        + &policy("subject", "from = \"s@signed.example\"\nthen = { tag = { subject = \"[x]\" } }")
        + &policy("header", "from = \"h@signed.example\"\nthen = { tag = { header = { X-Mark = \"yes\" } } }");
    let site = Site::builder(&scratch, &config).dns(dns).start();
    for (from, broken) in [("b", Some("body")), ("s", Some("Subject")), ("h", None)] {
        let from = format!("{from}@signed.example");
        let signed = signer.sign(&message(&from, &from, "Hello"));
        assert!(site.send(STRANGER, &from, &[ALICE], signed).is_accepted());
        let line = site.line_about(&from);
        assert!(line.found("dkim.pass"), "{line:?}");
        assert_eq!(line.points_of("edits.break-dkim").as_deref(), broken.map(|_| "0.00"), "{line:?}");
        if let Some(what) = broken {
            let explained = site.explain(&line.text("reference"));
            assert!(explained.contains(&format!("signed.example: {what}")), "{explained}");
        }
    }
}
