//! Bounds: past one, a finding says so or the message is put off; nothing breaks.

use std::time::Duration;

use mailward_tests::clamd::eicar;
use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::milter::{Answer, MilterClient, Parts};
use mailward_tests::scratch::Scratch;
use mailward_tests::traffic::{Mail, Traffic};

use crate::site::{ALICE, BOB, CAROL, STRANGER, Site, message};

/// The test text of spam filters (GTUBE), put together here so that no filter objects to this source.
pub(crate) fn gtube() -> String {
    ["XJS*C4JDBQADN1.NSBN3*2IDNEN*", "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL", "*C.34X"].concat()
}

/// A body of about this many bytes.
fn filler(bytes: usize) -> String {
    "All work and no play makes Jack a dull boy.\n".repeat(bytes / 44 + 1)
}

#[test]
fn message_past_the_size_limit_is_judged_by_its_beginning_and_says_so() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "[limits]\nmessage_bytes = \"64 KiB\"\n").start();
    let send = |from: &str, body: &str| site.send(STRANGER, from, &[ALICE], message(from, "large", body));
    let large = filler(300_000);
    assert!(send("large@example.net", &large).is_accepted());
    assert!(site.line_about("large@example.net").found("limit.message-bytes"));
    let arrived = site.sink.wait_for_subject("large");
    assert!(arrived.raw.len() > 300_000, "it arrives whole");

    let spam = send("spam@example.net", &format!("{}\n{large}", gtube()));
    assert_eq!((spam.last().code, spam.last().enhanced()), (550, Some("5.7.1")), "{}", spam.last());
    assert!(site.line_about("spam@example.net").found("limit.message-bytes"));

    assert!(send("small@example.net", &filler(50_000)).is_accepted());
    assert!(!site.line_about("small@example.net").found("limit.message-bytes"));
}

#[test]
fn recipients_past_the_limit_are_asked_to_come_in_another_message() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "[limits]\nrecipients = 2\n").start();
    let mut client = site.postfix.client_from(STRANGER);
    let sent = client.send("a@example.net", &[ALICE, BOB, CAROL], message("a@example.net", "first", "Hello"));
    assert!(sent.is_accepted(), "{}", sent.last());
    assert_eq!((sent.rcpt[2].code, sent.rcpt[2].enhanced()), (452, Some("4.5.3")), "{}", sent.rcpt[2]);
    assert_eq!(site.sink.wait_for(1)[0].to, [ALICE, BOB]);
    assert!(client.send("a@example.net", &[CAROL], message("a@example.net", "second", "Hello")).is_accepted());
}

#[test]
fn second_message_at_a_time_is_put_off_where_one_is_the_limit() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "[limits]\nmessages_in_flight = 1\n").start();
    let (mut first, mut second) = (site.postfix.client_from(STRANGER), site.postfix.client_from("203.0.113.9"));
    assert!(first.mail("first@example.net").is_positive());
    let put_off = second.mail("second@example.net");
    assert_eq!((put_off.code, put_off.enhanced()), (452, Some("4.3.1")), "{put_off}");
    assert!(first.rcpt(ALICE).is_positive());
    assert_eq!(first.data().code, 354);
    assert_eq!(first.content(message("first@example.net", "first", "Hello")).code, 250);
    assert!(second.send("second@example.net", &[ALICE], message("second@example.net", "two", "Hello")).is_accepted());

    // The place comes back also when a message is given up, or its client. Postfix tells of RSET with the next command.
    let connect = || {
        let mut client = MilterClient::tcp(site.mailward.address()).expect("the daemon negotiates");
        client.hello([198, 51, 100, 8].into(), "client.example.net").expect("an answer");
        client
    };
    let (mut first, mut second) = (connect(), connect());
    assert!(first.mail("first@example.net").expect("an answer").is_positive());
    assert_eq!(second.mail("second@example.net").expect("an answer").code(), 452);
    first.abort().expect("the daemon listens");
    wait_until(PATIENCE, "the place of a message that was given up comes back", || {
        second.mail("second@example.net").expect("an answer").is_positive()
    });
    drop(second);
    wait_until(PATIENCE, "the place of a client that is gone comes back", || {
        first.mail("first@example.net").expect("an answer").is_positive()
    });
    site.sink.wait_for(2);
}

#[test]
fn memory_for_all_messages_together_is_bounded_and_given_back() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "[limits]\nbytes_in_flight = \"256 KiB\"\n").start();
    let traffic = Traffic::new(site.postfix.address(), 6, 3, |_| {
        let text = format!("From: a@example.net\nSubject: traffic\n\n{}", filler(200_000));
        Mail { from: "a@example.net".to_owned(), to: ALICE.to_owned(), text }
    });
    for sent in traffic.run(40) {
        assert!(sent.is_accepted() || sent.reply.code == 451 || sent.reply.code == 452, "{sent:?}");
    }
    let too_much = site.send(STRANGER, "much@example.net", &[ALICE], message("a@example.net", "x", &filler(300_000)));
    assert!(too_much.last().is_temporary(), "{}", too_much.last());
    // Of those that came together it is chance who got the memory, if one did; who comes alone gets it.
    let alone = site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "x", &filler(200_000)));
    assert!(alone.is_accepted(), "{}", alone.last());
    traffic.account(&site.sink);
}

