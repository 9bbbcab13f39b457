//! Reload and drain of the daemon, with mail under way.

use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::process::Signal;
use mailward_tests::scratch::Scratch;
use mailward_tests::traffic::Sent;

use super::faults::traffic;
use super::{STRANGER, Site, results};
use crate::site::{ALICE, BOB, message};

const NOT_TO_BOB: &str = "[[policy]]\nname = \"not to bob\"\nto = [\"bob@rig.test\"]\nthen = \"reject\"\n";

#[test]
fn reload_under_load_changes_the_policy_and_drops_no_session() {
    let scratch = Scratch::for_sendmail();
    let mut site = Site::builder(&scratch, "").start();
    let text = std::fs::read_to_string(site.mailward.config_file()).expect("the configuration can be read");
    let before = text.split_once("\n[milter]").expect("the rig writes [milter] last").0.to_owned();
    let traffic = traffic(&site, 4);
    let mut early = site.sendmail.client_from(STRANGER);
    assert!(early.mail("early@example.net").is_positive() && early.rcpt(BOB).is_positive());
    let batch = traffic.start(60);
    traffic.wait_for(&batch, 20);
    site.mailward.reload(format!("{before}\n{NOT_TO_BOB}"));
    site.mailward.wait_for_text("\"reloaded\"");
    assert_eq!(early.data().code, 354);
    assert_eq!(early.content(message("early@example.net", "early", "Hello")).code, 250, "a session keeps its policy");
    assert!(traffic.finish(&batch).iter().all(Sent::is_accepted), "nobody was deferred");
    let refused = site.send(STRANGER, "a@example.net", &[BOB], message("a@example.net", "bob", "Hello"));
    assert_eq!((refused.last().code, refused.last().enhanced()), (550, Some("5.7.1")), "{}", refused.last());
    site.sink.wait_for_subject("early");
}

#[test]
fn sigterm_under_load_loses_nothing_and_ends_well() {
    let scratch = Scratch::for_sendmail();
    let mut site = Site::builder(&scratch, "").start();
    let traffic = traffic(&site, 4);
    for _ in 0..2 {
        let batch = traffic.start(60);
        traffic.wait_for(&batch, 20);
        let status = site.mailward.terminate();
        assert_eq!(status.code(), Some(0), "{status}");
        for sent in traffic.finish(&batch) {
            assert!(sent.is_accepted() || sent.reply.is_temporary(), "{sent:?}");
        }
        site.mailward.restart();
    }
    wait_until(PATIENCE, "all is well again", || traffic.run(8).iter().all(Sent::is_accepted));
    for message in site.sink.messages() {
        results(&message);
    }
    traffic.account(&site.sink);
}

#[test]
fn message_under_way_is_finished_during_the_drain_and_new_ones_are_put_off() {
    let scratch = Scratch::for_sendmail();
    let mut site = Site::builder(&scratch, "").start();
    let (mut open, mut idle) = (site.sendmail.client_from(STRANGER), site.sendmail.client_from(STRANGER));
    assert!(open.mail("open@example.net").is_positive() && open.rcpt(ALICE).is_positive());
    assert_eq!(open.data().code, 354);
    site.mailward.signal(Signal::Terminate);
    site.mailward.wait_for_text("draining");
    assert!(idle.mail("idle@example.net").is_temporary(), "a session without a message gets no new one");
    assert_eq!(site.sendmail.client_from(STRANGER).mail("new@example.net").code, 451, "nobody listens any more");
    let reply = open.content(message("open@example.net", "open", "Hello"));
    assert_eq!(reply.code, 250, "{reply}");
    assert_eq!(site.mailward.wait(PATIENCE).code(), Some(0));
    results(&site.sink.wait_for(1)[0]);
}

#[test]
fn healthy_mail_leaves_no_warning_in_either_log() {
    let scratch = Scratch::for_sendmail();
    let mut site = Site::builder(&scratch, "").start();
    let mut client = site.sendmail.client_from(STRANGER);
    for from in ["a@example.net", "b@example.net"] {
        assert!(client.send(from, &[ALICE, BOB], message(from, "hello", "Hello")).is_accepted());
    }
    client.quit();
    site.sink.wait_for(2);
    assert!(site.mailward.terminate().success());
    let loud: Vec<_> = site.mailward.log().into_iter().filter(|line| line["level"] != "INFO").collect();
    assert!(loud.is_empty(), "{loud:#?}");
    let log = site.sendmail.log();
    let faults: Vec<_> = log.lines().filter(|line| line.contains("error") || line.contains("SYSERR")).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}
