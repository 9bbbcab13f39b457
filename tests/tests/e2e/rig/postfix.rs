//! Postfix with our own configuration parts and no filter.

use std::process::Command;

use mailward_tests::dkim::Signer;
use mailward_tests::postfix::{HOST, PASSWORD, Postfix, USER};
use mailward_tests::process::{output, program};
use mailward_tests::scratch::Scratch;
use mailward_tests::sink::Sink;
use mailward_tests::smtp::{Client, Xclient};
use mailward_tests::tls::Authority;

const MESSAGE: &str = "From: a@example.net\nTo: alice@rig.test\nSubject: hello\n\nDear Alice,\n.dot\n";

#[test]
fn mail_arrives_over_tls_from_a_client_of_choice() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let sink = Sink::start_with_tls(&authority.identity("site.test"));
    let postfix = Postfix::delivering_to(&sink).certificate(&authority.identity(HOST)).start(&scratch);
    let mut client = postfix.client();
    client.ehlo("rig.test");
    assert_eq!(client.start_tls(&authority, HOST).code, 220);
    let stranger = Xclient::address("198.51.100.7").name("mail.example.net");
    assert_eq!(client.become_client(&stranger, "mail.example.net").code, 220);
    let delivery = client.send("a@example.net", &["alice@rig.test", "bob@rig.test"], MESSAGE);
    assert!(delivery.is_accepted(), "{delivery:?}");
    assert_eq!(client.send("a@example.net", &["someone@example.org"], MESSAGE).last().enhanced(), Some("5.7.1"));
    assert_eq!(client.quit().code, 221);

    let message = &sink.wait_for(1)[0];
    assert_eq!(
        (message.from.as_str(), message.to.join(" ").as_str()),
        ("a@example.net", "alice@rig.test bob@rig.test")
    );
    assert!(message.tls, "Postfix delivers encrypted where the site's server offers it");
    assert_eq!(message.body(), "Dear Alice,\r\n.dot\r\n");
    let received = message.header("Received").expect("a trace");
    assert!(received.contains("mail.example.net") && received.contains("198.51.100.7"), "{received}");
    assert!(received.contains("TLSv1.3"), "{received}");
}

#[test]
fn several_clients_of_both_families_share_a_connection() {
    let scratch = Scratch::new();
    let sink = Sink::start();
    let postfix = Postfix::delivering_to(&sink).start(&scratch);
    let mut client = postfix.client();
    for address in ["198.51.100.7", "2001:db8::25", "203.0.113.1"] {
        client.become_client(&Xclient::address(address), "client.example.net");
        for _ in 0..2 {
            assert!(client.send("a@example.net", &["alice@rig.test"], MESSAGE).is_accepted());
        }
    }
    let messages = sink.wait_for(6);
    let from =
        |address: &str| messages.iter().filter(|m| m.header("Received").is_some_and(|r| r.contains(address))).count();
    assert_eq!((from("[198.51.100.7]"), from("[IPv6:2001:db8::25]"), from("[203.0.113.1]")), (2, 2, 2));
}

#[test]
fn unknown_recipients_are_refused_without_naming_the_table() {
    let scratch = Scratch::new();
    let sink = Sink::start();
    let postfix = Postfix::delivering_to(&sink).recipients(["alice@rig.test"]).start(&scratch);
    let mut client = postfix.client_from("198.51.100.7");
    let delivery = client.send("a@example.net", &["nobody@rig.test", "alice@rig.test"], MESSAGE);
    assert!(delivery.is_accepted());
    assert_eq!((delivery.rcpt[0].code, delivery.rcpt[0].enhanced()), (550, Some("5.1.1")));
    assert!(!delivery.rcpt[0].contains("table"), "{}", delivery.rcpt[0]);
    assert_eq!(client.command("VRFY alice@rig.test").code, 502);
    assert_eq!(sink.wait_for(1)[0].to, ["alice@rig.test"]);
}

#[test]
fn tagged_recipient_of_a_bounce_is_accepted_and_delivered_without_its_tag() {
    let scratch = Scratch::new();
    let sink = Sink::start();
    let postfix = Postfix::delivering_to(&sink).recipients(["alice@rig.test"]).batv().start(&scratch);
    let mut client = postfix.client_from("198.51.100.7");
    let tagged = "prvs=0123abcdef=alice@rig.test";
    assert!(client.send("", &[tagged], MESSAGE.replace("alice@", "prvs=0123abcdef=alice@")).is_accepted());
    assert_eq!(client.send("", &["prvs=alice@rig.test"], MESSAGE).rcpt[0].code, 550);
    let message = &sink.wait_for(1)[0];
    assert_eq!(message.to, ["alice@rig.test"]);
    assert_eq!(message.header("To").as_deref(), Some(tagged), "headers stay as they are signed");
}

#[test]
fn list_of_a_thousand_recipients_with_a_hundred_stale_ones_is_not_cut_off() {
    let scratch = Scratch::new();
    let sink = Sink::start();
    let known = (0..1000).filter(|n| n % 10 != 0).map(|n| format!("user{n}@rig.test"));
    let postfix = Postfix::delivering_to(&sink).recipients(known).start(&scratch);
    let all: Vec<_> = (0..1000).map(|n| format!("user{n}@rig.test")).collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let delivery = postfix.client_from("198.51.100.7").send("list@example.net", &all, MESSAGE);
    assert!(delivery.is_accepted(), "{}", delivery.last());
    assert_eq!(delivery.rcpt.iter().filter(|reply| reply.is_permanent()).count(), 100);
}

