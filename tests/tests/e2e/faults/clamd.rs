//! The scanner fails.

use mailward_tests::clamd::{self, Clamd};
use mailward_tests::garbage::{GarbageServer, Manner};
use mailward_tests::process::Signal;
use mailward_tests::scratch::Scratch;
use mailward_tests::traffic::{Sent, Traffic};

use super::{CLIENTS, OnTrouble, QUICK, in_mid_traffic, mail, until_well, was_found};
use crate::site::{ALICE, Site, with_attachment};

/// Of four messages one has malware that only clamd knows, one has malware that our own rules know too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Clean,
    KnownToClamd,
    KnownToBoth,
}

fn kind(number: u64) -> Kind {
    match number % 4 {
        0 => Kind::KnownToClamd,
        1 => Kind::KnownToBoth,
        _ => Kind::Clean,
    }
}

fn fails(on_trouble: OnTrouble) {
    let scratch = Scratch::new();
    let mut scanner = Clamd::start(&scratch);
    let port = scanner.address().port();
    let config =
        format!("{QUICK}[malware]\nclamd = \"inet:127.0.0.1:{port}\"\nclamd_on_trouble = \"{}\"\n", on_trouble.word());
    let site = Site::builder(&scratch, &config).start();
    let attached = with_attachment("a@example.net", "traffic", "eicar.com", &clamd::eicar());
    let traffic = Traffic::new(site.postfix.address(), CLIENTS, 5, move |number| match kind(number) {
        Kind::Clean => mail("a@example.net", ALICE, "Hello"),
        Kind::KnownToClamd => mail("a@example.net", ALICE, clamd::BODY),
        Kind::KnownToBoth => mail("a@example.net", ALICE, "").with_text(&attached),
    });
    let is_well = |sent: &Sent| match kind(sent.number) {
        Kind::Clean => sent.is_accepted(),
        Kind::KnownToClamd | Kind::KnownToBoth => sent.reply.code == 550 && sent.reply.enhanced() == Some("5.7.1"),
    };
    let assert_meant = |sent: &[Sent]| {
        for sent in sent {
            if kind(sent.number) == Kind::KnownToBoth {
                assert!(sent.is_refused(), "our own rules still act: {sent:?}");
            } else {
                on_trouble.assert_meant(sent);
            }
        }
    };
    for sent in traffic.run(120) {
        assert!(is_well(&sent), "{sent:?}");
    }

    in_mid_traffic(&traffic, 90, || scanner.kill());
    assert_meant(&traffic.run(60));
    scanner.restart();
    until_well(&traffic, is_well);

    in_mid_traffic(&traffic, 12, || scanner.signal(Signal::Stop));
    assert_meant(&traffic.run(8));
    scanner.signal(Signal::Continue);
    until_well(&traffic, is_well);

    for manner in [Manner::Noise, Manner::Flood, Manner::HangUp] {
        let mut garbage = None;
        in_mid_traffic(&traffic, 12, || {
            scanner.kill();
            garbage = Some(GarbageServer::start_on(port, manner));
        });
        assert_meant(&traffic.run(8));
        drop(garbage);
        scanner.restart();
        until_well(&traffic, is_well);
    }
    assert!(was_found(&site.mailward, "scan.clamd.trouble"), "trouble is on record");
    traffic.account(&site.sink);
}

#[test]
fn mail_that_a_failing_scanner_has_not_seen_is_deferred() {
    fails(OnTrouble::Defer);
}

#[test]
fn mail_that_a_failing_scanner_has_not_seen_passes_if_told_so() {
    fails(OnTrouble::Skip);
}
