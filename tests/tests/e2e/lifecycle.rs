//! Start, reload, drain and end of the daemon, with mail under way.

use std::net::TcpStream;
use std::process::Command;

use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::mailward::{self, Mailward};
use mailward_tests::milter::{MilterClient, Parts};
use mailward_tests::process::{Signal, program, run};
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::Delivery;
use mailward_tests::traffic::{Mail, Sent, Traffic};

use crate::site::{ALICE, BOB, STRANGER, Site, message};

const NOT_TO_BOB: &str = "[[policy]]\nname = \"not to bob\"\nto = [\"bob@rig.test\"]\nthen = \"reject\"\n";

/// Odd numbers go to Bob.
fn to_alice_and_bob(number: u64) -> Mail {
    let to = if number % 2 == 1 { BOB } else { ALICE };
    let text = format!("From: a@example.net\nTo: {to}\nSubject: traffic\n\nHello\n");
    Mail { from: "a@example.net".to_owned(), to: to.to_owned(), text }
}

fn send_to_bob(site: &Site) -> Delivery {
    site.send(STRANGER, "a@example.net", &[BOB], message("a@example.net", "bob", "Hello"))
}

fn count(site: &Site, text: &str) -> usize {
    site.mailward.output().matches(text).count()
}

/// The configuration that [`Site`] has written, without `[milter]`, which the rig adds again.
fn config_of(site: &Site) -> String {
    let text = std::fs::read_to_string(site.mailward.config_file()).expect("the configuration can be read");
    text.split_once("\n[milter]").expect("the rig writes [milter] last").0.to_owned()
}

#[test]
fn reload_under_load_changes_the_policy_and_drops_no_session() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, "").start();
    let before = config_of(&site);
    let traffic = Traffic::new(site.postfix.address(), 6, 4, to_alice_and_bob);
    assert!(traffic.run(24).iter().all(Sent::is_accepted));

    // A session keeps the policy that it began with, and so does a message under way.
    let mut early = site.postfix.client_from(STRANGER);
    assert!(early.mail("early@example.net").is_positive() && early.rcpt(BOB).is_positive());
    let batch = traffic.start(90);
    traffic.wait_for(&batch, 20);
    for (reloads, config) in
        [format!("{before}\n{NOT_TO_BOB}"), before.clone(), format!("{before}\n{NOT_TO_BOB}")].into_iter().enumerate()
    {
        site.mailward.reload(config);
        wait_until(PATIENCE, "the daemon reloads", || count(&site, "reloaded") > reloads);
    }
    assert_eq!(early.data().code, 354);
    assert_eq!(early.content(message("early@example.net", "early", "Hello")).code, 250, "a session keeps its policy");
    assert!(early.send("early2@example.net", &[BOB], message("a@example.net", "early", "Hello")).is_accepted());

    traffic.finish(&batch);
    // By now each client has begun sessions under the last configuration.
    traffic.run(24);
    for sent in traffic.run(24) {
        let wanted = if sent.number % 2 == 1 { 550 } else { 250 };
        assert_eq!(sent.reply.code, wanted, "{sent:?}");
    }
    let refused = send_to_bob(&site);
    assert_eq!((refused.last().code, refused.last().enhanced()), (550, Some("5.7.1")), "{}", refused.last());
    let sent = traffic.account(&site.sink);
    let dropped: Vec<_> = sent.iter().filter(|sent| sent.reply.is_temporary()).collect();
    assert!(dropped.is_empty(), "nobody was deferred: {dropped:?}");
}

