//! Clients that are refused for what is known about their address, and those that are not.

use mailward_tests::dns::Dns;
use mailward_tests::postfix::{HOST, PASSWORD, USER};
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::{Client, Xclient};
use mailward_tests::tls::Authority;

use crate::site::{ALICE, STRANGER, Site, message, reference};

/// On the list.
const LISTED: &str = "198.51.100.66";

const LIST: &str = "[[reputation.dnsbl]]\nname = \"rig\"\nzone = \"dnsbl.test\"\n\
                    points = { \"127.0.0.2\" = 6.0, \"127.0.0.10\" = 3.0 }\nrefuse = [\"127.0.0.2\"]\n";

#[test]
fn client_on_a_block_list_is_refused_before_data_and_the_reference_explains_why() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, LIST).dns(Dns::builder().listed(LISTED)).start();
    let delivery = site.send(LISTED, "spam@example.net", &[ALICE, "nobody@rig.test"], "Subject: x\n\nx\n");
    assert!(delivery.mail.is_positive() && delivery.data.is_none(), "{delivery:?}");
    for reply in &delivery.rcpt {
        assert_eq!((reply.code, reply.enhanced()), (550, Some("5.7.1")), "{reply}");
    }
    assert_eq!(delivery.rcpt[0].text(), delivery.rcpt[1].text(), "the answer tells nothing about recipients");

    let line = site.line_about("spam@example.net");
    assert_eq!((line.text("stage").as_str(), line.text("verdict").as_str()), ("rcpt", "reject"));
    assert_eq!(line.points_of("dnsbl.rig").as_deref(), Some("6.00"), "{line:?}");
    let name = reference(&delivery.rcpt[0]);
    assert_eq!(line.text("reference"), name);
    let explained = site.explain(&name);
    for word in [LISTED, "dnsbl.rig", "127.0.0.2", "spam@example.net"] {
        assert!(explained.contains(word), "{word} in {explained}");
    }
    let clean = site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "clean", "Hello"));
    assert!(clean.is_accepted(), "{clean:?}");
}

#[test]
fn answer_of_a_list_that_only_weighs_refuses_nobody() {
    let scratch = Scratch::new();
    let dns = Dns::builder().listed_at("dnsbl.test", LISTED, "127.0.0.10");
    let site = Site::builder(&scratch, LIST).dns(dns).start();
    assert!(site.send(LISTED, "a@example.net", &[ALICE], message("a@example.net", "weighed", "Hello")).is_accepted());
    assert_eq!(site.line_about("a@example.net").points_of("dnsbl.rig").as_deref(), Some("3.00"));
    site.sink.wait_for(1);
}

#[test]
fn authenticated_client_on_a_block_list_may_send() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let identity = authority.identity(HOST);
    let site = Site::builder(&scratch, LIST)
        .dns(Dns::builder().listed(LISTED))
        .postfix(|postfix| postfix.certificate(&identity))
        .start();
    let mut user = Client::connect_as(site.postfix.submission(), &Xclient::address(LISTED), "laptop");
    assert_eq!(user.start_tls(&authority, HOST).code, 220);
    user.ehlo("laptop");
    assert_eq!(user.auth_plain(USER, PASSWORD).code, 235);
    let delivery = user.send(ALICE, &["friend@example.org"], message(ALICE, "from home", "Hello"));
    assert!(delivery.is_accepted(), "{delivery:?}");
    let line = site.line_about(ALICE);
    assert_eq!((line.text("login").as_str(), line.text("client").as_str()), (USER, LISTED));
    assert_eq!(line.text("direction"), "outbound");
    assert_eq!(site.sink.wait_for(1)[0].to, ["friend@example.org"]);
}

