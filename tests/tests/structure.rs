//! The picture of ARCHITECTURE.md held against the code: arrows between rooms, and licences of what each crate reaches.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Rooms of `core/src`, in the order of ARCHITECTURE.md: a room may name only those before it.
const ROOMS: &[&str] = &[
    "verdict",
    "session",
    "message",
    "lookup",
    "store",
    "reputation",
    "recipients",
    "authentication",
    "outbound",
    "malware",
    "spam",
    "phishing",
    "score",
    "policy",
    "explain",
    "quarantine",
    "notices",
    "config",
    "engine",
];

/// Libraries that one room alone may name.
const ENCLOSED: &[(&str, &str)] =
    &[("mail_parser::", "message"), ("mail_auth::", "authentication"), ("ldap3::", "lookup")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

/// Room and text of every file of core.
fn core_files() -> Vec<(PathBuf, String, String)> {
    let src = root().join("core/src");
    rust_files(&src)
        .into_iter()
        .filter_map(|path| {
            let first = path.strip_prefix(&src).ok()?.iter().next()?.to_str()?.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).ok()?;
            (first != "lib").then_some((path, first, text))
        })
        .collect()
}

/// Every room named in a file: `crate::room…`, and each name inside `use crate::{…}`.
fn named_rooms(text: &str) -> Vec<String> {
    let word =
        |s: &str| -> String { s.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut rooms = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => rooms.push(word(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut begins = true;
                for (i, c) in group.char_indices() {
                    if begins && depth == 0 && !c.is_whitespace() {
                        rooms.push(word(&group[i..]));
                        begins = false;
                    }
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => begins = true,
                        _ => {}
                    }
                }
            }
        }
    }
    rooms
}

#[test]
fn a_room_names_only_rooms_above_it() {
    let order = |room: &str| ROOMS.iter().position(|r| *r == room);
    let mut wrong = Vec::new();
    let files = core_files();
    assert!(files.len() > 20, "the scan found the engine");
    for (path, room, text) in &files {
        let own = order(room).unwrap_or_else(|| panic!("{} belongs to no room of the list", path.display()));
        for named in named_rooms(text) {
            if order(&named).is_some_and(|index| index > own) {
                wrong.push(format!("{}: {room} names {named}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_scan_sees_grouped_and_plain_names() {
    let text = "use crate::{policy::{decide, Facts}, verdict::Card};\nlet x = crate::engine::Engine;";
    assert_eq!(named_rooms(text), ["policy", "verdict", "engine"]);
}

#[test]
fn a_library_with_one_room_is_named_there_only() {
    for (path, room, text) in core_files() {
        for (library, owner) in ENCLOSED {
            assert!(room == *owner || !text.contains(library), "{} names {library}", path.display());
        }
    }
}

fn cargo_tree(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "-e", "normal"])
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && tree.lines().count() > 10, "{}", String::from_utf8_lossy(&output.stderr));
    tree
}

#[test]
fn core_scan_and_ffi_reach_no_crate_under_the_gpl() {
    for package in ["mailward-core", "mailward-scan", "mailward-ffi"] {
        let tree = cargo_tree(&["--prefix", "none", "-f", "{p} {l}", "-p", package]);
        let gpl: Vec<&str> = tree
            .lines()
            .filter(|line| line.contains("GPL") && !line.contains("LGPL") && !line.contains(" OR "))
            .collect();
        assert!(gpl.is_empty(), "{package} reaches {gpl:?}");
    }
}

#[test]
fn one_tls_provider_is_built_once() {
    let tree = cargo_tree(&["--prefix", "none", "-f", "{p}", "-p", "mailward"]);
    let versions = |name: &str| {
        let lines = tree.lines().filter(|line| line.split(' ').next() == Some(name));
        lines.map(|line| line.trim_end_matches(" (*)")).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(
        (versions("aws-lc-sys"), versions("aws-lc-rs"), versions("ring"), versions("openssl-sys")),
        (1, 1, 0, 0)
    );
}

#[test]
fn the_picture_names_every_room() {
    let picture = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let built: Vec<&&str> = ROOMS
        .iter()
        .filter(|r| {
            let src = root().join("core/src");
            src.join(r).is_dir() || src.join(format!("{r}.rs")).is_file()
        })
        .collect();
    for room in built {
        assert!(
            picture.contains(&format!("`{room}/`")) || picture.contains(&format!("`{room}.rs`")),
            "ARCHITECTURE.md does not tell of {room}"
        );
    }
}
