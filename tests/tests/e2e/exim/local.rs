//! Mail of programs on Exim's own host.

use mailward_tests::scratch::Scratch;

use super::{BY_ACL, BY_LOCAL_SCAN, Site, directory};
use crate::site::{ALICE, message};

#[test]
fn mail_of_local_programs_is_judged_and_no_recipient_is_refused_to_it() {
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let config = directory(&scratch, &[ALICE])
            + "[[policy]]\nname = \"outbound\"\ndirection = \"outbound\"\n\
               then = { tag = { header = { X-Outbound = \"yes\" } } }\n";
        let site = Site::builder_by(&scratch, way, &config).start();
        let sent = message("cron@rig.test", "nightly", "All is well.");
        let output = site.exim.submit(&["-f", "cron@rig.test", ALICE, "nobody@rig.test"], &sent);
        assert!(output.status.success(), "{output:?}");
        let arrived = &site.sink.wait_for_subject("nightly");
        assert_eq!((arrived.to.len(), arrived.body().as_str()), (2, "All is well.\r\n"));
        assert_eq!(arrived.header("X-Outbound").as_deref(), Some("yes"), "{:?}", arrived.headers());
        let log = site.exim.log();
        let reference =
            log.split("accepted, reference ").nth(1).expect("it was judged").lines().next().expect("a line");
        assert!(site.ask(&["explain", reference]).contains("cron@rig.test"), "it is in history");
    }
}

#[test]
fn smtp_on_standard_input_is_local_mail_too() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, &directory(&scratch, &[ALICE])).start();
    let session = "EHLO here\r\nMAIL FROM:<app@rig.test>\r\nRCPT TO:<alice@rig.test>\r\nRCPT TO:<nobody@rig.test>\r\n\
                   DATA\r\nSubject: from an app\r\n\r\nHello\r\n.\r\nQUIT\r\n";
    let output = site.exim.submit(&["-bs"], session);
    assert!(output.status.success(), "{output:?}");
    let arrived = site.sink.wait_for_subject("from an app");
    assert_eq!(arrived.to, [ALICE, "nobody@rig.test"]);
    assert!(site.exim.log().contains("mailward: accepted, reference "), "{}", site.exim.log());
}
