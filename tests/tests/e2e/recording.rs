//! A session that Postfix has had is recorded and replayed by `mailward check`: the explanation is the same, though
//! DNS, directory and scanner are gone by then.

use std::path::{Path, PathBuf};

use mailward_tests::clamd::{self, Clamd};
use mailward_tests::clock::{PATIENCE, wait_for};
use mailward_tests::dns::Dns;
use mailward_tests::mailward;
use mailward_tests::scratch::Scratch;
use mailward_tests::slapd::{Person, Slapd};
use mailward_tests::tls::Authority;
use serde_json::Value;

use crate::limits::gtube;
use crate::site::{ALICE, STRANGER, Site, directory, message, with_attachment};

/// One session of each kind: its name, the client, the recipient, the message after its name, and what must come of it.
struct Case {
    name: &'static str,
    client: &'static str,
    to: &'static str,
    code: u16,
    found: &'static str,
}

const LISTED: &str = "203.0.113.66";
const CASES: [Case; 6] = [
    Case { name: "clean", client: STRANGER, to: ALICE, code: 250, found: "" },
    Case { name: "gtube", client: STRANGER, to: ALICE, code: 550, found: "gtube" },
    Case { name: "listed", client: LISTED, to: ALICE, code: 550, found: "dnsbl.dnsbl" },
    Case { name: "unknown", client: STRANGER, to: "nobody@rig.test", code: 550, found: "unknown recipient" },
    Case { name: "forged", client: STRANGER, to: ALICE, code: 250, found: "spf.fail" },
    Case { name: "eicar", client: STRANGER, to: ALICE, code: 550, found: "malware.clamd" },
];

impl Case {
    fn from(&self) -> String {
        format!("{0}@{0}.example", self.name)
    }

    fn text(&self) -> String {
        match self.name {
            "gtube" => message(&self.from(), self.name, &gtube()),
            "eicar" => with_attachment(&self.from(), self.name, "eicar.com", &clamd::eicar()),
            _ => message(&self.from(), self.name, "Dear Alice,\n\nsee https://www.example.net/ for a \u{e4}pple."),
        }
    }
}

/// The recorded session in which this sender took part, once its connection is closed.
pub(crate) fn recording(folder: &Path, from: &str) -> PathBuf {
    wait_for(PATIENCE, &format!("the session of {from} is recorded"), || {
        let mut files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        files.find(|path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            path.extension().is_some_and(|e| e == "session") && text.contains(from) && text.contains("answers")
        })
    })
}

/// Takes the words of the message off the findings of an explanation.
pub(crate) fn remove_words(explanation: &mut Value) {
    for finding in explanation["findings"].as_array_mut().expect("findings") {
        let finding = finding.as_object_mut().expect("a finding");
        if let Some(evidence) = finding.get_mut("evidence").and_then(Value::as_array_mut) {
            evidence.retain(|one| one.get("text").is_none());
            if evidence.is_empty() {
                finding.remove("evidence");
            }
        }
    }
}

/// Without what differs from run to run, and without words of the message, which history does not keep.
pub(crate) fn comparable(text: &[u8]) -> Value {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 1, "one object on one line: {text}");
    let mut explanation: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    explanation.as_object_mut().expect("an object").remove("run").expect("a run object");
    remove_words(&mut explanation);
    explanation
}

