//! Directory harvests are blocked; honest lists with stale addresses are not.

use std::thread::sleep;
use std::time::Duration;

use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::scratch::Scratch;
use mailward_tests::slapd::Slapd;
use mailward_tests::smtp::{Client, Reply};
use mailward_tests::tls::Authority;

use crate::site::{STRANGER, Site, directory, message};

/// The harvester.
const HARVESTER: &str = "198.51.100.77";
/// A recipient that exists.
const KNOWN: &str = "user1@rig.test";

/// Enforced, with the shipped numbers.
const ENFORCE: &str = "[dha]\nmode = \"enforce\"\n";
/// The same, but without the wait of a second that each unknown recipient costs from the fifth in a session on.
const UNDELAYED: &str = "[dha]\nmode = \"enforce\"\nsession_delay = \"0s\"\n";

/// A site that knows `people` users from LDAP.
fn site(scratch: &Scratch, people: u32, dha: &str) -> (Slapd, Site) {
    let slapd = Slapd::builder().people(people, "rig.test").start(scratch, &Authority::new(scratch));
    let site = Site::builder(scratch, &(directory(scratch, &slapd, "") + dha)).start();
    (slapd, site)
}

/// A site where Postfix itself knows `people` users.
fn site_with_map(scratch: &Scratch, people: u32, config: &str) -> Site {
    let users = (1..=people).map(|n| format!("user{n}@rig.test"));
    Site::builder(scratch, config).postfix(|postfix| postfix.recipients(users)).start()
}

/// Asks for one recipient that exists and three that do not in each of many sessions, until MAIL is refused.
fn harvest(site: &Site) -> (usize, Reply) {
    let mut asked = 0;
    loop {
        let mut client = site.postfix.client_from(HARVESTER);
        let mail = client.mail("harvester@example.net");
        if !mail.is_positive() {
            return (asked, mail);
        }
        assert!(client.rcpt(KNOWN).is_positive() || asked > 0);
        for _ in 0..3 {
            client.rcpt(&format!("guess{asked}@rig.test"));
            asked += 1;
        }
        client.quit();
        assert!(asked < 100, "{asked} unknown recipients were asked for, and nothing happened");
    }
}

fn assert_block(reply: &Reply) {
    assert_eq!((reply.code, reply.enhanced()), (450, Some("4.7.1")), "{reply}");
}

/// Code and text without the reference, which differs each time.
fn said(reply: &Reply) -> String {
    let text = reply.to_string();
    text.split(" [ref ").next().unwrap_or_default().to_owned()
}

/// What a blocked client hears for this recipient in a new session and in one that has begun before.
fn told(site: &Site, begun: &mut Client, recipient: &str) -> [String; 4] {
    let mut client = site.postfix.client_from(HARVESTER);
    let new = [client.mail("harvester@example.net"), client.rcpt(recipient)];
    let again = [begun.mail("harvester@example.net"), begun.rcpt(recipient)];
    [&new[0], &new[1], &again[0], &again[1]].map(said)
}

#[test]
fn harvest_spread_over_many_sessions_is_blocked_and_then_nothing_tells_who_exists() {
    let scratch = Scratch::new();
    let (_slapd, site) = site(&scratch, 3, ENFORCE);
    let mut begun = [KNOWN, "guess@rig.test"].map(|_| site.postfix.client_from(HARVESTER));
    let mut open = [KNOWN, "guess@rig.test"].map(|_| site.postfix.client_from(HARVESTER));
    for client in &mut open {
        assert!(client.mail("harvester@example.net").is_positive());
    }
    let (asked, reply) = harvest(&site);
    assert!((10..=25).contains(&asked), "blocked after {asked}");
    assert_block(&reply);

    let [known, unknown] = begun.each_mut();
    let (known, unknown) = (told(&site, known, KNOWN), told(&site, unknown, "never-asked@rig.test"));
    assert_eq!(known, unknown);
    assert!(known[0].starts_with("450 4.7.1"), "{known:?}");
    let [known, unknown] = open.each_mut();
    let (known, unknown) = (said(&known.rcpt(KNOWN)), said(&unknown.rcpt("never-asked2@rig.test")));
    assert_eq!(known, unknown, "a transaction that was open when the block began");
    assert!(known.starts_with("421 4.7.0"), "{known}");

    assert!(site.blocked().contains(HARVESTER), "{}", site.blocked());
    assert!(site.send(STRANGER, "a@example.net", &[KNOWN], message("a@example.net", "x", "x")).is_accepted());
    let line = site
        .mailward
        .wait_for_log("the refused MAIL", |line| line["stage"] == "mail" && line["because"] == "directory harvest");
    assert_eq!((line["verdict"].as_str(), line["client"].as_str()), (Some("defer"), Some(HARVESTER)), "{line}");
}

