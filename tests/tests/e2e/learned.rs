//! What the site's own verdicts teach it about senders, and whom its users write to.

use mailward_tests::clock::{PATIENCE, wait_for};
use mailward_tests::dkim::Signer;
use mailward_tests::dns::{self, Dns};
use mailward_tests::mailward::Mailward;
use mailward_tests::mmdb;
use mailward_tests::postfix::{HOST, PASSWORD, Postfix, USER};
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::{Client, Xclient};
use mailward_tests::tls::Authority;
use serde_json::Value;

use crate::recording::{comparable, recording};
use crate::site::{ALICE, BOB, STRANGER, Site, message};

/// Where spam comes from.
const SPAMMER: &str = "203.0.113.9";
/// Another host of the spammer's network.
const NEIGHBOUR: &str = "203.0.113.77";
/// A network elsewhere.
const ELSEWHERE: &str = "192.0.2.50";

/// A reply to elsewhere makes a message spam.
const SPAM_RULE: &str = "[score.points]\n\"header.reply-freemail\" = 6.0\n";
const NETWORK: &str = "reputation.learned.network";
const DOMAIN: &str = "reputation.learned.domain";
const HELO: &str = "reputation.learned.helo";
const ASN: &str = "reputation.learned.asn";

fn spam(from: &str) -> String {
    message(from, "offer", "Dear friend").replace("\n\n", "\nReply-To: prince@gmail.com\n\n")
}

/// The points of a finding, 0 if it was not found.
fn points(site: &Site, from: &str, finding: &str) -> f64 {
    site.line_about(from).points_of(finding).map_or(0.0, |text| text.parse().expect("points are a number"))
}

/// Sends so many messages, each from an address of its own, and waits until they are judged.
fn send_many(site: &Site, client: &str, domain: &str, count: usize, text: impl Fn(&str) -> String) {
    for number in 0..count {
        let from = format!("{client}-{number}@{domain}");
        let delivery = site.send(client, &from, &[ALICE], text(&from));
        assert!(delivery.data.is_some(), "{delivery:?}");
        site.line_about(&from);
    }
}

fn clean(from: &str) -> String {
    message(from, "hello", "Dear Alice,\n\nsee you on Monday.")
}

/// What `mailward reputation show` knows: (kind, bad, good) of those that were seen.
fn shown(site: &Site, what: &str) -> Vec<(String, u64, u64)> {
    let output = site.mailward.command(&["reputation", "show", what, "--json"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let seen = |row: &Value| Some((row["kind"].as_str()?.to_owned(), row["bad"].as_u64()?, row["good"].as_u64()?));
    rows.iter().filter_map(seen).filter(|(_, bad, good)| bad + good > 0).collect()
}

/// The same, as soon as the file knows it.
fn wait_shown(site: &Site, what: &str, expected: &[(&str, u64, u64)]) {
    let expected: Vec<_> = expected.iter().map(|(kind, bad, good)| ((*kind).to_owned(), *bad, *good)).collect();
    wait_for(PATIENCE, &format!("{what} is counted: {expected:?}, not {:?}", shown(site, what)), || {
        (shown(site, what) == expected).then_some(())
    });
}

#[test]
fn network_that_sent_spam_is_suspected_and_one_that_sent_good_mail_is_favoured() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, SPAM_RULE).start();
    send_many(&site, SPAMMER, "spam.example", 6, spam);
    send_many(&site, STRANGER, "good.example", 6, clean);
    assert!(!site.line_about(&format!("{SPAMMER}-0@spam.example")).found(NETWORK), "a first message says nothing");

    for (client, from) in [(SPAMMER, "a@x.example"), (STRANGER, "b@x.example"), (ELSEWHERE, "c@x.example")] {
        assert!(site.send(client, from, &[ALICE], clean(from)).is_accepted());
    }
    let (bad, good) = (points(&site, "a@x.example", NETWORK), points(&site, "b@x.example", NETWORK));
    assert!((0.5..1.5).contains(&bad) && (-1.0..-0.3).contains(&good), "{bad} and {good}");
    assert!(!site.line_about("c@x.example").found(NETWORK), "nothing is known of others");
    let explained = site.explain(&site.line_about("a@x.example").text("reference"));
    assert!(explained.contains("203.0.113.9/32: 6 bad, 0 good in 30 days"), "{explained}");
    assert!(explained.contains("203.0.113.0/24: 3 bad, 0 good"), "one host counts three times a day: {explained}");

    wait_shown(&site, SPAMMER, &[("address", 6, 1), ("network", 3, 1)]);
    site.mailward.kill();
    site.mailward.restart();
    assert!(site.send(SPAMMER, "d@x.example", &[ALICE], clean("d@x.example")).is_accepted());
    assert!(points(&site, "d@x.example", NETWORK) > 0.3, "what was learned outlasts a crash");

    let forgotten = site.mailward.command(&["reputation", "forget", SPAMMER, "203.0.113.0/24"]);
    assert_eq!(forgotten.status.code(), Some(0), "{forgotten:?}");
    let mut number = 0;
    wait_for(PATIENCE, "the daemon notices", || {
        number += 1;
        let from = format!("e{number}@x.example");
        assert!(site.send(SPAMMER, &from, &[ALICE], clean(&from)).is_accepted());
        (points(&site, &from, NETWORK) <= 0.0).then_some(())
    });
}

