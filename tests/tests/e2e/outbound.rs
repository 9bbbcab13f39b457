//! What leaves the site: signatures that others verify, and users held to their names and rates.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mailward_tests::dkim::Signer;
use mailward_tests::dns::Dns;
use mailward_tests::mailward;
use mailward_tests::postfix::{HOST, PASSWORD, USER};
use mailward_tests::process::Signal;
use mailward_tests::scratch::Scratch;
use mailward_tests::slapd::{Person, Slapd};
use mailward_tests::smtp::{Client, Delivery, Reply, Xclient};
use mailward_tests::tls::Authority;
use serde_json::Value;

use crate::site::{ALICE, BOB, STRANGER, Site, directory, message};

/// Where the user's laptop is.
pub(crate) const LAPTOP: &str = "203.0.113.20";
pub(crate) const OUTSIDE: &str = "friend@outside.example";

/// A key as `mailward dkim generate` makes it.
pub(crate) struct Key {
    file: PathBuf,
    /// Its `[[outbound.dkim]]`.
    pub(crate) entry: String,
}

pub(crate) fn key(scratch: &Scratch, selector: &str, more: &[&str]) -> Key {
    let file = scratch.path().join(format!("{selector}.pem"));
    let path = file.to_str().expect("scratch paths are UTF-8");
    let arguments = [&["dkim", "generate", "rig.test", "--selector", selector, "--file", path], more].concat();
    let output = mailward::command(scratch.path(), &arguments);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let entry = text.split_once("[[outbound.dkim]]").expect("lines for the configuration").1;
    Key { entry: format!("[[outbound.dkim]]{entry}"), file }
}

