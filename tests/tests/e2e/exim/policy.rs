//! The site's policies: what each recipient gets, and what the client hears.

use mailward_tests::clamd;
use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::scratch::Scratch;

use super::{BY_ACL, BY_LOCAL_SCAN, Site, code, flat};
use crate::pairs;
use crate::site::{ALICE, BOB, CAROL, STRANGER, message, reference, with_attachment};

/// A `[[policy]]`; `more` are its other keys.
fn policy(name: &str, more: &str) -> String {
    format!("[[policy]]\nname = \"{name}\"\n{more}\n")
}

#[test]
fn malware_is_refused_with_our_code_and_text() {
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let site = Site::builder_by(&scratch, way, "").start();
        let eicar = String::from_utf8(clamd::eicar()).expect("it is text");
        let delivery = site.send_to_alice("a@example.net", message("a@example.net", "eicar", &eicar));
        let end = delivery.end.expect("judged at its end");
        assert_eq!(code(&end), "550 5.7.1", "{end}");
        let explained = site.ask(&["explain", &reference(&end)]);
        assert!(explained.contains("malware.yara.eicar_test_file"), "{explained}");
        assert!(site.send_to_alice("b@example.net", message("b@example.net", "clean", "No virus.")).is_accepted());
        assert_eq!(site.sink.wait_for(1)[0].from, "b@example.net");
        assert_eq!(site.exim.queue(), []);
    }
}

#[test]
fn text_of_a_refusal_arrives_intact_whatever_signs_are_in_it() {
    let text = "100% spam, 5%s off %d %% $x ${y} {z} <b> 'q'";
    let config = policy("signs", &format!("from = [\"r@example.net\"]\nthen = {{ reject = \"{text}\" }}"))
        + &policy("later", &format!("from = [\"d@example.net\"]\nthen = {{ defer = \"{text}\" }}"));
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let site = Site::builder_by(&scratch, way, &config).start();
        for (from, expected) in [("r@example.net", "550 5.7.1"), ("d@example.net", "451 4.7.1")] {
            let end = site.send_to_alice(from, message(from, "x", "x")).end.expect("judged at its end");
            assert_eq!(code(&end), expected, "{end}");
            assert_eq!(flat(&end), format!("{text} [ref {}]", reference(&end)));
        }
        assert_eq!(site.sink.count(), 0);
    }
}

#[test]
fn three_recipients_of_one_message_get_three_outcomes() {
    let config = policy("no news", &format!("to = [\"{CAROL}\"]\nthen = \"discard\""))
        + &policy("wary", &format!("to = [\"{BOB}\"]\nthen = {{ tag = {{ header = {{ X-Wary = \"yes\" }} }} }}"));
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let site = Site::builder_by(&scratch, way, &config).start();
        // However the client spells the recipient, the plugin must find it again to take it off.
        for (n, carol) in [CAROL, "Carol@RIG.test", "\"carol\"@rig.test"].into_iter().enumerate() {
            let subject = format!("spelled-{n}");
            let sent = message("a@example.net", &subject, "Hello");
            assert!(site.send(STRANGER, "a@example.net", &[carol, ALICE, BOB], sent).is_accepted());
            let arrived = site.sink.wait_for_subject(&subject);
            assert_eq!(arrived.to, [ALICE, BOB], "{carol}");
            assert_eq!(arrived.header("X-Wary").as_deref(), Some("yes"), "{:?}", arrived.headers());
        }
        let alone = site.send(STRANGER, "b@example.net", &[CAROL], message("b@example.net", "alone", "Hello"));
        assert!(alone.is_accepted(), "a discarded message is taken: {alone:?}");
        site.exim.wait_for_log("mailward: discarded, reference ");
        assert_eq!((site.exim.queue(), site.sink.count()), (Vec::new(), 3));
    }
}

#[test]
fn banner_is_not_for_exim_and_the_explanation_says_so() {
    let config = policy("outside", "then = { tag = { banner = \"From outside.\", header = { X-Outside = \"yes\" } } }");
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let site = Site::builder_by(&scratch, way, &config).start();
        assert!(site.send_to_alice("a@example.net", message("a@example.net", "plain", "Hello")).is_accepted());
        let arrived = site.sink.wait_for_subject("plain");
        assert_eq!((arrived.body().as_str(), arrived.header("X-Outside").as_deref()), ("Hello\r\n", Some("yes")));
        let log = site.exim.log();
        let (_, reference) = log.rsplit_once("accepted, reference ").unwrap_or_else(|| panic!("a reference in {log}"));
        let explained = site.ask(&["explain", &reference[..10]]);
        assert!(explained.contains("banner: the host cannot replace a body"), "{explained}");
    }
}