#[test]
fn network_that_sent_spam_may_ask_for_fewer_unknown_recipients() {
    let scratch = Scratch::new();
    let people = scratch.file("people.csv", format!("{ALICE}\n"));
    let config = format!(
        "{SPAM_RULE}[directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n\
         [dha]\nmode = \"enforce\"\nsession_delay = \"0s\"\n",
        people.display()
    );
    let site = Site::builder(&scratch, &config).start();
    send_many(&site, SPAMMER, "spam.example", 16, spam);
    send_many(&site, STRANGER, "good.example", 16, clean);
    let asked_until_block = |client: &str| {
        let passes = |number: &u32| {
            let mut connection = site.postfix.client_from(client);
            let mail = connection.mail("guess@x.example");
            assert!(mail.is_positive() || mail.code == 450, "{mail}");
            mail.is_positive() && !connection.rcpt(&format!("guess{number}@rig.test")).is_positive()
        };
        (0..40).take_while(passes).count()
    };
    let (spammer, other) = (asked_until_block(SPAMMER), asked_until_block(STRANGER));
    assert!(spammer < other && other < 40, "{spammer} and {other}");
}

#[test]
fn two_daemons_on_one_state_directory_learn_together() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, SPAM_RULE).start();
    let config = std::fs::read_to_string(site.mailward.config_file()).expect("the configuration can be read");
    let config = config.split_once("\n[milter]").expect("the rig writes [milter] last").0;
    let second = Mailward::builder().config(config).milter("socket_mode = \"666\"").start(&scratch);
    let postfix = Postfix::delivering_to(&site.sink).milter(second.inet()).start(&scratch);

    send_many(&site, SPAMMER, "spam.example", 6, spam);
    wait_shown(&site, SPAMMER, &[("address", 6, 0), ("network", 3, 0)]);
    assert!(postfix.client_from(SPAMMER).send("a@x.example", &[ALICE], clean("a@x.example")).is_accepted());
    let line = second.wait_for_log("the message", |line| line["from"] == "<a@x.example>" && !line["verdict"].is_null());
    assert!(line["findings"].as_str().is_some_and(|found| found.contains(NETWORK)), "{line}");
    wait_shown(&site, SPAMMER, &[("address", 6, 1), ("network", 3, 1)]);
}