#[test]
fn postmaster_and_abuse_stay_reachable_for_listed_and_denied_clients() {
    let scratch = Scratch::new();
    let config = format!("[reputation]\ndeny = [\"203.0.113.0/24\"]\n{LIST}");
    let site = Site::builder(&scratch, &config).dns(Dns::builder().listed(LISTED)).start();
    for (client, desk) in [(LISTED, "postmaster@rig.test"), ("203.0.113.9", "Abuse@rig.test")] {
        let mut connection = site.postfix.client_from(client);
        let sent = message("a@example.net", "why am I blocked?", "Hello");
        let delivery = connection.send("a@example.net", &[ALICE, desk], &sent);
        assert_eq!(delivery.rcpt[0].enhanced(), Some("5.7.1"), "{delivery:?}");
        assert!(delivery.is_accepted(), "{delivery:?}");
    }
    let messages = site.sink.wait_for(2);
    assert_eq!(messages.iter().map(|m| m.to.join(",")).collect::<Vec<_>>(), ["postmaster@rig.test", "Abuse@rig.test"]);
}

#[test]
fn denied_network_is_refused_and_an_allowed_one_inside_a_listed_one_is_not() {
    let scratch = Scratch::new();
    let file = scratch.file("deny.txt", "# from a feed\n192.0.2.128/25\n2001:db8:bad::/48\n");
    let config = format!(
        "[reputation]\ndeny = [\"203.0.113.0/24\"]\nallow = [\"198.51.100.64/30\"]\ndeny_files = [\"{}\"]\n{LIST}",
        file.display()
    );
    let site = Site::builder(&scratch, &config).dns(Dns::builder().listed("198.51.100.0/24")).start();
    let answer = |client: &str| site.send(client, "a@example.net", &[ALICE], message("a@example.net", "x", "x"));
    for denied in ["203.0.113.9", "192.0.2.200", "2001:db8:bad::1", "198.51.100.7"] {
        let reply = answer(denied).last().clone();
        assert_eq!((reply.code, reply.enhanced()), (550, Some("5.7.1")), "{denied}: {reply}");
    }
    for welcome in ["203.0.114.9", "192.0.2.100", "2001:db8::1", LISTED] {
        assert!(answer(welcome).is_accepted(), "{welcome}");
    }
    site.sink.wait_for(4);
}

#[test]
fn list_that_answers_for_everything_is_not_believed() {
    let scratch = Scratch::new();
    let config = format!(
        "{LIST}[[reputation.dnsbl]]\nname = \"gone\"\nzone = \"all.test\"\npoints = 9.0\nrefuse = [\"127.0.0.2\"]\n"
    );
    let dns = Dns::builder().listed(LISTED).listed_at("all.test", "0.0.0.0/0", "127.0.0.2");
    let site = Site::builder(&scratch, &config).dns(dns).start();
    let sent = message("a@example.net", "innocent", "Hello");
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], &sent).is_accepted());
    let line = site.line_about("a@example.net");
    assert!(!line.found("dnsbl.gone") && line.found("dnsbl.gone.trouble"), "{line:?}");
    assert_eq!(site.send(LISTED, "b@example.net", &[ALICE], &sent).last().code, 550, "other lists still count");
}

#[test]
fn answers_by_which_a_list_refuses_our_questions_are_not_believed() {
    let scratch = Scratch::new();
    let config = "[[reputation.dnsbl]]\nname = \"quota\"\nzone = \"quota.test\"\npoints = 9.0\nrefuse = [\"*\"]\n";
    let dns = Dns::builder().listed_at("quota.test", "198.51.100.0/24", "127.255.255.254").listed_at(
        "quota.test",
        "203.0.113.9",
        "127.0.0.2",
    );
    let site = Site::builder(&scratch, config).dns(dns).start();
    let sent = message("a@example.net", "innocent", "Hello");
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], &sent).is_accepted());
    let line = site.line_about("a@example.net");
    assert!(!line.found("dnsbl.quota") && line.found("dnsbl.quota.trouble"), "{line:?}");
    assert_eq!(site.send("203.0.113.9", "b@example.net", &[ALICE], &sent).last().code, 550, "true answers count");
}

