//! What is found in each message before anything is judged: its hash, its time, and which messages are nearly the same.

use super::mail::Labelled;
use crate::cli::envelope::envelope;
use aws_lc_rs::digest::{SHA256, digest};
use mailward_core::message::{self, Bounds};
use std::{collections::HashMap, fmt::Write};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Words of a shingle. Source: the usual number for texts of some hundred words.
const WORDS: usize = 4;
/// Bands of a sketch, and hashes of each: two texts that share the share s of their shingles meet with probability
/// 1-(1-s^4)^6, 0.96 of those that share 80 %, 0.01 of those that share 20 %.
const BANDS: usize = 6;
const ROWS: usize = 4;
/// Most words that are looked at. Source: our own limit; campaigns say what they say at the beginning.
const TEXT: usize = 2_000;

/// What one message shows.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// SHA-256 of the message as it was given, in hexadecimal.
    pub(super) hash: String,
    /// Unix seconds: as the index says, else by the header.
    pub(super) time: Option<i64>,
    /// Messages that are near duplicates share the name: that of the index, else the least hash among them.
    pub(super) campaign: String,
    bands: [u64; BANDS],
}

impl Facts {
    /// Looks at a message in wire form; `given` are its bytes as they were read.
    pub(super) fn of(labelled: &Labelled, given: &[u8], wire: &[u8]) -> Self {
        let hash = digest(&SHA256, given).as_ref().iter().fold(String::with_capacity(64), |mut hash, byte| {
            let _ = write!(hash, "{byte:02x}");
            hash
        });
        let bands = match labelled.campaign {
            Some(_) => [0; BANDS],
            None => bands(wire),
        };
        let time = labelled.time.or_else(|| envelope(wire).time);
        Facts { hash, time, campaign: labelled.campaign.clone().unwrap_or_default(), bands }
    }
}

#[cfg(test)]
impl Facts {
    /// Facts that no message has shown.
    pub(super) fn made(hash: &str, time: Option<i64>, campaign: &str) -> Self {
        Facts { hash: hash.to_owned(), time, campaign: campaign.to_owned(), bands: [0; BANDS] }
    }
}

/// The sketch of subject and text: near duplicates have a band in common.
fn bands(wire: &[u8]) -> [u64; BANDS] {
    let message = message::parse(wire, &Bounds::default());
    let words = format!("{} {}", message.subject, message.text.visible());
    let words: Vec<u64> = words
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(TEXT)
        .map(|word| xxh3_64(word.to_lowercase().replace(|c: char| c.is_numeric(), "0").as_bytes()))
        .collect();
    let mut least = [u64::MAX; BANDS * ROWS];
    for shingle in words.windows(WORDS.min(words.len().max(1))) {
        let bytes: Vec<u8> = shingle.iter().flat_map(|word| word.to_le_bytes()).collect();
        for (seed, least) in least.iter_mut().enumerate() {
            *least = (*least).min(xxh3_64_with_seed(&bytes, seed as u64));
        }
    }
    let band = |n: usize| least[n * ROWS..][..ROWS].iter().flat_map(|hash| hash.to_le_bytes()).collect::<Vec<u8>>();
    // Messages without a word are near nothing but themselves.
    match words.is_empty() {
        true => [xxh3_64(wire); BANDS],
        false => std::array::from_fn(|n| xxh3_64_with_seed(&band(n), n as u64)),
    }
}

/// Gives the messages that have no campaign the one of their near duplicates.
pub(super) fn find_campaigns(facts: &mut [Facts]) {
    let mut groups = Groups((0..facts.len()).collect());
    let mut first: HashMap<(usize, u64), usize> = HashMap::new();
    for (number, fact) in facts.iter().enumerate().filter(|(_, fact)| fact.campaign.is_empty()) {
        for (n, band) in fact.bands.iter().enumerate() {
            groups.join(*first.entry((n, *band)).or_insert(number), number);
        }
    }
    let mut least: HashMap<usize, String> = HashMap::new();
    for (number, fact) in facts.iter().enumerate().filter(|(_, fact)| fact.campaign.is_empty()) {
        let name = least.entry(groups.of(number)).or_insert_with(|| fact.hash.clone());
        if fact.hash < *name {
            name.clone_from(&fact.hash);
        }
    }
    for (number, fact) in facts.iter_mut().enumerate().filter(|(_, fact)| fact.campaign.is_empty()) {
        fact.campaign.clone_from(&least[&groups.of(number)]);
    }
}

/// Which messages belong together: each knows another of its group, the first knows itself.
struct Groups(Vec<usize>);

impl Groups {
    fn of(&mut self, mut number: usize) -> usize {
        while self.0[number] != number {
            self.0[number] = self.0[self.0[number]];
            number = self.0[number];
        }
        number
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(text: &str) -> Facts {
        let hash = format!("{:016x}", xxh3_64(text.as_bytes()));
        let wire = format!("Subject: about\r\n\r\n{text}\r\n");
        Facts { hash, time: None, campaign: String::new(), bands: bands(wire.as_bytes()) }
    }

    #[test]
    fn near_duplicates_share_a_campaign_whatever_their_order_and_others_do_not() {
        let long = "the quick brown fox jumps over the lazy dog and then goes home to sleep for the rest of a very long day in its den";
        let texts = [
            format!("{long} order 4711 {long}x"),
            format!("{long} order 4712 {long}x"),
            "we meet on monday to talk about the budget of the next year and the people we need".to_owned(),
            "hello".to_owned(),
            "hello".to_owned(),
            "bye".to_owned(),
        ];
        let campaigns = |order: &[usize]| {
            let mut facts: Vec<Facts> = order.iter().map(|&n| fact(&texts[n])).collect();
            find_campaigns(&mut facts);
            let mut campaigns: Vec<(usize, String)> =
                order.iter().copied().zip(facts.into_iter().map(|f| f.campaign)).collect();
            campaigns.sort();
            campaigns.into_iter().map(|(_, campaign)| campaign).collect::<Vec<_>>()
        };
        let found = campaigns(&[0, 1, 2, 3, 4, 5]);
        assert_eq!(found, campaigns(&[5, 3, 1, 4, 2, 0]));
        assert_eq!((&found[0], &found[3]), (&found[1], &found[4]));
        assert_eq!(found.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }
}
