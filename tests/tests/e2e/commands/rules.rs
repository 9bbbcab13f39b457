//! `mailward rules`, and the golden cases of every rule over content and phishing: a message that it hits beside one that it must miss.

use super::{mailward, offline};
use mailward_tests::scratch::Scratch;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Wed, 15 Jan 2025 12:00 UTC, a minute after the cases were written.
const NOW: &str = "1736942400";

/// What the cases of rules over phishing need of the site.
const SITE: &str = r#"
[phishing]
own_domains = ["northwind-rockets.example"]
organisation = ["Northwind Rockets"]
people = [{ name = "Anna Beispiel", addresses = ["anna@northwind-rockets.example"] }]
"#;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The output of `mailward rules list` on the built-in defaults, with more configuration.
fn list(more: &str, form: &[&str]) -> String {
    let scratch = Scratch::new();
    let file = scratch.file("mailward.toml", offline(&scratch, more));
    let config = file.to_str().expect("scratch paths are UTF-8");
    let (code, output, errors) = mailward(scratch.path(), &[&["rules", "list", "--config", config], form].concat());
    assert_eq!((code, errors.as_str()), (0, ""));
    output
}

fn ids() -> BTreeSet<String> {
    objects(&list("", &["--json"])).iter().filter_map(|rule| rule["id"].as_str().map(str::to_owned)).collect()
}

/// Ids of the findings of every case, by the path of its file below the folder of cases.
fn judged() -> BTreeMap<String, BTreeSet<String>> {
    let scratch = Scratch::new();
    scratch.file("zone", "example.com TXT \"v=spf1 ip4:203.0.113.7 -all\"\n");
    let file = scratch.file("mailward.toml", offline(&scratch, SITE));
    let (config, folder) = (file.to_str().expect("UTF-8"), cases());
    let folder = folder.to_str().expect("UTF-8");
    let arguments = ["check", "--json", "--config", config, "--dns", "zone", "--client-ip", "203.0.113.7"];
    let (_, output, errors) = mailward(scratch.path(), &[&arguments[..], &["--time", NOW, folder]].concat());
    assert_eq!(errors, "");
    let found = |verdict: &Value| -> BTreeSet<String> {
        let findings = verdict["findings"].as_array().into_iter().flatten();
        findings.filter_map(|finding| finding["id"].as_str().map(str::to_owned)).collect()
    };
    objects(&output)
        .iter()
        .map(|verdict| {
            let file = verdict["run"]["file"].as_str().unwrap_or_default();
            (file.trim_start_matches(folder).trim_start_matches('/').to_owned(), found(verdict))
        })
        .collect()
}

#[test]
fn every_rule_hits_its_case_and_misses_the_one_beside_it() {
    let judged = judged();
    let mut wrong = Vec::new();
    for id in ids() {
        match judged.get(&format!("{id}/hit.eml")) {
            Some(found) if found.contains(&id) => {}
            found => wrong.push(format!("{id} does not hit: {found:?}")),
        }
        match judged.get(&format!("{id}/miss.eml")) {
            Some(found) if !found.contains(&id) => {}
            found => wrong.push(format!("{id} hits what it must miss: {found:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_case_and_every_case_a_rule() {
    let folders: BTreeSet<String> = fs::read_dir(cases())
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let ids = ids();
    assert!(ids.len() >= 60, "{} rules", ids.len());
    assert_eq!(folders, ids);
}

#[test]
fn the_list_shows_what_the_site_has_changed() {
    let changed = "[spam]\ndisabled = [\"html.only\"]\n[spam.points]\n\"link.shortened\" = 2.5\n";
    let rules = objects(&list(changed, &["--json"]));
    let rule = |id: &str| rules.iter().find(|rule| rule["id"] == id).unwrap_or_else(|| panic!("{id}"));
    assert_eq!(rule("html.only")["enabled"], false);
    assert_eq!(rule("link.shortened")["points"], 2.5);
    assert!(rule("link.shortened")["source"].as_str().is_some_and(|source| !source.is_empty()));
    let text = list(changed, &[]);
    let line = |id: &str| text.lines().find(|line| line.starts_with(id)).unwrap_or_default().to_owned();
    assert!(line("html.only").contains(" off "), "{text}");
    assert!(line("link.shortened").contains(" 2.50 "), "{text}");
}

#[test]
fn the_reference_page_holds_the_table_as_it_is() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules.md");
    let page = fs::read_to_string(page).expect("docs/rules.md");
    let table = list("", &["--markdown"]);
    assert!(page.contains(&table), "docs/rules.md differs; the table is what `mailward rules list --markdown` prints");
}
