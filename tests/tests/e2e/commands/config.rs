//! `mailward config`.

use mailward_tests::scratch::Scratch;

use super::{mailward, offline};

/// Nine faults, and where each is.
const FAULTY: &str = "\
[milter]
listen = \"tcp:nowhere\"
socket_mode = \"abc\"
[limits]
recipents = 5
message_bytes = \"much\"
[deadlines]
reply = 8
[reputation]
deny = [\"192.0.2.0/24\", \"ten\"]
[[policy]]
name = \"x\"
then = \"rejct\"
[spamm]
level = 3
[dns]
attempts = 0
";
const PLACES: [(&str, &str); 9] = [
    ("2:10", "inet:HOST:PORT"),
    ("3:15", "octal"),
    ("5:1", "did you mean \"recipients\"?"),
    ("6:17", "must be a size"),
    ("8:9", "reply"),
    ("10:25", "ten"),
    ("13:8", "did you mean \"reject\"?"),
    ("14:2", "did you mean \"spam\"?"),
    ("17:12", "attempts"),
];

#[test]
fn check_reports_all_faults_at_once_with_place_and_advice() {
    let scratch = Scratch::new();
    scratch.file("mailward.toml", FAULTY);
    let (code, output, errors) = mailward(scratch.path(), &["config", "check", "mailward.toml"]);
    assert_eq!((code, output.as_str()), (2, ""), "{errors}");
    for (place, advice) in PLACES {
        let place = format!("mailward.toml:{place}: ");
        let line = errors.lines().find(|line| line.starts_with(&place));
        assert!(line.is_some_and(|line| line.contains(advice)), "{place}… {advice} in\n{errors}");
    }
    assert!(errors.contains("9 faults"), "{errors}");
    let (code, _, of_daemon) = mailward(scratch.path(), &["milter", "--config", "mailward.toml"]);
    assert_eq!(code, 2, "the daemon does not start with it");
    assert!(of_daemon.contains("mailward.toml:14:2: "), "and says why: {of_daemon}");
}

#[test]
fn check_tells_a_file_that_is_no_toml_where_it_breaks() {
    let scratch = Scratch::new();
    scratch.file("mailward.toml", "[limits]\nrecipients = 5\nmessage_bytes = [\n[log]\nformat = \"jsn\"\n");
    let (code, _, errors) = mailward(scratch.path(), &["config", "check", "mailward.toml"]);
    assert_eq!(code, 2);
    assert!(errors.contains("mailward.toml:3:") || errors.contains("mailward.toml:4:"), "{errors}");
}

#[test]
fn check_stumbles_over_what_a_start_would_stumble_over() {
    let scratch = Scratch::new();
    scratch.file("broken.yar", "rule broken {\n  condition: nonsense\n}\n");
    scratch.file("deny", "192.0.2.0/24\nnot a network\n");
    let folder = scratch.path().display();
    scratch.file("rules.toml", format!("[malware]\nyara = [\"{folder}/broken.yar\"]\n"));
    scratch.file("missing.toml", format!("[reputation]\ndeny_files = [\"{folder}/missing\"]\n"));
    scratch.file("list.toml", format!("[reputation]\ndeny_files = [\"{folder}/deny\"]\n"));
    for (file, what) in [("rules.toml", "broken.yar"), ("missing.toml", "missing"), ("list.toml", "deny:2")] {
        let (code, output, errors) = mailward(scratch.path(), &["config", "check", file]);
        assert_eq!(code, 2, "{file}: {output}{errors}");
        assert!(errors.contains(what), "{file}: {errors}");
    }
    scratch.file("good.toml", "[limits]\nrecipients = 5\n");
    let (code, output, errors) = mailward(scratch.path(), &["config", "check", "good.toml"]);
    assert_eq!((code, errors.as_str()), (0, ""), "{output}");
    assert!(output.contains("good.toml: good"), "{output}");
}

#[test]
fn show_prints_what_loads_again_to_the_same() {
    let scratch = Scratch::new();
    scratch.file("empty.toml", "");
    scratch.file(
        "rich.toml",
        offline(
            &scratch,
            "[milter]\nlisten = [\"inet:127.0.0.1:9999\", \"unix:/run/x.sock\"]\n[limits]\nrecipients = 7\n\
             message_bytes = \"3 MiB\"\n[score]\ntag = 4.5\n[score.points]\n\"spf.fail\" = 2.25\n\
             [networks]\nrelays = [\"192.0.2.25\"]\n\
             [[reputation.dnsbl]]\nzone = \"one.example\"\npoints = { \"127.0.0.2\" = 6.0 }\nrefuse = [\"127.0.0.2\"]\n\
             [[reputation.dnsbl]]\nzone = \"two.example\"\npoints = 1.5\n\
             [directory]\ndomains = [\"example.com\"]\n[directory.ldap]\nurl = \"ldap://ldap.example\"\n\
             base = \"dc=example\"\ncache = { valid = \"2h\" }\n\
             [[policy]]\nname = \"a \\\"quoted\\\" name\"\nto = [\"bob@example.com\"]\nthen = { reject = \"Not here\" }\n\
             [[policy]]\nname = \"second\"\nfrom = [\"*@example.net\"]\nthen = { tag = { subject = \"[X]\" } }\n\
             [[settings]]\nfor = [\"*@example.org\"]\ntag = 3\n",
        ),
    );
    for name in ["empty", "rich"] {
        let (code, first, errors) = mailward(scratch.path(), &["config", "show", "--config", &format!("{name}.toml")]);
        assert_eq!((code, errors.as_str()), (0, ""), "{name}");
        scratch.file("shown.toml", &first);
        let (code, _, errors) = mailward(scratch.path(), &["config", "check", "shown.toml"]);
        assert_eq!((code, errors.as_str()), (0, ""), "{name}: what was shown is no good file:\n{first}");
        let (_, second, _) = mailward(scratch.path(), &["config", "show", "--config", "shown.toml"]);
        let without_name = |text: &str| text.replace("shown.toml", "").replace(&format!("{name}.toml"), "");
        assert_eq!(without_name(&second), without_name(&first), "{name}");
        if name == "rich" {
            for kept in ["two.example", "7", "3 MiB", "2.25", "192.0.2.25", "Not here", "second", "*@example.org", "2h"]
            {
                assert!(first.contains(kept), "{kept} in\n{first}");
            }
        }
    }
}

#[test]
fn init_writes_a_good_file_that_changes_no_default_and_never_overwrites() {
    let scratch = Scratch::new();
    let (code, output, errors) = mailward(scratch.path(), &["config", "init", "new.toml"]);
    assert_eq!((code, errors.as_str()), (0, ""), "{output}");
    let written = std::fs::read_to_string(scratch.path().join("new.toml")).expect("the file is there");
    assert_eq!(mailward(scratch.path(), &["config", "check", "new.toml"]).0, 0);
    scratch.file("empty.toml", "");
    let show = |name: &str| {
        let (_, text, _) = mailward(scratch.path(), &["config", "show", "--config", name]);
        text.lines().filter(|line| !line.contains(name)).map(|line| format!("{line}\n")).collect::<String>()
    };
    assert_eq!(show("new.toml"), show("empty.toml"));

    scratch.file("mine.toml", "# mine\n");
    let (code, _, errors) = mailward(scratch.path(), &["config", "init", "mine.toml"]);
    assert_eq!(code, 2);
    assert!(errors.contains("mine.toml"), "{errors}");
    assert_eq!(std::fs::read_to_string(scratch.path().join("mine.toml")).expect("still there"), "# mine\n");
    let (code, printed, _) = mailward(scratch.path(), &["config", "init"]);
    assert_eq!((code, printed), (0, written));
}
