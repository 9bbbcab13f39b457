//! The scanning service: rules for malware in processes that can do nothing else.

use std::fs;
use std::process::Command;
use std::time::Duration;

use mailward_tests::clamd;
use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::mailward;
use mailward_tests::process::run;
use mailward_tests::scan::{self, Scan};
use mailward_tests::scratch::Scratch;
use serde_json::Value;

use crate::recording::recording;
use crate::site::{ALICE, STRANGER, Site, message};

/// Settings of service and site. YARA counts whole seconds, so a scan that hangs is ended after four.
const SETTINGS: &str = "yara_time = \"1s\"\n";
/// The finding of the starter rule for the test file.
const EICAR: &str = "malware.yara.eicar_test_file";
const TROUBLE: &str = "scan.yara.trouble";

fn start(scratch: &Scratch, processes: usize) -> Scan {
    Scan::start(scratch, &format!("[malware]\n{SETTINGS}"), processes)
}

/// A site that leaves scanning to this service.
fn site(scratch: &Scratch, scan: &Scan) -> Site {
    Site::builder(scratch, &format!("[malware]\n{SETTINGS}scanning = \"{}\"\n", scan.address())).start()
}

fn eicar(from: &str) -> String {
    message(from, "a test", &String::from_utf8(clamd::eicar()).expect("it is text"))
}

fn signal(process: u32, name: &str) {
    run(Command::new("kill").arg(format!("-{name}")).arg(process.to_string()));
}

/// `mailward check --json` of one message.
fn check(folder: &std::path::Path, config: &str, mail: &str) -> Value {
    let (config_file, mail_file) = (folder.join("check.toml"), folder.join("mail.eml"));
    fs::write(&config_file, config).expect("a writable folder");
    fs::write(&mail_file, mail).expect("a writable folder");
    let config = config_file.display().to_string();
    let output = mailward::command(folder, &["check", "--json", "mail.eml", "--config", &config]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn findings(judged: &Value) -> Vec<&str> {
    judged["findings"].as_array().expect("findings").iter().filter_map(|f| f["id"].as_str()).collect()
}

#[test]
fn the_service_finds_malware_for_the_milter_and_its_lack_defers_mail() {
    let scratch = Scratch::new();
    let mut scan = start(&scratch, 2);
    let site = site(&scratch, &scan);
    let send = |from: &str| site.send(STRANGER, from, &[ALICE], eicar(from));
    let clean = |from: &str| site.send(STRANGER, from, &[ALICE], message(from, "clean", "Good day.")).last().code;

    assert_eq!(send("a@example.net").last().code, 550);
    assert!(site.line_about("a@example.net").found(EICAR));
    assert_eq!(clean("b@example.net"), 250);

    // A process that was ended between two messages is replaced without a trace.
    let before = scan.workers();
    assert_eq!(before.len(), 2);
    before.iter().for_each(|&worker| signal(worker, "KILL"));
    assert_eq!(send("c@example.net").last().code, 550);
    assert!(site.line_about("c@example.net").found(EICAR));
    assert!(!scan.workers().iter().any(|worker| before.contains(worker)));

    assert!(scan.terminate().success());
    assert_eq!(clean("d@example.net"), 451);
    assert!(site.line_about("d@example.net").found(TROUBLE));
    // What needs no rules is still seen.
    assert_eq!(send("e@example.net").last().code, 550);
    assert!(site.line_about("e@example.net").found("malware.eicar"));

    scan.restart();
    assert_eq!(clean("d@example.net"), 250);
    let metrics = site.mailward.output();
    assert!(!metrics.contains("panicked"), "{metrics}");
}

#[test]
fn a_scan_that_hangs_is_ended_and_the_next_one_is_not() {
    let scratch = Scratch::new();
    let scan = start(&scratch, 1);
    let site = site(&scratch, &scan);
    let worker = scan.workers()[0];
    signal(worker, "STOP");
    let deferred = site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "x", "Good day."));
    assert_eq!(deferred.last().code, 451);
    assert!(site.line_about("a@example.net").found(TROUBLE));
    scan.wait_for_text("took too long");
    assert!(!scan.workers().contains(&worker), "it is gone");
    assert_eq!(site.send(STRANGER, "b@example.net", &[ALICE], eicar("b@example.net")).last().code, 550);
    assert!(site.line_about("b@example.net").found(EICAR));
}

