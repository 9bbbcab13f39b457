//! `mailward doctor`: green on a sound site, and its own advice for each fault.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use mailward_tests::clamd::Clamd;
use mailward_tests::disk::TinyDisk;
use mailward_tests::dns::Dns;
use mailward_tests::garbage::{GarbageServer, Manner};
use mailward_tests::mailward::Mailward;
use mailward_tests::postfix::Postfix;
use mailward_tests::scratch::{Scratch, give_to, set_mode, set_modified, write};
use mailward_tests::sink::Sink;
use mailward_tests::slapd::{Person, Slapd};
use mailward_tests::tls::Authority;
use serde_json::Value;

use super::{mailward, offline};
use crate::site::directory;

/// A sound site: everything that Mailward can lean on, running.
struct Sound {
    scratch: Scratch,
    config: String,
    dns: Dns,
    slapd: Slapd,
    clamd: Clamd,
    mailward: Mailward,
    postfix: Postfix,
    sendmail: PathBuf,
    _mute: TcpListener,
    _sink: Sink,
}

impl Sound {
    fn start() -> Sound {
        let scratch = Scratch::new();
        let authority = Authority::new(&scratch);
        // An address of this test's own, so that tests beside it have port 25 too.
        static SITES: AtomicU8 = AtomicU8::new(100);
        let [.., a, b] = std::process::id().to_be_bytes();
        let host = format!("127.{}.{a}.{b}", SITES.fetch_add(1, Ordering::Relaxed));
        let mx = TcpListener::bind((host.as_str(), 25)).expect("port 25 of a loopback address is free");
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = mx.accept() {
                let _ = stream.write_all(b"220 mx.rig.test ESMTP\r\n");
            }
        });
        let number = SITES.fetch_add(1, Ordering::Relaxed);
        let mute_host = format!("127.{number}.{a}.{b}");
        let mute = TcpListener::bind((mute_host.as_str(), 25)).expect("port 25 of a loopback address is free");
        let slapd = Slapd::builder()
            .person(Person::new("alice", "rig.test"))
            .person(Person::new("postmaster", "rig.test"))
            .start(&scratch, &authority);
        let clamd = Clamd::start(&scratch);
        let dns = Dns::builder()
            .a("example.com", "192.0.2.80")
            .mx("rig.test", "mx.rig.test")
            .a("mx.rig.test", &host)
            .mx("nowhere.test", "missing.nowhere.test")
            .mx("closed.test", "mx.closed.test")
            .a("mx.closed.test", "127.77.255.254")
            .mx("silent.test", "mx.silent.test")
            .a("mx.silent.test", "100::25") // nobody is there (RFC 6666)
            .mx("mute.test", "mx.mute.test")
            .a("mx.mute.test", &mute_host)
            .listed("127.0.0.2")
            .listed_at("refuses.test", "0.0.0.0/0", "127.255.255.254")
            .listed_at("everything.test", "0.0.0.0/0", "127.0.0.2")
            .listed_at("abandoned.test", "192.0.2.1", "127.0.0.2")
            .start(&scratch);
        let key = scratch.file("batv.key", "0123456789abcdef0123456789abcdef01234567\n");
        let deny = scratch.file("deny.txt", "192.0.2.0/24\n");
        let rules = scratch.file("own.yar", "rule own { strings: $a = \"own signature\" condition: $a }\n");
        let config = format!(
            "{}[[reputation.dnsbl]]\nname = \"rig\"\nzone = \"dnsbl.test\"\n\
             [reputation]\ndeny_files = [\"{}\"]\n\
             [malware]\nyara = [\"{}\"]\nclamd = \"unix:{}\"\nclamd_stream_max = \"1 MiB\"\n\
             [batv]\nmode = \"observe\"\ndomains = [\"rig.test\"]\nkeys = [\"{}\"]\n\
             [dns]\nservers = [\"{}\"]\n[state]\ndir = \"{}\"\n",
            directory(&scratch, &slapd, ""),
            deny.display(),
            rules.display(),
            clamd.socket().display(),
            key.display(),
            dns.address(),
            scratch.dir("state").display()
        );
        for secret in [&key, &scratch.path().join("reader.password")] {
            set_mode(secret, 0o600);
        }
        let mailward = Mailward::builder().config(&config).start(&scratch);
        let sink = Sink::start();
        let postfix = Postfix::delivering_to(&sink).milter(mailward.inet()).start(&scratch);
        let sendmail = scratch.file(
            "sendmail.cf",
            format!(
                "O InputMailFilters=mailward\nXmailward, S=inet:{}@127.0.0.1, F=T, T=C:10s;S:10s;R:10s;E:30s\n",
                mailward.address().port()
            ),
        );
        Sound { scratch, config, dns, slapd, clamd, mailward, postfix, sendmail, _mute: mute, _sink: sink }
    }

    /// The doctor about a configuration, with the site's own listener.
    fn doctor(&self, config: &str) -> Checkup {
        self.doctor_with(config, &self.mailward.address().to_string())
    }

    fn doctor_with(&self, config: &str, listen: &str) -> Checkup {
        let file = self.scratch.file("doctor.toml", format!("{config}\n[milter]\nlisten = [\"inet:{listen}\"]\n"));
        let (postfix, sendmail) = (self.postfix.configuration(), self.sendmail.clone());
        let text = |path: &PathBuf| path.to_str().expect("scratch paths are UTF-8").to_owned();
        Checkup::run(
            &self.scratch,
            &[
                "--config",
                &text(&file),
                "doctor",
                "--json",
                "--postfix-config",
                &text(&postfix),
                "--sendmail-config",
                &text(&sendmail),
            ],
        )
    }

    /// The configuration with one text in the place of another.
    fn with(&self, from: &str, to: &str) -> String {
        assert!(self.config.contains(from), "{from}");
        self.config.replace(from, to)
    }
}

