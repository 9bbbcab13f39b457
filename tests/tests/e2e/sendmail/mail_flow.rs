//! Mail goes through Sendmail and Mailward, and arrives as it was sent.

use mailward_tests::dkim::Signer;
use mailward_tests::dns::Dns;
use mailward_tests::postfix::HOST;
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::Client;
use mailward_tests::tls::Authority;

use super::{STRANGER, Site, results};
use crate::site::{ALICE, BOB, lines_about, message};

#[test]
fn clean_mail_arrives_over_tcp_with_authentication_results_and_its_queue_id_in_the_log() {
    let scratch = Scratch::for_sendmail();
    let dns = Dns::builder().txt("example.net", &format!("v=spf1 ip4:{STRANGER} -all"));
    let site =
        Site::builder(&scratch, "").dns(dns).sendmail(|sendmail| sendmail.name(STRANGER, "mail.example.net")).start();
    let sent = message("ann@example.net", "clean", "Dear Alice, see you on Monday.");
    let mut client = site.sendmail.client_as(STRANGER, "mail.example.net");
    assert!(client.send("ann@example.net", &[ALICE], &sent).is_accepted());

    let arrived = &site.sink.wait_for(1)[0];
    assert_eq!((arrived.from.as_str(), arrived.to.as_slice()), ("ann@example.net", [ALICE.to_owned()].as_slice()));
    assert_eq!(arrived.body(), "Dear Alice, see you on Monday.\r\n");
    let results = results(arrived);
    for result in ["spf=pass smtp.mailfrom=ann@example.net", "dkim=none", "dmarc=none"] {
        assert!(results.contains(result), "{result} in {results}");
    }
    let line = site.line_about("ann@example.net");
    let fields = ["stage", "verdict", "client", "name", "helo", "to"].map(|field| line.text(field));
    let name = "mail.example.net";
    assert_eq!(fields, ["message", "deliver", STRANGER, name, name, "<alice@rig.test>=deliver"]);
    let id = line.text("queue_id");
    assert_eq!(id.len(), 14, "{line:?}");
    site.sendmail.wait_for_log(&format!("{id}: from=<ann@example.net>"));
}

#[test]
fn clean_mail_arrives_over_a_unix_socket() {
    let scratch = Scratch::for_sendmail();
    let socket = scratch.path().join("milter.sock");
    let through = format!("local:{}", socket.display());
    let site = Site::builder(&scratch, "")
        .mailward(|mailward| mailward.socket(&socket))
        .sendmail(|sendmail| sendmail.milter(through))
        .start();
    assert!(site.send_to_alice("a@example.net", message("a@example.net", "unix", "Hello")).is_accepted());
    assert!(results(&site.sink.wait_for(1)[0]).contains("spf=none"));
}

#[test]
fn sendmail_reaches_mailward_over_ipv6_too() {
    let scratch = Scratch::for_sendmail();
    let port = mailward_tests::ports::free_port();
    let site = Site::builder(&scratch, "")
        .mailward(|mailward| mailward.listen(&format!("inet:[::1]:{port}")))
        .sendmail(|sendmail| sendmail.milter(format!("inet6:{port}@::1")))
        .start();
    assert!(site.send_to_alice("a@example.net", message("a@example.net", "six", "Hello")).is_accepted());
    results(&site.sink.wait_for(1)[0]);
}

#[test]
fn clients_with_ipv6_are_judged_too() {
    let scratch = Scratch::for_sendmail();
    let dns = Dns::builder().txt("six.example", "v=spf1 ip6:::1 -all");
    let site = Site::builder(&scratch, "").dns(dns).internal("[\"127.0.0.1\"]").start();
    let mut client = Client::connect(site.sendmail.address_v6());
    client.ehlo("six.example");
    let delivery = client.send("a@six.example", &[ALICE], message("a@six.example", "six", "Hello"));
    assert!(delivery.is_accepted(), "{delivery:?}\n{}", site.sendmail.log());
    assert!(results(&site.sink.wait_for(1)[0]).contains("spf=pass smtp.mailfrom=a@six.example"));
    assert_eq!(site.line_about("a@six.example").text("client"), "::1");
}

#[test]
fn mail_over_starttls_is_seen_as_encrypted_and_other_mail_is_not() {
    let scratch = Scratch::for_sendmail();
    let authority = Authority::new(&scratch);
    let identity = authority.identity(HOST);
    let config = "[[policy]]\nname = \"encrypted\"\nwhen = { tls = true }\n\
                  then = { tag = { header = { X-Encrypted = \"yes\" } } }\n";
    let site = Site::builder(&scratch, config)
        .sendmail(|sendmail| sendmail.certificate(&identity, authority.ca_file()))
        .start();
    let mut client = site.sendmail.client_as(STRANGER, "before.example.net");
    let reply = client.start_tls(&authority, HOST);
    assert_eq!(reply.code, 220, "{reply}: {}", site.sendmail.log());
    client.ehlo("after.example.net");
    let secret = message("secret@example.net", "secret", "Hello");
    assert!(client.send("secret@example.net", &[ALICE], secret).is_accepted());
    assert!(site.send_to_alice("a@example.net", message("a@example.net", "open", "Hello")).is_accepted());

    let (secret, open) = (site.sink.wait_for_subject("secret"), site.sink.wait_for_subject("open"));
    assert_eq!(secret.header("X-Encrypted").as_deref(), Some("yes"), "{:?}", secret.headers());
    assert_eq!(open.header("X-Encrypted"), None);
    let line = site.line_about("secret@example.net");
    assert_eq!(line.text("helo"), "after.example.net", "the second EHLO replaces the first: {line:?}");
}

