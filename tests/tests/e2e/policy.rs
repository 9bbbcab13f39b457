//! The site's policies, end to end: what each recipient gets, and what the client hears.

use mailward_tests::dns::Dns;
use mailward_tests::scratch::Scratch;
use mailward_tests::slapd::{Group, Person, Slapd};
use mailward_tests::tls::Authority;

use crate::site::{ALICE, BOB, CAROL, STRANGER, Site, directory, message, reference, with_attachment};

/// A `[[policy]]`; `more` are its other keys.
fn policy(name: &str, more: &str) -> String {
    format!("[[policy]]\nname = \"{name}\"\n{more}\n")
}

#[test]
fn three_recipients_of_one_message_get_three_outcomes() {
    let scratch = Scratch::new();
    let config = policy("no news", &format!("to = [\"{CAROL}\"]\nthen = \"discard\""))
        + &policy("wary", &format!("to = [\"{BOB}\"]\nthen = {{ tag = {{ header = {{ X-Wary = \"yes\" }} }} }}"));
    let site = Site::builder(&scratch, &config).start();
    let sent = message("a@example.net", "three", "Hello");
    let delivery = site.send(STRANGER, "a@example.net", &[ALICE, BOB, CAROL], sent);
    assert!(delivery.is_accepted(), "{delivery:?}");
    let arrived = site.sink.wait_for_subject("three");
    assert_eq!(arrived.to, [ALICE, BOB]);
    assert_eq!(arrived.header("X-Wary").as_deref(), Some("yes"), "{:?}", arrived.headers());
    let line = site.line_about("a@example.net");
    assert_eq!(line.text("to"), "<alice@rig.test>=deliver,<bob@rig.test>=tag,<carol@rig.test>=discard");
    assert!(line.text("because").contains("policy \"no news\""), "{line:?}");
}

#[test]
fn refusal_for_one_of_several_becomes_a_mark_and_for_all_is_a_refusal() {
    let scratch = Scratch::new();
    let config = policy("no mail for bob", &format!("to = [\"{BOB}\"]\nthen = \"reject\""));
    let site = Site::builder(&scratch, &config).start();
    let mixed = site.send(STRANGER, "mixed@example.net", &[ALICE, BOB], message("mixed@example.net", "mixed", "Hello"));
    assert!(mixed.is_accepted(), "{mixed:?}");
    let arrived = site.sink.wait_for_subject("mixed");
    assert_eq!((arrived.to.len(), arrived.header("X-Mailward-Flag").as_deref()), (2, Some("yes")));
    let line = site.line_about("mixed@example.net");
    assert_eq!(line.text("to"), "<alice@rig.test>=deliver,<bob@rig.test>=tag");
    assert_eq!(line.text("wanted"), "<bob@rig.test>=reject");

    let alone = site.send(STRANGER, "alone@example.net", &[BOB], message("alone@example.net", "alone", "Hello"));
    let end = alone.end.expect("policies are asked at the end of the message");
    assert_eq!((end.code, end.enhanced()), (550, Some("5.7.1")), "{end}");
    assert!(site.explain(&reference(&end)).contains("no mail for bob"));
    assert_eq!(site.sink.count(), 1);
}

#[test]
fn held_message_lies_in_the_hold_queue_of_postfix_until_its_release() {
    let scratch = Scratch::new();
    let config = policy("look at it first", "from = [\"*@example.net\"]\nthen = \"hold\"");
    let site = Site::builder(&scratch, &config).start();
    let sent = message("a@example.net", "held", "Hello");
    assert!(site.send(STRANGER, "a@example.net", &[ALICE, BOB], sent).is_accepted());
    let line = site.line_about("a@example.net");
    assert_eq!(line.text("verdict"), "hold", "{line:?}");
    let held = site.postfix.held();
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(
        (held[0].id.clone(), held[0].to.clone()),
        (line.text("queue_id"), vec![ALICE.to_owned(), BOB.to_owned()])
    );
    let other = message("b@example.org", "not held", "Hello");
    assert!(site.send(STRANGER, "b@example.org", &[ALICE], other).is_accepted());
    site.sink.wait_for_subject("not held");
    assert_eq!(site.sink.count(), 1, "what came later has arrived, what is held has not");

    site.postfix.release(&held[0].id);
    site.postfix.flush();
    let arrived = site.sink.wait_for(2).remove(1);
    assert_eq!(arrived.to, [ALICE, BOB]);
    assert!(arrived.header("Authentication-Results").is_some());
}

