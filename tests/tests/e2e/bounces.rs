//! Tags of senders (BATV), by which true bounces are told from those of somebody else's mail.

use mailward_tests::mailward::Mailward;
use mailward_tests::postfix::HOST;
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::{Delivery, Reply};
use mailward_tests::tls::Authority;

use crate::outbound::{LAPTOP, OUTSIDE, user};
use crate::site::{ALICE, STRANGER, Site, message};

const KEY: &str = "0123456789abcdef0123456789abcdef01234567";

/// `[batv]` with a key, and a directory that knows alice, bob and nobody else.
fn config(scratch: &Scratch, mode: &str, more: &str) -> String {
    let key = scratch.file("batv.key", format!("{KEY}\n"));
    let people = scratch.file("people.csv", "alice@rig.test\nbob@rig.test\n");
    format!(
        "[batv]\nmode = \"{mode}\"\ndomains = [\"rig.test\"]\nkeys = [\"{}\"]\n{more}\n\
         [directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n",
        key.display(),
        people.display()
    )
}

/// A site whose Postfix takes tagged recipients by postfix-conf/batv-recipients.
fn start(scratch: &Scratch, mode: &str, more: &str) -> Site {
    let recipients = [ALICE, "bob@rig.test", "postmaster@rig.test"];
    Site::builder(scratch, &config(scratch, mode, more))
        .postfix(|postfix| postfix.recipients(recipients).batv())
        .start()
}

