//! Sessions that every door has recorded are cases of `mailward test`: those in `tests/sessions`, which older versions have
//! recorded, and those that the door records now.
//!
//! `MAILWARD_BLESS=1` keeps what is recorded now.

use std::fs;
use std::path::{Path, PathBuf};

use mailward_tests::clamd;
use mailward_tests::dns::{self, Dns};
use mailward_tests::mailward;
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::Client;

use crate::limits::gtube;
use crate::recording::recording;
use crate::site::{ALICE, BOB, message, with_attachment};

/// What is said to each door, one connection each, by the name of the session.
const SESSIONS: [(&str, &[&str]); 8] = [
    ("clean", &[ALICE]),
    ("gtube", &[ALICE]),
    ("listed", &[ALICE]),
    ("unknown", &["nobody@rig.test"]),
    ("forged", &[ALICE]),
    ("eicar", &[ALICE]),
    ("tagged", &[ALICE]),
    ("mixed", &[ALICE, BOB]),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sessions")
}

/// The configuration of the site, for a door whose clamd is this one.
pub(crate) fn config(clamd: &clamd::Clamd) -> String {
    let text = fs::read_to_string(folder().join("site.toml")).expect("the configuration of the site");
    let people = folder().join("people.csv").display().to_string();
    text.replace("people.csv", &people).replace("127.0.0.1:3310", &clamd.address().to_string())
}

/// The names in DNS; this client is on the block list.
pub(crate) fn dns(listed: &str) -> dns::Builder {
    Dns::builder().listed(listed).txt("forged.example", "v=spf1 ip4:192.0.2.1 -all")
}

/// Sends all; `connect` gives a connection of the listed client or of another, greeted.
pub(crate) fn send(connect: impl Fn(bool) -> Client) {
    for (name, to) in SESSIONS {
        let from = format!("{name}@{name}.example");
        let text = match name {
            "gtube" => message(&from, name, &gtube()),
            "eicar" => with_attachment(&from, name, "eicar.com", &clamd::eicar()),
            _ => message(&from, name, "Dear Alice,\n\nsee https://www.example.net/ for a \u{e4}pple."),
        };
        let mut client = connect(name == "listed");
        client.send(&from, to, text);
        client.quit();
    }
}

/// The cases hold for what the door has recorded in `records`, as for what it recorded once.
pub(crate) fn assert_cases_hold(door: &str, records: &Path) {
    let scratch = Scratch::new();
    for file in ["site.toml", "people.csv", &format!("{door}.cases.toml")] {
        fs::copy(folder().join(file), scratch.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    scratch.dir(door);
    for (name, _) in SESSIONS {
        let session = recording(records, &format!("{name}@{name}.example"));
        let golden = folder().join(door).join(format!("{name}.session"));
        if std::env::var_os("MAILWARD_BLESS").is_some() {
            fs::create_dir_all(folder().join(door)).expect("a folder");
            fs::copy(&session, &golden).expect("the recording is kept");
        }
        fs::copy(session, scratch.path().join(door).join(format!("{name}.session"))).expect("copied");
    }
    for (what, place) in [("recorded now", scratch.path()), ("recorded once", &folder())] {
        let output = mailward::command(place, &["test", &format!("{door}.cases.toml")]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{door}, {what}: {said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(&format!("{} passed", SESSIONS.len())), "{said}");
    }
}
