//! `examples/cpp/relay.cc`, built and run: the engine inside a server with a thread for each client.

use std::path::{Path, PathBuf};
use std::process::Command;

use mailward_tests::mailward::binary;
use mailward_tests::ports::{free_port, loopback, wait_listening};
use mailward_tests::process::{Process, run};
use mailward_tests::scratch::Scratch;
use mailward_tests::sink::Sink;
use mailward_tests::smtp::Client;

const POLICIES: &str = r#"
[dns]
servers = ["127.0.0.1:9"]
timeout = "100ms"
[networks]
internal = []
[directory]
domains = ["rig.test"]
files = ["members.csv"]
[[policy]]
name = "drop"
to = ["drop@rig.test"]
then = "discard"
[[policy]]
name = "hold"
to = ["hold@rig.test"]
then = "hold"
[[policy]]
name = "mark"
to = ["mark@rig.test"]
then = { tag = { header = { X-Mark = "ours" }, subject = "[marked]", banner = "Be careful." } }
[[policy]]
name = "look"
to = ["look@rig.test"]
then = { redirect = "desk@rig.test" }
"#;

/// A relay in front of a sink.
struct Relay {
    port: u16,
    sink: Sink,
    log: PathBuf,
    _process: Process,
    _scratch: Scratch,
}

impl Relay {
    fn start() -> Relay {
        Relay::start_with(Scratch::new(), POLICIES)
    }

    fn start_with(scratch: Scratch, config: &str) -> Relay {
        let program = build(&scratch);
        let members = scratch
            .file("members.csv", "address\nann@rig.test\ndrop@rig.test\nhold@rig.test\nmark@rig.test\nlook@rig.test\n");
        let config = config.replace("members.csv", &members.display().to_string());
        let (sink, port, log) = (Sink::start(), free_port(), scratch.path().join("relay.log"));
        let mut command = Command::new(program);
        command.args([port.to_string(), sink.address().port().to_string()]);
        command.arg(scratch.file("relay.toml", config)).arg(scratch.dir("state"));
        let process = Process::start(&mut command, &log);
        wait_listening("the relay", loopback(port));
        Relay { port, sink, log, _process: process, _scratch: scratch }
    }

    fn connect(&self) -> Client {
        let mut client = Client::connect(loopback(self.port));
        assert!(client.ehlo("client.example").is_positive());
        client
    }
}

/// The library lies beside the program that the tests start.
fn build(scratch: &Scratch) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project");
    let folder = binary().parent().expect("a folder").to_owned();
    let program = scratch.path().join("relay");
    let mut command = Command::new("c++");
    command.args(["-std=c++11", "-pthread", "-g", "-pedantic", "-Wall", "-Wextra", "-Werror", "-I"]);
    command.arg(root.join("ffi/include")).arg(root.join("examples/cpp/relay.cc"));
    command.arg(folder.join("libmailward.so")).arg(format!("-Wl,-rpath,{}", folder.display())).arg("-o").arg(&program);
    run(&mut command);
    program
}

fn message(subject: &str, body: &str) -> String {
    format!(
        "From: Ann <ann@client.example>\r\nTo: you@rig.test\r\nSubject: {subject}\r\nX-Mark: forged\r\n\
         Date: Sun, 1 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@client.example>\r\n\r\n{body}\r\n"
    )
}

#[test]
fn mail_passes_marked_and_without_those_who_get_no_copy() {
    let relay = Relay::start();
    let mut client = relay.connect();
    let sent = client.send("ann@client.example", &["mark@rig.test", "drop@rig.test"], message("hello", ".dots\r\n.."));
    assert!(sent.is_accepted(), "{sent:?}");
    let arrived = relay.sink.wait_for(1).remove(0);
    assert_eq!(arrived.to, ["mark@rig.test"]);
    assert_eq!(arrived.header("Subject").as_deref(), Some("[marked] hello"));
    assert_eq!(arrived.all_headers("X-Mark"), ["ours"], "the forged one is gone");
    assert!(arrived.header("Authentication-Results").is_some());
    assert_eq!(arrived.body(), "Be careful.\r\n\r\n.dots\r\n..\r\n");

    let sent = client.send("ann@client.example", &["look@rig.test"], message("else", "hello"));
    assert!(sent.is_accepted(), "{sent:?}");
    assert_eq!(relay.sink.wait_for(2)[1].to, ["desk@rig.test"]);

    // What the host cannot do is told, and the mail is not lost.
    let sent = client.send("ann@client.example", &["hold@rig.test"], message("again", "hello"));
    assert!(sent.is_accepted(), "{sent:?}");
    assert_eq!(relay.sink.wait_for(3)[2].to, ["hold@rig.test"]);
    let log = std::fs::read_to_string(&relay.log).expect("the log");
    assert!(log.contains("not done: hold for <hold@rig.test>: the host cannot hold a message"), "{log}");
}

#[test]
fn outbound_mail_is_handed_on_with_a_tagged_sender() {
    let scratch = Scratch::new();
    let key = scratch.file("batv.key", "0123456789abcdef0123456789abcdef01234567\n");
    let batv =
        format!("[batv]\nsign = true\nmode = \"observe\"\ndomains = [\"rig.test\"]\nkeys = [\"{}\"]\n", key.display());
    let config = POLICIES.replace("internal = []", "internal = [\"127.0.0.1\"]");
    let relay = Relay::start_with(scratch, &format!("{batv}{config}"));
    let mut client = relay.connect();
    for (number, from) in ["ann@rig.test", "ann@client.example", ""].iter().enumerate() {
        let sent = client.send(from, &["friend@outside.example"], message("hello", "Dear friend"));
        assert!(sent.is_accepted(), "{sent:?}");
        let sender = relay.sink.wait_for(number + 1)[number].from.clone();
        match number {
            0 => assert!(sender.starts_with("prvs=0") && sender.ends_with("=ann@rig.test"), "{sender}"),
            _ => assert_eq!(sender, *from),
        }
    }
}

#[test]
fn mail_and_recipients_that_are_refused_hear_why() {
    let relay = Relay::start();
    let mut client = relay.connect();
    assert!(client.mail("ann@client.example").is_positive());
    let unknown = client.rcpt("nobody@rig.test");
    assert_eq!((unknown.code, unknown.enhanced()), (550, Some("5.1.1")), "{unknown:?}");
    assert!(client.rset().is_positive());
    let gtube = ["XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-", "ANTI-UBE-TEST-EMAIL*C.34X"].concat();
    let refused = client.send("ann@client.example", &["ann@rig.test"], message("offer", &gtube));
    assert_eq!(refused.last().code, 550, "{refused:?}");
    assert_eq!(relay.sink.count(), 0);
}

#[test]
fn many_clients_at_once_are_served_by_one_engine() {
    let relay = Relay::start();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let relay = &relay;
            scope.spawn(move || {
                let mut client = relay.connect();
                for _ in 0..5 {
                    let sent = client.send("ann@client.example", &["ann@rig.test"], message(&number.to_string(), "x"));
                    assert!(sent.is_accepted(), "{sent:?}");
                }
            });
        }
    });
    assert_eq!(relay.sink.count(), 40);
}