/// What the doctor has said.
#[derive(Debug)]
struct Checkup {
    code: i32,
    checks: Vec<Value>,
}

impl Checkup {
    fn run(scratch: &Scratch, arguments: &[&str]) -> Checkup {
        let (code, output, errors) = mailward(scratch.path(), arguments);
        assert_eq!(errors, "", "{output}");
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Checkup { code, checks: output.lines().map(read).collect() }
    }

    fn bad(&self) -> Vec<&Value> {
        self.checks.iter().filter(|check| check["state"] == "problem" || check["state"] == "warning").collect()
    }

    /// One check is as bad as this, in this area, and says and advises so; it gives the area's other faults no voice.
    #[track_caller]
    fn finds(&self, state: &str, area: &str, says: &str, advice: &str) {
        let found = self.checks.iter().find(|check| {
            let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
            check["check"] == area && text("says").contains(says) && text("advice").contains(advice)
        });
        let found = found.unwrap_or_else(|| panic!("no {area} check with {says:?} and {advice:?}: {:#?}", self.bad()));
        assert_eq!(found["state"], state, "{found}");
        assert_eq!(self.code, i32::from(self.bad().iter().any(|check| check["state"] == "problem")));
    }
}

/// A resolver that forges an address for every name.
fn forging_resolver() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("a bound socket has an address");
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok((length, asker)) = socket.recv_from(&mut buffer) {
            let question = &buffer[..length];
            let name = question[12..].iter().position(|&byte| byte == 0).expect("names end");
            let mut answer = question[..12 + name + 5].to_vec();
            answer[2..12].copy_from_slice(&[0x84, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 66]);
            let _ = socket.send_to(&answer, asker);
        }
    });
    address
}

