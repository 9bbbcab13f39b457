//! The quarantine, end to end: kept before the client hears so, sealed on disk, released as it came, and never lost.

mod crash;
mod notices;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mailward_tests::clock::{PATIENCE, wait_for, wait_until};
use mailward_tests::dkim::Signer;
use mailward_tests::dns::Dns;
use mailward_tests::mailward;
use mailward_tests::postfix::HOST;
use mailward_tests::scratch::Scratch;
use mailward_tests::sink::{Message, Sink};
use mailward_tests::tls::Authority;
use serde_json::Value;

use crate::outbound::{dkimpy, key, records};
use crate::site::{ALICE, BOB, CAROL, STRANGER, Site, message};

/// Mail to Bob and Carol is kept.
const KEEP: &str = "[[policy]]\nname = \"keep it\"\nto = [\"bob@rig.test\", \"carol@rig.test\"]\n\
                    then = { quarantine = \"7d\" }\n";

/// The configuration of a site with this server to submit to; for a reload.
fn config_with(site: &Site, server: std::net::SocketAddr) -> String {
    let text = fs::read_to_string(site.mailward.config_file()).expect("the configuration can be read");
    let (before, _) = text.split_once("\n[milter]").expect("the rig writes [milter] last");
    let (before, _) = before.split_once("\n[submission]").unwrap_or((before, ""));
    format!("{before}\n[submission]\nserver = \"smtp://{server}\"\n")
}

/// Has released mail and notices go to this server.
fn submit_to(site: &mut Site, server: std::net::SocketAddr) {
    let before = site.mailward.output().matches("reloaded").count();
    let config = config_with(site, server);
    site.mailward.reload(config);
    wait_until(PATIENCE, "the daemon reloads", || site.mailward.output().matches("reloaded").count() > before);
}

/// A site that keeps mail and releases it through its own Postfix.
fn start(scratch: &Scratch, config: &str) -> Site {
    // As most servers have it: nobody could verify it.
    let identity = Authority::new(scratch).identity(HOST);
    let site = Site::builder(scratch, config).postfix(|postfix| {
        // What Postfix does by default: it completes the headers of what comes from its own addresses.
        postfix.certificate(&identity).set("local_header_rewrite_clients", "permit_inet_interfaces")
    });
    let mut site = site.start();
    let server = site.postfix.address();
    submit_to(&mut site, server);
    site
}

fn quarantine(site: &Site, arguments: &[&str]) -> Output {
    site.mailward.command(&[&["quarantine"], arguments].concat())
}

