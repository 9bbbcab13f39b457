//! A second configuration that judges live mail beside the one in force.

use mailward_tests::dns::Dns;
use mailward_tests::mailward::Mailward;
use mailward_tests::scratch::Scratch;
use serde_json::Value;

use crate::limits::gtube;
use crate::site::{ALICE, BOB, STRANGER, Site, message};

/// What the shadow says of the mail of this sender, by the reference of the verdict in force.
fn difference(mailward: &Mailward, from: &str) -> Value {
    let line = mailward.wait_for_log("the message is judged", |line| line["from"] == format!("<{from}>"));
    let reference = line["reference"].clone();
    mailward.wait_for_log("the shadow has judged it", |line| {
        line["target"] == "mailward::shadow" && line["reference"] == reference
    })
}

fn shadow(scratch: &Scratch, text: &str) -> String {
    let file = scratch.file("next.toml", text);
    format!("[shadow]\nconfig = \"{}\"\n", file.display())
}

#[test]
fn the_shadow_says_what_it_would_do_and_never_acts() {
    let scratch = Scratch::new();
    let next = "[[policy]]\nname = \"no letters from there\"\nfrom = \"*@banned.test\"\nthen = \"reject\"\n\
                [[policy]]\nname = \"anything goes\"\nfrom = \"*@free.test\"\nthen = \"deliver\"\n\
                [[reputation.dnsbl]]\nname = \"new\"\nzone = \"dnsbl.test\"\nrefuse = [\"127.0.0.2\"]\n";
    let mut site = Site::builder(&scratch, "").dns(Dns::builder().listed("203.0.113.9")).start();
    let config = std::fs::read_to_string(site.mailward.config_file()).expect("the configuration can be read");
    let config = config.split_once("\n[milter]").expect("the rig writes [milter] last").0.to_owned();
    site.mailward.reload(config.clone() + "\n" + &shadow(&scratch, &(config + "\n" + next)));
    site.mailward.wait_for_text("judges beside");
    let text = |from: &str| message(from, "hello", "Hello");

    assert!(site.send(STRANGER, "a@banned.test", &[ALICE, BOB], text("a@banned.test")).is_accepted());
    let said = difference(&site.mailward, "a@banned.test");
    assert_eq!((&said["verdict"], &said["shadow"]), (&"deliver".into(), &"reject".into()), "{said}");
    assert!(said["by"].as_str().unwrap_or_default().contains("policy \"no letters from there\""), "{said}");

    let spam = message("b@free.test", "hello", &gtube());
    assert!(site.send(STRANGER, "b@free.test", &[ALICE], spam).last().is_permanent(), "the shadow cannot save it");
    let said = difference(&site.mailward, "b@free.test");
    assert_eq!((&said["verdict"], &said["shadow"]), (&"reject".into(), &"deliver".into()), "{said}");

    assert!(site.send("203.0.113.9", "c@ok.test", &[ALICE], text("c@ok.test")).is_accepted());
    let said = difference(&site.mailward, "c@ok.test");
    assert_eq!(said["shadow"], "reject", "its own block list is asked: {said}");
    assert!(said["by"].as_str().unwrap_or_default().contains("dnsbl.new"), "{said}");
}

#[test]
fn what_is_refused_early_and_would_not_be_is_told_and_nothing_is_counted_twice() {
    let scratch = Scratch::new();
    let people = scratch.file("people.csv", "address\nalice@rig.test\n");
    let directory = format!("[directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n", people.display());
    let now = format!("{directory}[reputation]\ndeny = [\"198.51.100.0/24\"]\n");
    let mut site = Site::builder(&scratch, &(now.clone() + &shadow(&scratch, &directory))).start();
    assert!(site.send(STRANGER, "a@x.test", &[ALICE], message("a@x.test", "hello", "Hello")).last().is_permanent());
    let said = difference(&site.mailward, "a@x.test");
    assert_eq!((&said["verdict"], &said["shadow"]), (&"reject".into(), &"goes on".into()), "{said}");

    // Unknown recipients are the same to both, and count once.
    assert!(site.send("203.0.113.1", "b@x.test", &[BOB], message("b@x.test", "x", "x")).last().is_permanent());
    site.mailward.wait_for_log("it is refused", |line| line["from"] == "<b@x.test>");
    // A shadow that cannot be loaded stops nothing.
    scratch.file("next.toml", "nonsense = 1\n");
    site.mailward.reload(now + &format!("[shadow]\nconfig = \"{}\"\n", scratch.path().join("next.toml").display()));
    site.mailward.wait_for_text("unknown key \\\"nonsense\\\"");
    assert!(site.send("203.0.113.1", "c@x.test", &[ALICE], message("c@x.test", "x", "x")).is_accepted());
    let differences = site.mailward.log().into_iter().filter(|line| line["target"] == "mailward::shadow");
    assert_eq!(differences.filter(|line| line["message"] == "differs").count(), 1);
}
