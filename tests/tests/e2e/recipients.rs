//! Who exists: the directory over LDAP and from files, and what its troubles mean.

use std::thread::sleep;
use std::time::Duration;

use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::scratch::Scratch;
use mailward_tests::slapd::{self, Group, Person, Slapd};
use mailward_tests::smtp::Reply;
use mailward_tests::tls::Authority;

use crate::site::{ALICE, STRANGER, Site, directory, directory_at, message};

const HARVEST: &str = "[dha]\nmode = \"enforce\"\n";

fn people() -> slapd::Builder {
    let alice = Person::new("alice", "rig.test").alias("a.liddell@rig.test");
    Slapd::builder().person(alice).group(Group::new("team", "rig.test", &["alice"]))
}

/// The answer to one recipient in a transaction of its own.
fn answer(site: &Site, recipient: &str) -> Reply {
    let mut client = site.postfix.client_from(STRANGER);
    assert!(client.mail("a@example.net").is_positive());
    client.rcpt(recipient)
}

fn code(reply: &Reply) -> String {
    format!("{} {}", reply.code, reply.enhanced().unwrap_or_default())
}

#[test]
fn recipient_unknown_to_ldap_is_refused_and_known_ones_get_the_mail() {
    let scratch = Scratch::new();
    let slapd = people().start(&scratch, &Authority::new(&scratch));
    let site = Site::builder(&scratch, &directory(&scratch, &slapd, "")).start();
    let to = ["nobody@rig.test", ALICE];
    let delivery = site.send(STRANGER, "a@example.net", &to, message("a@example.net", "one of two", "Hello"));
    assert_eq!(code(&delivery.rcpt[0]), "550 5.1.1", "{}", delivery.rcpt[0]);
    assert!(delivery.is_accepted());
    assert_eq!(site.sink.wait_for(1)[0].to, [ALICE]);
    let line = site.line_about("a@example.net");
    let to = line.text("to");
    assert!(to.contains("<alice@rig.test>=deliver") && to.contains("<nobody@rig.test>=reject"), "{to}");

    let refused = site.send(STRANGER, "b@example.net", &["nobody@rig.test"], "Subject: x\n\nx\n");
    assert!(refused.data.is_none(), "{refused:?}");
    let line = site.line_about("b@example.net");
    let fields = ["stage", "verdict", "because", "to"].map(|field| line.text(field));
    assert_eq!(fields, ["rcpt", "reject", "unknown recipient", "<nobody@rig.test>=reject"]);
}

#[test]
fn aliases_groups_details_case_quotes_and_routes_lead_to_the_same_people() {
    let scratch = Scratch::new();
    let slapd = people().start(&scratch, &Authority::new(&scratch));
    let site = Site::builder(&scratch, &directory(&scratch, &slapd, "")).start();
    let spelled = [
        "alice@rig.test",
        "A.Liddell@rig.test",
        "team@rig.test",
        "alice+news@rig.test",
        "A.LIDDELL+News+More@RIG.TEST",
        "\"alice\"@rig.test",
        "@relay.example,@other.example:alice@rig.test",
        "postmaster@rig.test",
    ];
    let mut client = site.postfix.client_from(STRANGER);
    let delivery = client.send("a@example.net", &spelled, message("a@example.net", "spelled", "Hello"));
    for (address, reply) in spelled.iter().zip(&delivery.rcpt) {
        assert!(reply.is_positive(), "{address}: {reply}");
    }
    assert!(delivery.is_accepted());
    site.sink.wait_for(1);
    for address in [
        "alice2@rig.test",
        "nobody+alice@rig.test",
        "+alice@rig.test",
        "@relay.example:nobody@rig.test",
        "*@rig.test",
        "alice)(mail=*@rig.test",
        "\"*)(mail=*\"@rig.test",
    ] {
        assert!(client.mail("a@example.net").is_positive());
        let reply = client.rcpt(address);
        assert!(reply.is_permanent(), "{address}: {reply}");
        client.rset();
    }
}

