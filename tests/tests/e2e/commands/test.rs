//! `mailward test`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use mailward_tests::mailward::binary;
use mailward_tests::scratch::Scratch;
use serde_json::Value;

use super::mailward;

/// The policy under test. Its services are at places where nobody answers.
const POLICY: &str = r#"
[dns]
servers = ["127.0.0.1:1"]
[directory]
domains = ["example.com"]
[directory.ldap]
url = "ldap://127.0.0.1:1"
base = "dc=example,dc=com"
[malware]
clamd = ["inet:127.0.0.1:1"]
[[reputation.dnsbl]]
zone = "list.test"
refuse = ["127.0.0.2"]

[[policy]]
name = "finance gets no programs"
to = "group:finance"
when = { attachment = { executable = true } }
then = { reject = "Please send no programs" }

[[policy]]
name = "partners are marked"
from = "*@partner.example"
when = { spf = "pass" }
then = { tag = { header = { X-Partner = "yes" }, subject = "[P]", banner = "From a partner." } }
"#;

const FILE: &str = r#"# What partners get.
config = "mailward.toml"
client = "192.0.2.7"
from = "anna@partner.example"
to = "bob@example.com"
dns = ["partner.example TXT v=spf1 ip4:192.0.2.7 -all"]
"#;

/// A folder with the policy and these cases in `a.cases.toml`.
fn folder(cases: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.file("mailward.toml", POLICY);
    scratch.file("a.cases.toml", format!("{FILE}{cases}"));
    scratch
}

fn case(name: &str, keys: &str) -> String {
    format!("\n[[case]]\nname = \"{name}\"\n{keys}\n")
}

/// Plays the cases; gives exit code, output and errors.
fn play(cases: &str, arguments: &[&str]) -> (i32, String, String) {
    mailward(folder(cases).path(), &[&["test", "a.cases.toml"], arguments].concat())
}

/// A message with a program.
const PROGRAM: &str = "message = '''\nFrom: a@partner.example\nSubject: tool\nMIME-Version: 1.0\nContent-Type: application/octet-stream; name=tool.exe\nContent-Disposition: attachment; filename=tool.exe\nContent-Transfer-Encoding: base64\n\nTVqQAAMAAAAEAAAA//8AALgAAAAAAAAAQAAAAAAAAAA=\n'''";

/// Every key of `expect`, with a value that holds and one that does not, and what the difference shows.
const EXPECTATIONS: [(&str, &str, &str); 17] = [
    ("verdict = 'tag'", "verdict = 'deliver'", "+ tag"),
    ("stage = 'message'", "stage = 'rcpt'", "+ message"),
    ("replies = { mail = 'no reply*' }", "replies = { mail = '550 *' }", "+ no reply: it went through"),
    ("recipients = { 'bob@example.com' = 'tag' }", "recipients = { 'bob@example.com' = 'hold' }", "+ tag"),
    ("recipients = { 'bob@example.com' = 'tag' }", "recipients = { 'eve@example.com' = 'tag' }", "+ not a recipient"),
    ("because = 'policy \"partners*'", "because = 'threshold*'", "+ policy \"partners are marked\""),
    ("because = { 'bob@example.com' = '*' }", "because = { 'bob@example.com' = 'x' }", "(for bob@example.com)"),
    ("findings = 'spf.*'", "findings = ['spf.pass', 'dkim.fail']", "- dkim.fail"),
    ("no_findings = 'dkim.*'", "no_findings = 'spf.*'", "+ spf.pass"),
    ("points = 2.5", "points = 1", "+ 2.50"),
    ("points = { at_least = 2, below = 3 }", "points = { below = 2.5 }", "- below 2.50"),
    ("headers = { X-Partner = 'y*', X-Other = false }", "headers = { X-Partner = false }", "- no such field"),
    ("headers = { Subject = '[P] Our meeting' }", "headers = { Subject = 'Our*' }", "+ [P] Our meeting"),
    (
        "edits = ['replace body: with banner', 'change Subject 1: *', 'add X-Partner: yes', '*', '*', '*']",
        "edits = ['change Subject 1: *']",
        "+ add X-Partner: yes",
    ),
    ("contains = 'From a partner.'", "contains = 'From a stranger.'", "not in the message"),
    ("signed = []", "signed = ['d=example.com *']", "+ nothing"),
    ("not_applied = []", "not_applied = ['banner: *']", "+ nothing"),
];

