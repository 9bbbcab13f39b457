//! What is counted when a message has been judged.

use super::{DAY, History, Identity, Kind, Learned};
use crate::store::Ledger;
use serde::{Deserialize, Serialize};

/// Most messages a day by which one address speaks for its network, autonomous system and operator. Unit: messages of
/// one kind. Source: our own limit: so one host can neither spoil nor earn the reputation of its neighbours; the counts
/// of a network are then about how many of its hosts send what.
const SPOKESMAN: u64 = 3;

/// What a message was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Experience {
    /// Spam or malware.
    Bad,
    /// Wanted.
    Good,
}

impl Experience {
    /// Both, in the order in which counters are read.
    pub(super) const BOTH: [Experience; 2] = [Experience::Bad, Experience::Good];

    /// The word in keys.
    pub fn word(self) -> &'static str {
        match self {
            Experience::Bad => "bad",
            Experience::Good => "good",
        }
    }
}

impl Learned {
    /// Counts one message of a client. `client` is what was asked about it at connect, `sender` what was asked at the end of
    /// the message, `earlier` how many messages of this connection were counted since.
    pub fn record_message(
        &self,
        ledger: &Ledger,
        client: &History,
        sender: &History,
        experience: Experience,
        earlier: u64,
        now: i64,
    ) {
        let speaks = self.today(client, experience, now).saturating_add(earlier) < SPOKESMAN;
        let identities = client.known.iter().chain(&sender.known).map(|known| &known.identity);
        for identity in identities.filter(|identity| speaks || !identity.kind.is_shared()) {
            self.record(ledger, identity, experience, 1, now);
        }
    }

    /// Counts `amount` messages of one identity: for corrections by people, whose word may weigh more than one message.
    pub fn record(&self, ledger: &Ledger, identity: &Identity, experience: Experience, amount: u64, now: i64) {
        if self.settings.enabled {
            ledger.add(&identity.key(experience), amount, self.window(), now);
        }
    }

    /// Messages of the client that were counted today.
    fn today(&self, client: &History, experience: Experience, now: i64) -> u64 {
        let address = client.known.iter().find(|known| known.identity.kind == Kind::Address);
        let midnight = now - now.rem_euclid(DAY);
        address.map_or(0, |known| match experience {
            Experience::Bad => known.bad.since(midnight),
            Experience::Good => known.good.since(midnight),
        })
    }
}
