//! Example policies are correct files, and say what their comments promise.

use mailward_core::{
    config,
    policy::{self, MixedRefusal, Otherwise, Then},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/policies")
}

fn policies(name: &str) -> policy::Settings {
    config::load(&folder().join(name)).unwrap_or_else(|faults| panic!("{faults:?}")).policy
}

/// All policies, as `NAME.toml` or `SITE/mailward.toml` below the folder of examples, without files of cases.
fn names() -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder()).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            names.push(format!("{name}/mailward.toml"));
        } else if name.ends_with(".toml") && !name.ends_with(".cases.toml") {
            names.push(name);
        }
    }
    names
}

#[test]
fn every_example_policy_loads_without_fault_and_stands_in_the_list() {
    let readme = fs::read_to_string(folder().join("../README.md")).expect("a README");
    let names = names();
    for name in &names {
        if let Err(faults) = config::load(&folder().join(name)) {
            panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        }
        assert!(readme.contains(&format!("`{name}`")), "{name} is missing in examples/README.md");
    }
    assert_eq!(names.len(), 18);
}

#[test]
fn example_policies_say_what_their_comments_promise() {
    let outbound = config::load(&folder().join("outbound.toml")).expect("a configuration");
    assert!(outbound.policy.filter_outbound);
    assert_eq!((outbound.dkim_keys.len(), outbound.outbound.rates.recipients_per_hour), (2, 120));
    assert_eq!(policies("first-weeks.toml").trial.expect("a trial").acting.len(), 3);
    assert_eq!(policies("spam.toml").mixed_refusal, MixedRefusal::Tag);
    assert_eq!(policies("people.toml").scoped.len(), 2);
    assert_eq!(policies("attachments.toml").policies.len(), 6);
    let changes = policies("changes.toml").policies;
    assert!(changes[2].strip.as_ref().is_some_and(|strip| strip.otherwise == Otherwise::Hold));
    assert!(matches!(&changes[3].then, Then::Redirect(to) if to[0].raw == "security@example.com"));
    assert!(matches!(&changes[4].then, Then::TagAndContinue(marks) if marks.disclaimer.is_some()));
    assert_eq!(policies("partners.toml").policies.len(), 4);
    let office = policies("office/mailward.toml");
    assert_eq!((office.policies.len(), office.lists.len(), office.scoped.len()), (10, 2, 2));
    assert!(office.asks().country && office.asks().message.texts);
}
