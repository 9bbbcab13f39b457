//! Domains that look like others: an index made at load, asked once for each host of a message.

use super::{brands::Brands, fold};
use crate::spam::registered;
use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

/// Fewest characters of a name that is compared as a whole word of a domain. Source: our own limit; shorter ones are
/// abbreviations of many.
const WORD_CHARS: usize = 5;
/// Fewest characters of a name of which one may differ. Source: our own limit; shorter words differ by one from others.
const ONE_CHARS: usize = 7;
/// Fewest characters of a name of which two may differ. Source: our own limit.
const TWO_CHARS: usize = 11;
/// Longest label that is compared letter by letter. Unit: characters. Source: the longest names of the table.
const LABEL_CHARS: usize = 24;
/// Most labels of a host that are looked at. Unit: labels. Source: our own limit; names of hostile depth stay cheap.
const LABELS: usize = 8;

/// Words that, beside a name, make a domain look like the place to sign in or pay.
const ALARM: &[&str] = &[
    "account",
    "accounts",
    "alert",
    "alerts",
    "auth",
    "authenticate",
    "bank",
    "banking",
    "billing",
    "bonus",
    "claim",
    "confirm",
    "confirmation",
    "delivery",
    "gift",
    "gifts",
    "help",
    "helpdesk",
    "id",
    "invoice",
    "kunden",
    "kundenservice",
    "login",
    "notice",
    "parcel",
    "pay",
    "payment",
    "payments",
    "portal",
    "protect",
    "protection",
    "recover",
    "recovery",
    "refund",
    "renew",
    "renewal",
    "reset",
    "restore",
    "reward",
    "rewards",
    "safe",
    "secure",
    "secured",
    "security",
    "signin",
    "sicherheit",
    "soporte",
    "suporte",
    "support",
    "unlock",
    "update",
    "updates",
    "upgrade",
    "validate",
    "validation",
    "verification",
    "verify",
    "verified",
    "verifizierung",
    "wallet",
    "warning",
    "webmail",
];

/// Whom a domain looks like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// The site itself: the domain that is imitated.
    Own(String),
    /// A brand, by its index.
    Brand(usize),
}

/// How a domain looks like another. The strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// Letters that look alike, or that are read alike: `paypa1`, `rnicrosoft`.
    Spelled,
    /// The same name under another suffix.
    Suffix,
    /// A letter or two more, less, other or swapped.
    Near,
    /// The name beside words of alarm: `paypal-secure-login`.
    Added,
    /// The name below another domain: `paypal.com.example.net`.
    Below,
}

/// What was found of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Likened {
    pub(super) owner: Owner,
    pub(super) likeness: Likeness,
}

/// A name that domains may imitate.
#[derive(Debug)]
struct Name {
    folded: String,
    owner: Owner,
    /// Whether the word means nothing else.
    sure: bool,
}

/// All names, by what they look like.
#[derive(Debug, Default)]
pub(super) struct Lookalikes {
    names: Vec<Name>,
    /// Names by their folded form.
    folded: HashMap<String, usize>,
    /// Names by hash of their folded form less one or two letters, sorted.
    shortened: Vec<(u64, usize)>,
    own: HashSet<String>,
}