#[test]
fn bombs_of_headers_are_judged_and_say_so() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    let many: String = (0..5_000).map(|n| format!("X-Bomb-{n}: {n}\n")).collect();
    let long = format!("X-Long: {}\n", "a ".repeat(40_000)).repeat(30);
    for (from, bomb, finding) in
        [("many@example.net", many, "limit.header-count"), ("long@example.net", long, "limit.header-bytes")]
    {
        let text = format!("{bomb}{}", message(from, "bomb", "Hello"));
        let reply = site.send(STRANGER, from, &[ALICE], text).last().clone();
        assert!(reply.is_positive() || reply.is_permanent() || reply.is_temporary(), "{reply}");
        let line = site.line_about(from);
        assert!(line.found(finding), "{finding} in {line:?}");
        assert_eq!(line.text("verdict") == "deliver" || line.text("verdict") == "tag", reply.is_positive(), "{line:?}");
    }
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "a", "Hello")).is_accepted());
}

#[test]
fn malware_in_the_last_of_nearly_a_thousand_parts_is_found() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    let send = |from: &str, parts: usize, last: &str| {
        let mut body = String::new();
        for n in 0..parts {
            body.push_str(&format!("--cut\nContent-Type: text/plain; name=\"{n}.txt\"\n\nPart {n}\n"));
        }
        let text = format!(
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=cut\nFrom: {from}\nTo: {ALICE}\nSubject: parts\n\n\
             {body}--cut\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=last.com\n\
             Content-Transfer-Encoding: base64\n\n{last}\n--cut--\n"
        );
        site.send(STRANGER, from, &[ALICE], text).last().clone()
    };
    let malware = mailward_tests::base64::encode(&eicar());
    assert!(send("clean@example.net", 900, "SGVsbG8=").is_positive());
    let reply = send("malware@example.net", 900, &malware);
    assert_eq!((reply.code, reply.enhanced()), (550, Some("5.7.1")), "{reply}");
    // Past the bound of parts nothing is taken apart any more: it is refused for that, or a finding names the bound.
    let reply = send("beyond@example.net", 3_000, &malware);
    let reference = site.line_about("beyond@example.net").text("reference");
    let explained = || site.mailward.command(&["explain", &reference]);
    wait_until(PATIENCE, "history is written", || explained().status.success());
    let explained = String::from_utf8_lossy(&explained().stdout).into_owned();
    assert!(!reply.is_positive() || explained.contains("part-limit"), "{explained}");
}

#[test]
fn what_no_mta_would_send_ends_that_connection_and_no_other() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    let connect = || MilterClient::tcp(site.mailward.address()).expect("the daemon negotiates");
    let stranger = "198.51.100.7".parse().expect("an address");
    let plain = Parts::of(b"From: a@example.net\nSubject: raw\n\nHello\n");

    // Commands out of their order: a message without MAIL, RCPT without MAIL, two MAIL in a row.
    let mut odd = connect();
    odd.set_patience(Duration::from_millis(500));
    let _ = odd.hello(stranger, "client.example.net");
    assert!(!matches!(odd.message(&plain), Ok(Answer::Accept | Answer::Continue)), "nothing passes without a sender");
    let mut odd = connect();
    odd.set_patience(Duration::from_millis(500));
    let _ = odd.hello(stranger, "client.example.net");
    let _ = odd.rcpt(ALICE);
    drop(odd);

    let mut good = connect();
    assert!(good.hello(stranger, "client.example.net").expect("an answer").is_positive());
    assert!(good.mail("a@example.net").expect("an answer").is_positive());
    assert!(good.mail("b@example.net").expect("an answer").is_positive(), "a new MAIL begins anew, as with Sendmail");
    assert!(good.rcpt(ALICE).expect("an answer").is_positive());
    // A body of bytes that no mail has, NUL and all, ten megabytes long.
    let mut noise = b"From: a@example.net\nSubject: raw\n\n".to_vec();
    noise.extend((0..10_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
    assert!(good.message(&Parts::of(&noise)).expect("an answer").is_positive());
    let adds_results = |(letter, text): &(char, Vec<u8>)| {
        *letter == 'i' && String::from_utf8_lossy(text).contains("Authentication-Results")
    };
    assert!(good.edits().iter().any(adds_results), "it was judged: {:?}", good.edits());
    good.quit().expect("the daemon listens to the end");
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "a", "Hello")).is_accepted());
}