#[test]
fn one_recipient_is_discarded_and_the_other_never_notices() {
    let scratch = Scratch::new();
    let config = policy("quiet", &format!("to = [\"{BOB}\"]\nthen = \"discard\""));
    let site = Site::builder(&scratch, &config).start();
    // However the client spells the recipient, Postfix must find it again to take it off.
    for (n, bob) in ["bob@rig.test", "Bob@RIG.test", "\"bob\"@rig.test"].into_iter().enumerate() {
        let subject = format!("spelled-{n}");
        let delivery = site.send(STRANGER, "a@example.net", &[bob, ALICE], message("a@example.net", &subject, "Hello"));
        assert!(delivery.is_accepted(), "{delivery:?}");
        let arrived = site.sink.wait_for_subject(&subject);
        assert_eq!(arrived.to, [ALICE], "{bob}");
        assert_eq!(arrived.header("X-Mailward-Flag"), None);
    }
    let alone = site.send(STRANGER, "b@example.net", &[BOB], message("b@example.net", "alone", "Hello"));
    assert!(alone.is_accepted(), "a discarded message is taken: {alone:?}");
    let line = site.line_about("b@example.net");
    assert_eq!(line.text("verdict"), "discard");
    assert!(site.explain(&line.text("reference")).contains("quiet"), "a discard is on record");
    assert_eq!(site.sink.count(), 3);
}

#[test]
fn subject_is_marked_once_and_the_body_stays() {
    let scratch = Scratch::new();
    let config = policy(
        "outside",
        "when = { points_below = 100 }\nthen = { tag = { subject = \"[EXTERNAL]\", header = { X-Points = \"{points}\" } } }",
    );
    let site = Site::builder(&scratch, &config).start();
    let send = |from: &str, subject: &str| {
        let content = message(from, "placeholder", "Hello").replace("Subject: placeholder", subject);
        assert!(site.send(STRANGER, from, &[ALICE], content).is_accepted());
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

/// As it is written in quoted-printable too.
const BANNER: &str = "This message comes from outside.";

fn outside() -> String {
    policy("outside", &format!("then = {{ tag = {{ banner = \"{BANNER}\" }} }}"))
}

#[test]
fn banner_stands_before_what_a_message_says() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, &outside()).start();
    let send = |subject: &str, content: &str| {
        let delivery = site.send(STRANGER, "a@example.net", &[ALICE], content);
        assert!(delivery.is_accepted(), "{delivery:?}");
        site.sink.wait_for_subject(subject)
    };
    let plain = send("plain", &message("a@example.net", "plain", "Hello\n.\nthere"));
    assert_eq!(plain.body(), format!("{BANNER}\r\n\r\nHello\r\n.\r\nthere\r\n"));
    assert_eq!(plain.header("Content-Type").as_deref(), Some("text/plain; charset=utf-8"));
    assert_eq!(plain.header("Content-Transfer-Encoding").as_deref(), Some("quoted-printable"));

    let umlaut = message("a@example.net", "umlaut", "Gr\u{fc}\u{df}e").replacen(
        "Subject:",
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\nSubject:",
        1,
    );
    let umlaut = send("umlaut", &umlaut);
    assert!(umlaut.body().ends_with("Gr=C3=BC=C3=9Fe\r\n"), "{}", umlaut.body());
    for name in ["Content-Type", "Content-Transfer-Encoding", "MIME-Version"] {
        assert_eq!(umlaut.all_headers(name).len(), 1, "{:?}", umlaut.headers());
    }

    let file = with_attachment("a@example.net", "file", "report.bin", &[7; 100_000]);
    let came = send("file", &file);
    let (before, behind) = file.split_once("Please find").expect("its text");
    assert!(came.body().contains(&format!("\r\n\r\n{BANNER}\r\n\r\nPlease find")), "{}", &came.body()[..400]);
    assert!(came.body().ends_with(&behind.replace('\n', "\r\n")), "the file is as it was");
    assert!(before.contains("=cut="), "it has parts");
    let line = site.lines_about("a@example.net", 3);
    assert!(line.iter().all(|line| line.text("verdict") == "tag"), "{line:?}");
}

