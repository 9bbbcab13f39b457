//! Directory, DNS, scanner, broken servers.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::{Command, Output};
use std::time::Duration;

use mailward_tests::clamd::{self, Clamd};
use mailward_tests::dns::{Dns, Record, reversed};
use mailward_tests::garbage::{GarbageServer, Manner};
use mailward_tests::process::{Signal, program, run};
use mailward_tests::scratch::Scratch;
use mailward_tests::slapd::{Group, Person, Slapd};
use mailward_tests::tls::Authority;

fn found(search: &Output) -> bool {
    String::from_utf8_lossy(&search.stdout).contains("dn: ")
}

#[test]
fn directory_answers_over_ldap_start_tls_and_ldaps() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let slapd = Slapd::builder()
        .person(Person::new("alice", "rig.test").alias("a.liddell@rig.test"))
        .group(Group::new("team", "rig.test", &["alice"]))
        .start(&scratch, &authority);
    for how in [vec!["-H", &slapd.url()], vec!["-ZZ", "-H", &slapd.url()], vec!["-H", &slapd.tls_url()]] {
        for filter in ["(mail=alice@rig.test)", "(proxyAddresses=smtp:A.Liddell@rig.test)", "(mail=team@rig.test)"] {
            assert!(found(&slapd.search(&how, filter)), "{how:?} {filter}");
        }
        let nobody = slapd.search(&how, "(mail=nobody@rig.test)");
        assert!(nobody.status.success() && !found(&nobody), "{how:?}");
    }
}

#[test]
fn directory_changes_empties_crashes_and_comes_back() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let mut slapd = Slapd::builder().people(3, "rig.test").start(&scratch, &authority);
    let url = slapd.url();
    let finds = |slapd: &Slapd, uid: &str| found(&slapd.search(&["-H", &url], &format!("(uid={uid})")));
    assert!(finds(&slapd, "user3"));
    slapd.add(&Person::new("late", "rig.test"));
    slapd.remove("user3");
    assert!(finds(&slapd, "late") && !finds(&slapd, "user3"));
    slapd.kill();
    assert!(!slapd.search(&["-H", &url], "(uid=late)").status.success());
    slapd.restart();
    assert!(finds(&slapd, "late"));
    slapd.remove_everybody();
    assert!(!finds(&slapd, "late"));
    slapd.remove_branch();
    assert!(!finds(&slapd, "late"));
}

/// What `dig` prints in short form.
fn dig(dns: &Dns, question: &[&str]) -> String {
    let mut dig = Command::new(program("dig", "bind9-dnsutils"));
    dig.args(["+short", "+tries=1", "+time=2", "@127.0.0.1", "-p", &dns.address().port().to_string()]);
    String::from_utf8(run(dig.args(question))).expect("dig prints text").trim().to_owned()
}

/// The status in the header that `dig` prints.
fn dig_status(dns: &Dns, name: &str) -> String {
    let mut dig = Command::new(program("dig", "bind9-dnsutils"));
    dig.args(["+tries=1", "+time=1", "@127.0.0.1", "-p", &dns.address().port().to_string(), name]);
    let output = mailward_tests::process::output(&mut dig);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let status = text.split_once("status: ").and_then(|(_, rest)| rest.split(',').next());
    status.unwrap_or("no answer").to_owned()
}

#[test]
fn dns_serves_exactly_the_records_of_the_test() {
    let scratch = Scratch::new();
    let long = format!("v=DKIM1; k=rsa; p={}", "A".repeat(392));
    let dns = Dns::builder()
        .txt("example.net", "v=spf1 ip4:198.51.100.0/24 -all")
        .txt("s._domainkey.example.net", &long)
        .mx("example.net", "mail.example.net")
        .host("198.51.100.7", "mail.example.net")
        .a("site.test", "2001:db8::25")
        .refused("refused.example")
        .silent("silent.example")
        .failing("failing.example")
        .start(&scratch);
    assert_eq!(dig(&dns, &["example.net", "TXT"]), "\"v=spf1 ip4:198.51.100.0/24 -all\"");
    assert_eq!(dig(&dns, &["s._domainkey.example.net", "TXT"]).replace("\" \"", "").trim_matches('"'), long);
    assert_eq!(dig(&dns, &["example.net", "MX"]), "10 mail.example.net.");
    assert_eq!(dig(&dns, &["mail.example.net"]), "198.51.100.7");
    assert_eq!(dig(&dns, &["-x", "198.51.100.7"]), "mail.example.net.");
    assert_eq!(dig(&dns, &["site.test", "AAAA"]), "2001:db8::25");
    assert_eq!(dig_status(&dns, "other.example.net"), "NXDOMAIN");
    assert_eq!(dig_status(&dns, "nothing.example.org"), "NXDOMAIN");
    assert_eq!(dig_status(&dns, "_dmarc.nothing.test"), "NXDOMAIN");
    assert_eq!(dig_status(&dns, "x.refused.example"), "REFUSED");
    assert_eq!(dig_status(&dns, "x.silent.example"), "no answer");
    assert_eq!(dig_status(&dns, "x.failing.example"), "SERVFAIL");
    dns.add(&Record::txt("late.example.net", "now"));
    assert_eq!(dig(&dns, &["late.example.net", "TXT"]), "\"now\"");
    dns.remove("late.example.net");
    assert_eq!(dig_status(&dns, "late.example.net"), "NXDOMAIN");
    assert_eq!(dns.asked("late.example.net"), 2);
}

