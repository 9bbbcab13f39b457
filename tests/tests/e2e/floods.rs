//! Floods: what is past a limit is deferred and says why; others go on, and what was deferred comes through later.

use std::net::IpAddr;
use std::thread;

use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::mailward::Mailward;
use mailward_tests::milter::{Answer, MilterClient, Parts};
use mailward_tests::nxdomain::NxDomain;
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::Reply;

use crate::site::{ALICE, BOB, CAROL, STRANGER, Site, message, reference};

/// Another client about which nothing is known.
const OTHER: &str = "203.0.113.9";

/// A decent message on a connection of its own; the last reply.
fn send(site: &Site, client: &str, from: &str, body: &str) -> Reply {
    site.send(client, from, &[ALICE], message(from, "flood", body)).last().clone()
}

fn said(reply: &Reply) -> (u16, Option<&str>) {
    (reply.code, reply.enhanced())
}

#[test]
fn messages_past_the_rate_of_a_network_are_deferred_until_the_window_has_passed() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "[rates]\nmessages = 3\nwindow = \"5s\"\n").start();
    for n in 0..3 {
        assert!(send(&site, STRANGER, &format!("{n}@example.net"), "Hello").is_positive());
    }
    let deferred = send(&site, STRANGER, "late@example.net", "Hello");
    assert_eq!(said(&deferred), (450, Some("4.7.1")), "{deferred}");
    assert!(deferred.text().contains("Too many messages, please try again later"), "{deferred}");
    assert!(send(&site, OTHER, "other@example.net", "Hello").is_positive(), "other networks go on");

    let explained = site.explain(&reference(&deferred));
    assert!(explained.contains("rates.messages") && explained.contains("4 within 5 s, limit 3"), "{explained}");
    assert!(explained.contains("rate of messages") && explained.contains(STRANGER), "{explained}");
    let again = send(&site, STRANGER, "late@example.net", "Hello");
    if again.code == 450 {
        assert_eq!(reference(&again), reference(&deferred), "the same cause has one report a minute");
    }
    // Attempts count too: who hammers on waits on, so nothing is sent until the window is over.
    std::thread::sleep(std::time::Duration::from_secs(7));
    assert!(send(&site, STRANGER, "late@example.net", "Hello").is_positive(), "the window has passed");
    let reports = site.mailward.log().iter().filter(|line| line["because"] == "rate of messages").count();
    assert_eq!(reports, 1, "a flood does not fill the log");
}

#[test]
fn connections_past_what_a_network_may_have_are_closed_and_those_before_stay() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "[rates]\nat_once = 2\n").start();
    let mut first = site.postfix.client_from(STRANGER);
    let mut second = site.postfix.client_from(STRANGER);
    // Postfix tells of a connection with its first MAIL.
    for client in [&mut first, &mut second] {
        assert!(client.mail("a@example.net").is_positive() && client.rset().is_positive());
    }
    let mut third = site.postfix.client_from(STRANGER);
    let closed = third.mail("third@example.net");
    assert_eq!(said(&closed), (421, Some("4.7.0")), "{closed}");
    assert!(site.explain(&reference(&closed)).contains("rates.at-once"));
    assert!(send(&site, OTHER, "other@example.net", "Hello").is_positive());
    for client in [&mut first, &mut second] {
        assert!(client.send("a@example.net", &[ALICE], message("a@example.net", "a", "Hello")).is_accepted());
    }
    first.quit();
    wait_until(PATIENCE, "the place of the first is free", || {
        site.postfix.client_from(STRANGER).mail("fourth@example.net").is_positive()
    });
}