#[test]
fn every_expectation_passes_where_it_holds_and_shows_the_difference_where_it_does_not() {
    for (good, bad, shown) in EXPECTATIONS {
        let (code, output, errors) = play(&case("a partner", &format!("[case.expect]\n{good}")), &[]);
        assert_eq!((code, errors.as_str()), (0, ""), "{good}\n{output}");
        assert!(output.starts_with("1 passed, 0 failed"), "{output}");
        let (code, output, _) = play(&case("a partner", &format!("[case.expect]\n{bad}")), &[]);
        assert_eq!(code, 1, "{bad}\n{output}");
        assert!(output.contains("FAIL a.cases.toml:8: a partner"), "{output}");
        assert!(output.contains(shown) && output.contains("0 passed, 1 failed"), "{bad}\n{output}");
    }
}

#[test]
fn scripted_services_answer_and_nobody_else_is_asked() {
    let directory = "directory = { 'eve@example.com' = ['Finance'], 'bob@example.com' = [] }";
    let cases = [
        case(
            "finance",
            &format!(
                "to = ['eve@example.com']\ndirectory = {{ 'eve@example.com' = ['finance'] }}\n{PROGRAM}\nexpect = {{ reply = '550 5.7.1 Please send no programs' }}"
            ),
        ),
        case(
            "mixed",
            &format!(
                "to = ['eve@example.com', 'bob@example.com']\n{directory}\n{PROGRAM}\nexpect = {{ because = {{ 'eve@example.com' = 'policy \"finance*', 'bob@example.com' = 'policy \"partners*' }} }}"
            ),
        ),
        case(
            "unknown",
            "to = ['nobody@example.com', 'bob@example.com']\ndirectory = { 'bob@example.com' = [] }\nexpect = { replies = { 'nobody@example.com' = '550 5.1.1 *' }, recipients = { 'nobody@example.com' = 'reject', 'bob@example.com' = 'tag' } }",
        ),
        case(
            "trouble",
            "directory = { 'bob@example.com' = 'timeout' }\ndns = []\nexpect = { stage = 'rcpt', reply = '451 4.3.0 *', because = 'directory in trouble' }",
        ),
        case(
            "clamd finds",
            "clamd = { found = 'Win.Test.X' }\nexpect = { verdict = 'reject', findings = 'malware.clamd.*' }",
        ),
        case("clamd is silent", "clamd = 'timeout'\nexpect = { verdict = 'defer' }"),
        case(
            "listed",
            "dns = ['7.2.0.192.list.test A 127.0.0.2']\nexpect = { stage = 'rcpt', reply = '550 5.7.1 *', findings = 'dnsbl.*' }",
        ),
        case("no name server", "dns = ['* SERVFAIL']\nexpect = { verdict = 'deliver' }"),
        case(
            "learned",
            "from = 'x@other.example'\nfindings = { 'spam.classifier' = 6.5 }\nexpect = { points = { at_least = 6.5 }, because = 'threshold tag' }",
        ),
        case(
            "changed keys",
            "set = { score = { tag = 1 } }\nfrom = 'x@other.example'\nexpect = { verdict = 'tag', because = 'threshold tag' }",
        ),
        case("another clock", "time = 2026-03-01T00:00:00Z\nexpect = { headers = { Date = 'Sun, 01 Mar 2026*' } }"),
        case("own machine", "client = ''\nlocal = true\ndns = []\nexpect = { verdict = 'deliver' }"),
        case("the host cannot", "host = { replace_body = false }\nexpect = { not_applied = 'banner: *' }"),
    ];
    let (code, output, errors) = play(&cases.concat(), &[]);
    assert_eq!((code, errors.as_str()), (0, ""), "{output}");
    assert!(output.starts_with("13 passed, 0 failed"), "{output}");
}

