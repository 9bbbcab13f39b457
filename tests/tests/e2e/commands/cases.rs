//! The cases in `tests/cases`: every condition and every action of policies, where it acts and where it does not.

use std::fs;
use std::path::{Path, PathBuf};

use mailward_tests::mmdb;
use mailward_tests::scratch::Scratch;

use super::mailward;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_condition_and_action_has_a_case_in_which_it_acts_and_one_in_which_it_does_not() {
    let scratch = Scratch::new();
    for entry in fs::read_dir(repository().join("tests/cases")).expect("the folder") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, scratch.path().join(path.file_name().expect("a name"))).expect("copied");
    }
    scratch.file("countries.mmdb", mmdb::countries(&[("198.51.100.0/24", "CL")]));
    let (code, output, errors) = mailward(scratch.path(), &["test", "."]);
    assert_eq!((code, errors.as_str()), (0, ""), "{output}");

    let manual = read("docs/policies.md");
    let rows = |from: &str, to: &str| {
        let (_, after) = manual.split_once(from).unwrap_or_else(|| panic!("the manual says {from}"));
        let (table, _) = after.split_once(to).unwrap_or_else(|| panic!("the manual says {to}"));
        table.lines().filter(|line| line.starts_with("| `")).map(str::to_owned).collect::<Vec<_>>()
    };
    let conditions = read("tests/cases/conditions.toml");
    let mut keys = 0;
    for row in rows("**`when`** has these keys", "`all`, `any` and `not` hold") {
        let cell = row.split('|').nth(1).unwrap_or_default();
        for piece in cell.split('`').skip(1).step_by(2) {
            let key = piece.split([' ', '=']).next().unwrap_or_default();
            assert!(conditions.contains(&format!("{key} = ")), "no case for the condition {key} of {row}");
            keys += 1;
        }
    }
    assert!(keys >= 25, "the table of conditions was found: {keys}");
    let actions = read("tests/cases/actions.toml");
    let rows = rows("**`then`** is one of these", "Texts are printable ASCII");
    for row in &rows {
        let action = row.split('`').nth(1).unwrap_or_default().trim_matches(['{', '"', ' ']);
        for word in action.split(|c: char| !(c.is_alphabetic() || c == '_')).take(3).filter(|word| word.len() > 2) {
            assert!(actions.contains(word), "no case for {word} of {row}");
        }
    }
    assert!(rows.len() >= 12, "the table of actions was found: {rows:?}");
    for file in ["conditions", "actions"] {
        let cases = read(&format!("tests/cases/{file}.cases.toml"));
        let (acts, does_not) = if file == "actions" { ("acts", "does not act") } else { ("holds", "does not hold") };
        for name in read(&format!("tests/cases/{file}.toml")).lines().filter_map(|line| line.strip_prefix("name = \""))
        {
            let name = name.trim_end_matches('"');
            if name == "partners" {
                continue; // the list
            }
            for what in [acts, does_not] {
                assert!(cases.contains(&format!("name = \"{name} {what}\"")), "no case \"{name} {what}\"");
            }
        }
    }
}
