//! `mailward check`.

use mailward_tests::{mmdb, scratch::Scratch};
use serde_json::Value;

use super::{mailward, mailward_reading, offline};
use crate::limits::gtube;

/// A folder with messages of several kinds and a configuration that needs no network; gives that file's path.
fn folder(scratch: &Scratch) -> String {
    let spam = format!("From: s@example.net\nTo: alice@rig.test\nSubject: spam\n\n{}\n", gtube());
    let clean = "From: c@example.net\nTo: alice@rig.test\nSubject: clean\n\nHello\n";
    scratch.dir("mails");
    scratch.file("mails/1-clean.eml", clean);
    scratch.file("mails/2-spam.eml", &spam);
    let boxed = format!(
        "From c@example.net Thu Jan  1 00:00:00 2026\n{clean}\nFrom s@example.net Thu Jan  1 00:00:00 2026\n{spam}\n"
    );
    scratch.file("mails/3.mbox", boxed);
    scratch.file("zone", "example.net TXT \"v=spf1 ip4:192.0.2.7 -all\"\n");
    let file = scratch.file("mailward.toml", offline(scratch, ""));
    file.to_str().expect("scratch paths are UTF-8").to_owned()
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn files_directories_mailboxes_and_standard_input_are_judged_alike() {
    let scratch = Scratch::new();
    let config = folder(&scratch);
    let check = |path: &str| mailward(scratch.path(), &["check", "--json", "--config", &config, "--dns", "zone", path]);
    let verdicts = |text: &str| -> Vec<String> {
        objects(text).iter().map(|o| o["verdict"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let (code, output, errors) = check("mails/1-clean.eml");
    assert_eq!((code, verdicts(&output).join(" ").as_str()), (0, "deliver"), "{errors}");
    let (code, output, errors) = check("mails/2-spam.eml");
    assert_eq!((code, verdicts(&output).join(" ").as_str()), (1, "reject"), "{errors}");
    let (code, output, errors) = check("mails/3.mbox");
    assert_eq!((code, verdicts(&output).join(" ").as_str()), (1, "deliver reject"), "{errors}");
    let (code, output, errors) = check("mails");
    assert_eq!((code, verdicts(&output).join(" ").as_str()), (1, "deliver reject deliver reject"), "{errors}");
    let files: Vec<_> =
        objects(&output).iter().map(|o| o["run"]["file"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(files, ["mails/1-clean.eml", "mails/2-spam.eml", "mails/3.mbox:1", "mails/3.mbox:2"]);
    let input = scratch.path().join("mails/2-spam.eml");
    let arguments = ["check", "--json", "--config", &config, "--dns", "zone", "-"];
    let (code, output, errors) = mailward_reading(scratch.path(), &arguments, &input);
    assert_eq!((code, verdicts(&output).join(" ").as_str()), (1, "reject"), "{errors}");
    assert_eq!(objects(&output)[0]["run"]["file"], "-");
}

#[test]
fn messages_of_a_pile_are_judged_apart_and_each_gets_a_verdict() {
    let scratch = Scratch::new();
    let config = folder(&scratch);
    scratch.dir("pile");
    let bounce = "Return-Path: <>\nFrom: mailer-daemon@example.net\nTo: alice@rig.test\nSubject: returned\n\nSorry\n";
    for n in 0..40 {
        scratch.file(&format!("pile/{n:02}-bounce.eml"), bounce);
    }
    scratch
        .file("pile/40-odd-path.eml", format!("Return-Path: <a b@@c>\n{}", bounce.split_once('\n').expect("lines").1));
    let base = ["check", "--json", "--config", &config, "--dns", "zone", "--client-ip", "198.51.100.7"];
    let (_, output, errors) = mailward(scratch.path(), &[&base[..], &["pile"]].concat());
    let verdicts = objects(&output);
    assert_eq!(verdicts.len(), 41, "{errors}");
    assert!(verdicts.iter().all(|o| o["verdict"] == "deliver"), "{output}");

    let (code, output, _) =
        mailward(scratch.path(), &[&base[..], &["--from", "a b@@c", "pile/00-bounce.eml"]].concat());
    let refused = objects(&output);
    assert_eq!((code, &refused[0]["stage"], &refused[0]["verdict"]), (1, &"mail".into(), &"reject".into()), "{output}");
}

#[test]
fn json_has_every_field_that_is_promised() {
    let scratch = Scratch::new();
    let config = folder(&scratch);
    let arguments = [
        "check",
        "--json",
        "--config",
        &config,
        "--dns",
        "zone",
        "--client-ip",
        "192.0.2.66",
        "--helo",
        "mx.example.net",
        "--from",
        "a@example.net",
        "--to",
        "alice@rig.test",
        "--to",
        "bob@rig.test",
        "--time",
        "1770000000",
        "mails/1-clean.eml",
    ];
    let (code, output, errors) = mailward(scratch.path(), &arguments);
    assert_eq!(code, 0, "{output}{errors}");
    let object = &objects(&output)[0];
    assert_eq!((&object["schema"], &object["verdict"]), (&Value::from(1), &Value::from("deliver")), "{object}");
    assert!(object["points"].is_number() || object["points"].is_string(), "{object}");
    let addresses: Vec<_> =
        object["recipients"].as_array().expect("recipients").iter().map(|r| &r["address"]).collect();
    assert_eq!(addresses, ["alice@rig.test", "bob@rig.test"]);
    let findings = object["findings"].as_array().expect("findings");
    let spf = findings.iter().find(|f| f["id"] == "spf.fail").unwrap_or_else(|| panic!("no spf.fail in {object}"));
    assert!(!spf["points"].is_null() && spf["evidence"].is_array(), "{spf}");
    let run = &object["run"];
    assert_eq!((&run["file"], &run["door"]), (&Value::from("mails/1-clean.eml"), &Value::from("check")));
    assert_eq!(run["time"], 1_770_000_000, "{run}");
    assert!(run["ref"].as_str().is_some_and(|r| r.len() == 10) && run["ms"].is_number(), "{run}");

    let (_, again, _) = mailward(scratch.path(), &arguments);
    let without_run = |text: &str| {
        let mut object = objects(text).remove(0);
        object.as_object_mut().expect("an object").remove("run");
        object
    };
    assert_eq!(without_run(&again), without_run(&output), "the same facts give the same words");
}

#[test]
fn text_for_people_names_evidence_thresholds_and_what_would_have_changed_it() {
    let scratch = Scratch::new();
    let config = folder(&scratch);
    let (code, output, _) =
        mailward(scratch.path(), &["check", "--config", &config, "--dns", "zone", "mails/2-spam.eml"]);
    assert_eq!(code, 1);
    assert!(output.starts_with("mails/2-spam.eml\n"), "{output}");
    for word in ["verdict  reject", "because", "findings", "gtube", "reject at 15.00"] {
        assert!(output.contains(word), "{word} in\n{output}");
    }
    let (_, quiet, _) = mailward(scratch.path(), &["check", "-q", "--config", &config, "--dns", "zone", "mails"]);
    assert!(!quiet.contains("1-clean.eml") && quiet.contains("2-spam.eml"), "{quiet}");
    assert!(quiet.contains("4 messages"), "{quiet}");
}

#[test]
fn unreadable_file_ends_with_code_2_after_the_others_were_judged() {
    let scratch = Scratch::new();
    let config = folder(&scratch);
    let arguments = ["check", "--json", "--config", &config, "--dns", "zone", "missing.eml", "mails/2-spam.eml"];
    let (code, output, errors) = mailward(scratch.path(), &arguments);
    assert_eq!((code, objects(&output).len()), (2, 1), "{errors}");
    assert!(errors.contains("missing.eml"), "{errors}");
}

#[test]
fn why_tells_which_key_of_each_earlier_policy_failed_and_countries_users_and_words_decide() {
    let scratch = Scratch::new();
    let countries = scratch.file("c.mmdb", mmdb::countries(&[("192.0.2.0/24", "CL"), ("2001:db8::/32", "NO")]));
    scratch.file("friends.txt", "# friends\n*@friend.example\n");
    let policies = format!(
        r#"
[networks]
countries = "{}"
[[list]]
name = "friends"
file = "{}"
[[policy]]
name = "from there"
when = {{ country = "cl" }}
then = "hold"
[[policy]]
name = "friends"
from = "list:friends"
then = "deliver"
[[policy]]
name = "words"
when = {{ text = {{ contains = "wire transfer" }}, link = "*.example.org" }}
then = "discard"
[[policy]]
name = "the scanner"
direction = "both"
when = {{ user = "SCAN-*" }}
then = "reject"
"#,
        countries.display(),
        scratch.path().join("friends.txt").display()
    );
    let config = scratch.file("mailward.toml", offline(&scratch, &policies));
    scratch.file("zone", "");
    scratch.file(
        "mail.eml",
        "From: c@example.net\nTo: alice@rig.test\nSubject: x\n\nPlease make a WIRE\ntransfer: https://a.example.org/x\n",
    );
    let config = config.to_str().expect("scratch paths are UTF-8");
    let check = |arguments: &[&str]| {
        let fixed = ["check", "--config", config, "--dns", "zone", "mail.eml"];
        let (_, output, errors) = mailward(scratch.path(), &[&fixed[..], arguments].concat());
        assert_eq!(errors, "");
        output
    };
    let because = |arguments: &[&str]| {
        let output = check(&[&["--json"], arguments].concat());
        objects(&output)[0]["recipients"][0]["because"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(because(&["--client-ip", "192.0.2.7"]), "policy \"from there\"");
    assert_eq!(because(&["--client-ip", "2001:db8::7"]), "policy \"words\"");
    assert_eq!(because(&["--client-ip", "198.51.100.7", "--from", "x@friend.example"]), "policy \"friends\"");
    assert_eq!(because(&["--login", "scan-2"]), "policy \"the scanner\"");

    let text = check(&["--why", "--client-ip", "2001:db8::7"]);
    for line in [
        "not policy \"from there\" (line 7): when.country: it is NO",
        "not policy \"friends\" (line 11): from: the sender is not in the list",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("the scanner"), "it was not asked: {text}");
    let told = check(&["--why", "--json", "--client-ip", "2001:db8::7"]);
    let not_matched = &objects(&told)[0]["recipients"][0]["note"]["not_matched"];
    assert_eq!(not_matched[0]["policy"]["name"], "from there", "{told}");
    assert_eq!(not_matched[0]["why"], "when.country: it is NO", "{told}");
    assert!(!check(&["--json", "--client-ip", "2001:db8::7"]).contains("not_matched"), "only where it is asked for");

    scratch.file("friends.txt", "friend.example\n");
    let (code, _, errors) = mailward(scratch.path(), &["config", "check", config]);
    assert!(code != 0 && errors.contains("friends.txt:1: \"friend.example\" has no"), "{errors}");
}
