//! The short form of `make soak`.

use std::time::Duration;

use mailward_tests::soak::{self, Plan};

#[test]
fn every_message_is_accounted_for_while_everything_fails_in_turn() {
    let account = soak::run(Plan {
        messages: 500,
        clients: 8,
        rate: 60.0,
        fault: (Duration::from_millis(300), Duration::from_millis(700)),
        pause: Duration::ZERO,
        settling: Duration::from_secs(60),
    });
    println!("{account}");
    account.assert_kept();
    assert!(account.retried > 0 && account.attempts > account.messages, "clients have noticed the faults: {account}");
}
