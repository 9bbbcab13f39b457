//! Greylisting: new senders are asked to try again, and those of whom something is known are not.

use std::thread::sleep;
use std::time::Duration;

use mailward_tests::clock::{PATIENCE, wait_for};
use mailward_tests::dns::Dns;
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::{Delivery, Reply};

use crate::site::{ALICE, BOB, STRANGER, Site, message, reference};

/// Another machine, in another network.
const ELSEWHERE: &str = "203.0.113.80";
/// A retry a second later counts; the first attempt is forgotten a day later.
const SHORT: &str = "[greylist]\nmode = \"enforce\"\ndelay = \"1s\"\n";
/// No test is so slow that a retry would count.
const LONG: &str = "[greylist]\nmode = \"enforce\"\ndelay = \"1h\"\n";

fn try_once(site: &Site, client: &str, from: &str, to: &str) -> Delivery {
    site.send(client, from, &[to], message(from, "greylisted", "Hello"))
}

fn is_deferred(reply: &Reply) -> bool {
    (reply.code, reply.enhanced()) == (451, Some("4.7.1")) && reply.contains("Greylisting")
}

/// Tries again until the message is taken; gives how often it was not.
fn persist(site: &Site, client: &str, from: &str, to: &str) -> u32 {
    let mut deferred = 0;
    wait_for(PATIENCE, "the message is taken", || {
        let delivery = try_once(site, client, from, to);
        if delivery.is_accepted() {
            return Some(());
        }
        assert!(is_deferred(&delivery.rcpt[0]), "{delivery:?}");
        deferred += 1;
        sleep(Duration::from_millis(200)); // what a mail server would do, in small
        None
    });
    deferred
}

#[test]
fn new_sender_is_deferred_once_and_known_from_then_on() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, SHORT).start();
    let first = try_once(&site, STRANGER, "a@example.net", ALICE);
    assert!(is_deferred(&first.rcpt[0]) && first.data.is_none(), "{first:?}");
    let explained = site.explain(&reference(&first.rcpt[0]));
    for word in ["greylist.deferred", "198.51.100.0/24", "greylisting"] {
        assert!(explained.contains(word), "{word} in {explained}");
    }
    persist(&site, STRANGER, "a@example.net", ALICE);
    assert!(try_once(&site, STRANGER, "a@example.net", ALICE).is_accepted(), "known by now");
    assert!(try_once(&site, "198.51.100.200", "a@example.net", ALICE).is_accepted(), "a neighbour of the same farm");
    assert!(is_deferred(&try_once(&site, STRANGER, "a@example.net", BOB).rcpt[0]), "another recipient");
    assert!(is_deferred(&try_once(&site, STRANGER, "b@example.net", ALICE).rcpt[0]), "another sender");
    assert!(is_deferred(&try_once(&site, STRANGER, "", ALICE).rcpt[0]), "the null sender is one of its own");
    assert!(is_deferred(&try_once(&site, ELSEWHERE, "a@example.net", ALICE).rcpt[0]), "another network");
    let lines = site.lines_about("a@example.net", 3);
    assert!(lines.iter().any(|line| line.found("greylist.passed")), "{lines:?}");
    assert_eq!(site.sink.wait_for(3)[0].to, [ALICE]);
}

#[test]
fn attempts_outlive_a_crash_of_the_daemon() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, SHORT).start();
    assert!(is_deferred(&try_once(&site, STRANGER, "a@example.net", ALICE).rcpt[0]));
    persist(&site, STRANGER, "a@example.net", ALICE);
    site.mailward.kill();
    site.mailward.restart();
    assert!(try_once(&site, STRANGER, "a@example.net", ALICE).is_accepted());
}

#[test]
fn sender_whose_spf_passes_or_whose_name_is_confirmed_may_come_back_from_another_machine() {
    let scratch = Scratch::new();
    let dns = Dns::builder()
        .txt("authentic.example", "v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 -all")
        .host("198.51.100.50", "out1.provider.example")
        .host("203.0.113.50", "out2.provider.example")
        .host("198.51.100.51", "host-198-51-100-51.lines.example")
        .host("203.0.113.51", "host-203-0-113-51.lines.example");
    let site = Site::builder(&scratch, SHORT).dns(dns).start();
    for (from, one, other) in
        [("a@authentic.example", STRANGER, ELSEWHERE), ("a@example.net", "198.51.100.50", "203.0.113.50")]
    {
        assert!(is_deferred(&try_once(&site, one, from, ALICE).rcpt[0]), "{from}");
        persist(&site, one, from, ALICE);
        assert!(try_once(&site, other, from, ALICE).is_accepted(), "{from}");
    }
    persist(&site, "198.51.100.51", "b@example.net", ALICE);
    let other_line = try_once(&site, "203.0.113.51", "b@example.net", ALICE);
    assert!(is_deferred(&other_line.rcpt[0]), "customers' lines do not stand for each other");
}