#[test]
fn a_service_that_is_killed_leaves_no_process_behind() {
    let scratch = Scratch::new();
    let mut scan = start(&scratch, 3);
    let workers = scan.workers();
    assert_eq!(workers.len(), 3);
    scan.kill_alone();
    let ended = |worker: &u32| {
        let status = fs::read_to_string(format!("/proc/{worker}/stat")).unwrap_or_default();
        status.is_empty() || status.contains(") Z ")
    };
    wait_until(PATIENCE, "the processes end with the service", || workers.iter().all(ended));
}

#[test]
fn a_reload_brings_other_rules_and_a_faulty_one_nothing() {
    let scratch = Scratch::new();
    let rules = scratch.file("rules.yar", "rule greeting { strings: $a = \"Good day\" condition: $a }\n");
    let settings = format!("[malware]\n{SETTINGS}yara = [\"{}\"]\n", rules.display());
    let mut scan = Scan::start(&scratch, &settings, 1);
    let using = format!("{settings}scanning = \"{}\"\n", scan.address());
    let mail = message("a@example.net", "x", "Good day.");
    let judge = || findings(&check(scratch.path(), &using, &mail)).join(" ");
    assert!(judge().contains("malware.yara.greeting"), "{}", judge());

    fs::write(&rules, "rule farewell { strings: $a = \"Good day\" condition: $a }\n").expect("a writable file");
    scan.reload(&settings);
    scan.wait_for_text("reloaded");
    assert!(judge().contains("malware.yara.farewell"), "{}", judge());

    fs::write(&rules, "rule broken { condition: nothing }\n").expect("a writable file");
    scan.reload(&settings);
    scan.wait_for_text("reload refused");
    assert!(scan.output().contains("rules.yar:1:26"), "{}", scan.output());
    // A process that takes another's place scans by the rules that are in force, not by those on the disk.
    scan.workers().iter().for_each(|&worker| signal(worker, "KILL"));
    assert!(judge().contains("malware.yara.farewell"), "{}", judge());
}

#[test]
fn other_settings_are_trouble_where_the_service_is_named() {
    let scratch = Scratch::new();
    let scan = start(&scratch, 1);
    let using = format!("[malware]\nstarter_rules = false\nscanning = \"{}\"\n", scan.address());
    let judged = check(scratch.path(), &using, &message("a@example.net", "x", "Good day."));
    assert!(findings(&judged).contains(&TROUBLE), "{judged:#}");
    assert!(judged.to_string().contains("scans by other settings"), "{judged:#}");
    assert_eq!(judged["verdict"], "defer");
}