#[test]
fn broken_new_file_leaves_the_old_one_in_force_and_the_log_names_the_place() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, NOT_TO_BOB).start();
    let config = config_of(&site);
    let lines = config.lines().count();
    site.mailward.reload(format!("{config}\n[limits]\nrecipents = 5\nmessage_bytes = \"much\""));
    site.mailward.wait_for_text("reload refused");
    let output = site.mailward.output();
    for place in [format!("mailward.toml:{}:1: ", lines + 3), format!("mailward.toml:{}:17: ", lines + 4)] {
        assert!(output.contains(&place), "{place} in {output}");
    }
    assert!(output.contains(r#"did you mean \"recipients\""#), "{output}");
    assert_eq!(send_to_bob(&site).last().code, 550, "the old policy holds");
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "a", "Hello")).is_accepted());

    // Rules that the file names are loaded before the swap too.
    let rules = scratch.file("broken.yar", "rule broken { condition: nonsense }");
    site.mailward.reload(format!("{config}\n[malware]\nyara = [\"{}\"]", rules.display()));
    site.mailward.wait_for_text("broken.yar");
    assert_eq!(send_to_bob(&site).last().code, 550, "the old policy holds");

    site.mailward.reload(config.replace(NOT_TO_BOB, ""));
    site.mailward.wait_for_text("\"reloaded\"");
    assert!(send_to_bob(&site).is_accepted(), "a good file acts again");
}

#[test]
fn sigterm_under_load_loses_nothing_and_ends_well() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, "").start();
    let traffic = Traffic::new(site.postfix.address(), 8, 5, to_alice_and_bob);
    for round in 1..=3 {
        let batch = traffic.start(80);
        traffic.wait_for(&batch, 20);
        let status = site.mailward.terminate();
        assert_eq!(status.code(), Some(0), "{status}");
        assert_eq!(count(&site, "stopped"), round, "it has come to its end");
        for sent in traffic.finish(&batch) {
            assert!(sent.is_accepted() || sent.reply.is_temporary(), "{sent:?}");
        }
        site.mailward.restart();
    }
    // Sessions that were open meanwhile hear of it once more.
    wait_until(PATIENCE, "all is well again", || traffic.run(16).iter().all(Sent::is_accepted));
    for message in site.sink.messages() {
        assert!(message.header("Authentication-Results").is_some(), "none passed unseen: {:?}", message.headers());
    }
    traffic.account(&site.sink);
}

#[test]
fn message_under_way_is_finished_during_the_drain_and_new_ones_are_put_off() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, "").start();
    let (mut open, mut idle) = (site.postfix.client_from(STRANGER), site.postfix.client_from(STRANGER));
    assert!(open.mail("open@example.net").is_positive() && open.rcpt(ALICE).is_positive());
    assert_eq!(open.data().code, 354);
    site.mailward.signal(Signal::Terminate);
    site.mailward.wait_for_text("draining");

    assert!(idle.mail("idle@example.net").is_temporary(), "a session without a message gets no new one");
    assert_eq!(site.postfix.client_from(STRANGER).mail("new@example.net").code, 451, "nobody listens any more");
    let reply = open.content(message("open@example.net", "open", "Hello"));
    assert_eq!(reply.code, 250, "{reply}");
    assert_eq!(site.mailward.wait(PATIENCE).code(), Some(0));
    let arrived = &site.sink.wait_for(1)[0];
    assert!(arrived.header("Authentication-Results").is_some(), "it was judged: {:?}", arrived.headers());
}

#[test]
fn socket_file_left_by_a_crash_is_replaced() {
    let scratch = Scratch::new();
    let socket = scratch.path().join("milter.sock");
    let through = format!("unix:{}", socket.display());
    let mut site = Site::builder(&scratch, "")
        .mailward(|mailward| mailward.socket(&socket))
        .postfix(|postfix| postfix.milter(through))
        .start();
    site.mailward.kill();
    assert!(socket.exists(), "a crash leaves the file");
    assert!(site.postfix.client_from(STRANGER).mail("a@example.net").is_temporary());
    site.mailward.restart();
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "a", "Hello")).is_accepted());
}