#[test]
fn an_answer_that_nobody_asks_for_fails_the_case() {
    let good = "expect = { verdict = 'tag' }";
    for (answer, told) in [
        ("dns = ['partner.example TXT v=spf1 ip4:192.0.2.7 -all', 'other.example A 192.0.2.9']", "dns: other.example"),
        ("directory = { 'bob@example.com' = [], 'eve@example.com' = [] }", "directory: eve@example.com"),
        ("clamd = 'clean'\nset = { malware = { clamd = [] } }", "clamd"),
        ("files = { '/etc/mailward/batv.key' = 'mailward.toml' }", "files: /etc/mailward/batv.key"),
    ] {
        let (code, output, _) = play(&case("x", &format!("{answer}\n{good}")), &[]);
        assert!(code == 1 && output.contains(&format!("+ {told}")), "{answer}\n{output}");
    }
    // The file's answers serve all its cases: one that asks is enough, if all are played.
    let other = case("y", "from = 'x@other.example'\nexpect = { verdict = 'deliver' }");
    let (code, output, _) = play(&(case("x", good) + &other), &[]);
    assert_eq!(code, 0, "{output}");
    let (code, output, _) = play(&other, &[]);
    assert!(code == 1 && output.contains("dns: partner.example, in no case of the file"), "{output}");
    let (code, output, _) = play(&(case("x", good) + &other), &["--filter", "Y"]);
    assert!(code == 0 && output.starts_with("1 passed"), "{output}");
}

#[test]
fn a_case_brings_files_and_large_messages() {
    let keys = "from = '<>'\ndns = []\nset = { batv = { mode = 'enforce', domains = ['example.com'], keys = ['/nowhere'] } }\n";
    let missing = "expect = { findings = 'batv.missing' }";
    let brought = case("x", &format!("{keys}files = {{ '/nowhere' = 'mailward.toml' }}\n{missing}"));
    let (code, output, errors) = play(&brought, &[]);
    assert_eq!(code, 0, "{output}{errors}");
    let (code, output, _) = play(&case("x", &format!("{keys}{missing}")), &[]);
    assert!(code == 1 && output.contains("/nowhere"), "{output}");

    let large = "set = { policy = [{ name = 'large', when = { size_over = '20 KiB' }, then = 'hold' }] }\n";
    let (held, through) = ("expect = { verdict = 'hold' }", "expect = { verdict = 'deliver' }");
    let sizes = case("x", &format!("{large}size = '21 KiB'\n{held}")) + &case("y", &format!("{large}{through}"));
    let (code, output, errors) = play(&sizes, &[]);
    assert_eq!(code, 0, "{output}{errors}");
}

#[test]
fn playing_ends_with_the_first_failure_where_that_is_enough() {
    let failing: String = (0..40).map(|n| case(&format!("x{n}"), "expect = { verdict = 'defer' }")).collect();
    let (code, output, _) = play(&failing, &[]);
    assert!(code == 1 && output.contains("0 passed, 40 failed"), "{output}");
    let (code, output, _) = play(&failing, &["--fail-fast"]);
    assert!(code == 1 && output.contains("FAIL") && !output.contains("40 failed"), "{output}");
}

