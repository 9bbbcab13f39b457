//! The site's policies: what each recipient gets, and what the client hears.

use mailward_tests::scratch::Scratch;

use super::{STRANGER, Site, sorted};
use crate::pairs;
use crate::site::{ALICE, BOB, CAROL, message, reference, with_attachment};

/// A `[[policy]]`; `more` are its other keys.
fn policy(name: &str, more: &str) -> String {
    format!("[[policy]]\nname = \"{name}\"\n{more}\n")
}

#[test]
fn three_recipients_of_one_message_get_three_outcomes() {
    let scratch = Scratch::for_sendmail();
    let config = policy("no news", &format!("to = [\"{CAROL}\"]\nthen = \"discard\""))
        + &policy("wary", &format!("to = [\"{BOB}\"]\nthen = {{ tag = {{ header = {{ X-Wary = \"yes\" }} }} }}"));
    let site = Site::builder(&scratch, &config).start();
    let sent = message("a@example.net", "three", "Hello");
    let delivery = site.send(STRANGER, "a@example.net", &[ALICE, BOB, CAROL], sent);
    assert!(delivery.is_accepted(), "{delivery:?}");
    let arrived = site.sink.wait_for_subject("three");
    assert_eq!(sorted(&arrived), [ALICE, BOB]);
    assert_eq!(arrived.header("X-Wary").as_deref(), Some("yes"), "{:?}", arrived.headers());
    let line = site.line_about("a@example.net");
    assert_eq!(line.text("to"), "<alice@rig.test>=deliver,<bob@rig.test>=tag,<carol@rig.test>=discard");
}

#[test]
fn held_message_lies_in_quarantine_with_the_reason_until_its_release() {
    let scratch = Scratch::for_sendmail();
    let config = policy("look at it first", "from = [\"*@example.net\"]\nthen = \"hold\"");
    let site = Site::builder(&scratch, &config).start();
    let sent = message("a@example.net", "held", "Hello");
    assert!(site.send(STRANGER, "a@example.net", &[ALICE, BOB], sent).is_accepted());
    let line = site.line_about("a@example.net");
    assert_eq!(line.text("verdict"), "hold", "{line:?}");
    let held = site.sendmail.quarantined();
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!((held[0].id.clone(), held[0].to.len()), (line.text("queue_id"), 2), "{held:?}");
    assert!(held[0].reason.contains("look at it first"), "{held:?}");
    assert!(site.send_to_alice("b@example.org", message("b@example.org", "not held", "Hello")).is_accepted());
    site.sink.wait_for_subject("not held");
    assert_eq!(site.sink.count(), 1, "what came later has arrived, what is held has not");

    site.sendmail.release(&held[0].id);
    let arrived = site.sink.wait_for(2).remove(1);
    assert_eq!(sorted(&arrived), [ALICE, BOB]);
    assert!(arrived.header("Authentication-Results").is_some());
    assert!(site.sendmail.quarantined().is_empty());
}

#[test]
fn banner_stands_before_what_a_message_says() {
    let scratch = Scratch::for_sendmail();
    let config = policy("outside", "then = { tag = { banner = \"From outside.\" } }");
    let site = Site::builder(&scratch, &config).start();
    let plain = message("a@example.net", "plain", "Hello\n.\nthere");
    assert!(site.send_to_alice("a@example.net", plain).is_accepted());
    let arrived = site.sink.wait_for_subject("plain");
    assert_eq!(arrived.body(), "From outside.\r\n\r\nHello\r\n.\r\nthere\r\n");
    assert_eq!(arrived.all_headers("Content-Transfer-Encoding"), ["quoted-printable"]);
    let file = with_attachment("a@example.net", "file", "report.bin", &[7; 100_000]);
    assert!(site.send_to_alice("a@example.net", &file).is_accepted());
    let (_, behind) = file.split_once("Please find").expect("its text");
    let arrived = site.sink.wait_for_subject("file").body();
    assert!(arrived.contains("From outside.\r\n\r\nPlease find") && arrived.ends_with(&behind.replace('\n', "\r\n")));
}

#[test]
fn mail_is_redirected_copied_and_stripped() {
    let scratch = Scratch::for_sendmail();
    let config = policy("archive", "then = { copy = \"archive@rig.test\" }\ncontinue = true")
        + &policy("look", &format!("to = [\"{BOB}\"]\nthen = {{ redirect = \"desk@rig.test\" }}"))
        + &policy("no files", "then = { strip = { attachment = { name = \"*.bin\" } } }");
    let site = Site::builder(&scratch, &config).start();
    for (n, bob) in ["bob@rig.test", "Bob@RIG.test", "\"bob\"@rig.test"].into_iter().enumerate() {
        let subject = format!("spelled-{n}");
        let sent = message("a@example.net", &subject, "Hello");
        assert!(site.send(STRANGER, "a@example.net", &[bob, ALICE], sent).is_accepted());
        let arrived = site.sink.wait_for_subject(&subject);
        assert_eq!(sorted(&arrived), [ALICE, "archive@rig.test", "desk@rig.test"], "{bob}");
    }
    let alone = message("b@example.net", "alone", "Hello");
    assert!(site.send(STRANGER, "b@example.net", &[BOB], alone).is_accepted());
    assert_eq!(sorted(&site.sink.wait_for_subject("alone")), ["archive@rig.test", "desk@rig.test"]);
    let file = with_attachment("a@example.net", "file", "report.bin", &[7; 1000]);
    assert!(site.send_to_alice("a@example.net", &file).is_accepted());
    let body = site.sink.wait_for_subject("file").body();
    assert!(body.contains("Name: report.bin") && !body.contains("BwcHBwcH"), "{body}");
}

