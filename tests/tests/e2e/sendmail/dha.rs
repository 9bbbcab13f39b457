//! Directory harvests are blocked.

use mailward_tests::scratch::Scratch;
use mailward_tests::slapd::Slapd;
use mailward_tests::smtp::Reply;
use mailward_tests::tls::Authority;

use super::{STRANGER, Site, code};
use crate::site::{directory, message};

/// The harvester.
const HARVESTER: &str = "127.9.0.77";
/// A recipient that exists.
const KNOWN: &str = "user1@rig.test";

/// The shipped numbers, but without the wait of a second that each unknown recipient costs from the fifth in a session.
const UNDELAYED: &str = "[dha]\nmode = \"enforce\"\nsession_delay = \"0s\"\n";

fn site(scratch: &Scratch) -> (Slapd, Site) {
    let slapd = Slapd::builder().people(3, "rig.test").start(scratch, &Authority::new(scratch));
    let site = Site::builder(scratch, &(directory(scratch, &slapd, "") + UNDELAYED)).start();
    (slapd, site)
}

/// Asks for one recipient that exists and three that do not, `nobody(n)`, in each of many sessions, until MAIL is
/// refused.
fn harvest(site: &Site, known: &str, nobody: impl Fn(usize) -> String) -> (usize, Reply) {
    let mut asked = 0;
    loop {
        let mut client = site.sendmail.client_from(HARVESTER);
        let mail = client.mail("harvester@example.net");
        if !mail.is_positive() {
            return (asked, mail);
        }
        client.rcpt(known);
        for _ in 0..3 {
            client.rcpt(&nobody(asked));
            asked += 1;
        }
        client.quit();
        assert!(asked < 100, "{asked} unknown recipients were asked for, and nothing happened");
    }
}

#[test]
fn harvest_spread_over_many_sessions_is_blocked_and_then_nothing_tells_who_exists() {
    let scratch = Scratch::for_sendmail();
    let (_slapd, site) = site(&scratch);
    let mut begun = [KNOWN, "guess@rig.test"].map(|_| site.sendmail.client_from(HARVESTER));
    let (asked, reply) = harvest(&site, KNOWN, |n| format!("guess{n}@rig.test"));
    assert!((10..=25).contains(&asked), "blocked after {asked}");
    assert_eq!(code(&reply), "450 4.7.1", "{reply}");
    let [known, unknown] = begun.each_mut().map(|client| {
        let reply = client.mail("harvester@example.net");
        (code(&reply), code(&client.rcpt(KNOWN)))
    });
    assert_eq!(known, unknown, "a session that began before the block");
    assert_ne!(known.0, "250 2.1.0");
    assert!(site.blocked().contains(HARVESTER), "{}", site.blocked());
    let line = site.mailward.wait_for_log("the refused MAIL", |line| line["because"] == "directory harvest");
    assert_eq!((line["verdict"].as_str(), line["client"].as_str()), (Some("defer"), Some(HARVESTER)), "{line}");
    assert!(site.send(STRANGER, "a@example.net", &[KNOWN], message("a@example.net", "x", "x")).is_accepted());
}

#[test]
fn harvest_within_one_session_ends_with_421() {
    let scratch = Scratch::for_sendmail();
    let (_slapd, site) = site(&scratch);
    let mut client = site.sendmail.client_from(HARVESTER);
    assert!(client.mail("harvester@example.net").is_positive());
    let replies: Vec<_> = (0..30).map(|n| client.rcpt(&format!("guess{n}@rig.test"))).collect();
    let closing = replies.iter().position(|reply| reply.code == 421).unwrap_or_else(|| panic!("{replies:?}"));
    assert!((9..20).contains(&closing), "after {closing}");
    assert!(replies[..closing].iter().all(|reply| reply.code == 550), "{replies:?}");
    assert!(replies[closing + 1..].iter().all(Reply::is_closed), "{replies:?}");
}

#[test]
fn harvest_of_sendmails_own_users_is_blocked_by_what_sendmail_reports() {
    let scratch = Scratch::for_sendmail();
    let site = Site::builder(&scratch, UNDELAYED).start();
    let (asked, reply) = harvest(&site, "root@mx.rig.test", |n| format!("guess{n}@mx.rig.test"));
    assert!((10..=25).contains(&asked), "blocked after {asked}");
    assert_eq!(code(&reply), "450 4.7.1", "{reply}");
    assert!(site.blocked().contains(HARVESTER), "{}", site.blocked());
}