/// Harvests a site whose Postfix refuses unknown recipients itself.
fn harvest_map(scratch: &Scratch, config: &str) {
    let site = site_with_map(scratch, 3, config);
    let mut begun = [KNOWN, "guess@rig.test"].map(|_| site.postfix.client_from(HARVESTER));
    let (asked, reply) = harvest(&site);
    assert!((10..=25).contains(&asked), "blocked after {asked}");
    assert_block(&reply);

    let [known, unknown] = begun.each_mut();
    let (known, unknown) = (told(&site, known, KNOWN), told(&site, unknown, "never-asked@rig.test"));
    assert_eq!(known, unknown);
    assert!(known[0].starts_with("450 4.7.1"), "{known:?}");
    assert!(site.blocked().contains(HARVESTER), "{}", site.blocked());
    assert!(site.send(STRANGER, "a@example.net", &[KNOWN], message("a@example.net", "x", "x")).is_accepted());
}

#[test]
fn harvest_of_recipients_that_postfix_itself_refuses_is_blocked_too() {
    harvest_map(&Scratch::new(), ENFORCE);
}

#[test]
fn harvest_is_blocked_where_both_postfix_and_mailward_know_the_recipients() {
    let scratch = Scratch::new();
    let slapd = Slapd::builder().people(3, "rig.test").start(&scratch, &Authority::new(&scratch));
    harvest_map(&scratch, &(directory(&scratch, &slapd, "") + ENFORCE));
}

#[test]
fn harvest_within_one_session_ends_with_421() {
    let scratch = Scratch::new();
    let (_slapd, site) = site(&scratch, 3, UNDELAYED);
    let mut client = site.postfix.client_from(HARVESTER);
    assert!(client.mail("harvester@example.net").is_positive());
    let replies: Vec<_> = (0..30).map(|n| client.rcpt(&format!("guess{n}@rig.test"))).collect();
    let closing = replies.iter().position(|reply| reply.code == 421).unwrap_or_else(|| panic!("{replies:?}"));
    assert!((9..20).contains(&closing), "after {closing}");
    assert!(replies[..closing].iter().all(|reply| reply.code == 550), "{replies:?}");
    assert!(replies[closing + 1..].iter().all(Reply::is_closed), "{replies:?}");
    assert_block(&site.postfix.client_from(HARVESTER).mail("harvester@example.net"));
}

#[test]
fn network_of_an_ipv6_client_is_blocked_as_a_whole() {
    let scratch = Scratch::new();
    let (_slapd, site) = site(&scratch, 3, ENFORCE);
    for session in 0..4 {
        let mut client = site.postfix.client_from(&format!("2001:db8:7:7::{session}"));
        client.mail("harvester@example.net");
        for n in 0..3 {
            client.rcpt(&format!("guess{session}{n}@rig.test"));
        }
    }
    assert_block(&site.postfix.client_from("2001:db8:7:7:ffff::9").mail("harvester@example.net"));
    assert!(site.postfix.client_from("2001:db8:7:8::1").mail("a@example.net").is_positive());
}

/// A thousand addresses of which a tenth has left, in an order that knows nothing of who has.
fn stale_list() -> Vec<String> {
    let list = (1..=1000).map(|n| if n % 10 == 0 { format!("left{n}@rig.test") } else { format!("user{n}@rig.test") });
    let mut list: Vec<_> = list.collect();
    let mut state = 7_u64;
    for last in (1..list.len()).rev() {
        // Numerical Recipes' generator; its upper half is random enough.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) & 0xffff_ffff;
        list.swap(last, (state >> 16) as usize % (last + 1));
    }
    list
}

