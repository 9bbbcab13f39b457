//! Directory, scanner, DNS, disk and the daemon itself fail in mid-traffic: each time what the configuration says comes
//! of it, and every message is accounted for. The tests of this folder send more than 2,000 messages in all.

mod clamd;
mod daemon;
mod directory;
mod dns;
mod soak;

use std::thread::sleep;
use std::time::Duration;

use mailward_tests::mailward::Mailward;
use mailward_tests::traffic::{Mail, Sent, Traffic};

/// Short waits, so that hung services cost little time; harvest protection has tests of its own.
const QUICK: &str = "[deadlines]\nreply = \"1500ms\"\nmessage = \"2s\"\n[dha]\nmode = \"off\"\n";
/// Clients that send at a time.
const CLIENTS: usize = 8;

/// What a lookup without an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnTrouble {
    Skip,
    Defer,
}

impl OnTrouble {
    fn word(self) -> &'static str {
        match self {
            OnTrouble::Skip => "skip",
            OnTrouble::Defer => "defer",
        }
    }

    /// What the client must hear about mail that the lookup would have let pass.
    fn assert_meant(self, sent: &Sent) {
        match self {
            OnTrouble::Skip => assert!(sent.is_accepted(), "{self:?}: {sent:?}"),
            OnTrouble::Defer => {
                let code = sent.reply.enhanced().unwrap_or_default();
                assert!(sent.reply.code == 451 && code.starts_with("4."), "{self:?}: {sent:?}");
                assert!(sent.reply.contains("[ref "), "Mailward itself says so: {sent:?}");
            }
        }
    }
}

fn mail(from: &str, to: &str, body: &str) -> Mail {
    let text = format!("From: {from}\nTo: {to}\nSubject: traffic\n\n{body}\n");
    Mail { from: from.to_owned(), to: to.to_owned(), text }
}

/// A batch in whose middle something happens. What its messages hear depends on when; that they hear something, and
/// arrive only if accepted, is checked in the end.
fn in_mid_traffic(traffic: &Traffic, count: u64, happens: impl FnOnce()) {
    let batch = traffic.start(count);
    traffic.wait_for(&batch, count / 3);
    happens();
    traffic.finish(&batch);
}

/// Sends small batches until all is well again.
fn until_well(traffic: &Traffic, is_well: impl Fn(&Sent) -> bool) {
    for _ in 0..100 {
        if traffic.run(CLIENTS as u64).iter().all(&is_well) {
            return;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("things do not become well again");
}

/// Whether a message or refused transaction was logged with this finding.
fn was_found(mailward: &Mailward, finding: &str) -> bool {
    let finding = format!("{finding}:");
    let findings = |line: &serde_json::Value| line["findings"].as_str().unwrap_or_default().to_owned();
    mailward.log().iter().any(|line| findings(line).split(',').any(|found| found.starts_with(&finding)))
}
