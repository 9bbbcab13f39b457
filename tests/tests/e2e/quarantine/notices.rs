//! Notices: sent after the answer, by a queue that a crash does not empty.

use mailward_tests::scratch::Scratch;
use mailward_tests::sink::Sink;

use super::{holds, state_files, submit_to};
use crate::site::{ALICE, BOB, STRANGER, Site, message};

const TELL: &str = "[notices]\nfrom = \"filter@rig.test\"\nadministrators = [\"root@rig.test\"]\nper_hour = 2\n\
    [[policy]]\nname = \"seen\"\nto = [\"alice@rig.test\"]\nthen = { notify = \"administrator\" }\ncontinue = true\n\
    [[policy]]\nname = \"refused\"\nto = [\"bob@rig.test\"]\nthen = { reject = \"no\", notify = [\"desk@rig.test\", \"administrator\"] }\n\
    [[policy]]\nname = \"later\"\nto = [\"carol@rig.test\"]\nthen = { defer = \"later\", notify = \"administrator\" }\n";

#[test]
fn administrators_are_told_whatever_becomes_of_the_message_and_nobody_too_often() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, TELL).start();
    let witness = Sink::start();
    submit_to(&mut site, witness.address());
    let send = |from: &str, to: &str| site.send(STRANGER, from, &[to], message(from, "Giraffe", "Hello")).last().code;
    assert_eq!(send("a@example.net", BOB), 550);
    let mut told: Vec<String> = witness.wait_for(2).into_iter().map(|notice| notice.to.join("")).collect();
    told.sort();
    assert_eq!(told, ["desk@rig.test", "root@rig.test"]);
    let notice = witness.messages().remove(0);
    assert_eq!(notice.header("Auto-Submitted").as_deref(), Some("auto-replied"));
    for word in ["Giraffe", "<bob@rig.test>: refused, by policy \"refused\"", STRANGER, "a@example.net"] {
        assert!(notice.body().contains(word), "{word}: {}", notice.body());
    }
    assert_eq!(send("b@example.net", ALICE), 250);
    assert!(witness.wait_for(3)[2].body().contains("delivered, by policy \"seen\""));
    // A third one within the hour is one too many for root; a message that comes again is told of when it is settled.
    assert_eq!(send("c@example.net", "carol@rig.test"), 451);
    assert_eq!(send("d@example.net", BOB), 550);
    site.mailward.wait_for_text("a notice is dropped");
    assert_eq!(witness.wait_for(4)[3].to, ["desk@rig.test"]);
}

#[test]
fn notice_outlives_a_crash_and_shows_no_word_on_the_disk() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, TELL).start();
    let mut witness = Sink::start();
    witness.switch_off();
    submit_to(&mut site, witness.address());
    let sent = message("a@example.net", "Okapi", "Hello");
    assert_eq!(site.send(STRANGER, "a@example.net", &[ALICE], sent).last().code, 250);
    site.mailward.kill();
    for file in state_files(&scratch) {
        assert!(!holds(&file, "okapi"), "{}", file.display());
    }
    witness.switch_on();
    site.mailward.restart();
    assert!(witness.wait_for(1)[0].body().contains("Okapi"));
}
