//! What a site is told to write into sendmail.mc, and what becomes of it.

use std::process::Command;

use mailward_tests::mailward::{Mailward, binary};
use mailward_tests::process::Process;
use mailward_tests::scratch::{Scratch, read_log};
use mailward_tests::sendmail::{SENDMAIL_PART, Sendmail, filter_line};
use mailward_tests::sink::Sink;

/// Around lines of sendmail.mc.
fn mc(lines: &str) -> String {
    format!("divert(0)dnl\nOSTYPE(`linux')dnl\n{lines}\nMAILER(`local')dnl\nMAILER(`smtp')dnl\n")
}

#[test]
fn hint_of_the_daemon_and_the_shipped_part_define_the_same_filter() {
    let scratch = Scratch::for_sendmail();
    let socket = scratch.path().join("hint.sock");
    for (listen, as_sendmail_writes_it) in [
        ("inet:127.0.0.1:20001".to_owned(), "inet:20001@127.0.0.1".to_owned()),
        ("inet:[::1]:20001".to_owned(), "inet6:20001@::1".to_owned()),
        (format!("unix:{}", socket.display()), format!("local:{}", socket.display())),
    ] {
        let config =
            format!("[milter]\nlisten = [\"{listen}\"]\n[state]\ndir = \"{}\"\n", scratch.dir("state").display());
        let config = scratch.file("mailward.toml", config);
        let output = scratch.path().join("hints");
        let mut command = Command::new(binary());
        command.args(["milter", "--hints", "--config"]).arg(config);
        let daemon = Process::start(&mut command, &output);
        let hint = mailward_tests::clock::wait_for(mailward_tests::clock::PATIENCE, "the hints are printed", || {
            read_log(&output)
                .lines()
                .map(str::trim)
                .find(|line| line.starts_with("INPUT_MAIL_FILTER"))
                .map(str::to_owned)
        });
        drop(daemon);
        std::fs::remove_file(&output).expect("it was there");
        let shipped = format!("define(`MAILWARD_SOCKET', `{as_sendmail_writes_it}')dnl\n{SENDMAIL_PART}");
        let (hint, shipped) = (filter_line(&scratch, &mc(&hint)), filter_line(&scratch, &mc(&shipped)));
        assert_eq!(hint, shipped, "left the hint, right postfix-conf/sendmail.mc");
        assert!(shipped.contains(&format!("S={as_sendmail_writes_it},")) && shipped.contains("F=T"), "{shipped}");
    }
}

#[test]
fn shipped_part_takes_its_defaults_and_sendmail_waits_longer_than_mailward_may_take() {
    let scratch = Scratch::for_sendmail();
    let line = filter_line(&scratch, &mc(SENDMAIL_PART));
    assert_eq!(line, "Xmailward, S=inet:8891@127.0.0.1, F=T, T=C:10s;S:10s;R:20s;E:60s");
    let shown = Mailward::builder().start(&scratch).command(&["config", "show"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let deadlines = shown.split("[deadlines]").nth(1).unwrap_or_default();
    for deadline in ["reply = \"8s\"", "message = \"20s\""] {
        assert!(deadlines.contains(deadline), "{deadline} in {shown}");
    }
}

#[test]
fn options_of_the_shipped_part_arrive_in_the_configuration() {
    let scratch = Scratch::for_sendmail();
    let sink = Sink::start();
    let sendmail = Sendmail::delivering_to(&sink).start(&scratch);
    let cf = sendmail.configuration();
    for option in [
        "O Timeout.queuereturn=10d",
        "O MaxQueueAge=30m",
        "O BadRcptThrottle=0",
        "O PrivacyOptions=authwarnings,noexpn,novrfy,noverb,noetrn,nobodyreturn",
        "O TLSSrvOptions=V",
    ] {
        assert!(cf.lines().any(|line| line == option), "{option}");
    }
    let mut client = sendmail.client();
    client.ehlo("client.example.net");
    for command in ["VRFY alice", "EXPN alice", "ETRN rig.test"] {
        assert!(!client.command(command).is_positive() || command == "VRFY alice", "{command}");
    }
    assert_eq!(client.command("VRFY alice").code, 252, "nothing is told");
}

#[test]
fn mail_waits_while_the_sites_server_is_down_and_sendmail_crashes() {
    let scratch = Scratch::for_sendmail();
    let mut sink = Sink::start();
    let mut sendmail = Sendmail::delivering_to(&sink).start(&scratch);
    sink.switch_off();
    let sent = "From: a@example.net\nTo: alice@rig.test\nSubject: waits\n\nHello\n";
    assert!(sendmail.client_from("127.9.0.7").send("a@example.net", &["alice@rig.test"], sent).is_accepted());
    sendmail.wait_for_log("stat=Deferred");
    assert!(sendmail.queue().contains("<alice@rig.test>"), "{}", sendmail.queue());
    sendmail.kill();
    sendmail.restart();
    sink.switch_on();
    sink.wait_for_subject("waits");
}