/// Releases, and tells why not if it fails.
fn release(site: &Site, arguments: &[&str]) {
    let output = quarantine(site, &[&["release"], arguments].concat());
    assert!(output.status.success(), "{}{}", text(&output), site.mailward.output());
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What the quarantine lists, latest first.
fn listed(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let output = quarantine(site, &[&["list", "--json", "-n", "0"], arguments].concat());
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn id(message: &Value) -> String {
    message["id"].as_str().expect("an id").to_owned()
}

/// The states of a message's copies by address.
fn states(message: &Value) -> String {
    let copies = message["recipients"].as_array().expect("recipients").iter();
    let state =
        |copy: &Value| format!("{}={}", copy["address"].as_str().unwrap_or(""), copy["state"].as_str().unwrap_or(""));
    copies.map(state).collect::<Vec<_>>().join(" ")
}

/// The message without what MTAs put on top.
fn without_trace(message: &Message) -> Vec<u8> {
    let text = String::from_utf8_lossy(&message.raw).into_owned();
    let mut rest = text.as_str();
    while rest.starts_with("Received:") || rest.starts_with(' ') || rest.starts_with('\t') {
        rest = rest.split_once("\r\n").expect("a line").1;
    }
    rest.as_bytes().to_vec()
}

fn state_files(scratch: &Scratch) -> Vec<PathBuf> {
    let files = fs::read_dir(scratch.path().join("state")).expect("the state directory").flatten();
    files.map(|file| file.path()).filter(|path| path.is_file()).collect()
}

fn holds(path: &Path, word: &str) -> bool {
    fs::read(path).expect("readable").windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

#[test]
fn kept_message_is_sealed_and_released_byte_for_byte_with_its_signature_intact() {
    let scratch = Scratch::new();
    let signer = Signer::new(&scratch, "example.net", "s1").simple();
    let site = start(&scratch, KEEP);
    let body = "Hippopotamus figures\n.\n..dots\n\u{fc}ml\u{e4}ut \n\n";
    let original = format!("From: a@example.net\nTo: {BOB}\nSubject: Rhinoceros\n\n{body}");
    let signed = signer.sign(&original);
    assert!(site.send(STRANGER, "a@example.net", &[BOB], &signed).is_accepted());
    let line = site.line_about("a@example.net");
    assert_eq!((line.text("verdict"), line.text("to")), ("quarantine".into(), "<bob@rig.test>=quarantine".into()));

    // Nothing of it can be read on the disk.
    for file in state_files(&scratch) {
        assert!(!holds(&file, "rhinoceros") && !holds(&file, "hippopotamus"), "{}", file.display());
    }
    let found = listed(&site, &["--to", BOB]);
    assert_eq!((found.len(), states(&found[0])), (1, "bob@rig.test=held".to_owned()));
    assert_eq!((&found[0]["subject"], &found[0]["sender"]), (&"Rhinoceros".into(), &"a@example.net".into()));
    let id = id(&found[0]);
    let shown = text(&quarantine(&site, &["show", &id]));
    assert!(shown.contains("Rhinoceros") && shown.contains("policy \"keep it\""), "{shown}");
    let file = scratch.path().join("exported.eml");
    assert!(quarantine(&site, &["export", &id, file.to_str().expect("UTF-8")]).status.success());
    let exported = fs::read(&file).expect("exported");
    let wire = signed.replace("\r\n", "\n").replace('\n', "\r\n");
    // Postfix completes the header behind what was there; nothing else is changed.
    let (own_head, own_body) = wire.split_once("\r\n\r\n").expect("a body");
    let exported = String::from_utf8(exported).expect("UTF-8");
    assert!(exported.starts_with(own_head) && exported.ends_with(&format!("\r\n\r\n{own_body}")), "{exported}");
    assert_eq!(site.sink.count(), 0);

    release(&site, &[&id]);
    let arrived = site.sink.wait_for(1).remove(0);
    assert_eq!((arrived.from.as_str(), arrived.to.join(" ").as_str()), ("a@example.net", BOB));
    assert_eq!(arrived.header("X-Mailward-Release"), None, "{:?}", arrived.headers());
    assert_eq!(String::from_utf8_lossy(&without_trace(&arrived)), exported);
    let records = [(signer.record_name(), signer.record_value())];
    assert_eq!(dkimpy(&arrived.raw, &records), "pass");
    let line = site.lines_about("a@example.net", 2).remove(1);
    assert_eq!((line.text("verdict"), line.text("because")), ("deliver".into(), "released from the quarantine".into()));
    assert_eq!(states(&listed(&site, &[])[0]), "bob@rig.test=released");

    let again = quarantine(&site, &["release", &id]);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again));
    assert!(text(&again).contains("--again"), "{}", text(&again));
    release(&site, &[&id, "--again"]);
    site.sink.wait_for(2);
}

#[test]
fn each_recipient_has_his_own_copy_and_others_get_theirs_at_once() {
    let scratch = Scratch::new();
    let site = start(&scratch, KEEP);
    let sent = message("a@example.net", "three", "Hello");
    assert!(site.send(STRANGER, "a@example.net", &[ALICE, BOB, CAROL], &sent).is_accepted());
    assert_eq!(site.sink.wait_for(1)[0].to, [ALICE]);
    let found = listed(&site, &[]);
    assert_eq!(states(&found[0]), "bob@rig.test=held carol@rig.test=held");
    let id = id(&found[0]);
    let unclear = quarantine(&site, &["release", &id]);
    assert_eq!(unclear.status.code(), Some(2), "{}", text(&unclear));
    assert!(text(&quarantine(&site, &["release", &id, "--to", ALICE])).contains("no copy is for alice@rig.test"));
    release(&site, &[&id, "--to", "BOB@rig.test"]);
    assert_eq!(site.sink.wait_for(2)[1].to, [BOB]);
    assert!(quarantine(&site, &["delete", &id, "--to", CAROL]).status.success());
    assert_eq!(states(&listed(&site, &[])[0]), "bob@rig.test=released carol@rig.test=deleted");
    assert_eq!(listed(&site, &["--state", "held"]).len(), 0);
    // The same once more, as a client sends it that has heard no answer: a copy that is gone waits again, all else stays.
    assert!(site.send(STRANGER, "a@example.net", &[BOB, CAROL], &sent).is_accepted());
    let found = listed(&site, &[]);
    assert_eq!((found.len(), states(&found[0])), (1, "bob@rig.test=released carol@rig.test=held".to_owned()));
    release(&site, &[&id, "--all"]);
    site.sink.wait_for(3);
    assert_eq!(site.sink.count(), 3, "Bob has got his");
}

#[test]
fn release_passes_only_as_it_was_signed_and_says_if_it_did_not() {
    let scratch = Scratch::new();
    let mut site = start(&scratch, KEEP);
    // A server that shows what is handed to it.
    let witness = Sink::start();
    let sent = message("a@example.net", "once", "Hello");
    assert!(site.send(STRANGER, "a@example.net", &[BOB], &sent).is_accepted());
    submit_to(&mut site, witness.address());
    let id = id(&listed(&site, &[])[0]);
    // That server has it, but the mail path has not seen it: the copy waits on.
    let unseen = quarantine(&site, &["release", &id]);
    assert_eq!(unseen.status.code(), Some(3), "{}", text(&unseen));
    assert!(text(&unseen).contains("no release passed here"), "{}", text(&unseen));
    assert_eq!(states(&listed(&site, &[])[0]), "bob@rig.test=held");
    let handed = witness.wait_for(1).remove(0);
    assert!(handed.header("X-Mailward-Release").is_some());
    let raw = String::from_utf8(handed.raw).expect("text");

    let send = |from: &str, to: &str, raw: &str| site.send(STRANGER, from, &[to], raw).last().code;
    // For another envelope or another content it is worth nothing: that is judged, and kept.
    assert_eq!(send("b@example.net", BOB, &raw), 250);
    assert_eq!(send("a@example.net", BOB, &raw.replace("Hello", "Goodbye")), 250);
    assert_eq!(send("a@example.net", CAROL, &raw), 250);
    assert_eq!(site.send(STRANGER, "a@example.net", &[ALICE], &raw).last().code, 250);
    let kept = wait_for(PATIENCE, "they are kept", || Some(listed(&site, &[])).filter(|found| found.len() >= 3));
    assert!(kept[..2].iter().all(|message| message["findings"].to_string().contains("quarantine.release")), "{kept:?}");
    assert_eq!((kept.len(), states(&kept[2])), (3, "bob@rig.test=held carol@rig.test=held".to_owned()), "it joins");
    let alice = site.sink.wait_for(1).remove(0);
    assert_eq!((alice.to.join(""), alice.header("X-Mailward-Release")), (ALICE.to_owned(), None));
    // As it is it passes, and again: a server that has queued it tries once more if its first try was put off.
    assert_eq!(send("a@example.net", BOB, &raw), 250);
    assert_eq!(site.sink.wait_for(2)[1].to, [BOB]);
    assert_eq!(send("a@example.net", BOB, &raw), 250);
    assert_eq!(site.sink.wait_for(3)[2].to, [BOB]);
    // A field that anybody could write.
    let forged = format!("X-Mailward-Release: abcdefghij.9999999999.4.0123456789abcdef\n{sent}");
    assert!(site.send(STRANGER, "f@example.net", &[ALICE], forged).is_accepted());
    assert!(site.line_about("f@example.net").found("quarantine.release"));
    assert_eq!(site.sink.wait_for(4)[3].header("X-Mailward-Release"), None);
}

#[test]
fn released_mail_leaves_signed_if_it_was_on_its_way_out_and_unsigned_if_it_only_says_so() {
    let scratch = Scratch::new();
    let entry = key(&scratch, "out", &[]).entry;
    let published = records(&scratch, &entry);
    let keep = "[[policy]]\nname = \"keep all\"\nthen = { quarantine = \"7d\" }\n";
    let config = format!("{entry}{keep}");
    let site = start(&scratch, &config);
    let sent = |subject: &str| {
        format!("From: {ALICE}\nTo: {BOB}\nSubject: {subject}\nAuthentication-Results: {HOST}; spf=pass\n\nHello\n")
    };
    assert!(site.send("127.0.0.1", ALICE, &[BOB], sent("ours")).is_accepted());
    assert!(site.send(STRANGER, ALICE, &[BOB], sent("forged")).is_accepted());
    for message in listed(&site, &[]) {
        release(&site, &[&id(&message)]);
    }
    for arrived in site.sink.wait_for(2) {
        let is_ours = arrived.header("Subject").as_deref() == Some("ours");
        assert_eq!(arrived.header("DKIM-Signature").is_some(), is_ours, "{:?}", arrived.headers());
        assert_eq!(arrived.header("Authentication-Results"), None, "{:?}", arrived.headers());
        if is_ours {
            assert_eq!(dkimpy(&arrived.raw, &published), "pass");
        }
    }
}

#[test]
fn two_who_release_at_once_deliver_one_copy() {
    let scratch = Scratch::new();
    let site = start(&scratch, KEEP);
    assert!(site.send(STRANGER, "a@example.net", &[BOB], message("a@example.net", "two", "Hello")).is_accepted());
    let id = id(&listed(&site, &[])[0]);
    let codes: Vec<Option<i32>> = std::thread::scope(|scope| {
        let one = || quarantine(&site, &["release", &id]).status.code();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    site.sink.wait_for(1);
    assert_eq!(states(&listed(&site, &[])[0]), "bob@rig.test=released");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(site.sink.count(), 1);
}

#[test]
fn at_the_quota_and_while_the_file_is_locked_mail_is_deferred_and_not_lost() {
    let scratch = Scratch::new();
    let site = start(&scratch, &format!("[quarantine]\nmax_messages = 1\n[deadlines]\nreply = \"2s\"\n{KEEP}"));
    let send = |from: &str, to: &[&str]| site.send(STRANGER, from, to, message(from, from, "Hello")).last().clone();
    assert_eq!(send("a@example.net", &[BOB]).code, 250);
    let full = send("b@example.net", &[ALICE, BOB]);
    assert_eq!((full.code, full.enhanced()), (452, Some("4.3.1")), "{full}");
    let line = site.line_about("b@example.net");
    assert!(line.found("quarantine.full") && line.text("verdict") == "defer", "{line:?}");
    assert_eq!(send("d@example.net", &[BOB]).code, 452, "there is no place for another");
    let id = id(&listed(&site, &[])[0]);
    assert!(quarantine(&site, &["delete", &id]).status.success());
    assert_eq!(send("b@example.net", &[BOB]).code, 250);

    let file = scratch.path().join("state/quarantine.db");
    let lock = "import sqlite3,sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute('BEGIN IMMEDIATE')\n\
                print('locked', flush=True)\nsys.stdin.read()\n";
    let mut locker = Command::new("/usr/bin/python3")
        .args(["-c", lock, file.to_str().expect("UTF-8")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut said = [0; 6];
    std::io::Read::read_exact(locker.stdout.as_mut().expect("a pipe"), &mut said).expect("it locks");
    let late = send("c@example.net", &[ALICE, BOB]);
    assert_eq!((late.code, late.enhanced()), (451, Some("4.3.0")), "{late}");
    assert!(site.line_about("c@example.net").found("quarantine.failed"));
    drop(locker.stdin.take());
    let _ = locker.wait();
    assert_eq!(site.sink.count(), 0, "who is with others gets nothing either");
    assert_eq!(listed(&site, &[]).len(), 1);
}

#[test]
fn other_doors_than_the_mail_path_keep_nothing() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, "").start();
    let next = scratch.file("next.toml", KEEP);
    let config = fs::read_to_string(site.mailward.config_file()).expect("readable");
    let (before, _) = config.split_once("\n[milter]").expect("the rig writes [milter] last");
    site.mailward.reload(format!("{before}\n[shadow]\nconfig = \"{}\"\n", next.display()));
    wait_until(PATIENCE, "the daemon reloads", || site.mailward.output().contains("reloaded"));
    assert!(site.send(STRANGER, "a@example.net", &[BOB], message("a@example.net", "shadow", "Hello")).is_accepted());
    site.mailward.wait_for_text("quarantine");
    site.sink.wait_for(1);
    let eml = scratch.file("one.eml", message("a@example.net", "check", "Hello"));
    let keep = scratch.file("keep.toml", format!("{KEEP}[state]\ndir = \"{}\"\n", scratch.dir("other").display()));
    let arguments = ["check", "--config", keep.to_str().expect("UTF-8"), "--to", BOB, eml.to_str().expect("UTF-8")];
    let output = mailward::command(scratch.path(), &arguments);
    assert!(String::from_utf8_lossy(&output.stdout).contains("quarantine"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
    for folder in ["state", "other"] {
        assert!(!scratch.path().join(folder).join("quarantine.db").exists(), "{folder}");
    }
}

#[test]
fn keys_change_and_a_mail_path_without_the_private_key_goes_on() {
    let scratch = Scratch::new();
    let site = start(&scratch, KEEP);
    let send = |from: &str| assert!(site.send(STRANGER, from, &[BOB], message(from, from, "Hello")).is_accepted());
    send("a@example.net");
    let rotated = quarantine(&site, &["key", "rotate"]);
    assert!(rotated.status.success(), "{}", text(&rotated));
    assert_eq!(quarantine(&site, &["key", "generate"]).status.code(), Some(1));
    let keys = scratch.path().join("state/quarantine.keys");
    assert_eq!(fs::read_dir(&keys).expect("a folder").count(), 2);
    fs::rename(&keys, scratch.path().join("taken away")).expect("renamed");
    send("b@example.net");
    let found = listed(&site, &[]);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|message| message["subject"].is_null()), "nobody can read it: {found:?}");
    let why = quarantine(&site, &["release", &id(&found[0])]);
    assert_eq!(why.status.code(), Some(3), "{}", text(&why));
    assert!(text(&why).contains("private key is not there"), "{}", text(&why));
    fs::rename(scratch.path().join("taken away"), &keys).expect("renamed");
    release(&site, &[&id(&found[1])]);
    assert_eq!(site.sink.wait_for(1)[0].from, "a@example.net");
}

#[test]
fn proved_sender_may_be_told_and_dns_decides() {
    let scratch = Scratch::new();
    let config = "[notices]\nfrom = \"filter@rig.test\"\n[[policy]]\nname = \"tell\"\nthen = { quarantine = \"1d\", notify = \"sender\" }\n";
    let dns = Dns::builder().txt("proved.example", &format!("v=spf1 ip4:{STRANGER} -all"));
    let mut site = Site::builder(&scratch, config).dns(dns).start();
    let witness = Sink::start();
    submit_to(&mut site, witness.address());
    let send = |from: &str| assert!(site.send(STRANGER, from, &[BOB], message(from, "Zebra", "Hello")).is_accepted());
    send("a@unproved.example");
    send("a@proved.example");
    let notice = witness.wait_for(1).remove(0);
    assert_eq!((notice.from.as_str(), notice.to.join("").as_str()), ("", "a@proved.example"));
    assert!(notice.body().contains("Zebra") && notice.body().contains("kept in the quarantine"), "{}", notice.body());
    let explained = site.explain(&site.line_about("a@unproved.example").text("reference"));
    assert!(explained.contains("not to the sender: neither SPF nor DKIM"), "{explained}");
    assert_eq!(witness.count(), 1);
}
