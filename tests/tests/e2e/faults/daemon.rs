//! The daemon crashes, and the disk with its state fails.

use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::disk::TinyDisk;
use mailward_tests::mailward::{self, Mailward};
use mailward_tests::nxdomain::NxDomain;
use mailward_tests::postfix::Postfix;
use mailward_tests::scratch::Scratch;
use mailward_tests::sink::Sink;
use mailward_tests::traffic::{Sent, Traffic};

use super::{CLIENTS, QUICK, in_mid_traffic, mail, until_well};
use crate::site::{ALICE, STRANGER, Site, message};

#[test]
fn nothing_is_lost_when_the_daemon_crashes_again_and_again() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, QUICK).start();
    let traffic = Traffic::new(site.postfix.address(), CLIENTS, 5, |_| mail("a@example.net", ALICE, "Hello"));
    for _ in 0..3 {
        let batch = traffic.start(120);
        traffic.wait_for(&batch, 40);
        site.mailward.kill();
        traffic.wait_for(&batch, 80);
        site.mailward.restart();
        traffic.finish(&batch);
        until_well(&traffic, Sent::is_accepted);
    }
    for message in site.sink.messages() {
        assert!(message.header("Authentication-Results").is_some(), "none passed unseen: {:?}", message.headers());
    }
    let sent = traffic.account(&site.sink);
    assert!(sent.iter().any(|sent| !sent.is_accepted()), "clients have noticed the crashes");
}

/// A site whose state is on this disk.
fn start(scratch: &Scratch, disk: &TinyDisk, dns: &NxDomain, sink: &Sink) -> (Mailward, Postfix) {
    let config = format!(
        "{QUICK}[[policy]]\nname = \"drop\"\nto = [\"drop@rig.test\"]\nthen = \"discard\"\n\
         [dns]\nservers = [\"{}\"]\n[state]\ndir = \"{}/state\"\n[log]\nformat = \"json\"\n",
        dns.address(),
        disk.path().display()
    );
    let mailward = Mailward::builder().config(config).start(scratch);
    let postfix = Postfix::delivering_to(sink).milter(mailward.inet()).start(scratch);
    (mailward, postfix)
}

#[test]
fn mail_goes_on_while_the_disk_is_full_but_nothing_is_discarded_unrecorded() {
    let scratch = Scratch::new();
    let disk = TinyDisk::mount(&scratch, 4_096);
    let (dns, sink) = (NxDomain::start(), Sink::start());
    let (mailward, postfix) = start(&scratch, &disk, &dns, &sink);
    let drop = || {
        let delivery = postfix.client_from(STRANGER).send("d@example.net", &["drop@rig.test"], "Subject: x\n\nx\n");
        delivery.last().clone()
    };
    let traffic = Traffic::new(postfix.address(), CLIENTS, 5, |_| mail("a@example.net", ALICE, "Hello"));
    assert!(traffic.run(40).iter().all(Sent::is_accepted));
    assert_eq!(drop().code, 250);

    in_mid_traffic(&traffic, 60, || disk.fill());
    assert!(traffic.run(200).iter().all(Sent::is_accepted), "history is not worth a message");
    // What SQLite has reserved before may take a few records more.
    let refused = (0..500).map(|_| drop()).find(|reply| reply.code != 250).expect("no record, no discarding");
    assert_eq!((refused.code, refused.enhanced()), (451, Some("4.3.0")), "{refused}");
    assert!(mailward.output().contains("disk"), "the log tells why");

    disk.free();
    until_well(&traffic, Sent::is_accepted);
    wait_until(PATIENCE, "records are written again", || drop().code == 250);
    traffic.account(&sink);
    assert!(sink.messages().iter().all(|message| message.to == [ALICE]), "discarded is discarded");
}

#[test]
fn state_on_a_read_only_disk_stops_the_start_with_the_cure() {
    let scratch = Scratch::new();
    let disk = TinyDisk::mount(&scratch, 1_024);
    let (dns, sink) = (NxDomain::start(), Sink::start());
    let (mut mailward, postfix) = start(&scratch, &disk, &dns, &sink);
    let sent = message("a@example.net", "first", "Hello");
    assert!(postfix.client_from(STRANGER).send("a@example.net", &[ALICE], sent).is_accepted());
    assert!(mailward.terminate().success());
    disk.make_read_only();

    let output = mailward::command(
        mailward.folder(),
        &["milter", "--config", mailward.config_file().to_str().expect("scratch paths are UTF-8")],
    );
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    let place = format!("{}/state", disk.path().display());
    assert!(text.contains(&place) && text.contains("[state] dir"), "place and cure: {text}");
    assert_eq!(postfix.client_from(STRANGER).mail("a@example.net").code, 451, "meanwhile senders keep their mail");
}
