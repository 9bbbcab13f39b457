//! Who exists, and what Exim itself says to recipients.

use mailward_tests::scratch::Scratch;

use super::{Site, code, directory, flat};
use crate::site::{ALICE, BOB, STRANGER, message, reference};

#[test]
fn unknown_recipient_is_refused_at_rcpt_and_known_ones_get_the_mail() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, &directory(&scratch, &[ALICE, BOB])).start();
    let to = ["nobody@rig.test", "Alice@RIG.test", "\"bob\"@rig.test", "someone@elsewhere.example"];
    let sent = message("a@example.net", "known", "Hello");
    let delivery = site.send(STRANGER, "a@example.net", &to, sent);
    assert_eq!(delivery.rcpt.iter().map(code).collect::<Vec<_>>(), ["550 5.1.1", "250 ", "250 ", "550 "]);
    assert!(flat(&delivery.rcpt[0]).starts_with("No such recipient here [ref "), "{}", delivery.rcpt[0]);
    assert!(!delivery.rcpt[3].contains("[ref "), "Exim relays to its own domains only, and asks nobody about others");
    assert!(delivery.is_accepted());
    assert_eq!(site.sink.wait_for(1)[0].to.len(), 2);

    let refused = site.send(STRANGER, "b@example.net", &["nobody@rig.test"], "Subject: x\n\nx\n");
    assert!(refused.data.is_none_or(|data| data.is_permanent()), "no recipient, no message");
    let explained = site.ask(&["explain", &reference(&refused.rcpt[0])]);
    assert!(explained.contains("unknown recipient") && explained.contains("b@example.net"), "{explained}");
}

#[test]
fn recipient_that_exim_refuses_after_mailward_took_it_is_not_judged_with_the_message() {
    let scratch = Scratch::new();
    let config = "[[policy]]\nname = \"to bob\"\nto = [\"bob@rig.test\"]\n\
                  then = { tag = { header = { X-Bob = \"yes\" } } }\n";
    let site =
        Site::builder(&scratch, config).exim(|exim| exim.recipient_rule("deny local_parts = blocked : bob")).start();
    let sent = message("a@example.net", "one of three", "Hello");
    let delivery = site.send(STRANGER, "a@example.net", &[BOB, ALICE, "blocked@rig.test"], sent);
    assert_eq!(delivery.rcpt.iter().map(|reply| reply.code).collect::<Vec<_>>(), [550, 250, 550]);
    assert!(delivery.is_accepted());
    let arrived = &site.sink.wait_for(1)[0];
    assert_eq!((arrived.to.as_slice(), arrived.header("X-Bob")), ([ALICE.to_owned()].as_slice(), None));
    assert!(arrived.header("Authentication-Results").is_some());
}
