//! What waits in Sendmail's queue.

use super::Sendmail;
use crate::process::run;

/// A message in quarantine, as `mailq -qQ` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The queue id.
    pub id: String,
    /// Why, as the filter has said.
    pub reason: String,
    /// The recipients.
    pub to: Vec<String>,
}

impl Sendmail {
    /// The queue without quarantine, as `mailq` prints it.
    pub fn queue(&self) -> String {
        self.print_queue(&["-bp"])
    }

    /// What is in quarantine.
    pub fn quarantined(&self) -> Vec<Quarantined> {
        parse(&self.print_queue(&["-bp", "-qQ"]))
    }

    /// Lets a message out of quarantine; the next queue run delivers it.
    pub fn release(&self, id: &str) {
        run(&mut self.command("sendmail.cf", &["-Q", "-qQ", &format!("-qI{id}")]));
    }

    fn print_queue(&self, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&run(&mut self.command("sendmail.cf", arguments))).into_owned()
    }
}

/// Entries look like
/// ```text
/// 6AM4A6EP002019       14 Sun Nov 22 04:10 <a@example.net>
///      QUARANTINE: the reason
///                                          <alice@rig.test>
/// ```
fn parse(listing: &str) -> Vec<Quarantined> {
    let mut entries: Vec<Quarantined> = Vec::new();
    for line in listing.lines() {
        let text = line.trim();
        if let Some(entry) = entries.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
            if let Some(reason) = text.strip_prefix("QUARANTINE: ") {
                entry.reason = reason.to_owned();
            } else if let Some(address) = text.strip_prefix('<').and_then(|t| t.strip_suffix('>')) {
                entry.to.push(address.to_owned());
            }
        } else if let Some(id) = text.split([' ', '*']).next().filter(|id| is_queue_id(id)) {
            entries.push(Quarantined { id: id.to_owned(), reason: String::new(), to: Vec::new() });
        }
    }
    entries
}

/// Eight signs for the time and the order within it, six for the process.
fn is_queue_id(word: &str) -> bool {
    word.len() == 14 && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn listing_of_the_quarantine_is_understood() {
        let listing = "\t\t/q (1 request)\n-----Q-ID----- --Size-- -----Q-Time----- ------Sender/Recipient------\n\
                       6AM4A6EP002019       14 Sun Nov 22 04:10 <a@example.net>\n      QUARANTINE: look first\n\
                       \x20                                        <alice@rig.test>\n\t\tTotal requests: 1\n";
        let entries = parse(listing);
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert_eq!(
            (entries[0].id.as_str(), entries[0].reason.as_str(), entries[0].to.as_slice()),
            ("6AM4A6EP002019", "look first", ["alice@rig.test".to_owned()].as_slice())
        );
    }
}
