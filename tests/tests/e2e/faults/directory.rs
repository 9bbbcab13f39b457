//! The directory fails.

use std::sync::atomic::{AtomicU32, Ordering};

use mailward_tests::garbage::{GarbageServer, Manner};
use mailward_tests::process::Signal;
use mailward_tests::scratch::Scratch;
use mailward_tests::slapd::{Person, Slapd};
use mailward_tests::smtp::Reply;
use mailward_tests::tls::Authority;
use mailward_tests::traffic::{Sent, Traffic};

use super::{CLIENTS, OnTrouble, QUICK, in_mid_traffic, mail, until_well, was_found};
use crate::site::{ALICE, STRANGER, Site, directory, message};

/// Every fourth message goes to Alice, whom the cache knows; each other one to somebody else, whom it does not.
fn is_to_alice(number: u64) -> bool {
    number.is_multiple_of(4)
}

fn fails(on_trouble: OnTrouble) {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let people = Slapd::builder().person(Person::new("alice", "rig.test")).people(1_500, "rig.test");
    let mut slapd = people.start(&scratch, &authority);
    let more = format!("timeout = \"1s\"\ncache = {{ valid = \"1s\" }}\non_trouble = \"{}\"", on_trouble.word());
    let site = Site::builder(&scratch, &format!("{QUICK}{}", directory(&scratch, &slapd, &more))).start();
    assert!(
        site.send(STRANGER, "first@example.net", &[ALICE], message("a@example.net", "first", "Hello")).is_accepted()
    );

    let traffic = Traffic::new(site.postfix.address(), CLIENTS, 5, |number| {
        let to = if is_to_alice(number) { ALICE.to_owned() } else { format!("user{}@rig.test", number + 1) };
        mail("a@example.net", &to, "Hello")
    });
    let assert_meant = |sent: &[Sent]| {
        for sent in sent {
            let meaning = if is_to_alice(sent.number) { OnTrouble::Skip } else { on_trouble };
            meaning.assert_meant(sent);
        }
    };
    // Unknown recipients, each asked for once, tell whether the directory is asked, whatever trouble means.
    let count = AtomicU32::new(0);
    let nobody = || -> Reply {
        let nobody = format!("nobody{}@rig.test", count.fetch_add(1, Ordering::Relaxed));
        site.send(STRANGER, "n@example.net", &[&nobody], "Subject: x\n\nx\n").last().clone()
    };
    let well = |sent: &Sent| sent.is_accepted() && nobody().enhanced() == Some("5.1.1");
    until_well(&traffic, well);
    assert!(traffic.run(60).iter().all(Sent::is_accepted));

    in_mid_traffic(&traffic, 60, || slapd.kill());
    assert_meant(&traffic.run(40));
    slapd.restart();
    until_well(&traffic, well);

    in_mid_traffic(&traffic, 45, || slapd.signal(Signal::Stop));
    assert_meant(&traffic.run(16));
    slapd.signal(Signal::Continue);
    until_well(&traffic, well);

    for manner in [Manner::Noise, Manner::Flood, Manner::HangUp, Manner::Silence] {
        let mut garbage = None;
        in_mid_traffic(&traffic, 24, || {
            slapd.kill();
            garbage = Some(GarbageServer::start_on(slapd.port(), manner));
        });
        assert_meant(&traffic.run(16));
        drop(garbage);
        slapd.restart();
        until_well(&traffic, well);
    }
    assert!(was_found(&site.mailward, "directory.stale"), "an old answer has served");
    assert!(was_found(&site.mailward, "directory.trouble"), "trouble is on record");
    traffic.account(&site.sink);
}

#[test]
fn unknown_answers_of_a_failing_directory_defer_while_cached_ones_serve() {
    fails(OnTrouble::Defer);
}

#[test]
fn unknown_answers_of_a_failing_directory_are_skipped_if_told_so() {
    fails(OnTrouble::Skip);
}
