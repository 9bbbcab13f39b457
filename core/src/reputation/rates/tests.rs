use super::*;
use crate::store::Counters;
use std::time::Duration;

const TRUST: Trust = Trust { messages: 50, window: Window { bucket: 86_400, keep: 30 * 86_400 } };

fn network(last: u8) -> ClientNetwork {
    ClientNetwork::of([198, 51, 100, last].into())
}

/// A process that shares its counters with others.
struct Process(Settings, Meter, Ledger);

impl Process {
    fn new(settings: &Settings, counters: &Counters) -> Self {
        Process(settings.clone(), Meter::default(), Ledger::new(counters.clone()))
    }

    fn books(&self) -> Books<'_> {
        Books { settings: &self.0, meter: &self.1, ledger: &self.2 }
    }

    async fn ask(&self, network: ClientNetwork, now: i64) -> Answers {
        ask(self.books(), network, (1, 1), TRUST, now, Deadline::after(Duration::from_secs(5))).await
    }

    /// Brings a message, if it may.
    async fn bring(&self, network: ClientNetwork, now: i64) -> Result<(), Excess> {
        match judge(&self.0, &self.ask(network, now).await, false) {
            Some(excess) => Err(excess),
            None => {
                note(self.books(), network, Counts::only(Kind::Messages, 1), now);
                Ok(())
            }
        }
    }
}

fn messages(limit: u64) -> Settings {
    Settings { network: Counts::only(Kind::Messages, limit), ..Settings::default() }
}

#[tokio::test]
async fn past_its_rate_a_network_waits_until_the_window_has_passed_and_others_do_not() {
    let process = Process::new(&messages(3), &Counters::in_memory());
    for n in 0..3 {
        assert_eq!(process.bring(network(1), 1_000 + n).await, Ok(()));
    }
    let excess = process.bring(network(1), 1_003).await.expect_err("the fourth");
    assert_eq!((excess.because(), excess.count, excess.limit), ("rate of messages", 4, 3));
    assert_eq!(excess.reply().to_string(), "450 4.7.1 Too many messages, please try again later");
    assert_eq!(process.bring(network(2), 1_003).await, Ok(()));
    assert_eq!(process.bring(network(1), 1_080).await, Ok(()));
}

#[tokio::test]
async fn processes_share_the_rate_of_a_network() {
    let counters = Counters::in_memory();
    let (one, other) = (Process::new(&messages(4), &counters), Process::new(&messages(4), &counters));
    for process in [&one, &other, &one, &other] {
        assert_eq!(process.bring(network(1), 1_000).await, Ok(()));
    }
    assert!(one.bring(network(1), 1_000).await.is_err() && other.bring(network(1), 1_000).await.is_err());
}

#[tokio::test]
async fn the_site_has_a_rate_of_its_own() {
    let settings = Settings { site: Counts::only(Kind::Messages, 2), ..messages(100) };
    let process = Process::new(&settings, &Counters::in_memory());
    assert_eq!(process.bring(network(1), 1_000).await, Ok(()));
    assert_eq!(process.bring(network(2), 1_000).await, Ok(()));
    let excess = process.bring(network(3), 1_000).await.expect_err("the third of all");
    assert!(excess.of_site);
    assert_eq!(excess.reply().code(), 451);
}

#[tokio::test]
async fn a_network_that_has_delivered_much_may_bring_ten_times_as_much() {
    let counters = Counters::in_memory();
    let process = Process::new(&messages(1), &counters);
    process.2.add(&format!("delivered/{}", network(1)), TRUST.messages, TRUST.window, 1_000);
    for _ in 0..10 {
        assert_eq!(process.bring(network(1), 1_000).await, Ok(()));
    }
    assert_eq!(process.bring(network(1), 1_000).await.expect_err("the eleventh").limit, 10);
}

#[test]
fn a_connection_past_the_limit_is_closed_and_those_before_it_stay() {
    let settings = Settings::default();
    let answers = |network_at_once| Answers { network_at_once, ..Answers::default() };
    assert_eq!(judge(&settings, &answers(50), true), None);
    let excess = judge(&settings, &answers(51), true).expect("one too many");
    assert_eq!((excess.what, excess.reply().code()), (What::AtOnce, 421));
    assert_eq!(judge(&settings, &answers(51), false), None);
    let finding = excess.finding(&settings);
    assert_eq!((&*finding.id, &*finding.source), ("rates.at-once", "[rates] at_once"));
}

#[test]
fn zero_is_no_limit() {
    let none = Settings { network: Counts::default(), network_at_once: 0, ..Settings::default() };
    let many = Counts { connections: 1 << 40, messages: 1 << 40, recipients: 1 << 40, bytes: 1 << 50 };
    let answers =
        Answers { network: many, site: many, network_at_once: 1 << 20, site_at_once: 1 << 20, trusted: false };
    assert_eq!(judge(&none, &answers, true), None);
}