#[test]
fn replayed_sessions_give_the_same_explanations_without_any_of_the_services() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let mut slapd = Slapd::builder().person(Person::new("alice", "rig.test")).start(&scratch, &authority);
    let mut scanner = Clamd::start(&scratch);
    let records = scratch.dir("records");
    let config = format!(
        "[[reputation.dnsbl]]\nzone = \"dnsbl.test\"\nrefuse = [\"127.0.0.2\"]\n\
         [malware]\nclamd = \"inet:{}\"\n[dha]\nmode = \"enforce\"\n{}",
        scanner.address(),
        directory(&scratch, &slapd, "")
    );
    let dns = Dns::builder()
        .listed(LISTED)
        .host(STRANGER, "mail.clean.example")
        .txt("clean.example", &format!("v=spf1 ip4:{STRANGER} -all"))
        .txt("forged.example", "v=spf1 ip4:192.0.2.1 -all")
        .txt("_dmarc.clean.example", "v=DMARC1; p=none");
    let mut site = Site::builder(&scratch, &config)
        .dns(dns)
        .mailward(|mailward| mailward.argument("--record").argument(records.display().to_string()))
        .start();

    let mut recorded = Vec::new();
    for case in &CASES {
        let mut client = site.postfix.client_from(case.client);
        let heard = client.send(&case.from(), &[case.to], case.text()).last().clone();
        client.quit();
        assert_eq!(heard.code, case.code, "{}: {heard}", case.name);
        let line = site.line_about(&case.from());
        let why = line.text("because") + &line.text("findings");
        assert!(why.contains(case.found), "{}: {line:?}", case.name);
        let reference = line.text("reference");
        assert!(heard.is_positive() || heard.contains(&format!("[ref {reference}]")), "{reference} in {heard}");
        recorded.push((case, reference, recording(&records, &case.from())));
    }
    assert!(site.mailward.terminate().success(), "history is complete when the daemon has ended");
    slapd.kill();
    scanner.kill();
    site.dns.kill();

    for (case, reference, file) in recorded {
        let explained = site.mailward.command(&["explain", &reference, "--json"]);
        assert_eq!(explained.status.code(), Some(0), "{}: {explained:?}", case.name);
        let file = file.to_str().expect("scratch paths are UTF-8");
        let replayed = site.mailward.command(&["check", file, "--json"]);
        let negative = i32::from(case.code != 250);
        assert_eq!(replayed.status.code(), Some(negative), "{}: {replayed:?}", case.name);
        let (then, now) = (comparable(&explained.stdout), comparable(&replayed.stdout));
        assert_eq!(now, then, "{}: left the replay, right what the daemon did", case.name);
        let again = site.mailward.command(&["check", file, "--json"]);
        assert_eq!(comparable(&again.stdout), now, "{}: a second replay", case.name);
    }
}

#[test]
fn replay_that_differs_from_what_was_said_then_is_marked() {
    let scratch = Scratch::new();
    let connect = "{\"event\":{\"connect\":{\"time\":5,\"client_ip\":null,\"client_name\":null,\"mta_name\":null,\
                   \"local_submission\":false,\"refuse_at\":\"rcpt\"}}}";
    let mail =
        "{\"event\":{\"mail\":{\"time\":5,\"sender\":\"a b@@c\",\"parameters\":[],\"login\":null,\"tls\":null}}}";
    let text = format!("{{\"mailward-session\":{{\"version\":1}}}}\n{connect}\n{mail}\n");
    let check = |text: &str| {
        scratch.file("x.session", text);
        let output = mailward::command(scratch.path(), &["check", "x.session", "--json"]);
        let said = String::from_utf8(output.stdout).expect("text");
        let line: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        (said.split(",\"run\":").next().expect("it begins with the explanation").to_owned() + "}", line)
    };
    let (explanation, line) = check(&text);
    assert_eq!(line["run"].get("as_recorded"), None, "an older file does not have it");
    for (then, same) in [(explanation.clone(), true), (explanation.replace("reject", "defer"), false)] {
        let (_, line) = check(&format!("{text}{}\n", serde_json::json!({ "explanation": then })));
        assert_eq!(line["run"]["as_recorded"], same, "{line}");
    }
}

#[test]
fn damaged_recording_is_refused_with_the_line() {
    let scratch = Scratch::new();
    let file = scratch.file("x.session", "{\"mailward-session\":{\"version\":1}}\n{\"event\":\"nonsense\"}\n");
    let output = mailward::command(scratch.path(), &["check", "x.session"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("x.session") && text.contains("line 2"), "{text}");
    assert!(file.exists());
}
