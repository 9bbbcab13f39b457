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
    let delivery = open.send("a@example.net", &[ALICE], message("a@example.net", "before", "Hello"));
    assert!(delivery.is_accepted(), "{delivery:?}");
    site.exim.configure("");
    let delivery = site.send_to_alice("a@example.net", message("a@example.net", "after", "Hello"));
    assert!(delivery.is_accepted(), "{delivery:?}\n{}", site.exim.log());
    site.sink.wait_for(2);
}

#[test]
fn what_the_library_has_to_say_is_in_the_main_log() {
    let scratch = Scratch::new();
    let file = scratch.file("recipients.csv", "address\nalice@rig.test\nno address at all\n");
    let config = format!("[directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n", file.display());
    let site = Site::builder(&scratch, &config).start();
    assert!(site.send_to_alice("a@example.net", message("a@example.net", "heard", "Hello")).is_accepted());
    site.exim.wait_for_log("mailward: a line of a directory file is left out");
    assert!(site.exim.log().contains("recipients.csv:3"), "{}", site.exim.log());
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
    let client = site.exim.connect_from(STRANGER);
    assert_eq!(client.banner().code / 100, 4, "{}", client.banner());
}

#[test]
fn engine_of_the_daemon_serves_all_connections_until_exim_reloads() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, "").exim(|exim| exim.set("MAILWARD_PRELOAD", "yes")).start();
    assert!(site.send_to_alice("a@example.net", message("a@example.net", "first", "Hello")).is_accepted());
    site.exim.configure(BROKEN);
    let mut client = site.exim.client_from(STRANGER);
    for number in 0..2 {
        let sent = message("a@example.net", &format!("number {number}"), "Hello");
        assert!(client.send("a@example.net", &[ALICE], sent).is_accepted(), "{}", site.exim.log());
    }
    client.quit();
    assert!(site.send_to_alice("b@example.net", message("b@example.net", "another", "Hello")).is_accepted());
    assert_eq!(site.sink.wait_for(4).iter().filter(|m| m.header("Authentication-Results").is_some()).count(), 4);

    site.exim.reload();
    assert_eq!(code(&site.exim.client_from(STRANGER).mail("a@example.net")), "451 4.3.0");
    site.exim.configure("");
    let delivery = site.send_to_alice("c@example.net", message("c@example.net", "mended", "Hello"));
    assert!(delivery.is_accepted(), "{delivery:?}\n{}", site.exim.log());
}

#[test]
fn many_processes_at_a_time_share_the_state_and_nothing_is_lost() {
    for preload in [false, true] {
        let scratch = Scratch::new();
        let site = Site::builder(&scratch, "")
            .exim(move |exim| if preload { exim.set("MAILWARD_PRELOAD", "yes") } else { exim })
            .start();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let site = &site;
                scope.spawn(move || {
                    for turn in 0..3 {
                        let from = format!("a{number}-{turn}@example.net");
                        let delivery = site.send(
                            &format!("198.51.100.{number}"),
                            &from,
                            &[ALICE],
                            message(&from, "many", "Hello"),
                        );
                        assert!(delivery.is_accepted(), "{delivery:?}");
                    }
                });
            }
        });
        let arrived = site.sink.wait_for(24);
        assert!(arrived.iter().all(|message| message.header("Authentication-Results").is_some()));
        let log = site.exim.log();
        assert!(!log.contains("(status "), "no call failed: {log}");
        for line in log.lines().filter_map(|line| line.split("accepted, reference ").nth(1)) {
            assert!(site.ask(&["explain", line]).contains("@example.net"), "{line} is in history");
        }
    }
}

/// An administrator's dry run: `exim -bh ADDRESS`.
#[test]
fn dry_run_answers_as_a_connection_would_and_leaves_no_traces() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, &super::directory(&scratch, &[ALICE])).start();
    let session = "EHLO here\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<nobody@rig.test>\r\nQUIT\r\n";
    let output = site.exim.submit(&["-bh", STRANGER], session);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, reference) =
        said.split_once("550 5.1.1 No such recipient here [ref ").unwrap_or_else(|| panic!("{output:?}"));
    let explained = site.ask(&["explain", reference.split(']').next().unwrap_or_default()]);
    assert!(!explained.contains("a@example.net"), "{explained}");
}
