//! Waiting for something to become true.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long the rig waits for a program to start or to react before the test fails. Generous, as test machines are
/// busy; nothing ever waits that long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until `look` finds something, and returns that.
///
/// # Panics
/// After `limit`, naming `what` was awaited.
pub fn wait_for<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        sleep(PAUSE);
    }
}

/// Waits until `look` says yes.
///
/// # Panics
/// After `limit`, naming `what` was awaited.
pub fn wait_until(limit: Duration, what: &str, mut look: impl FnMut() -> bool) {
    wait_for(limit, what, || look().then_some(()));
}