#[test]
fn second_daemon_on_a_busy_socket_refuses_to_start_and_says_what_to_do() {
    let scratch = Scratch::new();
    let socket = scratch.path().join("milter.sock");
    let site = Site::builder(&scratch, "").mailward(|mailward| mailward.socket(&socket)).start();
    for address in [format!("unix:{}", socket.display()), site.mailward.inet()] {
        let config =
            format!("[milter]\nlisten = [\"{address}\"]\n[state]\ndir = \"{}\"\n", scratch.dir("second").display());
        let file = scratch.file("second.toml", config);
        let arguments = ["milter", "--config", file.to_str().expect("scratch paths are UTF-8")];
        let output = mailward::command(scratch.path(), &arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{address}: {text}");
        assert!(text.contains(&address), "the address is named: {text}");
        assert!(text.contains("another process") && text.contains("[milter]"), "cause and cure are named: {text}");
    }
    assert!(socket.exists(), "the first keeps its socket");
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "a", "Hello")).is_accepted());
}

#[test]
fn daemon_survives_being_out_of_descriptors() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, "").start();
    let process = site.mailward.process_id().to_string();
    let limit = |number: &str| {
        let mut prlimit = Command::new(program("prlimit", "util-linux"));
        run(prlimit.args(["--pid", &process, &format!("--nofile={number}:")]));
    };
    limit("60");
    let hoard: Vec<_> = (0..100).map(|_| TcpStream::connect(site.mailward.address())).collect();
    site.mailward.wait_for_text("cannot accept");
    drop(hoard);
    wait_until(PATIENCE, "mail passes again", || {
        site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "a", "Hello")).is_accepted()
    });
    limit("1024");
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "a", "Hello")).is_accepted());
    assert_eq!(site.mailward.terminate().code(), Some(0));
}

#[test]
fn connection_that_an_mta_would_keep_for_its_next_client_ends() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, "").start();
    let mut mta = MilterClient::tcp(site.mailward.address()).expect("the daemon negotiates");
    mta.hello([198, 51, 100, 7].into(), "client.example.net").expect("an answer");
    assert!(mta.mail("first@example.net").expect("an answer").is_positive());
    assert!(mta.rcpt(ALICE).expect("an answer").is_positive());
    let sent = message("first@example.net", "kept", "Hello");
    assert!(mta.message(&Parts::of(sent.as_bytes())).expect("an answer").is_positive());
    mta.quit_for_next_client().expect("the daemon listens");
    assert_eq!(site.line_about("first@example.net").text("client"), STRANGER);

    let next = mta.hello([198, 51, 100, 8].into(), "next.example.net").and_then(|_| mta.mail("second@example.net"));
    assert!(next.is_err(), "the next client's mail must not be judged as the first one's: {next:?}");
    assert!(!site.mailward.output().contains("second@example.net"));
}

#[test]
fn healthy_mail_leaves_no_warning_in_the_log() {
    let scratch = Scratch::new();
    let mut site = Site::builder(&scratch, "").start();
    for from in ["a@example.net", "b@example.net"] {
        assert!(site.send(STRANGER, from, &[ALICE, BOB], message(from, "hello", "Hello")).is_accepted());
    }
    site.sink.wait_for(2);
    assert!(site.mailward.terminate().success());
    let loud: Vec<_> = site.mailward.log().into_iter().filter(|line| line["level"] != "INFO").collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

#[test]
fn empty_configuration_is_a_working_one() {
    let scratch = Scratch::new();
    // Only what keeps the test on this machine and in its folder.
    let mut mailward =
        Mailward::builder().config(format!("[state]\ndir = \"{}\"\n", scratch.dir("state").display())).start(&scratch);
    assert_eq!(mailward.terminate().code(), Some(0));
    let output = mailward.output();
    assert!(output.contains("listening") && output.contains("stopped"), "{output}");
}

#[test]
fn sigterm_right_after_the_start_ends_well() {
    for _ in 0..10 {
        let scratch = Scratch::new();
        let config = format!("[state]\ndir = \"{}\"\n", scratch.dir("state").display());
        let mut daemon = Mailward::builder().config(config).start(&scratch);
        let status = daemon.terminate();
        assert!(status.success(), "{status:?}: {}", daemon.output());
    }
}
