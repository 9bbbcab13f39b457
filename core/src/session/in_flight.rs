//! What all sessions hold at the moment, by client network: connections, messages, bytes. Nothing here is written down,
//! and all of it is given back when its holder is dropped.

use super::{ClientNetwork, Limits};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Memory is taken from the account in steps, so that a header field costs no lock. Unit: bytes.
const STEP: usize = 16 << 10;

/// Connections, messages and bytes in flight; shared by all sessions and kept across reloads.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<Mutex<Table>>);

/// What the site or one network holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Connections.
    pub connections: usize,
    /// Messages, from MAIL to the answer to their end.
    pub messages: usize,
    /// Memory of messages.
    pub bytes: usize,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The site is at its limit.
    Site,
    /// The site is past half of its limit, and the network holds its share.
    Share,
}

#[derive(Debug, Default)]
struct Table {
    site: Held,
    /// Networks that hold something.
    networks: HashMap<ClientNetwork, Held>,
    /// Those of them that hold a message.
    active: usize,
}

impl Table {
    /// Admits more for a network if `held + more` of the site stays within `limit`, and that of the network within its
    /// share once half of the limit is taken. `None` as network has no share: it is exempt, or unknown.
    fn admit(&self, network: Option<ClientNetwork>, more: usize, limit: usize, of: fn(&Held) -> usize) -> Option<Full> {
        let site = of(&self.site).saturating_add(more);
        if site > limit {
            return Some(Full::Site);
        }
        let own = self.networks.get(&network?).copied().unwrap_or_default();
        let active = self.active + usize::from(own.messages == 0);
        let share = (limit / active.max(1)).max(1);
        (site > limit / 2 && of(&own) > 0 && of(&own).saturating_add(more) > share).then_some(Full::Share)
    }

    fn change(&mut self, network: Option<ClientNetwork>, change: impl Fn(&mut Held)) {
        change(&mut self.site);
        let Some(network) = network else { return };
        let own = self.networks.entry(network).or_default();
        let before = own.messages > 0;
        change(own);
        let (after, empty) = (own.messages > 0, *own == Held::default());
        match (before, after) {
            (false, true) => self.active += 1,
            (true, false) => self.active -= 1,
            _ => {}
        }
        if empty {
            self.networks.remove(&network);
        }
    }
}

impl InFlight {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection while the answer lives. `None` as network counts for the site only.
    pub fn enter(&self, network: Option<ClientNetwork>) -> Presence {
        let mut table = self.table();
        table.change(network, |held| held.connections += 1);
        let of_network = network.and_then(|network| table.networks.get(&network)).map_or(0, |held| held.connections);
        Presence { in_flight: self.clone(), network, of_network, of_site: table.site.connections }
    }

    /// Admits one more message.
    ///
    /// # Errors
    ///
    /// If there is no room for it.
    pub fn admit(&self, limits: &Limits, network: Option<ClientNetwork>) -> Result<Ticket, Full> {
        let mut table = self.table();
        if let Some(full) = table.admit(network, 1, limits.messages_in_flight, |held| held.messages) {
            return Err(full);
        }
        table.change(network, |held| held.messages += 1);
        Ok(Ticket { in_flight: self.clone(), network, taken: 0, used: 0 })
    }

    /// What the site holds.
    pub fn site(&self) -> Held {
        self.table().site
    }

    /// What a network holds.
    pub fn of(&self, network: ClientNetwork) -> Held {
        self.table().networks.get(&network).copied().unwrap_or_default()
    }

    /// Messages admitted now.
    pub fn messages(&self) -> usize {
        self.site().messages
    }

    /// Bytes accounted for now.
    pub fn bytes(&self) -> usize {
        self.site().bytes
    }
}

/// The place of one connection among those counted; given back when dropped.
#[derive(Debug)]
pub struct Presence {
    in_flight: InFlight,
    network: Option<ClientNetwork>,
    of_network: usize,
    of_site: usize,
}

impl Presence {
    /// Connections of its network when it began, itself included.
    pub fn of_network(&self) -> usize {
        self.of_network
    }

    /// Connections of the site when it began, itself included.
    pub fn of_site(&self) -> usize {
        self.of_site
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.in_flight.table().change(self.network, |held| held.connections -= 1);
    }
}

