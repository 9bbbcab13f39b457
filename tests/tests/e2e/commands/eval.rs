//! `mailward eval`.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use mailward_tests::mailward::binary;
use mailward_tests::scratch::Scratch;
use serde_json::Value;

use super::{mailward, offline, parts};
use crate::limits::gtube;

const HAM: [&str; 5] = ["minutes", "budget", "meeting", "draft", "project"];
const SPAM: [&str; 5] = ["casino", "winner", "prize", "claim", "jackpot"];

fn message(subject: &str, body: &str) -> String {
    format!(
        "From: a@sender.test\nTo: alice@rig.test\nSubject: {subject}\nDate: Mon, 5 Jan 2026 11:59:00 +0000\n\
         Message-ID: <1@sender.test>\n\n{body}\n"
    )
}

/// Subjects in capitals have 6 points, GTUBE is refused, all else is alike.
const CAPITALS: &str = "[score.points]\n\"subject.capitals\" = 6\n";

/// Four ham and four spam: of the ham one has 6 points, of the spam two, and one is refused.
fn by_hand() -> Scratch {
    let scratch = Scratch::new();
    for folder in ["mail", "mail/ham", "mail/spam"] {
        scratch.dir(folder);
    }
    let (plain, loud) = (message("a word", "Hello you"), message("A VERY LOUD LINE OF WORDS", "Hello you"));
    for (n, text) in [&plain, &plain, &loud, &plain].into_iter().enumerate() {
        scratch.file(&format!("mail/ham/{n}.eml"), text.replace("you", &format!("ham {n}")));
    }
    let refused = message("a word", &gtube());
    for (n, text) in [&loud, &refused, &plain, &loud].into_iter().enumerate() {
        scratch.file(&format!("mail/spam/{n}.eml"), text.replace("you", &format!("spam {n}")));
    }
    scratch.file("mailward.toml", offline(&scratch, CAPITALS));
    scratch
}

/// Sets of 40 ham and 40 spam that the classifier can tell apart and the rules cannot.
fn piles(sets: &[&str]) -> Scratch {
    let scratch = Scratch::new();
    for (number, set) in sets.iter().enumerate() {
        scratch.dir(set);
        for (class, words) in [("ham", HAM), ("spam", SPAM)] {
            scratch.dir(&format!("{set}/{class}"));
            for n in 0..40 {
                let word = |i: u32| words[(n + number) / 5_usize.pow(i) % 5];
                let text = format!("we would like to tell you about the {} and the {} {}", word(0), word(1), word(2));
                scratch.file(
                    &format!("{set}/{class}/{n}.eml"),
                    message(&format!("{} {n}", word(0)), &format!("{text} {set}")),
                );
            }
        }
    }
    scratch.file("mailward.toml", offline(&scratch, "[spam]\nclassifier_after = 10\n"));
    scratch
}

/// Runs `mailward eval … --json`, which must succeed.
fn eval(scratch: &Scratch, arguments: &[&str]) -> Value {
    let command = ["-c", "mailward.toml", "eval", "--json"];
    let (code, output, errors) = mailward(scratch.path(), &[&command[..], arguments].concat());
    assert_eq!((code, errors.as_str()), (0, ""), "{arguments:?}: {output}");
    serde_json::from_str(&output).expect("one JSON object")
}

/// The same without what depends on the clock.
fn timeless(mut report: Value) -> Value {
    report["seconds"].take();
    report
}

fn percent(measure: &Value) -> f64 {
    measure["percent"].as_f64().unwrap_or_else(|| panic!("{measure}"))
}

/// Fields of each line of a file of comma separated values, by its head. No field of these tests has a comma.
fn rows(scratch: &Scratch, file: &str) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(scratch.path().join(file)).expect("rows");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let head = lines.next().expect("a head");
    lines.map(|fields| head.iter().cloned().zip(fields).collect()).collect()
}