/// A scanner that calls everything clean, with signatures of 2024.
fn useless_scanner() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut asked = Vec::new();
            let mut buffer = [0; 65_536];
            let ends = |asked: &[u8]| match asked.starts_with(b"zINSTREAM\0") {
                true => asked.len() > 10 && asked.ends_with(&[0; 4]),
                false => asked.ends_with(b"\0"),
            };
            while !ends(&asked) {
                match stream.read(&mut buffer) {
                    Ok(length) if length > 0 => asked.extend_from_slice(&buffer[..length]),
                    _ => break,
                }
            }
            let answer: &[u8] = match asked.get(..5) {
                Some(b"zPING") => b"PONG\0",
                Some(b"zVERS") => b"ClamAV 1.0.7/27300/Mon Jun  3 08:20:30 2024\0",
                _ => b"stream: OK\0",
            };
            let _ = stream.write_all(answer);
        }
    });
    address
}

#[test]
fn sound_site_is_green_and_each_fault_of_its_services_has_its_own_advice() {
    let mut site = Sound::start();
    let sound = site.doctor(&site.config);
    assert_eq!((sound.code, sound.bad()), (0, vec![]));
    let areas = [
        "configuration",
        "state",
        "clock",
        "secrets",
        "rules",
        "dns",
        "blocklist",
        "mx",
        "directory",
        "clamd",
        "listener",
        "postfix",
        "sendmail",
    ];
    for area in areas {
        let checks: Vec<_> = sound.checks.iter().filter(|check| check["check"] == area).collect();
        // Nothing in the rig keeps the clock.
        assert!(checks.iter().any(|check| check["state"] == "ok" || area == "clock"), "{area}: {checks:?}");
    }

    let own = site.dns.address().to_string();
    let wrong = |server: SocketAddr| site.with(&own, &server.to_string());
    let forging = site.doctor(&wrong(forging_resolver()));
    forging.finds("problem", "dns", "does not exist", "another resolver");
    let garbage = GarbageServer::start(Manner::Silence);
    let dead = site.doctor(&wrong(garbage.address()));
    dead.finds("problem", "dns", "does not resolve example.com", "see whether the resolver runs");
    dead.finds("problem", "blocklist", "rig cannot be asked", "reaches the list");
    let empty = Dns::builder().start(&Scratch::new());
    site.doctor(&wrong(empty.address())).finds("problem", "dns", "says that example.com does not exist", "forwarders");

    for (zone, state, says, advice) in [
        ("refuses.test", "problem", "refuses our questions", "resolver of your own"),
        ("everything.test", "problem", "127.0.0.1", "take it out"),
        ("abandoned.test", "warning", "test entry 127.0.0.2", "spelled right"),
    ] {
        site.doctor(&site.with("dnsbl.test", zone)).finds(state, "blocklist", says, advice);
    }

    let garbage = GarbageServer::start(Manner::Flood);
    let socket = format!("unix:{}", site.clamd.socket().display());
    let noise = site.doctor(&site.with(&socket, &format!("inet:{}", garbage.address())));
    noise.finds("problem", "clamd", "not PONG", "names the socket of clamd");
    let useless = site.doctor(&site.with(&socket, &format!("inet:{}", useless_scanner())));
    useless.finds("problem", "clamd", "does not find the EICAR test file", "run freshclam");
    useless.finds("warning", "clamd", "days old", "whether freshclam runs");
    let large = site.doctor(&site.with("clamd_stream_max = \"1 MiB\"", "clamd_stream_max = \"25 MiB\""));
    large.finds("problem", "clamd", "does not take messages", "StreamMaxLength");
    site.clamd.kill();
    site.doctor(&site.config).finds("problem", "clamd", "does not answer", "start clamd");

    let password = site.scratch.path().join("reader.password");
    write(&password, "wrong\n");
    site.doctor(&site.config).finds("problem", "directory", "name or password is wrong", "bind_password_file");
    write(&password, "readpw\n");
    let base = site.doctor(&site.with("base = \"", "base = \"ou=nowhere,"));
    base.finds("problem", "directory", "base does not exist", "correct [directory.ldap] base");
    let everybody =
        site.doctor(&site.with("[directory.ldap]\n", "[directory.ldap]\nfilter = \"(objectClass=inetOrgPerson)\"\n"));
    everybody.finds("problem", "directory", "address of chance", "matches everybody");
    let strangers: Vec<_> = (0..120).map(|n| format!("stranger{n}@rig.test")).collect();
    let strangers: Vec<_> = strangers.iter().map(String::as_str).collect();
    let asked = site.mailward.command(&[&["directory", "lookup"], &strangers[..]].concat());
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    site.doctor(&site.config).finds(
        "warning",
        "directory",
        "of the recipients asked for lately are unknown",
        "dha list",
    );
    site.slapd.remove("postmaster");
    site.doctor(&site.config).finds("warning", "directory", "postmaster@rig.test", "accepted all the same");
    site.slapd.remove_everybody();
    site.doctor(&site.config).finds("problem", "directory", "knows nobody", "base and filter");
    site.slapd.kill();
    site.doctor(&site.config).finds("problem", "directory", "cannot be asked", "whether the server runs");

    let domain = |other: &str| site.with("domains = [\"rig.test\"]", &format!("domains = [\"{other}\"]"));
    site.doctor(&domain("nomx.test")).finds("warning", "mx", "has no MX", "publish one");
    site.doctor(&domain("nowhere.test")).finds("problem", "mx", "has no address", "A or AAAA");
    site.doctor(&domain("closed.test")).finds("problem", "mx", "mx.closed.test cannot be reached", "nobody listens");
    site.doctor(&domain("silent.test")).finds("warning", "mx", "no answer on port 25", "seems to be blocked");
    site.doctor(&domain("mute.test")).finds("warning", "mx", "does not greet", "hangs or waits");

    site.mailward.kill();
    site.doctor(&site.config).finds("problem", "listener", "refused", "start the daemon");
    let hung = GarbageServer::start(Manner::Silence);
    let hung = site.doctor_with(&site.config, &hung.address().to_string());
    hung.finds("problem", "listener", "does not answer", "hangs or another program");
    hung.finds("problem", "postfix", "mail passes unfiltered", "add Mailward to smtpd_milters");
    hung.finds("problem", "sendmail", "mail passes unfiltered", "INPUT_MAIL_FILTER");
    write(&site.sendmail, "O InputMailFilters=other\n");
    let one = site.doctor(&site.config);
    assert!(one.bad().iter().all(|check| check["check"] != "sendmail"), "Postfix asks, so Sendmail need not: {one:?}");
}

