//! Directory harvests are blocked, though each connection is a process of its own: they share the state.

use mailward_tests::scratch::Scratch;

use super::{Site, code, directory};
use crate::site::{ALICE, STRANGER, message};

/// The harvester.
const HARVESTER: &str = "198.51.100.77";

#[test]
fn harvest_spread_over_many_processes_is_blocked_and_a_session_that_began_before_learns_it() {
    let scratch = Scratch::new();
    let config = directory(&scratch, &[ALICE]) + "[dha]\nmode = \"enforce\"\nsession_delay = \"0s\"\n";
    let site = Site::builder(&scratch, &config).start();
    let mut begun = site.exim.client_from(HARVESTER);
    let mut asked = 0;
    let reply = loop {
        let mut client = site.exim.client_from(HARVESTER);
        let mail = client.mail("harvester@example.net");
        if !mail.is_positive() {
            break mail;
        }
        assert!(client.rcpt(ALICE).is_positive());
        for _ in 0..3 {
            client.rcpt(&format!("guess{asked}@rig.test"));
            asked += 1;
        }
        client.quit();
        assert!(asked < 100, "{asked} unknown recipients were asked for, and nothing happened");
    };
    assert!((10..=25).contains(&asked), "blocked after {asked}");
    assert_eq!(code(&reply), "450 4.7.1", "{reply}");
    assert_ne!(begun.mail("harvester@example.net").code, 250, "a session that began before the block");
    assert!(site.ask(&["dha", "list"]).contains(HARVESTER), "{}", site.ask(&["dha", "list"]));
    let sent = message("a@example.net", "x", "x");
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], sent).is_accepted());
}

/// Pins what examples/exim/README.md says: Exim's ACLs cannot close the connection with a 4xx code.
#[test]
fn harvest_within_one_session_hears_421_again_and_again() {
    let scratch = Scratch::new();
    let config = directory(&scratch, &[ALICE]) + "[dha]\nmode = \"enforce\"\nsession_delay = \"0s\"\n";
    let site = Site::builder(&scratch, &config).start();
    let mut client = site.exim.client_from(HARVESTER);
    assert!(client.mail("harvester@example.net").is_positive());
    let codes: Vec<_> = (0..40).map(|n| client.rcpt(&format!("guess{n}@rig.test")).code).collect();
    let first = codes.iter().position(|code| *code == 421).unwrap_or_else(|| panic!("{codes:?}"));
    assert!(codes[..first].iter().all(|code| *code == 550), "{codes:?}");
    assert!(codes[first..].iter().all(|code| code / 100 == 4), "{codes:?}");
    assert_ne!(client.rcpt(ALICE).code, 250);
}

#[test]
fn tarpit_makes_the_client_wait_for_the_answer() {
    let scratch = Scratch::new();
    let config = directory(&scratch, &[ALICE]) + "[dha]\nmode = \"enforce\"\nsession_delay = \"300ms\"\n";
    let site = Site::builder(&scratch, &config).start();
    let mut client = site.exim.client_from(HARVESTER);
    assert!(client.mail("harvester@example.net").is_positive());
    let mut ask = |name: String| {
        let start = std::time::Instant::now();
        client.rcpt(&name);
        start.elapsed().as_millis()
    };
    let waits: Vec<_> = (0..6).map(|n| ask(format!("guess{n}@rig.test"))).collect();
    assert!(waits[0] < 300 && waits[5] >= 300, "milliseconds: {waits:?}");
}