#[test]
fn several_messages_share_a_connection_and_an_interrupted_one_leaves_nothing_behind() {
    let scratch = Scratch::for_sendmail();
    let site = Site::builder(&scratch, "").start();
    let mut client = site.sendmail.client_from(STRANGER);
    for number in 1..=3 {
        let sent = message("a@example.net", &format!("number {number}"), "Hello");
        assert!(client.send("a@example.net", &[ALICE], sent).is_accepted());
        assert!(client.mail("a@example.net").is_positive());
        assert!(client.rcpt(BOB).is_positive());
        // A new EHLO ends a transaction as RSET does.
        if number == 2 {
            client.ehlo("client.example.net")
        } else {
            client.rset()
        };
    }
    let lines = lines_about(&site.mailward, "a@example.net", 3);
    assert!(lines.iter().all(|line| line.text("to") == "<alice@rig.test>=deliver"), "{lines:?}");
    let ids: std::collections::HashSet<_> = lines.iter().map(|line| line.text("queue_id")).collect();
    assert_eq!(ids.len(), 3, "each message has its own queue id: {ids:?}");
    for arrived in site.sink.wait_for(3) {
        assert_eq!(arrived.to, [ALICE]);
        results(&arrived);
    }
}

#[test]
fn results_forged_in_our_name_are_removed_and_those_of_others_stay() {
    let scratch = Scratch::for_sendmail();
    let site = Site::builder(&scratch, "").start();
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

#[test]
fn signature_that_forgives_no_change_is_good_before_and_after_sendmail() {
    let scratch = Scratch::for_sendmail();
    let signer = Signer::new(&scratch, "signed.example", "s1").simple();
    let dns = Dns::builder().txt(&signer.record_name(), &signer.record_value());
    let site = Site::builder(&scratch, "").dns(dns).start();
    let odd = "From:  Ann   Example <good@signed.example>\nTo:alice@rig.test\nSubject:\tone\n\ttwo\n  three \n\
               Date: Sat, 21 Nov 2026 10:00:00 +0000\nMessage-ID: <odd.1@signed.example>\n\n\
               .leading dot\ntrailing blanks  \t\n\ncaf\u{e9}\nend\n\n\n";
    let sent = signer.sign(odd);
    assert!(site.send_to_alice("good@signed.example", &sent).is_accepted());
    let arrived = &site.sink.wait_for(1)[0];
    let found = results(arrived);
    assert!(found.contains("dkim=pass header.d=signed.example"), "{found}");
    let raw = String::from_utf8_lossy(&arrived.raw);
    assert!(raw.ends_with(&sent), "what Sendmail delivers still bears the signature:\n{raw}");
}

#[test]
fn bytes_of_a_message_arrive_as_they_were_sent_but_for_addresses_that_sendmail_rewrites() {
    let scratch = Scratch::for_sendmail();
    let signer = Signer::new(&scratch, "example.net", "s1").simple();
    let dns = Dns::builder().txt(&signer.record_name(), &signer.record_value());
    let site = Site::builder(&scratch, "").dns(dns).start();
    let mut sent = message("a@example.net", "bytes", "").into_bytes();
    sent.truncate(sent.len() - 2);
    sent.extend_from_slice(
        b"X-No-Blank:tight\nX-Tab:\tvalue\nX-Folded: one\n  two\n\tthree\nX-Percent: 100% %s %%\nX-Eight: caf\xe9 \xff\xfe\nX-Long: ",
    );
    sent.extend_from_slice("long ".repeat(150).as_bytes());
    sent.extend_from_slice(b"\n\n.leading dot\n..two\ntrailing blanks  \t\nall bytes: ");
    sent.extend((1..=255_u8).filter(|byte| !matches!(byte, b'\r' | b'\n')));
    sent.extend_from_slice(format!("\n{}\n\n\nend\n", "x".repeat(900)).as_bytes());
    let sent: Vec<u8> = sent.iter().flat_map(|&b| if b == b'\n' { vec![b'\r', b'\n'] } else { vec![b] }).collect();
    assert!(site.send_to_alice("a@example.net", &sent).is_accepted());
    let arrived = &site.sink.wait_for(1)[0];
    results(arrived);
    let from = arrived.raw.windows(5).position(|window| window == b"Date:").expect("the first header sent");
    let (got, sent) = (String::from_utf8_lossy(&arrived.raw[from..]), String::from_utf8_lossy(&sent));
    let changed: Vec<_> = got.lines().zip(sent.lines()).filter(|(got, sent)| got != sent).take(3).collect();
    assert!(got == sent, "left what arrived, right what was sent: {changed:?}");

    let list = signer.sign("From: Ann <a@example.net>\nTo: alice@rig.test,bob@rig.test\nSubject: list\n\nHello\n");
    assert!(site.send_to_alice("l@example.net", &list).is_accepted());
    let arrived = site.sink.wait_for_subject("list");
    assert!(results(&arrived).contains("dkim=pass"), "Mailward sees the message as it was signed");
    let to = arrived.header("To").unwrap_or_default();
    assert_eq!(to, "alice@rig.test, bob@rig.test", "Sendmail writes lists of addresses its own way on delivery");
}

#[test]
fn message_past_the_size_limit_is_judged_by_its_beginning_and_arrives_whole() {
    let scratch = Scratch::for_sendmail();
    let site = Site::builder(&scratch, "[limits]\nmessage_bytes = \"64 KiB\"\n").start();
    let body = "A line of sixty-three bytes, so that no server has to cut it.\n".repeat(5_000);
    assert!(site.send_to_alice("large@example.net", message("large@example.net", "large", &body)).is_accepted());
    assert!(site.line_about("large@example.net").found("limit.message-bytes"));
    let arrived = site.sink.wait_for_subject("large");
    assert!(arrived.raw.len() > body.len(), "{} of {}", arrived.raw.len(), body.len());
}