#[test]
fn connections_recipients_and_bytes_have_rates_too() {
    let scratch = Scratch::new();
    let config = "[rates]\nconnections = 4\nrecipients = 2\nbytes = \"64 KiB\"\nwindow = \"20s\"\n";
    let site = Site::builder(&scratch, config).start();

    let mut client = site.postfix.client_from("198.51.100.1");
    let sent = client.send("a@example.net", &[ALICE, BOB, CAROL], message("a@example.net", "a", "Hello"));
    assert!(sent.is_accepted(), "{}", sent.last());
    assert_eq!(said(&sent.rcpt[2]), (450, Some("4.7.1")), "{}", sent.rcpt[2]);
    assert!(sent.rcpt[2].text().contains("Too many recipients"), "{}", sent.rcpt[2]);
    let next = client.mail("a@example.net");
    assert!(next.code == 450 && next.text().contains("Too many recipients"), "{next}");

    let large = "All work and no play makes Jack a dull boy.\n".repeat(2_000);
    assert!(send(&site, "198.51.100.2", "large@example.net", &large).is_positive(), "it was not too much before");
    let next = send(&site, "198.51.100.2", "large@example.net", "Hello");
    assert!(next.code == 450 && next.text().contains("Too much data"), "{next}");

    for _ in 0..4 {
        assert!(site.postfix.client_from("198.51.100.3").mail("a@example.net").is_positive());
    }
    let closed = site.postfix.client_from("198.51.100.3").mail("a@example.net");
    assert_eq!(said(&closed), (421, Some("4.7.0")), "{closed}");
    assert!(send(&site, OTHER, "other@example.net", "Hello").is_positive());
}

#[test]
fn own_networks_relays_and_allowed_ones_have_no_rates() {
    let scratch = Scratch::new();
    let config = "[rates]\nmessages = 1\nat_once = 1\nconnections = 1\n[networks]\nrelays = [\"192.0.2.25\"]\n\
                  [reputation]\nallow = [\"198.51.100.40\"]\n";
    let site = Site::builder(&scratch, config).start();
    for client in ["127.0.0.2", "192.0.2.25", "198.51.100.40"] {
        for _ in 0..3 {
            let reply = send(&site, client, "a@example.net", "Hello");
            assert!(reply.is_positive(), "{client}: {reply}");
        }
    }
    assert!(send(&site, STRANGER, "a@example.net", "Hello").is_positive());
    assert!(send(&site, STRANGER, "a@example.net", "Hello").is_temporary());
}

#[test]
fn the_whole_site_has_rates_of_its_own() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "[rates.site]\nmessages = 2\n").start();
    for client in ["198.51.100.1", "198.51.100.2"] {
        assert!(send(&site, client, "a@example.net", "Hello").is_positive());
    }
    let busy = send(&site, "198.51.100.3", "a@example.net", "Hello");
    assert_eq!(said(&busy), (451, Some("4.3.2")), "{busy}");
    assert!(site.explain(&reference(&busy)).contains("[rates.site] messages"));
}

#[test]
fn rates_that_are_only_observed_defer_nobody_and_are_in_the_log() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "[rates]\nmode = \"observe\"\nmessages = 1\n").start();
    for n in 0..3 {
        assert!(send(&site, STRANGER, &format!("{n}@example.net"), "Hello").is_positive());
    }
    assert!(!site.line_about("0@example.net").found("rates.messages"));
    assert!(site.line_about("1@example.net").found("rates.messages"));
}

#[test]
fn with_a_trial_only_its_recipients_are_deferred() {
    let scratch = Scratch::new();
    let config = format!("[rates]\nmessages = 1\n[trial]\nrecipients = [\"{ALICE}\"]\n");
    let site = Site::builder(&scratch, &config).start();
    let mut client = site.postfix.client_from(STRANGER);
    assert!(client.send("a@example.net", &[ALICE], message("a@example.net", "a", "Hello")).is_accepted());
    let sent = client.send("b@example.net", &[ALICE, BOB], message("b@example.net", "b", "Hello"));
    assert!(sent.mail.is_positive(), "{}", sent.mail);
    assert_eq!(said(&sent.rcpt[0]), (450, Some("4.7.1")), "{}", sent.rcpt[0]);
    assert!(sent.rcpt[1].is_positive() && sent.is_accepted(), "{}", sent.last());
}

/// A daemon that keeps its state in this folder.
fn daemon(scratch: &Scratch, state: &str, dns: &NxDomain, config: &str) -> Mailward {
    let config = format!(
        "{config}[dns]\nservers = [\"{}\"]\n[state]\ndir = \"{state}\"\n[log]\nformat = \"json\"\n",
        dns.address()
    );
    Mailward::builder().config(config).start(scratch)
}

/// A connection of an MTA to this daemon, for a client at this address.
fn connect(daemon: &Mailward, client: &str) -> MilterClient {
    let mut milter = MilterClient::tcp(daemon.address()).expect("the daemon negotiates");
    let client: IpAddr = client.parse().expect("an address");
    assert!(milter.hello(client, "client.example.net").expect("an answer").is_positive());
    milter
}

