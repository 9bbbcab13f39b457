//! The daemon is killed while it keeps messages under load: whatever a client was told to be taken is there.

use std::collections::BTreeSet;
use std::time::Duration;

use mailward_tests::clock::{PATIENCE, wait_for};
use mailward_tests::scratch::Scratch;
use mailward_tests::traffic::{Mail, Traffic};

use super::{KEEP, listed};
use crate::site::{ALICE, BOB, STRANGER, Site};

/// How often it is killed; `MAILWARD_KILLS` says otherwise.
const KILLS: u64 = 20;
/// Messages between two kills.
const BETWEEN: u64 = 15;

fn subject(number: u64) -> String {
    format!("crash-{number}-end")
}

/// Every third message has a recipient who gets it at once.
fn mail(number: u64) -> Mail {
    let to = if number.is_multiple_of(3) { ALICE } else { BOB };
    let text = format!("From: a@example.net\nTo: {to}\nSubject: {}\n\nHello {number}\n", subject(number));
    Mail { from: "a@example.net".to_owned(), to: to.to_owned(), text }
}

#[test]
fn nothing_that_was_taken_is_lost_by_kills_under_load() {
    let kills = std::env::var("MAILWARD_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, KEEP).start();
    let traffic = Traffic::new(site.postfix.address(), 6, 3, mail);
    let (mut taken, mut refused) = (BTreeSet::new(), 0);
    for round in 0..kills {
        let batch = traffic.start(BETWEEN);
        // Another moment each time.
        std::thread::sleep(Duration::from_millis(60 + round * 37 % 300));
        site.mailward.kill();
        std::thread::sleep(Duration::from_millis(20));
        site.mailward.ensure_running();
        for sent in traffic.finish(&batch) {
            // As a client does: what was put off comes again as it was, and joins the row if it is there.
            refused += u64::from(!sent.is_accepted());
            let again = || {
                let mail = mail(sent.number);
                let text = format!("X-Number: {}\n{}", sent.number, mail.text);
                site.send(STRANGER, &mail.from, &[mail.to.as_str()], text).is_accepted()
            };
            if sent.is_accepted() || again() {
                taken.insert(sent.number);
            }
        }
    }
    let number = |subject: &str| subject.strip_prefix("crash-")?.strip_suffix("-end")?.parse::<u64>().ok();
    let kept: Vec<u64> = listed(&site, &[]).iter().filter_map(|message| number(message["subject"].as_str()?)).collect();
    let once: BTreeSet<u64> = kept.iter().copied().collect();
    assert_eq!(once.len(), kept.len(), "a message is kept twice");
    let to_alice = |number: &&u64| number.is_multiple_of(3);
    let delivered = taken.iter().filter(to_alice).count();
    wait_for(PATIENCE, "what was taken for Alice arrives", || (site.sink.count() >= delivered).then_some(()));
    let arrived: Vec<u64> =
        site.sink.messages().iter().filter_map(|message| number(&message.header("Subject")?)).collect();
    let all: BTreeSet<u64> = once.iter().chain(&arrived).copied().collect();
    let lost: Vec<&u64> = taken.iter().filter(|number| !all.contains(number)).collect();
    assert!(lost.is_empty(), "taken and gone: {lost:?}");
    // Kept, and the answer did not come through: the client has it too, and its next try joins.
    let unheard = once.difference(&taken).count();
    assert!(taken.len() as u64 > 2 * kills, "{} taken", taken.len());
    eprintln!("{kills} kills: {} taken, {refused} put off, {unheard} kept without the client knowing", taken.len());
}