#[test]
fn block_lists_answer_for_addresses_of_both_families_and_change_at_run_time() {
    let scratch = Scratch::new();
    let mut dns = Dns::builder()
        .listed("198.51.100.66")
        .listed("2001:db8:bad::/48")
        .listed_at("all.test", "0.0.0.0/0", "127.255.255.254")
        .start(&scratch);
    let ask = |dns: &Dns, address: &str, list: &str| dig(dns, &[&reversed(address.parse().expect("an address"), list)]);
    assert_eq!(ask(&dns, "198.51.100.66", "dnsbl.test"), "127.0.0.2");
    assert_eq!(ask(&dns, "2001:db8:bad::1", "dnsbl.test"), "127.0.0.2");
    assert_eq!(ask(&dns, "203.0.113.9", "all.test"), "127.255.255.254");
    assert_eq!(ask(&dns, "203.0.113.9", "dnsbl.test"), "");
    dns.list("dnsbl.test", "203.0.113.0/24", "127.0.0.10");
    assert_eq!(ask(&dns, "203.0.113.9", "dnsbl.test"), "127.0.0.10");
    dns.clear_lists();
    assert_eq!(ask(&dns, "203.0.113.9", "dnsbl.test"), "");
    assert_eq!(ask(&dns, "198.51.100.66", "dnsbl.test"), "");
}

#[test]
fn dns_hangs_crashes_and_comes_back() {
    let scratch = Scratch::new();
    let mut dns = Dns::builder().a("site.test", "192.0.2.1").start(&scratch);
    dns.signal(Signal::Stop);
    assert_eq!(dig_status(&dns, "site.test"), "no answer");
    dns.signal(Signal::Continue);
    assert_eq!(dig(&dns, &["site.test"]), "192.0.2.1");
    dns.kill();
    assert_eq!(dig_status(&dns, "site.test"), "no answer");
    dns.restart();
    assert_eq!(dig(&dns, &["site.test"]), "192.0.2.1");
}

#[test]
fn scanner_finds_both_signatures_over_unix_and_tcp_and_survives_a_crash() {
    let scratch = Scratch::new();
    let mut clamd = Clamd::start(&scratch);
    let eicar = format!("stream: {} FOUND", clamd::EICAR_NAME);
    assert_eq!(clamd.scan(&clamd::eicar()).expect("an answer"), eicar);
    assert_eq!(clamd.scan_over_tcp(&clamd::eicar()).expect("an answer"), eicar);
    let text = format!("Hello {}, goodbye", clamd::BODY);
    assert_eq!(clamd.scan(text.as_bytes()).expect("an answer"), format!("stream: {} FOUND", clamd::BODY_NAME));
    assert_eq!(clamd.scan(b"Hello").expect("an answer"), "stream: OK");
    clamd.kill();
    assert!(clamd.scan(b"Hello").is_err());
    clamd.restart();
    assert_eq!(clamd.ask(b"zPING\0").expect("an answer"), "PONG");
}

#[test]
fn broken_server_is_silent_or_noisy_or_hangs_up() {
    let ask = |server: &GarbageServer| {
        let mut stream = TcpStream::connect(server.address()).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout can be set");
        stream.write_all(b"hello").expect("it reads");
        stream.read(&mut [0; 16]).ok()
    };
    let silent = GarbageServer::start(Manner::Silence);
    assert_eq!(ask(&silent), None);
    assert_eq!(silent.asked(), 1);
    assert_eq!(ask(&GarbageServer::start(Manner::HangUp)), Some(0));
    let noisy = GarbageServer::start(Manner::Noise);
    assert_eq!(ask(&noisy), Some(16));
    assert_eq!(ask(&GarbageServer::start(Manner::Flood)), Some(16));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout can be set");
    socket.send_to(b"MW?", noisy.address()).expect("it listens");
    let mut answer = [0; 128];
    let (length, _) = socket.recv_from(&mut answer).expect("it answers");
    assert!(length > 12 && answer.starts_with(b"MW"));
    let port = noisy.address().port();
    drop(noisy);
    GarbageServer::start_on(port, Manner::Silence);
}
