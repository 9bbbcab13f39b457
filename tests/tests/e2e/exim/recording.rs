//! Connections are recorded where the site asks for it, privately, and trouble with that costs no mail.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mailward_tests::clamd::Clamd;
use mailward_tests::scratch::Scratch;

use super::{BY_ACL, BY_LOCAL_SCAN, Site};
use crate::doors::golden;
use crate::site::{ALICE, STRANGER, message};

#[test]
fn connection_with_mail_is_recorded_in_one_private_file_that_grows_with_its_messages() {
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let records = scratch.dir("records");
        let site = Site::builder(&scratch, "").exim(|exim| {
            let exim = exim.record(&records);
            if way.is_empty() { exim } else { exim.set(way, "yes") }
        });
        let site = site.start();
        let files = || fs::read_dir(&records).expect("a folder").flatten().map(|e| e.path()).collect::<Vec<_>>();
        site.exim.client_from(STRANGER).quit();
        let mut client = site.exim.client_from(STRANGER);
        for number in 1..=2 {
            let sent = message("a@example.net", &format!("number-{number}"), "Hello");
            assert!(client.send("a@example.net", &[ALICE], sent).is_accepted());
            let found = files();
            assert_eq!(found.len(), 1, "none for the connection without mail: {found:?}");
            assert_eq!(found[0].extension().and_then(|e| e.to_str()), Some("session"));
            let mode = found[0].metadata().expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "it holds mail");
            let text = fs::read_to_string(&found[0]).expect("text");
            assert_eq!(text.matches("{\"explanation\":").count(), number, "it is written before the connection ends");
        }
        client.quit();
        let checked = site.exim.mailward(&["check", &records.display().to_string(), "--json"]);
        let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert_eq!(checked.matches("\"as_recorded\":true").count(), 2, "{checked}");
    }
}

#[test]
fn transaction_that_was_given_up_is_recorded_when_the_connection_ends() {
    let scratch = Scratch::new();
    let records = scratch.dir("records");
    let site = Site::builder(&scratch, "").exim(|exim| exim.record(&records)).start();
    let mut client = site.exim.client_from(STRANGER);
    assert!(client.mail("a@example.net").is_positive() && client.rcpt(ALICE).is_positive());
    client.quit();
    assert_eq!(fs::read_dir(&records).expect("a folder").count(), 1);
}

#[test]
fn recording_that_cannot_be_written_costs_no_mail() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").exim(|exim| exim.set("MAILWARD_RECORD", "/proc/no-such-folder")).start();
    let delivery = site.send_to_alice("a@example.net", message("a@example.net", "clean", "Hello"));
    assert!(delivery.is_accepted(), "{delivery:?}");
    assert!(site.sink.wait_for(1)[0].header("Authentication-Results").is_some(), "it was judged");
    site.exim.wait_for_log("mailward: the recording failed");
}

#[test]
fn sessions_that_the_library_records_in_exim_are_cases() {
    const LISTED: &str = "203.0.113.66";
    let scratch = Scratch::new();
    let (mut scanner, records) = (Clamd::start(&scratch), scratch.dir("records"));
    let mut site = Site::builder(&scratch, &golden::config(&scanner))
        .dns(golden::dns(LISTED))
        .exim(|exim| exim.record(&records))
        .start();
    golden::send(|listed| site.exim.client_from(if listed { LISTED } else { STRANGER }));
    site.dns.kill();
    scanner.kill();
    golden::assert_cases_hold("exim", &records);
}
