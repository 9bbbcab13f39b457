//! Tags of senders on mail that leaves by Sendmail.

use mailward_tests::scratch::Scratch;

use super::{STRANGER, Site};

#[test]
fn outbound_mail_leaves_with_a_tagged_sender() {
    let scratch = Scratch::for_sendmail();
    let key = scratch.file("batv.key", "0123456789abcdef0123456789abcdef01234567\n");
    let config =
        format!("[batv]\nsign = true\nmode = \"observe\"\ndomains = [\"rig.test\"]\nkeys = [\"{}\"]\n", key.display());
    let site = Site::builder(&scratch, &config).start();
    let sent = |subject: &str| format!("From: cron@rig.test\nSubject: {subject}\n\nAll is well.\n");
    let delivery = site.send("127.0.0.1", "cron@rig.test", &["friend@example.org"], sent("nightly"));
    assert!(delivery.is_accepted(), "{delivery:?}");
    let sender = site.sink.wait_for_subject("nightly").from;
    assert!(sender.starts_with("prvs=0") && sender.ends_with("=cron@rig.test"), "{sender}");
    let checked = site.mailward.command(&["batv", "check", &sender]);
    assert!(checked.status.success(), "{checked:?}");

    assert!(site.send(STRANGER, "cron@rig.test", &["alice@rig.test"], sent("inbound")).is_accepted());
    assert_eq!(site.sink.wait_for_subject("inbound").from, "cron@rig.test", "somebody else's mail gets no tag of ours");
}