#[test]
fn banner_spares_sealed_messages_and_recipients_who_do_not_all_want_it() {
    let scratch = Scratch::new();
    let config = policy("plain for bob", &format!("to = [\"{BOB}\"]\nthen = \"deliver\"")) + &outside();
    let config = format!("[limits]\nmessage_bytes = \"64 KiB\"\n{config}");
    let site = Site::builder(&scratch, &config).start();
    let both = site.send(STRANGER, "a@example.net", &[ALICE, BOB], message("a@example.net", "both", "Hello"));
    assert!(both.is_accepted());
    assert_eq!(site.sink.wait_for_subject("both").body(), "Hello\r\n");

    let body = "--b\nContent-Type: text/plain\n\nHello\n--b\nContent-Type: application/pgp-signature\n\nx\n--b--";
    let head = "MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=b\nSubject: sealed";
    let sealed = message("s@example.net", "sealed", body).replace("Subject: sealed", head);
    assert!(site.send(STRANGER, "s@example.net", &[ALICE], sealed).is_accepted());
    assert_eq!(site.sink.wait_for_subject("sealed").body(), format!("{}\r\n", body.replace('\n', "\r\n")));
    let explain = |from: &str| site.explain(&site.line_about(from).text("reference"));
    assert!(explain("s@example.net").contains("banner: it is signed"), "{}", explain("s@example.net"));

    // Past the limit only the beginning is here: the rest must not be lost.
    let long = format!("{}end", "0123456789 abcdefghijklmnopqrstuvwxyz\n".repeat(4_000));
    let sent = message("l@example.net", "long", &long);
    assert!(site.send(STRANGER, "l@example.net", &[ALICE], sent).is_accepted());
    assert_eq!(site.sink.wait_for_subject("long").body(), format!("{}\r\n", long.replace('\n', "\r\n")));
    assert!(explain("l@example.net").contains("banner: the message is too large"), "{}", explain("l@example.net"));
}

#[test]
fn trial_touches_nobody_outside_its_list() {
    let scratch = Scratch::new();
    let people = scratch.file("people.csv", "alice@rig.test\nbob@rig.test\n");
    let config =
        format!(
            "[trial]\nrecipients = [\"{ALICE}\"]\n[directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n\
         [reputation]\ndeny = [\"203.0.113.0/24\"]\n",
            people.display()
        ) + &policy("no gifts", "when = { header = { name = \"Subject\", contains = \"gift\" } }\nthen = \"reject\"");
    let site = Site::builder(&scratch, &config).dns(Dns::builder()).start();
    let answer = |client: &str, from: &str, to: &str| {
        site.send(client, from, &[to], message(from, &format!("gift {from}"), "Hello")).last().clone()
    };
    assert_eq!(answer(STRANGER, "in@example.net", ALICE).enhanced(), Some("5.7.1"));
    assert!(answer(STRANGER, "out@example.net", BOB).is_positive());
    let line = site.line_about("out@example.net");
    assert_eq!(line.text("to"), "<bob@rig.test>=deliver");
    assert_eq!(line.text("wanted"), "<bob@rig.test>=reject", "what would have been done is recorded");
    let arrived = site.sink.wait_for_subject("gift out@");
    assert_eq!(arrived.header("X-Mailward-Flag"), None, "{:?}", arrived.headers());

    assert_eq!(answer("203.0.113.9", "denied-in@example.net", ALICE).enhanced(), Some("5.7.1"));
    assert!(answer("203.0.113.9", "denied-out@example.net", BOB).is_positive());
    assert!(answer(STRANGER, "unknown@example.net", "nobody@rig.test").is_positive());
    site.sink.wait_for(3);
}

#[test]
fn policy_applies_to_members_of_a_group_of_the_directory() {
    let scratch = Scratch::new();
    let slapd = Slapd::builder()
        .person(Person::new("alice", "rig.test").alias("a.liddell@rig.test"))
        .person(Person::new("bob", "rig.test"))
        .group(Group::new("finance", "rig.test", &["alice"]))
        .start(&scratch, &Authority::new(&scratch));
    let config = directory(&scratch, &slapd, "group_filter = \"(member={dn})\"")
        + &policy(
            "finance gets no programs",
            "to = [\"group:finance\"]\nwhen = { attachment = { name = \"*.vbs\" } }\nthen = \"reject\"",
        );
    let site = Site::builder(&scratch, &config).start();
    let program = crate::site::with_attachment("a@example.net", "program", "setup.vbs", b"x = 1\r\n");
    for (to, refused) in [(ALICE, true), ("A.Liddell+x@rig.test", true), (BOB, false)] {
        let delivery = site.send(STRANGER, "a@example.net", &[to], &program);
        assert_eq!(delivery.is_accepted(), !refused, "{to}: {delivery:?}");
    }
    assert!(site.send(STRANGER, "b@example.net", &[ALICE], message("b@example.net", "text", "Hello")).is_accepted());
    let mut to: Vec<_> = site.sink.wait_for(2).iter().map(|message| message.to.join(",")).collect();
    to.sort_unstable();
    assert_eq!(to, [ALICE, BOB]);
}

