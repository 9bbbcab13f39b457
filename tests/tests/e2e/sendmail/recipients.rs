//! Who exists: Mailward's directory, and what Sendmail's own maps let Mailward see.

use mailward_tests::scratch::Scratch;
use mailward_tests::slapd::{Person, Slapd};
use mailward_tests::tls::Authority;

use super::{STRANGER, Site, code};
use crate::site::{ALICE, directory, message};

#[test]
fn recipient_unknown_to_ldap_is_refused_and_known_ones_get_the_mail() {
    let scratch = Scratch::for_sendmail();
    let alice = Person::new("alice", "rig.test").alias("a.liddell@rig.test");
    let slapd = Slapd::builder().person(alice).start(&scratch, &Authority::new(&scratch));
    let site = Site::builder(&scratch, &directory(&scratch, &slapd, "")).start();
    let to = ["nobody@rig.test", "A.Liddell+news@RIG.test", "\"alice\"@rig.test"];
    let delivery = site.send(STRANGER, "a@example.net", &to, message("a@example.net", "known", "Hello"));
    assert_eq!(delivery.rcpt.iter().map(code).collect::<Vec<_>>(), ["550 5.1.1", "250 2.1.5", "250 2.1.5"]);
    assert!(delivery.rcpt[0].contains("[ref "), "Mailward has said so: {}", delivery.rcpt[0]);
    assert!(delivery.is_accepted());
    assert_eq!(site.sink.wait_for(1)[0].to.len(), 2);

    let refused = site.send(STRANGER, "b@example.net", &["nobody@rig.test"], "Subject: x\n\nx\n");
    assert!(refused.data.is_none(), "{refused:?}");
    let line = site.line_about("b@example.net");
    let fields = ["stage", "verdict", "because", "to"].map(|field| line.text(field));
    assert_eq!(fields, ["rcpt", "reject", "unknown recipient", "<nobody@rig.test>=reject"]);
}

#[test]
fn bounce_to_two_recipients_is_refused_at_the_second() {
    let scratch = Scratch::for_sendmail();
    let site = Site::builder(&scratch, "").start();
    let to = [ALICE, "bob@rig.test"];
    let sent = message("MAILER-DAEMON@example.net", "returned", "Hello");
    let delivery = site.send(STRANGER, "", &to, sent);
    assert_eq!(delivery.rcpt.iter().map(code).collect::<Vec<_>>(), ["250 2.1.5", "550 5.7.1"]);
    assert_eq!(site.sink.wait_for(1)[0].to, [ALICE]);
}

/// Pins what docs/milter.md and postfix-conf/sendmail.mc say, as seen with Sendmail 8.17.1.9.
#[test]
fn of_recipients_that_sendmail_itself_refuses_only_unknown_local_users_are_reported() {
    let scratch = Scratch::for_sendmail();
    let records = scratch.dir("records");
    let site = Site::builder(&scratch, "")
        .mailward(|mailward| mailward.argument("--record").argument(records.display().to_string()))
        .sendmail(|sendmail| {
            sendmail
                .access("To:blocked@rig.test", "ERROR:5.1.1:550 User unknown")
                .access("To:deferred@rig.test", "ERROR:4.2.1:450 Not now")
                .virtual_user("alice@virtual.test", ALICE)
                .virtual_user("@virtual.test", "error:5.1.1:550 User unknown")
        })
        .start();
    let mut client = site.sendmail.client_from(STRANGER);
    assert!(client.mail("a@example.net").is_positive());
    let asked = [
        ("alice@rig.test", "250 2.1.5"),
        ("blocked@rig.test", "550 5.1.1"),          // access map, by check_rcpt
        ("deferred@rig.test", "450 4.2.1"),         // access map, by check_rcpt
        ("someone@elsewhere.example", "550 5.7.1"), // no relay, by check_rcpt
        ("nobody@virtual.test", "550 5.1.1"),       // virtusertable
        ("bad@@rig.test", "553 5.1.3"),             // syntax
        ("stranger@mx.rig.test", "550 5.1.1"),      // no such local user
        ("alice@virtual.test", "250 2.1.5"),        // virtusertable, told to the milter as it was written
    ];
    for (address, expected) in asked {
        let reply = client.rcpt(address);
        assert_eq!(code(&reply), expected, "{address}: {reply}");
    }
    client.quit();

    let recorded = mailward_tests::clock::wait_for(mailward_tests::clock::PATIENCE, "the session is recorded", || {
        let files = std::fs::read_dir(&records).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let mut texts = files.map(|path| std::fs::read_to_string(path).unwrap_or_default());
        texts.find(|text| text.contains("a@example.net") && text.contains("answers"))
    });
    let events = recorded.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let told: Vec<_> = events
        .filter_map(|line| {
            let rcpt = line["event"]["rcpt"].as_object()?.clone();
            Some((rcpt["recipient"].as_str()?.to_owned(), rcpt["refused_by_mta"]["status"].as_str().map(str::to_owned)))
        })
        .collect();
    let expected = [
        ("<alice@rig.test>", None),
        ("<stranger@mx.rig.test>", Some("5.1.1".to_owned())),
        ("<alice@virtual.test>", None),
    ];
    assert_eq!(told, expected.map(|(address, status)| (address.to_owned(), status)), "{recorded}");
}
