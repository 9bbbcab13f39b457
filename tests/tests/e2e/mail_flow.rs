//! Mail goes through Postfix and Mailward, and arrives as it was sent.

use mailward_tests::dns::Dns;
use mailward_tests::postfix::HOST;
use mailward_tests::scratch::Scratch;
use mailward_tests::sink::Message;
use mailward_tests::smtp::Xclient;
use mailward_tests::tls::Authority;

use crate::site::{ALICE, BOB, STRANGER, Site, message};

/// The results that Mailward has added, without those that came along.
fn results(message: &Message) -> String {
    let own = format!("{HOST};");
    let added: Vec<_> =
        message.all_headers("Authentication-Results").into_iter().filter(|r| r.starts_with(&own)).collect();
    assert_eq!(added.len(), 1, "one field of ours: {:?}", message.headers());
    added[0].clone()
}

#[test]
fn clean_mail_arrives_over_tcp_with_authentication_results() {
    let scratch = Scratch::new();
    let dns = Dns::builder().host(STRANGER, "mail.example.net").txt("example.net", "v=spf1 ip4:198.51.100.7 -all");
    let site = Site::builder(&scratch, "").dns(dns).start();
    let sent = message("ann@example.net", "clean", "Dear Alice, see you on Monday.");
    let stranger = Xclient::address(STRANGER).name("mail.example.net");
    let mut client = site.postfix.client_as(&stranger, "mail.example.net");
    assert!(client.send("ann@example.net", &[ALICE], &sent).is_accepted());

    let arrived = &site.sink.wait_for(1)[0];
    assert_eq!((arrived.from.as_str(), arrived.to.as_slice()), ("ann@example.net", [ALICE.to_owned()].as_slice()));
    assert_eq!(arrived.body(), "Dear Alice, see you on Monday.\r\n");
    let results = results(arrived);
    for result in ["spf=pass smtp.mailfrom=ann@example.net", "dkim=none", "dmarc=none", "iprev=pass"] {
        assert!(results.contains(result), "{result} in {results}");
    }
    let line = site.line_about("ann@example.net");
    let fields = ["stage", "verdict", "client", "helo", "to"].map(|field| line.text(field));
    assert_eq!(fields, ["message", "deliver", STRANGER, "mail.example.net", "<alice@rig.test>=deliver"]);
    assert!(site.postfix.log().contains(&format!("{}: from=<ann@example.net>", line.text("queue_id"))), "{line:?}");
}

#[test]
fn clean_mail_arrives_over_a_unix_socket() {
    let scratch = Scratch::new();
    let socket = scratch.path().join("milter.sock");
    let through = format!("unix:{}", socket.display());
    let site = Site::builder(&scratch, "")
        .mailward(|mailward| mailward.socket(&socket))
        .postfix(|postfix| postfix.milter(through))
        .start();
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "unix", "Hello")).is_accepted());
    assert!(results(&site.sink.wait_for(1)[0]).contains("spf=none"));
}

#[test]
fn socket_inside_the_chroot_of_postfix_works_too() {
    let scratch = Scratch::new();
    let socket = scratch.path().join("milter.sock");
    let mut site = Site::builder(&scratch, "")
        .mailward(|mailward| mailward.socket(&socket))
        .postfix(|postfix| postfix.chroot())
        .start();
    // A second name of the socket: Mailward starts before the queue directory is there.
    std::fs::hard_link(&socket, site.postfix.queue_directory().join("milter/mailward.sock")).expect("linked");
    site.postfix.reconfigure(&[("mailward_socket", "unix:milter/mailward.sock")]);
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "chroot", "Hello")).is_accepted());
    results(&site.sink.wait_for(1)[0]);
}

#[test]
fn mail_over_starttls_is_seen_as_encrypted_and_other_mail_is_not() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let identity = authority.identity(HOST);
    let config = "[[policy]]\nname = \"encrypted\"\nwhen = { tls = true }\n\
                  then = { tag = { header = { X-Encrypted = \"yes\" } } }\n";
    let site = Site::builder(&scratch, config).postfix(|postfix| postfix.certificate(&identity)).start();
    let mut client = site.postfix.client();
    client.become_client(&Xclient::address(STRANGER), "client.example.net");
    assert_eq!(client.start_tls(&authority, HOST).code, 220);
    client.ehlo("client.example.net");
    assert!(client.send("a@example.net", &[ALICE], message("a@example.net", "secret", "Hello")).is_accepted());
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "open", "Hello")).is_accepted());

    let (secret, open) = (site.sink.wait_for_subject("secret"), site.sink.wait_for_subject("open"));
    assert_eq!(secret.header("X-Encrypted").as_deref(), Some("yes"), "{:?}", secret.headers());
    assert_eq!(open.header("X-Encrypted"), None);
    results(&secret);
}

#[test]
fn clients_of_both_families_and_several_messages_share_a_connection() {
    let scratch = Scratch::new();
    let dns = Dns::builder()
        .txt("six.example", "v=spf1 ip6:2001:db8::/64 -all")
        .txt("four.example", "v=spf1 ip4:203.0.113.0/24 -all");
    let site = Site::builder(&scratch, "").dns(dns).start();
    let mut client = site.postfix.client();
    for (address, from) in [("2001:db8::25", "a@six.example"), ("203.0.113.9", "a@four.example")] {
        client.become_client(&Xclient::address(address), "client.example.net");
        for number in 1..=3 {
            assert!(client.send(from, &[ALICE], message(from, &format!("{from}-{number}"), "Hello")).is_accepted());
            assert!(client.mail(from).is_positive(), "an interrupted transaction leaves nothing behind");
            assert!(client.rcpt(BOB).is_positive());
            client.rset();
        }
        let lines = site.lines_about(from, 3);
        assert!(
            lines.iter().all(|line| line.text("client") == address && line.text("to") == "<alice@rig.test>=deliver")
        );
    }
    for arrived in site.sink.wait_for(6) {
        let spf = format!("spf=pass smtp.mailfrom={}", arrived.from);
        assert!(results(&arrived).contains(&spf), "{:?}", arrived.headers());
        assert_eq!(arrived.to, [ALICE]);
    }
}

