//! Every pair of dispositions on a message with two recipients, through each MTA: one reply and one set of edits for both.

use std::collections::BTreeSet;
use std::process::Output;

use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::scratch::Scratch;
use mailward_tests::sink::Sink;
use mailward_tests::smtp::Delivery;

use crate::site::{STRANGER, Site, message};

/// What the client hears (`250`, or `held` for a message that is taken and waits), who of the two gets it, and its marks: of
/// the policy that tags (`tag`), and of a refusal that could not be sent (`flag`).
#[rustfmt::skip]
const PAIRS: [(&str, &str, &str); 28] = [
    ("deliver", "deliver", "250 12"),
    ("deliver", "tag",     "250 12 tag"),
    ("deliver", "hold",    "held"),
    ("deliver", "discard", "250 1"),
    ("deliver", "reject",  "250 12 flag"),
    ("deliver", "defer",   "451"),
    ("tag",     "tag",     "250 12 tag"),
    ("tag",     "hold",    "held"),
    ("tag",     "discard", "250 1 tag"),
    ("tag",     "reject",  "250 12 tag flag"),
    ("tag",     "defer",   "451"),
    ("hold",    "hold",    "held"),
    ("hold",    "discard", "held"),
    ("hold",    "reject",  "held"),
    ("hold",    "defer",   "451"),
    ("deliver", "quarantine", "250 1"),
    ("tag",     "quarantine", "250 1 tag"),
    ("hold",    "quarantine", "held"),
    ("quarantine", "quarantine", "250"),
    ("quarantine", "discard", "250"),
    ("quarantine", "reject",  "250"),
    ("quarantine", "defer",   "451"),
    ("discard", "discard", "250"),
    ("discard", "reject",  "550"),
    ("discard", "defer",   "451"),
    ("reject",  "reject",  "550"),
    ("reject",  "defer",   "451"),
    ("defer",   "defer",   "451"),
];

/// A policy for each disposition, for two recipients called after it.
pub(crate) fn policies() -> String {
    let words =
        ["deliver", "hold", "quarantine", "discard", "reject", "defer"].map(|word| (word, format!("\"{word}\"")));
    let tag = ("tag", "{ tag = { header = { X-Tag = \"yes\" } } }".to_owned());
    let policy = |(word, then): (&str, String)| {
        format!("[[policy]]\nname = \"{word}\"\nto = [\"{word}1@rig.test\", \"{word}2@rig.test\"]\nthen = {then}\n")
    };
    words.into_iter().chain([tag]).map(policy).collect()
}

/// Sends a message for each pair, in both orders, and holds what becomes of it against the table. `send` gets sender,
/// recipients and message.
pub(crate) fn play(sink: &Sink, send: impl Fn(&str, &[&str], &str) -> Delivery, held: impl Fn() -> usize) {
    let mut waiting = 0;
    for (one, other, outcome) in PAIRS {
        let recipients = [format!("{one}1@rig.test"), format!("{other}2@rig.test")];
        for turned in [false, true] {
            let name = format!("{one}-{other}-{}", if turned { "turned" } else { "straight" });
            let mut to: Vec<&str> = recipients.iter().map(String::as_str).collect();
            if turned {
                to.reverse();
            }
            let from = format!("a@{name}.example.net");
            let delivery = send(&from, &to, &message(&from, &name, "Hello"));
            let mut words = outcome.split(' ');
            let heard = words.next().expect("what the client hears");
            let code = if heard == "held" { 250 } else { heard.parse().expect("a code") };
            assert_eq!(delivery.last().code, code, "{name}: {delivery:?}");
            waiting += usize::from(heard == "held");
            let digits = words.next().unwrap_or_default();
            let gets: BTreeSet<&str> =
                digits.chars().map(|digit| recipients[digit as usize - '1' as usize].as_str()).collect();
            let marks: Vec<&str> = words.collect();
            arrives(sink, &name, &gets, &marks);
        }
    }
    assert_eq!(held(), waiting, "messages that wait");
    let subjects: BTreeSet<String> = sink.messages().iter().filter_map(|m| m.header("Subject")).collect();
    let expected = PAIRS.iter().filter(|(_, _, outcome)| outcome.contains(' ')).count();
    assert_eq!(subjects.len(), 2 * expected, "nothing else has arrived: {subjects:?}");
}

/// Waits until these and no others have the message, with these marks and no others.
fn arrives(sink: &Sink, subject: &str, gets: &BTreeSet<&str>, marks: &[&str]) {
    if gets.is_empty() {
        return;
    }
    let of_subject = || sink.messages().into_iter().filter(|m| m.header("Subject").as_deref() == Some(subject));
    let have = || of_subject().flat_map(|message| message.to).collect::<BTreeSet<String>>();
    wait_until(PATIENCE, &format!("{subject} arrives"), || have().len() >= gets.len());
    assert_eq!(have().iter().map(String::as_str).collect::<BTreeSet<_>>(), *gets, "{subject}");
    for message in of_subject() {
        for (mark, header) in [("tag", "X-Tag"), ("flag", "X-Mailward-Flag")] {
            let is_there = message.header(header).is_some();
            assert_eq!(is_there, marks.contains(&mark), "{subject}: {header}: {:?}", message.headers());
        }
    }
}

/// Holds what the quarantine has, by a command of Mailward, against the table: a copy for each who is kept, of each message.
pub(crate) fn all_are_kept(command: impl Fn(&[&str]) -> Output) {
    let output = command(&["quarantine", "list", "--json", "-n", "0", "--state", "held"]);
    assert!(output.status.success(), "{output:?}");
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let of = |(one, other, outcome): &(&str, &str, &str)| match (*one, *other) {
        _ if *outcome == "451" => 0,
        // Whose refusal cannot be sent is kept with the other.
        ("quarantine", "quarantine" | "reject") => 2,
        (one, other) => usize::from(one == "quarantine" || other == "quarantine"),
    };
    // Both orders are one message with another subject each.
    let expected = 2 * PAIRS.iter().map(of).sum::<usize>();
    assert_eq!(listed.matches("\"state\":\"held\"").count(), expected, "{listed}");
}

#[test]
fn every_pair_of_dispositions_ends_as_promised_in_postfix() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, &policies()).start();
    play(&site.sink, |from, to, message| site.send(STRANGER, from, to, message), || site.postfix.held().len());
    all_are_kept(|arguments| site.mailward.command(arguments));
}