#[test]
fn recipients_of_international_domains_are_found_in_both_spellings() {
    let scratch = Scratch::new();
    let slapd = Slapd::builder()
        .person(Person::new("juergen", "xn--bcher-kva.test"))
        .start(&scratch, &Authority::new(&scratch));
    let config = directory(&scratch, &slapd, "").replace("domains = [\"rig.test\"]", "domains = [\"bücher.test\"]");
    let site = Site::builder(&scratch, &config)
        .postfix(|postfix| postfix.domains(&["xn--bcher-kva.test", "bücher.test", "rig.test"]))
        .start();
    let mut client = site.postfix.client_from(STRANGER);
    for domain in ["xn--bcher-kva.test", "XN--BCHER-KVA.test", "bücher.test", "BÜCHER.test"] {
        assert!(client.command("MAIL FROM:<a@example.net> SMTPUTF8").is_positive());
        assert!(client.rcpt(&format!("juergen@{domain}")).is_positive(), "{domain}");
        assert_eq!(code(&client.rcpt(&format!("hans@{domain}"))), "550 5.1.1", "{domain}");
        assert!(client.rcpt("anybody@rig.test").is_positive(), "no domain of the directory");
        client.rset();
    }
}

#[test]
fn directory_is_asked_over_start_tls_and_ldaps_with_the_right_authority() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let slapd = people().start(&scratch, &authority);
    let ca = format!("ca_file = \"{}\"\n", authority.ca_file().display());
    let ways = [
        directory(&scratch, &slapd, &format!("start_tls = true\n{ca}")),
        directory_at(&scratch, &slapd.tls_url(), &ca),
    ];
    for config in ways {
        let site = Site::builder(&scratch, &config).start();
        assert!(answer(&site, ALICE).is_positive(), "{config}{}", site.mailward.output());
        assert_eq!(code(&answer(&site, "nobody@rig.test")), "550 5.1.1", "{config}");
    }
}

#[test]
fn server_with_a_certificate_of_another_authority_is_trouble_and_no_evidence() {
    let scratch = Scratch::new();
    let slapd = people().start(&scratch, &Authority::new(&scratch));
    let wrong = Authority::new(&scratch);
    let ca = format!("ca_file = \"{}\"\n", wrong.ca_file().display());
    for config in
        [directory_at(&scratch, &slapd.tls_url(), &ca), directory(&scratch, &slapd, &format!("start_tls = true\n{ca}"))]
    {
        let site = Site::builder(&scratch, &(config + HARVEST)).start();
        let mut client = site.postfix.client_from(STRANGER);
        assert!(client.mail("a@example.net").is_positive());
        for n in 0..30 {
            let reply = client.rcpt(&format!("nobody{n}@rig.test"));
            assert_eq!(reply.code, 451, "{reply}");
        }
        assert_eq!(client.rcpt(ALICE).code, 451, "nothing is known without the directory");
        drop(client);
        assert!(!site.blocked().contains(STRANGER), "{}", site.blocked());
        let next = site.postfix.client_from(STRANGER).mail("a@example.net");
        assert!(next.is_positive(), "{next}");
    }
}

#[test]
fn trouble_of_the_directory_can_let_mail_pass() {
    let scratch = Scratch::new();
    let config = directory_at(&scratch, "ldap://127.0.0.1:1", "on_trouble = \"skip\"\n");
    let site = Site::builder(&scratch, &config).start();
    let sent = message("a@example.net", "unchecked", "Hello");
    assert!(site.send(STRANGER, "a@example.net", &["whoever@rig.test"], sent).is_accepted());
    site.sink.wait_for(1);
    assert!(site.line_about("a@example.net").found("directory.trouble"));
}

