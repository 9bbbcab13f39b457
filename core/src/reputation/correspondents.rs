//! Addresses outside to which this site writes: what they answer is expected.
//!
//! An outbound message makes each outside recipient a known correspondent, of its sender and of the site, and its domain
//! one of the site. Kept are counts by pseudonym ([`SiteKey`]), never addresses; they expire.

use crate::{
    lookup::{Deadline, Outcome},
    session::Address,
    store::{Buckets, Ledger, SiteKey, Window},
    verdict::{Finding, Points},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most recipients of one message that are learned, and most that are asked about. Unit: recipients. Source: our own
/// limit: who writes to more at once distributes, and does not correspond.
pub const RECIPIENTS: usize = 20;

/// Length of a bucket. Unit: seconds (a day): expiry is exact to this.
const BUCKET: i64 = 86_400;

/// What the site says about correspondents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether correspondents are learned and judged by.
    pub enabled: bool,
    /// How long an address stays known after the last message to it. Source: our own default, a quarter of a year.
    pub remember: Duration,
    /// Points if each recipient has written to the author.
    pub recipient_points: Points,
    /// Points if somebody of the site has.
    pub site_points: Points,
    /// Points if somebody of the site has written to the author's domain.
    pub domain_points: Points,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            enabled: true,
            remember: Duration::from_secs(90 * 86_400),
            recipient_points: Points::hundredths(-200),
            site_points: Points::hundredths(-100),
            domain_points: Points::hundredths(-50),
        }
    }
}

/// How well an author is known, the least first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acquaintance {
    /// Nobody here has written to the author.
    #[default]
    None,
    /// Somebody here has written to the author's domain.
    Domain,
    /// Somebody here has written to the author.
    Site,
    /// Each of the recipients has.
    Recipient,
}

/// The room's part of a known correspondent.
#[derive(Debug, Clone)]
pub struct Correspondents {
    settings: Settings,
    key: SiteKey,
}

impl Correspondents {
    /// With the secret under which correspondents are kept.
    pub fn new(settings: Settings, key: SiteKey) -> Self {
        Correspondents { settings, key }
    }

    /// Whether anything is learned and judged by.
    pub fn is_enabled(&self) -> bool {
        self.settings.enabled
    }

    /// Learns that `user` has written to `outside`. `anybodys`: whether anybody gets an address in its domain, so that
    /// the domain says nothing.
    pub fn record(&self, ledger: &Ledger, user: &Address, outside: &Address, anybodys: bool, now: i64) {
        if !self.settings.enabled {
            return;
        }
        let keep = i64::try_from(self.settings.remember.as_secs()).unwrap_or(i64::MAX);
        let window = Window { bucket: BUCKET, keep };
        let author = outside.key();
        let domain = (!anybodys).then(|| self.domain(&outside.domain));
        for key in [self.pair(&user.key(), &author), self.site(&author)].into_iter().chain(domain) {
            ledger.add(&key, 1, window, now);
        }
    }