/// A faulty case, and what is said about it.
const FAULTS: [(&str, &str); 26] = [
    ("nme = 'x'", "9:1: unknown key \"nme\"; did you mean \"name\"?"),
    ("expect = { verdikt = 'tag' }", "9:12: unknown key \"verdikt\"; did you mean \"verdict\"?"),
    (
        "expect = { verdict = 'tagg' }",
        "9:22: verdict is \"tagg\", must be one of deliver, tag, redirect, hold, quarantine, discard, reject, defer; did you mean \"tag\"?",
    ),
    ("expect = { stage = 'data' }", "9:20: stage is \"data\", must be one of connect, helo, mail, rcpt, message"),
    ("expect = { recipients = { 'b@x.test' = 'spam' } }", "expect.recipients.\"b@x.test\" is \"spam\", must be one of"),
    ("expect = { findings = 'sfp.fail' }", "9:23: findings: \"sfp.fail\" names no known family of findings"),
    ("expect = { points = 'many' }", "9:21: case.expect.points is \"many\", must be a table"),
    ("expect = { points = {} }", "9:21: points is a number, or { at_least = 5, below = 15 }"),
    ("expect = { headers = { X = 1 } }", "9:28: headers.X must be a text, or false"),
    ("to = []", "8:1: to is an empty list"),
    ("expect = { contains = '' }", "9:23: contains: an empty text is in every message"),
    ("expect = 'tag'", "9:10: case.expect is \"tag\", must be a table"),
    ("time = 'noon'", "9:8: time must be like 2026-01-05T12:00:00Z, or Unix seconds"),
    ("client = 'mx.example'", "9:10: client is \"mx.example\", must be an address of the client"),
    ("to = 'a b@@c'", "9:6: to: "),
    ("from = 'a b@@c'", "9:8: from: "),
    (
        "message = 'mesage.eml'",
        "9:11: cannot read ./mesage.eml: No such file or directory (os error 2); did you mean \"message.eml\"?",
    ),
    ("dns = ['x.test AAA 1']", "9:8: dns: line 1: \"AAA\" is not one of"),
    ("directory = { 'bob' = [] }", "9:15: directory: \"bob\": address is malformed"),
    (
        "directory = { 'b@x.test' = 'gone' }",
        "directory: \"b@x.test\" must be a list of groups, \"timeout\" or \"unavailable\"",
    ),
    ("clamd = 'virus'", "9:9: clamd must be \"clean\", \"timeout\", \"unavailable\" or { found = \"signature\" }"),
    ("findings = { 'spam.x' = 'a' }", "9:25: findings.spam.x must be points"),
    ("files = { '/etc/key' = 'nothing' }", "9:24: files: cannot read nothing: No such file or directory"),
    ("size = '1 GiB'", "9:8: size is more than 256 MiB, must be a size that a message may have"),
    ("config = 'other.toml'", "9:10: there is no file ./other.toml"),
    ("refuse_at = 'data'", "9:13: case.refuse_at is \"data\", must be"),
];

#[test]
fn a_faulty_file_of_cases_is_told_by_place_and_cure() {
    for (keys, told) in FAULTS {
        let scratch = folder(&format!("\n[[case]] # name = 'x'\n{keys}\n"));
        scratch.file("message.eml", "Subject: x\n\nx\n");
        let (code, output, errors) = mailward(scratch.path(), &["test", "a.cases.toml"]);
        assert_eq!((code, output.as_str()), (2, ""), "{keys}\n{errors}");
        assert!(errors.contains(told), "{keys}\nexpected {told}\n{errors}");
        assert!(errors.lines().all(|line| line.starts_with("a.cases.toml:")), "{errors}");
    }
    let nameless = play("\n[[case]]\nto = 'bob@example.com'\n", &[]);
    assert!(nameless.0 == 2 && nameless.2.contains("this case has no name"), "{}", nameless.2);
    let twice = play(&case("x", "").repeat(2), &[]);
    assert!(twice.0 == 2 && twice.2.contains("the name \"x\" is taken"), "{}", twice.2);
    let (code, _, errors) = play("\n[[case]\n", &[]);
    assert!(code == 2 && errors.starts_with("a.cases.toml:8:"), "{errors}");
    let empty = Scratch::new();
    let (code, _, errors) = mailward(empty.path(), &["test", "."]);
    assert!(code == 2 && errors.contains("no case fits"), "{errors}");
    let (code, _, errors) = mailward(empty.path(), &["test", "nowhere"]);
    assert!(code == 2 && errors.contains("nowhere: there is no such file"), "{errors}");
}