#[test]
fn mail_is_redirected_and_copied_and_files_are_not_for_exim_to_take_off() {
    let config = policy("archive", "then = { copy = \"archive@rig.test\" }\ncontinue = true")
        + &policy("look", &format!("to = [\"{CAROL}\"]\nthen = {{ redirect = \"desk@rig.test\" }}"))
        + &policy("no files", "then = { strip = { attachment = { name = \"*.bin\" } } }");
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let site = Site::builder_by(&scratch, way, &config).start();
        for (n, carol) in [CAROL, "Carol@RIG.test"].into_iter().enumerate() {
            let subject = format!("spelled-{n}");
            let sent = message("a@example.net", &subject, "Hello");
            assert!(site.send(STRANGER, "a@example.net", &[carol, ALICE], sent).is_accepted());
            let mut to = site.sink.wait_for_subject(&subject).to;
            to.sort_unstable();
            assert_eq!(to, [ALICE, "archive@rig.test", "desk@rig.test"], "{carol}");
        }
        let alone = message("b@example.net", "alone", "Hello");
        assert!(site.send(STRANGER, "b@example.net", &[CAROL], alone).is_accepted());
        let mut to = site.sink.wait_for_subject("alone").to;
        to.sort_unstable();
        assert_eq!(to, ["archive@rig.test", "desk@rig.test"]);
        let file = with_attachment("a@example.net", "file", "report.bin", &[7; 1000]);
        let end = site.send_to_alice("a@example.net", &file).end.expect("judged at its end");
        assert_eq!(code(&end), "550 5.7.1", "{end}");
        let explained = site.ask(&["explain", &reference(&end)]);
        assert!(explained.contains("strip: the host cannot replace a body"), "{explained}");
    }
}

#[test]
fn held_message_is_frozen_in_the_queue_until_its_release() {
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let config = policy("look at it first", "from = [\"*@example.net\"]\nthen = \"hold\"");
        let site = Site::builder_by(&scratch, way, &config).start();
        let sent = message("a@example.net", "held", "Hello");
        assert!(site.send(STRANGER, "a@example.net", &[ALICE, BOB], sent).is_accepted());
        let queue = site.exim.queue();
        assert_eq!(queue.len(), 1, "{queue:?}");
        assert_eq!((queue[0].frozen, queue[0].to.len()), (true, 2), "{queue:?}");
        let log = site.exim.log();
        assert!(log.lines().any(|line| line.contains("frozen: ") && line.contains("look at it first")), "{log}");
        assert!(site.send_to_alice("b@example.org", message("b@example.org", "not held", "Hello")).is_accepted());
        site.sink.wait_for_subject("not held");
        assert_eq!(site.sink.count(), 1, "what came later has arrived, what is held has not");

        site.exim.release(&queue[0].id);
        let arrived = site.sink.wait_for(2).remove(1);
        assert_eq!(arrived.to, [ALICE, BOB]);
        assert!(arrived.header("Authentication-Results").is_some());
        wait_until(PATIENCE, "the queue is empty", || site.exim.queue().is_empty());
    }
}

#[test]
fn subject_is_marked_once_and_the_body_stays() {
    let config = policy(
        "outside",
        "when = { points_below = 100 }\nthen = { tag = { subject = \"[EXTERNAL]\", header = { X-Points = \"{points}\" } } }",
    );
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let site = Site::builder_by(&scratch, way, &config).start();
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
        assert!(arrived.header("X-Points").is_some(), "{:?}", arrived.headers());
        assert_eq!(send("b@example.net", "Subject: [EXTERNAL] again").0, "[EXTERNAL] again");
        assert_eq!(send("c@example.net", "Subject: =?utf-8?Q?caf=C3=A9?=").0, "[EXTERNAL] =?utf-8?Q?caf=C3=A9?=");
        assert_eq!(send("d@example.net", "Subject: 100% sure %s").0, "[EXTERNAL] 100% sure %s");
        assert_eq!(send("e@example.net", "X-None: x").0, "[EXTERNAL]");
    }
}

#[test]
fn every_pair_of_dispositions_ends_as_promised_in_exim() {
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let site = Site::builder_by(&scratch, way, &pairs::policies()).start();
        let frozen = || site.exim.queue().iter().filter(|message| message.frozen).count();
        pairs::play(&site.sink, |from, to, message| site.send(STRANGER, from, to, message), frozen);
        pairs::all_are_kept(|arguments| site.exim.mailward(arguments));
    }
}
