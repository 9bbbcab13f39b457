//! Rule files of SpamAssassin: through Postfix, through the commands, and the stock rules beside SpamAssassin itself.

use crate::site::{ALICE, STRANGER, Site, message};
use mailward_spamassassin::{Facts, RuleSet};
use mailward_tests::{mailward, scratch::Scratch};
use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const RULES: &str = "body CHEAP /cheap watches/i\ndescribe CHEAP Offers watches\nscore CHEAP 3.5\n\
    header __LOCAL_FROM From =~ /seller/\nmeta SELLER __LOCAL_FROM && CHEAP\nscore SELLER 2\n\
    header CLIENT X-Spam-Relays-External =~ /^\\[ ip=\\S+ rdns=\\S* helo=\\S+ by=/\nscore CLIENT 0.1\n";

fn table(rules: &Path, more: &str) -> String {
    format!("[spam.spamassassin]\nrules = [\"{}\"]\n{more}", rules.display())
}

#[test]
fn rules_of_the_site_weigh_mail_that_comes_by_postfix() {
    let scratch = Scratch::new();
    let rules = scratch.dir("rules");
    fs::write(rules.join("local.cf"), RULES).expect("a rule file");
    let site = Site::builder(&scratch, &table(&rules, "max = 6\n")).start();
    let text = message("seller@example.net", "offer", "Cheap watches for you");
    let delivery = site.send(STRANGER, "seller@example.net", &[ALICE], &text);
    assert!(delivery.is_accepted(), "{delivery:?}");
    let line = site.line_about("seller@example.net");
    for finding in ["sa.CHEAP", "sa.SELLER", "sa.CLIENT"] {
        assert!(line.found(finding), "{finding} in {line:?}");
    }
    assert!(!line.found("sa.__LOCAL_FROM") && !line.found("sa.bounded"), "{line:?}");
    let clean = message("friend@example.net", "hello", "See you on Sunday");
    assert!(site.send(STRANGER, "friend@example.net", &[ALICE], &clean).is_accepted());
    let line = site.line_about("friend@example.net");
    assert!(!line.found("sa.CHEAP") && line.found("sa.CLIENT"), "{line:?}");
    site.sink.wait_for(2);
}

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = mailward::command(folder, arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_bad_rule_is_a_warning_and_a_folder_that_is_gone_an_error() {
    let scratch = Scratch::new();
    let rules = scratch.dir("rules");
    fs::write(rules.join("local.cf"), format!("{RULES}body BROKEN /(/\n")).expect("a rule file");
    let state = scratch.path().join("state");
    let offline = format!("[dns]\nservers = [\"127.0.0.1:1\"]\n[state]\ndir = \"{}\"\n", state.display());
    scratch.file("mailward.toml", format!("{}{offline}", table(&rules, "")));
    let (code, output, _) = run(scratch.path(), &["config", "check", "mailward.toml"]);
    assert_eq!(code, Some(0));
    let place =
        format!("warning: SpamAssassin rules: {}:9: BROKEN: a group is not closed\n", rules.join("local.cf").display());
    assert!(output.contains(&place), "{output}");
    assert!(output.contains("SpamAssassin rules: 4 of 5 are understood\n"), "{output}");

    let (_, output, errors) = run(scratch.path(), &["rules", "list", "--config", "mailward.toml"]);
    let line = output.lines().find(|line| line.starts_with("sa.CHEAP ")).unwrap_or_else(|| panic!("{output} {errors}"));
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["sa.CHEAP", "3.50", "Offers", "watches"]);

    scratch.file("mail.eml", "From: a@example.net\nSubject: x\n\ncheap watches\n");
    let (_, output, errors) = run(scratch.path(), &["check", "--json", "--config", "mailward.toml", "mail.eml"]);
    let verdict: serde_json::Value =
        serde_json::from_str(output.trim()).unwrap_or_else(|error| panic!("{error}: {output} {errors}"));
    let found = verdict["findings"].as_array().into_iter().flatten().find(|finding| finding["id"] == "sa.CHEAP");
    assert_eq!(found.map(|finding| &finding["source"]), Some(&"Offers watches".into()), "{output}");

    scratch.file("gone.toml", format!("{}{offline}", table(&scratch.path().join("gone"), "")));
    let (code, _, errors) = run(scratch.path(), &["config", "check", "gone.toml"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("[spam.spamassassin] rules: ") && errors.contains("/gone: "), "{errors}");
}

const STOCK: [&str; 2] = ["/usr/share/spamassassin", "/etc/spamassassin"];

/// The messages of the golden cases of our own rules.
fn cases() -> Vec<PathBuf> {
    fn below(dir: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("a folder").flatten() {
            if entry.path().is_dir() { below(&entry.path(), files) } else { files.push(entry.path()) }
        }
    }
    let mut files = Vec::new();
    below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"), &mut files);
    files.sort();
    files
}

#[test]
fn the_stock_rules_hit_as_in_spamassassin_itself() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("spamassassin/hits.pl");
    let mut perl = Command::new("perl")
        .arg(script)
        .args(STOCK)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("perl starts");
    let files = cases();
    let mut list = perl.stdin.take().expect("a pipe");
    let names: String = files.iter().map(|file| format!("{}\n", file.display())).collect();
    let writing = std::thread::spawn(move || list.write_all(names.as_bytes()));
    let output = perl.wait_with_output().expect("perl ends");
    writing.join().expect("a thread").expect("perl reads");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = output.lines();
    let theirs: BTreeSet<&str> = lines.next().expect("the names of the rules").split(' ').skip(1).collect();
    assert!(theirs.len() > 2_000, "the package spamassassin is there: {}", theirs.len());

    let (rules, _) = RuleSet::load(&STOCK.map(PathBuf::from), "en");
    let ours: BTreeSet<&str> = rules.rules().map(|rule| rule.name).collect();
    let loaded = theirs.intersection(&ours).count();
    assert!(loaded * 100 >= theirs.len() * 97, "{loaded} of {} rules load", theirs.len());

    let (mut messages, mut both, mut different) = (0, 0, Vec::new());
    for (file, names) in lines.filter_map(|line| line.split_once('\t')) {
        let theirs: BTreeSet<&str> = names.split(' ').filter(|name| !name.is_empty()).collect();
        let raw = fs::read(file).expect("the message");
        let hits = rules.judge(&raw, &Facts::default());
        let ours: BTreeSet<&str> = hits.iter().map(|hit| hit.name).collect();
        messages += 1;
        both += theirs.intersection(&ours).count();
        different.extend(theirs.symmetric_difference(&ours).map(|name| format!("{name} in {file}")));
    }
    assert_eq!(messages, files.len());
    assert!(both > messages * 20, "rules hit: {both} in {messages} messages");
    // 99.5 % of pairs would still hold if no rule ever hit: hits of either are what counts.
    assert!(different.len() * 200 < theirs.len() * messages, "{} pairs differ: {different:#?}", different.len());
    assert!(different.len() * 50 < both, "{} hits differ, {both} agree: {different:#?}", different.len());
}