#[test]
fn good_exempt_and_own_clients_desks_and_unknown_recipients_are_not_greylisted() {
    let scratch = Scratch::new();
    let people = scratch.file("people.csv", format!("{ALICE}\n"));
    let config = format!(
        "{LONG}exempt_networks = [\"203.0.113.1\"]\nexempt_domains = [\"partner.example\"]\n\
         [networks]\nrelays = [\"203.0.113.2\"]\n[reputation]\nallow = [\"203.0.113.3\"]\n\
         [[reputation.dnswl]]\nzone = \"dnswl.test\"\n\
         [directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n",
        people.display()
    );
    let dns =
        Dns::builder().listed_at("dnswl.test", "203.0.113.4", "127.0.5.1").host("203.0.113.5", "mx.partner.example");
    let site = Site::builder(&scratch, &config).dns(dns).start();
    assert!(is_deferred(&try_once(&site, STRANGER, "a@example.net", ALICE).rcpt[0]));
    for client in ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5", "127.0.0.1"] {
        let delivery = try_once(&site, client, "a@example.net", ALICE);
        assert!(delivery.is_accepted(), "{client}: {delivery:?}");
    }
    assert!(try_once(&site, STRANGER, "a@example.net", "postmaster@rig.test").is_accepted());
    assert_eq!(try_once(&site, STRANGER, "a@example.net", "nobody@rig.test").rcpt[0].code, 550);
}

#[test]
fn sender_to_whom_somebody_here_has_written_is_not_greylisted() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, LONG).start();
    assert!(is_deferred(&try_once(&site, STRANGER, "friend@example.net", ALICE).rcpt[0]));
    let written = message(ALICE, "question", "Dear friend, how are you?");
    assert!(site.send("127.0.0.1", ALICE, &["friend@example.net"], written).is_accepted());
    wait_for(PATIENCE, "the friend is known", || {
        try_once(&site, STRANGER, "friend@example.net", ALICE).is_accepted().then_some(())
    });
    assert!(try_once(&site, ELSEWHERE, "friend@example.net", BOB).is_accepted(), "a friend of the site");
    assert!(is_deferred(&try_once(&site, STRANGER, "other@example.net", ALICE).rcpt[0]));
}

#[test]
fn client_without_points_is_spared_where_only_suspicious_ones_are_asked() {
    let scratch = Scratch::new();
    let dns = Dns::builder().host("203.0.113.9", "mail.example.org");
    let site = Site::builder(&scratch, &format!("{LONG}from_points = 1.0\n")).dns(dns).start();
    assert!(is_deferred(&try_once(&site, STRANGER, "a@example.net", ALICE).rcpt[0]), "it has no name");
    assert!(try_once(&site, "203.0.113.9", "a@example.net", ALICE).is_accepted());
}

#[test]
fn observing_and_recipients_outside_the_trial_see_no_delay() {
    for more in ["[greylist]\nmode = \"observe\"\n", &format!("{LONG}[trial]\nrecipients = [\"{BOB}\"]\n")] {
        let scratch = Scratch::new();
        let site = Site::builder(&scratch, more).start();
        assert!(try_once(&site, STRANGER, "a@example.net", ALICE).is_accepted(), "{more}");
        assert!(site.line_about("a@example.net").found("greylist.would-defer"), "{more}");
        if more.contains("trial") {
            assert!(is_deferred(&try_once(&site, STRANGER, "a@example.net", BOB).rcpt[0]));
        }
    }
}

#[test]
fn replayed_deferral_is_the_same_without_the_counters() {
    let scratch = Scratch::new();
    let records = scratch.dir("records");
    let argument = records.to_str().expect("scratch paths are UTF-8").to_owned();
    let site = Site::builder(&scratch, LONG).mailward(|m| m.argument("--record").argument(argument)).start();
    let first = try_once(&site, STRANGER, "a@example.net", ALICE);
    let second = try_once(&site, STRANGER, "a@example.net", ALICE);
    assert!(is_deferred(&first.rcpt[0]) && is_deferred(&second.rcpt[0]));
    let mut files = wait_for(PATIENCE, "both sessions are recorded", || {
        let files = std::fs::read_dir(&records).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let done = |path: &std::path::PathBuf| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            path.extension().is_some_and(|e| e == "session")
                && text.contains("a@example.net")
                && text.contains("answers")
        };
        let files: Vec<_> = files.filter(done).collect();
        (files.len() == 2).then_some(files)
    });
    let mail = scratch.file("mail.eml", message("b@example.net", "checked", "Hello"));
    let output = site.mailward.command(&[
        "check",
        "--json",
        mail.to_str().expect("UTF-8"),
        "--client-ip",
        STRANGER,
        "--from",
        "b@example.net",
        "--to",
        ALICE,
    ]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("greylist.would-defer"), "a message alone is judged, not sent away: {text}");
    assert_eq!(output.status.code(), Some(0), "{text}");
    files.sort();
    for file in files {
        let output = site.mailward.command(&["check", "--json", file.to_str().expect("UTF-8")]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("greylist.deferred") && text.contains("198.51.100.0/24"), "{text}");
    }
}
