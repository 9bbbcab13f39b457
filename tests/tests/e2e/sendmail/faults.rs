//! The daemon crashes, hangs or is slow: Sendmail defers, and nothing passes unseen.

use std::net::IpAddr;
use std::time::Duration;

use mailward_tests::clamd::Clamd;
use mailward_tests::process::Signal;
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::Client;
use mailward_tests::traffic::{Mail, Sent, Traffic};

use super::{STRANGER, Site, code, results};
use crate::site::{ALICE, message};

/// Short waits, so that hung services cost little time.
const QUICK: &str = "[deadlines]\nreply = \"1500ms\"\nmessage = \"2s\"\n[dha]\nmode = \"off\"\n";

/// Clients of different networks that send to Alice.
pub(super) fn traffic(site: &Site, clients: usize) -> Traffic {
    let server = site.sendmail.address();
    let connect = move |number: u64| {
        let address = IpAddr::from([127, 9, 1 + (number / 200 % 200) as u8, 1 + (number % 200) as u8]);
        let mut client = Client::connect_from(server, address);
        client.ehlo("client.example.net");
        client
    };
    let text = format!("From: a@example.net\nTo: {ALICE}\nSubject: traffic\n\nHello\n");
    let mail = Mail { from: "a@example.net".to_owned(), to: ALICE.to_owned(), text };
    Traffic::over(connect, clients, 4, move |_| mail.clone())
}

/// Sends small batches until all is well again.
fn until_well(traffic: &Traffic) {
    for _ in 0..100 {
        if traffic.run(4).iter().all(Sent::is_accepted) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("things do not become well again");
}

#[test]
fn nothing_is_lost_or_passes_unseen_when_the_daemon_crashes_again_and_again() {
    let scratch = Scratch::for_sendmail();
    let mut site = Site::builder(&scratch, QUICK).start();
    let traffic = traffic(&site, 4);
    for _ in 0..3 {
        let batch = traffic.start(60);
        traffic.wait_for(&batch, 20);
        site.mailward.kill();
        traffic.wait_for(&batch, 40);
        site.mailward.restart();
        traffic.finish(&batch);
        until_well(&traffic);
    }
    for message in site.sink.messages() {
        results(&message);
    }
    let sent = traffic.account(&site.sink);
    assert!(sent.iter().any(|sent| !sent.is_accepted()), "clients have noticed the crashes");
    assert!(sent.iter().all(|sent| sent.is_accepted() || sent.reply.is_temporary()), "{sent:?}");
}

#[test]
fn mail_is_deferred_while_the_daemon_is_dead_and_that_session_stays_deferred() {
    let scratch = Scratch::for_sendmail();
    let mut site = Site::builder(&scratch, QUICK).start();
    let mut open = site.sendmail.client_from(STRANGER);
    assert!(open.send("a@example.net", &[ALICE], message("a@example.net", "before", "Hello")).is_accepted());
    site.mailward.kill();
    assert_eq!(open.mail("a@example.net").code, 451);
    assert_eq!(site.sendmail.client_from(STRANGER).mail("a@example.net").code, 451);
    site.mailward.restart();
    assert_eq!(open.mail("a@example.net").code, 451, "Sendmail gives the filter up until the client connects anew");
    assert!(site.send_to_alice("a@example.net", message("a@example.net", "after", "Hello")).is_accepted());
    assert_eq!(site.sink.wait_for(2).len(), 2);
}

#[test]
fn hung_daemon_defers_when_the_wait_of_sendmail_is_over() {
    let scratch = Scratch::for_sendmail();
    let mut site = Site::builder(&scratch, QUICK).sendmail(|s| s.waits("C:2s;S:2s;R:2s;E:4s")).start();
    let mut open = site.sendmail.client_from(STRANGER);
    assert!(open.mail("a@example.net").is_positive() && open.rcpt(ALICE).is_positive());
    site.mailward.signal(Signal::Stop);
    assert_eq!(open.data().code, 354);
    assert_eq!(open.content(message("a@example.net", "hung", "Hello")).code, 451);
    assert_eq!(site.sendmail.client_from(STRANGER).mail("b@example.net").code, 451);
    site.mailward.signal(Signal::Continue);
    assert!(site.send_to_alice("c@example.net", message("c@example.net", "after", "Hello")).is_accepted());
    assert_eq!(site.sink.wait_for(1)[0].from, "c@example.net", "what hung has not passed");
}

#[test]
fn slow_scanner_may_take_longer_than_sendmail_waits_for_one_answer() {
    let scratch = Scratch::for_sendmail();
    let mut scanner = Clamd::start(&scratch);
    let config = format!(
        "[deadlines]\nreply = \"1s\"\nmessage = \"8s\"\n[malware]\nclamd = \"inet:{}\"\nclamd_on_trouble = \"defer\"\n",
        scanner.address()
    );
    let site = Site::builder(&scratch, &config).sendmail(|s| s.waits("C:6s;S:6s;R:6s;E:30s")).start();
    scanner.signal(Signal::Stop);
    let end = site.send_to_alice("a@example.net", message("a@example.net", "slow", "Hello")).end.expect("its end");
    assert!(end.contains("[ref "), "Mailward decides, not the wait of Sendmail: {end}");
    assert_eq!(code(&end), "451 4.7.1", "{end}");
    scanner.signal(Signal::Continue);
    assert!(site.send_to_alice("a@example.net", message("a@example.net", "slow", "Hello")).is_accepted());
}
