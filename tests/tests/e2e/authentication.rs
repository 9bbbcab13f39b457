//! SPF, DKIM and DMARC: what they find counts, acts, and is told to the site's own server.

use mailward_tests::dkim::Signer;
use mailward_tests::dns::{self, Dns};
use mailward_tests::postfix::HOST;
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::Delivery;

use crate::site::{ALICE, STRANGER, Site, message};

/// A domain whose mail comes from elsewhere, never from [`STRANGER`], and that asks for nothing.
const NONE: &str = "none.example";
/// The same, but it asks for quarantine.
const QUARANTINE: &str = "quarantine.example";
/// The same, but it asks for rejection.
const REJECT: &str = "reject.example";

fn domains() -> dns::Builder {
    let mut dns = Dns::builder();
    for (domain, policy) in [(NONE, "none"), (QUARANTINE, "quarantine"), (REJECT, "reject")] {
        dns = dns
            .txt(domain, "v=spf1 ip4:192.0.2.1 -all")
            .txt(&format!("_dmarc.{domain}"), &format!("v=DMARC1; p={policy}"));
    }
    dns
}

/// Sends a message whose envelope and header name the same sender.
fn send(site: &Site, client: &str, from: &str, content: &str) -> Delivery {
    site.send(client, from, &[ALICE], content)
}

/// The results that Mailward added to the message with this subject.
fn results(site: &Site, subject: &str) -> String {
    let arrived = site.sink.wait_for_subject(subject);
    let all = arrived.all_headers("Authentication-Results");
    all.into_iter().find(|field| field.starts_with(HOST)).unwrap_or_else(|| panic!("{:?}", arrived.headers()))
}

#[test]
fn spf_failure_counts_but_refuses_nobody_by_itself() {
    let scratch = Scratch::new();
    let dns = domains().txt("plain.example", "v=spf1 ip4:192.0.2.1 -all").txt("soft.example", "v=spf1 ~all");
    let site = Site::builder(&scratch, "").dns(dns).start();
    for (from, finding, points, result) in [
        ("a@plain.example", "spf.fail", "2.50", "spf=fail smtp.mailfrom=a@plain.example"),
        ("a@soft.example", "spf.softfail", "0.75", "spf=softfail smtp.mailfrom=a@soft.example"),
    ] {
        assert!(send(&site, STRANGER, from, &message(from, from, "Hello")).is_accepted());
        assert_eq!(site.line_about(from).points_of(finding).as_deref(), Some(points), "{:?}", site.line_about(from));
        assert!(results(&site, from).contains(result), "{}", results(&site, from));
    }
    let right = send(&site, "192.0.2.1", "b@plain.example", &message("b@plain.example", "right", "Hello"));
    assert!(right.is_accepted());
    assert!(results(&site, "right").contains("spf=pass"), "{}", results(&site, "right"));
    assert!(!site.line_about("b@plain.example").found("spf.fail"));
}

#[test]
fn good_signature_passes_and_a_broken_one_counts() {
    let scratch = Scratch::new();
    let signer = Signer::new(&scratch, "signed.example", "s1");
    let dns = Dns::builder().txt(&signer.record_name(), &signer.record_value());
    let site = Site::builder(&scratch, "").dns(dns).start();

    let good = signer.sign(&message("good@signed.example", "good", "Pay 10 to Bob."));
    assert!(send(&site, STRANGER, "good@signed.example", &good).is_accepted());
    let found = results(&site, "good");
    assert!(found.contains("dkim=pass header.d=signed.example header.s=s1"), "{found}");
    assert!(site.line_about("good@signed.example").found("dkim.pass"));

    let changed = signer.sign(&message("bad@signed.example", "changed", "Pay 10 to Bob.")).replace("Bob", "Eve");
    assert!(send(&site, STRANGER, "bad@signed.example", &changed).is_accepted(), "a broken signature never refuses");
    let found = results(&site, "changed");
    assert!(found.contains("dkim=fail") && !found.contains("dkim=pass"), "{found}");
    let line = site.line_about("bad@signed.example");
    assert_eq!(line.points_of("dkim.fail").as_deref(), Some("0.50"), "{line:?}");
    assert!(!line.found("dkim.pass"));
}

#[test]
fn dmarc_reject_refuses_mail_that_its_author_did_not_send_and_passes_what_he_did() {
    let scratch = Scratch::new();
    let signer = Signer::new(&scratch, REJECT, "s1");
    let dns = domains().txt(&signer.record_name(), &signer.record_value());
    let site = Site::builder(&scratch, "").dns(dns).start();

    // The envelope is the forger's own and passes SPF; only the header names the victim.
    let forged = message(&format!("Boss <boss@{REJECT}>"), "forged", "Buy vouchers.");
    let delivery = send(&site, STRANGER, "forger@example.net", &forged);
    let end = delivery.end.expect("refused after the message, when its header is known");
    assert_eq!((end.code, end.enhanced()), (550, Some("5.7.1")), "{end}");
    let line = site.line_about("forger@example.net");
    assert_eq!((line.text("stage").as_str(), line.text("verdict").as_str()), ("message", "reject"));
    assert!(line.found("dmarc.reject"), "{line:?}");

    let signed = signer.sign(&message(&format!("boss@{REJECT}"), "signed", "See you."));
    assert!(send(&site, STRANGER, "bounces@example.net", &signed).is_accepted());
    assert!(results(&site, "signed").contains("dmarc=pass"), "{}", results(&site, "signed"));
    let from = format!("boss@{REJECT}");
    assert!(send(&site, "192.0.2.1", &from, &message(&from, "by address", "See you.")).is_accepted());
    assert!(results(&site, "by address").contains("dmarc=pass"));
    assert_eq!(site.sink.wait_for(2).len(), 2, "the forged one has not arrived");
}

#[test]
fn dmarc_none_is_reported_and_quarantine_marks() {
    let scratch = Scratch::new();
    // A client with a name, so that nothing else counts.
    let dns = domains().host("203.0.113.9", "mail.example.net");
    let site = Site::builder(&scratch, "").dns(dns).start();
    for (domain, finding) in [(NONE, "dmarc.fail"), (QUARANTINE, "dmarc.quarantine")] {
        let from = format!("a@{domain}");
        assert!(send(&site, "203.0.113.9", &from, &message(&from, domain, "Hello")).is_accepted(), "{domain}");
        let found = results(&site, domain);
        assert!(found.contains("dmarc=fail") && found.contains(&format!("header.from={domain}")), "{found}");
        let line = site.line_about(&from);
        assert!(line.found(finding), "{line:?}");
        let marked = site.sink.wait_for_subject(domain).header("X-Mailward-Flag");
        assert_eq!(marked.is_some(), domain == QUARANTINE, "{line:?}");
    }
}

#[test]
fn dmarc_can_be_observed_without_acting() {
    let scratch = Scratch::new();
    let config = "[authentication]\ndmarc = \"observe\"\nauthserv_id = \"gate.rig.test\"\n";
    let site = Site::builder(&scratch, config).dns(domains()).start();
    let from = format!("a@{REJECT}");
    assert!(send(&site, STRANGER, &from, &message(&from, "observed", "Hello")).is_accepted());
    let arrived = site.sink.wait_for_subject("observed");
    let found = arrived.header("Authentication-Results").unwrap_or_default();
    assert!(found.starts_with("gate.rig.test;") && found.contains("dmarc=fail"), "{found}");
    assert!(site.line_about(&from).found("dmarc.reject"));
}
