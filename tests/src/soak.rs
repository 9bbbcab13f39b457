//! Mail for a whole site while its parts fail in turn, with an account of every message and recipient in the end.
//!
//! The clients behave as MTAs do: what is deferred, or ends without a reply, is sent again later, to the recipients
//! that are left. A message that a client was told `250` about must arrive, as often as it was told so; once more only
//! for each time that the reply to its content was lost, as SMTP cannot tell then. What has to be refused (malware,
//! unknown recipients, listed clients) must never be taken, whatever fails; what has to be taken must never be refused
//! for good.

mod account;
mod clients;
mod faults;
mod letter;
mod site;

use std::time::{Duration, Instant};

pub use account::Account;

use crate::scratch::Scratch;
use clients::Clients;
use faults::Faults;
use site::Site;

/// How long things fail, and what is sent meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Fewest messages to send; more go on until every fault has met all kinds of mail.
    pub messages: u64,
    /// Sessions at a time.
    pub clients: usize,
    /// New messages a second.
    pub rate: f64,
    /// Shortest and longest fault; each lasts longer if mail of a kind has not met it.
    pub fault: (Duration, Duration),
    /// Shortest pause between two faults; it lasts until mail of every kind is settled again.
    pub pause: Duration,
    /// Longest time from the last fault until every message is settled.
    pub settling: Duration,
}

/// Runs a plan to its end. Every kind of fault happens at least once.
///
/// # Panics
/// If a part of the site cannot be started, or messages are not settled in time.
pub fn run(plan: Plan) -> Account {
    let started = Instant::now();
    let scratch = Scratch::new();
    let mut site = Site::start(&scratch);
    let clients = Clients::start(site.postfix.address(), plan);
    let mut faults = Faults::default();
    clients.wait_well(plan.pause);
    while faults.kinds_left() || !clients.have_sent_enough() {
        faults.next(&mut site, &clients, &plan);
    }
    let (letters, deferred) = clients.finish();
    let discarded = site.discards_on_record();
    let mut account = Account::of(&letters, &site, &discarded);
    account.faults = faults.counts();
    account.recoveries = faults.recoveries();
    account.deferred = deferred;
    account.took = started.elapsed();
    account
}