/// The place of one message among those in flight; given back when dropped.
#[derive(Debug)]
pub struct Ticket {
    in_flight: InFlight,
    network: Option<ClientNetwork>,
    taken: usize,
    used: usize,
}

impl Ticket {
    /// Accounts for more bytes; `false` if there is no room for them.
    pub fn grow(&mut self, more: usize, limits: &Limits) -> bool {
        self.used += more;
        let Some(missing) = self.used.checked_sub(self.taken).filter(|&missing| missing > 0) else { return true };
        let mut table = self.in_flight.table();
        for step in [missing.max(STEP), missing] {
            if table.admit(self.network, step, limits.bytes_in_flight, |held| held.bytes).is_none() {
                table.change(self.network, |held| held.bytes += step);
                self.taken += step;
                return true;
            }
        }
        self.used -= more;
        false
    }

    /// To ask for the place again after it was given back.
    pub(super) fn account(&self) -> (InFlight, Option<ClientNetwork>) {
        (self.in_flight.clone(), self.network)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let taken = self.taken;
        self.in_flight.table().change(self.network, |held| {
            held.messages -= 1;
            held.bytes -= taken;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> Option<ClientNetwork> {
        Some(ClientNetwork::of([198, 51, 100, last].into()))
    }

    #[test]
    fn a_full_site_admits_nobody_until_a_message_ends() {
        let limits = Limits { messages_in_flight: 1, ..Limits::default() };
        let in_flight = InFlight::default();
        let first = in_flight.admit(&limits, network(1));
        assert!(first.is_ok());
        assert_eq!(in_flight.admit(&limits, network(2)).err(), Some(Full::Site));
        drop(first);
        assert!(in_flight.admit(&limits, network(2)).is_ok());
    }

    #[test]
    fn past_half_of_the_limit_each_network_has_its_share_and_a_newcomer_gets_in() {
        let limits = Limits { messages_in_flight: 10, ..Limits::default() };
        let in_flight = InFlight::default();
        let admit = |last| in_flight.admit(&limits, network(last));
        let greedy: Vec<Ticket> = (0..5).map(|_| admit(1).expect("below half")).collect();
        let modest = admit(2).expect("the first of its network");
        assert_eq!(admit(1).err(), Some(Full::Share), "five are its share of two networks");
        let more: Vec<Ticket> = (0..2).map(|_| admit(2).expect("its share is not taken")).collect();
        let newcomer = admit(3).expect("nothing in flight: until the hard limit");
        let internal = in_flight.admit(&limits, None).expect("exempt from shares");
        assert_eq!(in_flight.admit(&limits, None).err(), Some(Full::Site));
        drop((greedy, modest, more, newcomer, internal));
        assert_eq!((in_flight.site(), in_flight.table().active), (Held::default(), 0));
        assert!(in_flight.table().networks.is_empty(), "nothing is kept of who holds nothing");
    }

    #[test]
    fn memory_has_shares_too() {
        let limits = Limits { bytes_in_flight: 1 << 20, ..Limits::default() };
        let in_flight = InFlight::default();
        let mut greedy = in_flight.admit(&limits, network(1)).expect("room");
        let mut other = in_flight.admit(&limits, network(2)).expect("room");
        assert!(greedy.grow(500 << 10, &limits) && other.grow(100 << 10, &limits));
        assert!(!greedy.grow(100 << 10, &limits), "past half, and more than half of it");
        assert!(other.grow(200 << 10, &limits));
        drop((greedy, other));
        assert_eq!(in_flight.bytes(), 0);
    }

    #[test]
    fn connections_are_counted_while_they_last() {
        let in_flight = InFlight::default();
        let both = [in_flight.enter(network(1)), in_flight.enter(network(1))];
        assert_eq!((both[0].of_network(), both[1].of_network(), both[1].of_site()), (1, 2, 2));
        let one = network(1).expect("a network");
        assert_eq!((in_flight.of(one).connections, in_flight.site().connections), (2, 2));
        drop(both);
        assert_eq!((in_flight.of(one).connections, in_flight.site().connections), (0, 0));
    }
}