#[test]
fn a_policy_that_is_faulty_fails_its_cases_with_its_place() {
    let broken = case("x", "set = { policy = [{ name = 'p', then = 'rejekt' }] }\nexpect = { verdict = 'tag' }");
    let (code, output, _) = play(&broken, &[]);
    assert!(code == 1 && output.contains("did you mean \"reject\"?"), "{output}");
    assert!(output.contains("mailward.toml as changed by set:"), "{output}");
}

#[test]
fn blessing_writes_what_came_out_and_leaves_the_rest() {
    let wrong: String = EXPECTATIONS
        .iter()
        .filter(|(_, bad, _)| !bad.starts_with("replies") && !bad.contains("eve@") && !bad.starts_with("because = {"))
        .enumerate()
        .map(|(number, (_, bad, _))| case(&format!("case {number}"), &format!("[case.expect] # kept\n{bad}")))
        .collect();
    let scratch =
        folder(&(wrong + &case("nothing is expected", "") + &case("inline", "expect = { verdict = 'hold' }")));
    let (code, _, errors) = mailward(scratch.path(), &["test", ".", "--bless"]);
    assert_eq!(code, 0, "{errors}");
    assert!(errors.contains("16 cases expect now what came out"), "{errors}");
    let text = fs::read_to_string(scratch.path().join("a.cases.toml")).expect("the file");
    assert!(text.starts_with("# What partners get.") && text.contains("# kept"), "{text}");
    assert!(!text.contains("verdict = 'hold'") && text.contains("expect = { verdict = \"tag\" }"), "{text}");
    assert!(
        text.contains("recipients = { \"bob@example.com\" = \"tag\" }"),
        "a case without expectations gets all: {text}"
    );
    let (code, output, _) = mailward(scratch.path(), &["test", "."]);
    assert_eq!(code, 0, "{output}");
}

#[test]
fn what_cannot_be_expected_is_not_blessed() {
    for (keys, told) in [
        ("expect = { recipients = { 'nobody@example.com' = 'deliver' } }", "recipients \"nobody@example.com\""),
        ("expect = { replies = { 'nobody@example.com' = '550*' } }", "replies \"nobody@example.com\""),
        (
            "set = { reputation = { deny = ['192.0.2.0/24'] } }\ndns = []\nexpect = { headers = { Subject = 'x' } }",
            "headers \"Subject\"",
        ),
    ] {
        let scratch = folder(&case("x", keys));
        let before = fs::read_to_string(scratch.path().join("a.cases.toml")).expect("the file");
        let (code, _, errors) = mailward(scratch.path(), &["test", ".", "--bless"]);
        assert!(code == 1 && errors.contains(&format!("{told} cannot be expected as it came out")), "{errors}");
        assert_eq!(fs::read_to_string(scratch.path().join("a.cases.toml")).expect("the file"), before);
    }
    let each = case("x", "[case.expect.because]\n'bob@example.com' = 'wrong'");
    let scratch = folder(&each);
    assert_eq!(mailward(scratch.path(), &["test", ".", "--bless"]).0, 0);
    let (code, output, _) = mailward(scratch.path(), &["test", "."]);
    assert_eq!(code, 0, "{output}");
}

#[test]
fn changed_keys_are_merged_into_a_table_however_it_is_written() {
    let scratch = Scratch::new();
    scratch.file("inline.toml", "score = { tag = 3, reject = 30 }\n");
    let keys = "findings = { \"spam.classifier\" = 1.5 }\nset = { score = { reject = 40 } }\nexpect = { because = 'threshold tag' }";
    scratch.file("a.cases.toml", format!("config = \"inline.toml\"\n{}", case("x", keys)));
    let (code, output, errors) = mailward(scratch.path(), &["test", "."]);
    assert_eq!(code, 0, "{output}{errors}");
}

