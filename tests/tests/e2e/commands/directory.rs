//! `mailward directory`.

use mailward_tests::scratch::Scratch;
use mailward_tests::slapd::{Person, Slapd};
use mailward_tests::tls::Authority;

use super::{mailward, offline};
use crate::site::directory;

#[test]
fn imported_recipients_are_known_and_replaced_but_not_emptied_by_mistake() {
    let scratch = Scratch::new();
    scratch.file("mailward.toml", offline(&scratch, "[directory]\ndomains = [\"rig.test\"]\n"));
    let run = |arguments: &[&str]| {
        mailward(scratch.path(), &[&["--config", "mailward.toml", "directory"], arguments].concat())
    };
    let people: String = (1..=20).map(|n| format!("user{n}@rig.test,staff\n")).collect();
    scratch.file("people.csv", people);
    scratch.file("few.csv", "user1@rig.test\n");
    scratch.file("broken.csv", "user1@rig.test\nnot an address\n");
    scratch.file("people.ldif", "dn: uid=ldif,dc=x\nobjectClass: person\nmail: ldif@rig.test\n\n");

    let (code, output, errors) = run(&["import", "people.csv", "people.ldif"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(output.contains("21 recipients now, 0 before"), "{output}");
    let (code, output, errors) = run(&["lookup", "User7@RIG.test", "ldif@rig.test", "user1+news@rig.test"]);
    assert_eq!(code, 0, "{output}{errors}");
    assert!(output.contains("staff"), "its group is told: {output}");
    let (code, output, _) = run(&["lookup", "nobody@rig.test"]);
    assert_eq!(code, 1, "{output}");

    let (code, _, errors) = run(&["import", "few.csv"]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("--force") && errors.contains("20"), "{errors}");
    assert_eq!(run(&["lookup", "user7@rig.test"]).0, 0, "nothing has changed");
    let (_, _, errors) = run(&["import", "broken.csv"]);
    assert!(errors.contains("broken.csv:2"), "{errors}");
    let (code, output, errors) = run(&["import", "--force", "few.csv"]);
    assert_eq!(code, 0, "{errors}");
    assert!(output.contains("1 recipients now, 21 before"), "{output}");
    assert_eq!(run(&["lookup", "user7@rig.test"]).0, 1);
}

#[test]
fn synchronised_recipients_are_known_while_the_server_is_down() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let alice = Person::new("alice", "rig.test").alias("a.liddell@rig.test");
    let mut slapd = Slapd::builder().person(alice).people(30, "rig.test").start(&scratch, &authority);
    scratch.file("mailward.toml", offline(&scratch, &directory(&scratch, &slapd, "")));
    let run = |arguments: &[&str]| {
        mailward(scratch.path(), &[&["--config", "mailward.toml", "directory"], arguments].concat())
    };

    let (code, output, errors) = run(&["lookup", "alice@rig.test"]);
    assert_eq!(code, 0, "{output}{errors}");
    assert_eq!(run(&["lookup", "nobody@rig.test"]).0, 1);
    let (code, output, errors) = run(&["sync"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(output.contains("32 recipients now, 0 before"), "31 people and an alias: {output}");
    slapd.kill();
    let (code, output, errors) = run(&["lookup", "a.liddell@rig.test", "user30@rig.test"]);
    assert_eq!(code, 0, "{output}{errors}");
    let (code, output, errors) = run(&["lookup", "late@rig.test"]);
    assert_eq!(code, 3, "nobody can tell: {output}{errors}");
    let (code, _, errors) = run(&["sync"]);
    assert_eq!(code, 3, "{errors}");
}
