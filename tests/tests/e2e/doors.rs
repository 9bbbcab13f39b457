//! The doors agree: the same explanation, byte for byte apart from `run`, from the door that had the session, from
//! `mailward check`, and from the C library. Sessions are recorded in a real Postfix and in a real Exim.
//!
//! Without `MAILWARD_CORPUS` the messages are made up; with it, `MAILWARD_MESSAGES` of the corpus come beside them.

mod both;
pub(crate) mod golden;
pub(crate) mod letters;
mod witnesses;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mailward_tests::clamd::Clamd;
use mailward_tests::clock::wait_until;
use mailward_tests::dkim::Signer;
use mailward_tests::dns::{DNSBL, Dns};
use mailward_tests::exim::Exim;
use mailward_tests::library;
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::{Client, Xclient};

use crate::site::{ALICE, BOB, CAROL, STRANGER, Site};
use letters::Letter;
use witnesses::Door;

/// A client on the block list.
const LISTED: &str = "203.0.113.66";
/// Connections at a time.
const SENDERS: usize = 4;
/// How long the last recordings may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// What many messages must not meet: a limit that only their number reaches. All else is on.
const CONFIG: &str = r#"
[rates]
mode = "off"
[dha]
mode = "enforce"
[[policy]]
name = "held"
from = ["*@d21.example"]
then = "hold"
[[policy]]
name = "no copy"
to = ["carol@rig.test"]
from = ["*@d15.example", "*@d25.example"]
then = "discard"
[[policy]]
name = "words of our own"
from = ["*@d22.example"]
then = { reject = "Not from you" }
[[policy]]
name = "outside"
to = ["bob@rig.test"]
then = { tag = { subject = "[EXTERNAL]", header = { X-Points = "{points}" } } }
"#;

fn config(scratch: &Scratch, scanner: &Clamd) -> String {
    let people = scratch.file("people.csv", format!("address\n{ALICE}\n{BOB}\n{CAROL}\n"));
    format!(
        "{CONFIG}[directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n[malware]\nclamd = \"inet:{}\"\n\
         [[reputation.dnsbl]]\nzone = \"{DNSBL}\"\nrefuse = [\"127.0.0.2\"]\n",
        people.display(),
        scanner.address()
    )
}

fn dns(signer: &Signer) -> mailward_tests::dns::Builder {
    let mut dns = Dns::builder().txt(&signer.record_name(), &signer.record_value()).listed("198.18.13.0/24");
    for n in 0..10 {
        dns = dns
            .txt(&format!("d{n}.example"), "v=spf1 ip4:198.18.0.0/15 ip6:2001:db8::/32 -all")
            .txt(&format!("d1{n}.example"), "v=spf1 ip4:192.0.2.1 -all")
            .txt(&format!("_dmarc.d{n}.example"), "v=DMARC1; p=reject")
            .host(&letters::client(n), &format!("mail.d{n}.example"));
    }
    dns
}

/// Sends every letter on a connection of its own.
fn send(letters: &[Letter], connect: impl Fn(&Letter) -> Client + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                while let Some(letter) = letters.get(next.fetch_add(1, Ordering::Relaxed)) {
                    letter.send(connect(letter));
                }
            });
        }
    });
}

fn recorded(folder: &Path) -> usize {
    std::fs::read_dir(folder).expect("it was made before").count()
}

#[test]
fn explanations_are_the_same_at_every_door_byte_for_byte() {
    let scratch = Scratch::new();
    let mut scanner = Clamd::start(&scratch);
    let signer = Signer::new(&scratch, "signed.example", "s1");
    let (by_postfix, by_exim) = (scratch.dir("by-postfix"), scratch.dir("by-exim"));
    let config = config(&scratch, &scanner);
    let mut site = Site::builder(&scratch, &config)
        .dns(dns(&signer))
        .mailward(|mailward| mailward.argument("--record").argument(by_postfix.display().to_string()))
        .start();
    let exim = Exim::delivering_to(&site.sink)
        .config(format!("{config}[dns]\nservers = [\"{}\"]\n", site.dns.address()))
        .record(&by_exim)
        .set("MAILWARD_PRELOAD", "yes")
        .start(&scratch);
    for (class, pile) in letters::piles(&scratch) {
        assert!(site.mailward.command(&["learn", class, &pile]).status.success());
        assert!(exim.mailward(&["learn", class, &pile]).status.success());
    }
    site.mailward.wait_for_log("that it has the model", |line| line["generation"] == 2);

    let letters = letters::all(&signer);
    send(&letters, |letter| {
        Client::connect_as(site.postfix.address(), &Xclient::address(&letter.client), &letter.helo())
    });
    send(&letters, |letter| {
        let mut client = exim.connect_from(&letter.client);
        client.ehlo(&letter.helo());
        client
    });
    assert!(site.mailward.terminate().success(), "history is complete when the daemon has ended");
    wait_until(PATIENCE, "Exim records every connection", || recorded(&by_exim) >= letters.len());
    site.dns.kill();
    scanner.kill();

    let replay = library::compile("replay", scratch.path());
    let milter = Door::new("milter in Postfix", &by_postfix, &site.mailward.config_file(), &replay, |arguments| {
        site.mailward.command(arguments)
    });
    let plugin =
        Door::new("C library in Exim", &by_exim, &exim.config_file(), &replay, |arguments| exim.mailward(arguments));
    for door in [&milter, &plugin] {
        println!("{}", door.summary(&letters));
    }
    println!("{}", both::compare(&milter, &plugin));
    for door in [&milter, &plugin] {
        assert_eq!(door.differences(), Vec::<String>::new(), "{}", door.name);
        assert_eq!(door.unexplained(&letters), Vec::<String>::new(), "{}: sent, but not explained", door.name);
    }
    assert!(!exim.log().contains("status "), "no call of the library failed: {}", exim.log());
}

#[test]
fn sessions_that_the_milter_records_in_postfix_are_cases() {
    let scratch = Scratch::new();
    let (mut scanner, records) = (Clamd::start(&scratch), scratch.dir("records"));
    let mut site = Site::builder(&scratch, &golden::config(&scanner))
        .dns(golden::dns(LISTED))
        .mailward(|mailward| mailward.argument("--record").argument(records.display().to_string()))
        .start();
    golden::send(|listed| site.postfix.client_from(if listed { LISTED } else { STRANGER }));
    assert!(site.mailward.terminate().success());
    site.dns.kill();
    scanner.kill();
    golden::assert_cases_hold("postfix", &records);
}
