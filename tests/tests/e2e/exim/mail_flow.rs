//! Mail goes through Exim and Mailward, and arrives as it was sent.

use mailward_tests::dkim::Signer;
use mailward_tests::dns::Dns;
use mailward_tests::postfix::HOST;
use mailward_tests::scratch::Scratch;
use mailward_tests::sink::Message;

use super::{BY_ACL, BY_LOCAL_SCAN, Site, code};
use crate::site::{ALICE, BOB, STRANGER, message};

/// The results that Mailward has added.
fn results(message: &Message) -> String {
    let all = message.all_headers("Authentication-Results");
    let own: Vec<_> = all.into_iter().filter(|field| field.starts_with(&format!("{HOST};"))).collect();
    assert_eq!(own.len(), 1, "one field of ours: {:?}", message.headers());
    own[0].clone()
}

#[test]
fn clean_mail_arrives_with_authentication_results_and_its_queue_id_in_history() {
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let dns = Dns::builder().txt("example.net", &format!("v=spf1 ip4:{STRANGER} -all"));
        let site = Site::builder_by(&scratch, way, "").dns(dns).start();
        let sent = message("ann@example.net", "clean", "Dear Alice, see you on Monday.");
        let delivery = site.send_to_alice("ann@example.net", &sent);
        assert!(delivery.is_accepted(), "{delivery:?}\n{}", site.exim.log());
        let arrived = &site.sink.wait_for(1)[0];
        assert_eq!((arrived.from.as_str(), arrived.to.as_slice()), ("ann@example.net", [ALICE.to_owned()].as_slice()));
        assert_eq!(arrived.body(), "Dear Alice, see you on Monday.\r\n");
        assert_eq!(arrived.headers()[0].0, "Authentication-Results", "above all others");
        let results = results(arrived);
        for result in ["spf=pass smtp.mailfrom=ann@example.net", "dkim=none", "dmarc=none"] {
            assert!(results.contains(result), "{result} in {results}");
        }
        let end = delivery.end.expect("the message was taken");
        let id = end.text().rsplit_once("id=").expect("Exim names the queue id").1.to_owned();
        site.exim.wait_for_log(&format!("{id} mailward: accepted, reference "));
        let log = site.exim.log();
        let reference =
            log.split("accepted, reference ").nth(1).expect("it was logged").lines().next().expect("a line");
        let explained = site.ask(&["explain", reference]);
        for word in [STRANGER, "client.example.net", "ann@example.net", &id] {
            assert!(explained.contains(word), "{word} in {explained}");
        }
    }
}

#[test]
fn several_messages_share_a_connection_and_an_interrupted_one_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let config = "[[policy]]\nname = \"to bob\"\nto = [\"bob@rig.test\"]\n\
                  then = { tag = { header = { X-Bob = \"yes\" } } }\n";
    let site = Site::builder(&scratch, config).start();
    let mut client = site.exim.client_from(STRANGER);
    for number in 1..=3 {
        assert!(client.mail("a@example.net").is_positive());
        assert_eq!(code(&client.rcpt(BOB)), "250 ");
        // A new EHLO ends a transaction as RSET does.
        if number == 2 {
            client.ehlo("client.example.net")
        } else {
            client.rset()
        };
        let sent = message("a@example.net", &format!("number {number}"), "Hello");
        assert!(client.send("a@example.net", &[ALICE], sent).is_accepted());
    }
    for arrived in site.sink.wait_for(3) {
        assert_eq!(arrived.to, [ALICE]);
        assert_eq!(arrived.header("X-Bob"), None, "Bob was a recipient before RSET only");
        results(&arrived);
    }
    assert!(!site.exim.log().contains("status "), "no call failed: {}", site.exim.log());
}

