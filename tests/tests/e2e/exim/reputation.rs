//! Clients that are refused for what is known about their address.

use mailward_tests::clock::{PATIENCE, wait_for};
use mailward_tests::dns::Dns;
use mailward_tests::scratch::Scratch;

use super::{Site, code};
use crate::site::{ALICE, message, reference};

/// On the list.
const LISTED: &str = "198.51.100.66";

const LIST: &str = "[[reputation.dnsbl]]\nname = \"rig\"\nzone = \"dnsbl.test\"\n\
                    points = { \"127.0.0.2\" = 6.0 }\nrefuse = [\"127.0.0.2\"]\n";

#[test]
fn client_on_a_block_list_is_refused_at_rcpt_and_history_knows_why_though_it_hangs_up() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, LIST).dns(Dns::builder().listed(LISTED)).start();
    let mut client = site.exim.client_from(LISTED);
    assert!(client.mail("spam@example.net").is_positive());
    let reply = client.rcpt(ALICE);
    assert_eq!(code(&reply), "550 5.7.1", "{reply}");
    let reference = reference(&reply);
    drop(client); // without QUIT

    let explained = wait_for(PATIENCE, "history knows the refusal", || {
        let explained = site.ask(&["explain", &reference]);
        explained.contains("spam@example.net").then_some(explained)
    });
    for word in [LISTED, "dnsbl.rig", "127.0.0.2"] {
        assert!(explained.contains(word), "{word} in {explained}");
    }
    assert!(site.send_to_alice("a@example.net", message("a@example.net", "clean", "Hello")).is_accepted());
}

#[test]
fn client_with_ipv6_is_judged_too() {
    let scratch = Scratch::new();
    let dns = Dns::builder().txt("six.example", "v=spf1 ip6:2001:db8::7 -all");
    let site = Site::builder(&scratch, "").dns(dns).start();
    let delivery = site.send("2001:db8::7", "a@six.example", &[ALICE], message("a@six.example", "six", "Hello"));
    assert!(delivery.is_accepted(), "{delivery:?}\n{}", site.exim.log());
    let results = site.sink.wait_for(1)[0].header("Authentication-Results").unwrap_or_default();
    assert!(results.contains("spf=pass"), "{results}");
}