#[test]
fn allow_list_in_dns_lifts_the_refusal_of_a_block_list() {
    let scratch = Scratch::new();
    let config = format!("{LIST}[[reputation.dnswl]]\nname = \"friends\"\nzone = \"white.test\"\npoints = -5.0\n");
    let dns = Dns::builder().listed("198.51.100.0/24").listed_at("white.test", LISTED, "127.0.5.2");
    let site = Site::builder(&scratch, &config).dns(dns).start();
    let sent = message("a@example.net", "friend", "Hello");
    assert!(site.send(LISTED, "a@example.net", &[ALICE], &sent).is_accepted());
    let line = site.line_about("a@example.net");
    let points = ["dnsbl.rig", "dnswl.friends"].map(|id| line.points_of(id).unwrap_or_default());
    assert_eq!(points, ["6.00", "-5.00"], "{line:?}");
    assert_eq!(site.send(STRANGER, "b@example.net", &[ALICE], &sent).last().code, 550);
}

#[test]
fn listed_client_can_be_refused_when_it_connects() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, LIST)
        .dns(Dns::builder().listed(LISTED))
        .mailward(|mailward| mailward.milter("refuse_at = \"connect\""))
        .start();
    let mut client = site.postfix.client();
    let greeting = client.become_client(&Xclient::address(LISTED), "client.example.net");
    assert_eq!(greeting.code, 554, "Postfix greets in its own words: {greeting}");
    assert!(client.mail("a@example.net").is_permanent());
    let line = site.mailward.wait_for_log("the refused connection", |line| line["stage"] == "connect");
    assert_eq!((line["verdict"].as_str(), line["client"].as_str()), (Some("reject"), Some(LISTED)), "{line}");
    let explained = site.explain(line["reference"].as_str().expect("every refusal has a reference"));
    assert!(explained.contains("dnsbl.rig") && explained.contains(LISTED), "{explained}");
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "x", "x")).is_accepted());
}

#[test]
fn domains_in_links_and_addresses_of_senders_are_looked_up_and_a_recording_keeps_the_answers() {
    let scratch = Scratch::new();
    let records = scratch.dir("records");
    let config = "[[reputation.domain_list]]\nname = \"rig\"\nzone = \"domains.test\"\npoints = { \"127.0.0.2\" = 7 }\n\
                  [[reputation.address_list]]\nname = \"hash\"\nzone = \"hashes.test\"\npoints = 2\nof = [\"reply-to\"]\n";
    let dns = Dns::builder()
        .a("evil.example.domains.test", "127.0.0.2")
        // printf pay@scam.example | sha1sum
        .a("d1f218557af6db7142a138ccd493556c6dceae07.hashes.test", "127.0.0.2");
    let mut site = Site::builder(&scratch, config)
        .dns(dns)
        .mailward(|mailward| mailward.argument("--record").argument(records.display().to_string()))
        .start();
    let text = message("a@example.net", "listed", "See http://www.shop.evil.example/offer and http://good.example/");
    let text = text.replacen("Subject:", "Reply-To: Pay+now@scam.example\nSubject:", 1);
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], &text).is_accepted());
    let line = site.line_about("a@example.net");
    assert_eq!(line.points_of("uribl.rig").as_deref(), Some("7.00"), "{line:?}");
    assert_eq!(line.points_of("hashbl.hash").as_deref(), Some("2.00"), "{line:?}");
    assert_eq!(line.text("verdict"), "tag");
    let explained = site.explain(&line.text("reference"));
    assert!(explained.contains("evil.example") && !explained.contains("scam.example"), "{explained}");

    let innocent = message("b@example.net", "not listed", "See http://good.example/");
    assert!(site.send(STRANGER, "b@example.net", &[ALICE], innocent).is_accepted());
    assert!(!site.line_about("b@example.net").found("uribl.rig"));

    let recorded = crate::recording::recording(&records, "a@example.net");
    assert!(site.mailward.terminate().success());
    site.dns.kill();
    let replayed = site.mailward.command(&["check", &recorded.display().to_string(), "--json"]);
    let replayed = String::from_utf8_lossy(&replayed.stdout).into_owned();
    assert!(replayed.contains("uribl.rig") && replayed.contains("\"as_recorded\":true"), "{replayed}");
}
