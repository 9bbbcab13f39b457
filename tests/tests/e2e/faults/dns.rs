//! DNS fails.

use mailward_tests::dns::Dns;
use mailward_tests::garbage::{GarbageServer, Manner};
use mailward_tests::process::Signal;
use mailward_tests::scratch::Scratch;
use mailward_tests::traffic::{Sent, Traffic};

use super::{CLIENTS, OnTrouble, QUICK, in_mid_traffic, mail, until_well};
use crate::site::{ALICE, Site};

/// A quarter of the clients is on a block list.
const LISTED: &str = "2001:db8:1000::/48";

fn is_listed(number: u64) -> bool {
    number.is_multiple_of(4)
}

fn fails(on_trouble: OnTrouble) {
    let scratch = Scratch::new();
    let word = on_trouble.word();
    let config = format!(
        "{QUICK}[[reputation.dnsbl]]\nzone = \"dnsbl.test\"\nrefuse = [\"127.0.0.2\"]\non_trouble = \"{word}\"\n\
         [authentication]\ndns_trouble = \"{word}\"\n"
    );
    let mut site = Site::builder(&scratch, &config).dns(Dns::builder().listed(LISTED)).start();
    // One message a connection: each from a client that no cache knows, and from a domain that none knows.
    let traffic = Traffic::new(site.postfix.address(), CLIENTS, 1, |number| {
        mail(&format!("a@n{number}.example"), ALICE, "Hello")
    });
    let is_well = |sent: &Sent| match is_listed(sent.number) {
        true => sent.reply.code == 550 && sent.reply.enhanced() == Some("5.7.1"),
        false => sent.is_accepted(),
    };
    let assert_meant = |sent: &[Sent]| sent.iter().for_each(|sent| on_trouble.assert_meant(sent));
    for sent in traffic.run(150) {
        assert!(is_well(&sent), "{sent:?}");
    }

    in_mid_traffic(&traffic, 12, || site.dns.kill());
    assert_meant(&traffic.run(8));
    site.dns.restart();
    until_well(&traffic, is_well);

    in_mid_traffic(&traffic, 12, || site.dns.signal(Signal::Stop));
    assert_meant(&traffic.run(8));
    site.dns.signal(Signal::Continue);
    until_well(&traffic, is_well);

    let port = site.dns.address().port();
    let mut garbage = None;
    in_mid_traffic(&traffic, 12, || {
        site.dns.kill();
        garbage = Some(GarbageServer::start_on(port, Manner::Noise));
    });
    assert_meant(&traffic.run(8));
    assert!(garbage.as_ref().is_some_and(|server| server.asked() > 0), "DNS was asked");
    drop(garbage);
    site.dns.restart();
    until_well(&traffic, is_well);
    traffic.account(&site.sink);
}

#[test]
fn clients_are_deferred_while_dns_fails_if_told_so() {
    fails(OnTrouble::Defer);
}

#[test]
fn mail_passes_without_dns_if_told_so() {
    fails(OnTrouble::Skip);
}