#[test]
fn a_folder_is_one_case_and_a_recording_can_be_one() {
    let scratch = folder("");
    fs::remove_file(scratch.path().join("a.cases.toml")).expect("removed");
    scratch.dir("a-partner-writes");
    scratch.file("a-partner-writes/message.eml", "From: anna@partner.example\nSubject: hello\n\nHello Bob\n");
    let keys = FILE.replace("\"mailward.toml\"", "\"../mailward.toml\"");
    scratch.file("a-partner-writes/case.toml", format!("{keys}\n[expect]\nheaders = {{ Subject = \"[P] hello\" }}\n"));
    let lines = [
        r#"{"mailward-session":{"version":1}}"#,
        r#"{"event":{"connect":{"time":1767614400,"client_ip":"192.0.2.7","client_name":null,"mta_name":null,"local_submission":false,"refuse_at":"rcpt"}}}"#,
        r#"{"event":{"mail":{"time":1767614400,"sender":"<anna@other.example>","parameters":[],"login":null,"tls":null}}}"#,
        r#"{"event":{"rcpt":{"time":1767614400,"recipient":"<bob@example.com>","refused_by_mta":null}}}"#,
        r#"{"event":{"whole":"From: anna@other.example\r\nSubject: x\r\n\r\nx\r\n"}}"#,
        r#"{"event":{"end-of-message":{"time":1767614400,"queue_id":"A1"}}}"#,
    ];
    scratch.file("seen.session", lines.join("\n") + "\n");
    let seen = "config = \"mailward.toml\"\nrecording = \"seen.session\"\n[expect]\nverdict = \"deliver\"\n";
    scratch.file("seen.cases.toml", seen);
    let (code, output, errors) = mailward(scratch.path(), &["test", ".", "--json"]);
    assert_eq!((code, errors.as_str()), (0, ""), "{output}");
    let objects: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(objects.iter().map(|o| o["case"].as_str().unwrap()).collect::<Vec<_>>(), ["a partner writes", "seen"]);
    assert!(objects.iter().all(|o| o["schema"] == 1 && o["passed"] == true && o["explanation"]["schema"] == 1));
}

#[test]
fn ci_reads_the_results_as_junit() {
    let cases =
        case("good & well", "expect = { verdict = 'tag' }") + &case("bad <one>", "expect = { verdict = 'hold' }");
    let scratch = folder(&cases);
    let (code, _, _) = mailward(scratch.path(), &["test", ".", "--junit", "results.xml"]);
    assert_eq!(code, 1);
    let xml = fs::read_to_string(scratch.path().join("results.xml")).expect("written");
    assert!(xml.contains("tests=\"2\" failures=\"1\"") && xml.contains("name=\"good &amp; well\""), "{xml}");
    assert!(
        xml.contains("bad &lt;one&gt;") && xml.contains("<failure message=\"verdict: expected hold, got tag\">"),
        "{xml}"
    );
    let python = "import sys, xml.dom.minidom as m; print(len(m.parse(sys.argv[1]).getElementsByTagName('testcase')))";
    let parsed = Command::new("python3")
        .args(["-c", python])
        .arg(scratch.path().join("results.xml"))
        .output()
        .expect("python3 is one of the packages for tests");
    assert_eq!(String::from_utf8_lossy(&parsed.stdout).trim(), "2", "{}", String::from_utf8_lossy(&parsed.stderr));
}

#[test]
fn watching_plays_again_when_a_file_changes() {
    let scratch = folder(&case("x", "expect = { verdict = 'hold' }"));
    let mut child = Command::new(binary())
        .args(["test", ".", "--watch"])
        .current_dir(scratch.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut until = |text: &str| lines.any(|line| line.contains(text));
    assert!(until("0 passed, 1 failed"));
    write_later(&scratch.path().join("a.cases.toml"), &format!("{FILE}{}", case("x", "expect = { verdict = 'tag' }")));
    assert!(until("1 passed, 0 failed"));
    child.kill().expect("it runs until then");
    child.wait().expect("it has ended");
}

/// Writes a file with another time of change than it had.
fn write_later(path: &Path, text: &str) {
    fs::write(path, text).expect("the scratch folder can be written");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(2);
    fs::File::open(path).and_then(|file| file.set_modified(later)).expect("its time can be set");
}
