//! Mail of programs on Sendmail's own host.

use mailward_tests::scratch::Scratch;

use super::{STRANGER, Site, sorted};
use crate::site::ALICE;

/// A directory that knows Alice alone.
fn start(scratch: &Scratch) -> Site {
    let people = scratch.file("people.csv", "alice@rig.test\n");
    let config = format!("[directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n", people.display());
    Site::builder(scratch, &config).start()
}

#[test]
fn sendmail_command_passes_mailward_as_a_client_of_its_own_network() {
    let scratch = Scratch::for_sendmail();
    let site = start(&scratch);
    let sent = format!("From: cron@rig.test\nTo: {ALICE}\nSubject: nightly\n\nAll is well.\n");
    let output = site.sendmail.sendmail_t("cron@rig.test", &sent);
    assert!(output.status.success(), "{output:?}");
    let arrived = site.sink.wait_for_subject("nightly");
    assert_eq!((arrived.to.as_slice(), arrived.body().as_str()), ([ALICE.to_owned()].as_slice(), "All is well.\r\n"));
    let line = site.line_about("cron@rig.test");
    let fields = ["client", "name", "direction", "verdict"].map(|field| line.text(field));
    assert_eq!(fields, ["127.0.0.1", "localhost", "outbound", "deliver"], "{line:?}");
}

#[test]
fn smtp_on_standard_input_is_local_mail_and_no_recipient_is_refused_to_it() {
    let scratch = Scratch::for_sendmail();
    let site = start(&scratch);
    let refused = site.send(STRANGER, "a@example.net", &["nobody@rig.test"], "Subject: x\n\nx\n");
    assert_eq!(refused.last().enhanced(), Some("5.1.1"), "the same recipient is refused to others");
    let replies = site.sendmail.sendmail_bs(&[
        "EHLO here",
        "MAIL FROM:<app@rig.test>",
        "RCPT TO:<alice@rig.test>",
        "RCPT TO:<nobody@rig.test>",
        "DATA",
        "Subject: from an app\r\n\r\nHello\r\n.",
        "QUIT",
    ]);
    let codes: Vec<_> = replies.iter().map(|reply| reply.get(..3).unwrap_or_default()).collect();
    assert_eq!(codes, ["250", "250", "250", "250", "354", "250", "221"], "{replies:?}");
    let arrived = site.sink.wait_for_subject("from an app");
    assert_eq!(sorted(&arrived), [ALICE, "nobody@rig.test"]);
    let line = site.line_about("app@rig.test");
    let fields = ["client", "direction", "verdict"].map(|field| line.text(field));
    assert_eq!(fields, ["", "outbound", "deliver"], "Sendmail names no address: {line:?}");
}

#[test]
fn mail_that_goes_into_the_queue_directly_passes_no_milter() {
    let scratch = Scratch::for_sendmail();
    let site = start(&scratch);
    let sent = format!("From: old@rig.test\nTo: {ALICE}\nSubject: direct\n\nHello\n");
    assert!(site.sendmail.sendmail_t_directly("old@rig.test", &sent).status.success());
    let arrived = site.sink.wait_for_subject("direct");
    assert_eq!(arrived.header("Authentication-Results"), None);
    assert!(!site.mailward.output().contains("old@rig.test"));
}