#[test]
fn learned_points_alone_never_refuse() {
    let scratch = Scratch::new();
    let config = format!("{SPAM_RULE}\"{NETWORK}\" = 99\n[reputation.learned]\nconfidence = 1\n");
    let site = Site::builder(&scratch, &config).start();
    send_many(&site, SPAMMER, "spam.example", 3, spam);
    let delivery = site.send(SPAMMER, "a@x.example", &[ALICE], clean("a@x.example"));
    assert!(delivery.is_accepted(), "{delivery:?}");
    let line = site.line_about("a@x.example");
    assert_eq!((line.points_of(NETWORK).as_deref(), line.text("verdict").as_str()), (Some("99.00"), "tag"), "{line:?}");
}

#[test]
fn what_was_learned_does_not_feed_back() {
    let scratch = Scratch::new();
    let config = format!("{SPAM_RULE}\"{NETWORK}\" = 99\n[reputation.learned]\nconfidence = 1\n");
    let site = Site::builder(&scratch, &config).start();
    send_many(&site, SPAMMER, "spam.example", 3, spam);
    send_many(&site, SPAMMER, "clean.example", 4, clean);
    assert!(site.lines_about(&format!("{SPAMMER}-0@clean.example"), 1)[0].found(NETWORK));
    // Marked as spam for their network alone, they are neither good nor bad; bad they must not be.
    let seen = shown(&site, SPAMMER);
    assert!(seen.iter().all(|(_, bad, _)| *bad == 3), "{seen:?}");
}

#[test]
fn internal_clients_and_users_are_not_judged() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, &format!("{SPAM_RULE}[networks]\nrelays = [\"{SPAMMER}\"]\n")).start();
    let mut inside = site.postfix.client();
    for number in 0..5 {
        let from = format!("in{number}@rig.test");
        assert!(inside.send(&from, &[ALICE], spam(&from)).is_accepted());
        site.line_about(&from);
    }
    send_many(&site, SPAMMER, "relayed.example", 5, spam);
    for client in ["127.0.0.1", SPAMMER] {
        let output = site.mailward.command(&["reputation", "show", client]);
        assert_eq!(output.status.code(), Some(1), "nothing was learned of {client}: {output:?}");
    }
}

#[test]
fn domain_counts_when_it_is_authenticated_and_an_operator_when_dns_confirms_it() {
    let scratch = Scratch::new();
    let signer = Signer::new(&scratch, "spammy.example", "s1");
    let dns = Dns::builder()
        .txt(&signer.record_name(), &signer.record_value())
        .host(SPAMMER, "out1.operator.example")
        .host(ELSEWHERE, "out2.operator.example");
    let config = format!("{SPAM_RULE}[reputation.learned]\nconfidence = 1\n");
    let site = Site::builder(&scratch, &config).dns(dns).start();
    let send = |client: &str, from: &str, text: String| {
        let mut connection = site.postfix.client_as(&Xclient::address(client), "mx.operator.example");
        assert!(connection.send(from, &[ALICE], text).is_accepted());
        site.line_about(from);
    };
    for number in 0..4 {
        let from = format!("s{number}@spammy.example");
        send(SPAMMER, &from, signer.sign(&spam(&from)));
        let forger = format!("f{number}@bank.example");
        send(SPAMMER, &forger, spam(&forger));
    }
    wait_shown(&site, "spammy.example", &[("domain", 4, 0)]);
    assert!(shown(&site, "www.bank.example").is_empty(), "a claim spoils nobody's reputation");
    wait_shown(&site, "operator.example", &[("helo", 3, 0)]);

    send(STRANGER, "a@spammy.example", signer.sign(&clean("a@spammy.example")));
    assert!(points(&site, "a@spammy.example", DOMAIN) > 1.0, "the domain is known from anywhere");
    assert!(!site.line_about("a@spammy.example").found(NETWORK));
    send(STRANGER, "b@spammy.example", clean("b@spammy.example"));
    assert!(!site.line_about("b@spammy.example").found(DOMAIN), "unsigned, it may be anybody's");
    send(ELSEWHERE, "c@x.example", clean("c@x.example"));
    assert!(points(&site, "c@x.example", HELO) > 0.3, "{:?}", site.line_about("c@x.example"));
    assert!(!site.line_about("b@spammy.example").found(HELO), "the same name from a stranger proves nothing");
}