#[test]
fn results_forged_in_our_name_are_removed_and_those_of_others_stay() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    let forged = format!(
        "Authentication-Results: {HOST}; spf=pass smtp.mailfrom=bank.example\n\
         Authentication-Results: other.example; dkim=pass header.d=kept.example\n\
         Authentication-Results: {}\n 1; dmarc=pass header.from=bank.example\n\
         Authentication-Results: (hidden) {HOST} (here) ; dkim=pass header.d=bank.example\n\
         AUTHENTICATION-RESULTS: third.example; none\n",
        HOST.to_uppercase()
    );
    let sent = forged + &message("ceo@bank.example", "forged", "Hello");
    assert!(site.send(STRANGER, "ceo@bank.example", &[ALICE], sent).is_accepted());
    let arrived = &site.sink.wait_for(1)[0];
    assert!(!results(arrived).contains("=pass"));
    let all = arrived.all_headers("Authentication-Results");
    let foreign: Vec<_> = all.into_iter().filter(|result| !result.starts_with(HOST)).collect();
    assert_eq!(foreign, ["other.example; dkim=pass header.d=kept.example", "third.example; none"]);
}

#[test]
fn mail_of_local_programs_is_not_refused_at_a_recipient() {
    let scratch = Scratch::new();
    let people = scratch.file("people.csv", "alice@rig.test\n");
    let config = format!("[directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n", people.display());
    let site =
        Site::builder(&scratch, &config).postfix(|postfix| postfix.set("non_smtpd_milters", "$smtpd_milters")).start();
    let sent = message("cron@rig.test", "nightly", "All is well.");
    let refused = site.send(STRANGER, "a@example.net", &["nobody@rig.test"], &sent);
    assert_eq!(refused.last().enhanced(), Some("5.1.1"), "the same recipient is refused to others: {}", refused.last());

    site.postfix.sendmail("cron@rig.test", &[ALICE, "nobody@rig.test"], &sent);
    let arrived = &site.sink.wait_for(1)[0];
    assert_eq!(arrived.to, [ALICE, "nobody@rig.test"]);
    assert_eq!(arrived.body(), "All is well.\r\n");
    assert_eq!(site.line_about("cron@rig.test").text("verdict"), "deliver", "it has passed Mailward");
    assert!(!site.postfix.log().contains("milter-reject: RCPT from localhost"), "{}", site.postfix.log());
}

#[test]
fn every_byte_of_a_message_arrives_as_it_was_sent() {
    let scratch = Scratch::new();
    // Without this Postfix itself would fold lines of more than 998 bytes on delivery.
    let site = Site::builder(&scratch, "").postfix(|postfix| postfix.set("smtp_line_length_limit", "0")).start();
    let mut sent = message("a@example.net", "bytes", "").into_bytes();
    sent.truncate(sent.len() - 2);
    sent.extend_from_slice(
        b"X-No-Blank:tight\r\nX-Tab:\tvalue \t\r\nX-Folded: one\r\n  two\r\n\tthree\r\nX-Empty:\r\n",
    );
    sent.extend_from_slice(b"X-Percent: 100% %s %%\r\nX-Eight: caf\xe9 \xff\xfe\r\nX-Long: ");
    sent.extend_from_slice("long ".repeat(1_000).as_bytes());
    sent.extend_from_slice(b"\r\n\r\n.leading dot\r\n..two\r\ntrailing blanks  \t\r\nNUL \0 inside\r\nall bytes: ");
    sent.extend((1..=255_u8).filter(|byte| !matches!(byte, b'\r' | b'\n')));
    sent.extend_from_slice(b"\r\n");
    sent.extend_from_slice(&vec![b'x'; 200_000]);
    sent.extend_from_slice(b"\r\n\r\n\r\nend\r\n");
    let sent = crlf(&sent);
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], &sent).is_accepted());
    let arrived = &site.sink.wait_for(1)[0];
    results(arrived);
    assert!(arrived.raw.ends_with(&sent), "changed at {:?}", first_difference(&arrived.raw, &sent));
    let added = String::from_utf8(arrived.raw[..arrived.raw.len() - sent.len()].to_vec()).expect("headers of ours");
    let names = added.lines().filter(|line| !line.starts_with([' ', '\t'])).filter_map(|line| line.split_once(':'));
    let mut names: Vec<_> = names.map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["Authentication-Results", "Received"], "{added}");
}

fn crlf(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len());
    for &byte in message {
        if byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}

/// Where the end of `arrived` differs from `sent` first, seen from its end, with a few bytes of both.
fn first_difference(arrived: &[u8], sent: &[u8]) -> Option<(usize, String, String)> {
    let at = arrived.iter().rev().zip(sent.iter().rev()).position(|(a, b)| a != b)?;
    let around = |bytes: &[u8]| {
        let end = bytes.len() - at;
        String::from_utf8_lossy(&bytes[end.saturating_sub(40)..(end + 20).min(bytes.len())]).into_owned()
    };
    Some((at, around(arrived), around(sent)))
}
