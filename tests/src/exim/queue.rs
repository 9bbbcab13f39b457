//! What waits in Exim's queue.

use super::{Exim, exim};
use crate::process::run;

/// A message in the queue, as `exim -bp` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The queue id.
    pub id: String,
    /// Whether it waits for an administrator.
    pub frozen: bool,
    /// The recipients that have not got it.
    pub to: Vec<String>,
}

impl Exim {
    /// What is in the queue.
    pub fn queue(&self) -> Vec<Queued> {
        parse(&String::from_utf8_lossy(&run(exim(&self.folder).arg("-bp"))))
    }

    /// Thaws a frozen message; the next queue run delivers it.
    pub fn release(&self, id: &str) {
        run(exim(&self.folder).args(["-Mt", id]));
    }
}

/// Entries look like
/// ```text
///  0m   573 1vMkJt-00005d-1X <a@example.net> *** frozen ***
///           alice@rig.test
/// ```
fn parse(listing: &str) -> Vec<Queued> {
    let mut entries: Vec<Queued> = Vec::new();
    for line in listing.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            [_, _, id, _, rest @ ..] => {
                let frozen = rest.contains(&"frozen");
                entries.push(Queued { id: (*id).to_owned(), frozen, to: Vec::new() });
            }
            [address] => entries.last_mut().expect("recipients follow their message").to.push((*address).to_owned()),
            _ => {}
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn listing_of_the_queue_is_understood() {
        let listing = " 0m   573 1vMkJt-00005d-1X <a@example.net> *** frozen ***\n          alice@rig.test\n\n\
                       \x2012m  1.2K 1vMkJu-00005e-2X <>\n        D bob@rig.test\n          carol@rig.test\n";
        let entries = parse(listing);
        let seen: Vec<_> = entries.iter().map(|e| (e.id.as_str(), e.frozen, e.to.join(","))).collect();
        assert_eq!(
            seen,
            [
                ("1vMkJt-00005d-1X", true, "alice@rig.test".to_owned()),
                ("1vMkJu-00005e-2X", false, "carol@rig.test".to_owned())
            ]
        );
    }
}
