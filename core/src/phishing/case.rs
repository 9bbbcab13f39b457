//! A message as the rules of this room see it: where it leads, whom it names, what it wants.

use super::{Phishing, brands::Claim, lookalike::Likened, wants::Wants};
use crate::spam::{self, Facts, Kind, registered};

/// Most different hosts of a message that are looked at. Source: our own limit; letters that lure lead to a few.
const PLACES: usize = 64;
/// Most bytes of an address that a redirector carries. Source: our own limit, the longest link.
const CARRIED_BYTES: usize = 2_048;

/// A message and what this room finds out about it once.
pub(super) struct Case<'c, 'a> {
    pub(super) room: &'c Phishing,
    pub(super) facts: &'c Facts<'a>,
    /// Where its links lead, each host once; where a redirector leads too.
    pub(super) places: Vec<Place>,
    /// Whom the sender's name names.
    pub(super) name: Option<Claim>,
    /// Whom the subject names.
    pub(super) subject: Option<Claim>,
    /// Domains of sender, answers and links that look like others: the domain and whom it looks like.
    pub(super) likened: Vec<(String, Likened)>,
    /// What it wants.
    pub(super) wants: Wants,
    /// Whether it answers or passes on another message.
    pub(super) answers: bool,
}

/// A host to which the message leads.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) kind: Option<Kind>,
}

impl Place {
    fn of(host: &str) -> Self {
        Place { host: host.to_owned(), kind: spam::kind(host) }
    }

    pub(super) fn site(&self) -> &str {
        registered(&self.host)
    }

    /// Whether the host says nothing about who stands behind the page.
    pub(super) fn hides_its_owner(&self) -> bool {
        matches!(self.kind, Some(Kind::FreeSite | Kind::Storage | Kind::Shortener))
            || self.host.starts_with('[')
            || self.host.parse::<std::net::Ipv4Addr>().is_ok()
    }
}

impl<'c, 'a> Case<'c, 'a> {
    pub(super) fn of(room: &'c Phishing, facts: &'c Facts<'a>, codes: &[String]) -> Self {
        let places = places(facts, codes);
        let name = facts.from.and_then(|from| room.brands.claim(&from.name));
        let subject = room.brands.claim(&facts.message.subject);
        let answering = facts.message.reply_to.iter().map(|to| to.domain());
        let envelope = facts.sender.mailbox().map(|sender| sender.domain.clone());
        let written = std::iter::once(facts.from_domain.clone()).chain(answering).chain(envelope);
        let mut hosts: Vec<String> = written.chain(places.iter().map(|place| place.host.clone())).collect();
        hosts.dedup();
        let likened =
            hosts.into_iter().filter_map(|host| room.lookalikes.of(&host, &room.brands).map(|found| (host, found)));
        Case {
            likened: likened.collect(),
            wants: Wants::of(facts),
            answers: is_answer(facts),
            room,
            facts,
            places,
            name,
            subject,
        }
    }

    /// Whether sender or links are of this brand. The table does not know all domains of all firms: one that holds the
    /// name, without words of alarm, is taken for the firm's.
    pub(super) fn is_of(&self, brand: usize) -> bool {
        let from = &self.facts.from_domain;
        let alike = || self.likened.iter().any(|(host, _)| host == from);
        self.room.brands.owns(brand, from)
            || self.room.brands.is_named_in(brand, &self.facts.from_site) && !alike()
            || self.places.iter().any(|place| self.room.brands.owns(brand, &place.host))
    }

    /// Whether the domain is the site's own, or of one of the recipients.
    pub(super) fn is_ours(&self, domain: &str) -> bool {
        let site = registered(domain);
        self.room.own.iter().any(|own| registered(own) == site)
            || self.facts.recipients.iter().any(|to| registered(&to.address.domain) == site)
    }

    pub(super) fn brand_name(&self, brand: usize) -> String {
        self.room.brands.get(brand).map(|brand| brand.name.clone()).unwrap_or_default()
    }

    /// Whether anybody may get an address in the sender's domain.
    pub(super) fn is_from_freemail(&self) -> bool {
        spam::is_freemail(&self.facts.from_domain)
    }
}

fn is_answer(facts: &Facts<'_>) -> bool {
    facts.has("In-Reply-To") || facts.has("References")
}

fn places(facts: &Facts<'_>, codes: &[String]) -> Vec<Place> {
    let mut hosts: Vec<String> = Vec::new();
    let mut add = |host: &str| {
        if hosts.len() < PLACES && !host.is_empty() && !hosts.iter().any(|known| known == host) {
            hosts.push(host.to_owned());
        }
    };
    for followed in facts.web_links() {
        add(&followed.link.host);
        if let Some(host) = carried(&followed.link.url) {
            add(&host);
        }
    }
    codes.iter().for_each(|host| add(host));
    hosts.iter().map(|host| Place::of(host)).collect()
}

/// The host of an address that a link carries in its query, as redirectors do: `?url=https%3A%2F%2Fevil.example`.
fn carried(url: &str) -> Option<String> {
    let (_, query) = url.get(..url.floor_char_boundary(CARRIED_BYTES))?.split_once('?')?;
    let value = query.split(['&', ';']).find_map(|pair| {
        let (_, value) = pair.split_once('=')?;
        let lower = value.get(..12).unwrap_or(value).to_ascii_lowercase();
        let web = lower.starts_with("http://") || lower.starts_with("https://");
        (web || lower.starts_with("http%3a%2f") || lower.starts_with("https%3a%2f")).then_some(value)
    })?;
    let rest = value.get(value.find(['/', '%'])?..)?;
    let rest = rest.trim_start_matches(['/', ':']);
    let rest = ["%3a", "%3A", "%2f", "%2F", "%2f", "%2F"].iter().fold(rest, |rest, code| rest.trim_start_matches(code));
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-').unwrap_or(rest.len());
    let host = rest[..end].trim_end_matches('.').to_ascii_lowercase();
    (host.contains('.') && psl::suffix(host.as_bytes()).is_some_and(|suffix| suffix.is_known())).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::carried;

    #[test]
    fn what_redirectors_carry_is_read() {
        for (url, host) in [
            ("https://www.google.com/url?sa=t&url=https%3A%2F%2Fevil.example.com%2Fx", Some("evil.example.com")),
            ("https://l.facebook.com/l.php?u=http://evil.example.com/", Some("evil.example.com")),
            ("https://www.example.net/?q=https", None),
            ("https://www.example.net/a?b=c", None),
            ("https://www.example.net/", None),
        ] {
            assert_eq!(carried(url).as_deref(), host, "{url}");
        }
    }
}