#[test]
fn what_is_no_scanning_service_is_trouble() {
    let scratch = Scratch::new();
    let socket = scratch.path().join("other.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut &stream, b"220 ready\r\n");
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    let using = format!("[malware]\nscanning = \"unix:{}\"\n", socket.display());
    let judged = check(scratch.path(), &using, &message("a@example.net", "x", "Good day."));
    assert!(judged.to_string().contains("does not greet as mailward-scan does"), "{judged:#}");
}

#[test]
fn a_recording_keeps_what_the_service_said() {
    let scratch = Scratch::new();
    let mut scan = start(&scratch, 1);
    let recordings = scratch.dir("recordings");
    let config = format!("[malware]\n{SETTINGS}scanning = \"{}\"\n", scan.address());
    let folder = recordings.display().to_string();
    let site = Site::builder(&scratch, &config).mailward(|m| m.argument("--record").argument(folder)).start();
    assert_eq!(site.send(STRANGER, "a@example.net", &[ALICE], eicar("a@example.net")).last().code, 550);
    let file = recording(&recordings, "a@example.net").display().to_string();
    scan.terminate();
    let output = site.mailward.command(&["check", "--json", &file]);
    let judged: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert!(findings(&judged).contains(&EICAR), "{judged:#}");
    assert_eq!(judged["run"]["as_recorded"], true, "{judged:#}");
}

#[test]
fn what_was_recorded_without_the_service_is_scanned_by_it_in_a_replay() {
    let scratch = Scratch::new();
    let recordings = scratch.dir("recordings");
    let folder = recordings.display().to_string();
    let config = format!("[malware]\n{SETTINGS}scanning = \"in-process\"\n");
    let site = Site::builder(&scratch, &config).mailward(|m| m.argument("--record").argument(folder)).start();
    assert_eq!(site.send(STRANGER, "a@example.net", &[ALICE], eicar("a@example.net")).last().code, 550);
    let file = recording(&recordings, "a@example.net").display().to_string();
    let scan = start(&scratch, 1);
    let config = scratch.file("replay.toml", format!("[malware]\n{SETTINGS}scanning = \"{}\"\n", scan.address()));
    let output =
        mailward::command(scratch.path(), &["check", "--json", &file, "--config", &config.display().to_string()]);
    let judged: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert!(findings(&judged).contains(&EICAR), "{judged:#}");
}

#[test]
fn the_processes_prove_that_they_are_locked_in() {
    let scratch = Scratch::new();
    let output = scan::command(scratch.path(), &["--prove"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{output:?}");
    assert_eq!(text.lines().filter(|line| line.ends_with(" denied")).count(), 9, "{text}");
    assert!(text.contains("eicar_test_file"), "{text}");
}

#[test]
fn wrong_settings_and_sockets_are_told() {
    let scratch = Scratch::new();
    let config = scratch.file("bad.toml", "[malware]\nyara = [\"/nonexistent/rules.yar\"]\nyara_tyme = \"1s\"\n");
    let config = config.display().to_string();
    let output = scan::command(scratch.path(), &["--config", &config]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("bad.toml:3:1: unknown key \"yara_tyme\"; did you mean \"yara_time\"?"), "{text}");

    let config = scratch.file("rules.toml", "[malware]\nyara = [\"/nonexistent/rules.yar\"]\n").display().to_string();
    let output = scan::command(scratch.path(), &["--config", &config, "--listen", "scan.sock"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("/nonexistent/rules.yar: "), "{text}");

    let rules = scratch.file("broken.yar", "rule broken { condition: nothing }\n");
    let config = scratch.file("broken.toml", format!("[malware]\nyara = [\"{}\"]\n", rules.display()));
    let config = config.display().to_string();
    let output = scan::command(scratch.path(), &["--config", &config, "--listen", "scan.sock"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("broken.yar:1:26") && text.contains("before it was ready"), "{text}");

    let output = scan::command(scratch.path(), &["--listen", "/nonexistent/scan.sock"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("cannot listen on /nonexistent/scan.sock"), "{text}");
}

#[test]
fn doctor_asks_the_service() {
    let scratch = Scratch::new();
    let mut scan = start(&scratch, 1);
    let config = format!("[malware]\n{SETTINGS}scanning = \"{}\"\n", scan.address());
    let config = scratch.file("doctor.toml", config).display().to_string();
    let examine = || {
        let output = mailward::command(scratch.path(), &["doctor", "--json", "--config", &config]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let check = lines.filter(|check| check["check"] == "scan").collect::<Vec<_>>();
        assert_eq!(check.len(), 1, "{text}");
        check[0].clone()
    };
    let good = examine();
    assert_eq!(good["state"], "ok", "{good}");
    scan.terminate();
    let bad = examine();
    assert_eq!(bad["state"], "problem", "{bad}");
    assert!(bad["advice"].as_str().is_some_and(|advice| advice.contains("start mailward-scan")), "{bad}");
}