impl Lookalikes {
    /// Of the site's own domains and of brands.
    pub(super) fn new<'d>(own: impl IntoIterator<Item = &'d str>, brands: &Brands) -> Self {
        let mut index = Lookalikes::default();
        for domain in own {
            let site = registered(domain);
            index.own.insert(site.to_owned());
            let label = site.split('.').next().unwrap_or_default();
            index.add(label, Owner::Own(site.to_owned()), label.chars().count() >= WORD_CHARS);
        }
        for (brand, name, sure) in brands.ascii_names() {
            index.add(name, Owner::Brand(brand), sure && name.len() >= WORD_CHARS);
        }
        index.shortened.sort_unstable();
        index
    }

    fn add(&mut self, name: &str, owner: Owner, sure: bool) {
        let folded = fold::label(name);
        let number = self.names.len();
        let chars = folded.chars().count();
        if sure && (ONE_CHARS..=LABEL_CHARS).contains(&chars) {
            let hashes = shortened(&folded, depth(chars));
            self.shortened.extend(hashes.into_iter().map(|hash| (hash, number)));
        }
        // The site's own names come first and stay.
        self.folded.entry(folded.clone()).or_insert(number);
        self.names.push(Name { folded, owner, sure });
    }

    /// Whom the host looks like, if it is not of those whom it looks like.
    pub(super) fn of(&self, host: &str, brands: &Brands) -> Option<Likened> {
        let site = registered(host);
        if self.own.contains(site) || brands.knows(site) || !self.may_exist(site) {
            return None;
        }
        let label = site.split('.').next().unwrap_or_default();
        let found = self.spelled(label).or_else(|| self.near(label)).or_else(|| self.added(label));
        found.or_else(|| self.below(host.strip_suffix(site)?))
    }

    /// Whether there are domains under such a suffix, public ones or the site's own.
    fn may_exist(&self, site: &str) -> bool {
        let Some((_, suffix)) = site.split_once('.') else { return false };
        let known = psl::suffix(site.as_bytes()).is_some_and(|suffix| suffix.is_known());
        let own = |own: &String| own.split_once('.').is_some_and(|(_, own)| own == suffix);
        known && !site.contains(['<', '>', '"']) || self.own.iter().any(own)
    }

    fn likened(&self, number: usize, likeness: Likeness) -> Option<Likened> {
        Some(Likened { owner: self.names.get(number)?.owner.clone(), likeness })
    }

    fn spelled(&self, label: &str) -> Option<Likened> {
        let folded = fold::label(label);
        let number = *self.folded.get(&folded)?;
        let name = self.names.get(number).filter(|name| name.sure)?;
        // The name as it is, under another suffix, or only looking like it.
        let plain: String = label.chars().filter(|c| *c != '-').collect();
        let same = match &name.owner {
            Owner::Own(site) => site.split('.').next() == Some(label),
            Owner::Brand(_) => plain.is_ascii() && fold::label(&plain) == plain || !has_tricks(&plain),
        };
        self.likened(number, if same { Likeness::Suffix } else { Likeness::Spelled })
    }

    fn near(&self, label: &str) -> Option<Likened> {
        let folded = fold::label(label);
        let chars = folded.chars().count();
        if !(ONE_CHARS - 1..=LABEL_CHARS).contains(&chars) {
            return None;
        }
        let candidates = shortened(&folded, depth(chars)).into_iter().flat_map(|hash| {
            let first = self.shortened.partition_point(|(other, _)| *other < hash);
            self.shortened[first..].iter().take_while(move |(other, _)| *other == hash).map(|(_, number)| *number)
        });
        let number = candidates.into_iter().find(|number| {
            self.names.get(*number).is_some_and(|name| {
                let most = depth(name.folded.chars().count());
                let distance = strsim::osa_distance(&name.folded, &folded);
                (1..=most).contains(&distance) && plausible(&name.folded, &folded)
            })
        })?;
        self.likened(number, Likeness::Near)
    }

    /// The name as one of the words of a label, another of which alarms.
    fn added(&self, label: &str) -> Option<Likened> {
        let words: Vec<&str> = label.split('-').filter(|word| !word.is_empty()).take(LABELS).collect();
        let alarms = |word: &str| ALARM.contains(&word.trim_matches(|c: char| c.is_ascii_digit()));
        let alarm = words.iter().any(|word| alarms(word));
        if words.len() > 1 && alarm {
            let named = words.iter().filter(|word| !alarms(word)).find_map(|word| self.folded.get(&fold::label(word)));
            if let Some(number) = named {
                return self.likened(*number, Likeness::Added);
            }
        }
        // Without a sign between the words.
        let ends = (WORD_CHARS..label.len()).filter(|at| label.is_char_boundary(*at));
        let split = |name: &str, rest: &str| {
            let number = *self.folded.get(&fold::label(name))?;
            let sure = self.names.get(number)?.sure;
            (sure && alarms(rest.trim_matches('-'))).then_some(number)
        };
        let number = ends.take(LABEL_CHARS).find_map(|at| {
            let turned = label.len() - at;
            let backwards = label.is_char_boundary(turned).then(|| split(&label[turned..], &label[..turned])).flatten();
            split(&label[..at], &label[at..]).or(backwards)
        })?;
        self.likened(number, Likeness::Added)
    }

    /// The name followed by what looks like the end of a domain, or beside words of alarm, below another domain.
    fn below(&self, below: &str) -> Option<Likened> {
        let labels: Vec<&str> = below.trim_end_matches('.').rsplit('.').take(LABELS).collect();
        let follows =
            |at: usize| at > 0 && labels.get(at - 1).is_some_and(|next| ["com", "net", "org", "co"].contains(next));
        labels.iter().enumerate().find_map(|(at, label)| {
            if let (true, Some(number)) = (follows(at), self.folded.get(&fold::label(label))) {
                return self.likened(*number, Likeness::Below);
            }
            self.added(label).map(|found| Likened { likeness: Likeness::Below, ..found })
        })
    }
}