#[test]
fn two_daemons_with_one_state_share_the_rates() {
    let (scratch, dns) = (Scratch::new(), NxDomain::start());
    let state = scratch.dir("state").display().to_string();
    let config = "[rates]\nmessages = 4\nwindow = \"10m\"\n";
    let daemons = [daemon(&Scratch::new(), &state, &dns, config), daemon(&Scratch::new(), &state, &dns, config)];
    let mail = |which: usize| connect(&daemons[which], STRANGER).mail("a@example.net").expect("an answer").code();
    assert_eq!([mail(0), mail(0), mail(0)], [0, 0, 0]);
    wait_until(PATIENCE, "the other daemon knows of three", || {
        thread::sleep(std::time::Duration::from_millis(1_200)); // memory is believed for a second
        mail(1) == 450 || mail(1) == 450
    });
    wait_until(PATIENCE, "the first learns that the limit is reached", || {
        thread::sleep(std::time::Duration::from_millis(1_200));
        mail(0) == 450
    });
    assert_eq!(connect(&daemons[0], OTHER).mail("a@example.net").expect("an answer").code(), 0);
}

#[test]
fn a_message_that_hangs_is_cut_and_deferred_and_comes_through_later() {
    let (scratch, dns) = (Scratch::new(), NxDomain::start());
    let state = scratch.dir("state").display().to_string();
    let daemon = daemon(&scratch, &state, &dns, "[limits]\nmessage_time = \"1s\"\n");
    let mut milter = connect(&daemon, STRANGER);
    let parts = Parts::of(message("a@example.net", "slow", &"Slowly.\n".repeat(20_000)).as_bytes());
    assert!(milter.mail("a@example.net").expect("an answer").is_positive());
    assert!(milter.rcpt(ALICE).expect("an answer").is_positive());
    assert_eq!(milter.begin_message(&parts).expect("answers"), Answer::Continue);
    daemon.wait_for_text("messages that took longer than limits.message_time are given up");
    let deferred = milter.end_message().expect("an answer");
    assert_eq!(deferred.code(), 451, "{deferred:?}");
    let line = daemon.wait_for_log("the deferral", |line| line["verdict"] == "defer");
    assert!(line["findings"].to_string().contains("limit.message-time"), "{line}");

    assert!(milter.mail("a@example.net").expect("an answer").is_positive(), "the connection goes on");
    assert!(milter.rcpt(ALICE).expect("an answer").is_positive());
    assert!(milter.message(&parts).expect("an answer").is_positive());
}

#[test]
fn slow_clients_do_not_keep_others_out() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "[limits]\nmessages_in_flight = 1\nidle_time = \"1s\"\n").start();
    let mut slow = site.postfix.client_from(STRANGER);
    assert!(slow.mail("slow@example.net").is_positive());
    assert!(slow.rcpt(ALICE).is_positive());
    assert_eq!(slow.data().code, 354);
    let full = site.postfix.client_from(OTHER).mail("other@example.net");
    assert_eq!(said(&full), (452, Some("4.3.1")), "{full}");
    wait_until(PATIENCE, "the place of the slow client is free", || {
        send(&site, OTHER, "other@example.net", "Hello").is_positive()
    });
    let reply = slow.content(message("slow@example.net", "slow", "Hello"));
    assert!(reply.is_positive(), "a slow client is served in the end: {reply}");
}

#[test]
fn past_half_of_the_places_a_network_gets_its_share_and_a_newcomer_gets_in() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "[limits]\nmessages_in_flight = 4\n").start();
    let open = |client: &str| {
        let mut client = site.postfix.client_from(client);
        let reply = client.mail("a@example.net");
        (client, reply)
    };
    let greedy = [open(STRANGER), open(STRANGER)];
    let modest = open(OTHER);
    assert!(greedy.iter().chain([&modest]).all(|(_, reply)| reply.is_positive()));
    let (_, share) = open(STRANGER);
    assert_eq!(said(&share), (452, Some("4.3.1")), "{share}");
    assert!(site.explain(&reference(&share)).contains("the share of its network"));
    assert!(open("203.0.113.77").1.is_positive(), "a network with nothing in flight");
    drop((greedy, modest));
}
