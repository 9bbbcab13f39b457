//! Malware, test strings and dangerous attachments.

use mailward_tests::clamd::{self, Clamd};
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::Delivery;

use crate::site::{ALICE, STRANGER, Site, message, with_attachment};

/// The test string of spam filters (spamassassin.apache.org/gtube), put together here so that no filter objects.
fn gtube() -> String {
    ["XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-", "ANTI-UBE-TEST-EMAIL*C.34X"].concat()
}

fn send(site: &Site, from: &str, content: &str) -> Delivery {
    site.send(STRANGER, from, &[ALICE], content)
}

/// The message was refused as malware, for this finding, and has not arrived.
fn assert_malware(site: &Site, from: &str, delivery: &Delivery, finding: &str) {
    let end = delivery.end.as_ref().unwrap_or_else(|| panic!("{delivery:?}"));
    assert_eq!((end.code, end.enhanced()), (550, Some("5.7.1")), "{end}");
    let line = site.line_about(from);
    assert_eq!((line.text("stage").as_str(), line.text("verdict").as_str()), ("message", "reject"), "{line:?}");
    assert!(line.found(finding), "{finding} in {line:?}");
    assert!(!site.sink.messages().iter().any(|message| message.from == from));
}

#[test]
fn eicar_is_refused_by_the_starter_rules_in_the_text_and_in_an_attachment() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    let eicar = String::from_utf8(clamd::eicar()).expect("it is text");
    let plain = send(&site, "plain@example.net", &message("plain@example.net", "plain", &eicar));
    assert_malware(&site, "plain@example.net", &plain, "malware.yara.eicar_test_file");

    let inside = with_attachment("inside@example.net", "inside", "report.txt", eicar.as_bytes());
    assert!(!inside.contains(&eicar), "it is hidden in base64");
    let inside = send(&site, "inside@example.net", &inside);
    assert_malware(&site, "inside@example.net", &inside, "malware.yara.eicar_test_file");

    assert!(send(&site, "a@example.net", &message("a@example.net", "clean", "No virus.")).is_accepted());
    site.sink.wait_for(1);
}

#[test]
fn malware_is_refused_for_postmaster_too() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    let sent = with_attachment("a@example.net", "x", "x.com", &clamd::eicar());
    let delivery = site.send(STRANGER, "a@example.net", &["postmaster@rig.test"], sent);
    assert_malware(&site, "a@example.net", &delivery, "malware.yara.eicar_test_file");
}

#[test]
fn rules_of_the_site_refuse_or_weigh() {
    let scratch = Scratch::new();
    let rules = scratch.dir("rules");
    let rule = |name: &str, meta: &str, text: &str| {
        format!("rule {name} {{ {meta} strings: $text = \"{text}\" condition: $text }}\n")
    };
    mailward_tests::scratch::write(&rules.join("site.yar"), rule("Evil", "", "rig-evil-7421"));
    let weighs = rule("Odd", "meta: points = \"2.5\"", "rig-odd-7421");
    mailward_tests::scratch::write(&rules.join("weigh.yara"), weighs);
    let site = Site::builder(&scratch, &format!("[malware]\nyara = [\"{}\"]\n", rules.display())).start();
    let evil = with_attachment("evil@example.net", "evil", "notes.bin", b"....rig-evil-7421....");
    let evil = send(&site, "evil@example.net", &evil);
    assert_malware(&site, "evil@example.net", &evil, "malware.yara.Evil");
    assert!(send(&site, "odd@example.net", &message("odd@example.net", "odd", "rig-odd-7421")).is_accepted());
    assert_eq!(site.line_about("odd@example.net").points_of("yara.Odd").as_deref(), Some("2.50"));
}

#[test]
fn clamd_refuses_eicar_over_unix_and_tcp_without_any_yara_rule() {
    let scratch = Scratch::new();
    let clamd = Clamd::start(&scratch);
    for address in [format!("unix:{}", clamd.socket().display()), format!("inet:{}", clamd.address())] {
        let config = format!("[malware]\nstarter_rules = false\nclamd = \"{address}\"\n");
        let site = Site::builder(&scratch, &config).start();
        let eicar = with_attachment("eicar@example.net", "eicar", "report.txt", &clamd::eicar());
        let eicar = send(&site, "eicar@example.net", &eicar);
        assert_malware(&site, "eicar@example.net", &eicar, &format!("malware.clamd.{}", clamd::EICAR_NAME));
        // What clamd alone knows: no rule of ours can have found it.
        let body = message("body@example.net", "body", &format!("Hello {}, goodbye", clamd::BODY));
        let body = send(&site, "body@example.net", &body);
        assert_malware(&site, "body@example.net", &body, &format!("malware.clamd.{}", clamd::BODY_NAME));
        assert_eq!(site.line_about("body@example.net").text("to"), "<alice@rig.test>=reject");

        assert!(send(&site, "a@example.net", &message("a@example.net", "clean", "No virus.")).is_accepted());
        site.sink.wait_for(1);
    }
}

#[test]
fn test_string_of_spam_filters_is_refused() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    let delivery = send(&site, "a@example.net", &message("a@example.net", "test", &gtube()));
    let end = delivery.end.expect("judged by its content");
    assert_eq!((end.code, end.enhanced()), (550, Some("5.7.1")), "{end}");
    let line = site.line_about("a@example.net");
    assert!(line.found("spam.gtube") && line.text("verdict") == "reject", "{line:?}");
    assert_eq!(line.text("because"), "threshold reject");
    let encoded = with_attachment("b@example.net", "not text", "gtube.bin", gtube().as_bytes());
    assert!(send(&site, "b@example.net", &encoded).is_accepted(), "only what people read counts");
    assert_eq!(site.sink.wait_for(1).len(), 1);
}

#[test]
fn executable_attachment_gives_points_and_a_disguised_one_more() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    let script = b"Set shell = CreateObject(\"WScript.Shell\")\r\n".as_slice();
    for (from, name, findings) in [
        ("plain@example.net", "setup.vbs", ["attachment.executable"].as_slice()),
        ("hidden@example.net", "invoice.pdf.vbs", &["attachment.executable", "attachment.double-extension"]),
        ("good@example.net", "minutes.txt", &[]),
    ] {
        assert!(send(&site, from, &with_attachment(from, from, name, script)).is_accepted(), "{name}");
        let line = site.line_about(from);
        for finding in ["attachment.executable", "attachment.double-extension"] {
            assert_eq!(line.found(finding), findings.contains(&finding), "{name}: {line:?}");
        }
        if !findings.is_empty() {
            assert_eq!(line.points_of("attachment.executable").as_deref(), Some("2.50"));
        }
        let log = site.mailward.output();
        assert!(!log.contains("invoice.pdf"), "names of files are words of the message: {log}");
    }
    site.sink.wait_for(3);
}
