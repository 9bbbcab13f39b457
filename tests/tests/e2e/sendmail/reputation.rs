//! Clients that are refused for what is known about their address, and those that are not.

use std::net::IpAddr;

use mailward_tests::dns::Dns;
use mailward_tests::postfix::{HOST, PASSWORD, USER};
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::Client;
use mailward_tests::tls::Authority;

use super::{STRANGER, Site, code};
use crate::site::{ALICE, explain, message, reference};

/// On the list.
const LISTED: &str = "127.9.0.66";

const LIST: &str = "[[reputation.dnsbl]]\nname = \"rig\"\nzone = \"dnsbl.test\"\n\
                    points = { \"127.0.0.2\" = 6.0 }\nrefuse = [\"127.0.0.2\"]\n";

#[test]
fn client_on_a_block_list_is_refused_before_data_and_the_reference_explains_why() {
    let scratch = Scratch::for_sendmail();
    let site = Site::builder(&scratch, LIST).dns(Dns::builder().listed(LISTED)).start();
    let delivery = site.send(LISTED, "spam@example.net", &[ALICE, "nobody@rig.test"], "Subject: x\n\nx\n");
    assert!(delivery.mail.is_positive() && delivery.data.is_none(), "{delivery:?}");
    assert_eq!(delivery.rcpt.iter().map(code).collect::<Vec<_>>(), ["550 5.7.1", "550 5.7.1"]);

    let line = site.line_about("spam@example.net");
    assert_eq!((line.text("stage").as_str(), line.text("verdict").as_str()), ("rcpt", "reject"));
    assert_eq!(line.text("queue_id").len(), 14, "Sendmail names its queue id at MAIL: {line:?}");
    site.sendmail.wait_for_log(&line.text("queue_id"));
    let name = reference(&delivery.rcpt[0]);
    assert_eq!(line.text("reference"), name);
    let explained = explain(&site.mailward, &name);
    for word in [LISTED, "dnsbl.rig", "127.0.0.2", "spam@example.net"] {
        assert!(explained.contains(word), "{word} in {explained}");
    }
    let mut desk = site.sendmail.client_from(LISTED);
    let sent = message("spam@example.net", "why am I blocked?", "Hello");
    assert!(desk.send("spam@example.net", &["postmaster@rig.test"], &sent).is_accepted());
    let clean = site.send_to_alice("a@example.net", message("a@example.net", "clean", "Hello"));
    assert!(clean.is_accepted(), "{clean:?}");
}

#[test]
fn listed_client_can_be_refused_at_mail_or_when_it_connects() {
    for stage in ["mail", "connect"] {
        let scratch = Scratch::for_sendmail();
        let site = Site::builder(&scratch, LIST)
            .dns(Dns::builder().listed(LISTED))
            .mailward(|mailward| mailward.milter(&format!("refuse_at = \"{stage}\"")))
            .start();
        let mut client = Client::connect_from(site.sendmail.address(), LISTED.parse::<IpAddr>().expect("an address"));
        // Sendmail has its own words for what is refused at CONNECT; at MAIL it passes ours on.
        let greeted = if stage == "connect" { 554 } else { 220 };
        assert_eq!(client.banner().code, greeted, "{}", client.banner());
        client.ehlo("client.example.net");
        let reply = client.mail("a@example.net");
        assert!(reply.is_permanent(), "{stage}: {reply}");
        assert_eq!(reply.contains("[ref "), stage == "mail", "{reply}");
        let line = site.mailward.wait_for_log("the refusal", |line| line["stage"] == stage);
        assert_eq!((line["verdict"].as_str(), line["client"].as_str()), (Some("reject"), Some(LISTED)), "{line}");
        assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "x", "x")).is_accepted());
    }
}

#[test]
fn user_with_a_password_may_send_from_a_listed_client() {
    let scratch = Scratch::for_sendmail();
    let authority = Authority::new(&scratch);
    let identity = authority.identity(HOST);
    let site = Site::builder(&scratch, LIST)
        .dns(Dns::builder().listed(LISTED))
        .sendmail(|sendmail| sendmail.certificate(&identity, authority.ca_file()).user(USER, PASSWORD))
        .start();
    let address = LISTED.parse().expect("an address");
    let mut user = Client::connect_from(site.sendmail.submission(), address);
    user.ehlo("laptop");
    assert!(!user.auth_plain(USER, PASSWORD).is_positive(), "not without TLS");
    assert_eq!(user.start_tls(&authority, HOST).code, 220);
    user.ehlo("laptop");
    assert!(user.auth_plain(USER, "wrong").is_permanent());
    let reply = user.auth_plain(USER, PASSWORD);
    assert_eq!(reply.code, 235, "{reply}: {}", site.sendmail.log());
    let delivery = user.send(ALICE, &["friend@example.org"], message(ALICE, "from home", "Hello"));
    assert!(delivery.is_accepted(), "{delivery:?}");
    let line = site.line_about(ALICE);
    assert_eq!((line.text("client").as_str(), line.text("direction").as_str()), (LISTED, "outbound"), "{line:?}");
    assert!(line.text("login").starts_with(USER), "{line:?}");
    assert_eq!(site.sink.wait_for(1)[0].to, ["friend@example.org"]);
}
