//! The account of traffic is exact: it is the measure of "nothing lost".

use std::panic::{AssertUnwindSafe, catch_unwind};

use mailward_tests::disk::TinyDisk;
use mailward_tests::nxdomain::NxDomain;
use mailward_tests::postfix::Postfix;
use mailward_tests::process::{program, run};
use mailward_tests::scratch::Scratch;
use mailward_tests::sink::Sink;
use mailward_tests::traffic::{Mail, Traffic};

fn mail(number: u64) -> Mail {
    // Every fifth recipient is unknown.
    let to = if number % 5 == 4 { "nobody@rig.test" } else { "alice@rig.test" };
    Mail { from: "a@example.net".to_owned(), to: to.to_owned(), text: "Subject: x\n\nx\n".to_owned() }
}

#[test]
fn account_of_traffic_balances_and_a_lost_message_is_noticed() {
    let scratch = Scratch::new();
    let sink = Sink::start();
    let postfix = Postfix::delivering_to(&sink).recipients(["alice@rig.test"]).start(&scratch);
    let traffic = Traffic::new(postfix.address(), 4, 3, mail);
    assert!(traffic.run(20).iter().all(|sent| sent.is_accepted() != (sent.number % 5 == 4)));
    let batch = traffic.start(30);
    traffic.wait_for(&batch, 10);
    assert_eq!(traffic.finish(&batch).len(), 30);
    let sent = traffic.account(&sink);
    assert_eq!((sent.len(), sent.iter().filter(|sent| sent.is_refused()).count(), sink.count()), (50, 10, 40));

    let traffic = Traffic::new(postfix.address(), 1, 1, |_| mail(0));
    traffic.run(2);
    sink.wait_for(42);
    let account = catch_unwind(AssertUnwindSafe(|| traffic.account(&sink)));
    assert!(account.is_err(), "the sink has had messages with these numbers before");
}

#[test]
fn tiny_disk_fills_up_and_turns_read_only() {
    let scratch = Scratch::new();
    let disk = TinyDisk::mount(&scratch, 256);
    let write = || std::fs::write(disk.path().join("file"), [0; 10_000]).is_ok();
    assert!(write());
    std::fs::remove_file(disk.path().join("file")).expect("it was written");
    disk.fill();
    assert!(!write());
    disk.free();
    assert!(write());
    disk.make_read_only();
    assert!(!write());
}

#[test]
fn empty_dns_denies_everything_at_once() {
    let dns = NxDomain::start();
    let mut dig = std::process::Command::new(program("dig", "bind9-dnsutils"));
    let port = dns.address().port().to_string();
    let answer = run(dig.args(["+tries=1", "+time=2", "@127.0.0.1", "-p", &port, "a.b.example", "TXT"]));
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("status: NXDOMAIN") && answer.contains("SOA"), "{answer}");
}