#[test]
fn text_of_a_refusal_arrives_intact_whatever_signs_are_in_it() {
    let scratch = Scratch::new();
    let text = "100% spam, 5%s off %d %% $x ${y} {z} <b> 'q'";
    let config = policy("signs", &format!("from = [\"r@example.net\"]\nthen = {{ reject = \"{text}\" }}"))
        + &policy("later", &format!("from = [\"d@example.net\"]\nthen = {{ defer = \"{text}\" }}"));
    let site = Site::builder(&scratch, &config).start();
    for (from, code) in [("r@example.net", "550 5.7.1"), ("d@example.net", "451 4.7.1")] {
        let end = site.send(STRANGER, from, &[ALICE], message(from, "x", "x")).end.expect("judged at its end");
        assert_eq!(end.to_string(), format!("{code} {text} [ref {}]", reference(&end)));
    }
    assert_eq!(site.sink.count(), 0);
}

#[test]
fn list_that_changes_acts_without_a_reload_and_a_faulty_one_changes_nothing() {
    let scratch = Scratch::new();
    let file = scratch.file("unwanted.txt", "*@first.example\n");
    let config = format!("[[list]]\nname = \"unwanted\"\nfile = \"{}\"\n", file.display())
        + &policy("nobody wants it", "from = \"list:unwanted\"\nthen = { reject = \"Not from you\" }");
    let site = Site::builder(&scratch, &config).start();
    let taken = |from: &str| site.send(STRANGER, from, &[ALICE], message(from, from, "Hello")).is_accepted();
    assert!(!taken("a@first.example") && taken("a@second.example"));
    let replace = |text: &str| {
        std::fs::rename(scratch.file("new.txt", text), &file).expect("the list can be replaced");
    };
    replace("*@second.example\n# and a friend\n*@third.example\n");
    site.mailward.wait_for_log("that the list is read", |line| line["entries"] == 2);
    assert!(taken("b@first.example") && !taken("b@second.example") && !taken("b@third.example"));
    replace("first.example\n");
    let line = site.mailward.wait_for_text("unwanted.txt:1:");
    assert!(line.contains("has no"), "{line}");
    site.mailward.wait_for_text("in force stays");
    assert!(taken("c@first.example") && !taken("c@second.example"));
}

#[test]
fn recipients_allow_and_block_senders_for_themselves() {
    let scratch = Scratch::new();
    let config = format!(
        "[[settings]]\nfor = [\"{ALICE}\"]\nallow = [\"*@friend.example\"]\n\
         [[settings]]\nfor = [\"{BOB}\"]\nblock = [\"pest@friend.example\"]\n"
    );
    let dns = Dns::builder().txt("friend.example", &format!("v=spf1 ip4:{STRANGER} -all"));
    let site = Site::builder(&scratch, &config).dns(dns).start();
    let spam = |from: &str| message(from, from, &crate::limits::gtube());
    let send = |from: &str, to: &str, text| site.send(STRANGER, from, &[to], text);
    assert!(send("a@friend.example", ALICE, spam("a@friend.example")).is_accepted(), "allowed, and SPF passes");
    assert!(!send("a@friend.example", CAROL, spam("a@friend.example")).is_accepted());
    assert!(!send("a@other.example", ALICE, spam("a@other.example")).is_accepted());
    let clean = || message("pest@friend.example", "pest", "Hello");
    let refused = send("pest@friend.example", BOB, clean()).end.expect("it is asked at the end of the message");
    assert_eq!((refused.code, refused.enhanced()), (550, Some("5.7.1")), "{refused}");
    let explained = site.explain(&reference(&refused));
    assert!(explained.contains("blocked by settings of bob@rig.test (line"), "{explained}");
    assert!(send("pest@friend.example", CAROL, clean()).is_accepted());
}