#[test]
fn figures_are_those_found_by_hand() {
    let scratch = by_hand();
    let report = eval(&scratch, &["--set", "mine=mail", "--train", "none", "--peer", "none", "--html", "report.html"]);
    assert_eq!(report["rounds"][0]["judged"], 8);
    let group = &report["groups"][0];
    assert_eq!((&group["name"], &group["ham"], &group["spam"]), (&"mine".into(), &4.into(), &4.into()));
    let ours = &group["filters"][0];
    let of = |name: &str| percent(&ours[name]);
    assert_eq!((of("caught"), of("refused"), of("ham_hit"), of("ham_refused")), (75.0, 25.0, 25.0, 0.0));
    assert_eq!((&ours["caught"]["messages"], &ours["ham_hit"]["messages"]), (&3.into(), &1.into()));
    // Of 16 pairs: the two loud spam stand beside the loud ham, the plain one beside three and below one.
    assert_eq!(of("one_minus_auc"), 100.0 * (2.0 * 0.5 + 3.0 * 0.5 + 1.0) / 16.0);
    assert_eq!([0, 1, 2].map(|n| percent(&ours["caught_at"][n])), [25.0; 3]);
    assert_eq!(of("ham_hit_at_recall"), 100.0);
    assert_eq!(ours["roc"], serde_json::json!([[0.0, 0.0], [0.0, 0.25], [0.25, 0.75], [1.0, 1.0]]));

    let rule =
        |id: &str| report["rules"].as_array().and_then(|rules| rules.iter().find(|rule| rule["id"] == id).cloned());
    let loud = rule("subject.capitals").expect("it hits");
    assert_eq!(
        (&loud["ham"], &loud["spam"], &loud["lift"], &loud["points"]),
        (&1.into(), &2.into(), &2.0.into(), &6.0.into())
    );
    let silent = report["silent"].as_array().expect("a list");
    assert!(silent.contains(&"html.script".into()) && !silent.contains(&"subject.capitals".into()));
    let wrong =
        |list: &str| group[list].as_array().expect("a list").iter().map(|e| e["file"].to_string()).collect::<Vec<_>>();
    assert_eq!(
        (wrong("false_positives"), wrong("misses")),
        (vec!["\"mail/ham/2.eml\"".into()], vec!["\"mail/spam/2.eml\"".into()])
    );

    let page = fs::read_to_string(scratch.path().join("report.html")).expect("a page");
    assert!(page.contains("<svg") && page.contains("<polyline") && page.contains("mail/ham/2.eml"), "{page}");
    assert!(!page.contains("<script") && !page.contains("src="), "{page}");
    let (code, text, _) =
        mailward(scratch.path(), &["-c", "mailward.toml", "eval", "--set", "mine=mail", "--train", "none"]);
    assert_eq!(code, 0);
    assert!(text.contains("mine: 4 ham, 4 spam, ") && text.contains("75.00 % (") && text.contains(", 3"), "{text}");
    assert!(!scratch.path().join("state").exists(), "the state of the site is neither read nor made");
}

#[test]
fn the_order_of_files_and_the_number_of_jobs_mean_nothing() {
    let scratch = piles(&["mine"]);
    let ham = |n: usize| format!("mine/ham/{n}.eml");
    let names: Vec<String> = (0..40).map(ham).collect();
    let order = |names: Vec<&str>, jobs: &str| {
        let more = ["--spam", "mine/spam", "--peer", "none", "--folds", "4", "--jobs", jobs];
        timeless(eval(&scratch, &[&["--ham"], &names[..], &more].concat()))
    };
    let first = order(names.iter().map(String::as_str).collect(), "1");
    let second = order(names.iter().rev().map(String::as_str).collect(), "3");
    assert_eq!(first, second);
    let seed = ["--ham", "mine/ham", "--spam", "mine/spam", "--peer", "none", "--folds", "4", "--seed", "2"];
    let interval = |report: &Value| report["groups"][0]["filters"][0]["caught"]["interval"].clone();
    assert!(interval(&first).is_array() && timeless(eval(&scratch, &seed)) != first, "another seed draws otherwise");
    assert_eq!(timeless(eval(&scratch, &seed)), timeless(eval(&scratch, &seed)));
}

#[test]
fn what_is_learned_judges_as_after_mailward_learn() {
    let scratch = piles(&["old", "new"]);
    let sets = ["--set", "old=old", "--set", "new=new", "--peer", "none"];
    let bare = eval(&scratch, &[&sets[..], &["--train", "none"]].concat());
    assert!(percent(&bare["groups"][0]["filters"][0]["one_minus_auc"]) > 40.0, "rules cannot tell them apart: {bare}");
    let report = eval(&scratch, &[&sets[..], &["--train", "old", "--judge", "new", "--csv", "rows.csv"]].concat());
    assert_eq!((&report["rounds"][0]["ham"], &report["rounds"][0]["judged"]), (&40.into(), &80.into()));
    let groups = report["groups"].as_array().expect("groups");
    assert_eq!((groups.len(), &groups[0]["name"]), (1, &"new".into()));
    assert!(percent(&groups[0]["filters"][0]["one_minus_auc"]) < 1.0, "{report}");

    for class in ["ham", "spam"] {
        let learned = mailward(scratch.path(), &["-c", "mailward.toml", "learn", class, &format!("old/{class}")]);
        assert_eq!(learned.0, 0, "{learned:?}");
    }
    let rows = rows(&scratch, "rows.csv");
    assert_eq!(rows.len(), 80);
    for row in rows.iter().step_by(9) {
        let (_, output, errors) = mailward(
            scratch.path(),
            &["-c", "mailward.toml", "check", "--json", "--helo", "[192.0.2.1]", "--time", "1767614340", &row["file"]],
        );
        let checked: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {errors}"));
        let points = row["points"].parse::<f64>().expect("a number");
        assert_eq!(checked["points"].as_f64(), Some(points), "{row:?}: {checked}");
        assert!(row["findings"].contains("spam.classifier"), "{row:?}");
    }
}