#[test]
fn recipients_come_from_files_too() {
    let scratch = Scratch::new();
    let csv = scratch.file("people.csv", "address,group\nAlice@rig.test,board\nteam@rig.test\n*@open.test\n");
    let ldif = scratch.file("people.ldif", "dn: cn=carol\nmail: carol@rig.test\nmailLocalAddress: c@rig.test\n\n");
    let config = format!(
        "[directory]\ndomains = [\"rig.test\", \"open.test\"]\nfiles = [\"{}\", \"{}\"]\n",
        csv.display(),
        ldif.display()
    );
    let site = Site::builder(&scratch, &config).postfix(|postfix| postfix.domains(&["rig.test", "open.test"])).start();
    for known in ["alice@rig.test", "TEAM+x@rig.test", "carol@rig.test", "c@rig.test", "anybody@open.test"] {
        assert!(answer(&site, known).is_positive(), "{known}");
    }
    for unknown in ["bob@rig.test", "cn=carol@rig.test"] {
        assert_eq!(code(&answer(&site, unknown)), "550 5.1.1", "{unknown}");
    }
}

/// Plays a directory that loses everybody while mail flows: known people are still served, unknown ones are deferred,
/// and no network is blocked.
fn lose_the_directory(lose: impl FnOnce(&Slapd)) {
    let scratch = Scratch::new();
    let slapd = Slapd::builder().people(10, "rig.test").start(&scratch, &Authority::new(&scratch));
    let site = Site::builder(&scratch, &(directory(&scratch, &slapd, "") + HARVEST)).start();
    let mut client = site.postfix.client_from("203.0.113.5");
    let all: Vec<_> = (1..=10).map(|n| format!("user{n}@rig.test")).collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    assert!(client.send("a@example.net", &all, message("a@example.net", "before", "Hello")).is_accepted());
    assert_eq!(code(&answer(&site, "nobody@rig.test")), "550 5.1.1", "unknown means unknown as long as all is well");

    lose(&slapd);
    let mut tries = 0;
    wait_until(PATIENCE, "the loss is noticed", || {
        tries += 1;
        sleep(Duration::from_millis(300)); // the directory may be believed for a second
        answer(&site, &format!("early{tries}@rig.test")).is_temporary()
    });
    for n in 0..30 {
        let reply = answer(&site, &format!("late{n}@rig.test"));
        assert!(reply.is_temporary(), "{reply}");
    }
    assert!(answer(&site, "user1@rig.test").is_positive(), "who was known lately still gets mail");
    assert!(!site.blocked().contains(STRANGER), "{}", site.blocked());
}

#[test]
fn emptied_directory_defers_unknown_recipients_and_blocks_nobody() {
    lose_the_directory(Slapd::remove_everybody);
}

#[test]
fn directory_without_its_branch_defers_unknown_recipients_and_blocks_nobody() {
    lose_the_directory(Slapd::remove_branch);
}

#[test]
fn directory_that_is_empty_from_the_start_refuses_nobody() {
    let scratch = Scratch::new();
    let slapd = Slapd::builder().start(&scratch, &Authority::new(&scratch));
    let site = Site::builder(&scratch, &(directory(&scratch, &slapd, "") + HARVEST)).start();
    for n in 0..30 {
        assert_eq!(code(&answer(&site, &format!("user{n}@rig.test"))), "450 4.1.1");
    }
    assert!(!site.blocked().contains(STRANGER), "{}", site.blocked());
}

#[test]
fn bounce_to_two_recipients_is_refused_at_the_second() {
    let scratch = Scratch::new();
    let slapd = people().start(&scratch, &Authority::new(&scratch));
    let site = Site::builder(&scratch, &directory(&scratch, &slapd, "")).start();
    let mut client = site.postfix.client_from(STRANGER);
    let to = [ALICE, "team@rig.test"];
    let delivery = client.send("", &to, message("MAILER-DAEMON@example.net", "returned", "Hello"));
    assert!(delivery.rcpt[0].is_positive());
    assert_eq!(code(&delivery.rcpt[1]), "550 5.7.1", "{}", delivery.rcpt[1]);
    assert_eq!(site.sink.wait_for(1)[0].to, [ALICE]);
    let both = client.send("list@example.net", &to, message("list@example.net", "both", "Hello"));
    assert!(both.rcpt.iter().all(Reply::is_positive), "{both:?}");
}