#[test]
fn mail_waits_while_the_sites_server_is_down_and_postfix_crashes() {
    let scratch = Scratch::new();
    let mut sink = Sink::start();
    let mut postfix = Postfix::delivering_to(&sink).start(&scratch);
    sink.switch_off();
    assert!(postfix.client_from("198.51.100.7").send("a@example.net", &["alice@rig.test"], MESSAGE).is_accepted());
    postfix.wait_for_log("status=deferred");
    assert_eq!(postfix.queue()[0].to, ["alice@rig.test"]);
    postfix.kill();
    postfix.restart();
    sink.switch_on();
    postfix.flush();
    sink.wait_for(1);
}

#[test]
fn held_mail_is_delivered_only_after_its_release() {
    let scratch = Scratch::new();
    let sink = Sink::start();
    let postfix =
        Postfix::delivering_to(&sink).set("smtpd_data_restrictions", "check_client_access static:HOLD").start(&scratch);
    assert!(postfix.client_from("198.51.100.7").send("a@example.net", &["alice@rig.test"], MESSAGE).is_accepted());
    let held = postfix.held();
    assert_eq!((held.len(), sink.count()), (1, 0));
    postfix.release(&held[0].id);
    postfix.flush();
    sink.wait_for(1);
    postfix.wait_for_log("removed");
    assert!(postfix.queue().is_empty());
}

#[test]
fn dead_milter_defers_and_the_socket_may_lie_in_the_chroot() {
    let scratch = Scratch::new();
    let sink = Sink::start();
    let mut postfix = Postfix::delivering_to(&sink).milter("unix:milter/mailward.sock").chroot().start(&scratch);
    let mut client = postfix.client_from("198.51.100.7");
    assert_eq!(client.mail("a@example.net").code, 451);
    postfix.wait_for_log("connect to Milter service unix:milter/mailward.sock");
    postfix.reconfigure(&[("smtpd_milters", "")]);
    assert!(postfix.client_from("198.51.100.7").send("a@example.net", &["alice@rig.test"], MESSAGE).is_accepted());
}

#[test]
fn users_send_with_password_and_tls_and_servers_by_address() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let sink = Sink::start();
    let postfix = Postfix::delivering_to(&sink).certificate(&authority.identity(HOST)).start(&scratch);

    let mut user = Client::connect_as(postfix.submission(), &Xclient::address("198.51.100.7"), "laptop");
    assert_eq!(user.mail("alice@rig.test").enhanced(), Some("5.7.0"), "not without TLS");
    assert_eq!(user.start_tls(&authority, HOST).code, 220);
    user.ehlo("laptop");
    assert_eq!(user.send("alice@rig.test", &["x@example.org"], MESSAGE).rcpt[0].code, 554, "not without a password");
    assert_eq!(user.auth_plain(USER, "wrong").code, 535);
    assert_eq!(user.auth_plain(USER, PASSWORD).code, 235);
    assert!(user.send("alice@rig.test", &["x@example.org"], MESSAGE).is_accepted());

    let mut server = Client::connect_as(postfix.outbound(), &Xclient::address("127.0.0.9"), "app.rig.test");
    assert!(server.send("app@rig.test", &["y@example.org"], MESSAGE).is_accepted());
    let mut stranger = Client::connect_as(postfix.outbound(), &Xclient::address("198.51.100.8"), "x");
    assert_eq!(stranger.send("app@rig.test", &["alice@rig.test"], MESSAGE).rcpt[0].code, 554);
    sink.wait_for(2);
}

#[test]
fn clean_stop_and_closed_connections_are_noticed() {
    let scratch = Scratch::new();
    let sink = Sink::start();
    let mut postfix = Postfix::delivering_to(&sink).start(&scratch);
    let mut client = postfix.client();
    client.ehlo("rig.test");
    postfix.stop();
    assert!(client.command("NOOP").is_closed());
    assert!(client.command("NOOP").is_closed());
}

#[test]
fn message_passes_postfix_with_its_signature_unchanged() {
    let scratch = Scratch::new();
    let sink = Sink::start();
    let postfix = Postfix::delivering_to(&sink).start(&scratch);
    let signed = Signer::new(&scratch, "example.net", "s1").sign(MESSAGE);
    assert!(postfix.client_from("198.51.100.7").send("a@example.net", &["alice@rig.test"], &signed).is_accepted());
    let raw = String::from_utf8(sink.wait_for(1)[0].raw.clone()).expect("text");
    assert!(raw.ends_with(&signed), "{raw}");
}

#[test]
fn postfix_finds_nothing_to_warn_about_in_our_parts() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let sink = Sink::start();
    let postfix = Postfix::delivering_to(&sink)
        .milter("inet:127.0.0.1:1")
        .recipients(["alice@rig.test"])
        .batv()
        .certificate(&authority.identity(HOST))
        .start(&scratch);
    for (name, arguments) in
        [("postconf", ["-n"].as_slice()), ("postconf", &["-M"]), ("postconf", &["-P"]), ("postfix", &["check"])]
    {
        let output =
            output(Command::new(program(name, "postfix")).arg("-c").arg(postfix.configuration()).args(arguments));
        let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && warnings.is_empty(), "{name} {arguments:?}: {warnings}");
    }
    postfix.client_from("198.51.100.7").send("a@example.net", &["alice@rig.test"], MESSAGE);
    let warnings: Vec<_> =
        postfix.log().lines().filter(|l| l.contains("warning:") && !l.contains("Milter")).map(str::to_owned).collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
}