#[test]
fn folds_judge_each_message_once_and_never_tear_a_campaign() {
    let scratch = piles(&["a", "b"]);
    let mut index = String::from("path\tclass\tset\tbench\tcampaign\ttime\n");
    for set in ["a", "b"] {
        for n in 0..40 {
            for class in ["ham", "spam"] {
                index +=
                    &format!("{set}/{class}/{n}.eml\t{class}\t{set}\tX-{set}\t{set}{class}{}\t{}\n", n / 4, 1_000 + n);
            }
        }
    }
    index += "a/other.eml\tmisc\ta\tX-a\t1\t\n";
    scratch.file("index.tsv", index);
    let arguments = ["--index", "index.tsv", "--group", "bench", "--peer", "none", "--csv", "rows.csv"];
    let report = eval(&scratch, &[&arguments[..], &["--folds", "5"]].concat());
    let names: Vec<&Value> = report["groups"].as_array().expect("groups").iter().map(|group| &group["name"]).collect();
    assert_eq!(names, ["X-a", "X-b"]);
    assert_eq!(report["groups"][0]["campaigns"], 20);
    assert_eq!(report["notes"][0], "1 messages of class \"misc\" are left out: they are neither ham nor spam");
    let rows = rows(&scratch, "rows.csv");
    let files: std::collections::BTreeSet<&String> = rows.iter().map(|row| &row["file"]).collect();
    assert_eq!((rows.len(), files.len()), (160, 160));
    let mut rounds: BTreeMap<&String, &String> = BTreeMap::new();
    for row in &rows {
        let round = rounds.entry(&row["campaign"]).or_insert(&row["round"]);
        assert_eq!(*round, &row["round"], "a campaign in two rounds: {row:?}");
    }
    assert_eq!((rounds.len(), rounds.values().collect::<std::collections::BTreeSet<_>>().len()), (40, 5));
    assert!(percent(&report["groups"][1]["filters"][0]["one_minus_auc"]) < 1.0, "{report}");

    let report = eval(&scratch, &[&arguments[..], &["--split", "time=0.75"]].concat());
    assert_eq!((&report["rounds"][0]["ham"], &report["rounds"][0]["judged"]), (&60.into(), &40.into()));
    let report = eval(&scratch, &[&arguments[..], &["--leave-one-set-out"]].concat());
    let rounds = report["rounds"]
        .as_array()
        .expect("rounds")
        .iter()
        .map(|r| (r["name"].clone(), r["ham"].clone(), r["judged"].clone()));
    assert_eq!(
        rounds.collect::<Vec<_>>(),
        ["a", "b"].map(|set| (format!("without {set}").into(), 40.into(), 80.into()))
    );
    let report = eval(&scratch, &[&arguments[..], &["--sample", "10", "--train", "none"]].concat());
    assert_eq!((&report["groups"][0]["ham"], &report["groups"][1]["spam"]), (&10.into(), &10.into()));
}

#[test]
fn online_each_message_is_judged_before_it_is_learned_beside_bogofilter() {
    let scratch = piles(&["mine"]);
    scratch.file("mine/ham/0.eml", "From: a@sender.test\nSubject: no time\n\nHello\n");
    let report = eval(&scratch, &["--set", "mine=mine", "--online", "--peer", "bogofilter", "--cost"]);
    let stream = &report["online"][0];
    assert_eq!((&stream["group"], &stream["order"], &stream["timeless"]), (&"mine".into(), &"time".into(), &1.into()));
    let names: Vec<&Value> =
        stream["curves"].as_array().expect("curves").iter().map(|curve| &curve["filter"]).collect();
    assert_eq!(names, ["mailward", "bogofilter"]);
    let points = &stream["curves"][0]["points"];
    assert_eq!(points.as_array().map(Vec::len), Some(1));
    // With the first of each class nothing is known, so not all can be right.
    let area = points[0]["so_far"].as_f64().expect("both classes");
    assert!(points[0]["messages"] == 79 && 0.0 < area && area < 50.0, "{points}");
    let stages: Vec<&Value> = report["cost"].as_array().expect("stages").iter().map(|stage| &stage["stage"]).collect();
    assert_eq!(stages, ["parse", "content rules", "features", "classifier", "whole engine"]);
    assert!(report["cost"][4]["median"].as_f64() > report["cost"][0]["median"].as_f64(), "{report}");
}