#[test]
fn autonomous_systems_count_if_the_site_has_a_database_and_a_wrong_one_is_named() {
    let scratch = Scratch::new();
    let field = "autonomous_system_number";
    let networks = [("203.0.113.0/24", 64496), ("192.0.2.0/24", 64496), ("2001:db8::/32", 64497)];
    let file = scratch.file("asn.mmdb", mmdb::database("Test-ASN", field, &networks));
    let config = format!(
        "{SPAM_RULE}[reputation.learned]\nconfidence = 1\nmax_points = 9\nasn_database = \"{}\"\n",
        file.display()
    );
    let mut site = Site::builder(&scratch, &config).start();
    for host in 1..=6 {
        send_many(&site, &format!("203.0.113.{host}"), "spam.example", 3, spam);
    }
    wait_shown(&site, "AS64496", &[("asn", 18, 0)]);
    assert!(site.send(ELSEWHERE, "a@x.example", &[ALICE], clean("a@x.example")).is_accepted());
    assert!(points(&site, "a@x.example", ASN) > 1.0, "{:?}", site.line_about("a@x.example"));
    assert!(!site.line_about("a@x.example").found(NETWORK));
    assert!(site.send(NEIGHBOUR, "n@x.example", &[ALICE], clean("n@x.example")).is_accepted());
    assert!(points(&site, "n@x.example", NETWORK) > 1.0, "a stranger among bad neighbours is suspected");

    let broken = scratch.file("country.mmdb", mmdb::database("Test-Country", "geoname_id", &networks));
    let text = std::fs::read_to_string(site.mailward.config_file()).expect("the configuration can be read");
    let text = text.split_once("\n[milter]").expect("the rig writes [milter] last").0;
    let faulty = text.replace(&file.display().to_string(), &broken.display().to_string());
    site.mailward.reload(faulty);
    let line = site.mailward.wait_for_text("country.mmdb");
    assert!(line.contains("Test-Country") && line.contains(field), "{line}");
    assert!(site.send(ELSEWHERE, "b@x.example", &[ALICE], clean("b@x.example")).is_accepted());
    assert!(points(&site, "b@x.example", ASN) > 1.0, "the old database stays in force");

    std::fs::write(&file, mmdb::database("Test-ASN", field, &[("192.0.2.0/24", 64499)])).expect("written");
    site.mailward.reload(text);
    site.mailward.wait_for_text("reloaded");
    assert!(site.send(ELSEWHERE, "c@x.example", &[ALICE], clean("c@x.example")).is_accepted());
    assert!(!site.line_about("c@x.example").found(ASN), "a reload reads the file anew");
}

/// The rig's users write to the outside, which may be anybody's.
fn outside() -> dns::Builder {
    Dns::builder().txt("outside.example", &format!("v=spf1 ip4:{STRANGER} -all"))
}

