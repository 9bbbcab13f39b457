//! `mailward replay`.

use std::fs;

use mailward_tests::dns::Dns;
use mailward_tests::scratch::Scratch;
use serde_json::Value;

use super::{mailward, offline};
use crate::limits::gtube;

/// The line that each hop of a site would write.
const RECEIVED: &str = "Received: from mail.sender.test (mail.sender.test [192.0.2.7])\n\tby mx.rig.test (Postfix) with ESMTP id 4A\n\tfor <alice@rig.test>; Mon, 5 Jan 2026 12:00:00 +0000\n";

fn message(from: &str, subject: &str, body: &str) -> String {
    format!(
        "Return-Path: <{from}>\n{RECEIVED}From: {from}\nTo: alice@rig.test\nSubject: {subject}\n\
         Date: Mon, 5 Jan 2026 11:59:00 +0000\nMessage-ID: <{subject}@sender.test>\n\n{body}\n"
    )
}

/// Past mail in folders that say what it is, and two configurations: the second one has other thresholds and a policy.
fn archive(more: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.dir("archive");
    scratch.dir("archive/ham");
    scratch.dir("archive/spam");
    for number in 0..5 {
        scratch.file(&format!("archive/ham/{number}.eml"), message("a@sender.test", &format!("ham{number}"), "Hello"));
    }
    scratch.file("archive/ham/news.eml", message("news@sender.test", "news", "The news"));
    for number in 0..3 {
        let body = if number == 0 { gtube() } else { "Cheap <b>watches</b>".to_owned() };
        scratch.file(&format!("archive/spam/{number}.eml"), message("b@sender.test", &format!("<b>,{number}"), &body));
    }
    scratch.file("now.toml", offline(&scratch, more));
    let policy = "[score]\ntag = 2\n[score.points]\n\"rdns.missing\" = 2.5\n\
                  [[policy]]\nname = \"no news\"\nfrom = \"news@sender.test\"\nthen = \"discard\"\n";
    scratch.file("next.toml", offline(&scratch, &format!("{more}\n{policy}")));
    scratch
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn two_configurations_are_held_side_by_side_and_the_cause_of_each_change_is_named() {
    let scratch = archive("");
    let files = ["--html", "report.html", "--csv", "rows.csv"];
    let command = ["--config", "now.toml", "replay", "archive", "--offline", "--against", "next.toml"];
    let (code, output, errors) = mailward(scratch.path(), &[&command[..], &files].concat());
    assert_eq!((code, errors.as_str()), (0, ""), "{output}");
    assert!(output.contains("archive/ham/news.eml [ham]: deliver (") && output.contains(") -> discard ("), "{output}");
    assert!(output.contains("policy \"no news\" instead of nothing against it"), "{output}");
    assert!(output.contains("9 messages in ") && output.contains("known: 6 ham, 3 spam"), "{output}");
    assert!(output.contains("rdns.missing 1.50 -> 2.50"), "{output}");
    assert!(output.contains("changed: 8 of 9 messages"), "{output}");
    assert!(output.contains("  deliver -> tag: 7 (5 ham, 2 spam)"), "{output}");
    assert!(!output.contains("archive/spam/0.eml"), "what both refuse has not changed: {output}");

    let page = fs::read_to_string(scratch.path().join("report.html")).expect("a page");
    assert!(page.contains("<h2>8 messages change</h2>") && page.contains("<svg") && !page.contains("src="), "{page}");
    assert!(page.contains("deliver → discard") && page.contains("policy &quot;no news&quot;"), "{page}");
    let rows = fs::read_to_string(scratch.path().join("rows.csv")).expect("rows");
    assert_eq!(rows.lines().count(), 10, "{rows}");
    assert!(rows.contains("archive/ham/news.eml,ham,rig.test,deliver,"), "{rows}");
}

#[test]
fn programs_read_a_line_for_each_message_and_one_for_the_whole() {
    let scratch = archive("");
    let (code, output, errors) =
        mailward(scratch.path(), &["--config", "now.toml", "replay", "archive", "--offline", "--json", "--jobs", "3"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let objects = objects(&output);
    let files: Vec<&str> = objects.iter().filter_map(|object| object["file"].as_str()).collect();
    let mut sorted = files.clone();
    sorted.sort_unstable();
    assert_eq!((files.len(), &files), (9, &sorted), "in the order of the input, whoever was first");
    let summary = &objects[9]["summary"];
    assert_eq!((&summary["messages"], &summary["ham"], &summary["spam"]), (&9.into(), &6.into(), &3.into()));
    assert_eq!(summary["a"]["verdicts"]["reject"]["spam"], 1);
    assert_eq!(objects[0]["a"]["recipients"][0][0], "alice@rig.test");
    assert!(objects[0].get("b").is_none() && summary.get("b").is_none());
    let (_, again, _) =
        mailward(scratch.path(), &["--config", "now.toml", "replay", "archive", "--offline", "--json", "--jobs", "1"]);
    assert_eq!(again, output, "the same, however many judge at a time");
}

#[test]
fn the_header_a_list_and_a_log_tell_how_a_message_was_sent() {
    let denying = "[reputation]\ndeny = [\"192.0.2.0/24\"]\n";
    let scratch = archive(denying);
    let verdicts = |more: &[&str]| {
        let command = ["--config", "now.toml", "replay", "archive/ham/0.eml", "--offline", "--json"];
        let (code, output, errors) = mailward(scratch.path(), &[&command[..], more].concat());
        assert_eq!((code, errors.as_str()), (0, ""), "{output}");
        let first = objects(&output).swap_remove(0);
        format!("{} {} {}", first["a"]["verdict"], first["a"]["stage"], first["a"]["recipients"][0][0])
    };
    assert_eq!(verdicts(&[]), "\"reject\" \"rcpt\" \"alice@rig.test\"", "the client of the Received field is denied");
    let log = "Jan 5 12:00:00 mx postfix/smtpd[1]: 4A: client=other.test[198.51.100.7]\n\
               Jan 5 12:00:00 mx postfix/cleanup[1]: 4A: message-id=<ham0@sender.test>\n\
               Jan 5 12:00:00 mx postfix/lmtp[1]: 4A: to=<carol@rig.test>, relay=x, status=sent (ok)\n";
    scratch.file("mail.log", log);
    assert_eq!(verdicts(&["--log", "mail.log"]), "\"deliver\" \"message\" \"carol@rig.test\"");
    scratch.file("list", "{\"file\":\"archive/ham/0.eml\",\"client\":\"192.0.2.9\",\"to\":[\"dave@rig.test\"]}\n");
    let both = ["--log", "mail.log", "--list", "list"];
    assert_eq!(verdicts(&both), "\"reject\" \"rcpt\" \"dave@rig.test\"");
}

#[test]
fn answers_of_dns_are_kept_and_serve_the_next_replay() {
    let scratch = archive("");
    let dns = Dns::builder().txt("sender.test", "v=spf1 ip4:192.0.2.7 -all").start(&scratch);
    let config = format!("[dns]\nservers = [\"{}\"]\n", dns.address());
    scratch.file("live.toml", &config);
    let replay = |more: &[&str]| {
        let command = ["--config", "live.toml", "replay", "archive", "--json", "--dns", "names.txt"];
        mailward(scratch.path(), &[&command[..], more].concat())
    };
    let (code, first, errors) = replay(&[]);
    assert_eq!(code, 0, "{errors}");
    assert!(!errors.contains("mailward: 0 questions") && errors.contains("names.txt has the answers"), "{errors}");
    assert!(first.contains("spf.pass"), "{first}");
    drop(dns);
    for more in [&[][..], &["--offline"]] {
        let (code, again, errors) = replay(more);
        assert_eq!((code, &again), (0, &first), "{errors}");
        assert!(errors.contains("mailward: 0 questions went to name servers"), "{errors}");
    }
    let names = fs::read_to_string(scratch.path().join("names.txt")).expect("kept");
    assert!(names.lines().any(|line| line.starts_with("sender.test. 16 ")), "{names}");
    scratch.file("names.txt", "something else\n");
    let (code, _, errors) = replay(&[]);
    assert!(code == 2 && errors.contains("names.txt:1: this is no file of DNS answers"), "{errors}");
}

#[test]
fn what_cannot_be_read_or_written_is_told() {
    let scratch = archive("");
    let replay = |arguments: &[&str]| {
        mailward(scratch.path(), &[&["-c", "now.toml", "replay", "--offline"], arguments].concat())
    };
    let (code, _, errors) = replay(&["archive", "--against", "nowhere.toml"]);
    assert!(code == 2 && errors.contains("nowhere.toml:1:1: cannot read"), "{errors}");
    let (code, _, errors) = replay(&["archive", "--html", "/nowhere/page.html"]);
    assert!(code == 2 && errors.contains("cannot write /nowhere/page.html"), "{errors}");
    scratch.file("list", "{\"file\":\"x\",\"klient\":\"1\"}\n");
    let (code, _, errors) = replay(&["archive", "--list", "list"]);
    assert!(code == 2 && errors.contains("list:1: unknown field `klient`"), "{errors}");
    scratch.file("broken.session", "{\"mailward-session\":{\"version\":9}}\n");
    let (code, output, errors) = replay(&["archive", "broken.session"]);
    assert!(code == 2 && errors.contains("broken.session: "), "{errors}");
    assert!(output.contains("9 messages in "), "the rest is judged: {output}");
    let (code, _, errors) = replay(&["nothing-here"]);
    assert!(code == 2 && errors.contains("cannot read nothing-here"), "{errors}");
}
