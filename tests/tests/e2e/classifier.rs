//! What `mailward learn` teaches changes verdicts of the running daemon, and recordings keep what was said.

use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::scratch::Scratch;
use serde_json::Value;

use crate::site::{ALICE, Line, STRANGER, Site, message};

const HAM: [&str; 5] = ["minutes", "budget", "meeting", "draft", "project"];
const SPAM: [&str; 5] = ["casino", "winner", "prize", "claim", "jackpot"];
const COMMON: &str = "we would like to tell you about the";

/// An mbox of so many different messages that share words.
fn pile(scratch: &Scratch, name: &str, words: &[&str; 5], count: usize) -> String {
    let one = |n: usize| {
        let word = |i: u32| words[n / 5_usize.pow(i) % 5];
        let text = format!("{COMMON} {} and the {} {} with {}", word(0), word(1), word(2), ["a", "b"][n % 2]);
        format!("From x@example.net Mon Jan  1 00:00:00 2024\n{}\n", message("x@example.net", word(0), &text))
    };
    scratch.file(name, (0..count).map(one).collect::<String>()).display().to_string()
}

fn spam(from: &str) -> String {
    message(from, "prize", &format!("{COMMON} jackpot and the prize winner with casino claim"))
}

fn ham(from: &str) -> String {
    message(from, "budget", &format!("{COMMON} meeting and the budget draft with project minutes"))
}