#[test]
fn answers_of_those_to_whom_users_write_are_expected() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").dns(outside()).start();
    let known = |client: &str, from: &str, to: &str| {
        assert!(site.send(client, from, &[to], clean(from)).is_accepted());
        site.lines_about(from, 1).pop().and_then(|line| line.points_of("correspondent.known"))
    };
    assert_eq!(known(STRANGER, "early@outside.example", ALICE), None);
    let mut inside = site.postfix.client();
    let letter = |to: &str| clean(ALICE).replace(&format!("To: {ALICE}"), &format!("To: {to}"));
    assert!(inside.send(ALICE, &["friend@outside.example"], letter("friend@outside.example")).is_accepted());
    let reply = letter("robot@outside.example").replace("\n\n", "\nAuto-Submitted: auto-replied\n\n");
    assert!(inside.send(ALICE, &["robot@outside.example"], reply).is_accepted());
    site.lines_about(ALICE, 2);

    assert_eq!(known(STRANGER, "friend@outside.example", ALICE).as_deref(), Some("-2.00"));
    assert_eq!(known(STRANGER, "robot@outside.example", ALICE).as_deref(), Some("-0.50"), "an answering program");
    assert_eq!(known(STRANGER, "other@outside.example", BOB).as_deref(), Some("-0.50"), "the domain");
    let to_bob = |from: &str| site.send(STRANGER, "Friend@outside.example", &[BOB], clean(from));
    assert!(to_bob("Friend@outside.example").is_accepted());
    let line = site.line_about("Friend@outside.example");
    assert_eq!(line.points_of("correspondent.known").as_deref(), Some("-1.00"), "known to the site: {line:?}");
    assert!(site.send(ELSEWHERE, "x@forger.example", &[ALICE], clean("friend@outside.example")).is_accepted());
    assert!(!site.line_about("x@forger.example").found("correspondent.known"), "who only claims to be known");

    for file in std::fs::read_dir(scratch.path().join("state")).expect("the state directory") {
        let path = file.expect("a file").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("counters.db")) {
            let bytes = std::fs::read(&path).unwrap_or_default();
            let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
            assert!(!holds(b"friend@") && !holds(b"alice@rig"), "addresses of correspondents are not kept: {path:?}");
        }
    }
}

#[test]
fn forwarded_mail_makes_no_acquaintance_and_that_of_users_who_have_logged_in_does() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let identity = authority.identity(HOST);
    let people = scratch.file("people.csv", format!("{ALICE}\n"));
    let config = format!("[directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n", people.display());
    let site =
        Site::builder(&scratch, &config).dns(outside()).postfix(|postfix| postfix.certificate(&identity)).start();
    let forwarded =
        site.postfix.client().send("a@forwarder.example", &["spammer@outside.example"], clean("a@x.example"));
    assert!(forwarded.is_accepted(), "{forwarded:?}");
    site.line_about("a@forwarder.example");
    let answer = |from: &str| {
        assert!(site.send(STRANGER, from, &[ALICE], clean(from)).is_accepted());
        site.line_about(from).points_of("correspondent.known")
    };
    assert_eq!(answer("spammer@outside.example"), None);

    let mut user = Client::connect_as(site.postfix.submission(), &Xclient::address(ELSEWHERE), "laptop");
    assert_eq!(user.start_tls(&authority, HOST).code, 220);
    user.ehlo("laptop");
    assert_eq!(user.auth_plain(USER, PASSWORD).code, 235);
    assert!(user.send(ALICE, &["friend@outside.example"], clean(ALICE)).is_accepted());
    site.line_about(ALICE);
    assert_eq!(answer("friend@outside.example").as_deref(), Some("-2.00"));
}

#[test]
fn replay_gives_what_was_learned_then() {
    let scratch = Scratch::new();
    let records = scratch.dir("records");
    let mut site = Site::builder(&scratch, SPAM_RULE)
        .dns(outside())
        .mailward(|mailward| mailward.argument("--record").argument(records.display().to_string()))
        .start();
    send_many(&site, STRANGER, "spam.example", 6, spam);
    assert!(site.postfix.client().send(ALICE, &["friend@outside.example"], clean(ALICE)).is_accepted());
    site.line_about(ALICE);
    let mut client = site.postfix.client_from(STRANGER);
    let answer = message("friend@outside.example", "the-answer", "Dear Alice");
    assert!(client.send("friend@outside.example", &[ALICE], answer).is_accepted());
    client.quit();
    let line = site.line_about("friend@outside.example");
    assert!(line.found(NETWORK) && line.found("correspondent.known"), "{line:?}");
    let file = recording(&records, "the-answer");
    assert!(site.mailward.terminate().success());
    let then = site.mailward.command(&["explain", &line.text("reference"), "--json"]);
    let replayed = site.mailward.command(&["check", file.to_str().expect("scratch paths are UTF-8"), "--json"]);
    assert_eq!(comparable(&replayed.stdout), comparable(&then.stdout), "left the replay, right what the daemon did");
}
