//! SPF, DKIM and DMARC.

use mailward_tests::dkim::Signer;
use mailward_tests::dns::Dns;
use mailward_tests::scratch::Scratch;

use super::{STRANGER, Site, code, results};
use crate::site::{ALICE, message};

#[test]
fn results_of_spf_and_dkim_count_and_are_told_to_the_sites_own_server() {
    let scratch = Scratch::for_sendmail();
    let signer = Signer::new(&scratch, "signed.example", "s1");
    let dns = Dns::builder()
        .txt(&signer.record_name(), &signer.record_value())
        .txt("signed.example", "v=spf1 ip4:192.0.2.1 -all");
    let site = Site::builder(&scratch, "").dns(dns).start();
    let good = signer.sign(&message("good@signed.example", "good", "Pay 10 to Bob."));
    assert!(site.send_to_alice("good@signed.example", &good).is_accepted());
    let found = results(&site.sink.wait_for_subject("good"));
    assert!(found.contains("dkim=pass header.d=signed.example header.s=s1"), "{found}");
    assert!(found.contains("spf=fail smtp.mailfrom=good@signed.example"), "{found}");
    assert_eq!(site.line_about("good@signed.example").points_of("spf.fail").as_deref(), Some("2.50"));

    let changed = signer.sign(&message("bad@signed.example", "changed", "Pay 10 to Bob.")).replace("Bob", "Eve");
    assert!(site.send_to_alice("bad@signed.example", &changed).is_accepted(), "a broken signature never refuses");
    let found = results(&site.sink.wait_for_subject("changed"));
    assert!(found.contains("dkim=fail") && !found.contains("dkim=pass"), "{found}");
    assert_eq!(site.line_about("bad@signed.example").points_of("dkim.fail").as_deref(), Some("0.50"));
}

#[test]
fn dmarc_reject_refuses_mail_that_its_author_did_not_send_and_passes_what_he_did() {
    let scratch = Scratch::for_sendmail();
    let dns = Dns::builder()
        .txt("reject.example", "v=spf1 ip4:127.9.0.1 -all")
        .txt("_dmarc.reject.example", "v=DMARC1; p=reject");
    let site = Site::builder(&scratch, "").dns(dns).start();
    let forged = message("Boss <boss@reject.example>", "forged", "Buy vouchers.");
    let end = site.send(STRANGER, "forger@example.net", &[ALICE], &forged).end.expect("refused after the message");
    assert_eq!(code(&end), "550 5.7.1", "{end}");
    assert!(site.line_about("forger@example.net").found("dmarc.reject"));

    let from = "boss@reject.example";
    assert!(site.send("127.9.0.1", from, &[ALICE], message(from, "by address", "See you.")).is_accepted());
    assert!(results(&site.sink.wait_for_subject("by address")).contains("dmarc=pass"));
    assert_eq!(site.sink.count(), 1, "the forged one has not arrived");
}