/// How many letters may differ.
fn depth(chars: usize) -> usize {
    if chars >= TWO_CHARS { 2 } else { 1 }
}

/// Whether a label holds characters that are taken for others.
fn has_tricks(label: &str) -> bool {
    label.contains(|c: char| c.is_ascii_digit()) || label.contains("rn") || label.contains("vv") || !label.is_ascii()
}

/// Names of firms are misspelt inside; another first letter makes another word, and so does an ending `s`.
fn plausible(name: &str, label: &str) -> bool {
    name.chars().next() == label.chars().next()
        && label.strip_suffix('s') != Some(name)
        && name.strip_suffix('s') != Some(label)
}

/// Hashes of a word, and of the word less so many letters.
fn shortened(word: &str, depth: usize) -> Vec<u64> {
    let mut words = vec![word.to_owned()];
    let mut last = 0;
    for _ in 0..depth {
        let from = words.len();
        for longer in last..from {
            let longer = words[longer].clone();
            words.extend(longer.char_indices().map(|(at, c)| [&longer[..at], &longer[at + c.len_utf8()..]].concat()));
        }
        last = from;
    }
    let mut hashes: Vec<u64> = words.iter().map(|word| hash(word)).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

fn hash(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(host: &str) -> Option<(String, Likeness)> {
        let brands = Brands::load(&[]);
        let index = Lookalikes::new(["example-rockets.com", "northwind.example"], &brands);
        let found = index.of(host, &brands)?;
        let owner = match found.owner {
            Owner::Own(domain) => domain,
            Owner::Brand(brand) => brands.get(brand)?.name.clone(),
        };
        Some((owner, found.likeness))
    }

    #[test]
    fn likenesses_are_told_apart() {
        use Likeness::*;
        for (host, owner, likeness) in [
            ("paypa1.com", "paypal", Spelled),
            ("www.rnicrosoft.com", "microsoft", Spelled),
            ("xn--pypal-4ve.com", "paypal", Spelled),
            ("netflix.top", "netflix", Suffix),
            ("microsfot.com", "microsoft", Near),
            ("faceboook.net", "facebook", Near),
            ("paypal-secure-login.com", "paypal", Added),
            ("chase-verify.net", "chase", Added),
            ("securepaypal.com", "paypal", Added),
            ("paypal.com.session.example.net", "paypal", Below),
            ("netflix-billing.evil.example.net", "netflix", Below),
            ("northwlnd.com", "northwind.example", Spelled),
            ("northwind.top", "northwind.example", Suffix),
            ("nortwind.com", "northwind.example", Near),
            ("northwind-payments.com", "northwind.example", Added),
        ] {
            assert_eq!(found(host), Some((owner.to_owned(), likeness)), "{host}");
        }
    }

    #[test]
    fn honest_hosts_look_like_nobody() {
        for host in [
            "paypal.com",
            "www.amazon.co.uk",
            "northwind.example",
            "mail.northwind.example",
            "example.net",
            "apply.example.org",
            "chaser.com",
            "disney.images.edge.bamgrid.com",
            "google.github.io",
            "targets.org",
            "localhost",
            "[2001:db8::1]",
            "192.0.2.1",
        ] {
            assert_eq!(found(host), None, "{host}");
        }
    }

    #[test]
    fn hostile_hosts_end_in_bounds() {
        let brands = Brands::load(&[]);
        let index = Lookalikes::new([], &brands);
        for host in
            [format!("{}.com", "a-".repeat(20_000)), "paypal.".repeat(10_000), format!("{}.com", "v".repeat(63))]
        {
            index.of(&host, &brands);
        }
    }
}