/// Names and values of the records that publish the keys of a configuration.
pub(crate) fn records(scratch: &Scratch, config: &str) -> Vec<(String, String)> {
    let file = scratch.file("keys.toml", config);
    let file = file.to_str().expect("scratch paths are UTF-8");
    let output = mailward::command(scratch.path(), &["dkim", "record", "--json", "--config", file]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let field = |line: &Value, name: &str| line[name].as_str().expect("a text").to_owned();
    lines.map(|line| (field(&line, "name"), field(&line, "value"))).collect()
}

/// What dkimpy, which knows nothing of us, says of each signature from the top.
pub(crate) fn dkimpy(raw: &[u8], records: &[(String, String)]) -> String {
    const SCRIPT: &str = "message = dkim.DKIM(sys.stdin.buffer.read())\n\
        count = sum(1 for name, _ in message.headers if name.lower() == b'dkim-signature')\n\
        def verdict(number):\n\
        \x20   try:\n\
        \x20       return 'pass' if message.verify(idx=number, dnsfunc=txt) else 'fail'\n\
        \x20   except Exception as error:\n\
        \x20       return type(error).__name__\n\
        print(' '.join(verdict(number) for number in range(count)))\n";
    python(SCRIPT, raw, records)
}

/// What dkimpy says of the chain of seals.
fn dkimpy_chain(raw: &[u8], records: &[(String, String)]) -> String {
    python(
        "message = sys.stdin.buffer.read()\nprint(dkim.arc_verify(message, dnsfunc=txt)[0].decode())\n",
        raw,
        records,
    )
}

/// Runs a script of Debian's Python, which has dkimpy, with a lookup `txt` in these records and a message as input.
fn python(script: &str, raw: &[u8], records: &[(String, String)]) -> String {
    const BEGIN: &str = "import sys, json, dkim\nrecords = json.loads(sys.argv[1])\n\
        txt = lambda name, timeout=5: records.get(name.decode().rstrip('.').lower(), '').encode()\n";
    let records: serde_json::Map<String, Value> =
        records.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    assert!(Path::new("/usr/lib/python3/dist-packages/dkim").exists(), "dkimpy: apt-get install python3-dkim");
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", &format!("{BEGIN}{script}"), &Value::Object(records).to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    child.stdin.take().expect("a pipe").write_all(raw).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A site whose user may log in.
fn start(scratch: &Scratch, config: &str, dns: mailward_tests::dns::Builder) -> (Site, Authority) {
    let authority = Authority::new(scratch);
    let identity = authority.identity(HOST);
    let site = Site::builder(scratch, config).dns(dns).postfix(|postfix| postfix.certificate(&identity)).start();
    (site, authority)
}

/// The user, logged in.
pub(crate) fn user(site: &Site, authority: &Authority, address: &str) -> Client {
    let mut user = Client::connect_as(site.postfix.submission(), &Xclient::address(address), "laptop");
    assert_eq!(user.start_tls(authority, HOST).code, 220);
    user.ehlo("laptop");
    assert_eq!(user.auth_plain(USER, PASSWORD).code, 235);
    user
}

fn code(reply: &Reply) -> String {
    format!("{} {}", reply.code, reply.enhanced().unwrap_or_default())
}

fn end(delivery: &Delivery) -> String {
    code(delivery.end.as_ref().unwrap_or_else(|| panic!("{delivery:?}")))
}

#[test]
fn signatures_verify_at_dkimpy_and_here_with_all_that_was_changed_on_the_way() {
    let scratch = Scratch::new();
    let (rsa, ed) = (key(&scratch, "r1", &[]), key(&scratch, "e1", &["--ed25519"]));
    let simple = key(&scratch, "s1", &["--ed25519"]);
    let keys = format!("{}{}{}canonicalization = \"simple/simple\"\n", rsa.entry, ed.entry, simple.entry);
    let published = records(&scratch, &keys);
    let dns = published.iter().fold(Dns::builder(), |dns, (name, value)| dns.txt(name, value));
    let marks = "[[policy]]\nname = \"marked\"\ndirection = \"outbound\"\nfrom = \"bob@rig.test\"\nthen = { tag = { \
                 subject = \"[OUT]\", header = { X-Out = \"yes\" }, banner = \"From our house.\" } }\n";
    let (site, authority) = start(&scratch, &format!("{keys}{marks}"), dns);
    let mut user = user(&site, &authority, LAPTOP);
    let folded = "Subject: folded and\n  long  \nX-Odd:no blank\nTo: x@y.test,\n\tz@y.test";
    let bodies = ["Hello,\n\n.a dot  \n\n\n\n", "caf\u{e9} \t in UTF-8\n \n", ""];
    for (from, subject) in [(ALICE, "folded-a"), (BOB, "folded-b")] {
        for (number, body) in bodies.iter().enumerate() {
            let subject = format!("{subject}{number}");
            let content = message(from, "placeholder", body)
                .replace(&format!("To: {ALICE}\nSubject: placeholder"), &folded.replace("folded and", &subject));
            let sent = user.send(from, &[OUTSIDE], content);
            assert!(sent.is_accepted(), "{sent:?}");
            let arrived = site.sink.wait_for_subject(&subject);
            assert_eq!(arrived.all_headers("DKIM-Signature").len(), 3, "{:?}", arrived.headers());
            assert_eq!(arrived.header("X-Out").is_some(), from == BOB);
            assert!(arrived.header("Subject").is_some_and(|s| s.starts_with("[OUT]") == (from == BOB)));
            let first = arrived.headers().first().map(|(name, _)| name.clone());
            let raw = &arrived.raw;
            assert_eq!(dkimpy(raw, &published), "pass pass pass", "{first:?}: {}", String::from_utf8_lossy(raw));
            let forged = String::from_utf8_lossy(raw).replace(from, "eve@rig.test");
            assert_eq!(dkimpy(forged.as_bytes(), &published), "fail fail fail");

            let again = site.send(STRANGER, from, &[ALICE], raw);
            assert!(again.is_accepted(), "{again:?}");
        }
    }
    let line = site.lines_about(ALICE, 6).remove(0);
    assert!(site.explain(&line.text("reference")).contains("d=rig.test s=r1 a=rsa-sha256"));
    let arrived = site.sink.wait_for(12);
    let results: Vec<_> =
        arrived.iter().flat_map(|m| m.all_headers("Authentication-Results")).filter(|f| f.contains("dkim=")).collect();
    assert_eq!(results.len(), 6, "each message came back once: {results:?}");
    for found in results {
        assert_eq!(found.matches("dkim=pass").count(), 3, "{found}");
    }
}

#[test]
fn only_our_authors_are_signed_and_only_mail_that_leaves() {
    let scratch = Scratch::new();
    let key = key(&scratch, "e1", &["--ed25519"]);
    let (site, _authority) = start(&scratch, &format!("{}domains = [\"brand.test\"]\n", key.entry), Dns::builder());
    let mut inside = site.postfix.client();
    for (author, signed) in
        [("a@sub.rig.test", true), ("a@brand.test", true), ("a@elsewhere.test", false), ("a@notrig.test", false)]
    {
        let subject = author.replace(['@', '.'], "-");
        assert!(inside.send(ALICE, &[OUTSIDE], message(author, &subject, "Hello")).is_accepted());
        let arrived = site.sink.wait_for_subject(&subject);
        assert_eq!(arrived.header("DKIM-Signature").is_some(), signed, "{author}: {:?}", arrived.headers());
    }
    let two = message(ALICE, "two-authors", "Hello").replace("To:", "From: boss@rig.test\nTo:");
    assert!(inside.send(ALICE, &[OUTSIDE], two).is_accepted());
    assert_eq!(site.sink.wait_for_subject("two-authors").header("DKIM-Signature"), None);
    assert!(site.send(STRANGER, "x@example.net", &[ALICE], message(ALICE, "inbound", "Hello")).is_accepted());
    assert_eq!(site.sink.wait_for_subject("inbound").header("DKIM-Signature"), None);
}

#[test]
fn mail_of_others_is_sealed_where_it_leaves_and_where_it_comes_in() {
    let scratch = Scratch::new();
    let author = Signer::new(&scratch, "outside.example", "s1");
    let key = key(&scratch, "arc", &[]);
    let config = key.entry.replace("[[outbound.dkim]]", "[outbound.arc]") + "inbound = true\n";
    let published = records(&scratch, &config);
    let dns = Dns::builder().txt(&author.record_name(), &author.record_value()).txt(&published[0].0, &published[0].1);
    let (site, _authority) = start(&scratch, &config, dns);
    let letter = |subject: &str| author.sign(&message("a@outside.example", subject, "Hello"));
    assert!(site.send(STRANGER, "a@outside.example", &[ALICE], letter("came-in")).is_accepted());
    let came = site.sink.wait_for_subject("came-in");
    assert_eq!(dkimpy_chain(&came.raw, &published), "pass", "{}", String::from_utf8_lossy(&came.raw));
    let results = came.header("ARC-Authentication-Results").expect("results");
    assert!(
        results.starts_with("i=1; mx.rig.test") && results.contains("dkim=pass header.d=outside.example"),
        "{results}"
    );
    assert!(results.contains("dmarc=none") && results.contains("spf=none"), "{results}");

    let list = String::from_utf8_lossy(&came.raw).replace("Subject: came-in", "Subject: went-on");
    let mut inside = site.postfix.client();
    assert!(inside.send("list@rig.test", &[OUTSIDE], list).is_accepted());
    let went = site.sink.wait_for_subject("went-on");
    assert_eq!(went.all_headers("ARC-Seal").len(), 1, "a chain that fails is not gone on with: {:?}", went.headers());
    assert!(site.explain(&site.line_about("list@rig.test").text("reference")).contains("the chain of seals is broken"));
    let same = String::from_utf8_lossy(&came.raw).replace("Received: ", "X-Trace: same\r\nReceived: ");
    assert!(inside.send("list@rig.test", &["same@outside.example"], same).is_accepted());
    let same = site.sink.wait_for(3).pop().expect("the third");
    assert_eq!(dkimpy_chain(&same.raw, &published), "pass");
    assert!(same.header("ARC-Seal").is_some_and(|seal| seal.contains("i=2") && seal.contains("cv=pass")));
    let results = same.header("ARC-Authentication-Results").expect("results");
    assert!(results.contains("arc=pass") && !results.contains("spf="), "{results}");
    let plain = message("a@outside.example", "plain", "Hello");
    assert!(site.send(STRANGER, "a@outside.example", &[ALICE], plain).is_accepted());
    assert_eq!(site.sink.wait_for_subject("plain").header("ARC-Seal"), None, "nobody signed it");
}

#[test]
fn a_reload_brings_the_next_key_and_an_open_one_changes_nothing() {
    let scratch = Scratch::new();
    let (old, new) = (key(&scratch, "old", &["--ed25519"]), key(&scratch, "new", &["--ed25519"]));
    let (mut site, _authority) = start(&scratch, &old.entry, Dns::builder());
    let selector = |site: &Site, subject: &str| {
        let sent = site.postfix.client().send(ALICE, &[OUTSIDE], message(ALICE, subject, "Hello"));
        assert!(sent.is_accepted(), "{sent:?}");
        let field = site.sink.wait_for_subject(subject).header("DKIM-Signature").expect("a signature");
        field.split("; s=").nth(1).and_then(|rest| rest.split(';').next()).expect("s=").to_owned()
    };
    assert_eq!(selector(&site, "first"), "old");
    let own = format!(
        "[dns]\nservers = [\"{}\"]\n[state]\ndir = \"{}\"\n[log]\nformat = \"json\"\n",
        site.dns.address(),
        scratch.path().join("state").display()
    );
    let (until, from) = ("until = \"2020-01-01\"\n", "from = \"2020-01-01\"\n");
    let turned = format!("{}\n{until}{}\n{from}{own}", old.entry.trim_end(), new.entry.trim_end());
    site.mailward.reload(turned);
    site.mailward.wait_for_text("reloaded");
    assert_eq!(selector(&site, "second"), "new");

    mailward_tests::scratch::set_mode(&new.file, 0o644);
    let check = site.mailward.command(&["config", "check"]);
    let fault = String::from_utf8_lossy(&check.stderr).into_owned();
    assert_eq!(check.status.code(), Some(2), "{fault}");
    assert!(fault.contains("mailward.toml:9:7: outbound.dkim.key: ") && fault.contains("chmod o="), "{fault}");
    site.mailward.signal(Signal::Hangup);
    site.mailward.wait_for_text("chmod o=");
    assert_eq!(selector(&site, "third"), "new", "the configuration in force stays");
}

#[test]
fn users_send_as_themselves_and_as_the_map_says() {
    let scratch = Scratch::new();
    let map = scratch.file("senders", "alice sales@rig.test\nalice *.brand.test\n");
    let config =
        format!("[outbound.rights]\nmode = \"enforce\"\nlogin_domain = \"rig.test\"\nmap = \"{}\"\n", map.display());
    let (site, authority) = start(&scratch, &config, Dns::builder());
    let mut user = user(&site, &authority, LAPTOP);
    for (from, author) in [(ALICE, ALICE), ("sales@rig.test", "Sales <sales@rig.test>"), ("a@x.brand.test", ALICE)] {
        let sent = user.send(from, &[OUTSIDE], message(author, "allowed", "Hello"));
        assert!(sent.is_accepted(), "{sent:?}");
    }
    let envelope = user.mail(BOB);
    assert_eq!(code(&envelope), "550 5.7.1", "{envelope}");
    user.rset();
    assert!(site.line_about(BOB).found("outbound.sender-not-allowed"));
    let author = user.send(ALICE, &[OUTSIDE], message(BOB, "forged", "Hello"));
    assert_eq!(end(&author), "550 5.7.1", "{author:?}");
    assert!(site.lines_about(ALICE, 2)[1].found("outbound.author-not-allowed"));
    assert!(site.postfix.client().send(BOB, &[OUTSIDE], message(BOB, "a server", "Hello")).is_accepted(), "no login");

    let observing = config.replace("enforce", "observe");
    let scratch = Scratch::new();
    let (site, authority) = start(&scratch, &observing, Dns::builder());
    let mut user = self::user(&site, &authority, LAPTOP);
    assert!(user.send(BOB, &[OUTSIDE], message(BOB, "observed", "Hello")).is_accepted());
    let line = site.line_about(BOB);
    assert!(line.found("outbound.sender-not-allowed") && line.found("outbound.author-not-allowed"), "{line:?}");
}

#[test]
fn the_directory_tells_what_users_may_send_as_and_its_silence_defers() {
    let scratch = Scratch::new();
    let people = Person::new("alice", "rig.test").alias("sales@rig.test");
    let mut slapd = Slapd::builder()
        .person(people)
        .person(Person::new("bob", "rig.test"))
        .start(&scratch, &Authority::new(&scratch));
    let rights = "[outbound.rights]\nmode = \"enforce\"\nldap_filter = \"(&(uid={login})(|(mail={address})\
                  (mailLocalAddress={address})))\"\n";
    let (site, authority) =
        start(&scratch, &format!("{}{rights}", directory(&scratch, &slapd, "timeout = \"1s\"")), Dns::builder());
    let mut user = user(&site, &authority, LAPTOP);
    for (from, allowed) in [
        (ALICE, true),
        ("sales+q3@rig.test", true),
        ("Sales@rig.test", true),
        (BOB, false),
        ("bob+alice@rig.test", false),
    ] {
        let reply = user.mail(from);
        assert_eq!(reply.code, if allowed { 250 } else { 550 }, "{from}: {reply}");
        user.rset();
    }
    slapd.kill();
    assert_eq!(code(&user.mail("sales@rig.test")), "451 4.3.0");
    user.rset();
    site.mailward.wait_for_text("outbound.rights-trouble");
}

#[test]
fn rates_of_a_user_hold_over_connections_and_networks() {
    let scratch = Scratch::new();
    let config = "[outbound.rates]\nmode = \"enforce\"\nmessages_per_hour = 3\nrecipients_per_day = 4\n";
    let (site, authority) = start(&scratch, config, Dns::builder());
    let send = |from: &str, to: &[&str]| user(&site, &authority, from).send(ALICE, to, message(ALICE, "m", "Hello"));
    assert!(send(LAPTOP, &[OUTSIDE]).is_accepted());
    assert!(send("198.51.100.30", &[OUTSIDE, "b@outside.example"]).is_accepted());
    let third = send(LAPTOP, &[OUTSIDE, "b@outside.example"]);
    assert!(third.is_accepted());
    assert_eq!(code(&third.rcpt[1]), "450 4.7.1", "the fifth recipient of the day: {third:?}");
    let mut fourth = user(&site, &authority, LAPTOP);
    assert_eq!(code(&fourth.mail(ALICE)), "450 4.7.1");
    assert!(site.postfix.client().send(ALICE, &[OUTSIDE], message(ALICE, "server", "Hello")).is_accepted());
    site.mailward.wait_for_text("outbound.rate-messages");
}

#[test]
fn an_account_that_harvests_is_stopped_until_it_is_released() {
    let scratch = Scratch::new();
    let people = scratch.file("people.csv", format!("{ALICE}\n"));
    let config = format!(
        "[outbound.alarm]\nmode = \"defer\"\nrefused = 3\n[directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n",
        people.display()
    );
    let (site, authority) = start(&scratch, &config, Dns::builder());
    let mut thief = user(&site, &authority, LAPTOP);
    let unknown = ["a@rig.test", "b@rig.test", "c@rig.test", ALICE];
    let sent = thief.send(ALICE, &unknown, message(ALICE, "harvest", "Hello"));
    assert_eq!(sent.rcpt.iter().map(code).collect::<Vec<_>>(), ["550 5.1.1", "550 5.1.1", "550 5.1.1", "450 4.7.1"]);
    let mut owner = user(&site, &authority, "198.51.100.30");
    assert_eq!(code(&owner.mail(ALICE)), "450 4.7.1", "the account is stopped wherever it comes from");
    let warning = site.mailward.wait_for_log("an alarm", |line| line["user"] == USER);
    assert_eq!(warning["level"], "WARN", "{warning}");
    assert!(warning.to_string().contains("3 refused recipients"), "{warning}");
    let listed = String::from_utf8_lossy(&site.mailward.command(&["accounts", "list"]).stdout).into_owned();
    assert!(listed.starts_with("alice ") && listed.contains(" stopped for "), "{listed}");

    assert!(site.mailward.command(&["accounts", "release", USER]).status.success());
    assert_eq!(site.mailward.command(&["accounts", "release", USER]).status.code(), Some(1));
    mailward_tests::clock::wait_until(mailward_tests::clock::PATIENCE, "the account is free", || {
        user(&site, &authority, LAPTOP).send(ALICE, &[OUTSIDE], message(ALICE, "free", "Hello")).is_accepted()
    });
}

#[test]
fn doctor_tells_whether_dns_publishes_the_keys() {
    let scratch = Scratch::new();
    let (good, bad, none) = (
        key(&scratch, "good", &["--ed25519"]),
        key(&scratch, "bad", &["--ed25519"]),
        key(&scratch, "none", &["--ed25519"]),
    );
    let config = format!("{}{}{}", good.entry, bad.entry, none.entry);
    let published = records(&scratch, &config);
    let dns = Dns::builder().txt(&published[0].0, &published[0].1).txt(&published[1].0, &published[0].1);
    let (site, _authority) = start(&scratch, &config, dns);
    let output = site.mailward.command(&["doctor", "--json"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let checks = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let found: Vec<(String, String)> = checks
        .filter(|check| check["check"] == "dkim")
        .map(|check| {
            (check["state"].as_str().unwrap_or_default().into(), check["says"].as_str().unwrap_or_default().into())
        })
        .collect();
    let expected = [("ok", "publishes the key"), ("problem", "another key"), ("problem", "no TXT record")];
    assert_eq!(found.len(), 3, "{text}");
    for ((state, says), (expected, part)) in found.iter().zip(expected) {
        assert!(state == expected && says.contains(part), "{found:?}");
    }
}