/// What `mailward batv tag` prints.
fn tag(mailward: &Mailward, address: &str) -> String {
    let output = mailward.command(&["batv", "tag", address]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Exit code and text of `mailward batv check`.
fn check(mailward: &Mailward, address: &str) -> (Option<i32>, String) {
    let output = mailward.command(&["batv", "check", address]);
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn bounce(site: &Site, to: &str, subject: &str) -> Delivery {
    site.send(STRANGER, "", &[to], message("MAILER-DAEMON@example.net", subject, "Your mail could not be delivered."))
}

fn code(reply: &Reply) -> String {
    format!("{} {}", reply.code, reply.enhanced().unwrap_or_default())
}

/// Changes the last digit of the signature.
fn forge(tagged: &str) -> String {
    let digit = if tagged.as_bytes()[14] == b'0' { "1" } else { "0" };
    format!("{}{digit}{}", &tagged[..14], &tagged[15..])
}

#[test]
fn bounce_with_a_good_tag_reaches_the_sender_and_others_are_refused_before_data() {
    let scratch = Scratch::new();
    let site = start(&scratch, "enforce", "");
    let good = tag(&site.mailward, ALICE);
    assert!(good.starts_with("prvs=0") && good.ends_with("=alice@rig.test"), "{good}");
    assert!(bounce(&site, &good, "good").is_accepted());
    assert_eq!(site.sink.wait_for(1)[0].to, [ALICE], "delivered without the tag");
    assert!(bounce(&site, &good.to_uppercase(), "loud").is_accepted(), "some hosts change the case");

    for (to, found) in [(ALICE.to_owned(), "batv.missing"), (forge(&good), "batv.forged")] {
        let refused = bounce(&site, &to, "bad");
        assert_eq!(code(&refused.rcpt[0]), "550 5.7.1", "{to}: {refused:?}");
        assert!(refused.data.is_none());
        let lines = site.lines_about("", if found == "batv.missing" { 3 } else { 4 });
        assert!(lines.iter().any(|line| line.found(found)), "{lines:?}");
    }
    let unknown = tag(&site.mailward, "nobody@rig.test");
    assert_eq!(code(&bounce(&site, &unknown, "unknown").rcpt[0]), "550 5.1.1", "the person behind a tag must exist");
    for desk in ["postmaster@rig.test", "Postmaster@rig.test"] {
        assert!(bounce(&site, desk, "desk").is_accepted(), "{desk}");
    }
    assert!(site.lines_about("", 5).iter().any(|line| line.found("batv.valid")));
}

#[test]
fn mail_of_a_user_leaves_with_a_tag_to_which_its_bounce_comes_back() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let identity = authority.identity(HOST);
    let held = "[[policy]]\nname = \"wait\"\ndirection = \"outbound\"\nwhen = { header = { name = \"Subject\", \
                contains = \"wait\" } }\nthen = \"hold\"\n";
    let site = Site::builder(&scratch, &format!("{}{held}", config(&scratch, "enforce", "sign = true\n")))
        .postfix(|postfix| {
            let postfix = postfix.recipients([ALICE, "bob@rig.test"]).batv().certificate(&identity);
            postfix.set("non_smtpd_milters", "$smtpd_milters")
        })
        .start();
    let mut user = user(&site, &authority, LAPTOP);
    let sent = user.send(ALICE, &[OUTSIDE], message(ALICE, "hello", "Dear friend"));
    assert!(sent.is_accepted(), "{sent:?}");
    let arrived = site.sink.wait_for_subject("hello");
    let sender = arrived.from.clone();
    assert!(sender.starts_with("prvs=0") && sender.ends_with("=alice@rig.test"), "{sender}");
    assert_eq!(check(&site.mailward, &sender).0, Some(0));
    assert_eq!(arrived.header("From").as_deref(), Some(ALICE), "what people read stays");
    let line = site.line_about(ALICE);
    let explained = site.explain(&line.text("reference"));
    assert!(explained.contains(&format!("from     <{ALICE}>")), "{explained}");
    assert!(explained.contains(&format!("change sender <{sender}>")), "{explained}");

    assert!(bounce(&site, &sender, "true bounce").is_accepted());
    assert_eq!(site.sink.wait_for_subject("true bounce").to, [ALICE]);
    assert_eq!(code(&bounce(&site, ALICE, "backscatter").rcpt[0]), "550 5.7.1");

    assert!(user.send(&sender, &[OUTSIDE], message(ALICE, "again", "Hello")).is_accepted());
    assert_eq!(site.sink.wait_for_subject("again").from, sender, "a tag is not doubled");
    site.postfix.sendmail("cron@rig.test", &[OUTSIDE], &message("cron@rig.test", "nightly", "All is well."));
    let nightly = site.sink.wait_for_subject("nightly").from;
    assert!(nightly.starts_with("prvs=0") && nightly.ends_with("=cron@rig.test"), "{nightly}");
    assert!(user.send("", &[OUTSIDE], message(ALICE, "receipt", "I have read it.")).is_accepted());
    assert_eq!(site.sink.wait_for_subject("receipt").from, "");
    assert!(site.send(STRANGER, "bob@rig.test", &[ALICE], message("bob@rig.test", "inbound", "Hello")).is_accepted());
    assert_eq!(site.sink.wait_for_subject("inbound").from, "bob@rig.test", "somebody else's mail gets no tag of ours");

    assert!(user.send(ALICE, &[OUTSIDE], message(ALICE, "please wait", "Hello")).is_accepted());
    let held = site.postfix.held().remove(0);
    site.postfix.release(&held.id);
    assert_eq!(site.sink.wait_for_subject("please wait").from, sender, "what was held has it too");
}

#[test]
fn ordinary_senders_need_no_tag_and_may_use_one() {
    let scratch = Scratch::new();
    let site = start(&scratch, "enforce", "");
    let good = tag(&site.mailward, ALICE);
    for (n, to) in [ALICE.to_owned(), good.clone(), forge(&good)].iter().enumerate() {
        let from = format!("a{n}@example.net");
        let delivery = site.send(STRANGER, &from, &[to], message(&from, "answer", "I am on holiday."));
        assert!(delivery.is_accepted(), "{to}: {delivery:?}");
    }
    assert!(site.sink.wait_for(3).iter().all(|message| message.to == [ALICE]));
    assert!(site.line_about("a1@example.net").found("batv.valid"));
    assert!(site.line_about("a2@example.net").found("batv.forged"));
}

#[test]
fn observing_finds_and_refuses_nothing() {
    let scratch = Scratch::new();
    let site = start(&scratch, "observe", "");
    let good = tag(&site.mailward, ALICE);
    for to in [ALICE, &good, &forge(&good)] {
        assert!(bounce(&site, to, "observed").is_accepted(), "{to}");
    }
    let lines = site.lines_about("", 3);
    for found in ["batv.missing", "batv.valid", "batv.forged"] {
        assert!(lines.iter().any(|line| line.found(found)), "{found} in {lines:?}");
    }
    assert!(site.sink.wait_for(3).iter().all(|message| message.to == [ALICE]));
}

#[test]
fn exempt_recipients_and_clients_and_the_trial_are_respected() {
    let scratch = Scratch::new();
    let more = "exempt_recipients = [\"Bob@rig.test\"]\nexempt_networks = [\"203.0.113.0/24\"]\n";
    let site = start(&scratch, "enforce", more);
    assert_eq!(code(&bounce(&site, ALICE, "plain").rcpt[0]), "550 5.7.1");
    assert!(bounce(&site, "bob@rig.test", "bob").is_accepted());
    let text = message("MAILER-DAEMON@example.net", "partner", "Hello");
    assert!(site.send("203.0.113.9", "", &[ALICE], text).is_accepted());

    let scratch = Scratch::new();
    let site = start(&scratch, "enforce", "[trial]\nrecipients = [\"bob@rig.test\"]\n");
    assert!(bounce(&site, ALICE, "outside").is_accepted());
    assert_eq!(code(&bounce(&site, "bob@rig.test", "inside").rcpt[0]), "550 5.7.1");
}

#[test]
fn question_whether_an_address_exists_is_answered_where_refusals_wait_for_the_message() {
    let scratch = Scratch::new();
    let site = start(&scratch, "enforce", "refuse_at = \"message\"");
    let mut probe = site.postfix.client_from(STRANGER);
    assert!(probe.mail("").is_positive());
    assert!(probe.rcpt(ALICE).is_positive(), "alice exists");
    assert!(probe.rset().is_positive() && probe.mail("").is_positive());
    assert_eq!(code(&probe.rcpt("nobody@rig.test")), "550 5.1.1");
    let refused = bounce(&site, ALICE, "late");
    assert_eq!(code(refused.last()), "550 5.7.1", "{refused:?}");
    assert!(refused.rcpt[0].is_positive());
    assert!(bounce(&site, &tag(&site.mailward, ALICE), "good").is_accepted());
    assert_eq!(site.sink.wait_for(1).len(), 1);
}

#[test]
fn policies_know_the_person_behind_a_tag_and_can_take_the_recipient_off() {
    let scratch = Scratch::new();
    let policy = "[[policy]]\nname = \"nothing for alice\"\nto = [\"alice@rig.test\"]\nthen = \"discard\"\n";
    let site = start(&scratch, "observe", policy);
    let (alice, bob) = (tag(&site.mailward, ALICE), tag(&site.mailward, "bob@rig.test"));
    let delivery = site.send(STRANGER, "a@example.net", &[&alice, &bob], message("a@example.net", "both", "Hello"));
    assert!(delivery.is_accepted(), "{delivery:?}");
    assert_eq!(site.sink.wait_for(1)[0].to, ["bob@rig.test"]);
}

#[test]
fn tags_are_made_and_checked_on_the_command_line_and_keys_are_rotated() {
    let scratch = Scratch::new();
    let state = scratch.dir("state");
    let base = format!("{}[state]\ndir = \"{}\"\n", config(&scratch, "off", ""), state.display());
    let mut mailward = Mailward::builder().config(&base).start(&scratch);
    let good = tag(&mailward, "Alice@RIG.test");
    assert_eq!(check(&mailward, &good), (Some(0), format!("{good}: valid for 7 more days\n")));
    assert_eq!(tag(&mailward, &good), good, "a tag is not doubled");
    for (address, word) in
        [(forge(&good), "forged"), (ALICE.to_owned(), "missing"), ("x@y.test".to_owned(), "not ours")]
    {
        assert_eq!(check(&mailward, &address), (Some(1), format!("{address}: {word}\n")));
    }
    let output = mailward.command(&["batv", "tag", "x@y.test"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");

    let new = scratch.file("new.key", "another key, of chance we hope\n");
    let rotated = base.replace("keys = [", &format!("keys = [\"{}\", ", new.display()));
    mailward.reload(rotated);
    assert_eq!(check(&mailward, &good).0, Some(0), "the old key still counts");
    assert_ne!(tag(&mailward, ALICE), good.to_lowercase());
    let only_new = base.replace("batv.key", "new.key");
    mailward.reload(only_new);
    assert_eq!(check(&mailward, &good).0, Some(1), "and no more once it is gone");
    let short = scratch.file("batv.key", "short\n");
    mailward.reload(base);
    let output = mailward.command(&["config", "check"]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains(short.to_str().expect("UTF-8")) && errors.contains("5 bytes"), "{errors}");
}