/// Sends to the list in messages of `size` recipients; all of them must get it but those who have left.
fn deliver_list(site: &Site, size: usize, one_session: bool) {
    let list = stale_list();
    let mut client = site.postfix.client_from(STRANGER);
    for part in list.chunks(size) {
        if !one_session {
            client = site.postfix.client_from(STRANGER);
        }
        let to: Vec<_> = part.iter().map(String::as_str).collect();
        let delivery = client.send("list@example.net", &to, message("list@example.net", "news", "Hello"));
        assert!(delivery.is_accepted(), "{}", delivery.last());
        for (address, reply) in to.iter().zip(&delivery.rcpt) {
            let expected = if address.starts_with("left") { Some("5.1.1") } else { Some("2.1.5") };
            assert_eq!(reply.enhanced(), expected, "{address}: {reply}");
        }
    }
    assert!(!site.blocked().contains(STRANGER), "{}", site.blocked());
    assert!(site.postfix.client_from(STRANGER).mail("list@example.net").is_positive());
    let reached = || site.sink.messages().iter().map(|message| message.to.len()).sum::<usize>();
    wait_until(PATIENCE, "900 recipients are reached", || reached() == 900);
}

#[test]
fn list_of_a_thousand_with_a_tenth_stale_is_not_blocked_in_one_session() {
    let scratch = Scratch::new();
    let (_slapd, site) = site(&scratch, 1000, UNDELAYED);
    deliver_list(&site, 1000, true);
}

#[test]
fn list_of_a_thousand_with_a_tenth_stale_is_not_blocked_in_many_sessions() {
    let scratch = Scratch::new();
    let (_slapd, site) = site(&scratch, 1000, UNDELAYED);
    deliver_list(&site, 25, false);
}

#[test]
fn list_with_stale_addresses_is_not_blocked_if_postfix_refuses_them_either() {
    let scratch = Scratch::new();
    let site = site_with_map(&scratch, 1000, UNDELAYED);
    deliver_list(&site, 50, true);
}

#[test]
fn block_is_listed_and_can_be_released() {
    let scratch = Scratch::new();
    let (_slapd, site) = site(&scratch, 3, ENFORCE);
    assert!(!site.blocked().contains(HARVESTER), "{}", site.blocked());
    harvest(&site);
    assert!(site.blocked().contains(HARVESTER), "{}", site.blocked());
    let released = site.mailward.command(&["dha", "release", HARVESTER]);
    assert!(released.status.success(), "{}", String::from_utf8_lossy(&released.stderr));
    assert!(!site.blocked().contains(HARVESTER), "{}", site.blocked());
    // The daemon may remember a block for ten seconds.
    wait_until(PATIENCE, "the released network may send again", || {
        sleep(Duration::from_millis(250));
        site.postfix.client_from(HARVESTER).mail("a@example.net").is_positive()
    });
    let nobody = site.mailward.command(&["dha", "release", "203.0.113.200"]);
    assert_eq!(nobody.status.code(), Some(1), "{}", String::from_utf8_lossy(&nobody.stdout));
}

#[test]
fn observing_only_logs_what_would_be_blocked() {
    let scratch = Scratch::new();
    let (_slapd, site) = site(&scratch, 3, "[dha]\nmode = \"observe\"\n");
    let mut client = site.postfix.client_from(HARVESTER);
    assert!(client.mail("harvester@example.net").is_positive());
    for n in 0..40 {
        assert_eq!(client.rcpt(&format!("guess{n}@rig.test")).enhanced(), Some("5.1.1"));
    }
    client.quit();
    site.mailward.wait_for_text("dha.would-block");
    let sent = message("a@example.net", "still welcome", "Hello");
    assert!(site.send(HARVESTER, "a@example.net", &[KNOWN], sent).is_accepted());
    site.sink.wait_for(1);
}

#[test]
fn own_networks_and_relays_are_never_blocked() {
    let scratch = Scratch::new();
    let config = format!("[networks]\nrelays = [\"203.0.113.25\"]\n{UNDELAYED}");
    let (_slapd, site) = site(&scratch, 3, &config);
    for exempt in ["203.0.113.25", "127.0.0.1"] {
        let mut client = site.postfix.client_from(exempt);
        assert!(client.mail("a@example.net").is_positive());
        for n in 0..40 {
            client.rcpt(&format!("guess{n}@rig.test"));
        }
        assert!(client.rcpt(KNOWN).is_positive(), "{exempt}");
        assert!(!site.blocked().contains(exempt), "{}", site.blocked());
    }
}
