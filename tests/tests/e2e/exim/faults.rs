//! When Mailward cannot judge, the client is asked to come again, or the mail passes if the site says so; the log says why.

use mailward_tests::scratch::{Scratch, set_mode};

use super::{BY_ACL, BY_LOCAL_SCAN, Site, code};
use crate::site::{ALICE, STRANGER, message};

const BROKEN: &str = "[[policy]]\nname = \"x\"\nthen = \"rejekt\"\n";

#[test]
fn broken_configuration_defers_mail_and_the_log_says_why_and_open_connections_go_on() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    let mut open = site.exim.client_from(STRANGER);
    site.exim.configure(BROKEN);
    let reply = site.exim.client_from(STRANGER).mail("a@example.net");
    assert_eq!(code(&reply), "451 4.3.0", "{reply}");
    site.exim.wait_for_log("mailward.toml:3:8: then is \"rejekt\"");
    assert!(open.send("a@example.net", &[ALICE], message("a@example.net", "before", "Hello")).is_accepted());
    site.exim.configure("");
    assert!(site.send_to_alice("a@example.net", message("a@example.net", "after", "Hello")).is_accepted());
    site.sink.wait_for(2);
}

#[test]
fn site_may_prefer_unchecked_mail_to_none() {
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let site = Site::builder(&scratch, "").exim(move |exim| {
            let exim = exim.set("MAILWARD_TROUBLE", "accept");
            if way.is_empty() { exim } else { exim.set(way, "yes") }
        });
        let site = site.start();
        site.exim.configure(BROKEN);
        let delivery = site.send_to_alice("a@example.net", message("a@example.net", "unchecked", "Hello"));
        assert!(delivery.is_accepted(), "{delivery:?}");
        assert_eq!(site.sink.wait_for(1)[0].header("Authentication-Results"), None);
        site.exim.wait_for_log("mailward: goes on unchecked");
    }
}

#[test]
fn state_that_cannot_be_written_defers_mail() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").exim(|exim| exim.state("/proc/no-such-folder")).start();
    let reply = site.exim.client_from(STRANGER).mail("a@example.net");
    assert_eq!(code(&reply), "451 4.3.0", "{reply}");
    site.exim.wait_for_log("/proc/no-such-folder");
}

#[test]
fn plugin_that_cannot_be_loaded_defers_every_client() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    set_mode(&site.exim.plugin(), 0o000);
    let client = site.exim.client_from(STRANGER);
    assert_eq!(client.banner().code / 100, 4, "{}", client.banner());
}