#[test]
fn bogofilter_learns_and_judges_the_same_mail() {
    let scratch = piles(&["old", "new"]);
    let command = ["--set", "old=old", "--set", "new=new", "--train", "old", "--judge", "new", "--csv", "rows.csv"];
    let report = eval(&scratch, &[&command[..], &["--peer", "bogofilter"]].concat());
    let theirs = &report["groups"][0]["filters"][1];
    assert_eq!((&theirs["name"], &theirs["undecided"]), (&"bogofilter".into(), &0.into()));
    assert!(percent(&theirs["one_minus_auc"]) < 1.0, "{theirs}");
    for row in rows(&scratch, "rows.csv") {
        let score: f64 = row["bogofilter"].parse().unwrap_or_else(|error| panic!("{error}: {row:?}"));
        assert_eq!(row["class"] == "spam", score > 0.5, "{row:?}");
    }
    let left: Vec<_> = fs::read_dir(std::env::temp_dir()).expect("a folder").flatten().collect();
    let ours = |name: String| name.starts_with("mailward-eval-");
    let alive = |name: &str| fs::exists(format!("/proc/{}", name.trim_start_matches("mailward-eval-"))).unwrap_or(true);
    let left = left
        .into_iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| ours(name.clone()));
    assert_eq!(left.filter(|name| !alive(name)).collect::<Vec<_>>(), [""; 0], "what was made for it is gone");
}

#[test]
fn faults_are_told_with_their_cure() {
    let scratch = by_hand();
    scratch.file("index.csv", "path,class,time\nmail/ham/0.eml,ham,yesterday\n,spam,\n");
    scratch.file("gone.csv", "path,class\nmail/ham/0.eml,ham\nmail/ham/9.eml,ham\n");
    let of = |arguments: &[&str]| mailward(scratch.path(), &[&["-c", "mailward.toml", "eval"], arguments].concat());
    for (arguments, told) in [
        (&[][..], "there is no message to judge: name some by --ham, --spam, --set or --index"),
        (&["--set", "mail"], "--set mail: a set has a name and a folder: --set NAME=DIR with DIR/ham and DIR/spam"),
        (&["--set", "a=state"], "--set a=state: there is neither state/ham nor state/spam"),
        (&["--set", "a=mail", "--train", "b"], "--train b: there is no such set or group; there are a"),
        (
            &["--set", "a=mail", "--split", "time=2"],
            "say hash, or time=SHARE with a share between 0 and 1, as time=0.5",
        ),
        (&["--set", "a=mail", "--folds", "1"], "1 is not in 2..=1000"),
        (
            &["--index", "index.csv"],
            "index.csv:2: \"yesterday\" is no time: write Unix seconds, or 2026-01-05T12:00:00Z",
        ),
        (&["--index", "index.csv"], "index.csv:3: \"path\" is empty"),
        (
            &["--index", "index.csv", "--group", "bench"],
            "index.csv:1: there is no column \"bench\" among path, class, time",
        ),
        (&["--index", "none.csv"], "cannot read none.csv"),
        (&["--ham", "-"], "standard input cannot be read twice: give a file"),
        (&["--set", "a=mail", "--html", "/nowhere/page.html"], "cannot write /nowhere/page.html"),
    ] {
        let (code, output, errors) = of(arguments);
        assert!(code == 2 && errors.contains(told), "{arguments:?}: {output}{errors}");
    }
    let (code, output, errors) = of(&["--index", "gone.csv", "--train", "none", "--peer", "none"]);
    assert!(code == 2 && errors.contains("cannot read mail/ham/9.eml: No such file"), "{errors}");
    assert!(output.contains("note: 1 could not be read") && output.contains("mail: 1 ham, 0 spam"), "{output}");
    let arguments = ["eval", "--set", "a=mail", "--peer", "bogofilter"];
    let nowhere = Command::new(binary()).args(arguments).current_dir(scratch.path()).env("PATH", "/nowhere").output();
    let (code, _, errors) = parts(&nowhere.expect("the program starts"));
    assert!(code == 3 && errors.contains("install the package bogofilter, or leave out --peer bogofilter"), "{errors}");
}