    /// How well these recipients know an author. Whoever asks has seen the author's domain authenticated, or weighs the
    /// answer accordingly.
    pub async fn ask<'a>(
        &self,
        ledger: &Ledger,
        author: &Address,
        recipients: impl IntoIterator<Item = &'a Address>,
        now: i64,
        deadline: Deadline,
    ) -> Outcome<Acquaintance> {
        let keys = self.keys(author, recipients);
        ledger.read(&keys, now, deadline).await.map(|buckets| self.acquaintance(&buckets, now))
    }

    /// What is to be read about an author: site, domain, each recipient. Nothing if nothing is learned.
    pub(super) fn keys<'a>(&self, author: &Address, recipients: impl IntoIterator<Item = &'a Address>) -> Vec<String> {
        if !self.settings.enabled {
            return Vec::new();
        }
        let name = author.key();
        let mut keys = vec![self.site(&name), self.domain(&author.domain)];
        let pairs: Vec<String> =
            recipients.into_iter().take(RECIPIENTS + 1).map(|recipient| self.pair(&recipient.key(), &name)).collect();
        if pairs.len() <= RECIPIENTS {
            keys.extend(pairs);
        }
        keys
    }

    /// What was read under [`Correspondents::keys`].
    pub(super) fn acquaintance(&self, buckets: &[Buckets], now: i64) -> Acquaintance {
        let keep = i64::try_from(self.settings.remember.as_secs()).unwrap_or(i64::MAX);
        let since = now.saturating_sub(keep);
        let known = |buckets: &Buckets| buckets.since(since) > 0;
        match buckets {
            [_, _, pairs @ ..] if !pairs.is_empty() && pairs.iter().all(known) => Acquaintance::Recipient,
            [site, ..] if known(site) => Acquaintance::Site,
            [_, domain, ..] if known(domain) => Acquaintance::Domain,
            _ => Acquaintance::None,
        }
    }

    /// What it means that an authenticated author is known so well.
    pub fn judge(&self, acquaintance: Acquaintance) -> Option<Finding> {
        let (points, fact) = match acquaintance {
            Acquaintance::None => return None,
            Acquaintance::Domain => (self.settings.domain_points, "this site has written to the author's domain"),
            Acquaintance::Site => (self.settings.site_points, "this site has written to the author"),
            Acquaintance::Recipient => (self.settings.recipient_points, "the recipient has written to the author"),
        };
        Some(Finding::new("correspondent.known", points, "[correspondents]").fact(fact))
    }

    fn pair(&self, user: &str, author: &str) -> String {
        self.named(&["pair", user, author])
    }

    fn site(&self, author: &str) -> String {
        self.named(&["site", author])
    }

    fn domain(&self, domain: &str) -> String {
        self.named(&["domain", domain])
    }

    fn named(&self, names: &[&str]) -> String {
        format!("correspondent/{}", self.key.pseudonym(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Counters;

    const DAY: i64 = 86_400;

    fn address(text: &str) -> Address {
        Address::parse(text.as_bytes()).expect("an address")
    }

    fn room() -> (Correspondents, Ledger) {
        let room = Correspondents::new(Settings::default(), SiteKey::of(b"secret"));
        (room, Ledger::new(Counters::in_memory()))
    }

    async fn known(
        room: &Correspondents,
        ledger: &Ledger,
        author: &str,
        recipients: &[&str],
        now: i64,
    ) -> Acquaintance {
        let recipients: Vec<Address> = recipients.iter().map(|r| address(r)).collect();
        let deadline = Deadline::after(Duration::from_secs(5));
        let answer = room.ask(ledger, &address(author), &recipients, now, deadline).await;
        *answer.done().expect("an answer")
    }

    #[tokio::test]
    async fn whom_a_user_writes_to_is_known_to_the_user_then_to_the_site_then_by_domain() {
        let (room, ledger) = room();
        room.record(&ledger, &address("alice@ours.test"), &address("Bob@Outside.test"), false, 0);
        for (author, recipients, expected) in [
            ("bob@outside.test", &["Alice@ours.test"][..], Acquaintance::Recipient),
            ("bob@outside.test", &["carol@ours.test"], Acquaintance::Site),
            ("bob@outside.test", &["alice@ours.test", "carol@ours.test"], Acquaintance::Site),
            ("eve@outside.test", &["alice@ours.test"], Acquaintance::Domain),
            ("bob@elsewhere.test", &["alice@ours.test"], Acquaintance::None),
        ] {
            assert_eq!(known(&room, &ledger, author, recipients, 5).await, expected, "{author} {recipients:?}");
        }
    }

    #[tokio::test]
    async fn a_provider_where_anybody_gets_an_address_is_not_known_as_a_whole() {
        let (room, ledger) = room();
        room.record(&ledger, &address("alice@ours.test"), &address("bob@mail.test"), true, 0);
        assert_eq!(known(&room, &ledger, "eve@mail.test", &["alice@ours.test"], 0).await, Acquaintance::None);
        assert_eq!(known(&room, &ledger, "bob@mail.test", &["alice@ours.test"], 0).await, Acquaintance::Recipient);
    }

    #[tokio::test]
    async fn correspondents_are_forgotten_after_ninety_days() {
        let (room, ledger) = room();
        room.record(&ledger, &address("alice@ours.test"), &address("bob@outside.test"), false, 0);
        let at = async |day: i64| known(&room, &ledger, "bob@outside.test", &["alice@ours.test"], day * DAY).await;
        assert_eq!(at(90).await, Acquaintance::Recipient);
        assert_eq!(at(91).await, Acquaintance::None);
    }

    #[tokio::test]
    async fn a_message_to_more_recipients_than_are_asked_about_is_judged_by_the_site() {
        let (room, ledger) = room();
        let users: Vec<String> = (0..=RECIPIENTS).map(|i| format!("u{i}@ours.test")).collect();
        for user in &users {
            room.record(&ledger, &address(user), &address("bob@outside.test"), false, 0);
        }
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        assert_eq!(known(&room, &ledger, "bob@outside.test", &users, 0).await, Acquaintance::Site);
        assert_eq!(known(&room, &ledger, "bob@outside.test", &users[1..], 0).await, Acquaintance::Recipient);
    }

    #[test]
    fn keys_hold_no_names_and_differ_from_site_to_site() {
        let (room, _) = room();
        let other = Correspondents::new(Settings::default(), SiteKey::of(b"another"));
        let (author, user) = (address("bob@outside.test"), address("alice@ours.test"));
        for (own, foreign) in room.keys(&author, [&user]).iter().zip(other.keys(&author, [&user])) {
            assert_ne!(*own, foreign);
            assert!(!own.contains("bob") && !own.contains("outside") && !own.contains("alice"), "{own}");
        }
    }
}