#[test]
fn each_fault_of_files_and_of_the_wiring_has_its_own_advice() {
    let mut site = Sound::start();
    let slow = site.doctor(&format!("{}\n[deadlines]\nreply = \"30s\"\nmessage = \"2m\"\n", site.config));
    for (area, says, advice) in [
        ("postfix", "command_timeout is 20s", "milter_command_timeout"),
        ("postfix", "content_timeout is 60s", "milter_content_timeout"),
        ("sendmail", "T=R is not above", "raise R:"),
        ("sendmail", "T=E is not above", "raise E:"),
    ] {
        slow.finds("problem", area, says, advice);
    }
    let socket = site.mailward.inet();
    site.postfix.reconfigure(&[
        ("smtpd_milters", &socket),
        ("non_smtpd_milters", &socket),
        ("milter_default_action", "accept"),
        ("milter_protocol", "2"),
    ]);
    let lax = site.doctor(&site.config);
    lax.finds("warning", "postfix", "passes unfiltered (default_action accept)", "default_action=tempfail");
    lax.finds("problem", "postfix", "milter_protocol is 2", "milter_protocol = 6");
    lax.finds("warning", "postfix", "mail of local programs", "leave it empty");
    write(&site.sendmail, std::fs::read_to_string(&site.sendmail).expect("it is there").replace("F=T", "F="));
    site.doctor(&site.config).finds("warning", "sendmail", "passes unfiltered", "F=T");

    let key = site.scratch.path().join("batv.key");
    set_mode(&key, 0o644);
    site.doctor(&site.config).finds("problem", "secrets", "mode 644", "chmod o=");
    std::fs::remove_file(&key).expect("the key can be removed");
    let keyless = site.doctor(&site.config);
    keyless.finds("problem", "secrets", "batv.key", "make the file");
    keyless.finds("problem", "configuration", "batv.key", "correct the file");
    site.scratch.file("batv.key", "0123456789abcdef\n");
    set_mode(&key, 0o600);

    let rules = site.scratch.path().join("own.yar");
    set_modified(&rules, SystemTime::now() - Duration::from_secs(200 * 86_400));
    site.doctor(&site.config).finds("warning", "rules", "own.yar was last changed 200 days ago", "still runs");
    write(&rules, "rule own { condition: nonsense }\n");
    site.doctor(&site.config).finds("problem", "configuration", "own.yar", "correct the file");
    write(&rules, "rule own { condition: false }\n");
    write(&site.scratch.path().join("deny.txt"), "not a network\n");
    site.doctor(&site.config).finds("problem", "configuration", "deny.txt:1", "correct the file");
    write(&site.scratch.path().join("deny.txt"), "192.0.2.0/24\n");

    let state = site.scratch.path().join("state");
    let stray = state.join("stray");
    write(&stray, "x");
    give_to(&stray, "nobody", None);
    site.doctor(&site.config).finds("problem", "state", "stray", "chown --reference");
    std::fs::remove_file(&stray).expect("it can be removed");
    let future = state.join("future");
    write(&future, "x");
    set_modified(&future, SystemTime::now() + Duration::from_secs(7200));
    site.doctor(&site.config).finds("problem", "clock", "in the future", "time service");
    std::fs::remove_file(&future).expect("it can be removed");
    set_mode(&state, 0o777);
    site.doctor(&site.config).finds("problem", "state", "written by everybody", "chmod o-w");
    set_mode(&state, 0o700);
    let missing = site.doctor(&site.with("/state\"", "/elsewhere\""));
    missing.finds("warning", "state", "is not there", "when the daemon starts");
    assert!(!site.scratch.path().join("elsewhere").exists(), "the doctor makes nothing");

    let disk = TinyDisk::mount(&site.scratch, 512);
    let other = format!("dir = \"{}\"", disk.path().display());
    let tiny = site.config.replace(&format!("dir = \"{}\"", state.display()), &other);
    site.doctor(&tiny).finds("problem", "state", "0 MiB free", "free some");
    disk.make_read_only();
    site.doctor(&tiny).finds("problem", "state", "cannot be written", "give that user the directory");

    let faulty = site.doctor(&format!("{}\n[limits]\nx = 1\n", site.config));
    assert_eq!(faulty.code, 2);
    assert!(faulty.checks[0]["says"].as_str().is_some_and(|says| says.contains("unknown key \"x\"")), "{faulty:?}");
}

#[test]
fn doctor_talks_to_people_without_colours_in_a_pipe_and_leaves_no_traces() {
    let scratch = Scratch::new();
    let file = scratch.file("mailward.toml", offline(&scratch, ""));
    let (code, output, errors) = mailward(scratch.path(), &["doctor", "--config", file.to_str().expect("UTF-8")]);
    assert_eq!((code, errors.as_str()), (1, ""), "no resolver, no daemon: {output}");
    assert!(!output.contains('\u{1b}'), "{output}");
    assert!(output.contains("→ see whether the resolver runs"), "{output}");
    assert!(output.lines().last().is_some_and(|line| line.contains(" ok, ") && line.contains("problems")), "{output}");
    assert!(!scratch.path().join("state").exists(), "the doctor makes nothing");
}