#[test]
fn one_recipient_is_discarded_and_the_other_never_notices() {
    let scratch = Scratch::for_sendmail();
    let config = policy("quiet", &format!("to = [\"{BOB}\"]\nthen = \"discard\""));
    let site = Site::builder(&scratch, &config).start();
    // However the client spells the recipient, Sendmail must find it again to take it off.
    for (n, bob) in ["bob@rig.test", "Bob@RIG.test", "\"bob\"@rig.test"].into_iter().enumerate() {
        let subject = format!("spelled-{n}");
        let sent = message("a@example.net", &subject, "Hello");
        assert!(site.send(STRANGER, "a@example.net", &[bob, ALICE], sent).is_accepted());
        let arrived = site.sink.wait_for_subject(&subject);
        assert_eq!(arrived.to, [ALICE], "{bob}");
    }
    let alone = site.send(STRANGER, "b@example.net", &[BOB], message("b@example.net", "alone", "Hello"));
    assert!(alone.is_accepted(), "a discarded message is taken: {alone:?}");
    assert_eq!(site.line_about("b@example.net").text("verdict"), "discard");
    assert!(site.sendmail.queue().contains("is empty"), "{}", site.sendmail.queue());
    assert_eq!(site.sink.count(), 3);
}

#[test]
fn subject_is_marked_once_and_the_body_stays() {
    let scratch = Scratch::for_sendmail();
    let config = policy(
        "outside",
        "when = { points_below = 100 }\nthen = { tag = { subject = \"[EXTERNAL]\", header = { X-Points = \"{points}\" } } }",
    );
    let site = Site::builder(&scratch, &config).start();
    let send = |from: &str, subject: &str| {
        let content = message(from, "placeholder", "Hello").replace("Subject: placeholder", subject);
        assert!(site.send_to_alice(from, content).is_accepted());
        let found = site.sink.wait_for(1).remove(0);
        site.sink.take();
        assert_eq!(found.all_headers("Subject").len(), 1, "{:?}", found.headers());
        (found.header("Subject").unwrap_or_default(), found)
    };
    let (subject, arrived) = send("a@example.net", "Subject: Offer");
    assert_eq!(subject, "[EXTERNAL] Offer");
    assert_eq!(arrived.body(), "Hello\r\n");
    assert_eq!(arrived.header("X-Points"), Some(site.line_about("a@example.net").text("points")));
    assert_eq!(send("b@example.net", "Subject: [EXTERNAL] again").0, "[EXTERNAL] again");
    assert_eq!(send("c@example.net", "Subject: =?utf-8?Q?caf=C3=A9?=").0, "[EXTERNAL] =?utf-8?Q?caf=C3=A9?=");
    assert_eq!(send("d@example.net", "Subject: 100% sure %s").0, "[EXTERNAL] 100% sure %s");
    assert_eq!(send("e@example.net", "X-None: x").0, "[EXTERNAL]");
}

#[test]
fn text_of_a_refusal_arrives_intact_whatever_signs_are_in_it() {
    let scratch = Scratch::for_sendmail();
    let text = "100% spam, 5%s off %d %% $x ${y} {z} <b> 'q'";
    let config = policy("signs", &format!("from = [\"r@example.net\"]\nthen = {{ reject = \"{text}\" }}"))
        + &policy("later", &format!("from = [\"d@example.net\"]\nthen = {{ defer = \"{text}\" }}"));
    let site = Site::builder(&scratch, &config).start();
    for (from, code) in [("r@example.net", "550 5.7.1"), ("d@example.net", "451 4.7.1")] {
        let end = site.send_to_alice(from, message(from, "x", "x")).end.expect("judged at its end");
        assert_eq!(end.to_string(), format!("{code} {text} [ref {}]", reference(&end)));
    }
    assert_eq!(site.sink.count(), 0);
}

#[test]
fn every_pair_of_dispositions_ends_as_promised_in_sendmail() {
    let scratch = Scratch::for_sendmail();
    let site = Site::builder(&scratch, &pairs::policies()).start();
    pairs::play(
        &site.sink,
        |from, to, message| site.send(STRANGER, from, to, message),
        || site.sendmail.quarantined().len(),
    );
    pairs::all_are_kept(|arguments| site.mailward.command(arguments));
}