/// Runs `mailward learn … --json`, which must succeed.
fn learn(site: &Site, arguments: &[&str]) -> Value {
    let output = site.mailward.command(&[&["learn", "--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn wait_for_generation(site: &Site, generation: u64) {
    wait_until(PATIENCE, &format!("the daemon reads generation {generation}"), || {
        site.mailward.log().iter().any(|line| line["generation"] == generation)
    });
}

/// The line about a message sent by a stranger, which is accepted.
fn judged(site: &Site, from: &str, text: &str) -> Line {
    assert!(site.send(STRANGER, from, &[ALICE], text).is_accepted(), "{from}");
    site.line_about(from)
}

fn points(line: &Line) -> f64 {
    line.points_of("spam.classifier").map_or(0.0, |points| points.parse().expect("points"))
}

#[test]
fn learning_changes_verdicts_without_a_restart_and_corrections_count() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    assert_eq!(points(&judged(&site, "before@example.net", &spam("before@example.net"))), 0.0, "nothing was learned");

    let (spam_pile, ham_pile) = (pile(&scratch, "spam", &SPAM, 60), pile(&scratch, "ham", &HAM, 60));
    let first = learn(&site, &["spam", &spam_pile]);
    assert_eq!((first["learned"].as_u64(), first["known"].as_u64()), (Some(60), Some(0)), "{first}");
    let again = learn(&site, &["spam", &spam_pile]);
    assert_eq!((again["learned"].as_u64(), again["known"].as_u64()), (Some(0), Some(60)), "{again}");
    assert_eq!(again["model"]["generation"], 1, "what is known changes nothing");
    learn(&site, &["ham", &ham_pile]);
    wait_for_generation(&site, 2);

    let line = judged(&site, "spam@example.net", &spam("spam@example.net"));
    assert!(points(&line) > 0.0, "{line:?}");
    let line = judged(&site, "ham@example.net", &ham("ham@example.net"));
    assert!(points(&line) < 0.0, "{line:?}");
    let log = site.mailward.output();
    assert!(!log.contains("jackpot"), "words of messages are not logged");

    // What was called spam is ham after all: the same messages, the other class.
    let corrected = learn(&site, &["ham", &spam_pile]);
    assert_eq!((corrected["corrected"].as_u64(), corrected["learned"].as_u64()), (Some(60), Some(0)), "{corrected}");
    assert_eq!((&corrected["model"]["ham"], &corrected["model"]["spam"]), (&120.into(), &0.into()));
    wait_for_generation(&site, 3);
    let line = judged(&site, "after@example.net", &spam("after@example.net"));
    assert!(!line.found("spam.classifier"), "there is no spam to compare with: {line:?}");

    let forgotten = learn(&site, &["--forget", "ham", &spam_pile]);
    assert_eq!((forgotten["forgotten"].as_u64(), &forgotten["model"]["ham"]), (Some(60), &60.into()), "{forgotten}");
}

#[test]
fn model_is_shown_exported_reset_and_imported_and_damage_is_named() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    let run = |arguments: &[&str]| {
        let output = site.mailward.command(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    };
    let (code, text) = run(&["model", "show"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("mailward learn spam"), "{text}");
    learn(&site, &["spam", &pile(&scratch, "spam", &SPAM, 60)]);
    learn(&site, &["ham", &pile(&scratch, "ham", &HAM, 40)]);
    let (_, text) = run(&["model", "show"]);
    assert!(text.contains("40 ham, 60 spam") && text.contains("not yet"), "{text}");

    let copy = scratch.path().join("copy.bin").display().to_string();
    assert_eq!(run(&["model", "export", &copy]).0, Some(0));
    assert_eq!(run(&["model", "reset"]).0, Some(2), "it asks to be sure");
    assert_eq!(run(&["model", "reset", "--yes"]).0, Some(0));
    assert_eq!(run(&["model", "show"]).0, Some(1));
    assert_eq!(run(&["model", "import", &copy]).0, Some(0));
    let (_, shown) = run(&["model", "show", "--json"]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((&shown["ham"], &shown["spam"]), (&40.into(), &60.into()));

    let model = shown["file"].as_str().expect("its file");
    let bytes = std::fs::read(model).expect("the model");
    std::fs::write(model, &bytes[..bytes.len() / 2]).expect("cut");
    site.mailward.wait_for_text("may have been cut");
    let (code, text) = run(&["learn", "spam", &copy]);
    assert!(code == Some(3) && text.contains("mailward model reset"), "{text}");
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "a", "Hello")).is_accepted());
}

#[test]
fn recording_gives_the_same_verdict_after_the_model_has_changed() {
    let scratch = Scratch::new();
    let records = scratch.dir("records");
    let mut site = Site::builder(&scratch, "")
        .mailward(|mailward| mailward.argument("--record").argument(records.display().to_string()))
        .start();
    learn(&site, &["spam", &pile(&scratch, "spam", &SPAM, 60)]);
    learn(&site, &["ham", &pile(&scratch, "ham", &HAM, 60)]);
    wait_for_generation(&site, 2);
    let line = judged(&site, "spam@example.net", &spam("spam@example.net"));
    assert!(points(&line) > 0.0, "{line:?}");
    assert!(site.mailward.terminate().success());

    let check = || {
        let output = site.mailward.command(&["check", &records.display().to_string(), "--json"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut object: Value = serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"));
        object.as_object_mut().expect("an object").remove("run");
        object
    };
    let then = check();
    assert!(then["findings"].to_string().contains("spam.classifier"), "{then}");
    assert_eq!(then["points"].to_string().parse::<f64>().ok(), line.text("points").parse().ok());
    assert!(site.mailward.command(&["model", "reset", "--yes"]).status.success());
    assert_eq!(check(), then);
}

#[test]
fn classifier_can_be_switched_off_and_bounded() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, "[spam]\nclassifier_max = 0.5\n").start();
    learn(&site, &["spam", &pile(&scratch, "spam", &SPAM, 60)]);
    learn(&site, &["ham", &pile(&scratch, "ham", &HAM, 60)]);
    wait_for_generation(&site, 2);
    let line = judged(&site, "a@example.net", &spam("a@example.net"));
    assert!(points(&line) > 0.0 && points(&line) <= 0.5, "{line:?}");
    let state = format!("[state]\ndir = \"{}\"\n[log]\nformat = \"json\"\n", scratch.dir("state").display());
    site.mailward.reload(format!("[spam]\nclassifier = false\n{state}"));
    site.mailward.wait_for_text("reloaded");
    assert!(!judged(&site, "b@example.net", &spam("b@example.net")).found("spam.classifier"));
}