#[test]
fn large_message_with_a_signature_that_forgives_no_change_is_good_before_and_after_exim() {
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let signer = Signer::new(&scratch, "signed.example", "s1").simple();
        let dns = Dns::builder().txt(&signer.record_name(), &signer.record_value());
        let site = Site::builder_by(&scratch, way, "").dns(dns).start();
        let odd = format!(
            "Received: from a.example by b.example; Sat, 21 Nov 2026 09:59:00 +0000\n\
             From:  Ann   Example <good@signed.example>\nTo:alice@rig.test\nSubject:\tone\n\ttwo\n  three \n\
             X-Folded: one\n  two\n\tthree\nX-Percent: 100% %s %%\n\
             Date: Sat, 21 Nov 2026 10:00:00 +0000\nMessage-ID: <odd.1@signed.example>\n\n\
             .leading dot\ntrailing blanks  \t\n\ncaf\u{e9}\n{}end\n\n\n",
            "A line of sixty-three bytes, so that no server has to cut it.\n".repeat(34_000)
        );
        let sent = signer.sign(&odd);
        assert!(sent.len() > 2_000_000);
        let delivery = site.send_to_alice("good@signed.example", &sent);
        assert!(delivery.is_accepted(), "{delivery:?}");
        let arrived = &site.sink.wait_for(1)[0];
        let found = results(arrived);
        assert!(found.contains("dkim=pass header.d=signed.example"), "{found}");
        let raw = String::from_utf8_lossy(&arrived.raw);
        assert!(raw.ends_with(&sent), "what Exim delivers still bears the signature:\n{}", &raw[..2_000]);
    }
}

#[test]
fn received_of_the_client_is_judged_and_the_one_of_exim_itself_is_not() {
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let config = "[[policy]]\nname = \"relayed\"\nwhen = { header = { name = \"Received\", present = true } }\n\
                      then = { tag = { header = { X-Relayed = \"yes\" } } }\n";
        let site = Site::builder_by(&scratch, way, config).start();
        let direct = message("a@example.net", "direct", "Hello");
        let relayed = "Received: from a.example by b.example; Sat, 21 Nov 2026 09:59:00 +0000\n".to_owned()
            + &message("b@example.net", "relayed", "Hello");
        assert!(site.send_to_alice("a@example.net", direct).is_accepted());
        assert!(site.send_to_alice("b@example.net", relayed).is_accepted());
        assert_eq!(site.sink.wait_for_subject("direct").header("X-Relayed"), None);
        assert_eq!(site.sink.wait_for_subject("relayed").header("X-Relayed").as_deref(), Some("yes"));
    }
}

#[test]
fn results_forged_in_our_name_are_removed_and_those_of_others_stay() {
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let site = Site::builder_by(&scratch, way, "").start();
        let forged = format!(
            "Authentication-Results: {HOST}; spf=pass smtp.mailfrom=bank.example\n\
             Authentication-Results: other.example; dkim=pass header.d=kept.example\n\
             Authentication-Results: {}\n 1; dmarc=pass header.from=bank.example\n\
             AUTHENTICATION-RESULTS: third.example; none\n",
            HOST.to_uppercase()
        );
        let sent = forged + &message("ceo@bank.example", "forged", "Hello");
        assert!(site.send_to_alice("ceo@bank.example", sent).is_accepted());
        let arrived = &site.sink.wait_for(1)[0];
        assert!(!results(arrived).contains("=pass"));
        let all = arrived.all_headers("Authentication-Results");
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(all.iter().any(|field| field == "other.example; dkim=pass header.d=kept.example"), "{all:?}");
        assert!(all.iter().any(|field| field == "third.example; none"), "{all:?}");
    }
}

/// With this option Exim keeps a message that came by BDAT as it was on the wire.
#[test]
fn message_that_came_by_bdat_is_good_before_and_after_exim_in_both_formats_of_the_spool() {
    for wire_format in ["false", "true"] {
        let scratch = Scratch::new();
        let signer = Signer::new(&scratch, "signed.example", "s1").simple();
        let dns = Dns::builder().txt(&signer.record_name(), &signer.record_value());
        let setting = format!("spool_wireformat = {wire_format}");
        let site = Site::builder(&scratch, "").dns(dns).exim(|exim| exim.setting(&setting)).start();
        let sent = signer.sign(&message("good@signed.example", "in one piece", "one\n.two\n.\n\nthree"));
        let mut client = site.exim.client_from(STRANGER);
        assert!(client.mail("good@signed.example").is_positive() && client.rcpt(ALICE).is_positive());
        client.write(format!("BDAT {} LAST\r\n{sent}", sent.len()).as_bytes());
        let reply = client.read();
        assert_eq!(reply.code, 250, "{reply}");
        let arrived = &site.sink.wait_for(1)[0];
        assert!(results(arrived).contains("dkim=pass"), "{}", results(arrived));
        assert!(String::from_utf8_lossy(&arrived.raw).ends_with(&sent), "{wire_format}");
    }
}
