//! What was learned counts for the next connection, also where the daemon has read the configuration for all of them.

use mailward_tests::scratch::Scratch;

use super::Site;
use crate::doors::letters::piles;
use crate::site::message;

#[test]
fn learned_model_counts_for_the_next_connection() {
    for preload in [false, true] {
        let scratch = Scratch::new();
        let builder = Site::builder(&scratch, "");
        let site = builder.exim(|exim| if preload { exim.set("MAILWARD_PRELOAD", "yes") } else { exim }).start();
        let judged = |from: &str| {
            let text = message(from, "draft", "project minutes, the draft budget of the meeting");
            assert!(site.send_to_alice(from, text).is_accepted());
            site.ask(&["explain", "--last", "1", "--json"])
        };
        assert!(!judged("before@example.net").contains("spam.classifier"));
        for (class, pile) in piles(&scratch) {
            assert!(site.exim.mailward(&["learn", class, &pile]).status.success());
        }
        let after = judged("after@example.net");
        assert!(after.contains("after@example.net") && after.contains("spam.classifier"), "preload {preload}: {after}");
    }
}
