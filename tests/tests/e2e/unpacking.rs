//! Files inside files: through Postfix, through the scanning service, and beside clamd.

#[allow(dead_code, reason = "the tests of the unpackers need all of it")]
#[path = "../../../core/unpack/tests/unpack/made.rs"]
mod made;
#[path = "../../../core/unpack/tests/unpack/samples.rs"]
mod samples;

use std::collections::BTreeSet;
use std::fs;

use mailward_tests::clamd::{self, Clamd};
use mailward_tests::mailward;
use mailward_tests::scan::Scan;
use mailward_tests::scratch::Scratch;
use serde_json::Value;

use crate::site::{ALICE, STRANGER, Site, message, with_attachment};

/// A program named as a document in a disk image is the usual nesting; here the test file in five containers.
fn nested_eicar() -> Vec<u8> {
    let inner = made::gzip(&made::tar("bill.com", &clamd::eicar()));
    made::zip("mail.eml", &made::mail("in.tgz", &made::rar5("a.zip", &made::zip("b.tgz", &inner))))
}

/// Findings of `mailward check --json`, one object a file.
fn check(folder: &std::path::Path, config: &str, files: &[String]) -> Vec<Value> {
    fs::write(folder.join("check.toml"), config).expect("a writable folder");
    let arguments: Vec<&str> =
        ["check", "--json", "--config", "check.toml"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let output = mailward::command(folder, &arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {output:?}"))).collect()
}

fn finding<'v>(judged: &'v Value, id: &str) -> Option<&'v Value> {
    judged["findings"].as_array()?.iter().find(|finding| finding["id"] == id)
}

#[test]
fn malware_five_containers_deep_is_refused() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    let send = |from: &str, content: &[u8]| {
        site.send(STRANGER, from, &[ALICE], with_attachment(from, "a bill", "bill.zip", content))
    };
    assert_eq!(send("a@example.net", &nested_eicar()).last().code, 550);
    let line = site.line_about("a@example.net");
    assert!(line.found("malware.eicar") && line.found("malware.yara.eicar_test_file"), "{line:?}");
    assert!(line.found("attachment.executable"), "{line:?}");
    // The same containers around words.
    let harmless = made::zip("mail.eml", &made::mail("in.tgz", &made::gzip(&made::tar("bill.txt", b"One table."))));
    assert!(send("b@example.net", &harmless).is_accepted());
    assert!(!site.line_about("b@example.net").found("scan.incomplete"));
}

#[test]
fn the_explanation_names_the_file_by_its_path() {
    let scratch = Scratch::new();
    let folder = scratch.dir("check");
    let mail = with_attachment("a@example.net", "a bill", "bill.zip", &nested_eicar());
    fs::write(folder.join("mail.eml"), mail).expect("a writable folder");
    let of = |config: &str| check(&folder, config, &["mail.eml".to_owned()]).remove(0);
    let judged = of("");
    let evidence = finding(&judged, "malware.eicar").expect("the test file")["evidence"].to_string();
    assert!(evidence.contains("bill.zip/mail.eml/in.tgz/a.zip/b.tgz/b.tar/bill.com"), "{evidence}");
    assert!(evidence.contains("part 2 zip/text/rar/zip/gzip/tar"), "{evidence}");
    assert!(finding(&of("[malware]\nunpack = false\n"), "malware.eicar").is_none());
    let shallow = of("[malware]\nunpack_depth = 3\n");
    assert!(finding(&shallow, "malware.eicar").is_none());
    let cut = finding(&shallow, "scan.incomplete").expect("it says so")["evidence"].to_string();
    assert!(cut.contains("depth"), "{cut}");
}

#[test]
fn the_scanning_service_unpacks_within_its_lock() {
    let scratch = Scratch::new();
    let scan = Scan::start(&scratch, "", 1);
    let site = Site::builder(&scratch, &format!("[malware]\nscanning = \"{}\"\n", scan.address())).start();
    let workers = scan.workers();
    let send = |from: &str, name: &str, content: &[u8]| {
        site.send(STRANGER, from, &[ALICE], with_attachment(from, "x. The password is Sommer-23.", name, content))
    };
    assert_eq!(send("a@example.net", "bill.zip", &nested_eicar()).last().code, 550);
    assert!(site.line_about("a@example.net").found("malware.eicar"));
    // Every format passes the lock: none needs a call that is not allowed.
    for (number, (name, content)) in samples::fixtures().enumerate() {
        let from = format!("f{number}@example.net");
        assert_eq!(send(&from, name, content).last().code, 250, "{name}");
        assert!(!site.line_about(&from).found("scan.yara.trouble"), "{name}");
    }
    assert_eq!(scan.workers(), workers, "no process has ended over a file");
}

#[test]
fn a_bomb_is_cut_and_the_finding_names_the_bound() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    let bomb = made::zip("zeros", &vec![0; 40 << 20]);
    let from = "a@example.net";
    assert!(site.send(STRANGER, from, &[ALICE], with_attachment(from, "x", "a.zip", &bomb)).is_accepted());
    let line = site.line_about(from);
    assert!(line.found("scan.incomplete"), "{line:?}");
}

/// What we find beside what clamd finds, with one signature for both: `make unpack-clamd` prints the table.
#[test]
fn all_that_clamd_finds_in_containers_is_found() {
    let scratch = Scratch::new();
    let clamd = Clamd::start(&scratch);
    let folder = scratch.dir("check");
    fs::write(folder.join("marker.yar"), "rule marker { strings: $a = \"MAILWARD-MARKER\" condition: $a }")
        .expect("a writable folder");
    let built = samples::built();
    let mut all: Vec<(&str, &[u8])> = built.iter().map(|(name, content, _)| (*name, content.as_slice())).collect();
    samples::fixtures().for_each(|(name, content)| all.push((name, content)));
    let mut files = Vec::new();
    let mut by_clamd = BTreeSet::new();
    for (name, content) in &all {
        let mail = with_attachment("a@example.net", "The password is Sommer-23.", name, content);
        if clamd.scan(mail.as_bytes()).expect("clamd answers").contains(clamd::MARKER_NAME) {
            by_clamd.insert(*name);
        }
        let file = format!("{}.eml", files.len());
        fs::write(folder.join(&file), mail).expect("a writable folder");
        files.push(file);
    }
    let config = format!("[malware]\nyara = \"{}\"\n", folder.join("marker.yar").display());
    let judged = check(&folder, &config, &files);
    assert_eq!(judged.len(), all.len());
    let mut missed = Vec::new();
    for ((name, _), judged) in all.iter().zip(&judged) {
        let is_found = finding(judged, "malware.yara.marker").is_some();
        println!(
            "{name:20} {:8} {}",
            if is_found { "found" } else { "MISSED" },
            if by_clamd.contains(name) { "clamd" } else { "" }
        );
        if !is_found {
            missed.push(*name);
        }
    }
    println!("found {} of {}, clamd {}", all.len() - missed.len(), all.len(), by_clamd.len());
    assert_eq!(missed, [""; 0]);
    let clean = message("a@example.net", "x", "Good day.");
    assert!(!clamd.scan(clean.as_bytes()).expect("clamd answers").contains("FOUND"));
}
