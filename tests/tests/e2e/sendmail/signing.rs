//! Our signature on mail that leaves by Sendmail, which adds fields behind its milters.

use mailward_tests::scratch::Scratch;

use super::{STRANGER, Site};
use crate::outbound::{dkimpy, key, records};

#[test]
fn signature_holds_with_what_sendmail_adds_and_edits() {
    let scratch = Scratch::for_sendmail();
    let (rsa, ed) = (key(&scratch, "r1", &[]), key(&scratch, "e1", &["--ed25519"]));
    let keys = format!("{}{}canonicalization = \"simple/simple\"\n", rsa.entry, ed.entry);
    let published = records(&scratch, &keys);
    let marks = "[[policy]]\nname = \"marked\"\ndirection = \"outbound\"\nfrom = \"app@rig.test\"\nthen = { tag = { \
                 subject = \"[OUT]\", header = { X-Out = \"yes\" } } }\n";
    let site = Site::builder(&scratch, &format!("{keys}{marks}")).start();
    for (from, subject) in [("cron@rig.test", "nightly"), ("app@rig.test", "marked")] {
        // Neither Date nor Message-ID.
        let sent =
            format!("From: {from}\nTo: friend@example.org\nSubject: {subject}\n  and folded\n\nAll is well.  \n\n");
        let delivery = site.send("127.0.0.1", from, &["friend@example.org"], &sent);
        assert!(delivery.is_accepted(), "{delivery:?}");
        let arrived = site.sink.wait_for_subject(subject);
        assert!(arrived.header("Message-ID").is_some(), "{:?}", arrived.headers());
        assert_eq!(arrived.header("X-Out").is_some(), subject == "marked");
        let verified = dkimpy(&arrived.raw, &published);
        assert_eq!(verified, "pass pass", "{}", String::from_utf8_lossy(&arrived.raw));
    }
    let inbound = "From: cron@rig.test\nSubject: inbound\n\nx\n";
    assert!(site.send(STRANGER, "x@example.net", &["alice@rig.test"], inbound).is_accepted());
    assert_eq!(site.sink.wait_for_subject("inbound").header("DKIM-Signature"), None);
}
